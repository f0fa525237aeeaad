//! The one loop that applies what the order hands out: machine, archive, tail, answers.
//!
//! A batch is the unit of durability, of visibility and of delivery. A publish is answered once its batch is visible, so nothing is
//! acknowledged that a reader will not see.
//!
//! A batch of an order that has not decided (a single node's) and that the archive does not keep leaves no trace: the machine takes it
//! back, and all its publishes are refused. A decided one is applied by other nodes in any case: this node must stop. Where the archive
//! waits for a disk, so does the loop.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use parking_lot::RwLock;
use tidewire_log::{
    archive::{AppendError, Store, Urgency},
    batch::{self, Made},
    machine::{Arrival, Machine, Origin},
    settings::Settings,
    timekeeper::Timekeeper,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::coop::consume_budget,
    time::MissedTickBehavior,
};

use crate::{
    Entry, Error, Health, Outcome, Receipt, Record, Seq, Times, Topic, TopicSet,
    compaction::Compaction,
    health::Pulse,
    order::{Broken, Follower, Ordered, Proposed},
    proposals::{Beginning, Waiting},
    session::SessionOrder,
    stats::Counters,
    tail::Tail,
    tickets::{Ticket, Tickets},
};

/// How often retention looks at the clock, and at what is on a disk. In memory, bounds in bytes and events hold at every publish.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// So many topics are remembered though nothing is kept of them.
const MANY_TOPICS: u64 = 10_000;

/// The log's loop, and all that it applies batches to.
pub(crate) struct Applier<F> {
    pub(crate) follower: F,
    /// See [`crate::order::Joined::decided`].
    pub(crate) decided: bool,
    pub(crate) origin: Origin,
    pub(crate) time: Arc<Timekeeper>,
    /// Only this loop writes to it.
    pub(crate) machine: Arc<RwLock<Machine>>,
    pub(crate) archive: Arc<dyn Store>,
    pub(crate) tail: Arc<Tail>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) tickets: Arc<Tickets>,
    pub(crate) settings: Settings,
    pub(crate) start: Arc<Beginning>,
    /// For what the node proposes by itself.
    pub(crate) proposals: mpsc::WeakSender<Waiting>,
    /// The answer to the last proposal to forget topics.
    pub(crate) forgetting: Option<oneshot::Receiver<Result<Receipt, Error>>>,
}

/// A batch that the machine has accepted, and the archive may yet refuse.
struct Batch {
    times: Times,
    /// The number before its first.
    after: Seq,
    made: Made,
}

