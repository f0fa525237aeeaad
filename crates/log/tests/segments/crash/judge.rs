//! One run: works, crashes, opens again, and compares.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use fastrand::Rng;
use tidewire_codec::EventId;
use tidewire_log::{
    Entry, Epoch, Millis, Record, Seq, Settings, Topic, TopicSet,
    archive::{AppendError, Store},
    ids::Epochs,
    ledger::Ledgers,
    machine::Machine,
};

use super::{
    plan::{Open, Plan, Promise},
    work,
};
use crate::{model::Model, sim::SimDisk};

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    /// It was killed: what it had written is read again.
    Killed,
    /// The power went.
    Power,
}

/// What happens beside crashes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Troubles {
    /// It is full, and a sync fails.
    OfTheDisk,
    /// Also the system is short of descriptors or memory, and two namespaces share the archive.
    All,
}

/// What is known to be true of the log that is there.
#[derive(Clone, Default)]
struct Truth {
    /// Everything that was acknowledged, or found when a log was opened; also what is gone by now.
    records: BTreeMap<Seq, Arc<Record>>,
    /// What the log said of itself, in front of which record, and how manyth there.
    notes: BTreeMap<(Seq, usize), Arc<Record>>,
    /// The last batch, if nobody saw an answer to it.
    pending: Vec<Arc<Record>>,
    /// What was refused for want of room since the log was opened.
    refused: Vec<Seq>,
    /// The last one was begun with the first batch after the log was opened, if there was one.
    epochs: Vec<(Epoch, Seq)>,
    /// When retention was last asked for, and the last event at that time.
    trimmed: (Millis, Seq),
    /// Topics were forgotten, or what was lost had moved floors: they may be too high.
    is_loose: bool,
    /// The log was closed, and nothing was done since.
    closed: bool,
    /// A sync has failed since it was opened.
    failed: bool,
}

/// What readers have been told, by this log or by the one that an older copy of it was put in the place of: under which record a
/// number was ever seen.
#[derive(Default)]
struct Told(HashMap<(Epoch, Seq), Arc<Record>>);

pub(super) struct Run<'a> {
    plan: Plan,
    open: Open<'a>,
    troubles: Troubles,
    rng: Rng,
    disk: SimDisk,
    truth: Truth,
    told: Told,
    /// A copy of the log, and what was true when it was made.
    copy: Option<(SimDisk, Truth)>,
    /// When one is made, and put back.
    copying: Rng,
    /// What must stand in the archive that is open.
    model: Model,
    /// There were records of a batch whose answer nobody saw.
    has_found: bool,
    /// The epoch of this opening, until a batch has been kept that begins it.
    owed: Option<Epoch>,
    next: Seq,
    now: Millis,
    ids: Vec<EventId>,
}

impl Truth {
    fn last(&self) -> Seq {
        self.records.keys().next_back().copied().unwrap_or_default()
    }

    /// The epoch to which a number belongs.
    fn epoch_of(&self, seq: Seq) -> Epoch {
        let mut since = self.epochs.iter().rev();
        since.find(|(_, first)| *first <= seq).expect("it has an epoch").0
    }

    /// Where an epoch ends in this log, if it has it.
    fn end_of(&self, epoch: Epoch) -> Option<Seq> {
        let mut since = self.epochs.iter();
        since.find(|(name, _)| *name == epoch)?;
        Some(since.next().map_or(self.last(), |(_, next)| next.before()))
    }

    /// What a machine remembers of everything up to a record, as bytes.
    fn remembered(&self, through: Seq) -> Vec<u8> {
        let epochs = Epochs::of_log(self.epochs.clone());
        let mut machine = Machine::new(epochs, Settings::UNBOUNDED, Ledgers::new());
        let notes = self.notes.iter().map(|((seq, _), note)| (*seq, false, note));
        let records = self.records.iter().map(|(seq, record)| (*seq, true, record));
        let mut all: Vec<_> = notes.chain(records).filter(|(seq, ..)| *seq <= through).collect();
        all.sort_by_key(|(seq, is_numbered, _)| (*seq, *is_numbered));
        all.iter().for_each(|(.., record)| machine.replay(record));
        machine.snapshot()
    }

