//! What a decoder hands out.

use std::borrow::Cow;

use crate::Overlong;

/// The type of an event without an `event` field.
pub(super) const MESSAGE: &str = "message";

/// One thing read from a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item<'a> {
    /// A complete event.
    Event(EventView<'a>),
    /// A comment, without its colon and one leading space; only after
    /// [`with_comments`](crate::Decoder::with_comments).
    Comment(&'a str),
    /// A new reconnection time in milliseconds; only after
    /// [`with_retry`](crate::Decoder::with_retry).
    Retry(u64),
    /// An event was over a limit and is skipped.
    Overlong(Overlong),
}

/// An event, borrowed from the chunk it came in or from the decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventView<'a> {
    /// The event's type; `message` where the stream gave none.
    pub name: &'a str,
    /// Whether the event itself has a type, which may be `message` too.
    pub has_name: bool,
    /// The data, its lines joined by LF.
    pub data: &'a str,
    /// The stream's last event id as of this event: its own, or else an earlier one, or empty.
    pub last_event_id: &'a str,
    /// Whether the event itself set `last_event_id`.
    pub has_id: bool,
}

impl<'a> EventView<'a> {
    /// The event's own id, if it has one; the empty id resets the last event id.
    #[must_use]
    pub fn id(&self) -> Option<&'a str> {
        self.has_id.then_some(self.last_event_id)
    }

    /// The event with texts of its own.
    #[must_use]
    pub fn to_message(&self) -> Message {
        let name = if self.name == MESSAGE {
            Cow::Borrowed(MESSAGE)
        } else {
            Cow::Owned(self.name.to_owned())
        };
        Message {
            name,
            data: self.data.to_owned(),
            last_event_id: self.last_event_id.to_owned(),
            has_id: self.has_id,
        }
    }
}

/// An event that owns its texts; see [`EventView`] for the fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// See [`EventView::name`].
    pub name: Cow<'static, str>,
    /// See [`EventView::data`].
    pub data: String,
    /// See [`EventView::last_event_id`].
    pub last_event_id: String,
    /// See [`EventView::has_id`].
    pub has_id: bool,
}

impl Message {
    /// See [`EventView::id`].
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.has_id.then_some(self.last_event_id.as_str())
    }
}
