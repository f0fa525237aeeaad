//! The way to the order: a queue, and the packer that makes batches of it.
//!
//! Bounds: [`QUEUE`] publishes wait, and [`ROOM`] bytes wait or are under way; who comes after them waits to get in.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    thread,
    time::Duration,
};

use parking_lot::{Mutex, RwLock};
use tidewire_log::{machine::Machine, record::text_len, settings::Settings, timekeeper::Timekeeper};
use tokio::{
    runtime::{self, Handle},
    sync::{
        OwnedSemaphorePermit, Semaphore,
        mpsc::{self, error::TryRecvError},
        oneshot,
    },
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, timeout},
};

use crate::{
    Entry, Error, Receipt,
    apply::Applier,
    health::Pulse,
    order::{Batch, Follower, NotTaken, Proposed, Proposer},
    session::SessionOrder,
    tickets::{AGAIN, Barrier, Flight, PATIENCE, Ticket, Tickets},
};

/// How many publishes may wait for the order.
const QUEUE: usize = 1024;

/// The most publishes in one batch.
const BATCH: usize = 1024;

/// How many bytes of publishes may wait or be under way. One may be more, alone.
const ROOM: usize = 64 << 20;

/// The room is counted in pieces of so many bytes.
const PIECE: usize = 1 << 10;

/// How often is looked whether the order has lost a batch.
const LOOK: Duration = Duration::from_millis(500);

/// How long a hub that closes waits for batches that are under way.
const FAREWELL: Duration = Duration::from_secs(10);

/// What waits for the order.
pub(crate) enum Waiting {
    Proposal {
        /// What is proposed, or why this node does not.
        entry: Result<Entry, Error>,
        ticket: Ticket,
    },
    Barrier(Barrier),
}

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

/// About how many bytes of memory an entry takes on its way.
#[must_use]
pub fn size(entry: &Entry) -> usize {
    let data = match entry {
        Entry::Fact { data, .. } => data.len(),
        _ => entry.as_event().map_or(0, text_len),
    };
    let names = entry.topics().iter().map(|topic| topic.name().len() + 32);
    256 + data + names.sum::<usize>()
}

/// The way to the order, which ends with it.
pub(crate) struct Proposals {
    queue: Mutex<Option<mpsc::Sender<Waiting>>>,
    room: Arc<Semaphore>,
    at_work: Mutex<Option<AtWork>>,
}

/// Where packer and applier run.
enum AtWork {
    /// On the runtime, as nothing they do takes long.
    Task(JoinHandle<()>),
    /// On a thread, which says so when it has ended well.
    Thread(oneshot::Receiver<()>, thread::JoinHandle<()>),
}

impl Proposals {
    /// Starts packer and applier: on this runtime, or on a thread of their own if the archive waits for a disk. They share it, for a
    /// hop to another thread and back takes as long as some disks.
    ///
    /// # Errors
    /// There can be no more threads.
    pub(crate) fn start<P: Proposer, F: Follower>(
        packer: impl FnOnce(mpsc::Receiver<Waiting>) -> Packer<P>,
        applier: impl FnOnce(mpsc::WeakSender<Waiting>) -> Applier<F>,
        may_block: bool,
        runtime: &Handle,
    ) -> io::Result<Self> {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let work = run(packer(waiting), applier(queue.downgrade()));
        let at_work = match may_block {
            false => AtWork::Task(runtime.spawn(work)),
            true => {
                let runtime = runtime::Builder::new_current_thread().enable_time().build()?;
                let (ended, has_ended) = oneshot::channel();
                let work = move || {
                    runtime.block_on(work);
                    // Nobody may wait for it.
                    let _ = ended.send(());
                };
                let thread = thread::Builder::new().name("tidewire-log".into()).spawn(work)?;
                AtWork::Thread(has_ended, thread)
            }
        };
        Ok(Self {
            queue: Mutex::new(Some(queue)),
            room: Arc::new(Semaphore::new(ROOM / PIECE)),
            at_work: Mutex::new(Some(at_work)),
        })
    }

    /// Resolves once the proposal has its turn.
    pub(crate) async fn enqueue(
        &self,
        entry: Result<Entry, Error>,
        session: Option<SessionOrder>,
    ) -> Result<Pending, Error> {
        let pieces = entry
            .as_ref()
            .map_or(1, |entry| (size(entry) / PIECE + 1).min(ROOM / PIECE));
        let room = self.take_room(pieces).await?;
        let (answer, answered) = oneshot::channel();
        let ticket = Ticket {
            answer,
            session,
            _room: Some(room),
        };
        self.send(Waiting::Proposal { entry, ticket }).await?;
        Ok(Pending(answered))
    }