    /// What stands if retention takes nothing.
    fn model(&self) -> Model {
        let mut model = Model::default();
        for record in self.records.values() {
            model.append(std::slice::from_ref(record));
            match &record.entry {
                Entry::Purge { topics, .. } => drop(model.purge(topics, record.seq)),
                Entry::Forget { topics, through } => model.forget(topics, *through),
                _ => {}
            }
        }
        model
    }
}

impl Told {
    fn add(&mut self, truth: &Truth, record: &Arc<Record>) {
        let epoch = truth.epoch_of(record.seq);
        if let Some(other) = self.0.insert((epoch, record.seq), Arc::clone(record)) {
            assert!(
                other == *record,
                "{epoch}-{} stood for {other:?} and stands for {record:?}",
                record.seq.0
            );
        }
    }

    /// Whether a cursor that some reader may have stands for what it stood for, or for nothing.
    fn check(&self, truth: &Truth) {
        for ((epoch, seq), record) in &self.0 {
            if truth.end_of(*epoch).is_some_and(|end| *seq <= end) {
                let here = truth.records.get(seq);
                assert!(
                    here.is_some_and(|here| here == record),
                    "{epoch}-{} stood for {record:?} and stands for {here:?}",
                    seq.0
                );
            }
        }
        for (seq, record) in &truth.records {
            let epoch = truth.epoch_of(*seq);
            let told = self.0.get(&(epoch, *seq));
            assert!(
                told.is_some_and(|told| told == record),
                "{record:?} has got another id, {epoch}-{}: {:?}",
                seq.0,
                truth.epochs
            );
        }
    }
}

impl<'a> Run<'a> {
    pub(super) fn new(seed: u64, open: Open<'a>, troubles: Troubles) -> Self {
        let mut rng = Rng::with_seed(seed);
        Self {
            plan: Plan::of(seed),
            open,
            troubles,
            disk: SimDisk::new(rng.u64(..)),
            rng,
            truth: Truth::default(),
            told: Told::default(),
            copy: None,
            copying: Rng::with_seed(seed ^ 0x0063_6f70_7900),
            model: Model::default(),
            has_found: false,
            owed: None,
            next: Seq(1),
            now: 1_000_000,
            ids: work::all_ids(),
        }
    }

    /// Returns whether a segment was rewritten.
    pub(super) fn go(mut self) -> bool {
        let mut has_rewritten = false;
        let mut end = End::Killed;
        for _ in 0..self.plan.rounds {
            let archive = self.reopen(&mut end);
            self.compare(&*archive, end);
            // What it found that had not been acknowledged must be as safe as the rest from now on.
            let is_cut_short = self.has_found && self.rng.bool();
            if !is_cut_short {
                self.work(&*archive);
            }
            has_rewritten |= self.has_holes();
            end = self.end(archive, is_cut_short);
            if self.copying.u8(..4) == 0 {
                self.put_back(&mut end);
            }
        }
        let archive = self.reopen(&mut end);
        self.compare(&*archive, end);
        has_rewritten
    }

    /// Whether the header of a segment says that records were taken out.
    fn has_holes(&self) -> bool {
        let files = self.disk.files();
        let mut segments = files.iter().filter(|name| name.ends_with(".seg"));
        segments.any(|name| self.disk.bytes(name).get(12) == Some(&1))
    }

    /// Makes a copy of the log, now and then, if what it shows is what there is.
    fn copy(&mut self) {
        let is_well = !self.disk.is_off() && !self.disk.has_failed() && self.truth.pending.is_empty();
        if is_well && self.copying.u8(..20) == 0 {
            self.copy = Some((self.disk.copy(), self.truth.clone()));
        }
    }

    /// Puts the copy in the place of the log, which has gone on.
    fn put_back(&mut self, end: &mut End) {
        if let Some((disk, truth)) = self.copy.clone() {
            (self.disk, self.truth) = (disk.copy(), truth);
            self.disk.set_room(None);
            *end = End::Killed;
        }
    }

