//! Events written as bytes.

use crate::{EventId, EventName};

/// An event to send. Build it with [`Event::new`] and the `with_` methods.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Event {
    /// The `id` field; `None` leaves the reader's last event id as it is.
    pub id: Option<EventId>,
    /// The `event` field; `None` is read as `message`.
    pub name: Option<EventName>,
    /// The `retry` field in milliseconds.
    pub retry: Option<u64>,
    /// The data: any text. Line ends become LF on the way (WHATWG HTML § 9.2.6).
    pub data: String,
}

impl Event {
    /// An event with data only.
    pub fn new(data: impl Into<String>) -> Self {
        Self {
            data: data.into(),
            ..Self::default()
        }
    }

    /// The borrowed form, which knows how to write itself.
    #[must_use]
    pub fn as_ref(&self) -> EventRef<'_> {
        EventRef {
            id: self.id.as_ref(),
            name: self.name.as_ref(),
            retry: self.retry,
            data: &self.data,
        }
    }
}

/// A borrowed event to send: [`EventRef::encode`] writes it, [`EventRef::encoded_len`] says how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventRef<'a> {
    /// See [`Event::id`].
    pub id: Option<&'a EventId>,
    /// See [`Event::name`].
    pub name: Option<&'a EventName>,
    /// See [`Event::retry`].
    pub retry: Option<u64>,
    /// See [`Event::data`].
    pub data: &'a str,
}

impl EventRef<'_> {
    /// Appends the event to `out`, blank line included.
    pub fn encode(&self, out: &mut Vec<u8>) {
        if let Some(id) = self.id {
            field(out, "id", id.as_str());
        }
        if let Some(name) = self.name {
            field(out, "event", name.as_str());
        }
        if let Some(retry) = self.retry {
            retry_line(out, retry);
        }
        for line in self.data.replace("\r\n", "\n").split(['\r', '\n']) {
            field(out, "data", line);
        }
        out.push(b'\n');
    }
}

/// The shortest comment line: keeps a connection alive, is ignored by every parser, needs no blank line.
pub const HEARTBEAT: &str = ":\n";

/// Appends `retry: <millis>` as a line of its own, without a blank line.
pub fn retry_line(out: &mut Vec<u8>, millis: u64) {
    field(out, "retry", &millis.to_string());
}

/// Appends a block that only sets the reader's last event id: an `id` line and a blank line.
pub fn id_block(out: &mut Vec<u8>, id: &EventId) {
    field(out, "id", id.as_str());
    out.push(b'\n');
}

fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.push(b'\n');
}
