//! Entries as bytes: the same in the records of a segment and on the [wire](crate::wire).
//!
//! Everything is little-endian. `docs/format.md` has it in words. Bytes from outside never panic: what does not fit is [`Damaged`].

#[cfg(feature = "disk")]
use std::io;

use tidewire_codec::{Event, EventId, EventName};

use crate::{
    Change, Door, Entry, IdempotencyKey, Millis, Namespace, Seq, Settings, Topic, TopicSet, machine::Origin,
    settings::RULES,
};

/// The longest body of a record. An event has at most 64 MiB; its topics, id and key fit in the rest.
pub(crate) const MAX_RECORD: usize = 80 << 20;

/// Bytes that are not what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Damaged(pub(crate) &'static str);

impl Damaged {
    /// A file that a later release wrote. Nothing is wrong with it.
    pub(crate) const NEWER: Self = Self("it was written by a newer Tidewire: use that");

    /// Of an error that says so.
    #[cfg(feature = "disk")]
    pub(crate) fn kind(self) -> io::ErrorKind {
        match self == Self::NEWER {
            true => io::ErrorKind::Unsupported,
            false => io::ErrorKind::InvalidData,
        }
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
    /// What it is stands in the next byte.
    pub(super) const OTHER: u8 = ENDS | PURGES;

    // 128 is reserved for an event whose data is no text.

    /// Whether an entry may say this of itself: what belongs to an event has one, and it changes its topics in one way.
    pub(super) fn is_known(kind: u8) -> bool {
        let is_known = kind & !(EVENT | ENDS | PURGES | ID | NAME | RETRY | KEY) == 0;
        let is_of_event = kind & EVENT != 0 || kind & (ID | NAME | RETRY) == 0;
        is_known && is_of_event && (kind == OTHER || kind & OTHER != OTHER)
    }
}

/// What an entry of the kind `OTHER` is.
mod other {
    pub(super) const FORGET: u8 = 1;
    pub(super) const FORGET_KEYS: u8 = 2;
    pub(super) const SETTINGS: u8 = 3;
    pub(super) const EPOCH: u8 = 4;
    pub(super) const FACT: u8 = 5;
    pub(super) const BATCH: u8 = 6;
}

/// Whether publishers say it: what version 1 of a segment has.
#[cfg(feature = "disk")]
pub(crate) fn is_published(entry: &Entry) -> bool {
    matches!(
        entry,
        Entry::Event { .. } | Entry::End { .. } | Entry::Purge { .. }
    )
}

/// Appends an entry; a record's with its time.
pub(crate) fn encode_entry(entry: &Entry, time: Option<Millis>, out: &mut Vec<u8>) -> Result<(), Damaged> {
    let mut start = |what: u8| {
        out.extend([kind::OTHER, what]);
        out.extend(time.iter().flat_map(|time| time.to_le_bytes()));
    };
    match entry {
        Entry::Event { .. } | Entry::End { .. } | Entry::Purge { .. } => {
            return encode_published(entry, time, out);
        }
        Entry::Forget { topics, through } => {
            if topics.len() > Entry::MOST_FORGOTTEN {
                return Err(TOO_MANY);
            }
            start(other::FORGET);
            out.extend(through.0.to_le_bytes());
            encode_topics(topics.as_slice(), out)?;
        }
        Entry::ForgetKeys { before } => {
            start(other::FORGET_KEYS);
            out.extend(before.to_le_bytes());
        }
        Entry::Settings(settings) => {
            start(other::SETTINGS);
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
            start(other::EPOCH);
            out.extend(epoch.as_str().as_bytes());
        }
        Entry::Batch {
            position,
            origin,
            number,
        } => {
            start(other::BATCH);
            for number in [*position, origin.node, origin.incarnation, *number] {
                out.extend(number.to_le_bytes());
            }
        }
        Entry::Fact { door, data } => {
            start(other::FACT);
            out.push(door.0);
            out.extend(data.iter());
        }
    }
    Ok(())
}

/// Of what publishers say.
fn encode_published(entry: &Entry, time: Option<Millis>, out: &mut Vec<u8>) -> Result<(), Damaged> {
    let event = entry.as_event();
    let id = event.and_then(|event| event.id.as_ref());
    let name = event.and_then(|event| event.name.as_ref());
    let retry = event.and_then(|event| event.retry);
    let bit = |is: bool, bit| if is { bit } else { 0 };
    out.push(
        bit(event.is_some(), kind::EVENT)
            | bit(entry.change() == Some(Change::Ends), kind::ENDS)
            | bit(entry.change() == Some(Change::Purges), kind::PURGES)
            | bit(id.is_some(), kind::ID)
            | bit(name.is_some(), kind::NAME)
            | bit(retry.is_some(), kind::RETRY)
            | bit(entry.key().is_some(), kind::KEY),
    );
    out.extend(time.iter().flat_map(|time| time.to_le_bytes()));
    encode_topics(entry.topics(), out)?;
    if let Some(id) = id {
        text32(out, id.as_str())?;
    }
    if let Some(name) = name {
        text32(out, name.as_str())?;
    }
    if let Some(retry) = retry {
        out.extend(retry.to_le_bytes());
    }
    if let Some((key, number)) = entry.key() {
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

/// Reads an entry, with its time if it is a record's; without one that is 0. `known` are topics that it probably has: they need not
/// be made anew.
pub(crate) fn decode_entry(
    fields: &mut Fields<'_>,
    is_timed: bool,
    known: Option<&TopicSet>,
) -> Result<(Millis, Entry), Damaged> {
    let [kind] = fields.array()?;
    if !kind::is_known(kind) {
        return Err(UNKNOWN);
    }
    let other = (kind == kind::OTHER).then(|| fields.array::<1>()).transpose()?;
    let time = if is_timed { fields.u64()? } else { 0 };
    let entry = match other {
        Some([what]) => decode_other(what, fields)?,
        None => decode_published(kind, fields, known)?,
    };
    Ok((time, entry))
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

fn decode_other(what: u8, fields: &mut Fields<'_>) -> Result<Entry, Damaged> {
    Ok(match what {
        other::FORGET => {
            let through = Seq(fields.u64()?);
            let topics = topics(fields, None)?;
            if topics.len() > Entry::MOST_FORGOTTEN {
                return Err(TOO_MANY);
            }
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
        _ => return Err(UNKNOWN),
    })
}

/// A kind that this release does not know.
pub(crate) const UNKNOWN: Damaged = Damaged("a record has a kind that cannot be");

const TOO_MANY: Damaged = Damaged("too many topics are forgotten at once");

/// A text that is none of its type.
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
    #[cfg(feature = "disk")]
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
