//! The chunks of an observation, read once: unpacked, cut into lines, decoded into events, each with its time.

use std::time::Duration;

use tidewire_codec::{Decoder, Item};
use tidewire_unpack::Packing;

use super::lines::Lines;
use super::observation::Observation;
use crate::unpack::Unpack;

/// What came, in its order.
pub(super) struct Reading {
    /// The `Content-Encoding`, where there is one.
    pub(super) packing: Option<String>,
    /// It is packed in a way that nobody asked for, or the bytes are not what they are said to be.
    pub(super) is_unreadable: bool,
    pub(super) arrivals: Vec<Arrival>,
    pub(super) events: Vec<Event>,
    pub(super) comments: Vec<Comment>,
    pub(super) lines: Lines,
    /// The beginning of the body, unpacked.
    pub(super) begin: Vec<u8>,
}

/// One chunk.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Arrival {
    pub(super) at: Duration,
    /// As it came.
    pub(super) packed: usize,
    /// What could be read once it had come.
    pub(super) bytes: usize,
    pub(super) events: usize,
    /// Its end is within a line.
    pub(super) splits_line: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) at: Duration,
    pub(super) name: String,
    pub(super) data: String,
    /// Its own.
    pub(super) id: Option<String>,
}

impl Event {
    /// An id of its own that a reader can come back with.
    pub(super) fn own_id(&self) -> Option<&str> {
        self.id.as_deref().filter(|id| !id.is_empty())
    }
}

#[derive(Debug)]
pub(super) struct Comment {
    pub(super) at: Duration,
    pub(super) text: String,
}

/// How many events are kept, and how many comments: each takes more memory than its bytes. Later ones are not looked at.
const MOST: usize = 100_000;

/// How much of the beginning is kept for those who look at a body that is no stream.
const BEGIN: usize = 4 << 10;

impl Reading {
    pub(super) fn of(observation: &Observation) -> Self {
        let head = observation.head.as_ref();
        let packing = head.and_then(|head| head.text("content-encoding"));
        let packing = packing
            .map(|packing| packing.to_ascii_lowercase())
            .filter(|packing| !matches!(Packing::named(packing), Ok(Packing::None)));
        let mut reading = Self {
            is_unreadable: false,
            arrivals: Vec::new(),
            events: Vec::new(),
            comments: Vec::new(),
            lines: Lines::default(),
            begin: Vec::new(),
            packing,
        };
        let mut unpack = Unpack::new(reading.packing.as_deref());
        let mut decoder = Decoder::new().with_comments();
        for chunk in &observation.chunks {
            let bytes = unpack.feed(&chunk.bytes);
            reading.take(&mut decoder, chunk.at, chunk.bytes.len(), &bytes);
        }
        reading.is_unreadable = unpack.has_failed();
        reading
    }

    fn take(&mut self, decoder: &mut Decoder, at: Duration, packed: usize, bytes: &[u8]) {
        let before = self.events.len();
        let mut items = decoder.feed(bytes);
        while let Some(item) = items.next() {
            match item {
                Item::Event(event) if self.events.len() < MOST => self.events.push(Event {
                    at,
                    name: event.name.to_owned(),
                    data: event.data.to_owned(),
                    id: event.id().map(str::to_owned),
                }),
                Item::Comment(text) if self.comments.len() < MOST => self.comments.push(Comment {
                    at,
                    text: text.to_owned(),
                }),
                _ => {}
            }
        }
        self.lines.feed(bytes, at);
        let room = BEGIN.saturating_sub(self.begin.len()).min(bytes.len());
        self.begin.extend_from_slice(&bytes[..room]);
        self.arrivals.push(Arrival {
            at,
            packed,
            bytes: bytes.len(),
            events: self.events.len() - before,
            splits_line: self.lines.is_within_line(),
        });
    }

    /// What could be read in all.
    pub(super) fn bytes(&self) -> usize {
        self.arrivals.iter().map(|arrival| arrival.bytes).sum()
    }

    /// What came over the wire in all.
    pub(super) fn packed(&self) -> usize {
        self.arrivals.iter().map(|arrival| arrival.packed).sum()
    }

    /// Every silence from the head on: when it began, how long it was. The last one goes until the end.
    pub(super) fn silences(&self, observation: &Observation) -> Vec<(Duration, Duration)> {
        let head = observation.head.as_ref().map(|head| head.at);
        let begins = head
            .into_iter()
            .chain(self.arrivals.iter().map(|arrival| arrival.at));
        let ends = self.arrivals.iter().map(|arrival| arrival.at);
        begins
            .zip(ends.chain([observation.lasted()]))
            .map(|(begin, end)| (begin, end.saturating_sub(begin)))
            .collect()
    }

    pub(super) fn longest_silence(&self, observation: &Observation) -> Duration {
        let silences = self.silences(observation);
        silences
            .into_iter()
            .map(|(_, long)| long)
            .max()
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{
        super::observation::{Chunk, End},
        *,
    };

    #[test]
    fn of_many_small_events_and_comments_so_many_are_kept() {
        let bytes = Bytes::from(b"data:\n\n:\n".repeat(2 * MOST));
        let reading = Reading::of(&Observation {
            method: reqwest::Method::GET,
            url: "https://example.com/x".parse().unwrap(),
            origin: None,
            redirects: Vec::new(),
            head: None,
            chunks: vec![Chunk {
                at: Duration::ZERO,
                bytes,
            }],
            end: End::Open(Duration::ZERO),
        });
        assert_eq!((reading.events.len(), reading.comments.len()), (MOST, MOST));
        assert_eq!(reading.arrivals[0].events, MOST);
    }
}
