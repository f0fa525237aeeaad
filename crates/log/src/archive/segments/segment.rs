//! A segment file: its names, and its records, read one by one or in passing.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use super::{
    damage::is_damage,
    disk::{Disk, DiskFile},
    format::{
        BATCH_HEADER, BatchHeader, Damaged, RECORD_HEADER, SEGMENT_HEADER, SegmentHeader, decode_record,
        record_len,
    },
    index::{Posting, Sealed},
};
use crate::{
    Millis, Record, Seq, TopicSet,
    archive::shares::{Each, Part},
};

/// The folder of the segments and their indexes.
pub(crate) const FOLDER: &str = "log";

/// Room on the disk is taken in steps of at most so many bytes: what is free on it may be less than a segment.
const STEP: u64 = 4 << 20;

/// The room that is taken at once in segments of this length.
pub(crate) fn step(segment_bytes: u64) -> u64 {
    (segment_bytes / 16).clamp(1, STEP)
}

/// Takes room in a segment whose records end at `len`. Up to where there is room then: a disk that has too little gives none.
pub(crate) fn take_room(file: &dyn DiskFile, len: u64, upto: u64) -> u64 {
    match file.allocate(upto) {
        Ok(()) => upto,
        Err(_) => {
            // Some file systems have taken what there was, which others need.
            drop(file.set_len(len));
            len
        }
    }
}

pub(crate) fn segment_name(base: Seq) -> String {
    format!("{FOLDER}/{:020}.seg", base.0)
}

pub(crate) fn index_name(base: Seq) -> String {
    format!("{FOLDER}/{:020}.idx", base.0)
}

/// The first numbers of the segments that there are, in order.
pub(crate) fn bases(disk: &dyn Disk) -> io::Result<Vec<Seq>> {
    numbered(disk, FOLDER, ".seg")
}

/// The numbers that files of a kind are named by, in order.
pub(crate) fn numbered(disk: &dyn Disk, folder: &str, suffix: &str) -> io::Result<Vec<Seq>> {
    let number = |name: &String| {
        let number = name.strip_suffix(suffix).filter(|number| number.len() == 20)?;
        number.parse().ok().map(Seq)
    };
    let mut numbers: Vec<Seq> = disk.list(folder)?.iter().filter_map(number).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// A segment that is no longer written.
pub(crate) struct SealedSegment {
    pub(crate) body: Body,
    pub(crate) index: Sealed,
    /// What it has of each namespace, if that is known: see [`Log::parts`](super::writer::Log::parts).
    pub(crate) parts: OnceLock<Each<Part>>,
}

impl SealedSegment {
    pub(crate) fn new(body: Body, index: Sealed) -> Self {
        let parts = OnceLock::new();
        Self { body, index, parts }
    }
}

/// A segment's file, up to where records stand.
#[derive(Clone)]
pub(crate) struct Body {
    pub(crate) header: SegmentHeader,
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) len: u64,
}

impl Body {
    /// Opens the file of a segment and checks whose it is.
    pub(crate) fn open(disk: &dyn Disk, base: Seq) -> io::Result<Self> {
        let file = disk.open(&segment_name(base))?;
        let mut head = [0; SEGMENT_HEADER as usize];
        let read = file.read_at(&mut head, 0)?;
        let header = SegmentHeader::decode(&head[..read]).map_err(|why| self::damaged(base, 0, why))?;
        if header.base != base {
            return Err(damaged(base, 0, Damaged("the segment has another's name")));
        }
        let len = file.len()?;
        Ok(Self { header, file, len })
    }

