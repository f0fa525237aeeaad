//! What a source yields.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, Version};
use serde::Deserialize;
use tidewire_codec::{Message, protocol::GAP};
use url::Url;

use crate::{error::Cause, json::DONE};

/// One item of an [`EventSource`](crate::EventSource).
#[derive(Debug)]
#[non_exhaustive]
pub enum Item {
    /// A stream opened: the first one, or one after a reconnection.
    Open(Open),
    /// An event.
    Event(Message),
    /// A comment; only after `comments(true)`.
    Comment(String),
    /// The server's time between attempts, the `retry` field; only after `comments(true)`.
    Retry(Duration),
    /// Bytes of the stream, before what they complete; only after `chunks(true)`. Unpacked, if they came
    /// packed.
    Chunk(Bytes),
    /// The server no longer has some events that belong here. What follows comes behind them.
    Gap(Gap),
    /// An attempt ended; the next one begins after a delay.
    Reconnecting(Reconnecting),
}

/// A stream that opened.
#[derive(Debug, Clone)]
pub struct Open {
    /// Of success, usually 200.
    pub status: StatusCode,
    /// Of HTTP.
    pub version: Version,
    /// The answer's headers.
    pub headers: HeaderMap,
    /// Who answered, redirects followed.
    pub url: Url,
}

/// Events that are gone.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Gap {
    /// `expired`, `unknown`, `reset`, `lagged` or `damaged`; the server's documentation says what each means.
    pub reason: String,
    /// The id that was asked for, if the server tells.
    #[serde(default)]
    pub requested: Option<String>,
    /// The id that the stream goes on behind.
    #[serde(default)]
    pub resumed_after: Option<String>,
    /// The stream's last event id as of this gap.
    #[serde(skip)]
    pub last_event_id: String,
}

impl std::fmt::Display for Gap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "events are missing ({})", self.reason)?;
        match &self.requested {
            Some(id) => write!(f, " after {id:?}"),
            None => Ok(()),
        }
    }
}

/// The pause between two attempts.
#[derive(Debug)]
pub struct Reconnecting {
    /// The next attempt's number, counted from the last success: 1 if the last one was one.
    pub attempt: u32,
    /// How long until it begins.
    pub delay: Duration,
    /// How the last one ended.
    pub cause: Cause,
}

/// Whether an event is the last one of its stream: with `[DONE]` OpenAI's API and those that follow it end one, with an
/// event `end` Tidewire and others do.
pub(crate) fn is_end(event: &Message) -> bool {
    event.name == "end" || event.data.trim() == DONE
}

/// An event as an item: a gap if it tells of one.
pub(crate) fn of_message(message: Message) -> Item {
    if message.name != GAP {
        return Item::Event(message);
    }
    match serde_json::from_str::<Gap>(&message.data) {
        Ok(mut gap) => {
            gap.last_event_id = message.last_event_id;
            Item::Gap(gap)
        }
        // Somebody else's event of that name.
        Err(_) => Item::Event(message),
    }
}
