//! Opening a log: what is there is checked, what is torn is cut off, what can be rebuilt is.
//!
//! - **A torn tail** is no error: bytes after the last good batch that nobody was told of. It is cut off.
//! - **Damage** is: a bad place that a later batch knows to have been safe, or the list of topics, a snapshot or an index. The log is
//!   then not opened, and the error names file and offset.
//! - Damage in a sealed segment is met by who reads it; a sealed segment that is [`missing`] keeps no log closed either, unless the
//!   machine must be told what was in it.
//! - Indexes and the list of topics are rebuilt from the segments where they are missing or damaged.
//! - Only the last segment is read whole.

use std::{io, sync::Arc};

use super::{
    Settings, cuts,
    damage::{is_damage, is_newer},
    disk::Disk,
    format::{BATCH_HEADER, Damaged, LogId, SEGMENT_HEADER, SegmentHeader},
    index::{Active, Sealed},
    meta::Meta,
    missing,
    paged::TEMPORARY,
    segment::{Body, FOLDER, SealedSegment, bases, index_name, numbered, segment_name, step, take_room},
    snapshot::{self, Snapshots},
    state::State,
    topics::Topics,
};
use crate::{
    Record, Seq,
    archive::{ruled::Ruled, rules::Rules, shares::Each, shortage::is_shortage},
};

/// Why a log cannot be opened. None of its records has been changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A file cannot be read or written.
    #[error("cannot open the log: {0}")]
    Io(#[from] io::Error),
    /// What was safe is damaged.
    #[error(
        "the log is damaged: {0}. No record was changed. `tidewire log verify --data DIR` tells more; \
         `tidewire log repair --data DIR --to NEW` makes a sound copy without what is damaged, or restore the folder from a backup"
    )]
    Damaged(String),
    /// A file has the format of a later release.
    #[error("cannot open the log: {0}. No record was changed")]
    Newer(String),
    /// The system has no randomness to name a log or an epoch.
    #[error("the system gives no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
}

/// A log that has been opened.
pub(crate) struct Opened {
    pub(crate) meta: Meta,
    pub(crate) state: State,
    pub(crate) snapshot: Option<(Seq, Vec<u8>)>,
    pub(crate) snapshots: Snapshots,
    /// The bytes of a torn tail that was cut off.
    pub(crate) torn: u64,
}

/// Opens the log, or makes one.
pub(crate) fn open(disk: &dyn Disk, settings: &Settings) -> Result<Opened, OpenError> {
    disk.create_dir(FOLDER)?;
    disk.create_dir(snapshot::FOLDER)?;
    disk.sync_dir("")?;
    // What goes from the log counts on the snapshots that are found.
    disk.sync_dir(snapshot::FOLDER)?;
    let bases = bases(disk)?;
    sweep(disk);
    let mut meta = match Meta::load(disk) {
        Ok(Some(meta)) => meta,
        Ok(None) if bases.is_empty() => create(disk)?,
        Ok(None) => {
            let text = "there are segments, but the file `meta`, which says whose they are, is missing";
            return Err(OpenError::Damaged(text.into()));
        }
        Err(error) => return Err(refuse(error)),
    };
    let (torn, state) = segments(disk, &meta.log, &bases, settings)?;
    let last = state.last();
    snapshot::forget_after(disk, last)?;
    let (snapshot, snapshots) = Snapshots::load(disk, &meta.log, last).map_err(refuse)?;
    let first = state.first();
    if snapshot.as_ref().map_or(Seq::ZERO, |(seq, _)| *seq) < first.before() {
        tracing::error!(
            "the log is damaged: no snapshot is left of what the records up to {} said, which were let go: ends of streams and idempotency \
             keys of then are forgotten. Restore the folder from a copy if they are needed",
            first.before().0
        );
    }
    // Their records were lost, or never came.
    meta.epochs.retain(|(_, first)| *first <= last);
    meta.is_whole = settings.durability.is_always();
    if !settings.durability.is_always() {
        disk.create(UNSYNCED_READY)?;
    }
    Ok(Opened {
        meta,
        state,
        snapshot,
        snapshots,
        torn,
    })
}

/// Removes what was left half-made. Nobody reads it: that it cannot be removed does no harm.
fn sweep(disk: &dyn Disk) {
    for folder in ["", FOLDER, snapshot::FOLDER] {
        let names = disk.list(folder).unwrap_or_default();
        for name in names.iter().filter(|name| name.ends_with(TEMPORARY)) {
            let separator = if folder.is_empty() { "" } else { "/" };
            drop(disk.remove(&format!("{folder}{separator}{name}")));
        }
    }
}

