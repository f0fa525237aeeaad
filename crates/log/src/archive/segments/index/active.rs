//! The index of the segment that is being written, in memory, and how it becomes a file.

use std::{collections::HashMap, io};

use smallvec::SmallVec;
use tidewire_codec::EventId;

use super::{
    super::{
        disk::Disk,
        format::{LogId, VERSION},
        paged::{replace, write},
    },
    MAGIC, NO_EVENT, NONE, Posting, Totals, id_hash, len32, seed, topic_hash,
};
use crate::{
    Record, Seq, Topic,
    archive::shares::{Each, Part},
};

/// The index of the segment that is being written.
#[derive(Default)]
pub(crate) struct Active {
    pub(crate) totals: Totals,
    /// What it has of each namespace. The file does not hold it.
    pub(crate) parts: Each<Part>,
    topics: HashMap<Topic, Shelf>,
    /// The events of all topics together: more than there are if some stand in several.
    listed: u64,
    /// What the file will have: places of records by topic, ids, and bytes of names.
    pub(super) postings: u64,
    pub(super) id_count: u64,
    pub(super) name_bytes: u64,
    ids: HashMap<u64, SmallVec<[u32; 1]>>,
}

#[derive(Default)]
struct Shelf {
    postings: Vec<Posting>,
    bytes: u64,
    events: u32,
    last_event: Option<u32>,
}

impl Active {
    /// Adds a record that stands at `offset` and takes `len` bytes there.
    pub(crate) fn add(&mut self, record: &Record, base: Seq, offset: u32, len: u64) {
        if record.entry.is_note() {
            return;
        }
        #[expect(clippy::cast_possible_truncation, reason = "a segment is rolled at MAX_DELTA")]
        let delta = (record.seq.0 - base.0) as u32;
        let is_event = record.event().is_some();
        let mark = if is_event { delta } else { delta | NO_EVENT };
        let readable = record.entry.is_kept().then_some(record.topics());
        for topic in readable.into_iter().flatten() {
            if !self.topics.contains_key(topic) {
                self.topics.insert(topic.clone(), Shelf::default());
                self.name_bytes += topic.name().len() as u64;
            }
            if let Some(shelf) = self.topics.get_mut(topic) {
                shelf.postings.push(Posting { mark, offset });
                self.postings += 1;
                shelf.bytes += len;
                shelf.events += u32::from(is_event);
                self.listed += u64::from(is_event);
                shelf.last_event = if is_event { Some(delta) } else { shelf.last_event };
            }
            if let Some(id) = record.event().and_then(|event| event.id.as_ref()) {
                self.ids.entry(id_hash(topic, id)).or_default().push(offset);
                self.id_count += 1;
            }
        }
        // What is of no topic is of no namespace.
        if let Some(first) = record.topics().first() {
            self.parts.of_mut(first.namespace()).add(Part {
                bytes: len,
                events: is_event.into(),
            });
        }
        self.totals.last = record.seq;
        self.totals.last_time = record.time;
        self.totals.records += 1;
        self.totals.events += u64::from(is_event);
    }

    pub(crate) fn postings(&self, topic: &Topic) -> &[Posting] {
        self.topics.get(topic).map_or(&[], |shelf| &shelf.postings)
    }

    /// How many of them are events.
    pub(crate) fn events(&self, topic: &Topic) -> u32 {
        self.topics.get(topic).map_or(0, |shelf| shelf.events)
    }

    /// Whether events stand in several topics.
    pub(crate) fn is_shared(&self) -> bool {
        self.listed > self.totals.events
    }

    /// The bytes of a topic's records.
    pub(crate) fn bytes(&self, topic: &Topic) -> u64 {
        self.topics.get(topic).map_or(0, |shelf| shelf.bytes)
    }

    pub(crate) fn ids(&self, topic: &Topic, id: &EventId) -> SmallVec<[u32; 1]> {
        self.ids.get(&id_hash(topic, id)).cloned().unwrap_or_default()
    }

    /// How many topics it has.
    pub(super) fn len(&self) -> u32 {
        len32(self.topics.len())
    }

    /// Every topic that it has: its bytes and events.
    pub(crate) fn topics(&self) -> impl Iterator<Item = (&Topic, u64, u32)> {
        self.topics
            .iter()
            .map(|(topic, shelf)| (topic, shelf.bytes, shelf.events))
    }

    /// The file's content.
    pub(crate) fn encode(&self, log: &LogId, base: Seq, segment_len: u64) -> Vec<u8> {
        let mut topics: Vec<_> = self
            .topics
            .iter()
            .map(|(topic, shelf)| (topic_hash(topic), topic, shelf))
            .collect();
        topics.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
        let mut ids: Vec<(u64, u32)> = self
            .ids
            .iter()
            .flat_map(|(hash, at)| at.iter().map(|at| (*hash, *at)))
            .collect();
        ids.sort_unstable();

        let mut out = Vec::new();
        out.extend(MAGIC);
        out.extend(VERSION.to_le_bytes());
        out.extend(len32(topics.len()).to_le_bytes());
        out.extend(log);
        for number in [
            base.0,
            segment_len,
            // An empty one ends before it begins.
            self.totals.last.max(base.before()).0,
            self.totals.last_time,
            self.totals.records,
            self.totals.events,
            self.postings,
            self.id_count,
        ] {
            out.extend(number.to_le_bytes());
        }
        let (mut start, mut name_at) = (0_u32, 0_u32);
        for (hash, topic, shelf) in &topics {
            out.extend(hash.to_le_bytes());
            let (count, name_len) = (len32(shelf.postings.len()), topic.name().len());
            for number in [start, count, shelf.events, shelf.last_event.unwrap_or(NONE)] {
                out.extend(number.to_le_bytes());
            }
            out.extend(shelf.bytes.to_le_bytes());
            out.extend(name_at.to_le_bytes());
            #[expect(clippy::cast_possible_truncation, reason = "Topic::MAX_LEN")]
            out.extend((name_len as u16).to_le_bytes());
            out.extend([topic.namespace().code(), 0]);
            start += count;
            name_at += len32(name_len);
        }
        for posting in topics.iter().flat_map(|(_, _, shelf)| &shelf.postings) {
            out.extend(posting.mark.to_le_bytes());
            out.extend(posting.offset.to_le_bytes());
        }
        for (hash, at) in ids {
            out.extend(hash.to_le_bytes());
            out.extend(at.to_le_bytes());
        }
        topics
            .iter()
            .for_each(|(_, topic, _)| out.extend(topic.name().as_bytes()));
        out
    }

    /// Writes it down, safely, as the file `name`.
    pub(crate) fn seal(
        &self,
        disk: &dyn Disk,
        name: &str,
        log: &LogId,
        base: Seq,
        segment_len: u64,
    ) -> io::Result<()> {
        replace(disk, name, &self.encode(log, base, segment_len), seed(log, base))
    }

    /// The same, but what has the name goes on standing for the segment: whoever renames the file makes it count.
    pub(crate) fn prepare(
        &self,
        disk: &dyn Disk,
        name: &str,
        log: &LogId,
        base: Seq,
        segment_len: u64,
    ) -> io::Result<()> {
        write(disk, name, &self.encode(log, base, segment_len), seed(log, base))
    }
}
