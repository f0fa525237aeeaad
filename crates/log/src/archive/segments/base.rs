//! What is known beside the records, written down from time to time: the machine's memory ([`snapshot`](super::snapshot)) and the list
//! of topics. Both are made from files, what was written down before and the sealed segments after it, so that nothing that is in use
//! is copied and appending does not wait.
//!
//! It is time when the segments since the last time have [`TIMES`] the bytes of what was written then: so what is written of all
//! topics is a part of what was appended, however many topics there are, and opening a log reads no more than that again.
//!
//! Where the machine's memory cannot be made from files (they are damaged, an older release wrote them and settings are unknown), the
//! machine itself is [asked](crate::archive::Store::wants_snapshot).

use std::{io, sync::Arc};

use super::{
    damage::is_damage, recover::replay_sealed, segment::SealedSegment, snapshot::Snapshots, topics::Topics,
    writer::Log,
};
use crate::{Epoch, Seq, Settings, ids::Epochs, ledger::Ledgers, machine::Machine};

/// See the module's text.
const TIMES: u64 = 2;

/// After so many looks, one a second, in which no segment was sealed it is time as well if files wait for it.
const QUIET: u32 = 60;

/// So many facts of doors that are not known here are carried along before the machine is asked, whose ledgers need less room.
const MOST_FACTS: usize = 10_000;

/// What is remembered of the last time.
#[derive(Default)]
pub(crate) struct Base {
    /// The bytes that were written.
    bytes: u64,
    /// Where the sealed segments ended when it was looked whether it is time.
    seen: Seq,
    /// How often they ended there since.
    quiet: u32,
}

/// What it is made from.
struct Sources {
    /// In order, also those that are gone but for their files.
    segments: Vec<Arc<SealedSegment>>,
    snapshots: Snapshots,
    listed: Seq,
    epochs: Vec<(Epoch, Seq)>,
    /// Files wait for it.
    is_waiting: bool,
    /// So many that publishers wait for them: see [`Log::urgency`].
    is_overdue: bool,
}

impl Log {
    /// Writes it down, if it is time. One at a time; whoever calls it does not append.
    pub(crate) fn keep_base(&self) -> io::Result<()> {
        let mut base = self.cutting.lock();
        let Some(sources) = self.sources() else {
            return Ok(());
        };
        let last = sources
            .segments
            .last()
            .map_or(Seq::ZERO, |segment| segment.index.totals.last);
        let known = sources.snapshots.newest().min(sources.listed);
        let later = sources
            .segments
            .iter()
            .filter(|segment| segment.index.totals.last > known);
        let bytes: u64 = later.map(|segment| segment.body.len).sum();
        base.quiet = match std::mem::replace(&mut base.seen, last) == last {
            true => base.quiet + 1,
            false => 0,
        };
        let is_time = bytes > 0 && bytes >= TIMES * base.bytes;
        let is_urgent = sources.is_waiting && (sources.is_overdue || base.quiet >= QUIET);
        if !(is_time || is_urgent) {
            return Ok(());
        }
        base.quiet = 0;
        let written = self.write_base(&sources, last);
        let must_ask = match &written {
            Ok(written) => written.is_none(),
            Err(error) => is_damage(error),
        };
        self.writer.lock().wants_snapshot |= must_ask;
        base.bytes = written?.unwrap_or_default();
        // Files wait for two of them.
        self.writer.lock().slack = 2 * TIMES * base.bytes;
        Ok(())
    }

    /// None: nothing is written any more.
    fn sources(&self) -> Option<Sources> {
        let writer = self.writer.lock();
        if writer.poisoned().is_some() {
            return None;
        }
        let leaving = writer.leaving.iter().map(|leaving| &leaving.segment);
        let sealed = Arc::clone(&self.state.read().sealed);
        let mut segments: Vec<_> = leaving.chain(sealed.iter()).cloned().collect();
        segments.sort_by_key(|segment| segment.body.header.base);
        Some(Sources {
            segments,
            snapshots: writer.snapshots.clone(),
            listed: writer.listed,
            epochs: writer.meta.epochs.clone(),
            is_waiting: writer.leaving.front().is_some_and(|next| next.is_needed(&writer)),
            is_overdue: writer.overdue_at > 0,
        })
    }

    /// Returns how many bytes were written. None: only the machine can tell.
    fn write_base(&self, sources: &Sources, last: Seq) -> io::Result<Option<u64>> {
        let mut snapshots = sources.snapshots.clone();
        let last = last.max(snapshots.newest());
        let Some(machine) = self.machine_of(sources, last)? else {
            return Ok(None);
        };
        let state = machine.snapshot();
        let saved = snapshots.save(&*self.disk, &self.id, last, &state);
        self.writer.lock().snapshots = snapshots;
        saved?;
        // After it: a topic that was forgotten may be on the list and unknown to the machine, but the other way round
        // nobody would ever make the machine forget it.
        let topics = self.topics_of(sources)?;
        let listed = topics.save(&*self.disk, &self.id)?;
        let mut writer = self.writer.lock();
        writer.listed = topics.last;
        let facts: usize = machine.absent.values().map(|book| book.facts.len()).sum();
        writer.wants_snapshot |= facts > MOST_FACTS;
        Ok(Some(state.len() as u64 + listed))
    }

    fn machine_of(&self, sources: &Sources, last: Seq) -> io::Result<Option<Machine>> {
        let epochs = Epochs::of_log(sources.epochs.clone());
        // The log says what its settings are. Until then nothing is forgotten.
        let machine = Machine::new(epochs, Settings::UNBOUNDED, Ledgers::new());
        let (newest, _) = Snapshots::load(&*self.disk, &self.id, last)?;
        let (after, mut machine) = match newest {
            Some((seq, state)) => match machine.restore(seq, &state) {
                Ok(machine) => (seq, machine),
                Err(error) => {
                    tracing::debug!(%error, "what the machine remembered cannot be read here");
                    return Ok(None);
                }
            },
            None if sources
                .segments
                .first()
                .is_none_or(|first| first.body.header.base > Seq(1)) =>
            {
                return Ok(None);
            }
            None => (Seq::ZERO, machine),
        };
        machine.epochs.set(sources.epochs.clone());
        replay_sealed(&sources.segments, after, &mut |record| machine.replay(record))?;
        let time = sources
            .segments
            .last()
            .map_or(0, |segment| segment.index.totals.last_time);
        machine.go_on_after(last, time);
        Ok(machine.noted_settings().is_some().then_some(machine))
    }

    fn topics_of(&self, sources: &Sources) -> io::Result<Topics> {
        let mut topics = match sources.listed {
            Seq::ZERO => Topics::begin(&*self.disk, &self.id)?,
            _ => Topics::load(&*self.disk, &self.id)?,
        };
        let after = topics.last;
        replay_sealed(&sources.segments, after, &mut |record| {
            topics.note(record);
            topics.settle();
        })?;
        topics.settle_cuts();
        topics.miss(self.state.read().topics.missed);
        Ok(topics)
    }
}
