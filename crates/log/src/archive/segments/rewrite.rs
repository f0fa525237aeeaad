//! Giving back the room of what is gone: a sealed segment that is mostly dead is written anew without it.
//!
//! - **Dead** is an event that is gone from all of its topics. Ends, purges and topics that were forgotten stay: they say what became of
//!   topics should the list of them be lost. So do notes and facts, which are of no topic, for a machine without a snapshot. So does a segment's last record, which says how far numbers and time have come.
//! - **Whole.** A segment of which nothing is kept goes with its files where that can be told: it is the oldest, or the next one was
//!   rewritten, whose header says that records are missing up to it.
//! - **When.** At least half (an eighth while the log is over its bound in bytes) of a segment's bytes are dead, as its index has them by topic (an event of several topics counts in
//!   each), and no machine that starts anew needs its records: they are in both snapshots that a recovery may find.
//! - **Safe.** First the floors are written down; then the new file is written beside the old one and synced; then it takes the old one's
//!   name. A crash leaves the one or the other; an index that does not fit is made anew. Its header says that records are
//!   missing, for those who have lost the floors.
//! - **Beside everything else.** Only the swap, and writing down the floors, keep the writer out. Readers that have the old file go on
//!   with it.
//!
//! Bounds: one segment at a time, one a call, more while the log takes more room than its bound; [`LOOKS`] lines of indexes are
//! looked at a call, and only after something was let go.

use std::{collections::BTreeMap, io, sync::Arc};

use super::{
    cause, cuts,
    damage::is_damage,
    disk::DiskFile,
    format::{BATCH_HEADER, BatchHeader, SegmentHeader, encode_record},
    index::{Active, Sealed},
    paged::temporary,
    segment::{Body, FOLDER, SealedSegment, index_name, segment_name},
    topics::Topics,
    writer::Log,
};
use crate::{Entry, Record, Seq};

/// How many lines of indexes are looked at in one call. A segment with more waits for several.
const LOOKS: u64 = 20_000;

/// A segment is rewritten when this part of its bytes is dead: one of so many.
const PART: u64 = 2;

/// The same while the log takes more room than its bound: what is gone of a namespace may be little of many segments.
const PART_WHEN_OVER: u64 = 8;

/// After a failure so many calls pass before the next try.
const REST: u32 = 60;

/// How many bytes are written at once.
const CHUNK: usize = 1 << 20;

/// What rewriting remembers from one call to the next.
#[derive(Default)]
pub(crate) struct Rewriting {
    /// How many lines may be looked at.
    lines: u64,
    /// Where to go on.
    next: Seq,
    /// What was found in each segment.
    found: BTreeMap<Seq, Found>,
    rest: u32,
}

/// What was found in a segment.
#[derive(Clone, Copy, Default)]
struct Found {
    /// How much had been let go in all at that time.
    raised: u64,
    /// Bytes that count as dead and cannot be given back.
    stays: u64,
}

/// The bytes of a segment's records.
#[derive(Clone, Copy, Default)]
struct Bytes {
    dead: u64,
    live: u64,
}

impl Log {
    /// See [`Store::compact`](crate::archive::Store::compact).
    pub(crate) fn compact(&self, go_on: &dyn Fn() -> bool) {
        let Some(mut rewriting) = self.rewriting.try_lock() else {
            return;
        };
        let kept = self.keep_books();
        self.troubles
            .books
            .note("write down the index of a segment", cause(&kept));
        let kept = self.keep_base();
        self.troubles
            .base
            .note("write down what is remembered of topics", cause(&kept));
        if rewriting.rest > 0 {
            rewriting.rest -= 1;
            return;
        }
        rewriting.lines = rewriting.lines.saturating_add(LOOKS);
        let compacted = loop {
            match self.compact_one(&mut rewriting, go_on) {
                // More comes in than one call would give back.
                Ok(true) if self.is_over() && go_on() => {}
                compacted => break compacted,
            }
        };
        // What is saved up is for a segment that needs more than one call's.
        let sealed = Arc::clone(&self.state.read().sealed);
        let lines = sealed.iter().map(|segment| u64::from(segment.index.len()) + 1);
        rewriting.lines = rewriting.lines.min(lines.max().unwrap_or_default());
        let trouble = &self.troubles.compact;
        trouble.note("give back the room of events that are gone", cause(&compacted));
        if let Err(error) = compacted {
            self.state.read().damage.wish(&error);
            rewriting.rest = REST;
        }
    }

