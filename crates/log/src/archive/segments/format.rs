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

use std::{cmp::Ordering, io};

use tidewire_codec::{Event, EventId, EventName};

use super::index::MAX_DELTA;
use crate::{
    Change, Door, Entry, IdempotencyKey, Millis, Namespace, Record, Seq, Settings, Topic, TopicSet,
    machine::Origin, settings::RULES,
};

/// The version of all files of a log.
pub(crate) const VERSION: u32 = 1;

/// The length of a segment's header.
pub(crate) const SEGMENT_HEADER: u64 = 64;

/// The length of a batch's header.
pub(crate) const BATCH_HEADER: usize = 40;

/// The length of a record before its body: its length and its checksum.
pub(crate) const RECORD_HEADER: usize = 8;

/// The longest body of a record. An event has at most 64 MiB; its topics, id and key fit in the rest.
pub(crate) const MAX_RECORD: usize = 80 << 20;

/// The highest number that a segment begins with, or that is said to be the last: others can be added to it.
pub(crate) const MAX_SEQ: Seq = Seq(1 << 62);

const SEGMENT_MAGIC: [u8; 8] = *b"TIDEWSEG";
const BATCH_MAGIC: [u8; 4] = *b"TWBA";

/// What tells one log from all others.
pub(crate) type LogId = [u8; 16];

/// Bytes that are not what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Damaged(pub(crate) &'static str);

impl Damaged {
    /// A file that a later release wrote. Nothing is wrong with it.
    pub(crate) const NEWER: Self = Self("it was written by a newer Tidewire: use that");

    /// Of an error that says so.
    pub(crate) fn kind(self) -> io::ErrorKind {
        match self == Self::NEWER {
            true => io::ErrorKind::Unsupported,
            false => io::ErrorKind::InvalidData,
        }
    }
}

/// Checks the version that a file says it has.
pub(crate) fn version(version: u32) -> Result<(), Damaged> {
    match version.cmp(&VERSION) {
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(Damaged::NEWER),
        Ordering::Less => Err(Damaged("it has the format of a version that there never was")),
    }
}

/// A segment's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) log: LogId,
    /// No record of the segment comes before this number.
    pub(crate) base: Seq,
    /// Records have been taken out.
    pub(crate) has_holes: bool,
}

/// Bits of a segment's header.
const HOLES: u32 = 1;

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER as usize] {
        let mut out = [0; SEGMENT_HEADER as usize];
        out[..8].copy_from_slice(&SEGMENT_MAGIC);
        out[8..12].copy_from_slice(&VERSION.to_le_bytes());
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
        version(fields.u32()?)?;
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
            log,
            base,
            has_holes: flags & HOLES != 0,
        })
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

mod kind {
    pub(super) const EVENT: u8 = 1;
    pub(super) const ENDS: u8 = 2;
    pub(super) const PURGES: u8 = 4;
    pub(super) const ID: u8 = 8;
    pub(super) const NAME: u8 = 16;
    pub(super) const RETRY: u8 = 32;
    pub(super) const KEY: u8 = 64;
    /// No record of version 1 says this: what it is stands in the next byte.
    pub(super) const OTHER: u8 = ENDS | PURGES;

    /// Whether a record may say this of itself: what belongs to an event has one, and it changes its topics in one way.
    pub(super) fn is_known(kind: u8) -> bool {
        let is_known = kind & !(EVENT | ENDS | PURGES | ID | NAME | RETRY | KEY) == 0;
        let is_of_event = kind & EVENT != 0 || kind & (ID | NAME | RETRY) == 0;
        is_known && is_of_event && (kind == OTHER || kind & OTHER != OTHER)
    }
}

/// What a record of the kind `OTHER` is.
mod other {
    pub(super) const FORGET: u8 = 1;
    pub(super) const FORGET_KEYS: u8 = 2;
    pub(super) const SETTINGS: u8 = 3;
    pub(super) const EPOCH: u8 = 4;
    pub(super) const FACT: u8 = 5;
    pub(super) const BATCH: u8 = 6;
}

