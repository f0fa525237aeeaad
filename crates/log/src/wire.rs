//! Entries on their way to other nodes.
//!
//! One byte of version, then the entry as a record of a segment has it, without number and time (`docs/format.md`). The form is
//! canonical: an entry has one, and bytes that are read are those that would be written. What a later release says is refused as such,
//! so that a node which would apply it otherwise than the others stops instead.
//!
//! A [`Batch`] is one message: what a node proposes at once.

use crate::{
    Entry, Error,
    batch::Proposed,
    bytes::{Damaged, Fields, MAX_RECORD, UNKNOWN, decode_entry, encode_entry},
    machine::Origin,
    record::check,
};

/// The version of the form.
const VERSION: u8 = 1;

/// Why bytes are no entry, or an entry no bytes. Nothing of it is to be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// A later release wrote it, or the rules of the log are those of one.
    #[error("it was written by a newer Tidewire: use that")]
    Newer,
    /// No release writes this.
    #[error("it is no entry of a log ({0})")]
    Wrong(&'static str),
    /// No publisher may say this.
    #[error(transparent)]
    Refused(#[from] Error),
}

impl From<Damaged> for WireError {
    fn from(damaged: Damaged) -> Self {
        match damaged {
            Damaged::NEWER | UNKNOWN => Self::Newer,
            Damaged(why) => Self::Wrong(why),
        }
    }
}

/// An entry as bytes.
///
/// # Errors
/// [`WireError::Wrong`]: [`Entry::Batch`], which a node says only to itself, and what is larger than a record may be.
pub fn encode(entry: &Entry) -> Result<Vec<u8>, WireError> {
    let mut out = vec![VERSION];
    put(entry, &mut out)?;
    Ok(out)
}

/// The entry that these bytes are.
///
/// # Errors
/// [`WireError`].
pub fn decode(bytes: &[u8]) -> Result<Entry, WireError> {
    entry(versioned(bytes)?.0)
}

fn versioned(bytes: &[u8]) -> Result<Fields<'_>, WireError> {
    match bytes {
        [VERSION, rest @ ..] => Ok(Fields(rest)),
        [] | [0, ..] => Err(WireError::Wrong("it says no version")),
        _ => Err(WireError::Newer),
    }
}

fn put(entry: &Entry, out: &mut Vec<u8>) -> Result<(), WireError> {
    let start = out.len();
    if matches!(entry, Entry::Batch { .. }) {
        return Err(OWN);
    }
    encode_entry(entry, None, out)?;
    match out.len() - start <= MAX_ENTRY {
        true => Ok(()),
        false => Err(TOO_LONG),
    }
}

fn entry(bytes: &[u8]) -> Result<Entry, WireError> {
    if bytes.len() > MAX_ENTRY {
        return Err(TOO_LONG);
    }
    let mut fields = Fields(bytes);
    let (_, entry) = decode_entry(&mut fields, false, None)?;
    if !fields.0.is_empty() {
        return Err(MORE);
    }
    match &entry {
        Entry::Batch { .. } => return Err(OWN),
        Entry::Event { event, .. } => check(event)?,
        _ => {}
    }
    Ok(entry)
}

/// A record has a number and a time besides.
const MAX_ENTRY: usize = MAX_RECORD - 12;

const OWN: WireError = WireError::Wrong("a node says it only to itself");
const MORE: WireError = WireError::Wrong("it has more than it should");
const TOO_LONG: WireError = WireError::Wrong("it is longer than a record may be");

/// What a node proposes at once: its place comes from the order.
///
/// Version (1 byte), node (8), incarnation (8), number (8), how many entries (4), and each: session (2), length (4), entry without a
/// version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Who proposes it.
    pub origin: Origin,
    /// Its number among the batches of its origin.
    pub number: u64,
    /// In order.
    pub entries: Vec<Proposed>,
}

impl Batch {
    /// As a message.
    ///
    /// # Errors
    /// Those of [`encode`].
    pub fn encode(&self) -> Result<Vec<u8>, WireError> {
        let mut out = vec![VERSION];
        for number in [self.origin.node, self.origin.incarnation, self.number] {
            out.extend(number.to_le_bytes());
        }
        let count = u32::try_from(self.entries.len()).map_err(|_| TOO_LONG)?;
        out.extend(count.to_le_bytes());
        for Proposed { entry, session } in &self.entries {
            out.extend(session.to_le_bytes());
            let start = out.len() + 4;
            out.extend([0; 4]);
            put(entry, &mut out)?;
            let len = u32::try_from(out.len() - start).map_err(|_| TOO_LONG)?;
            out[start - 4..start].copy_from_slice(&len.to_le_bytes());
        }
        Ok(out)
    }

    /// What a message says.
    ///
    /// # Errors
    /// [`WireError`], also if one of the entries is none.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut fields = versioned(bytes)?;
        let mut batch = Self {
            origin: Origin {
                node: fields.u64()?,
                incarnation: fields.u64()?,
            },
            number: fields.u64()?,
            entries: Vec::new(),
        };
        for _ in 0..fields.u32()? {
            let session = u16::from_le_bytes(fields.array()?);
            let len = fields.u32()? as usize;
            let entry = entry(fields.take(len)?)?;
            batch.entries.push(Proposed { entry, session });
        }
        match fields.0 {
            [] => Ok(batch),
            _ => Err(MORE),
        }
    }
}

#[cfg(test)]
mod tests;