    /// Looks for a segment that is to go or to be rewritten. Whether there was one.
    fn compact_one(&self, rewriting: &mut Rewriting, go_on: &dyn Fn() -> bool) -> io::Result<bool> {
        let (sealed, raised) = {
            let state = self.state.read();
            (Arc::clone(&state.sealed), state.topics.raised)
        };
        let base = |segment: &SealedSegment| segment.body.header.base;
        rewriting.found.retain(|found, _| {
            sealed
                .binary_search_by_key(found, |segment| base(segment))
                .is_ok()
        });
        let covered = match self.writer.lock() {
            writer if writer.poisoned().is_some() => return Ok(false),
            writer => writer.snapshots.covered(),
        };
        let mut has_acted = false;
        let part = if self.is_over() { PART_WHEN_OVER } else { PART };
        let from = sealed.partition_point(|segment| base(segment) < rewriting.next);
        for segment in sealed[from..].iter().chain(&sealed[..from]) {
            let found = rewriting.found.get(&base(segment)).copied();
            let is_needed = segment.index.totals.last > covered || segment.index.is_fresh();
            if is_needed || found.is_some_and(|found| found.raised == raised) {
                continue;
            }
            let lines = u64::from(segment.index.len()) + 1;
            if rewriting.lines < lines {
                return Ok(false); // Until there are enough of them.
            }
            rewriting.lines -= lines;
            rewriting.next = base(segment).next();
            let stays = found.map_or(0, |found| found.stays);
            let (bytes, dead) = self.dead(segment)?;
            // When all of it is gone it is rewritten once in any case: then the one before it may go as a whole.
            let is_new_dead = bytes.live == 0 && !segment.body.header.has_holes;
            let stays = if bytes.live == 0 && self.drop_dead(segment)? {
                stays
            } else if self.state.read().damage.is_in(base(segment)) {
                // Its copy would not say any more that something is damaged.
                rewriting.found.insert(base(segment), Found { raised, stays });
                continue;
            } else if is_new_dead {
                self.rewrite(segment, dead, 0, go_on)?
            } else if dead.saturating_sub(stays) * part >= segment.body.len {
                self.rewrite(segment, dead, segment.body.len / (part * 2), go_on)?
            } else {
                rewriting.found.insert(base(segment), Found { raised, stays });
                continue;
            };
            rewriting.found.insert(base(segment), Found { raised, stays });
            has_acted = true;
            break;
        }
        Ok(has_acted)
    }

    /// What its index says is dead and alive in a segment, and how much of its file that makes.
    fn dead(&self, segment: &SealedSegment) -> io::Result<(Bytes, u64)> {
        let mut bytes = Bytes::default();
        for line in segment.index.topics() {
            let (topic, line) = line?;
            let start = self.state.read().topics.start(&topic);
            let gone = match segment.body.delta(start) {
                None => 0,
                Some(_) if start >= segment.index.totals.last => line.count,
                Some(delta) => segment.index.rank(&line, delta)?,
            };
            let dead = share(line.bytes, gone.into(), line.count.into());
            bytes.dead += dead;
            bytes.live += line.bytes - dead;
        }
        let dead = share(segment.body.len, bytes.dead, bytes.dead + bytes.live);
        Ok((bytes, dead))
    }

