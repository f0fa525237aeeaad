//! A stream's bytes read as items. Bytes and times in, items out: no clock, no task, no socket.

use std::sync::Arc;

use serde::Serialize;
use tidewire_codec::{Decoder, Item as Decoded, Limits, Unfinished};

use super::{
    hole::{UntilBlank, passed_over},
    item::{Fault, Item, Ring, Text, What},
    lines::Lines,
};

/// The most bytes of an event, or of a line, that the view reads.
pub(super) const MAX_EVENT: usize = 4 << 20;

/// What a body is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Form {
    /// `text/event-stream`.
    Events,
    /// NDJSON.
    Lines,
    /// No stream: what came instead of one.
    Other,
}

impl Form {
    /// Of a `Content-Type`.
    pub(super) fn of(content_type: &str) -> Self {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        match &*essence.to_ascii_lowercase() {
            "text/event-stream" => Self::Events,
            "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/stream+json" => Self::Lines,
            _ => Self::Other,
        }
    }
}

/// What has come so far.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Counts {
    pub(super) chunks: u64,
    pub(super) bytes: u64,
    /// Lines of NDJSON count as events.
    pub(super) events: u64,
    pub(super) comments: u64,
    pub(super) retries: u64,
    /// Bytes that the view missed.
    pub(super) missed: u64,
    /// Between two events, in milliseconds.
    pub(super) longest_gap: u64,
    /// The reconnection time that was told last.
    pub(super) retry: Option<u64>,
    /// When the last chunk came, in milliseconds since the head.
    pub(super) last_at: u64,
}

pub(super) struct Reading {
    reader: Reader,
    counts: Counts,
    items: u64,
    last_event: Option<u64>,
    last_comment: Option<u64>,
    /// The news, until they are taken.
    news: Ring,
    max_items: usize,
}

enum Reader {
    /// With what is passed over after a hole.
    Events(Box<Decoder>, Option<UntilBlank>),
    Lines(Lines),
    Nothing,
}

