//! What there is, in figures. Damage does not stop it: what can be read is told.

use std::{collections::HashMap, io};

use super::{FORMAT, LookError, hex, meta};
use crate::{
    Epoch, Millis, Seq, Topic,
    archive::segments::{
        disk::Disk,
        format::{BATCH_HEADER, LogId, SEGMENT_HEADER},
        index::{Active, Sealed},
        recover::UNSYNCED,
        segment::{Body, bases, index_name, segment_name},
        snapshot,
        topics::Topics,
    },
};

/// See [`info`].
#[derive(Debug)]
pub struct Info {
    /// The newest of its segments' formats; [`FORMAT`] if there is none.
    pub format: u32,
    /// Its id, as hexadecimal digits.
    pub log: String,
    /// Its epochs, oldest first, each with its first number.
    pub epochs: Vec<(Epoch, Seq)>,
    /// Everything acknowledged is on disk. If not, what was acknowledged last may be missing.
    pub is_whole: bool,
    /// A sync has failed: the next start writes what may not be safe once more.
    pub is_unsynced: bool,
    /// The last record, whether it is kept or not.
    pub last: Seq,
    /// In order.
    pub segments: Vec<SegmentInfo>,
    /// Of which something stands in the segments; those with the most bytes first.
    pub topics: Vec<TopicInfo>,
    /// How many topics the log knows; none if the file `topics` cannot be read.
    pub known_topics: Option<usize>,
    /// Newest first.
    pub snapshots: Vec<SnapshotInfo>,
}

/// A segment's file.
#[derive(Debug, Default)]
pub struct SegmentInfo {
    /// Its name in the log's folder.
    pub name: String,
    /// Of its records; none if its header cannot be read.
    pub format: Option<u32>,
    /// Up to where records stand.
    pub bytes: u64,
    /// How many there are.
    pub records: u64,
    /// How many of them are events.
    pub events: u64,
    /// Number and time of the first record.
    pub first: Option<(Seq, Millis)>,
    /// Number and time of the last record.
    pub last: Option<(Seq, Millis)>,
    /// How its index is.
    pub index: IndexState,
    /// Why it cannot be read, or not to its end.
    pub damage: Option<String>,
}

/// How a segment's index is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum IndexState {
    /// The segment is being written: its index is made when it is sealed.
    #[default]
    Open,
    /// It is there.
    There,
    /// It is not there: the next start makes it anew.
    Missing,
    /// It is damaged: the next start makes it anew.
    Damaged,
}

/// What stands in the segments of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// Which.
    pub topic: Topic,
    /// The bytes of its records, also of those that are purged and not removed yet. A record of several topics counts for each.
    pub bytes: u64,
    /// Its events.
    pub events: u64,
}

/// What the hub remembered after a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// Its name in the log's folder.
    pub name: String,
    /// The record.
    pub seq: Seq,
    /// The file's bytes.
    pub bytes: u64,
}

impl Info {
    /// The first record that is there: number and time.
    #[must_use]
    pub fn first(&self) -> Option<(Seq, Millis)> {
        self.segments.iter().find_map(|segment| segment.first)
    }

    /// The last record that is there: number and time.
    #[must_use]
    pub fn newest(&self) -> Option<(Seq, Millis)> {
        self.segments.iter().rev().find_map(|segment| segment.last)
    }
}

/// What there is on this disk. Only the segment that is written is read whole, and those without an index.
///
/// # Errors
/// [`LookError`], if it is not known which log it is, or a folder cannot be read.
pub fn info(disk: &dyn Disk) -> Result<Info, LookError> {
    let meta = meta(disk)?;
    let written = Topics::load(disk, &meta.log).ok();
    let mut shares = HashMap::new();
    let mut segments = Vec::new();
    let bases = bases(disk)?;
    for (number, base) in bases.iter().enumerate() {
        let is_last = number + 1 == bases.len();
        segments.extend(segment(disk, &meta.log, *base, is_last, &mut shares)?);
    }
    let mut topics: Vec<_> = shares
        .into_iter()
        .map(|(topic, (bytes, events))| TopicInfo { topic, bytes, events })
        .collect();
    topics.sort_unstable_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.topic.cmp(&b.topic)));
    let last = segments.iter().rev().find_map(|segment| segment.last);
    let last = last.map_or(Seq::ZERO, |(seq, _)| seq);
    Ok(Info {
        format: segments
            .iter()
            .filter_map(|segment| segment.format)
            .max()
            .unwrap_or(FORMAT),
        log: hex(&meta.log),
        epochs: meta.epochs,
        is_whole: meta.is_whole,
        is_unsynced: disk.list("")?.iter().any(|name| name == UNSYNCED),
        last: last.max(written.as_ref().map_or(Seq::ZERO, |topics| topics.last)),
        segments,
        topics,
        known_topics: written.map(|topics| topics.all().count()),
        snapshots: snapshots(disk)?,
    })
}

