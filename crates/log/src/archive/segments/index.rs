//! Where the records of a topic, and those with a publisher's id, stand in a segment.
//!
//! While a segment is written its index is in memory ([`Active`]). When it is sealed the index becomes a file of pages that is
//! read where it is needed ([`Sealed`]), so that memory does not grow with the log; until the file is written it answers from memory
//! ([`Fresh`](fresh::Fresh)). The file can always be rebuilt from the segment.
//!
//! ```text
//! header (96) | directory: a line of 40 bytes a topic, by hash | postings (8 each), by topic | ids (12 each), by hash | names
//! ```

mod active;
mod fresh;
mod sealed;

use std::io;

use tidewire_codec::EventId;
use twox_hash::XxHash3_64;

pub(crate) use self::{active::Active, sealed::Sealed};
use super::{
    format::{Damaged, Fields, LogId},
    paged::log_seed,
};
use crate::{Millis, Namespace, Seq, Topic};

const MAGIC: [u8; 8] = *b"TIDEWIDX";
const HEADER: u64 = 96;
/// Where in the header the segment's length stands: behind magic, version, topics, log and base.
const SEGMENT_LEN_AT: u64 = 40;
const LINE: u64 = 40;
const POSTING: u64 = 8;
const ID: u64 = 12;

/// A record's place: how far its number is from the segment's first, and its offset in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Posting {
    /// The highest bit says that there is no event.
    mark: u32,
    pub(crate) offset: u32,
}

/// Set in records that hold no event: ends.
const NO_EVENT: u32 = 1 << 31;

/// The furthest that a record may be from its segment's first number.
pub(crate) const MAX_DELTA: u64 = (NO_EVENT - 1) as u64;

impl Posting {
    pub(crate) fn delta(self) -> u32 {
        self.mark & !NO_EVENT
    }

    pub(crate) fn is_event(self) -> bool {
        self.mark & NO_EVENT == 0
    }

    fn read(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut fields = Fields(bytes);
        Ok(Self {
            mark: fields.u32()?,
            offset: fields.u32()?,
        })
    }
}

/// What an index says of a topic as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    hash: u64,
    /// The number of its first posting in the file.
    start: u32,
    pub(crate) count: u32,
    pub(crate) events: u32,
    /// Of its last event.
    pub(crate) last_event: Option<u32>,
    pub(crate) bytes: u64,
    name_at: u32,
    name_len: u16,
    namespace: u8,
}

const NONE: u32 = u32::MAX;

/// How many lines are read at once where all are.
const LINES: usize = 1024;

impl Line {
    fn read(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut fields = Fields(bytes);
        Ok(Self {
            hash: fields.u64()?,
            start: fields.u32()?,
            count: fields.u32()?,
            events: fields.u32()?,
            last_event: Some(fields.u32()?).filter(|last| *last != NONE),
            bytes: fields.u64()?,
            name_at: fields.u32()?,
            name_len: u16::from_le_bytes(fields.array()?),
            namespace: fields.array::<1>()?[0],
        })
    }

    fn name_end(&self) -> usize {
        self.name_at as usize + usize::from(self.name_len)
    }

    fn topic(&self, name: &[u8]) -> io::Result<Topic> {
        let topic = Namespace::of_code(self.namespace)
            .zip(str::from_utf8(name).ok())
            .and_then(|(namespace, name)| Topic::new(namespace, name).ok());
        topic.ok_or_else(|| damaged(Damaged("a topic's name cannot be")))
    }
}

/// What a segment holds as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Totals {
    /// The number of the last record.
    pub(crate) last: Seq,
    pub(crate) last_time: Millis,
    pub(crate) records: u64,
    pub(crate) events: u64,
}

/// Counts within a segment fit: each takes more than a byte of it.
pub(crate) fn len32(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(NONE)
}

fn damaged(why: Damaged) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// The first number for which `before` does not hold.
pub(crate) fn partition(from: u32, to: u32, before: impl Fn(u32) -> io::Result<bool>) -> io::Result<u32> {
    let (mut low, mut high) = (from, to);
    while low < high {
        let middle = low.midpoint(high);
        match before(middle)? {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    Ok(low)
}

/// The seed of its pages.
pub(crate) fn seed(log: &LogId, base: Seq) -> u32 {
    crc32c::crc32c_append(log_seed(log), &base.0.to_le_bytes())
}

fn topic_hash(topic: &Topic) -> u64 {
    XxHash3_64::oneshot_with_seed(u64::from(topic.namespace().code()), topic.name().as_bytes())
}

fn id_hash(topic: &Topic, id: &EventId) -> u64 {
    XxHash3_64::oneshot_with_seed(topic_hash(topic), id.as_str().as_bytes())
}
