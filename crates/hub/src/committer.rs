//! The committer: one task that gives publishes their order.
//!
//! Publishes that arrive while a batch is being committed form the next batch. A batch is the unit of
//! durability, of visibility and of delivery. A publish is answered once its batch is visible, so
//! nothing is acknowledged that a reader will not see.
//!
//! A batch that the archive does not keep leaves no trace: the machine takes it back, and all its publishes are
//! refused. What may wait for a disk is done where a thread may block.

use std::{sync::Arc, time::Duration};

use parking_lot::RwLock;
use tokio::{sync::mpsc, time::MissedTickBehavior};

use crate::{
    Change, Clock, Error, Health, Millis, Outcome, Receipt, Record, Row, Seq,
    archive::Archive,
    health::Pulse,
    machine::{Applied, Machine},
    sequencer::{Answer, Waiting},
    stats::Counters,
    tail::Tail,
};

/// The most publishes in one batch.
const BATCH: usize = 1024;

/// How often retention looks at the clock. Bounds in bytes and events hold at every publish.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// What the committer works on.
pub(crate) struct Committer {
    pub(crate) clock: Clock,
    /// Only the committer writes to it.
    pub(crate) machine: Arc<RwLock<Machine>>,
    pub(crate) archive: Arc<dyn Archive>,
    pub(crate) tail: Arc<Tail>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) pulse: Arc<Pulse>,
}

/// What the machine made of the publishes that were waiting.
struct Batch {
    now: Millis,
    /// The number before its first.
    after: Seq,
    records: Arc<Vec<Arc<Record>>>,
    answers: Vec<Answered>,
}

/// A publish and the answer to it, which is held back until the batch is kept.
struct Answered {
    answer: Answer,
    row: Option<Row>,
    outcome: Result<Receipt, Error>,
}

impl Committer {
    pub(crate) async fn run(self: Arc<Self>, mut waiting: mpsc::Receiver<Waiting>) {
        let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
        housekeeping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut pending = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                taken = waiting.recv_many(&mut pending, BATCH) => match taken {
                    0 => break,
                    _ => self.commit(&mut pending).await,
                },
                _ = housekeeping.tick() => drop(self.blocking(Self::keep_house).await),
            }
        }
        if self.pulse.poisoned().is_none() {
            let close = |this: &Self| {
                this.snapshot();
                this.archive.close();
            };
            drop(self.blocking(close).await);
        }
    }

    async fn commit(self: &Arc<Self>, pending: &mut Vec<Waiting>) {
        if let Some(error) = self.pulse.poisoned() {
            for Waiting { answer, .. } in pending.drain(..) {
                self.answer(answer, Err(error.clone()));
            }
            return;
        }
        let batch = self.apply(pending.drain(..));
        let records = Arc::clone(&batch.records);
        if !records.is_empty() {
            let append = move |this: &Self| this.archive.append(&records);
            let appended = self.blocking(append).await.map(|kept| kept.map_err(Health::from));
            if let Err(failure) = appended.and_then(std::convert::identity) {
                return self.take_back(batch, failure);
            }
            self.pulse.set(Health::Healthy);
        }
        self.complete(batch).await;
    }

    /// Gives each publish its place, or its refusal.
    fn apply(&self, pending: impl Iterator<Item = Waiting>) -> Batch {
        let now = self.clock.now();
        let mut machine = self.machine.write();
        machine.begin();
        let after = machine.last();
        let mut records = Vec::new();
        let apply = |Waiting { draft, row, answer }| {
            let applied = Row::apply(row.as_ref(), || machine.apply(draft, now));
            let outcome = applied.map(|applied| match applied {
                Applied::Record(record, receipt) => {
                    records.push(Arc::new(record));
                    receipt
                }
                Applied::Replayed(receipt) => receipt,
            });
            Answered { answer, row, outcome }
        };
        let answers = pending.map(apply).collect();
        Batch {
            now,
            after,
            records: Arc::new(records),
            answers,
        }
    }

    /// The batch is kept: makes it visible.
    async fn complete(self: &Arc<Self>, batch: Batch) {
        let Batch {
            now,
            records,
            mut answers,
            ..
        } = batch;
        self.counters.committed(records.iter().map(|record| &**record));
        self.tail.publish(&records, &self.machine);
        let purged = self.blocking(move |this| {
            let purged = this.purge(&records);
            if !this.archive.wants_snapshot() {
                this.archive.trim(now);
            }
            purged
        });
        for (seq, count) in purged.await.unwrap_or_default() {
            let own =
                |answered: &&mut Answered| matches!(&answered.outcome, Ok(receipt) if receipt.seq == seq);
            if let Some(Answered {
                outcome: Ok(receipt), ..
            }) = answers.iter_mut().find(own)
            {
                receipt.outcome = Outcome::Purged(count);
            }
        }
        for Answered { answer, outcome, .. } in answers {
            self.answer(answer, outcome);
        }
        if self.archive.wants_snapshot() {
            // What the machine knows from a record is written down before the record is let go.
            let write_down = move |this: &Self| {
                this.snapshot();
                this.archive.trim(now);
            };
            drop(self.blocking(write_down).await);
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
        let purges = batch
            .iter()
            .filter(|record| record.change == Some(Change::Purges));
        let purge = |record: &Arc<Record>| {
            let count = self
                .archive
                .purge(&record.topics, record.seq)
                .unwrap_or_else(|error| {
                    tracing::error!(%error, "cannot tell how much a purge let go");
                    0
                });
            (record.seq, count)
        };
        purges.map(purge).collect()
    }

    fn keep_house(&self) {
        let (time, is_full) = {
            let machine = self.machine.read();
            (machine.time(), machine.is_full())
        };
        self.archive.trim(self.clock.now().max(time));
        if is_full {
            let forgotten = self.archive.forget_idle();
            let mut machine = self.machine.write();
            forgotten.iter().for_each(|topic| machine.forget(topic));
        }
    }

    /// Has the archive write down what the machine remembers.
    fn snapshot(&self) {
        let state = self.machine.read().snapshot();
        self.archive.snapshot(self.tail.watermark(), &state);
    }

    /// Does what may wait for a disk: elsewhere, if it does. That nobody knows how it ended poisons the log.
    async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        job: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, Health> {
        if !self.archive.waits() {
            return Ok(job(self));
        }
        let this = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || job(&this)).await;
        done.map_err(|error| {
            let lost = Health::Poisoned(format!("the archive ended badly: {error}"));
            self.pulse.set(lost.clone());
            lost
        })
    }
}
