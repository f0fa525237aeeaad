//! What the machine remembered, written down: `snap/{seq}.snap`, a file of pages, or `snap/{seq}.copy`, which is the same.
//!
//! The two newest are kept. One that is damaged, or newer than the log, is passed over: the machine is then told more records. So
//! a record may leave the disk only when both know of it: [`Snapshots::covered`].

use std::io;

use super::{
    damage::{is_damage, is_newer},
    disk::Disk,
    format::{Damaged, Fields, LogId, VERSION, version},
    paged::{Paged, log_seed, read, replace},
    segment::numbered,
};
use crate::{Seq, archive::shortage::is_shortage};

/// Their folder.
pub(crate) const FOLDER: &str = "snap";

const MAGIC: [u8; 8] = *b"TIDEWSNP";
const KEPT: usize = 2;

/// One that there is: the record after which it was taken, and whether it is the second of that record. The newest is the
/// greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(Seq, bool);

impl Place {
    pub(crate) fn seq(self) -> Seq {
        self.0
    }

    pub(crate) fn name(self) -> String {
        format!(
            "{FOLDER}/{:020}{}",
            self.0.0,
            if self.1 { ".copy" } else { ".snap" }
        )
    }
}

/// Those that there are, newest first.
pub(crate) fn all(disk: &dyn Disk) -> io::Result<Vec<Place>> {
    let firsts = numbered(disk, FOLDER, ".snap")?
        .into_iter()
        .map(|seq| Place(seq, false));
    let seconds = numbered(disk, FOLDER, ".copy")?
        .into_iter()
        .map(|seq| Place(seq, true));
    let mut all: Vec<Place> = firsts.chain(seconds).collect();
    all.sort_unstable_by_key(|place| std::cmp::Reverse(*place));
    Ok(all)
}

/// The newest that this log has: after which record, and its name. Only its beginning is read.
pub(crate) fn newest(disk: &dyn Disk, log: &LogId) -> io::Result<Option<(Seq, String)>> {
    for place in all(disk)? {
        let name = place.name();
        let head = disk.open(&name).and_then(|file| {
            let paged = Paged {
                name: name.clone(),
                file,
                seed: log_seed(log),
                seen: None,
            };
            paged.array::<HEADER>(0)
        });
        match head.map(|head| header(&mut Fields(&head), place.0)) {
            Ok(Ok(())) => return Ok(Some((place.0, name))),
            Ok(Err(_)) => {}
            Err(error) if is_damage(&error) || error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// After which record one was taken, and what it holds.
pub(crate) type Taken = (Seq, Vec<u8>);

/// The good ones that are on the disk, newest first, two at most.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshots(Vec<Place>);

impl Snapshots {
    /// Up to which record the newest goes.
    pub(crate) fn newest(&self) -> Seq {
        self.0.first().map_or(Seq::ZERO, |place| place.0)
    }

    /// Up to which record the machine's memory survives, also if the newest snapshot turns out to be damaged.
    pub(crate) fn covered(&self) -> Seq {
        self.0.get(KEPT - 1).map_or(Seq::ZERO, |place| place.0)
    }

    /// Writes one down, and lets the oldest go.
    pub(crate) fn save(&mut self, disk: &dyn Disk, log: &LogId, seq: Seq, state: &[u8]) -> io::Result<()> {
        let mut out = Vec::with_capacity(state.len() + 32);
        out.extend(MAGIC);
        out.extend(VERSION.to_le_bytes());
        out.extend(seq.0.to_le_bytes());
        let len = u32::try_from(state.len()).map_err(io::Error::other)?;
        out.extend(len.to_le_bytes());
        out.extend(state);
        // Nothing may come after a record for long: two of it are as good as two of different ones.
        let place = Place(seq, self.0.iter().any(|place| place.0 == seq));
        replace(disk, &place.name(), &out, log_seed(log))?;
        self.0.retain(|other| *other != place);
        self.0.insert(0, place);
        self.0.truncate(KEPT);
        for old in all(disk)?.into_iter().filter(|place| !self.0.contains(place)) {
            disk.remove(&old.name())?;
        }
        Ok(())
    }

    /// The newest that is good and not after `last`, and which ones are.
    ///
    /// # Errors
    /// When the system is short of something: one that cannot be read for that is not passed over.
    pub(crate) fn load(disk: &dyn Disk, log: &LogId, last: Seq) -> io::Result<(Option<Taken>, Self)> {
        let mut newest = None;
        let mut good = Self::default();
        let all = match all(disk) {
            Err(error) if is_shortage(&error) => return Err(error),
            all => all.unwrap_or_default(),
        };
        for place in all {
            if place.0 > last || good.0.len() == KEPT {
                continue;
            }
            let content = read(disk, &place.name(), log_seed(log));
            let state = content.and_then(|content| {
                let named = |why: Damaged| io::Error::new(why.kind(), format!("{}: {why}", place.name()));
                decode(&content, place.0).map_err(named)
            });
            match state {
                Ok(state) => {
                    newest.get_or_insert((place.0, state));
                    good.0.push(place);
                }
                Err(error) if is_shortage(&error) || is_newer(&error) => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, snapshot = place.name(), "a snapshot is passed over");
                }
            }
        }
        Ok((newest, good))
    }
}

/// Removes those after `last`: they tell of a history that was lost, and would be taken for true when the numbers come again.
pub(crate) fn forget_after(disk: &dyn Disk, last: Seq) -> io::Result<()> {
    let lost: Vec<Place> = all(disk)?.into_iter().filter(|place| place.0 > last).collect();
    for place in &lost {
        disk.remove(&place.name())?;
    }
    match lost.is_empty() {
        true => Ok(()),
        false => disk.sync_dir(FOLDER),
    }
}

pub(crate) fn decode(content: &[u8], seq: Seq) -> Result<Vec<u8>, Damaged> {
    let mut fields = Fields(content);
    header(&mut fields, seq)?;
    let len = fields.u32()?;
    Ok(fields.take(len as usize)?.to_vec())
}

/// Of magic, version and the record's number.
const HEADER: usize = 20;

fn header(fields: &mut Fields<'_>, seq: Seq) -> Result<(), Damaged> {
    let is_ours = fields.array()? == MAGIC;
    version(fields.u32()?)?;
    match is_ours && Seq(fields.u64()?) == seq {
        true => Ok(()),
        false => Err(Damaged("it is no snapshot of this name")),
    }
}
