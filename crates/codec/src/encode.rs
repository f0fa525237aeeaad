//! Events written as bytes.
//!
//! Nothing that is written here can break the stream: ids and names cannot hold a line end, and text
//! that may hold some (data, comments) is cut at CR, LF and CRLF into lines of its own. A reader
//! gets the data back with LF for each of them (WHATWG HTML § 9.2.6).
//!
//! Values follow the colon and one space, so that a leading space of theirs survives.

use memchr::{memchr2, memchr2_iter};

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

    /// Sets the id.
    #[must_use]
    pub fn with_id(mut self, id: EventId) -> Self {
        self.id = Some(id);
        self
    }

    /// Sets the name.
    #[must_use]
    pub fn with_name(mut self, name: EventName) -> Self {
        self.name = Some(name);
        self
    }

    /// Sets the reader's reconnection time, in milliseconds.
    #[must_use]
    pub fn with_retry(mut self, millis: u64) -> Self {
        self.retry = Some(millis);
        self
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

    /// See [`EventRef::encode`].
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.as_ref().encode(out);
    }

    /// See [`EventRef::encoded_len`].
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.as_ref().encoded_len()
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

impl<'a> EventRef<'a> {
    /// An event with data only.
    #[must_use]
    pub fn new(data: &'a str) -> Self {
        Self {
            data,
            ..Self::default()
        }
    }

    /// Sets the id.
    #[must_use]
    pub fn with_id(mut self, id: &'a EventId) -> Self {
        self.id = Some(id);
        self
    }

    /// Sets the name.
    #[must_use]
    pub fn with_name(mut self, name: &'a EventName) -> Self {
        self.name = Some(name);
        self
    }

    /// Sets the reader's reconnection time, in milliseconds.
    #[must_use]
    pub fn with_retry(mut self, millis: u64) -> Self {
        self.retry = Some(millis);
        self
    }

    /// Appends the event to `out`, blank line included. `out` grows once at most, and by
    /// [`encoded_len`](Self::encoded_len) exactly.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let first_end = memchr2(b'\r', b'\n', self.data.as_bytes());
        out.reserve(self.len_with(|| match first_end {
            None => lines_len("data", self.data.len(), LineEnds::default()),
            Some(_) => lines_len("data", self.data.len(), line_ends(self.data)),
        }));
        if let Some(id) = self.id {
            field(out, "id", id.as_str());
        }
        if let Some(name) = self.name {
            field(out, "event", name.as_str());
        }
        if let Some(retry) = self.retry {
            retry_line(out, retry);
        }
        match first_end {
            None => field(out, "data", self.data),
            Some(_) => lines(out, "data", self.data),
        }
        out.push(b'\n');
    }

    /// How many bytes [`encode`](Self::encode) appends.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.len_with(|| lines_len("data", self.data.len(), line_ends(self.data)))
    }

    fn len_with(&self, data_len: impl FnOnce() -> usize) -> usize {
        let id = self.id.map_or(0, |id| field_len("id", id.as_str().len()));
        let name = self
            .name
            .map_or(0, |name| field_len("event", name.as_str().len()));
        let retry = self.retry.map_or(0, |retry| field_len("retry", digits(retry)));
        id + name + retry + data_len() + 1
    }
}

/// The shortest comment line: keeps a connection alive, is ignored by every parser, needs no blank line.
pub const HEARTBEAT: &str = ":\n";

/// Appends a comment, one comment line for each line of `text`, without a blank line.
pub fn comment(out: &mut Vec<u8>, text: &str) {
    out.reserve(lines_len("", text.len(), line_ends(text)));
    lines(out, "", text);
}