    /// Resolves when everything is applied that was ordered before it was asked.
    pub(crate) async fn barrier(&self) -> Result<(), Error> {
        let (answer, answered) = oneshot::channel();
        self.send(Waiting::Barrier(answer)).await?;
        answered.await.unwrap_or(Err(Error::Closed))
    }

    async fn take_room(&self, pieces: usize) -> Result<OwnedSemaphorePermit, Error> {
        let pieces = u32::try_from(pieces).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(pieces).await;
        room.map_err(|_| Error::Closed)
    }

    async fn send(&self, waiting: Waiting) -> Result<(), Error> {
        let queue = self.queue.lock().clone().ok_or(Error::Closed)?;
        queue.send(waiting).await.map_err(|_| Error::Closed)
    }

    /// Takes no more proposals and waits until those that wait are applied.
    pub(crate) async fn close(&self) {
        drop(self.queue.lock().take());
        let at_work = self.at_work.lock().take();
        let ended_well = match at_work {
            Some(AtWork::Task(task)) => task.await.is_ok(),
            Some(AtWork::Thread(ended, thread)) => {
                let ended_well = ended.await.is_ok();
                // It has nothing left to do.
                drop(thread.join());
                ended_well
            }
            None => true,
        };
        if !ended_well {
            tracing::error!("the log's loop ended badly");
        }
    }
}

impl Drop for Proposals {
    /// Waits for the thread, which applies what waits and closes the archive: the next one may open the log right after.
    fn drop(&mut self) {
        drop(self.queue.get_mut().take());
        match self.at_work.get_mut().take() {
            Some(AtWork::Task(task)) => task.abort(),
            // It drops no hub: it would wait for itself.
            Some(AtWork::Thread(_, thread)) => drop(thread.join()),
            None => {}
        }
    }
}

async fn run<P: Proposer, F: Follower>(packer: Packer<P>, applier: Applier<F>) {
    let (stop, stopped) = oneshot::channel();
    let mut applying = std::pin::pin!(applier.run(stopped));
    tokio::select! {
        biased; // What has just been proposed is applied in the same turn.
        () = packer.run() => {
            drop(stop);
            applying.await;
        }
        // Nothing more is handed out: who waits or comes is refused.
        () = &mut applying => {}
    }
}

/// Makes batches of what waits.
pub(crate) struct Packer<P> {
    pub(crate) proposer: P,
    pub(crate) waiting: mpsc::Receiver<Waiting>,
    pub(crate) tickets: Arc<Tickets>,
    pub(crate) machine: Arc<RwLock<Machine>>,
    pub(crate) time: Arc<Timekeeper>,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) settings: Settings,
    pub(crate) start: Arc<Beginning>,
    pub(crate) max_batch: usize,
    pub(crate) decided: bool,
}

/// What the log has to say of itself in front of this node's first record, until that is kept.
pub(crate) struct Beginning(pub(crate) Mutex<Vec<Entry>>);

/// What waits, and what has been made of it.
#[derive(Default)]
struct Pack {
    /// In order. Proposals of a session of which a batch is under way stay here.
    waiting: VecDeque<Waiting>,
    /// The number of the last batch that the order took.
    number: u64,
}

