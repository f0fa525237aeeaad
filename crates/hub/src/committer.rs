//! The committer: one task that gives publishes their order.
//!
//! Publishes that arrive while a batch is being committed form the next batch. A batch is the unit of
//! durability, of visibility and of delivery. A publish is answered once its batch is visible, so
//! nothing is acknowledged that a reader will not see.
//!
//! A batch that the archive does not keep leaves no trace: the machine takes it back, and all its publishes are
//! refused. Where the archive waits for a disk, so does the committer: it then has a thread of its own, for a hop to
//! another thread and back takes as long as some disks.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::RwLock;
use tidewire_log::{
    archive::{AppendError, Store},
    machine::{Applied, Machine},
    settings::Settings,
    timekeeper::Timekeeper,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::MissedTickBehavior,
};

use crate::{
    Entry, Epoch, Error, Health, Outcome, Receipt, Record, Row, Seq, Times, Topic, TopicSet,
    compaction::Compaction,
    health::Pulse,
    sequencer::{Answer, Waiting},
    stats::Counters,
    tail::Tail,
};

/// The most publishes in one batch.
const BATCH: usize = 1024;

/// How often retention looks at the clock. Bounds in bytes and events hold at every publish.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// So many topics are remembered though nothing is kept of them.
const MANY_TOPICS: u64 = 10_000;

/// What the committer works on.
pub(crate) struct Committer {
    pub(crate) time: Arc<Timekeeper>,
    /// Only the committer writes to it.
    pub(crate) machine: Arc<RwLock<Machine>>,
    pub(crate) archive: Arc<dyn Store>,
    pub(crate) tail: Arc<Tail>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) pulse: Arc<Pulse>,
    /// What the log is to say of itself, with the first record after the start.
    pub(crate) settings: Settings,
    pub(crate) epoch: Epoch,
    pub(crate) owes_epoch: AtomicBool,
}

/// What the machine made of the publishes that were waiting.
struct Batch {
    times: Times,
    /// The number before its first.
    after: Seq,
    records: Vec<Arc<Record>>,
    answers: Vec<Answered>,
}

/// A publish and the answer to it, which is held back until the batch is kept.
struct Answered {
    answer: Answer,
    row: Option<Row>,
    outcome: Result<Receipt, Error>,
}

impl Committer {
    /// Commits what waits, until nobody can publish any more. Blocks where the archive does.
    pub(crate) async fn run(self, mut waiting: mpsc::Receiver<Waiting>) {
        let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
        housekeeping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut pending = Vec::with_capacity(BATCH);
        let mut compaction = Compaction::default();
        let mut gone = Vec::new();
        loop {
            tokio::select! {
                biased; // What is too old at the start goes before anything comes.
                _ = housekeeping.tick() => {
                    self.keep_house(&mut gone);
                    compaction.go_on(&self.archive);
                }
                taken = waiting.recv_many(&mut pending, BATCH) => match taken {
                    0 => break,
                    _ => self.commit(&mut pending),
                },
            }
        }
        compaction.end().await;
        if self.pulse.poisoned().is_none() {
            self.snapshot();
            self.archive.close();
        }
    }

    fn commit(&self, pending: &mut Vec<Waiting>) {
        if let Some(error) = self.pulse.poisoned() {
            for Waiting { answer, .. } in pending.drain(..) {
                self.answer(answer, Err(error.clone()));
            }
            return;
        }
        let batch = self.apply(pending.drain(..));
        if !batch.records.is_empty() {
            if let Err(failure) = self.append(&batch.records) {
                return self.take_back(batch, failure.into());
            }
            self.pulse.set(Health::Healthy);
            self.owes_epoch.store(false, Ordering::Relaxed);
        }
        self.complete(batch);
    }

    /// A fault in the archive leaves nobody waiting: what it has kept is not known.
    fn append(&self, batch: &[Arc<Record>]) -> Result<(), AppendError> {
        let append = AssertUnwindSafe(|| self.archive.append(batch));
        catch_unwind(append).unwrap_or_else(|_| Err(AppendError::Poisoned("the archive has a fault".into())))
    }

    /// Gives each publish its place, or its refusal.
    fn apply(&self, pending: impl Iterator<Item = Waiting>) -> Batch {
        let times = self.time.read();
        let mut machine = self.machine.write();
        machine.begin();
        let notes: Vec<_> = self.notes(&machine, times).collect();
        let after = machine.last();
        let mut records = Vec::new();
        let mut apply = |entry: Entry| {
            let seq = machine.last().next();
            machine
                .apply(seq, times.stamp, entry)
                .map(|applied| match applied {
                    Applied::Record(record, receipt) => {
                        records.push(Arc::new(record));
                        receipt
                    }
                    Applied::Answered(receipt) => receipt,
                })
        };
        for note in notes {
            drop(apply(note));
        }
        let answers = pending.map(|Waiting { entry, row, answer }| {
            let outcome = Row::apply(row.as_ref(), || entry.and_then(&mut apply));
            Answered { answer, row, outcome }
        });
        let answers = answers.collect();
        if records.iter().all(|record| record.entry.is_note()) {
            // The log says nothing of itself before there is a record.
            machine.undo();
            records.clear();
        }
        Batch {
            times,
            after,
            records,
            answers,
        }
    }