/// Appends `retry: <millis>` as a line of its own, without a blank line.
pub fn retry_line(out: &mut Vec<u8>, millis: u64) {
    let mut text = [b'0'; 20]; // as many digits as u64::MAX has
    let start = text.len() - digits(millis);
    let mut rest = millis;
    for digit in text[start..].iter_mut().rev() {
        *digit += (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(b"retry: ");
    out.extend_from_slice(&text[start..]);
    out.push(b'\n');
}

/// Appends a block that only sets the reader's last event id: an `id` line and a blank line.
pub fn id_block(out: &mut Vec<u8>, id: &EventId) {
    field(out, "id", id.as_str());
    out.push(b'\n');
}

#[inline]
fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.push(b'\n');
}

fn field_len(name: &str, value: usize) -> usize {
    name.len() + ": ".len() + value + "\n".len()
}

/// Writes each line of `text` as a field of its own; the empty text is one empty line.
fn lines(out: &mut Vec<u8>, name: &str, text: &str) {
    let mut rest = text;
    while let Some(end) = memchr2(b'\r', b'\n', rest.as_bytes()) {
        field(out, name, &rest[..end]);
        let len = if rest[end..].starts_with("\r\n") { 2 } else { 1 };
        rest = &rest[end + len..];
    }
    field(out, name, rest);
}

/// The line ends of a text.
#[derive(Clone, Copy, Default)]
struct LineEnds {
    count: usize,
    /// The bytes they take: CRLF takes two.
    bytes: usize,
}

fn line_ends(text: &str) -> LineEnds {
    let bytes = text.as_bytes();
    let mut ends = LineEnds::default();
    for at in memchr2_iter(b'\r', b'\n', bytes) {
        let second_of_crlf = bytes[at] == b'\n' && at > 0 && bytes[at - 1] == b'\r';
        ends.count += usize::from(!second_of_crlf);
        ends.bytes += 1;
    }
    ends
}

/// The length of a text written by [`lines`].
fn lines_len(name: &str, text: usize, ends: LineEnds) -> usize {
    text - ends.bytes + field_len(name, 0) * (ends.count + 1)
}

fn digits(number: u64) -> usize {
    number.checked_ilog10().unwrap_or(0) as usize + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(event: EventRef<'_>) -> String {
        let mut out = Vec::new();
        event.encode(&mut out);
        assert_eq!(out.len(), event.encoded_len());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn w1_fields_stand_one_a_line_and_a_blank_line_ends() {
        let id = EventId::new("7").unwrap();
        let name = EventName::new("tick").unwrap();
        let event = EventRef::new("a").with_id(&id).with_name(&name);
        assert_eq!(
            written(event.with_retry(1000)),
            "id: 7\nevent: tick\nretry: 1000\ndata: a\n\n"
        );
    }

    #[test]
    fn w2_data_is_one_field_a_line() {
        for (data, expected) in [
            ("", "data: \n\n"),
            (" a", "data:  a\n\n"),
            ("a\nb\rc\r\nd", "data: a\ndata: b\ndata: c\ndata: d\n\n"),
            ("\n", "data: \ndata: \n\n"),
            ("a\r\n\r\n", "data: a\ndata: \ndata: \n\n"),
            ("\n\r", "data: \ndata: \ndata: \n\n"),
        ] {
            assert_eq!(written(EventRef::new(data)), expected, "{data:?}");
        }
    }

    #[test]
    fn w3_a_comment_stays_a_comment_on_every_line() {
        let mut out = Vec::new();
        comment(&mut out, "hi\r\ndata: no\n");
        comment(&mut out, "");
        assert_eq!(out, b": hi\n: data: no\n: \n: \n");
    }

    #[test]
    fn w4_retry_and_id_lines() {
        let mut out = Vec::new();
        for millis in [0, 9, 10, 1000, u64::MAX] {
            retry_line(&mut out, millis);
        }
        id_block(&mut out, &EventId::new("").unwrap());
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "retry: 0\nretry: 9\nretry: 10\nretry: 1000\nretry: 18446744073709551615\nid: \n\n"
        );
    }

    #[test]
    fn the_buffer_grows_once_to_the_exact_size() {
        let event = EventRef::new("a\nb\r\nc").with_retry(u64::MAX);
        let mut out = Vec::new();
        event.encode(&mut out);
        assert_eq!(out.capacity(), event.encoded_len());
    }
}