    /// A segment of which nothing is kept goes as a whole, if what is left says that records are missing where it was: the oldest,
    /// and one before a segment that was rewritten. Whether it has gone.
    fn drop_dead(&self, segment: &Arc<SealedSegment>) -> io::Result<bool> {
        let _cutting = self.cutting.lock();
        let sealed = Arc::clone(&self.state.read().sealed);
        let Some(place) = sealed.iter().position(|one| Arc::ptr_eq(one, segment)) else {
            return Ok(false);
        };
        let next = sealed.get(place + 1);
        if place > 0 && !next.is_some_and(|next| next.body.header.has_holes) {
            return Ok(false);
        }
        self.drop_whole(segment)?;
        Ok(true)
    }

    /// Writes a segment anew, if that gives back so many bytes at `least`. Returns how many of the `dead` bytes cannot be given back.
    fn rewrite(
        &self,
        segment: &Arc<SealedSegment>,
        dead: u64,
        least: u64,
        go_on: &dyn Fn() -> bool,
    ) -> io::Result<u64> {
        let base = segment.body.header.base;
        let rewritten = self.save_floors(segment);
        let rewritten = rewritten.and_then(|cut| match cut {
            Some(cut) => self.copy(segment, &cut, go_on),
            None => Ok(None),
        });
        let rewritten = rewritten.or_else(|error| match is_damage(&error) {
            true => {
                self.state.read().damage.note(base, &error.to_string());
                Ok(None)
            }
            false => Err(error),
        });
        let swapped = rewritten.and_then(|copied| match copied {
            Some(copy) => {
                let (was, is) = (segment.body.len, copy.body.len);
                let stays = dead.saturating_sub(was - is);
                // Not worth it: what is dead is mostly of the kind that stays.
                if was - is < least {
                    return Ok(Some(stays));
                }
                self.swap(segment, copy)?;
                tracing::debug!(base = base.0, was, is, "a segment was rewritten");
                Ok(Some(stays))
            }
            None => Ok(None),
        });
        // What has not taken its place would only take room.
        for name in [segment_name(base), index_name(base)] {
            drop(self.disk.remove(&temporary(&name)));
        }
        Ok(swapped?.unwrap_or_default())
    }

    /// Writes down what is gone of it, before the last trace of that goes. None: it has gone meanwhile.
    fn save_floors(&self, segment: &Arc<SealedSegment>) -> io::Result<Option<Topics>> {
        let lines = segment.index.topics().collect::<io::Result<Vec<_>>>()?;
        let _cutting = self.cutting.lock();
        let sealed = Arc::clone(&self.state.read().sealed);
        if !sealed.iter().any(|one| Arc::ptr_eq(one, segment)) {
            return Ok(None);
        }
        // An earlier cut may say more, where floors have not risen since: only this is gone for readers.
        let mut gone = Topics::default();
        for chunk in lines.chunks(cuts::CHUNK) {
            let state = self.state.read();
            for (topic, _) in chunk {
                gone.learn(topic.clone(), state.topics.place_of(topic));
            }
        }
        self.save_cut(segment, &lines, |_| false, Seq::ZERO)?;
        Ok(Some(gone))
    }

    /// A segment without its dead records, and its index, safe under names of their own. None: it was broken off.
    fn copy(
        &self,
        segment: &SealedSegment,
        gone: &Topics,
        go_on: &dyn Fn() -> bool,
    ) -> io::Result<Option<SealedSegment>> {
        let base = segment.body.header.base;
        let last = segment.index.totals.last;
        let is_dead = |record: &Record| {
            let is_gone = |topic| record.seq <= gone.start(topic);
            let is_event = matches!(record.entry, Entry::Event { ends: false, .. });
            is_event && record.seq != last && record.topics().iter().all(is_gone)
        };
        let header = SegmentHeader {
            has_holes: true,
            ..segment.body.header
        };
        let mut copy = Copy::begin(self.disk.create(&temporary(&segment_name(base)))?, header);
        let mut failed = None;
        let walked = segment.body.batches(|batch, records| {
            let left = records
                .iter()
                .map(|(record, ..)| record)
                .filter(|record| !is_dead(record));
            let added = copy.add(batch, left);
            failed = added.err();
            failed.is_none() && go_on()
        })?;
        if let Some(why) = failed.or(walked.stopped_by) {
            return Err(why);
        }
        if walked.end != segment.body.len || !go_on() {
            return Ok(None);
        }
        copy.end()?;
        let (len, name) = (copy.written, temporary(&index_name(base)));
        copy.index.prepare(&*self.disk, &name, &self.id, base, len)?;
        let index = Sealed::open(self.disk.open(&name)?, &self.id, base, len)?;
        let body = Body {
            header,
            file: copy.file,
            len,
        };
        let sealed = SealedSegment::new(body, index);
        self.parts(&sealed)?;
        Ok(Some(sealed))
    }

