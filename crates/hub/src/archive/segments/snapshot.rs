//! What the machine remembered, written down: `snap/{seq}.snap`, a file of pages.
//!
//! The two newest are kept. One that is damaged, or newer than the log, is passed over: the machine is then told more records.

use std::io;

use super::{
    disk::Disk,
    format::{Damaged, Fields, LogId, VERSION},
    paged::{log_seed, read, replace},
    segment::numbered,
};
use crate::Seq;

/// Their folder.
pub(crate) const FOLDER: &str = "snap";

const MAGIC: [u8; 8] = *b"TIDEWSNP";
const KEPT: usize = 2;

fn name(seq: Seq) -> String {
    format!("{FOLDER}/{:020}.snap", seq.0)
}

/// Those that there are, newest first.
fn all(disk: &dyn Disk) -> io::Result<Vec<Seq>> {
    let mut all = numbered(disk, FOLDER, ".snap")?;
    all.reverse();
    Ok(all)
}

/// Writes one down, and lets the oldest go.
pub(crate) fn save(disk: &dyn Disk, log: &LogId, seq: Seq, state: &[u8]) -> io::Result<()> {
    let mut out = Vec::with_capacity(state.len() + 32);
    out.extend(MAGIC);
    out.extend(VERSION.to_le_bytes());
    out.extend(seq.0.to_le_bytes());
    out.extend(
        u32::try_from(state.len())
            .map_err(io::Error::other)?
            .to_le_bytes(),
    );
    out.extend(state);
    replace(disk, &name(seq), &out, log_seed(log))?;
    for old in all(disk)?.into_iter().skip(KEPT) {
        disk.remove(&name(old))?;
    }
    Ok(())
}

/// Removes those after `last`: they tell of a history that was lost, and would be taken for true when the numbers come again.
pub(crate) fn forget_after(disk: &dyn Disk, last: Seq) -> io::Result<()> {
    let lost: Vec<Seq> = all(disk)?.into_iter().filter(|seq| *seq > last).collect();
    for seq in &lost {
        disk.remove(&name(*seq))?;
    }
    match lost.is_empty() {
        true => Ok(()),
        false => disk.sync_dir(FOLDER),
    }
}

/// The newest that is good and not after `last`.
pub(crate) fn load(disk: &dyn Disk, log: &LogId, last: Seq) -> Option<(Seq, Vec<u8>)> {
    let all = all(disk).unwrap_or_default();
    all.into_iter().filter(|seq| *seq <= last).find_map(|seq| {
        let content = read(disk, &name(seq), log_seed(log));
        let state = content.and_then(|content| {
            decode(&content, seq).map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))
        });
        match state {
            Ok(state) => Some((seq, state)),
            Err(error) => {
                tracing::warn!(%error, snapshot = name(seq), "a snapshot is passed over");
                None
            }
        }
    })
}

fn decode(content: &[u8], seq: Seq) -> Result<Vec<u8>, Damaged> {
    let mut fields = Fields(content);
    if fields.array()? != MAGIC || fields.u32()? != VERSION || Seq(fields.u64()?) != seq {
        return Err(Damaged("it is no snapshot of this name and version"));
    }
    let len = fields.u32()?;
    Ok(fields.take(len as usize)?.to_vec())
}
