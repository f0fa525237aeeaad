//! Where the records of a topic, and those with a publisher's id, stand in a segment.
//!
//! While a segment is written its index is in memory ([`Active`]). When it is sealed the index becomes a file of pages that is
//! read where it is needed ([`Sealed`]), so that memory does not grow with the log. The file can always be rebuilt from the
//! segment.
//!
//! ```text
//! header (96) | directory: a line of 40 bytes a topic, by hash | postings (8 each), by topic | ids (12 each), by hash | names
//! ```

use std::{
    collections::HashMap,
    io,
    ops::Range,
    sync::{Arc, OnceLock},
};

use smallvec::SmallVec;
use tidewire_codec::EventId;
use twox_hash::XxHash3_64;

use super::{
    disk::{Disk, DiskFile},
    format::{Damaged, Fields, LogId, VERSION, version},
    paged::{PAGE, Paged, ROOM, log_seed, replace, write},
    segment::index_name,
};
use crate::{
    Change, Millis, Namespace, Record, Seq, Topic,
    archive::shares::{Each, Part, namespace_of},
};

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

/// The index of the segment that is being written.
#[derive(Default)]
pub(crate) struct Active {
    pub(crate) totals: Totals,
    /// What it has of each namespace. The file does not hold it.
    pub(crate) parts: Each<Part>,
    topics: HashMap<Topic, Shelf>,
    /// The events of all topics together: more than there are if some stand in several.
    listed: u64,
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
        #[expect(clippy::cast_possible_truncation, reason = "a segment is rolled at MAX_DELTA")]
        let delta = (record.seq.0 - base.0) as u32;
        let is_event = record.event.is_some();
        let mark = if is_event { delta } else { delta | NO_EVENT };
        // Nobody reads a purge.
        let readable = (record.change != Some(Change::Purges)).then_some(&record.topics);
        for topic in readable.into_iter().flatten() {
            if !self.topics.contains_key(topic) {
                self.topics.insert(topic.clone(), Shelf::default());
            }
            if let Some(shelf) = self.topics.get_mut(topic) {
                shelf.postings.push(Posting { mark, offset });
                shelf.bytes += len;
                shelf.events += u32::from(is_event);
                self.listed += u64::from(is_event);
                shelf.last_event = if is_event { Some(delta) } else { shelf.last_event };
            }
            if let Some(id) = record.event.as_ref().and_then(|event| event.id.as_ref()) {
                self.ids.entry(id_hash(topic, id)).or_default().push(offset);
            }
        }
        self.parts.of_mut(namespace_of(&record.topics)).add(Part {
            bytes: len,
            events: is_event.into(),
        });
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
        let postings: usize = topics.iter().map(|(_, _, shelf)| shelf.postings.len()).sum();

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
            postings as u64,
            ids.len() as u64,
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

/// Counts within a segment fit: each takes more than a byte of it.
pub(crate) fn len32(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(NONE)
}

/// The index of a sealed segment.
pub(crate) struct Sealed {
    pages: Paged,
    /// The bytes in its pages.
    content: u64,
    pub(crate) totals: Totals,
    topics: u32,
    postings: u64,
    ids: u64,
    /// Whether events stand in several topics, once that was asked for.
    is_shared: OnceLock<bool>,
}

impl Sealed {
    /// Opens the index of a segment of this length.
    ///
    /// # Errors
    /// `InvalidData` if it is damaged, or another's: build it anew.
    pub(crate) fn open(
        file: Arc<dyn DiskFile>,
        log: &LogId,
        base: Seq,
        segment_len: u64,
    ) -> io::Result<Self> {
        let pages = Paged {
            name: index_name(base),
            file,
            seed: seed(log, base),
            seen: None,
        };
        let head: [u8; HEADER as usize] = pages.array(0)?;
        let named = |why: Damaged| io::Error::new(why.kind(), format!("{}: {why}", pages.name));
        let damaged = |_| named(Damaged("the header is damaged"));
        let mut fields = Fields(&head);
        let is_ours = fields.array().map_err(damaged)? == MAGIC;
        fields
            .u32()
            .and_then(|found| if is_ours { version(found) } else { Ok(()) })
            .map_err(named)?;
        let mut rest = || -> Result<_, Damaged> {
            let topics = fields.u32()?;
            let is_ours =
                fields.array::<16>()? == *log && fields.u64()? == base.0 && fields.u64()? == segment_len;
            let totals = Totals {
                last: Seq(fields.u64()?),
                last_time: fields.u64()?,
                records: fields.u64()?,
                events: fields.u64()?,
            };
            Ok((is_ours, topics, totals, fields.u64()?, fields.u64()?))
        };
        let (is_of_segment, topics, totals, postings, ids) = rest().map_err(damaged)?;
        let content = pages.file.len()? / PAGE as u64 * ROOM as u64;
        let sizes = [(LINE, u64::from(topics)), (POSTING, postings), (ID, ids)];
        let needed = sizes.iter().try_fold(HEADER, |sum, (size, count)| {
            sum.checked_add(size.checked_mul(*count)?)
        });
        // A record takes a byte at least. So what all indexes say together is bounded by the files.
        let are_too_many = totals.events > totals.records || totals.records > segment_len;
        if needed.is_none_or(|needed| needed > content)
            || totals.last.0.saturating_sub(base.0) > MAX_DELTA
            || are_too_many
        {
            return Err(self::damaged(Damaged("the header says what cannot be")));
        }
        if !is_ours || !is_of_segment {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "it belongs to something else",
            ));
        }
        Ok(Self {
            pages,
            content,
            totals,
            topics,
            postings,
            ids,
            is_shared: OnceLock::new(),
        })
    }

    /// The same of a segment whose length nothing else tells.
    pub(crate) fn of_any_length(file: Arc<dyn DiskFile>, log: &LogId, base: Seq) -> io::Result<Self> {
        let pages = Paged {
            name: index_name(base),
            file: Arc::clone(&file),
            seed: seed(log, base),
            seen: None,
        };
        let len = pages.array(SEGMENT_LEN_AT)?;
        Self::open(file, log, base, u64::from_le_bytes(len))
    }

    /// The length of the segment that it was made for.
    pub(crate) fn segment_len(&self) -> io::Result<u64> {
        self.pages.array(SEGMENT_LEN_AT).map(u64::from_le_bytes)
    }

    /// Whether events stand in several topics. Reads all lines, once, where the header does not tell.
    pub(crate) fn is_shared(&self) -> io::Result<bool> {
        if self.postings <= self.totals.events {
            return Ok(false);
        }
        if let Some(known) = self.is_shared.get() {
            return Ok(*known);
        }
        let mut listed = 0;
        for first in (0..self.topics).step_by(LINES) {
            let lines = self.some_lines(first)?;
            listed += lines.iter().map(|line| u64::from(line.events)).sum::<u64>();
        }
        Ok(*self.is_shared.get_or_init(|| listed > self.totals.events))
    }

    /// Reads all of it.
    ///
    /// # Errors
    /// `InvalidData` if a page is damaged.
    pub(crate) fn check(&self) -> io::Result<()> {
        let mut page = [0; ROOM];
        (0..self.content / ROOM as u64)
            .try_for_each(|number| self.pages.read(number * ROOM as u64, &mut page))
    }

    /// The same index for one read of many topics, which look at the same pages.
    pub(crate) fn for_one_read(&self) -> Self {
        Self {
            pages: self.pages.for_one_read(),
            is_shared: self.is_shared.clone(),
            ..*self
        }
    }

    fn postings_at(&self) -> u64 {
        HEADER + LINE * u64::from(self.topics)
    }

    fn ids_at(&self) -> u64 {
        self.postings_at() + POSTING * self.postings
    }

    fn names_at(&self) -> u64 {
        self.ids_at() + ID * self.ids
    }

    fn line(&self, number: u32) -> io::Result<Line> {
        let bytes: [u8; LINE as usize] = self.pages.array(HEADER + LINE * u64::from(number))?;
        self.checked(&bytes)
    }

    /// A line whose postings and name are there.
    fn checked(&self, bytes: &[u8]) -> io::Result<Line> {
        let line = Line::read(bytes).map_err(damaged)?;
        let has_postings = u64::from(line.start) + u64::from(line.count) <= self.postings;
        match has_postings && self.names_at() + line.name_end() as u64 <= self.content {
            true => Ok(line),
            false => Err(damaged(Damaged("a topic has what is not there"))),
        }
    }

    fn name(&self, line: &Line) -> io::Result<Topic> {
        let mut name = vec![0; usize::from(line.name_len)];
        self.pages
            .read(self.names_at() + u64::from(line.name_at), &mut name)?;
        line.topic(&name)
    }

    /// What it has of a topic.
    pub(crate) fn topic(&self, topic: &Topic) -> io::Result<Option<Line>> {
        let hash = topic_hash(topic);
        let first = partition(0, self.topics, |number| Ok(self.line(number)?.hash < hash))?;
        for number in first..self.topics {
            let line = self.line(number)?;
            if line.hash != hash {
                break;
            }
            if self.name(&line)? == *topic {
                return Ok(Some(line));
            }
        }
        Ok(None)
    }

    /// How many topics it has.
    pub(crate) fn len(&self) -> u32 {
        self.topics
    }

    /// Every topic it has, in the order of the file.
    pub(crate) fn topics(&self) -> impl Iterator<Item = io::Result<(Topic, Line)>> {
        let chunks = (0..self.topics).step_by(LINES);
        chunks.flat_map(|first| match self.some_topics(first) {
            Ok(some) => some.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        })
    }

    /// Lines from one on, read at once.
    fn some_lines(&self, first: u32) -> io::Result<Vec<Line>> {
        let count = LINES.min((self.topics - first) as usize);
        let mut bytes = vec![0; count * LINE as usize];
        self.pages.read(HEADER + LINE * u64::from(first), &mut bytes)?;
        let lines = bytes.chunks_exact(LINE as usize);
        lines.map(|line| self.checked(line)).collect()
    }

    /// Those from a line on, read at once.
    fn some_topics(&self, first: u32) -> io::Result<Vec<(Topic, Line)>> {
        let lines = self.some_lines(first)?;
        let begin = lines.first().map_or(0, |line| line.name_at as usize);
        let end = lines.last().map_or(begin, Line::name_end);
        let mut names = vec![0; end.saturating_sub(begin)];
        self.pages.read(self.names_at() + begin as u64, &mut names)?;
        let named = lines.into_iter().map(|line| {
            let from = (line.name_at as usize).checked_sub(begin);
            let name = from.and_then(|from| names.get(from..from + usize::from(line.name_len)));
            let topic = line.topic(name.ok_or_else(|| damaged(Damaged("a topic has no name")))?)?;
            Ok((topic, line))
        });
        named.collect()
    }

    /// How many of a topic's postings lie at or before a delta.
    pub(crate) fn rank(&self, line: &Line, delta: u32) -> io::Result<u32> {
        partition(0, line.count, |number| {
            let [posting] = self.read_postings(line, number, 1)?[..] else {
                return Err(damaged(Damaged("a posting is missing")));
            };
            Ok(posting.delta() <= delta)
        })
    }

    /// Some of a topic's postings, from the one with this number on.
    pub(crate) fn read_postings(&self, line: &Line, from: u32, count: u32) -> io::Result<Vec<Posting>> {
        let count = count.min(line.count.saturating_sub(from));
        let mut bytes = vec![0; (u64::from(count) * POSTING) as usize];
        let first = u64::from(line.start) + u64::from(from);
        self.pages
            .read(self.postings_at() + first * POSTING, &mut bytes)?;
        let postings = bytes.chunks_exact(POSTING as usize).map(Posting::read);
        postings.collect::<Result<_, _>>().map_err(damaged)
    }

    /// The numbers of the places where records may stand that have this id in this topic, in their order: whoever looks
    /// there finds out. A publisher may have given it to all of them.
    pub(crate) fn ids(&self, topic: &Topic, id: &EventId) -> io::Result<Range<u32>> {
        let hash = id_hash(topic, id);
        let all = u32::try_from(self.ids).unwrap_or(NONE);
        let from = partition(0, all, |number| Ok(self.id(number)?.0 < hash))?;
        let to = partition(from, all, |number| Ok(self.id(number)?.0 <= hash))?;
        Ok(from..to)
    }

    /// A line of the ids: hash and place.
    fn id(&self, number: u32) -> io::Result<(u64, u32)> {
        let bytes: [u8; ID as usize] = self.pages.array(self.ids_at() + ID * u64::from(number))?;
        let mut fields = Fields(&bytes);
        Ok((fields.u64().map_err(damaged)?, fields.u32().map_err(damaged)?))
    }

    /// The place that has this number among [`Sealed::ids`].
    pub(crate) fn place(&self, number: u32) -> io::Result<u32> {
        Ok(self.id(number)?.1)
    }
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
