//! The committer: one task that gives publishes their order.
//!
//! Publishes that arrive while a batch is being committed form the next batch. A batch is the unit of
//! durability, of visibility and of delivery. A publish is answered once its batch is visible, so
//! nothing is acknowledged that a reader will not see.
//!
//! Bounds: [`QUEUE`] publishes wait; who comes after them waits to get in.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::MissedTickBehavior,
};

use crate::{
    Change, Clock, Draft, Error, Outcome, Receipt, Record, Row,
    archive::Archive,
    machine::{Applied, Machine},
    stats::Counters,
    tail::Tail,
};

/// How many publishes may wait for the committer.
const QUEUE: usize = 1024;

/// The most publishes in one batch.
const BATCH: usize = 1024;

/// How often retention looks at the clock. Bounds in bytes and events hold at every publish.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// A publish on its way to the committer.
struct Waiting {
    draft: Draft,
    row: Option<Row>,
    answer: Answer,
}

type Answer = oneshot::Sender<Result<Receipt, Error>>;

/// A publish that has its turn: resolves once it is kept and visible, or says why it was refused.
/// Dropping it does not take the publish back.
#[derive(Debug)]
#[must_use = "only the answer tells whether the publish was accepted"]
pub struct Pending(oneshot::Receiver<Result<Receipt, Error>>);

impl Future for Pending {
    type Output = Result<Receipt, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(answer.unwrap_or(Err(Error::Closed)))
    }
}

/// What the committer works on.
pub(crate) struct Committer {
    pub(crate) clock: Clock,
    pub(crate) machine: Arc<Mutex<Machine>>,
    pub(crate) archive: Arc<dyn Archive>,
    pub(crate) tail: Arc<Tail>,
    pub(crate) counters: Arc<Counters>,
}

/// The way to the committer, which it ends with.
pub(crate) struct Sequencer {
    queue: Mutex<Option<mpsc::Sender<Waiting>>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Sequencer {
    /// Starts the committer on the current runtime.
    #[expect(
        clippy::disallowed_methods,
        reason = "the handle is kept: `close` waits for the task, `drop` aborts it"
    )]
    pub(crate) fn start(committer: Committer) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        Self {
            queue: Mutex::new(Some(queue)),
            task: Mutex::new(Some(tokio::spawn(committer.run(waiting)))),
        }
    }

    /// Resolves once the publish has its turn.
    pub(crate) async fn enqueue(&self, draft: Draft, row: Option<Row>) -> Result<Pending, Error> {
        let queue = self.queue.lock().clone().ok_or(Error::Closed)?;
        let (answer, answered) = oneshot::channel();
        let sent = queue.send(Waiting { draft, row, answer }).await;
        sent.map_err(|_| Error::Closed)?;
        Ok(Pending(answered))
    }

    /// Takes no more publishes and waits until those that wait are committed.
    pub(crate) async fn close(&self) {
        drop(self.queue.lock().take());
        let task = self.task.lock().take();
        if let Some(Err(error)) = match task {
            Some(task) => Some(task.await),
            None => None,
        } {
            tracing::error!(%error, "the committer ended badly");
        }
    }
}

impl Drop for Sequencer {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().take() {
            task.abort();
        }
    }
}

impl Committer {
    async fn run(self, mut waiting: mpsc::Receiver<Waiting>) {
        let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
        housekeeping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut pending = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                taken = waiting.recv_many(&mut pending, BATCH) => match taken {
                    0 => return,
                    _ => self.commit(pending.drain(..)),
                },
                _ = housekeeping.tick() => self.keep_house(),
            }
        }
    }

    fn commit(&self, pending: impl Iterator<Item = Waiting>) {
        let now = self.clock.now();
        let mut batch = Vec::new();
        let mut answers = Vec::new();
        {
            let mut machine = self.machine.lock();
            for Waiting { draft, row, answer } in pending {
                match Row::apply(row.as_ref(), || machine.apply(draft, now)) {
                    Ok(Applied::Record(record, receipt)) => {
                        answers.push((answer, receipt));
                        batch.push(Arc::new(record));
                    }
                    Ok(Applied::Replayed(receipt)) => {
                        self.counters.replayed();
                        answers.push((answer, receipt));
                    }
                    Err(error) => {
                        self.counters.refused();
                        drop(answer.send(Err(error)));
                    }
                }
            }
        }
        self.counters.committed(batch.iter().map(|record| &**record));
        if let Err(error) = self.archive.append(&batch) {
            tracing::error!(%error, "the archive keeps nothing");
            return; // The answers are dropped: next step.
        }
        self.tail.publish(&batch, &self.machine);
        self.purge(&batch, &mut answers);
        self.archive.trim(now);
        for (answer, receipt) in answers {
            // A publisher that has gone does not take its event back.
            drop(answer.send(Ok(receipt)));
        }
    }

    /// Only what is visible may be missing, so this comes after the tail.
    fn purge(&self, batch: &[Arc<Record>], answers: &mut [(Answer, Receipt)]) {
        for record in batch
            .iter()
            .filter(|record| record.change == Some(Change::Purges))
        {
            let count = self.archive.purge(&record.topics, record.seq);
            let own = answers.iter_mut().find(|(_, receipt)| receipt.seq == record.seq);
            if let Some((_, receipt)) = own {
                receipt.outcome = Outcome::Purged(count);
            }
        }
    }

    fn keep_house(&self) {
        let mut machine = self.machine.lock();
        self.archive.trim(self.clock.now().max(machine.time()));
        if machine.is_full() {
            for topic in self.archive.forget_idle() {
                machine.forget(&topic);
            }
        }
    }
}