/// Bytes and events of topics.
type Shares = HashMap<Topic, (u64, u64)>;

/// None if it was let go meanwhile.
fn segment(
    disk: &dyn Disk,
    log: &LogId,
    base: Seq,
    is_last: bool,
    shares: &mut Shares,
) -> io::Result<Option<SegmentInfo>> {
    let mut info = SegmentInfo {
        name: segment_name(base),
        index: match is_last {
            true => IndexState::Open,
            false => IndexState::Missing,
        },
        ..SegmentInfo::default()
    };
    let body = match Body::open(disk, base) {
        Ok(body) => body,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            info.damage = Some(error.to_string());
            return Ok(Some(info));
        }
    };
    info.format = Some(body.header.version);
    if !is_last {
        let index = disk
            .open(&index_name(base))
            .and_then(|file| Sealed::open(file, log, base, body.len));
        match index.and_then(|index| from_index(&mut info, &body, &index, shares)) {
            Ok(()) => return Ok(Some(info)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => info.index = IndexState::Damaged,
        }
    }
    from_records(&mut info, &body, is_last, shares)?;
    Ok(Some(info))
}

fn from_index(info: &mut SegmentInfo, body: &Body, index: &Sealed, shares: &mut Shares) -> io::Result<()> {
    // All or nothing: what is read of a damaged one must not count.
    let topics = index.topics().collect::<io::Result<Vec<_>>>()?;
    for (topic, line) in topics {
        add(shares, &topic, line.bytes, u64::from(line.events));
    }
    let totals = index.totals;
    info.bytes = body.len;
    (info.records, info.events) = (totals.records, totals.events);
    info.index = IndexState::There;
    if totals.records > 0 {
        info.last = Some((totals.last, totals.last_time));
        match body.record_at(SEGMENT_HEADER as u32 + BATCH_HEADER as u32, None) {
            Ok(first) => info.first = Some((first.seq, first.time)),
            Err(error) => info.damage = Some(error.to_string()),
        }
    }
    Ok(())
}

fn from_records(info: &mut SegmentInfo, body: &Body, is_last: bool, shares: &mut Shares) -> io::Result<()> {
    let mut index = Active::default();
    let walked = body.walk(|record, at, len| {
        info.first = info.first.or(Some((record.seq, record.time)));
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        index.add(record, body.header.base, at, len);
    })?;
    info.bytes = walked.end;
    (info.records, info.events) = (index.totals.records, index.totals.events);
    info.last = info.first.map(|_| (index.totals.last, index.totals.last_time));
    // Behind the last batch of the one that is written stands room, or what was being written.
    info.damage = walked.stopped_by.filter(|_| !is_last).map(|why| why.to_string());
    for (topic, bytes, events) in index.topics() {
        add(shares, topic, bytes, u64::from(events));
    }
    Ok(())
}

fn add(shares: &mut Shares, topic: &Topic, bytes: u64, events: u64) {
    if !shares.contains_key(topic) {
        shares.insert(topic.clone(), (0, 0));
    }
    if let Some(share) = shares.get_mut(topic) {
        share.0 += bytes;
        share.1 += events;
    }
}

fn snapshots(disk: &dyn Disk) -> io::Result<Vec<SnapshotInfo>> {
    let all = match snapshot::all(disk) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        all => all?,
    };
    let info = |place: snapshot::Place| {
        let (seq, name) = (place.seq(), place.name());
        let bytes = disk.open(&name).and_then(|file| file.len()).ok()?;
        Some(SnapshotInfo { name, seq, bytes })
    };
    Ok(all.into_iter().filter_map(info).collect())
}