/// Appends a record of a segment whose first number is `base`.
pub(crate) fn encode_record(record: &Record, base: Seq, out: &mut Vec<u8>) -> Result<(), Damaged> {
    let start = out.len();
    out.extend([0; RECORD_HEADER]);
    let delta = u32::try_from(record.seq.0 - base.0)
        .ok()
        .filter(|delta| u64::from(*delta) <= MAX_DELTA);
    let delta = delta.ok_or(Damaged("the segment is full"))?;
    out.extend(delta.to_le_bytes());
    encode_body(record, out)?;
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

fn encode_body(record: &Record, out: &mut Vec<u8>) -> Result<(), Damaged> {
    let mut start = |kind: &[u8]| {
        out.extend(kind);
        out.extend(record.time.to_le_bytes());
    };
    match &record.entry {
        Entry::Event { .. } | Entry::End { .. } | Entry::Purge { .. } => {
            return encode_published(record, out);
        }
        Entry::Forget { topics, through } => {
            start(&[kind::OTHER, other::FORGET]);
            out.extend(through.0.to_le_bytes());
            encode_topics(topics.as_slice(), out)?;
        }
        Entry::ForgetKeys { before } => {
            start(&[kind::OTHER, other::FORGET_KEYS]);
            out.extend(before.to_le_bytes());
        }
        Entry::Settings(settings) => {
            start(&[kind::OTHER, other::SETTINGS]);
            out.extend(settings.rules.to_le_bytes());
            for number in [
                settings.max_topics,
                settings.max_keys,
                settings.max_key_bytes,
                settings.keep_keys,
            ] {
                out.extend(number.to_le_bytes());
            }
        }
        Entry::Epoch(epoch) => {
            start(&[kind::OTHER, other::EPOCH]);
            out.extend(epoch.as_str().as_bytes());
        }
        Entry::Batch {
            position,
            origin,
            number,
        } => {
            start(&[kind::OTHER, other::BATCH]);
            for number in [*position, origin.node, origin.incarnation, *number] {
                out.extend(number.to_le_bytes());
            }
        }
        Entry::Fact { door, data } => {
            start(&[kind::OTHER, other::FACT]);
            out.push(door.0);
            out.extend(data.iter());
        }
    }
    Ok(())
}

/// Of what publishers say.
fn encode_published(record: &Record, out: &mut Vec<u8>) -> Result<(), Damaged> {
    let event = record.event();
    let id = event.and_then(|event| event.id.as_ref());
    let name = event.and_then(|event| event.name.as_ref());
    let retry = event.and_then(|event| event.retry);
    let bit = |is: bool, bit| if is { bit } else { 0 };
    out.push(
        bit(event.is_some(), kind::EVENT)
            | bit(record.change() == Some(Change::Ends), kind::ENDS)
            | bit(record.change() == Some(Change::Purges), kind::PURGES)
            | bit(id.is_some(), kind::ID)
            | bit(name.is_some(), kind::NAME)
            | bit(retry.is_some(), kind::RETRY)
            | bit(record.key().is_some(), kind::KEY),
    );
    out.extend(record.time.to_le_bytes());
    encode_topics(record.topics(), out)?;
    if let Some(id) = id {
        text32(out, id.as_str())?;
    }
    if let Some(name) = name {
        text32(out, name.as_str())?;
    }
    if let Some(retry) = retry {
        out.extend(retry.to_le_bytes());
    }
    if let Some((key, number)) = record.key() {
        text16(out, key.as_str().len(), key.as_str().as_bytes())?;
        out.extend(number.to_le_bytes());
    }
    if let Some(event) = event {
        text32(out, &event.data)?;
    }
    Ok(())
}

fn encode_topics(topics: &[Topic], out: &mut Vec<u8>) -> Result<(), Damaged> {
    text16(out, topics.len(), &[])?;
    for topic in topics {
        out.push(topic.namespace().code());
        text16(out, topic.name().len(), topic.name().as_bytes())?;
    }
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
pub(crate) fn decode_record(bytes: &[u8], base: Seq, known: Option<&TopicSet>) -> Result<Record, Damaged> {
    let len = record_len(bytes)?;
    let whole = bytes.get(..len).ok_or(Damaged("a record is cut off"))?;
    let body = &whole[RECORD_HEADER..];
    if crc32c::crc32c(body).to_le_bytes() != whole[4..8] {
        return Err(Damaged("a record is damaged"));
    }
    let mut fields = Fields(body);
    let delta = u64::from(fields.u32()?);
    let [kind] = fields.array()?;
    if delta > MAX_DELTA || !kind::is_known(kind) {
        return Err(Damaged("a record has a number or a kind that cannot be"));
    }
    let seq = Seq(base.0 + delta);
    let (time, entry) = match kind {
        kind::OTHER => decode_other(&mut fields)?,
        _ => (fields.u64()?, decode_published(kind, &mut fields, known)?),
    };
    match fields.0 {
        [] => Ok(Record { seq, time, entry }),
        _ => Err(Damaged("a record has more than it should")),
    }
}

fn decode_published(kind: u8, fields: &mut Fields<'_>, known: Option<&TopicSet>) -> Result<Entry, Damaged> {
    let topics = topics(fields, known)?;
    let has = |bit| kind & bit != 0;
    let id = has(kind::ID).then(|| fields.text32()).transpose()?;
    let name = has(kind::NAME).then(|| fields.text32()).transpose()?;
    let retry = has(kind::RETRY).then(|| fields.u64()).transpose()?;
    let key = has(kind::KEY)
        .then(|| Ok((fields.text16()?, fields.u64()?)))
        .transpose()?;
    let data = has(kind::EVENT).then(|| fields.text32()).transpose()?;
    let key = key.map(|(key, number)| Ok((IdempotencyKey::new(key).map_err(|_| WRONG)?, number)));
    let key = key.transpose()?;
    let event = data.map(|data| {
        Ok(Event {
            id: id.map(EventId::new).transpose().map_err(|_| WRONG)?,
            name: name.map(EventName::new).transpose().map_err(|_| WRONG)?,
            retry,
            data: data.to_owned(),
        })
    });
    let change = match (has(kind::ENDS), has(kind::PURGES)) {
        (true, _) => Some(Change::Ends),
        (_, true) => Some(Change::Purges),
        _ => None,
    };
    let entry = Entry::of_parts(topics, event.transpose()?, change, key);
    entry.ok_or(Damaged("a record says nothing, or two things"))
}

fn decode_other(fields: &mut Fields<'_>) -> Result<(Millis, Entry), Damaged> {
    let [what] = fields.array()?;
    let time = fields.u64()?;
    let entry = match what {
        other::FORGET => {
            let through = Seq(fields.u64()?);
            let topics = topics(fields, None)?;
            Entry::Forget { topics, through }
        }
        other::FORGET_KEYS => Entry::ForgetKeys {
            before: fields.u64()?,
        },
        other::SETTINGS => {
            let rules = fields.u32()?;
            if rules > RULES {
                return Err(Damaged::NEWER);
            }
            Entry::Settings(Settings {
                rules,
                max_topics: fields.u64()?,
                max_keys: fields.u64()?,
                max_key_bytes: fields.u64()?,
                keep_keys: fields.u64()?,
            })
        }
        other::EPOCH => {
            let name = str::from_utf8(fields.take(8)?).map_err(|_| WRONG)?;
            Entry::Epoch(name.parse().map_err(|_| WRONG)?)
        }
        other::BATCH => Entry::Batch {
            position: fields.u64()?,
            origin: Origin {
                node: fields.u64()?,
                incarnation: fields.u64()?,
            },
            number: fields.u64()?,
        },
        other::FACT => {
            let [door] = fields.array()?;
            let data = fields.take(fields.0.len())?;
            Entry::Fact {
                door: Door(door),
                data: data.into(),
            }
        }
        _ => return Err(Damaged("a record has a kind that cannot be")),
    };
    Ok((time, entry))
}

/// A text that passed its checksum but not its type.
const WRONG: Damaged = Damaged("a record holds a text that cannot be");

fn topics(fields: &mut Fields<'_>, known: Option<&TopicSet>) -> Result<TopicSet, Damaged> {
    let count = usize::from(u16::from_le_bytes(fields.array()?));
    // Each takes more than three bytes.
    let mut topics = Vec::with_capacity(count.min(fields.0.len() / 3));
    for _ in 0..count {
        let [code] = fields.array()?;
        let name = fields.text16()?;
        let namespace = Namespace::of_code(code).ok_or(WRONG)?;
        let same = |topic: &&Topic| topic.name() == name && topic.namespace() == namespace;
        match known.and_then(|known| known.iter().find(same)) {
            // The usual case: read for one topic, published to one topic.
            Some(_) if count == 1 && known.is_some_and(|known| known.len() == 1) => {
                return known.cloned().ok_or(WRONG);
            }
            Some(topic) => topics.push(topic.clone()),
            None => topics.push(Topic::new(namespace, name).map_err(|_| WRONG)?),
        }
    }
    if !topics.is_sorted_by(|a, b| a < b) {
        return Err(Damaged("a record's topics are not in order"));
    }
    TopicSet::new(topics).map_err(|_| WRONG)
}

fn text16(out: &mut Vec<u8>, len: usize, text: &[u8]) -> Result<(), Damaged> {
    let len = u16::try_from(len).map_err(|_| Damaged("a text is too long for a record"))?;
    out.extend(len.to_le_bytes());
    out.extend(text);
    Ok(())
}

fn text32(out: &mut Vec<u8>, text: &str) -> Result<(), Damaged> {
    let len = u32::try_from(text.len()).map_err(|_| Damaged("a text is too long for a record"))?;
    out.extend(len.to_le_bytes());
    out.extend(text.as_bytes());
    Ok(())
}

/// Bytes that are read from the front, never beyond their end.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Damaged> {
        let (taken, rest) = self
            .0
            .split_at_checked(len)
            .ok_or(Damaged("something is cut off"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        let (taken, rest) = self
            .0
            .split_first_chunk()
            .ok_or(Damaged("something is cut off"))?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Damaged> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Damaged> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn text16(&mut self) -> Result<&'a str, Damaged> {
        let len = u16::from_le_bytes(self.array()?);
        self.text(usize::from(len))
    }

    pub(crate) fn text32(&mut self) -> Result<&'a str, Damaged> {
        let len = self.u32()?;
        self.text(len as usize)
    }

    /// Nothing follows but what fills the last page.
    pub(crate) fn end(&self) -> Result<(), Damaged> {
        match self.0.iter().all(|byte| *byte == 0) {
            true => Ok(()),
            false => Err(Damaged("there is more than there should be")),
        }
    }

    fn text(&mut self, len: usize) -> Result<&'a str, Damaged> {
        simdutf8::basic::from_utf8(self.take(len)?).map_err(|_| WRONG)
    }
}