    /// Opens the log, after a few tries that are cut short.
    fn reopen(&mut self, end: &mut End) -> Box<dyn Store> {
        for attempt in 0.. {
            let cut = attempt < 4 && self.rng.bool();
            let fails = attempt < 4 && self.rng.u8(..6) == 0;
            if cut {
                self.disk.stop_at(self.rng.u64(1..30));
            }
            if fails {
                self.disk.fail_sync(self.rng.u64(1..6));
            }
            if attempt < 4 && self.troubles == Troubles::All && self.rng.u8(..6) == 0 {
                self.disk.set_short(Some(self.rng.u64(1..20)));
            }
            match (self.open)(Arc::new(self.disk.clone()), &self.plan) {
                Ok(archive) if !self.disk.is_off() => {
                    self.disk.calm();
                    return archive;
                }
                Ok(_) => {}
                Err(_) if self.disk.is_off() || self.disk.has_failed() || self.disk.is_short() => {}
                Err(why) => panic!("refused to open after {end:?}: {why}"),
            }
            // Who was cut short has promised nothing, so also the process alone may have ended. But a system that could not write
            // something may show it all the same, so after that only a machine that was started anew tells the truth.
            match self.disk.is_off() || self.disk.has_failed() || self.rng.bool() {
                true => {
                    self.disk = self.disk.crash(&mut self.rng);
                    *end = End::Power;
                }
                false => self.disk = self.disk.kill(),
            }
        }
        unreachable!("the fifth attempt is not disturbed");
    }

    /// Ends the process in one way or another.
    fn end(&mut self, archive: Box<dyn Store>, is_cut_short: bool) -> End {
        let is_well = !self.disk.is_off() && self.truth.pending.is_empty() && !is_cut_short;
        self.truth.closed = is_well && self.rng.u8(..3) == 0;
        if self.truth.closed {
            archive.close();
            let is_well = !self.disk.has_failed() && !self.disk.is_full() && !self.disk.is_short();
            self.truth.closed = !self.disk.is_off() && is_well;
        }
        // Also in the midst of something the process alone may have ended.
        let end = match is_cut_short || self.rng.bool() {
            true => End::Power,
            false => End::Killed,
        };
        self.truth.failed = self.disk.has_failed();
        let after = match end {
            End::Power => self.disk.crash(&mut self.rng),
            End::Killed => self.disk.kill(),
        };
        drop(archive); // Its disk is off: what it does at its end is done to nothing.
        self.disk = after;
        self.disk.set_room(None);
        end
    }

    /// Uses the archive until something happens to it.
    fn work(&mut self, archive: &dyn Store) {
        match self.rng.u8(..8) {
            0..4 => self.disk.stop_at(self.rng.u64(1..150)),
            4 => self.disk.fail_sync(self.rng.u64(1..40)),
            5 if self.troubles == Troubles::All => self.disk.set_short(Some(self.rng.u64(1..30))),
            _ => {}
        }
        // Now and then it ends as soon as it has begun: what it found is then all that it had.
        let most = if self.rng.u8(..5) == 0 { 2 } else { 60 };
        for _ in 0..self.rng.usize(..most) {
            if self.may_be_unreadable() {
                return self.append(archive);
            }
            self.truth.closed = false;
            self.now += self.rng.u64(..2_000);
            match self.rng.u8(..26) {
                0 | 1 => self.trim(archive),
                2 if self.rng.u8(..4) == 0 => self.forget(archive),
                3 => self.model.check(archive, &mut self.rng, &self.ids),
                4 if self.rng.u8(..3) == 0 => {
                    let room = self.disk.used() + self.rng.u64(..3_000);
                    self.disk.set_room(Some(room));
                }
                5 => {
                    self.disk.set_room(None);
                    self.disk.set_short(None);
                }
                6 => self.snapshot(archive),
                20..23 => self.trim_topics(archive),
                23..26 => self.compact(archive),
                _ => self.append(archive),
            }
            if archive.wants_snapshot() {
                self.snapshot(archive);
            }
            self.copy();
            if self.disk.is_off() || !self.truth.pending.is_empty() {
                return;
            }
        }
    }

