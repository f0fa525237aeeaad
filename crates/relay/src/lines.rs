//! Answers that are streams of lines (NDJSON), as Ollama sends them: each line is an event of the log, without a name.
//!
//! Readers get them as lines again, byte for byte. Nothing of ours stands between them, for an empty line is an error for
//! clients: neither a heartbeat, nor an id, nor a wait. The last line may have no end.

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};

use tidewire_codec::protocol::is_ndjson;
use tidewire_doors::intake::media_type;

/// Whether a head is that of a stream of lines. A body with a length is a file that is there already.
pub(super) fn are_lines(status: StatusCode, headers: &HeaderMap) -> bool {
    let has_type = is_ndjson(&media_type(headers));
    let is_whole = status.is_success() && status != StatusCode::PARTIAL_CONTENT;
    has_type && is_whole && !headers.contains_key(header::CONTENT_LENGTH)
}

/// The lines of a body, whose pieces end anywhere.
pub(super) struct Lines {
    /// The line that has begun.
    begun: Vec<u8>,
    max: usize,
}

/// A line has more bytes than it may.
pub(super) struct Overlong;

impl Lines {
    pub(super) fn new(max: usize) -> Self {
        let begun = Vec::new();
        Self { begun, max }
    }

    /// The lines that a piece completes, without their ends.
    pub(super) fn feed(&mut self, mut piece: &[u8]) -> Result<Vec<String>, Overlong> {
        let mut lines = Vec::new();
        while let Some(at) = memchr::memchr(b'\n', piece) {
            self.take(&piece[..at])?;
            lines.push(text(std::mem::take(&mut self.begun)));
            piece = &piece[at + 1..];
        }
        self.take(piece)?;
        Ok(lines)
    }

    /// The last line, if it has no end.
    pub(super) fn finish(self) -> Option<String> {
        (!self.begun.is_empty()).then(|| text(self.begun))
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Overlong> {
        if self.begun.len() + bytes.len() > self.max {
            return Err(Overlong);
        }
        self.begun.extend_from_slice(bytes);
        Ok(())
    }
}

fn text(line: Vec<u8>) -> String {
    String::from_utf8(line).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Encoded events as the lines that they were; those with a name are errors of ours in no shape that a line has. `unended` is
/// the number of the line that has no end.
pub(super) fn from_events(events: &[u8], unended: Option<u64>) -> Bytes {
    let mut out = Vec::with_capacity(events.len());
    let mut begun = out.len();
    let (mut number, mut parts, mut has_name) = (None, 0, false);
    for field in events.split(|&byte| byte == b'\n') {
        if let Some(data) = field.strip_prefix(b"data: ") {
            // A line holds no other line end.
            out.extend_from_slice(if parts > 0 { b"\r" } else { b"" });
            out.extend_from_slice(data);
            parts += 1;
        } else if let Some(id) = field.strip_prefix(b"id: ") {
            number = number_of(id);
        } else if field.starts_with(b"event: ") {
            has_name = true;
        } else if field.is_empty() {
            if has_name {
                out.truncate(begun);
            } else if parts > 0 && (number.is_none() || number != unended) {
                out.push(b'\n');
            }
            begun = out.len();
            (number, parts, has_name) = (None, 0, false);
        }
    }
    out.into()
}

fn number_of(id: &[u8]) -> Option<u64> {
    let (_, number) = std::str::from_utf8(id).ok()?.rsplit_once('.')?;
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use tidewire_codec::{Event, EventId};

    use super::*;

    #[test]
    fn lines_are_the_same_bytes_again_wherever_their_pieces_end() {
        for body in [
            "{\"a\":1}\n{\"b\":\"ü€𝄞\"}\n",
            "{\"a\":1}\r\n\n\r\n{\"b\":\r2}\r\r\n",
            "data: x\nid: 7\n: c\n\n",
            "{\"a\":1}\n{\"b\":2}",
            "",
            "\n",
        ] {
            for size in 1..=body.len().max(1) {
                let mut lines = Lines::new(100);
                let mut all = Vec::new();
                for piece in body.as_bytes().chunks(size) {
                    all.extend(lines.feed(piece).ok().unwrap());
                }
                let last = lines.finish();
                let unended = last.as_ref().map(|_| all.len() as u64 + 1);
                all.extend(last);
                let mut events = Vec::new();
                for (line, number) in all.into_iter().zip(1..) {
                    let id = EventId::new(format!("stream.{number}")).unwrap();
                    Event::new(line).with_id(id).encode(&mut events);
                }
                assert_eq!(from_events(&events, unended), body.as_bytes(), "{body:?} {size}");
            }
        }
    }

    #[test]
    fn a_line_has_a_bound_and_an_event_with_a_name_is_no_line() {
        assert!(Lines::new(3).feed(b"abc\nabc\n").is_ok());
        assert!(Lines::new(3).feed(b"abcd").is_err());
        let mut lines = Lines::new(3);
        assert!(lines.feed(b"ab").is_ok() && lines.feed(b"cd\n").is_err());
        assert_eq!(from_events(b"id: s.1\nevent: error\ndata: {}\n\n", None), "");
    }
}