    /// What the log has to say of itself before it takes the next record.
    fn notes(&self, machine: &Machine, times: Times) -> impl Iterator<Item = Entry> {
        let epoch = self
            .owes_epoch
            .load(Ordering::Relaxed)
            .then_some(Entry::Epoch(self.epoch));
        let settings =
            Some(Entry::Settings(self.settings)).filter(|_| machine.noted_settings() != Some(self.settings));
        epoch
            .into_iter()
            .chain(settings)
            .chain(machine.expired_keys(times.expiry))
    }

    /// The batch is kept: makes it visible.
    fn complete(&self, batch: Batch) {
        let Batch {
            times,
            records,
            mut answers,
            ..
        } = batch;
        self.counters.committed(records.iter().map(|record| &**record));
        self.tail.publish(&records, &self.machine);
        for (seq, count) in self.purge(&records) {
            let own =
                |answered: &&mut Answered| matches!(&answered.outcome, Ok(receipt) if receipt.seq == seq);
            if let Some(Answered {
                outcome: Ok(receipt), ..
            }) = answers.iter_mut().find(own)
            {
                receipt.outcome = Outcome::Purged(count);
            }
        }
        let wants_snapshot = self.archive.wants_snapshot();
        if !wants_snapshot {
            self.archive.trim(times.expiry);
        }
        for Answered { answer, outcome, .. } in answers {
            self.answer(answer, outcome);
        }
        if wants_snapshot {
            // What the machine knows from a record is written down before the record is let go.
            self.snapshot();
            self.archive.trim(times.expiry);
        }
    }

    /// The batch is not kept: as if it had never been, but for its numbers.
    fn take_back(&self, batch: Batch, failure: Health) {
        self.machine.write().undo();
        self.tail.take_back(&batch.records, &self.machine);
        let refusal = failure.refusal();
        self.pulse.set(failure);
        for Answered { answer, row, outcome } in batch.answers {
            let outcome = match outcome {
                // Accepted in an earlier batch.
                Ok(receipt) if receipt.seq <= batch.after => Ok(receipt),
                Err(error) if !error.is_due_to_another() => Err(error),
                outcome => refusal.clone().map_or(outcome, Err),
            };
            if let (Some(row), Err(_)) = (row, &outcome) {
                row.break_off();
            }
            self.answer(answer, outcome);
        }
    }

    fn answer(&self, answer: Answer, outcome: Result<Receipt, Error>) {
        match &outcome {
            Err(_) => self.counters.refused(),
            Ok(receipt) if receipt.outcome == Outcome::Replayed => self.counters.replayed(),
            Ok(_) => {}
        }
        // A publisher that has gone does not take its event back.
        drop(answer.send(outcome));
    }

    /// Only what is visible may be missing, so this comes after the tail. Returns how many events each purge let go.
    fn purge(&self, batch: &[Arc<Record>]) -> Vec<(Seq, usize)> {
        let mut counts = Vec::new();
        for record in batch {
            match &record.entry {
                Entry::Purge { topics, .. } => {
                    let count = self.archive.purge(topics, record.seq).unwrap_or_else(|error| {
                        tracing::error!(%error, "cannot tell how much a purge let go");
                        0
                    });
                    counts.push((record.seq, count));
                }
                Entry::Forget { topics, .. } => self.archive.forget(topics, record.seq),
                _ => {}
            }
        }
        counts
    }

    /// `gone` is what the rules for single topics have let go since the time before.
    fn keep_house(&self, gone: &mut Vec<(Topic, Seq)>) {
        if let Some(why) = self.archive.poisoned() {
            self.pulse.set(Health::Poisoned(why));
        }
        let Times { expiry, .. } = self.time.read();
        self.archive.trim(expiry);
        // The window keeps it a second longer, for readers that are connected and about to take it.
        self.tail.let_go(gone);
        *gone = self.archive.trim_topics(expiry);
        if self.archive.wants_snapshot() && self.pulse.poisoned().is_none() {
            self.snapshot();
        }
        self.forget_idle();
    }

    /// Proposes to forget topics of which nothing is kept, where many are known. A few are remembered: what is forgotten may be told as
    /// a gap to who comes back late, though nothing was missed.
    fn forget_idle(&self) {
        let known = self.machine.read().topic_count() as u64;
        if known < self.settings.max_topics && known <= MANY_TOPICS {
            return;
        }
        let Ok(topics) = TopicSet::new(self.archive.idle(Entry::MOST_FORGOTTEN)) else {
            return;
        };
        let through = self.machine.read().last();
        let (answer, _) = oneshot::channel();
        let entry = Ok(Entry::Forget { topics, through });
        self.commit(&mut vec![Waiting {
            entry,
            row: None,
            answer,
        }]);
    }

    /// Has the archive write down what the machine remembers.
    fn snapshot(&self) {
        let state = self.machine.read().snapshot();
        self.archive.snapshot(self.tail.watermark(), &state);
    }
}

/// Whatever it waits for would never come: nothing more is acknowledged.
impl Drop for Committer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.pulse.set(Health::Poisoned(
                "the committer ended badly: restart the server".into(),
            ));
        }
    }
}