impl<F: Follower> Applier<F> {
    /// Applies what is handed out, until the hub stops or the order breaks. Blocks where the archive does.
    pub(crate) async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
        housekeeping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut compaction = Compaction::default();
        let mut gone = Vec::new();
        // Events that grew too old while the node was away are let go before anything is appended.
        self.archive.trim(self.time.read().expiry);
        loop {
            let last = self.machine.read().last();
            let mut urgency = Urgency::Idle;
            tokio::select! {
                biased;
                _ = housekeeping.tick() => {
                    self.keep_house(&mut gone);
                    compaction.go_on(&self.archive, self.time.read().expiry);
                }
                // In front of the order, which may always have something of other nodes.
                _ = &mut stopped => break,
                ordered = self.follower.next(last) => match ordered {
                    Ok(ordered) => {
                        self.take(ordered);
                        urgency = self.archive.urgency();
                    }
                    Err(Broken::Closed) => break,
                    Err(broken) => {
                        self.pulse.set(Health::Poisoned(broken.to_string()));
                        break;
                    }
                },
            }
            match urgency {
                Urgency::Idle => {}
                Urgency::Due => compaction.go_on(&self.archive, self.time.read().expiry),
                // Publishers wait meanwhile.
                Urgency::Overdue => compaction.catch_up(&self.archive, self.time.read().expiry).await,
            }
            // The packer has its turn too, however much the order has.
            consume_budget().await;
            if self.decided && self.pulse.poisoned().is_some() {
                break;
            }
        }
        let unknown = Error::OutcomeUnknown;
        self.tickets
            .fail(&self.pulse.poisoned().filter(|_| !self.decided).unwrap_or(unknown));
        compaction.end().await;
        if self.pulse.poisoned().is_none() {
            self.snapshot();
            self.archive.close();
        }
    }

    /// Takes a batch that was handed out.
    fn take(&mut self, ordered: Ordered) {
        let Ordered {
            position,
            first,
            time,
            origin,
            number,
            entries,
        } = ordered;
        let is_own = origin == self.origin;
        let mut note = None;
        if self.decided {
            match self.machine.write().arrive(position, origin, number) {
                Arrival::Next => {}
                Arrival::Again => return,
                Arrival::Early => {
                    if is_own {
                        self.tickets.lost();
                    }
                    return;
                }
            }
            note = Some(Entry::Batch {
                position,
                origin,
                number,
            });
        }
        let flight = if is_own { self.tickets.land(number) } else { None };
        if let Some(error) = self.pulse.poisoned() {
            flight
                .into_iter()
                .for_each(|flight| self.tickets.refuse(flight, &error));
            return;
        }
        let (tickets, barriers) = flight
            .map(|flight| (flight.tickets, flight.barriers))
            .unwrap_or_default();
        tickets
            .iter()
            .flatten()
            .filter_map(|ticket| ticket.session.as_ref())
            .for_each(SessionOrder::land);
        let batch = self.apply(first, time, note, entries);
        let records = &batch.made.records;
        if !records.is_empty() {
            if let Err(failure) = self.append(records) {
                self.take_back(batch, tickets, failure.into());
                return;
            }
            self.pulse.set(Health::Healthy);
            self.start.0.lock().clear();
        }
        self.complete(batch, tickets);
        for barrier in barriers {
            drop(barrier.send(Ok(())));
        }
    }

    /// A fault in the archive leaves nobody waiting: what it has kept is not known.
    fn append(&self, batch: &[Arc<Record>]) -> Result<(), AppendError> {
        let append = AssertUnwindSafe(|| self.archive.append(batch));
        catch_unwind(append).unwrap_or_else(|_| Err(AppendError::Poisoned("the archive has a fault".into())))
    }

    /// Gives each entry its place, or its refusal.
    fn apply(&self, first: Seq, time: u64, note: Option<Entry>, entries: Vec<Proposed>) -> Batch {
        let times = self.time.read();
        let mut machine = self.machine.write();
        machine.begin();
        let after = machine.last();
        let mut made = batch::apply(first, entries, note, |seq, entry| machine.apply(seq, time, entry));
        if !self.decided && made.records.iter().all(|record| record.entry.is_note()) {
            // The log says nothing of itself before there is a record.
            machine.undo();
            made.records.clear();
        }
        Batch { times, after, made }
    }

    /// The batch is kept: makes it visible.
    fn complete(&mut self, batch: Batch, tickets: Vec<Option<Ticket>>) {
        let Made {
            records,
            mut outcomes,
        } = batch.made;
        self.counters.committed(&records);
        self.tail.publish(&records, &self.machine);
        for (seq, count) in self.purge(&records) {
            let own =
                |outcome: &&mut Result<Receipt, Error>| matches!(outcome, Ok(receipt) if receipt.seq == seq);
            if let Some(Ok(receipt)) = outcomes.iter_mut().find(own) {
                receipt.outcome = Outcome::Purged(count);
            }
        }
        if !self.archive.may_block() {
            self.archive.trim(batch.times.expiry);
        }
        for (ticket, outcome) in tickets.into_iter().zip(outcomes) {
            if let Some(ticket) = ticket {
                self.tickets.answer(ticket, outcome);
            }
        }
        if self.archive.wants_snapshot() {
            self.snapshot();
        }
    }

    /// The batch is not kept: as if it had never been, but for its numbers.
    fn take_back(&mut self, batch: Batch, tickets: Vec<Option<Ticket>>, failure: Health) {
        let refusal = match self.decided {
            true => Some(Error::OutcomeUnknown),
            false => failure.refusal(),
        };
        self.machine.write().undo();
        self.tail.take_back(&batch.made.records, &self.machine);
        self.pulse.set(match (self.decided, failure) {
            (true, failure) => Health::Poisoned(format!(
                "the order goes on without this node, whose log failed: {failure:?}"
            )),
            (false, failure) => failure,
        });
        for (ticket, outcome) in tickets.into_iter().zip(batch.made.outcomes) {
            let outcome = match outcome {
                // Accepted in an earlier batch.
                Ok(receipt) if receipt.seq <= batch.after => Ok(receipt),
                Err(error) if !error.is_due_to_another() => Err(error),
                outcome => refusal.clone().map_or(outcome, Err),
            };
            if let Some(ticket) = ticket {
                self.tickets.answer(ticket, outcome);
            }
        }
    }

    /// Purges the archive, once the tail shows the batch. Returns how many events each purge let go.
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
    fn keep_house(&mut self, gone: &mut Vec<(Topic, Seq)>) {
        if let Some(why) = self.archive.poisoned() {
            self.pulse.set(Health::Poisoned(why));
        }
        let Times { expiry, .. } = self.time.read();
        if !self.archive.may_block() {
            self.archive.trim(expiry);
        }
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
    fn forget_idle(&mut self) {
        let (known, settings) = {
            let machine = self.machine.read();
            (
                machine.topic_count() as u64,
                machine.noted_settings().unwrap_or(self.settings),
            )
        };
        if known < settings.max_topics && known <= MANY_TOPICS {
            return;
        }
        let is_under_way = |answer: &mut oneshot::Receiver<_>| {
            matches!(answer.try_recv(), Err(oneshot::error::TryRecvError::Empty))
        };
        if self.forgetting.as_mut().is_some_and(is_under_way) {
            return;
        }
        let Ok(topics) = TopicSet::new(self.archive.idle(Entry::MOST_FORGOTTEN)) else {
            return;
        };
        let through = self.machine.read().last();
        let (answer, answered) = oneshot::channel();
        let ticket = Ticket {
            answer,
            session: None,
            _room: None,
        };
        let entry = Ok(Entry::Forget { topics, through });
        let queue = self.proposals.upgrade();
        // Where the queue is full, it is tried again in a second.
        if queue.is_some_and(|queue| queue.try_send(Waiting::Proposal { entry, ticket }).is_ok()) {
            self.forgetting = Some(answered);
        }
    }

    /// Has the archive write down what the machine remembers.
    fn snapshot(&self) {
        let state = self.machine.read().snapshot();
        self.archive.snapshot(self.tail.watermark(), &state);
    }
}

/// Whatever it waits for would never come: nothing more is acknowledged.
impl<F> Drop for Applier<F> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.pulse.set(Health::Poisoned(
                "the log's loop ended badly: restart the server".into(),
            ));
        }
    }
}
