//! The bytes of a segment file: header, batches, records. Pure: bytes in, bytes out.
//!
//! ```text
//! segment   header (64) | batch | batch | … | zeros, where room was taken in advance
//! batch     header (40) | record | record | …
//! record    len u32 | crc32c u32 | delta u32 | kind u8 | … (see `encode_record`)
//! ```
//!
//! Everything is little-endian. A batch's checksum is seeded with the log's id, the segment's first number and its offset, so that no
//! bytes of another log, another segment or another place pass for a batch here. Every record verifies alone. `docs/format.md`
//! has it all in words.
//!
//! Bytes from a disk never panic: what does not fit is [`Damaged`].

use super::index::MAX_DELTA;
pub(crate) use crate::bytes::{Damaged, Fields, MAX_RECORD};
use crate::{
    Entry, Record, Seq, TopicSet,
    bytes::{decode_entry, encode_entry, is_published},
};

/// The version of all files of a log that are written. Version 1 is read: it has no records but those of publishers
/// ([`is_published`]).
pub(crate) const VERSION: u32 = 2;

/// The length of a segment's header.
pub(crate) const SEGMENT_HEADER: u64 = 64;

/// The length of a batch's header.
pub(crate) const BATCH_HEADER: usize = 40;

/// The length of a record before its body: its length and its checksum.
pub(crate) const RECORD_HEADER: usize = 8;

/// The highest number that a segment begins with, or that is said to be the last: others can be added to it.
pub(crate) const MAX_SEQ: Seq = Seq(1 << 62);

const SEGMENT_MAGIC: [u8; 8] = *b"TIDEWSEG";
const BATCH_MAGIC: [u8; 4] = *b"TWBA";

/// What tells one log from all others.
pub(crate) type LogId = [u8; 16];

/// Checks the version that a file says it has.
pub(crate) fn version(version: u32) -> Result<u32, Damaged> {
    match version {
        1..=VERSION => Ok(version),
        0 => Err(Damaged("it has the format of a version that there never was")),
        _ => Err(Damaged::NEWER),
    }
}

/// A segment's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// What its records may be. Files beside it may be of another version.
    pub(crate) version: u32,
    pub(crate) log: LogId,
    /// No record of the segment comes before this number.
    pub(crate) base: Seq,
    /// Records have been taken out.
    pub(crate) has_holes: bool,
}

/// Bits of a segment's header.
const HOLES: u32 = 1;

impl SegmentHeader {
    /// Of a new segment.
    pub(crate) fn new(log: LogId, base: Seq, has_holes: bool) -> Self {
        let version = VERSION;
        Self {
            version,
            log,
            base,
            has_holes,
        }
    }

    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER as usize] {
        let mut out = [0; SEGMENT_HEADER as usize];
        out[..8].copy_from_slice(&SEGMENT_MAGIC);
        out[8..12].copy_from_slice(&self.version.to_le_bytes());
        out[12..16].copy_from_slice(&if self.has_holes { HOLES } else { 0 }.to_le_bytes());
        out[16..32].copy_from_slice(&self.log);
        out[32..40].copy_from_slice(&self.base.0.to_le_bytes());
        let crc = crc32c::crc32c(&out[..60]);
        out[60..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut fields = Fields(bytes);
        if fields.take(8)? != SEGMENT_MAGIC {
            return Err(Damaged("it is no segment of a log"));
        }
        if bytes.len() < 64 || crc32c::crc32c(&bytes[..60]).to_le_bytes() != bytes[60..64] {
            return Err(Damaged("the segment's header is damaged"));
        }
        let version = version(fields.u32()?)?;
        let flags = fields.u32()?;
        if flags & !HOLES != 0 {
            return Err(Damaged::NEWER);
        }
        let log = fields.array()?;
        let base = Seq(fields.u64()?);
        if bytes[40..60] != [0; 20] {
            return Err(Damaged::NEWER);
        }
        if base > MAX_SEQ {
            return Err(Damaged("the segment's first number cannot be"));
        }
        Ok(Self {
            version,
            log,
            base,
            has_holes: flags & HOLES != 0,
        })
    }

    /// Whether its version has such a record.
    fn may_hold(&self, entry: &Entry) -> bool {
        match entry {
            // Where epochs begin stands in `meta`, whatever becomes of segments.
            Entry::Epoch(_) => false,
            _ => self.version > 1 || is_published(entry),
        }
    }

    /// What the checksum of a batch at this offset starts from.
    fn seed(&self, at: u64) -> u32 {
        let segment = crc32c::crc32c_append(crc32c::crc32c(&self.log), &self.base.0.to_le_bytes());
        crc32c::crc32c_append(segment, &at.to_le_bytes())
    }
}

