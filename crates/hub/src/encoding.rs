//! How events look on the way out. Each event is encoded once per encoding, however many read it.

use serde::Serialize;
use smallvec::SmallVec;
use tidewire_codec::{Event, EventId, EventName, EventRef, encode};
use tidewire_log::ids::Epochs;

use crate::{Gap, MAX_RETRY, Position, Record, Topic, TopicSet};

/// The form in which a subscription gets its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// `text/event-stream`.
    EventStream,
    /// The same with a field line `topic:` for each topic that the reader has the event from.
    /// `EventSource` ignores the field; readers of many topics route by it.
    EventStreamWithTopics,
    /// `application/x-ndjson`: a JSON object a line, with `id`, `event`, `topic` and `data`, the data as a
    /// text as it was published; `topics` beside `topic` if there are several; `retry` if given.
    Ndjson,
}

impl Encoding {
    /// How many there are: a frame holds one slot for each.
    pub(crate) const COUNT: usize = 3;

    /// Whether an event's bytes name its topics, so that they depend on who reads.
    fn shows_topics(self) -> bool {
        !matches!(self, Self::EventStream)
    }

    /// Appends an event. `at` is its id where the publisher gave none.
    fn event(self, event: &Event, at: Position, topics: &[&str], out: &mut Vec<u8>) {
        let generated;
        let mut event = event.as_ref();
        if event.id.is_none() {
            generated = EventId::from(at);
            event.id = Some(&generated);
        }
        // A log of before the bound may hold more.
        event.retry = event.retry.map(|millis| millis.min(MAX_RETRY));
        match self {
            Self::EventStream => event.encode(out),
            Self::EventStreamWithTopics => {
                // A topic holds no control character, so its line cannot be broken out of.
                for topic in topics {
                    out.extend([b"topic: ", topic.as_bytes(), b"\n"].concat());
                }
                event.encode(out);
            }
            Self::Ndjson => Line::of(event, topics).write(out),
        }
    }

    /// Appends the bytes that a reader of these topics gets: none for a record without an event.
    pub(crate) fn record(self, record: &Record, epochs: &Epochs, readable: &TopicSet, out: &mut Vec<u8>) {
        let Some(event) = record.event() else { return };
        let mut names = SmallVec::<[&str; 1]>::new();
        if self.shows_topics() {
            let readable = record.topics().iter().filter(|topic| readable.contains(topic));
            names.extend(readable.map(Topic::name));
        }
        self.event(event, epochs.position(record.seq), &names, out);
    }

    /// Whether all its readers get the same bytes of a record.
    pub(crate) fn is_same_for_all(self, record: &Record) -> bool {
        record.topics().len() == 1 || !self.shows_topics()
    }

    /// The notice that events are missing, with the id to go on from.
    pub(crate) fn gap(self, gap: &Gap) -> Vec<u8> {
        let mut out = Vec::new();
        let id = EventId::from(gap.resumed_after);
        let name = Gap::event_name();
        let data = gap.to_json();
        let event = EventRef::new(&data).with_id(&id).with_name(&name);
        match self {
            Self::EventStream | Self::EventStreamWithTopics => event.encode(&mut out),
            Self::Ndjson => Line::of(event, &[]).write(&mut out),
        }
        out
    }

    /// A block that only sets a reader's position, so that a connection lost before its first event
    /// can resume.
    #[must_use]
    pub fn prime(self, at: Position) -> Vec<u8> {
        let mut out = Vec::new();
        let id = EventId::from(at);
        match self {
            Self::EventStream | Self::EventStreamWithTopics => encode::id_block(&mut out, &id),
            Self::Ndjson => Line {
                id: Some(id.as_str()),
                ..Line::default()
            }
            .write(&mut out),
        }
        out
    }
}

/// An NDJSON line.
#[derive(Serialize, Default)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topics: Option<&'a [&'a str]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a str>,
}

impl<'a> Line<'a> {
    fn of(event: EventRef<'a>, topics: &'a [&'a str]) -> Self {
        Self {
            id: event.id.map(EventId::as_str),
            event: Some(event.name.map_or("message", EventName::as_str)),
            topic: topics.first().copied(),
            topics: (topics.len() > 1).then_some(topics),
            retry: event.retry,
            data: Some(event.data),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        #[expect(clippy::expect_used, reason = "texts and a number, into memory")]
        serde_json::to_writer(&mut *out, self).expect("a line is JSON");
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_are_told_an_hour_at_most_whatever_an_old_log_holds() {
        let event = Event::new("x").with_retry(u64::MAX);
        for (encoding, hour) in [
            (Encoding::EventStream, "retry: 3600000\n"),
            (Encoding::EventStreamWithTopics, "retry: 3600000\n"),
            (Encoding::Ndjson, "\"retry\":3600000,"),
        ] {
            let mut out = Vec::new();
            encoding.event(&event, "~k3m9x2ab-1".parse().unwrap(), &["a"], &mut out);
            let text = String::from_utf8(out).unwrap();
            assert!(text.contains(hour), "{text}");
        }
    }
}
