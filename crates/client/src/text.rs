//! The growing text of an AI's answer. What an event is to it, `answer.rs` says.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;

use crate::{
    answer::Answer,
    error::Error,
    item::{Item, is_end},
    source::EventSource,
};

/// The pieces of text of an answer, as they come: of OpenAI (chat completions, responses) and all who follow it,
/// Anthropic, Gemini, Cohere, the AI SDK and AG-UI.
///
/// Roles, tools, thinking and usage are passed over. An error that is reported in the stream is an
/// [`Error::Provider`], events of which none is known are an [`Error::NoText`]; both end it. Whether the last word
/// of the answer was missing, [`is_truncated`](Self::is_truncated) says once it is over.
#[derive(Debug)]
#[must_use = "nothing happens until it is polled"]
pub struct Text {
    source: EventSource,
    answer: Answer,
    /// An event came.
    is_read: bool,
    is_over: bool,
    is_truncated: bool,
    must_be_whole: bool,
}

impl Text {
    pub(crate) fn new(source: EventSource) -> Self {
        Self {
            source,
            answer: Answer::default(),
            is_read: false,
            is_over: false,
            is_truncated: false,
            must_be_whole: false,
        }
    }

    /// An answer without its last word is an [`Error::Truncated`] at its end.
    pub fn require_whole(mut self) -> Self {
        self.must_be_whole = true;
        self
    }

    /// The answer has ended before its last word (`[DONE]`, `message_stop`, …), which its provider always sends: a
    /// part of it is missing. `false` until it is over.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.is_truncated
    }

    /// The source below.
    pub fn source(&self) -> &EventSource {
        &self.source
    }

    /// The source below, for `restart` and `close`.
    pub fn source_mut(&mut self) -> &mut EventSource {
        &mut self.source
    }

    /// Nothing comes after this but the rest of its text, or an error of the answer's.
    fn end(&mut self, is_truncated: bool) -> Option<Result<String, Error>> {
        self.source.close();
        self.is_over = true;
        self.is_truncated = is_truncated;
        if self.must_be_whole && is_truncated {
            return Some(Err(Error::Truncated));
        }
        if self.is_read && !self.answer.is_known() {
            return Some(Err(Error::NoText));
        }
        self.answer.rest().map(Ok)
    }
}

impl Stream for Text {
    type Item = Result<String, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        while !this.is_over {
            if this.answer.is_over() {
                return Poll::Ready(this.end(false));
            }
            let event = match ready!(Pin::new(&mut this.source).poll_next(cx)) {
                Some(Ok(Item::Event(event))) => event,
                Some(Ok(Item::Gap(gap))) => return Poll::Ready(Some(Err(Error::Gap(gap)))),
                // Nothing is left to be asked for.
                Some(
                    Ok(Item::Reconnecting(_))
                    | Err(Error::GaveUp { .. } | Error::NotRepeatable { .. } | Error::Fruitless { .. }),
                ) if this.answer.is_whole() => return Poll::Ready(this.end(false)),
                Some(Ok(_)) => continue,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    let is_truncated = this.answer.is_truncated();
                    return Poll::Ready(this.end(is_truncated));
                }
            };
            if is_end(&event) {
                return Poll::Ready(this.end(false));
            }
            this.is_read = true;
            match this.answer.see(&event) {
                Ok(text) if text.is_empty() => {}
                Ok(text) => return Poll::Ready(Some(Ok(text))),
                Err(message) => {
                    this.source.close();
                    this.is_over = true;
                    let event = Box::new(event);
                    return Poll::Ready(Some(Err(Error::Provider { message, event })));
                }
            }
        }
        Poll::Ready(None)
    }
}
