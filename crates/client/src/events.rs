//! Only the events.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use tidewire_codec::Message;

use crate::{error::Error, item::Item, source::EventSource};

/// The events of a source, and nothing of how they came: reconnections happen silently.
///
/// Missing events are not silent: a gap is an [`Error::Gap`], and the stream goes on after it.
#[derive(Debug)]
#[must_use = "nothing happens until it is polled"]
pub struct Events {
    source: EventSource,
}

impl Events {
    pub(crate) fn new(source: EventSource) -> Self {
        Self { source }
    }

    /// The source below.
    pub fn source(&self) -> &EventSource {
        &self.source
    }

    /// The source below, for `restart` and `close`.
    pub fn source_mut(&mut self) -> &mut EventSource {
        &mut self.source
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message, Error>>> {
        loop {
            let item = ready!(Pin::new(&mut self.source).poll_next(cx));
            return Poll::Ready(match item {
                Some(Ok(Item::Event(event))) => Some(Ok(event)),
                Some(Ok(Item::Gap(gap))) => Some(Err(Error::Gap(gap))),
                Some(Ok(_)) => continue,
                Some(Err(error)) => Some(Err(error)),
                None => None,
            });
        }
    }
}

impl Stream for Events {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(cx)
    }
}