    /// Whether only its index is there. A segment that is there has a header at least.
    pub(crate) fn is_missing(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn damaged(&self, at: u64, why: Damaged) -> io::Error {
        damaged(self.header.base, at, why)
    }

    /// How far a number is from the first. None: it lies before the segment.
    pub(crate) fn delta(&self, seq: Seq) -> Option<u32> {
        let delta = seq.0.checked_sub(self.header.base.0)?;
        Some(u32::try_from(delta).unwrap_or(u32::MAX))
    }

    pub(crate) fn seq(&self, posting: Posting) -> Seq {
        Seq(self.header.base.0 + u64::from(posting.delta()))
    }

    /// Reads records in order of their offsets, until `each` says that it is enough.
    pub(crate) fn read(
        &self,
        postings: &[Posting],
        known: Option<&TopicSet>,
        mut each: impl FnMut(Record) -> bool,
    ) -> io::Result<bool> {
        let mut window = Window::default();
        // Records of a topic are much alike: what is read beyond one that stands alone is read for nothing.
        let mut alone = SPARSE;
        for (number, posting) in postings.iter().enumerate() {
            let offset = u64::from(posting.offset);
            // Where records stand close together, many are read at once; where they do not, a page each.
            let further = postings[number..]
                .iter()
                .take(256)
                .map(|posting| u64::from(posting.offset));
            let ahead = further
                .take_while(|further| *further < offset + WINDOW as u64)
                .last();
            let ahead = ahead.map_or(0, |last| last.saturating_sub(offset) as usize);
            let bytes = window.record(self, offset, (ahead + alone).min(WINDOW))?;
            alone = (bytes.len() + bytes.len() / 4).clamp(MIN_SPARSE, SPARSE);
            let record =
                decode_record(bytes, &self.header, known).map_err(|why| self.damaged(offset, why))?;
            let is_asked_for =
                known.is_none_or(|known| record.topics().iter().any(|topic| known.contains(topic)));
            if record.seq != self.seq(*posting) || !is_asked_for {
                return Err(self.damaged(offset, Damaged("another record stands where the index has one")));
            }
            if !each(record) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads the time and the length of records, until `each` says that it is enough. A damaged one is as old as can be, and takes nothing.
    pub(crate) fn measure(
        &self,
        postings: &[Posting],
        mut each: impl FnMut(Posting, Millis, u64) -> bool,
    ) -> io::Result<bool> {
        let mut window = Window::default();
        for posting in postings {
            let offset = u64::from(posting.offset);
            let measured = match window.record(self, offset, SPARSE) {
                Ok(bytes) => decode_record(bytes, &self.header, None)
                    .ok()
                    .filter(|record| record.seq == self.seq(*posting))
                    .map_or((0, 0), |record| (record.time, bytes.len() as u64)),
                Err(error) if is_damage(&error) => (0, 0),
                Err(error) => return Err(error),
            };
            let (time, len) = measured;
            if !each(*posting, time, len) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The time of its first record; what cannot be read is as old as can be.
    pub(crate) fn first_time(&self) -> Millis {
        let first = SEGMENT_HEADER as u32 + BATCH_HEADER as u32;
        self.record_at(first, None).map_or(0, |record| record.time)
    }

    /// The record at an offset.
    pub(crate) fn record_at(&self, offset: u32, known: Option<&TopicSet>) -> io::Result<Record> {
        let mut window = Window::default();
        let at = u64::from(offset);
        let bytes = window.record(self, at, SPARSE)?;
        decode_record(bytes, &self.header, known).map_err(|why| self.damaged(at, why))
    }

    /// Goes through all batches from the start, in order. Ends with the place where no good batch stands any more and
    /// why; an error is one of reading only.
    pub(crate) fn walk(&self, mut each: impl FnMut(&Record, u64, u64)) -> io::Result<Walked> {
        self.batches(|_, records| {
            records
                .iter()
                .for_each(|(record, at, len)| each(record, *at, *len));
            true
        })
    }

    /// The same, batch by batch, each record with its offset and its length, until `each` says that it is enough.
    pub(crate) fn batches(
        &self,
        mut each: impl FnMut(&BatchHeader, &[(Record, u64, u64)]) -> bool,
    ) -> io::Result<Walked> {
        let mut window = Window::default();
        let mut walked = Walked {
            end: SEGMENT_HEADER,
            synced_through: Seq::ZERO,
            stopped_by: None,
        };
        let mut records = Vec::new();
        let mut last = self.header.base.0.checked_sub(1).map(Seq);
        while walked.end < self.len {
            match self.batch(&mut window, walked.end, last, &mut records) {
                Ok((next, header)) => {
                    last = records
                        .iter()
                        .filter_map(|(record, ..)| record.number())
                        .max()
                        .max(last);
                    walked.end = next;
                    walked.synced_through = header.synced_through;
                    if !each(&header, &records) {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    walked.stopped_by = Some(error);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(walked)
    }

    /// Reads a batch whole, whose numbers come after `last`; where the next one begins.
    pub(crate) fn batch(
        &self,
        window: &mut Window,
        at: u64,
        mut last: Option<Seq>,
        records: &mut Vec<(Record, u64, u64)>,
    ) -> io::Result<(u64, BatchHeader)> {
        let head = window.bytes(self, at, BATCH_HEADER, WINDOW)?;
        let header = BatchHeader::decode(head, &self.header, at).map_err(|why| self.damaged(at, why))?;
        let mut place = at + BATCH_HEADER as u64;
        let end = place + u64::from(header.len);
        if end > self.len {
            return Err(self.damaged(at, Damaged("a batch is cut off")));
        }
        records.clear();
        while place < end {
            let bytes = window.record(self, place, WINDOW)?;
            let len = bytes.len() as u64;
            let record = decode_record(bytes, &self.header, None).map_err(|why| self.damaged(place, why))?;
            if Some(record.seq) <= last {
                return Err(self.damaged(
                    place,
                    Damaged("a record's number does not come after the one before"),
                ));
            }
            last = last.max(record.number());
            records.push((record, place, len));
            place += len;
        }
        let first = records.first().map(|(record, ..)| record.seq);
        if place != end || records.len() != header.count as usize || first != Some(header.first) {
            return Err(self.damaged(at, Damaged("a batch does not hold what its header says")));
        }
        Ok((end, header))
    }

    /// Whether a good batch stands anywhere after a place that knows that everything up to `seq` was safe. What a server has
    /// written behind its length since it was opened does not count: nothing else of it is read either.
    pub(crate) fn is_covered(&self, from: u64, seq: Seq) -> io::Result<bool> {
        let mut at = from;
        let room = self.len.saturating_sub(from).clamp(4 << 10, 1 << 20);
        let mut chunk = vec![0; usize::try_from(room).unwrap_or(1 << 20)];
        let zeros = vec![0; chunk.len()];
        while at < self.len {
            let left = usize::try_from(self.len - at).unwrap_or(usize::MAX);
            let read = self.file.read_at(&mut chunk, at)?.min(left);
            let is_empty = chunk[..read] == zeros[..read];
            let bytes = if is_empty { &[][..] } else { &chunk[..read] };
            let mut looked = 0;
            while let Some(found) = BatchHeader::search(&bytes[looked..]) {
                let place = looked + found;
                let mut head = [0; BATCH_HEADER];
                let len = self.file.read_at(&mut head, at + place as u64)?;
                if let Ok(header) = BatchHeader::decode(&head[..len], &self.header, at + place as u64)
                    && header.synced_through >= seq
                    && header.first > seq
                {
                    return Ok(true);
                }
                looked = place + 1;
            }
            // A header may lie across two chunks.
            at += match read < chunk.len() {
                true => read.max(1),
                false => read - BATCH_HEADER,
            } as u64;
            if read == 0 {
                break;
            }
        }
        Ok(false)
    }
}

/// What was found in passing through a segment.
pub(crate) struct Walked {
    /// Where good batches end.
    pub(crate) end: u64,
    /// What the last of them says was safe.
    pub(crate) synced_through: Seq,
    /// Why no good batch stands there; none at the end of the file.
    pub(crate) stopped_by: Option<io::Error>,
}

fn damaged(base: Seq, at: u64, why: Damaged) -> io::Error {
    let text = format!("{} at byte {at}: {why}", segment_name(base));
    io::Error::new(why.kind(), text)
}

/// Read at once where records stand close together.
pub(crate) const WINDOW: usize = 64 << 10;

/// Read at most, and at least, for a record that stands alone; what is longer is read again.
const SPARSE: usize = 2 << 10;
const MIN_SPARSE: usize = 128;

/// A part of a segment that has been read.
#[derive(Default)]
pub(crate) struct Window {
    bytes: Vec<u8>,
    at: u64,
}

impl Window {
    /// The bytes of the record at a place; at least `ahead` bytes are read if any must be.
    pub(crate) fn record(&mut self, body: &Body, at: u64, ahead: usize) -> io::Result<&[u8]> {
        let head = self.bytes(body, at, RECORD_HEADER, ahead)?;
        let len = record_len(head).map_err(|why| body.damaged(at, why))?;
        self.bytes(body, at, len, ahead)
    }

    pub(crate) fn bytes(&mut self, body: &Body, at: u64, len: usize, ahead: usize) -> io::Result<&[u8]> {
        let have = |window: &Self| {
            let start = usize::try_from(at.checked_sub(window.at)?).ok()?;
            (start + len <= window.bytes.len()).then_some(start)
        };
        let start = match have(self) {
            Some(start) => start,
            None => {
                if body.is_missing() {
                    return Err(body.damaged(at, Damaged("the segment is missing")));
                }
                if at + len as u64 > body.len {
                    return Err(body.damaged(at, Damaged("a record is cut off")));
                }
                self.bytes.resize(len.max(ahead), 0);
                let read = body.file.read_at(&mut self.bytes, at)?;
                self.bytes.truncate(read);
                self.at = at;
                have(self).ok_or_else(|| body.damaged(at, Damaged("a record is cut off")))?
            }
        };
        Ok(&self.bytes[start..start + len])
    }
}