    /// Puts a copy in the place of a segment, unless that has gone meanwhile.
    fn swap(&self, segment: &Arc<SealedSegment>, copy: SealedSegment) -> io::Result<()> {
        let writer = self.writer.lock();
        let mut sealed = Vec::clone(&self.state.read().sealed);
        let place = sealed.iter_mut().find(|one| Arc::ptr_eq(one, segment));
        let (None, Some(place)) = (writer.poisoned(), place) else {
            return Ok(());
        };
        let base = segment.body.header.base;
        for name in [segment_name(base), index_name(base)] {
            self.disk.rename(&temporary(&name), &name)?;
        }
        self.disk.sync_dir(FOLDER)?;
        *place = Arc::new(copy);
        self.state.write().sealed = Arc::new(sealed);
        Ok(())
    }
}

/// So many parts of a whole.
fn share(whole: u64, parts: u64, of: u64) -> u64 {
    let share = u128::from(whole) * u128::from(parts) / u128::from(of.max(1));
    u64::try_from(share).unwrap_or(whole).min(whole)
}

/// A segment that is being written anew.
pub(crate) struct Copy {
    file: Arc<dyn DiskFile>,
    header: SegmentHeader,
    index: Active,
    /// What comes next.
    bytes: Vec<u8>,
    /// The bytes before it.
    written: u64,
}

impl Copy {
    pub(crate) fn begin(file: Arc<dyn DiskFile>, header: SegmentHeader) -> Self {
        Self {
            file,
            header,
            index: Active::default(),
            bytes: header.encode().to_vec(),
            written: 0,
        }
    }

    /// Adds a record as a batch of its own, which knows of nothing that was safe before it.
    pub(crate) fn add_alone(&mut self, record: &Record) -> io::Result<()> {
        let batch = BatchHeader {
            len: 0,
            count: 0,
            first: record.seq,
            synced_through: Seq::ZERO,
        };
        self.add(&batch, std::iter::once(record))
    }

    /// Writes what is left, and makes it safe.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        self.write()?;
        self.file.sync()
    }

    /// Adds what is left of a batch.
    fn add<'a>(&mut self, batch: &BatchHeader, left: impl Iterator<Item = &'a Record>) -> io::Result<()> {
        let start = self.bytes.len();
        let mut header = BatchHeader {
            len: 0,
            count: 0,
            ..*batch
        };
        for record in left {
            if header.count == 0 {
                header.first = record.seq;
                self.bytes.resize(start + BATCH_HEADER, 0);
            }
            header.count += 1;
            let at = self.bytes.len();
            encode_record(record, &self.header, &mut self.bytes).map_err(io::Error::other)?;
            let offset = u32::try_from(self.written + at as u64).map_err(io::Error::other)?;
            let len = (self.bytes.len() - at) as u64;
            self.index.add(record, self.header.base, offset, len);
        }
        if header.count == 0 {
            return Ok(());
        }
        let len = self.bytes.len() - start - BATCH_HEADER;
        header.len = u32::try_from(len).map_err(io::Error::other)?;
        let head = header.encode(&self.header, self.written + start as u64);
        self.bytes[start..start + BATCH_HEADER].copy_from_slice(&head);
        if self.bytes.len() >= CHUNK {
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        self.file.write_at(&self.bytes, self.written)?;
        self.written += self.bytes.len() as u64;
        self.bytes.clear();
        Ok(())
    }
}
