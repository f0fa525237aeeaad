//! The events' data as JSON.

use std::{
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use serde::de::DeserializeOwned;

use crate::{error::Error, events::Events, item::is_end, source::EventSource};

/// With this, OpenAI's API and those that follow it end a stream.
pub(crate) const DONE: &str = "[DONE]";

/// The data of each event of a source, read as JSON. `[DONE]`, or an event `end`, ends it.
///
/// Data that is no such JSON is an [`Error::Json`], with the event, and the stream goes on after it.
#[derive(Debug)]
#[must_use = "nothing happens until it is polled"]
pub struct Json<T> {
    events: Events,
    what: PhantomData<fn() -> T>,
}

impl<T> Json<T> {
    pub(crate) fn new(source: EventSource) -> Self {
        Self {
            events: Events::new(source),
            what: PhantomData,
        }
    }

    /// The source below.
    pub fn source(&self) -> &EventSource {
        self.events.source()
    }

    /// The source below, for `restart` and `close`.
    pub fn source_mut(&mut self) -> &mut EventSource {
        self.events.source_mut()
    }
}

impl<T: DeserializeOwned> Stream for Json<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let event = match ready!(self.events.poll(cx)) {
            Some(Ok(event)) => event,
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => return Poll::Ready(None),
        };
        if is_end(&event) {
            self.source_mut().close();
            return Poll::Ready(None);
        }
        let value = serde_json::from_str(&event.data).map_err(|source| Error::Json {
            event: Box::new(event),
            source,
        });
        Poll::Ready(Some(value))
    }
}