    /// A sync has failed, and what was acknowledged was not safe: it may not be there to be read.
    fn may_be_unreadable(&self) -> bool {
        self.disk.has_failed() && self.plan.promise != Promise::Always
    }

    fn batch(&mut self) -> Vec<Arc<Record>> {
        let has_relay = self.troubles == Troubles::All;
        work::batch(&mut self.rng, self.next, self.now, self.plan.largest, has_relay)
    }

    fn append(&mut self, archive: &dyn Store) {
        let batch = self.batch();
        self.commit(archive, batch);
    }

    /// Appends a batch as the hub does: the first since the log was opened begins an epoch.
    fn commit(&mut self, archive: &dyn Store, mut batch: Vec<Arc<Record>>) {
        if let Some(epoch) = self.owed {
            let (first, time) = (batch[0].seq, batch[0].time);
            let entry = Entry::Epoch(epoch);
            batch.insert(
                0,
                Arc::new(Record {
                    seq: first,
                    time,
                    entry,
                }),
            );
            if self.truth.epochs.last().is_none_or(|(last, _)| *last != epoch) {
                self.truth.epochs.push((epoch, self.truth.last().next()));
            }
        }
        let last = batch.last().unwrap().seq;
        self.next = last.next();
        let result = archive.append(&batch);
        if self.disk.is_off() && result.is_err() {
            self.truth.pending = batch;
            return;
        }
        match result {
            Ok(()) => {
                self.owed = None;
                self.add(&batch);
                self.model.append(&batch);
                for record in &batch {
                    if let Entry::Forget { topics, through } = &record.entry {
                        archive.forget(topics, *through);
                        self.model.forget(topics, *through);
                        self.truth.is_loose = true;
                    }
                    if let Entry::Purge { topics, .. } = &record.entry {
                        let purged = archive.purge(topics, record.seq);
                        let expected = self.model.purge(topics, record.seq);
                        assert!(
                            matches!(purged, Ok(count) if count == expected)
                                || self.disk.is_off()
                                || self.may_be_unreadable(),
                            "{record:?} let {purged:?} events go, not {expected}"
                        );
                    }
                }
            }
            Err(error @ (AppendError::Full(_) | AppendError::Short(_) | AppendError::Failed(_))) => {
                let has_reason = match error {
                    AppendError::Full(_) => self.disk.is_full(),
                    AppendError::Short(_) => self.disk.is_short(),
                    _ => self.disk.has_failed(),
                };
                assert!(has_reason, "the disk gives no reason for: {error}");
                self.truth.refused.extend(batch.iter().map(|record| record.seq));
                if !self.disk.has_failed() {
                    self.model.check(archive, &mut self.rng, &self.ids);
                }
            }
            Err(why) => {
                assert!(self.disk.has_failed(), "the disk is well, but: {why}");
                self.truth.pending = batch;
                let again = archive.append(&self.batch());
                assert!(
                    matches!(again, Err(AppendError::Poisoned(_))),
                    "after {why}: {again:?}"
                );
            }
        }
    }

    fn add(&mut self, batch: &[Arc<Record>]) {
        let is_told = |record: &&Arc<Record>| !matches!(record.entry, Entry::Epoch(_));
        for (number, record) in batch.iter().filter(is_told).enumerate() {
            if record.entry.is_note() {
                self.truth.notes.insert((record.seq, number), Arc::clone(record));
                continue;
            }
            self.truth.records.insert(record.seq, Arc::clone(record));
            self.told.add(&self.truth, record);
        }
    }

    fn trim(&mut self, archive: &dyn Store) {
        let events = self.truth.records.values().rev();
        let newest = events.map(|record| record.seq).next().unwrap_or_default();
        self.truth.trimmed = (self.now, newest);
        archive.trim(self.now);
        if !self.disk.is_off() && !self.may_be_unreadable() {
            let may = may_go(&self.plan, self.truth.trimmed, self.now);
            self.model.adopt(archive, may);
        }
    }

    fn trim_topics(&mut self, archive: &dyn Store) {
        archive.trim_topics(self.now);
        if !self.disk.is_off() && !self.may_be_unreadable() {
            let may = may_go(&self.plan, self.truth.trimmed, self.now);
            self.model.adopt(archive, may);
            if !self.disk.has_failed() {
                self.check_rules();
            }
        }
    }

