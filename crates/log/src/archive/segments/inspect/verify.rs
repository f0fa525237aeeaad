//! Reads everything and compares it: segments with their checksums, indexes with records, what is known of topics with what there is.
//!
//! What a running server changes meanwhile is no finding: what looks damaged is looked at twice, and what is gone the second time was
//! let go.

use std::io;

use super::{
    LookError,
    beside::{self, Known},
    is_nothing,
    walk::{Checked, Walk},
};
use crate::{
    Epoch, Millis, Seq,
    archive::segments::{
        disk::Disk,
        format::{LogId, SegmentHeader},
        meta::Meta,
        missing::between,
        recover::{UNSYNCED, proven},
        segment::{Body, FOLDER, bases, index_name, segment_name},
        snapshot,
        topics::Topics,
    },
};

/// Something that is not as it should be, or that whoever looks should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub gravity: Gravity,
    /// The file, in the log's folder.
    pub file: String,
    /// Where in it.
    pub offset: Option<u64>,
    /// What it is, and what it means.
    pub what: String,
    /// What to do.
    pub advice: &'static str,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gravity {
    /// Nothing is lost, and nothing must be done.
    Note,
    /// The bytes are not what was written.
    Damage,
}

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verified {
    /// Segments.
    pub segments: u64,
    /// The format of the oldest and of the newest, as far as their headers can be read.
    pub formats: Option<(u32, u32)>,
    /// Their records that are good.
    pub records: u64,
    /// How many of them are events.
    pub events: u64,
    /// Bytes that were read of segments and indexes.
    pub bytes: u64,
    /// Findings that are damage.
    pub damage: u64,
}

pub(super) const RESTORE: &str =
    "`tidewire log repair` makes a sound copy without what is lost; or restore the folder from a copy";

/// The bytes of segments and indexes: what [`verify`] has to read.
///
/// # Errors
/// When the folder cannot be read.
pub fn bytes_to_verify(disk: &dyn Disk) -> io::Result<u64> {
    let len = |name: String| disk.open(&name).and_then(|file| file.len()).unwrap_or(0);
    let both = |base| len(segment_name(base)) + len(index_name(base));
    Ok(bases(disk)?.into_iter().map(both).sum())
}

/// Checks the log on this disk, tells each finding, and how far it has come, in bytes.
///
/// # Errors
/// [`LookError`] when there is no log, or it cannot be read; damage is no error.
pub fn verify(
    disk: &dyn Disk,
    progress: &mut dyn FnMut(u64),
    found: &mut dyn FnMut(Finding),
) -> Result<Verified, LookError> {
    if is_nothing(disk)? {
        return Err(LookError::NoLog);
    }
    let mut verified = Verified::default();
    let mut damage = 0;
    let mut tell = |finding: Finding| {
        damage += u64::from(finding.gravity == Gravity::Damage);
        found(finding);
    };
    let meta = match Meta::load(disk) {
        Ok(Some(meta)) => Some(meta),
        Ok(None) => {
            tell(about_meta("it is missing: the log is not opened"));
            None
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            tell(about_meta(&format!("{error}: the log is not opened")));
            None
        }
        Err(error) => return Err(error.into()),
    };
    let mut bases = bases(disk)?;
    let log = match &meta {
        Some(meta) => meta.log,
        // What the segments say is good enough to go on.
        None => match bases.iter().find_map(|base| Body::open(disk, *base).ok()) {
            Some(body) => body.header.log,
            None => {
                verified.damage = damage;
                return Ok(verified);
            }
        },
    };
    // Before the segments: what it says is in them then, whatever comes meanwhile.
    let topics = beside::load_topics(disk, &log, &mut tell)?;
    let safe = proven(disk, &log, &bases, topics.as_ref())?.seq;
    bases.extend(self::bases_since(disk, &bases)?);
    let mut known = Known::new(topics.as_ref());
    let missing = beside::missing(disk, &log, &bases, topics.as_ref(), &mut tell)?;
    known.is_whole &= missing.is_empty();
    let mut end = (Seq::ZERO, 0);
    // None where it is not known: the last number in front of the next segment.
    let mut before = topics.as_ref().and_then(Topics::let_go);
    for (number, base) in bases.iter().enumerate() {
        let safe = (number + 1 == bases.len()).then_some(safe);
        let Some(checked) = twice(disk, &log, *base, safe, end, progress)? else {
            tell(note(segment_name(*base), "it was let go meanwhile"));
            before = None;
            continue;
        };
        let is_told = missing
            .iter()
            .any(|missing| Some(*missing) > before && missing < base);
        if let Some(hole) = before
            .zip(checked.header)
            .and_then(|(before, header)| between(before, &header))
            && !is_told
        {
            tell(hole_before(*base, hole));
            known.is_whole = false;
        }
        before = checked.is_whole().then_some(checked.end.0.max(base.before()));
        verified.segments += 1;
        if let Some(SegmentHeader { version, .. }) = checked.header {
            let oldest = verified.formats.map_or(version, |(oldest, _)| oldest);
            verified.formats = Some((oldest, version));
        }
        verified.records += checked.index.totals.records;
        verified.events += checked.index.totals.events;
        verified.bytes += checked.read;
        known.take(&checked);
        end = checked.end;
        checked.findings.into_iter().for_each(&mut tell);
    }
    if let Some(topics) = &topics {
        let end = bases.last().map_or(end.0, |base| end.0.max(base.before()));
        known.compare(disk, &log, topics, end, &mut tell)?;
    }
    if let Some(meta) = &meta {
        about_epochs(meta, verified.records > 0, &mut tell);
        let first = bases.first().copied().unwrap_or_default();
        beside::snapshots(disk, meta, first, &mut tell)?;
    }
    leftovers(disk, &mut tell)?;
    verified.damage = damage;
    Ok(verified)
}