impl Reading {
    pub(super) fn new(form: Form, max_items: usize) -> Self {
        let limits = Limits {
            max_line: MAX_EVENT + 64,
            max_event: MAX_EVENT,
            ..Limits::default()
        };
        let decoder = || Decoder::new().with_limits(limits).with_comments().with_retry();
        Self {
            reader: match form {
                Form::Events => Reader::Events(Box::new(decoder()), None),
                Form::Lines => Reader::Lines(Lines::default()),
                Form::Other => Reader::Nothing,
            },
            counts: Counts::default(),
            items: 0,
            last_event: None,
            last_comment: None,
            news: Ring::new(max_items),
            max_items,
        }
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// What a reader would resume after.
    pub(super) fn last_event_id(&self) -> &str {
        match &self.reader {
            Reader::Events(decoder, _) => decoder.last_event_id(),
            _ => "",
        }
    }

    /// The items since they were taken last; of very many, the last.
    pub(super) fn take_news(&mut self) -> Ring {
        std::mem::replace(&mut self.news, Ring::new(self.max_items))
    }

    /// Reads a chunk: `wire` bytes, which mean these.
    pub(super) fn chunk(&mut self, at: u64, wire: usize, bytes: &[u8]) {
        self.counts.chunks += 1;
        self.counts.bytes += wire as u64;
        self.counts.last_at = at;
        let mut reader = std::mem::replace(&mut self.reader, Reader::Nothing);
        match &mut reader {
            Reader::Events(decoder, until_blank) => {
                let mut items = decoder.feed(passed_over(until_blank, bytes));
                while let Some(item) = items.next() {
                    self.decoded(at, item);
                }
            }
            Reader::Lines(lines) => lines.feed(bytes, |line| self.line(at, line)),
            Reader::Nothing => {}
        }
        self.reader = reader;
    }

    /// So many bytes were missed: what is read next begins at the next event.
    pub(super) fn hole(&mut self, at: u64, bytes: u64) {
        self.counts.missed += bytes;
        match &mut self.reader {
            Reader::Events(decoder, until_blank) => {
                decoder.finish(Unfinished::Drop);
                *until_blank = Some(UntilBlank::default());
            }
            Reader::Lines(lines) => lines.skip(),
            Reader::Nothing => {}
        }
        self.fault(at, Fault::Missed, bytes);
    }

    /// Nothing can be read any more.
    pub(super) fn packed(&mut self, at: u64) {
        if !matches!(self.reader, Reader::Nothing) {
            self.reader = Reader::Nothing;
            self.fault(at, Fault::Packed, 0);
        }
    }

    /// The body is over.
    pub(super) fn end(&mut self, at: u64) {
        let size = match &mut self.reader {
            Reader::Events(decoder, _) => match decoder.finish(Unfinished::Keep) {
                Some(Decoded::Event(event)) => Some(event.data.len() as u64),
                _ => None,
            },
            Reader::Lines(lines) => {
                // The last line end may be missing: it is a line all the same.
                let rest = lines.end();
                if !rest.is_empty() {
                    self.line(at, Some(&rest));
                }
                None
            }
            Reader::Nothing => None,
        };
        if let Some(size) = size {
            self.fault(at, Fault::Unfinished, size);
        }
    }

    fn decoded(&mut self, at: u64, item: Decoded<'_>) {
        match item {
            Decoded::Event(event) => {
                let what = What::Event {
                    name: event.name.into(),
                    id: event.id().map(Text::from),
                    data: event.data.into(),
                    size: event.data.len(),
                };
                self.event(at, what);
            }
            Decoded::Comment(text) => {
                self.counts.comments += 1;
                let gap = since(&mut self.last_comment, at);
                let (data, size) = (text.into(), text.len());
                self.push(at, gap, What::Comment { data, size });
            }
            Decoded::Retry(millis) => {
                self.counts.retries += 1;
                self.counts.retry = Some(millis);
                self.push(at, None, What::Retry { millis });
            }
            Decoded::Overlong(_) => self.fault(at, Fault::Overlong, MAX_EVENT as u64),
        }
    }

    /// A line of NDJSON; none if it was too long.
    fn line(&mut self, at: u64, line: Option<&[u8]>) {
        let Some(line) = line else {
            return self.fault(at, Fault::Overlong, MAX_EVENT as u64);
        };
        let text = String::from_utf8_lossy(line);
        if !text.trim().is_empty() {
            let (data, size) = ((&*text).into(), line.len());
            self.event(at, What::Line { data, size });
        }
    }

    fn event(&mut self, at: u64, what: What) {
        self.counts.events += 1;
        let gap = since(&mut self.last_event, at);
        self.counts.longest_gap = self.counts.longest_gap.max(gap.unwrap_or_default());
        self.push(at, gap, what);
    }

    fn fault(&mut self, at: u64, code: Fault, size: u64) {
        self.push(at, None, What::Fault { code, size });
    }

    fn push(&mut self, at: u64, gap: Option<u64>, what: What) {
        self.items += 1;
        let (n, chunk) = (self.items, self.counts.chunks);
        self.news.push(Arc::new(Item {
            n,
            at,
            chunk,
            gap,
            what,
        }));
    }
}

/// How long ago the last one was, which this one now is.
fn since(last: &mut Option<u64>, at: u64) -> Option<u64> {
    last.replace(at).map(|last| at.saturating_sub(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(reading: &mut Reading) -> Vec<String> {
        let items = reading.take_news().after(0, usize::MAX);
        let show = |item: &Arc<Item>| {
            let json = serde_json::to_value(&**item).unwrap();
            let text = |member: &str| match &json[member] {
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let what = match &item.what {
                What::Event { .. } => format!("{} {} {}", text("type"), text("id"), text("data")),
                What::Retry { .. } => text("millis"),
                What::Fault { .. } => text("code"),
                _ => text("data"),
            };
            format!(
                "{} #{} @{} +{}: {} {what}",
                item.n,
                item.chunk,
                item.at,
                text("gap"),
                text("kind")
            )
        };
        items.iter().map(show).collect()
    }

    fn feed(reading: &mut Reading, at: u64, bytes: &[u8]) {
        reading.chunk(at, bytes.len(), bytes);
    }

    #[test]
    fn a_stream_becomes_items_with_times_and_gaps() {
        let mut reading = Reading::new(Form::Events, 99);
        feed(
            &mut reading,
            5,
            b": hi\nretry: 3000\nid: 7\nevent: tick\ndata: on",
        );
        feed(&mut reading, 9, b"e\n\ndata: two\n\n");
        feed(&mut reading, 30, b":\ndata: three\n\n");
        assert_eq!(
            shown(&mut reading),
            [
                "1 #1 @5 +null: comment hi",
                "2 #1 @5 +null: retry 3000",
                "3 #2 @9 +null: event tick 7 one",
                "4 #2 @9 +0: event message null two",
                "5 #3 @30 +25: comment ",
                "6 #3 @30 +21: event message null three",
            ]
        );
        let counts = reading.counts();
        assert_eq!(
            (counts.events, counts.comments, counts.retries, counts.chunks),
            (3, 2, 1, 3)
        );
        assert_eq!(
            (counts.longest_gap, counts.retry, counts.last_at),
            (21, Some(3000), 30)
        );
        assert_eq!(reading.last_event_id(), "7");
        assert_eq!(shown(&mut reading), [""; 0], "they were taken");
    }

    #[test]
    fn what_follows_a_hole_begins_at_the_next_event() {
        let mut reading = Reading::new(Form::Events, 99);
        feed(&mut reading, 1, b"id: 1\ndata: a\n\ndata: hal");
        reading.hole(2, 500);
        feed(
            &mut reading,
            3,
            b"data: rest of something\r\nid: 8\r\ndata: and more\r\n\r",
        );
        feed(&mut reading, 3, b"\nid: 9\ndata: b\n\n");
        assert_eq!(
            shown(&mut reading),
            [
                "1 #1 @1 +null: event message 1 a",
                "2 #1 @2 +null: fault missed",
                "3 #3 @3 +2: event message 9 b",
            ]
        );
        assert_eq!(reading.counts().missed, 500);
    }

    #[test]
    fn an_event_without_its_blank_line_is_told_at_the_end() {
        let mut reading = Reading::new(Form::Events, 99);
        feed(&mut reading, 1, b"data: a\n\ndata: b\n");
        reading.end(4);
        assert_eq!(shown(&mut reading)[1], "2 #1 @4 +null: fault unfinished");
    }

    #[test]
    fn lines_are_items_too() {
        let mut reading = Reading::new(Form::Lines, 99);
        feed(&mut reading, 1, b"{\"a\":1}\n{\"b\"");
        feed(&mut reading, 4, b":2}\n\n{\"c\":3}");
        reading.hole(5, 10);
        feed(&mut reading, 6, b"}\n{\"d\":4}\nlast");
        reading.end(7);
        assert_eq!(
            shown(&mut reading),
            [
                "1 #1 @1 +null: line {\"a\":1}",
                "2 #2 @4 +3: line {\"b\":2}",
                "3 #2 @5 +null: fault missed",
                "4 #3 @6 +2: line {\"d\":4}",
                "5 #3 @7 +1: line last",
            ]
        );
    }

    #[test]
    fn what_is_too_long_is_told_and_not_kept() {
        for (form, end) in [(Form::Events, "\n\ndata: b\n\n"), (Form::Lines, "\nb\n")] {
            let mut reading = Reading::new(form, 99);
            feed(&mut reading, 1, b"data: ");
            for _ in 0..5 {
                feed(&mut reading, 1, &vec![b'x'; 1 << 20]);
            }
            feed(&mut reading, 2, end.as_bytes());
            let items = shown(&mut reading);
            assert_eq!(items.len(), 2, "{items:?}");
            assert!(
                items[0].ends_with("fault overlong") && items[1].ends_with('b'),
                "{items:?}"
            );
        }
    }

    #[test]
    fn a_type_is_known_by_its_essence() {
        for (text, form) in [
            ("text/event-stream", Form::Events),
            ("Text/Event-Stream ; charset=utf-8", Form::Events),
            ("application/x-ndjson", Form::Lines),
            ("application/stream+json", Form::Lines),
            ("text/event-streams", Form::Other),
            ("application/json", Form::Other),
            ("", Form::Other),
        ] {
            assert_eq!(Form::of(text), form, "{text}");
        }
    }

    #[test]
    fn very_many_items_of_one_chunk_take_no_more_room_than_few() {
        let mut reading = Reading::new(Form::Events, 10);
        feed(&mut reading, 1, &b":\n".repeat(1_000));
        let items = shown(&mut reading);
        assert_eq!(items.len(), 10);
        assert!(items[9].starts_with("1000 "), "{items:?}");
        assert_eq!(reading.counts().comments, 1_000);
    }
}
