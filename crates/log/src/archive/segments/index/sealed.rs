//! The index of a sealed segment, read page by page where it is needed.

use std::{
    io,
    ops::Range,
    sync::{Arc, OnceLock},
};

use tidewire_codec::EventId;

use super::{
    super::{
        disk::{Disk, DiskFile},
        format::{Damaged, Fields, LogId, version},
        paged::{PAGE, Paged, ROOM},
        segment::index_name,
    },
    Active, HEADER, ID, LINE, LINES, Line, MAGIC, MAX_DELTA, NONE, POSTING, Posting, SEGMENT_LEN_AT, Totals,
    damaged,
    fresh::Fresh,
    id_hash, partition, seed, topic_hash,
};
use crate::{Seq, Topic};

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
    /// It is no file yet.
    fresh: Option<Arc<Fresh>>,
}

impl Sealed {
    /// The index of a segment of this length that is sealed now. Takes the same time whatever it holds.
    pub(crate) fn fresh(active: Active, log: &LogId, base: Seq, segment_len: u64) -> Self {
        let (topics, postings, ids) = (active.len(), active.postings, active.id_count);
        let bytes = HEADER + LINE * u64::from(topics) + POSTING * postings + ID * ids + active.name_bytes;
        // An empty one ends before it begins.
        let totals = Totals {
            last: active.totals.last.max(base.before()),
            ..active.totals
        };
        let is_shared = active.is_shared().into();
        let fresh = Arc::new(Fresh::new(active, log, base, segment_len));
        let pages = Paged {
            name: index_name(base),
            file: Arc::clone(&fresh) as Arc<dyn DiskFile>,
            seed: seed(log, base),
            seen: None,
        };
        Self {
            pages,
            content: bytes.div_ceil(ROOM as u64) * ROOM as u64,
            totals,
            topics,
            postings,
            ids,
            is_shared,
            fresh: Some(fresh),
        }
    }

    /// Whether it is in memory only.
    pub(crate) fn is_fresh(&self) -> bool {
        self.fresh.is_some()
    }

    /// Writes it down, safely, and opens the file. None: it is one.
    pub(crate) fn save(
        &self,
        disk: &dyn Disk,
        log: &LogId,
        base: Seq,
        segment_len: u64,
    ) -> io::Result<Option<Self>> {
        let Some(fresh) = &self.fresh else {
            return Ok(None);
        };
        fresh.save(disk)?;
        Self::open(disk.open(&self.pages.name)?, log, base, segment_len).map(Some)
    }

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
            .and_then(|found| if is_ours { version(found).map(drop) } else { Ok(()) })
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
            fresh: None,
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
            fresh: None,
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