fn hole_before(base: Seq, (first, last): (Seq, Seq)) -> Finding {
    Finding {
        gravity: Gravity::Damage,
        file: segment_name(base),
        offset: None,
        what: format!(
            "in front of it records are missing, {} to {}, which nothing has let go: a segment is missing. Readers that come over it \
             are told of a gap",
            first.0, last.0
        ),
        advice: RESTORE,
    }
}

/// Those that were begun meanwhile.
fn bases_since(disk: &dyn Disk, before: &[Seq]) -> io::Result<Vec<Seq>> {
    let mut all = bases(disk)?;
    all.retain(|base| before.last().is_none_or(|last| base > last));
    Ok(all)
}

/// Checks a segment, and once more if something was found. None if it is gone.
fn twice(
    disk: &dyn Disk,
    log: &LogId,
    base: Seq,
    safe: Option<Seq>,
    after: (Seq, Millis),
    progress: &mut dyn FnMut(u64),
) -> Result<Option<Checked>, LookError> {
    let once = |progress: &mut dyn FnMut(u64)| {
        let walk = Walk {
            disk,
            log,
            base,
            safe,
            after,
        };
        match walk.check(progress) {
            Ok(checked) => Ok(Some(checked)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    };
    let first = once(progress)?;
    match first {
        // A torn tail stays one.
        Some(checked) if checked.findings.is_empty() || safe.is_some() && checked.is_whole() => {
            Ok(Some(checked))
        }
        Some(_) => Ok(once(&mut |_| ())?),
        None => Ok(None),
    }
}

pub(super) fn note(file: String, what: impl Into<String>) -> Finding {
    Finding {
        gravity: Gravity::Note,
        file,
        offset: None,
        what: what.into(),
        advice: "nothing is to be done",
    }
}

fn about_meta(what: &str) -> Finding {
    Finding {
        gravity: Gravity::Damage,
        file: "meta".into(),
        offset: None,
        what: what.strip_prefix("meta: ").unwrap_or(what).to_owned(),
        advice: "restore this file from a copy of the same log: without it nobody knows what the ids mean that readers hold",
    }
}

fn about_epochs(meta: &Meta, has_records: bool, tell: &mut dyn FnMut(Finding)) {
    let firsts = meta.epochs.iter().map(|(_, first)| *first);
    let last: Option<&(Epoch, Seq)> = meta.epochs.last();
    if (last.is_none() && has_records) || !firsts.is_sorted() {
        tell(about_meta("its epochs are not in order"));
    }
    if !meta.is_whole {
        let what = "the log was not closed under a durability other than `always`, or is open now: after a crash of the machine, what was acknowledged last may be missing";
        tell(note("meta".into(), what));
    }
}

/// What is there besides.
fn leftovers(disk: &dyn Disk, tell: &mut dyn FnMut(Finding)) -> io::Result<()> {
    for folder in ["", FOLDER, snapshot::FOLDER] {
        let names = match disk.list(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            names => names?,
        };
        for name in names.into_iter().filter(|name| name.ends_with(".tmp")) {
            let path = match folder {
                "" => name,
                _ => format!("{folder}/{name}"),
            };
            tell(note(path, "it was being made, and does not count"));
        }
    }
    if disk.list("")?.iter().any(|name| name == UNSYNCED) {
        let what = "a sync has failed: the next start writes what may not be safe once more";
        tell(note(UNSYNCED.into(), what));
    }
    Ok(())
}