/// A log of its own: nothing was there.
fn create(disk: &dyn Disk) -> Result<Meta, OpenError> {
    let meta = Meta {
        log: log_id()?,
        epochs: Vec::new(),
        is_whole: true,
    };
    meta.save(disk)?;
    Ok(meta)
}

/// A name for a log that no other has.
pub(crate) fn log_id() -> Result<LogId, getrandom::Error> {
    let mut log = [0; 16];
    log[..8].copy_from_slice(&getrandom::u64()?.to_le_bytes());
    log[8..].copy_from_slice(&getrandom::u64()?.to_le_bytes());
    Ok(log)
}

fn segments(
    disk: &dyn Disk,
    log: &LogId,
    bases: &[Seq],
    settings: &Settings,
) -> Result<(u64, State), OpenError> {
    // Missing or damaged, it is made anew.
    let written = match Topics::load(disk, log) {
        Err(error) if is_shortage(&error) || is_newer(&error) => return Err(refuse(error)),
        loaded => loaded.ok(),
    };
    let mut missing = missing::segments(disk, log, bases, written.as_ref())?
        .into_iter()
        .peekable();
    let safe = proven(disk, log, bases, written.as_ref())?;
    let mut sealed: Vec<Arc<SealedSegment>> = Vec::new();
    let end_of = |sealed: &[Arc<SealedSegment>]| sealed.last().map(|segment| segment.index.totals.last);
    for (number, base) in bases.iter().enumerate() {
        let is_last = number + 1 == bases.len();
        while let Some(segment) = missing.next_if(|segment| segment.body.header.base < *base) {
            let fits = Some(segment.body.header.base) > end_of(&sealed) && segment.index.totals.last < *base;
            sealed.extend(fits.then(|| Arc::new(segment)));
        }
        let body = match Body::open(disk, *base) {
            Ok(body) => body,
            // It was being made when the power went: it holds nothing.
            Err(error) if is_last && is_damage(&error) && is_unfinished(disk, log, *base)? => {
                tracing::warn!(%error, "a segment that was being made when the power went is removed");
                disk.remove(&segment_name(*base))?;
                disk.sync_dir(FOLDER)?;
                continue;
            }
            Err(error) => return Err(refuse(error)),
        };
        if body.header.log != *log {
            let text = format!("{} belongs to another log", segment_name(*base));
            return Err(OpenError::Damaged(text));
        }
        if end_of(&sealed) >= Some(*base) {
            let text = format!(
                "{} begins before the one in front of it ends",
                segment_name(*base)
            );
            return Err(OpenError::Damaged(text));
        }
        if is_last {
            let (torn, body, index) = tail(disk, &safe, body)?;
            let next = next_after(&sealed, written.as_ref()).map(|next| next.max(safe.seq.next()));
            if index.totals.records == 0 && *base > next.unwrap_or(*base) {
                // It was begun for a batch with a higher number, which did not come: what comes now would not fit.
                disk.remove(&segment_name(*base))?;
                disk.sync_dir(FOLDER)?;
                continue;
            }
            disk.sync_dir(FOLDER)?;
            return Ok((
                torn,
                assemble(disk, log, sealed, body, index, written, &settings.retention.rules)?,
            ));
        }
        sealed.push(Arc::new(open_sealed(disk, log, body)?));
    }
    // Where there is no segment at all, retention did not do it: the newest event always stays.
    let let_go = written
        .as_ref()
        .filter(|_| !bases.is_empty())
        .map(|topics| topics.last);
    let end = end_of(&sealed).or(let_go);
    safe.check(end.unwrap_or_default(), || {
        "there is no segment behind the last".into()
    })?;
    let next = next_after(&sealed, written.as_ref()).unwrap_or(Seq(1));
    let header = SegmentHeader::new(*log, next, false);
    let active = make_segment(disk, header, step(settings.segment_bytes))?;
    Ok((
        0,
        assemble(
            disk,
            log,
            sealed,
            active,
            Active::default(),
            written,
            &settings.retention.rules,
        )?,
    ))
}

/// The number after the last of these segments, or after all that is gone.
fn next_after(sealed: &[Arc<SealedSegment>], written: Option<&Topics>) -> Option<Seq> {
    let sealed = sealed.last().map(|segment| segment.index.totals.last);
    sealed.or(written.map(|topics| topics.last)).map(Seq::next)
}