    /// Whether no topic holds more events than its rule allows.
    fn check_rules(&self) {
        for topic in self.model.topics() {
            let rule = self.plan.retention.rules.of(&topic);
            let max = rule.and_then(|rule| rule.max_events).unwrap_or(usize::MAX);
            let held = self.model.events_after(&topic, Seq::ZERO);
            assert!(
                held <= max,
                "{topic:?} holds {held} events, and {max} are allowed"
            );
        }
    }

    fn compact(&mut self, archive: &dyn Store) {
        // Now and then it is told to give up.
        let left = std::cell::Cell::new(if self.rng.u8(..4) == 0 {
            self.rng.u32(..6)
        } else {
            u32::MAX
        });
        archive.compact(&|| {
            left.set(left.get().saturating_sub(1));
            left.get() > 0
        });
        if !self.disk.is_off() && !self.may_be_unreadable() {
            // The oldest segments may go as a whole, with all that is dead in them: nobody sees the difference.
            self.model.check(archive, &mut self.rng, &self.ids);
        }
    }

    fn forget(&mut self, archive: &dyn Store) {
        let Ok(topics) = TopicSet::new(archive.idle(3)) else {
            return;
        };
        let (seq, through) = (self.next, self.next.before());
        let entry = Entry::Forget { topics, through };
        let time = self.now;
        self.commit(archive, vec![Arc::new(Record { seq, time, entry })]);
    }

    fn snapshot(&mut self, archive: &dyn Store) {
        let seq = self.truth.last();
        if seq == Seq::ZERO {
            return;
        }
        archive.snapshot(seq, &self.truth.remembered(seq));
    }

    /// The archive has just been opened: is everything as it must be?
    fn compare(&mut self, archive: &dyn Store, end: End) {
        assert_eq!(archive.damaged(), 0, "a crash damages nothing");
        let history = archive.history();
        let lost = self.find_end(history.last, end);
        self.compare_epochs(&history.epochs, history.last);
        let found: Vec<_> = self
            .truth
            .pending
            .drain(..)
            .filter(|record| record.seq <= history.last)
            .collect();
        let last = self.truth.records.last_key_value().map(|(_, record)| record);
        let last = found.last().or(last);
        let time = last.map_or(0, |record| record.time);
        assert!(
            history.time == time || (self.plan.promise != Promise::Always && history.time > time),
            "the time of {:?} is {time}, not {}",
            history.last,
            history.time
        );
        self.has_found = !found.is_empty();
        self.truth.is_loose |= found
            .iter()
            .any(|record| matches!(record.entry, Entry::Forget { .. }));
        self.add(&found);
        self.told.check(&self.truth);
        self.truth.refused.clear();
        self.next = history.last.next();

        self.model = self.truth.model();
        let may = may_go(&self.plan, self.truth.trimmed, self.now);
        // What a purge has taken does not come back if the purge itself is lost.
        self.model
            .adopt(archive, |model, record, topic| lost || may(model, record, topic));
        self.check_rules();
        self.truth.is_loose |= lost;
        if self.truth.is_loose {
            self.model.loose = Some(history.last);
        }
        self.compare_replay(archive, history.snapshot);
        self.model.check(archive, &mut self.rng, &self.ids);
    }

    /// Whether the log ends where it may: at the last acknowledged record, or at one of the batch after it. `true`:
    /// what was acknowledged has been lost, as it may be under this setting.
    fn find_end(&mut self, last: Seq, end: End) -> bool {
        let acknowledged = self.truth.last();
        assert!(
            !self.truth.refused.contains(&last),
            "{last:?} was refused, and is there"
        );
        let is_pending = self.truth.pending.iter().any(|record| record.seq == last);
        if last == acknowledged || is_pending {
            return false;
        }
        assert!(
            last < acknowledged,
            "the log ends with {last:?}, which nobody sent; {acknowledged:?} was acknowledged"
        );
        let may_lose = self.plan.promise != Promise::Always && !self.truth.closed;
        let may_lose = may_lose && (end == End::Power || self.truth.failed);
        assert!(
            may_lose,
            "the log ends with {last:?}; {acknowledged:?} was acknowledged"
        );
        assert!(
            last == Seq::ZERO || self.truth.records.contains_key(&last),
            "the log ends with {last:?}, which nobody sent"
        );
        self.truth.records.retain(|seq, _| *seq <= last);
        self.truth.notes.retain(|(seq, _), _| *seq <= last);
        self.truth.pending.clear();
        true
    }