/// A batch's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchHeader {
    /// The bytes of its records.
    pub(crate) len: u32,
    pub(crate) count: u32,
    /// The number of its first record.
    pub(crate) first: Seq,
    /// What was safe when it was written.
    pub(crate) synced_through: Seq,
}

impl BatchHeader {
    pub(crate) fn encode(&self, segment: &SegmentHeader, at: u64) -> [u8; BATCH_HEADER] {
        let mut out = [0; BATCH_HEADER];
        out[..4].copy_from_slice(&BATCH_MAGIC);
        out[4..8].copy_from_slice(&self.len.to_le_bytes());
        out[8..12].copy_from_slice(&self.count.to_le_bytes());
        out[16..24].copy_from_slice(&self.first.0.to_le_bytes());
        out[24..32].copy_from_slice(&self.synced_through.0.to_le_bytes());
        let crc = crc32c::crc32c_append(segment.seed(at), &out[..32]);
        out[32..36].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8], segment: &SegmentHeader, at: u64) -> Result<Self, Damaged> {
        let head = bytes
            .get(..BATCH_HEADER)
            .ok_or(Damaged("a batch's header is cut off"))?;
        let mut fields = Fields(head);
        if fields.take(4)? != BATCH_MAGIC {
            return Err(Damaged("there is no batch"));
        }
        let crc = crc32c::crc32c_append(segment.seed(at), &head[..32]);
        if crc.to_le_bytes() != head[32..36] || head[36..] != [0; 4] {
            return Err(Damaged("a batch's header is damaged"));
        }
        let (len, count) = (fields.u32()?, fields.u32()?);
        if fields.u32()? != 0 {
            return Err(Damaged("a batch's header says what this version does not know"));
        }
        Ok(Self {
            len,
            count,
            first: Seq(fields.u64()?),
            synced_through: Seq(fields.u64()?),
        })
    }

    /// Where in these bytes the next batch of this segment may begin.
    pub(crate) fn search(bytes: &[u8]) -> Option<usize> {
        memchr::memmem::find(bytes, &BATCH_MAGIC)
    }
}

/// Appends a record of a segment.
pub(crate) fn encode_record(
    record: &Record,
    segment: &SegmentHeader,
    out: &mut Vec<u8>,
) -> Result<(), Damaged> {
    if !segment.may_hold(&record.entry) {
        return Err(Damaged("a segment of this version has no such record"));
    }
    let start = out.len();
    out.extend([0; RECORD_HEADER]);
    let delta = u32::try_from(record.seq.0 - segment.base.0)
        .ok()
        .filter(|delta| u64::from(*delta) <= MAX_DELTA);
    let delta = delta.ok_or(Damaged("the segment is full"))?;
    out.extend(delta.to_le_bytes());
    encode_entry(&record.entry, Some(record.time), out)?;
    let body = out.len() - start - RECORD_HEADER;
    if body > MAX_RECORD {
        out.truncate(start);
        return Err(Damaged("the record is longer than a record may be"));
    }
    let crc = crc32c::crc32c(&out[start + RECORD_HEADER..]);
    #[expect(clippy::cast_possible_truncation, reason = "not over MAX_RECORD")]
    out[start..start + 4].copy_from_slice(&(body as u32).to_le_bytes());
    out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
    Ok(())
}

/// The length of a record with its header, as its first bytes say.
pub(crate) fn record_len(bytes: &[u8]) -> Result<usize, Damaged> {
    let body = Fields(bytes).u32()? as usize;
    match body {
        1..=MAX_RECORD => Ok(RECORD_HEADER + body),
        _ => Err(Damaged("a record's length cannot be")),
    }
}

/// Reads a record. `known` are topics that it probably has: they need not be made anew.
pub(crate) fn decode_record(
    bytes: &[u8],
    segment: &SegmentHeader,
    known: Option<&TopicSet>,
) -> Result<Record, Damaged> {
    let len = record_len(bytes)?;
    let whole = bytes.get(..len).ok_or(Damaged("a record is cut off"))?;
    let body = &whole[RECORD_HEADER..];
    if crc32c::crc32c(body).to_le_bytes() != whole[4..8] {
        return Err(Damaged("a record is damaged"));
    }
    let mut fields = Fields(body);
    let delta = u64::from(fields.u32()?);
    let (time, entry) = decode_entry(&mut fields, true, known)?;
    if delta > MAX_DELTA || !segment.may_hold(&entry) {
        return Err(Damaged("a record has a number or a kind that cannot be"));
    }
    let seq = Seq(segment.base.0 + delta);
    match fields.0 {
        [] => Ok(Record { seq, time, entry }),
        _ => Err(Damaged("a record has more than it should")),
    }
}