impl<P: Proposer> Packer<P> {
    pub(crate) async fn run(mut self) {
        let mut pack = Pack::default();
        let mut fresh = Vec::with_capacity(BATCH);
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut is_ready, mut is_open) = (false, true);
        let mut asked = Instant::now();
        while is_open || !pack.waiting.is_empty() {
            if is_ready && self.propose(&mut pack).await {
                (is_ready, asked) = (false, Instant::now());
                continue;
            }
            let free = BATCH.saturating_sub(pack.waiting.len());
            tokio::select! {
                // Asked only where something waits: an order on this thread is ready by then, and wakes nobody.
                () = self.proposer.ready(), if !is_ready && !pack.waiting.is_empty() => is_ready = true,
                taken = self.waiting.recv_many(&mut fresh, free), if is_open && free > 0 => {
                    is_open = taken > 0;
                    if pack.waiting.is_empty() {
                        asked = Instant::now();
                    }
                    pack.waiting.extend(fresh.drain(..));
                }
                () = self.tickets.changed.notified(), if self.decided => self.propose_again().await,
                _ = look.tick(), if self.decided => {
                    if !is_ready && asked.elapsed() > PATIENCE {
                        is_open = loop {
                            match self.waiting.try_recv() {
                                Ok(waiting) => pack.waiting.push_back(waiting),
                                Err(error) => break error == TryRecvError::Empty,
                            }
                        };
                        self.refuse(&mut pack, &Error::Unordered);
                    }
                    self.propose_again().await;
                }
            }
        }
        let landed = async {
            while !self.tickets.is_empty() {
                tokio::select! {
                    () = self.tickets.changed.notified() => {}
                    _ = look.tick(), if self.decided => self.propose_again().await,
                }
            }
        };
        if !self.decided {
            landed.await;
        } else if timeout(FAREWELL, landed).await.is_err() {
            self.tickets.fail(&Error::OutcomeUnknown);
        }
    }

    /// Proposes what can be proposed, if anything.
    async fn propose(&mut self, pack: &mut Pack) -> bool {
        if let Some(error) = self.pulse.poisoned() {
            self.refuse(pack, &error);
            return false;
        }
        let number = pack.number + 1;
        let (mut entries, mut tickets, mut barriers) = (Vec::new(), Vec::new(), Vec::new());
        let (mut bytes, mut sessions) = (0, 0);
        let mut stay = VecDeque::new();
        while let Some(waiting) = pack.waiting.pop_front() {
            let (entry, ticket) = match waiting {
                Waiting::Barrier(barrier) => {
                    barriers.push(barrier);
                    continue;
                }
                Waiting::Proposal { entry, ticket } => (entry, ticket),
            };
            let entry = match (entry, &ticket.session) {
                (_, Some(session)) if session.is_broken() => Err(Error::SessionBroken),
                (entry, Some(session)) if session.is_in_another(number) => {
                    stay.push_back(Waiting::Proposal { entry, ticket });
                    continue;
                }
                (entry, _) => entry,
            };
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.tickets.answer(ticket, Err(error));
                    continue;
                }
            };
            let size = size(&entry);
            if !entries.is_empty() && (bytes + size > self.max_batch || entries.len() == BATCH) {
                let entry = Ok(entry);
                pack.waiting.push_front(Waiting::Proposal { entry, ticket });
                break;
            }
            bytes += size;
            let session = ticket
                .session
                .as_ref()
                .map_or(0, |session| session.number(number, sessions + 1));
            sessions = sessions.max(session);
            entries.push(Proposed { entry, session });
            tickets.push(Some(ticket));
        }
        stay.append(&mut pack.waiting);
        pack.waiting = stay;
        if entries.is_empty() && barriers.is_empty() {
            return false;
        }
        let notes = self.notes();
        let is_note = |entry| Proposed { entry, session: 0 };
        tickets.splice(..0, notes.iter().map(|_| None));
        entries.splice(..0, notes.into_iter().map(is_note));
        let batch = Batch { number, entries };
        self.tickets
            .add(Flight::new(&batch, tickets, barriers, self.decided));
        match self.hand_over(batch).await {
            Ok(()) => pack.number = number,
            Err(NotTaken(why)) => {
                tracing::warn!(%why, "the order takes nothing");
                if let Some(flight) = self.tickets.take_back() {
                    let error = self.pulse.poisoned().unwrap_or(Error::Unordered);
                    self.tickets.refuse(flight, &error);
                }
            }
        }
        true
    }

    /// What the log has to say of itself in front of the next record.
    fn notes(&self) -> Vec<Entry> {
        let machine = self.machine.read();
        let mut notes = self.start.0.lock().clone();
        // Nodes of one order may be set up differently: the first that proposes says what holds.
        let holds = machine.noted_settings();
        if holds.is_none_or(|holds| !self.decided && holds != self.settings) {
            notes.push(Entry::Settings(self.settings));
        }
        notes.extend(machine.expired_keys(self.time.read().expiry));
        notes
    }

    /// An order of many that does not answer may have taken it.
    async fn hand_over(&self, batch: Batch) -> Result<(), NotTaken> {
        let proposing = self.proposer.propose(batch);
        match self.decided {
            true => timeout(AGAIN, proposing).await.unwrap_or(Ok(())),
            false => proposing.await,
        }
    }

    async fn propose_again(&self) {
        for batch in self.tickets.late() {
            if !matches!(timeout(AGAIN, self.proposer.propose(batch)).await, Ok(Ok(()))) {
                return; // It stays under way, and is tried again.
            }
        }
    }

    fn refuse(&self, pack: &mut Pack, error: &Error) {
        for waiting in pack.waiting.drain(..) {
            match waiting {
                Waiting::Proposal { ticket, .. } => self.tickets.answer(ticket, Err(error.clone())),
                Waiting::Barrier(barrier) => drop(barrier.send(Err(error.clone()))),
            }
        }
    }
}