    /// Whether the epochs are those that have records: one that has none is replaced.
    fn compare_epochs(&mut self, found: &[(Epoch, Seq)], last: Seq) {
        let known = &self.truth.epochs;
        let what = format!("the log ends with {last:?}; its epochs are {found:?}; they were {known:?}");
        let with_records = known.iter().filter(|(_, first)| *first <= last);
        assert!(found.iter().eq(with_records), "{what}");
        self.truth.epochs = found.to_vec();
        self.owed = Some(work::epoch(&mut self.rng));
    }

    /// Whether the machine can know all it has to.
    fn compare_replay(&self, archive: &dyn Store, snapshot: Option<(Seq, Vec<u8>)>) {
        let mut after = Seq::ZERO;
        if let Some((seq, state)) = snapshot {
            // Whether it was given or the store has made it.
            assert!(
                state == self.truth.remembered(seq),
                "a snapshot of {seq:?} that is not right"
            );
            after = seq;
        }
        self.check_told(archive, after);
        // The newest snapshot may turn out to be damaged: then the one before it must do.
        let number = |name: &String| {
            name.strip_prefix("snap/")?
                .split('.')
                .next()?
                .parse()
                .ok()
                .map(Seq)
        };
        let mut snapshots: Vec<Seq> = self.disk.files().iter().filter_map(number).collect();
        snapshots.sort_unstable();
        if let [.., older, _] = snapshots[..] {
            self.check_told(archive, older);
        }
    }

    /// Whether all that came after a snapshot is told, be it gone by now or not.
    fn check_told(&self, archive: &dyn Store, after: Seq) {
        let (mut told, mut notes) = (BTreeSet::new(), Vec::new());
        let mut last = after;
        archive
            .replay(after, &mut |record| {
                if record.entry.is_note() {
                    notes.push(record.clone());
                    return;
                }
                assert!(last < record.seq, "{:?} is told after {last:?}", record.seq);
                last = record.seq;
                let known = self.truth.records.get(&last);
                assert!(
                    known.is_some_and(|known| **known == *record),
                    "{record:?} is told, which is {known:?}"
                );
                told.insert(last);
            })
            .unwrap();
        let known = self
            .truth
            .notes
            .range((after.next(), 0)..)
            .map(|(_, note)| &**note);
        assert!(notes.iter().eq(known), "{notes:?} are told after {after:?}");
        for (seq, record) in self.truth.records.range(after.next()..) {
            assert!(told.contains(seq), "{record:?} is not told after {after:?}");
        }
    }
}

/// Whether retention may have let a record go from a topic: under the bounds for all when it was last asked for, or under
/// the topic's rule by now.
fn may_go(
    plan: &Plan,
    (asked, newest): (Millis, Seq),
    now: Millis,
) -> impl Fn(&Model, &Record, &Topic) -> bool {
    let retention = plan.retention.clone();
    move |model, record, topic| {
        let is_old = |max: Option<Duration>, now: Millis| {
            let age = max.map(|age| u64::try_from(age.as_millis()).unwrap());
            age.is_some_and(|age| record.time < now.saturating_sub(age))
        };
        let has_bound = retention.max_events.is_some() || retention.max_bytes < 1 << 20;
        let by_rule = retention.rules.of(topic).is_some_and(|rule| {
            let later = model.events_after(topic, record.seq);
            is_old(rule.max_age, now)
                || rule.max_events.is_some_and(|max| later >= max)
                || rule
                    .max_bytes
                    .is_some_and(|max| later > 0 && model.at_most(topic, record.seq) > max)
        });
        is_old(retention.max_age, asked) || (has_bound && record.seq < newest) || by_rule
    }
}