/// Whether a segment's header never became safe, so that nothing in it was. In its place may stand what another file has left.
pub(crate) fn is_unfinished(disk: &dyn Disk, log: &LogId, base: Seq) -> io::Result<bool> {
    let file = disk.open(&segment_name(base))?;
    let mut head = [0; SEGMENT_HEADER as usize];
    let read = file.read_at(&mut head, 0)?;
    let found = SegmentHeader::decode(&head[..read]).ok();
    if found.is_some_and(|header| header.base == base) {
        return Ok(false);
    }
    // A header is made safe before the first batch is written. Whoever finds a batch of this segment behind a bad one has
    // found damage; behind another's header, one of the other, a file with a wrong name.
    let own = SegmentHeader::new(*log, base, false);
    for header in found.into_iter().chain([own]) {
        let (file, len) = (Arc::clone(&file), file.len()?);
        let body = Body { header, file, len };
        if body.is_covered(SEGMENT_HEADER, Seq::ZERO)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Makes a segment's file, safe and with so much room, if there is. It replaces one that was left unfinished.
pub(crate) fn make_segment(disk: &dyn Disk, header: SegmentHeader, room: u64) -> io::Result<Body> {
    let file = disk.create(&segment_name(header.base))?;
    take_room(&*file, 0, room);
    file.write_at(&header.encode(), 0)?;
    file.sync()?;
    disk.sync_dir(FOLDER)?;
    Ok(Body {
        header,
        file,
        len: SEGMENT_HEADER,
    })
}

/// The last record that something beside the segments knows to have been safe, and what knows it.
pub(crate) struct Proven {
    pub(crate) seq: Seq,
    pub(crate) by: String,
}

impl Proven {
    /// # Errors
    /// [`OpenError::Damaged`] if the log ends before it: what is missing is no torn tail.
    fn check(&self, last: Seq, place: impl FnOnce() -> String) -> Result<(), OpenError> {
        match self.seq > last {
            true => Err(OpenError::Damaged(format!(
                "{}: the records after {} are missing or damaged, and {} knows that they were safe up to {}",
                place(),
                last.0,
                self.by,
                self.seq.0
            ))),
            false => Ok(()),
        }
    }
}

/// What the list of topics, the snapshots and the indexes say of the log's end. All of them are written only when the log is safe up
/// to there.
pub(crate) fn proven(
    disk: &dyn Disk,
    log: &LogId,
    bases: &[Seq],
    topics: Option<&Topics>,
) -> io::Result<Proven> {
    let mut proven = Proven {
        seq: topics.map_or(Seq::ZERO, |topics| topics.last),
        by: Topics::NAME.into(),
    };
    let mut learn = |seq, by| {
        if seq > proven.seq {
            proven = Proven { seq, by };
        }
    };
    if let Some((seq, by)) = snapshot::newest(disk, log)? {
        learn(seq, by);
    }
    // The last segment has one if it was sealed, and the one behind it is missing.
    let newest = numbered(disk, FOLDER, ".idx")?.pop();
    if let Some(base) = newest.filter(|base| bases.last().is_none_or(|last| base >= last)) {
        let opened = disk
            .open(&index_name(base))
            .and_then(|file| Sealed::of_any_length(file, log, base));
        match opened {
            Ok(index) => learn(index.totals.last, index_name(base)),
            Err(error) if is_damage(&error) || error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(proven)
}

/// Reads the last segment, cuts off what is torn, and makes safe what is left. Up to `safe` it was already.
fn tail(disk: &dyn Disk, safe: &Proven, mut body: Body) -> Result<(u64, Body, Active), OpenError> {
    let mut index = Active::default();
    let base = body.header.base;
    let walked = body.walk(|record, at, len| {
        // A segment is rolled long before.
        index.add(record, base, u32::try_from(at).unwrap_or(u32::MAX), len);
    })?;
    let last = index.totals.last.max(base.before());
    if let Some(why) = walked.stopped_by
        && body.is_covered(walked.end, last.next())?
    {
        return Err(refuse(why));
    }
    safe.check(last, || format!("{} at byte {}", segment_name(base), walked.end))?;
    let torn = bytes_at(&body, walked.end)?;
    if torn > 0 {
        // Zeros from here on, on disk too, before anything new is written there.
        body.file.set_len(walked.end)?;
    }
    body.len = walked.end;
    // Also what is good may have been written by a process that died before it was safe.
    body.file.sync()?;
    if disk.list("")?.iter().any(|name| name == UNSYNCED) {
        // Not what was safe: should this fail, what is written down of it would be newer than the log.
        write_again(&body, walked.synced_through.max(safe.seq))?;
        body.file.sync()?;
        disk.remove(UNSYNCED)?;
    }
    Ok((torn, body, index))
}

/// A file that says that a sync has failed where records had been acknowledged before it. It need not be safe: when the machine has
/// been started anew, what is read is what there is.
pub(crate) const UNSYNCED: &str = "unsynced";

/// What becomes [`UNSYNCED`]: made when the log is opened, for a full disk has no room for it later.
pub(crate) const UNSYNCED_READY: &str = "unsynced.tmp";

/// Writes what may not be safe once more. A system that has failed to write something may go on to show it and never try again.
fn write_again(body: &Body, synced_through: Seq) -> io::Result<()> {
    let mut from = body.len;
    body.walk(|record, at, _| {
        if record.seq > synced_through {
            from = from.min(at - BATCH_HEADER as u64); // A sync never ends within a batch.
        }
    })?;
    let mut chunk = vec![0; 64 << 10];
    while from < body.len {
        let len = usize::try_from(body.len - from)
            .unwrap_or(usize::MAX)
            .min(chunk.len());
        let read = body.file.read_at(&mut chunk[..len], from)?;
        if read == 0 {
            break;
        }
        body.file.write_at(&chunk[..read], from)?;
        from += read as u64;
    }
    Ok(())
}

/// How many bytes that are not zero stand behind a place.
pub(crate) fn bytes_at(body: &Body, from: u64) -> io::Result<u64> {
    let (mut at, mut count) = (from, 0);
    let mut chunk = vec![0; 64 << 10];
    let zeros = vec![0; chunk.len()];
    loop {
        let read = body.file.read_at(&mut chunk, at)?;
        // Nearly always it is all zeros, which the processor compares at once.
        if chunk[..read] != zeros[..read] {
            count += chunk[..read].iter().filter(|byte| **byte != 0).count() as u64;
        }
        at += read as u64;
        if read < chunk.len() {
            return Ok(count);
        }
    }
}

fn open_sealed(disk: &dyn Disk, log: &LogId, body: Body) -> Result<SealedSegment, OpenError> {
    let base = body.header.base;
    let opened = disk
        .open(&index_name(base))
        .and_then(|file| Sealed::open(file, log, base, body.len));
    let index = match opened {
        Ok(index) => index,
        Err(error) if is_shortage(&error) || is_newer(&error) => return Err(refuse(error)),
        Err(error) => match index_of_more(disk, log, &body) {
            Some(index) => index,
            None => {
                tracing::warn!(%error, index = index_name(base), "an index is made anew");
                match build_index(disk, log, &body) {
                    // It is in memory until there is room.
                    Err(OpenError::Io(error)) if is_full(&error) => fresh_index(log, &body)?,
                    built => built?,
                }
            }
        },
    };
    Ok(SealedSegment::new(body, index))
}

/// The index of a segment that has lost its end, which says whose events stood there. One that was written anew without what is gone
/// may be shorter than the index that it had before.
fn index_of_more(disk: &dyn Disk, log: &LogId, body: &Body) -> Option<Sealed> {
    let base = body.header.base;
    let file = disk.open(&index_name(base)).ok()?;
    let index = Sealed::of_any_length(file, log, base).ok()?;
    (!body.header.has_holes && index.segment_len().ok()? > body.len).then_some(index)
}

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem)
}

fn fresh_index(log: &LogId, body: &Body) -> Result<Sealed, OpenError> {
    Ok(Sealed::fresh(
        index_in_memory(body)?,
        log,
        body.header.base,
        body.len,
    ))
}

fn index_in_memory(body: &Body) -> Result<Active, OpenError> {
    let base = body.header.base;
    let mut index = Active::default();
    let walked =
        body.walk(|record, at, len| index.add(record, base, u32::try_from(at).unwrap_or(u32::MAX), len))?;
    match walked.stopped_by {
        Some(why) => Err(refuse(why)),
        None => Ok(index),
    }
}

/// Makes the index of a sealed segment from its records.
pub(crate) fn build_index(disk: &dyn Disk, log: &LogId, body: &Body) -> Result<Sealed, OpenError> {
    let base = body.header.base;
    let index = index_in_memory(body)?;
    index.seal(disk, &index_name(base), log, base, body.len)?;
    let file = disk.open(&index_name(base))?;
    Ok(Sealed::open(file, log, base, body.len)?)
}

/// Brings what was written down of topics up to date.
fn assemble(
    disk: &dyn Disk,
    log: &LogId,
    sealed: Vec<Arc<SealedSegment>>,
    active: Body,
    index: Active,
    written: Option<Topics>,
    rules: &Rules,
) -> Result<State, OpenError> {
    let state = State {
        sealed: Arc::new(sealed),
        active,
        index,
        topics: Topics::default(),
        ruled: Ruled::new(rules.clone()),
        cut: Each::default(),
        damage: Arc::default(),
    };
    let sealed_last = state.sealed.last().map(|segment| segment.index.totals.last);
    let last = state.index.totals.last.max(sealed_last.unwrap_or_default());
    let oldest = state.first();
    let is_made_anew = written.is_none();
    let mut topics = written.unwrap_or_else(|| {
        let mut topics = Topics::anew(holes(&state).max(oldest.before()), oldest.before());
        // An empty segment may follow what is gone.
        if last == Seq::ZERO {
            topics.last = state.active.header.base.before();
        }
        topics
    });
    if is_made_anew {
        match cuts::load(disk, log) {
            Ok(cuts) => topics.take_cuts(cuts),
            // What they say is gone is told as missing, or is read once more.
            Err(error) if is_damage(&error) => tracing::warn!(%error, "it is not known what was let go"),
            Err(error) => return Err(refuse(error)),
        }
    }
    let after = if is_made_anew { Seq::ZERO } else { topics.last };
    replay(&state, after, &mut |record| {
        topics.note(record);
        topics.settle();
    })
    .map_err(refuse)?;
    topics.is_complete();
    topics.settle_cuts();
    missing::tell(&state.sealed, &state.active.header, &mut topics, &state.damage);
    topics.begins_with(oldest);
    let mut state = State { topics, ..state };
    // A log of which nothing can be gone needs no list yet, and a full disk has no room for one.
    if is_made_anew && state.topics.is_anew && !state.sealed.is_empty() {
        tracing::warn!(
            "the list of topics was made anew: some readers may be told of a gap though they missed nothing"
        );
        state.topics.save(disk, log)?;
        state.topics.listed = state.topics.last;
    }
    Ok(state)
}

/// Up to where records may have been taken out of segments.
fn holes(state: &State) -> Seq {
    let holed = state
        .sealed
        .iter()
        .filter(|segment| segment.body.header.has_holes);
    holed
        .map(|segment| segment.index.totals.last)
        .max()
        .unwrap_or_default()
}

/// All records after a number that are in the log, in order.
pub(crate) fn replay(state: &State, after: Seq, each: &mut dyn FnMut(&Record)) -> io::Result<()> {
    replay_sealed(&state.sealed, after, each)?;
    replay_one(&state.active, state.index.totals.last, after, each)
}

/// The same of sealed segments.
pub(crate) fn replay_sealed(
    sealed: &[Arc<SealedSegment>],
    after: Seq,
    each: &mut dyn FnMut(&Record),
) -> io::Result<()> {
    let mut later = sealed.iter().filter(|segment| segment.index.totals.last > after);
    later.try_for_each(|segment| replay_one(&segment.body, segment.index.totals.last, after, each))
}

fn replay_one(body: &Body, last: Seq, after: Seq, each: &mut dyn FnMut(&Record)) -> io::Result<()> {
    if body.is_missing() {
        return Err(body.damaged(0, Damaged("the segment is missing")));
    }
    let (mut is_beyond, mut reached) = (false, Seq::ZERO);
    let walked = body.walk(|record, _, _| {
        reached = record.number().unwrap_or(reached);
        match record.seq {
            _ if record.number() > Some(last) => is_beyond = true,
            seq if seq > after => each(record),
            _ => {}
        }
    })?;
    // What is read here was good when the log was opened, or belongs to a sealed segment.
    if let Some(why) = walked.stopped_by {
        return Err(why);
    }
    if reached < last {
        return Err(body.damaged(walked.end, Damaged("the segment ends too early")));
    }
    if is_beyond {
        let why = Damaged("it has records that its index does not know");
        return Err(body.damaged(walked.end, why));
    }
    Ok(())
}

/// Damage stays damage; other errors of reading are what they are.
fn refuse(error: io::Error) -> OpenError {
    match error.kind() {
        io::ErrorKind::InvalidData => OpenError::Damaged(error.to_string()),
        _ if is_newer(&error) => OpenError::Newer(error.to_string()),
        _ => OpenError::Io(error),
    }
}
