//! The handle of a hub: start it, append to it, subscribe to it, drain it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use std::time::Duration;

use parking_lot::RwLock;
use tidewire_log::{
    archive::{History, Scan, Store},
    clock::millis,
    ids::Epochs,
    ledger::{Ledger, Ledgers},
    machine::Machine,
    recall::{RecallError, recall},
    record::text_len,
    settings::{RULES, Settings},
    timekeeper::Timekeeper,
};
use tokio::{runtime::Handle, sync::watch};

use crate::{
    Clock, Door, Encoding, Entry, Error, Health, Position, Presence, PresenceWatch, Proposal, ReaderName,
    Receipt, Seq, Start, StartError, Stats, Subscribed, Times, Topic, TopicSet,
    apply::Applier,
    health::Pulse,
    order::{Follower, JoinError, Joined, Order, Proposer, Standing, local::Local},
    pool::Pool,
    presence::Readers,
    proposals::{Beginning, Packer, Pending, Proposals, size},
    session::{AppendSession, Bounds, SessionOrder},
    stats::Counters,
    tail::Tail,
    tickets::Tickets,
};

/// The bounds of a hub.
#[derive(Debug, Clone)]
pub struct Config {
    /// The most bytes of an event's data, id and name together.
    pub max_event: usize,
    /// The most topics in one publish or subscription.
    pub max_topics_per_subscription: usize,
    /// The most topics that are remembered; publishing to one more is refused until older events have
    /// expired. As many may be read at a time; reading one more is refused until readers have gone.
    pub max_topics: usize,
    /// Bytes of recent events that readers share. A reader that is further behind reads the archive.
    pub window: usize,
    /// The most idempotency keys that are remembered; the oldest is forgotten first.
    pub max_keys: usize,
    /// Bytes of all idempotency keys that are remembered, with the names of their topics and about 500 bytes a key; the
    /// oldest is forgotten first.
    pub max_key_bytes: usize,
    /// How long an idempotency key is remembered.
    pub keep_keys: Duration,
    /// Where records get their time from.
    pub clock: Clock,
}

impl Config {
    fn settings(&self) -> Settings {
        Settings {
            rules: RULES,
            max_topics: self.max_topics as u64,
            max_keys: self.max_keys as u64,
            max_key_bytes: self.max_key_bytes as u64,
            keep_keys: millis(self.keep_keys),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_event: 1 << 20,
            max_topics_per_subscription: 256,
            max_topics: 1_000_000,
            window: 64 << 20,
            max_keys: 100_000,
            max_key_bytes: 64 << 20,
            keep_keys: Duration::from_secs(24 * 60 * 60),
            clock: Clock::system(),
        }
    }
}

/// What is kept of topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// How many events.
    pub count: usize,
    /// The position of the last one.
    pub last: Option<Position>,
}

/// A running hub. Clones are the same hub; it ends when the last one and all subscriptions are gone.
#[derive(Clone)]
pub struct Hub {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    config: Config,
    pub(crate) epochs: Epochs,
    pub(crate) machine: Arc<RwLock<Machine>>,
    pub(crate) reads: Pool,
    pub(crate) tail: Arc<Tail>,
    pub(crate) readers: Readers,
    pub(crate) counters: Arc<Counters>,
    pulse: Arc<Pulse>,
    time: Arc<Timekeeper>,
    proposals: Proposals,
    /// See [`crate::order::Joined`].
    decided: bool,
    max_entry: usize,
    /// Whether publishes are taken no more.
    closing: watch::Sender<bool>,
    draining: AtomicBool,
}

/// A hub that is going to start: [`Hub::builder`].
pub struct Builder {
    config: Config,
    ledgers: Ledgers,
}

impl Builder {
    /// The ledger of a door gets the door's facts, those of before the start too.
    #[must_use]
    pub fn ledger(mut self, door: Door, ledger: impl Ledger) -> Self {
        self.ledgers.insert(door, Box::new(ledger));
        self
    }

    /// Starts the hub: this node gives the order. It goes on where the archive's history ends. Where the archive waits for a
    /// disk, the hub has a thread of its own; its readers use the current tokio runtime, of whichever kind.
    ///
    /// When the last handle and the last reader are gone, all of it is closed: the log may be opened again right after.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(self, archive: impl Store) -> Result<Hub, StartError> {
        let parts = self.recall(Arc::new(archive))?;
        let epochs = parts.machine.epochs().clone();
        let joined = Local::new(epochs, Arc::clone(&parts.time)).begin(parts.machine.last())?;
        parts.assemble(joined)
    }

    /// Starts the hub as one of many that follow an order. An empty archive begins with the order's checkpoint, if it has one. What was
    /// ordered before is visible after a [barrier](Hub::barrier): before that, nothing should be answered.
    ///
    /// # Errors
    /// [`StartError`]; [`JoinError::Checkpoint`] if the archive is too far behind.
    pub async fn join(self, archive: impl Store, order: impl Order) -> Result<Hub, StartError> {
        let mut parts = self.recall(Arc::new(archive))?;
        let joined = match order.join(parts.standing()).await {
            Err(JoinError::Checkpoint { last, state }) if parts.is_new() => {
                parts = parts.begin_behind(last, state)?;
                order.join(parts.standing()).await?
            }
            joined => joined?,
        };
        parts.assemble(joined)
    }

    fn recall(self, archive: Arc<dyn Store>) -> Result<Parts, StartError> {
        let Self { config, ledgers } = self;
        let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        config.clock.check()?;
        let history = archive.history();
        let (last, believed) = (history.last, history.believed);
        let machine = recall(&*archive, history, config.settings(), ledgers)?;
        let newest = (last > Seq::ZERO).then_some(believed);
        Ok(Parts {
            time: Arc::new(Timekeeper::start(config.clock.clone(), newest)),
            config,
            archive,
            machine,
            last,
            runtime,
        })
    }
}

/// A hub but for its order.
struct Parts {
    config: Config,
    archive: Arc<dyn Store>,
    machine: Machine,
    time: Arc<Timekeeper>,
    /// The last record of the archive.
    last: Seq,
    runtime: Handle,
}

impl Parts {
    fn standing(&self) -> Standing {
        Standing {
            last: self.machine.last(),
            reached: self.machine.reached().clone(),
        }
    }

    fn is_new(&self) -> bool {
        self.machine.last() == Seq::ZERO
    }

    /// Begins with a checkpoint.
    fn begin_behind(mut self, last: Seq, state: Vec<u8>) -> Result<Self, StartError> {
        self.machine = self.machine.restore(last, &state).map_err(RecallError::from)?;
        let time = self.machine.time();
        let history = History {
            epochs: self.machine.epochs().list(),
            last,
            time,
            believed: time,
            snapshot: Some((last, state)),
        };
        let begun = self
            .archive
            .begin_behind(&history, self.machine.topics().collect());
        begun.map_err(StartError::Checkpoint)?;
        self.time = Arc::new(Timekeeper::start(self.config.clock.clone(), Some(time)));
        self.last = last;
        Ok(self)
    }

    fn assemble<P: Proposer, F: Follower>(self, joined: Joined<P, F>) -> Result<Hub, StartError> {
        let Self {
            config,
            archive,
            machine,
            time,
            last,
            runtime,
        } = self;
        let epochs = machine.epochs().clone();
        let tail = Arc::new(Tail::new(epochs.clone(), config.window, config.max_topics, last));
        let machine = Arc::new(RwLock::new(machine));
        let counters = Arc::new(Counters::default());
        let tickets = Arc::new(Tickets::new(Arc::clone(&counters)));
        let pulse = Arc::new(Pulse::default());
        let start = Arc::new(Beginning(joined.notes.into()));
        let settings = config.settings();
        let (decided, max_entry) = (joined.decided, joined.max_entry);
        let packer = |waiting| Packer {
            proposer: joined.proposer,
            waiting,
            tickets: Arc::clone(&tickets),
            machine: Arc::clone(&machine),
            time: Arc::clone(&time),
            pulse: Arc::clone(&pulse),
            settings,
            start: Arc::clone(&start),
            max_batch: joined.max_batch,
            decided,
        };
        let applier = |proposals| Applier {
            follower: joined.follower,
            decided,
            origin: joined.origin,
            time: Arc::clone(&time),
            machine: Arc::clone(&machine),
            archive: Arc::clone(&archive),
            tail: Arc::clone(&tail),
            counters: Arc::clone(&counters),
            pulse: Arc::clone(&pulse),
            tickets: Arc::clone(&tickets),
            settings,
            start: Arc::clone(&start),
            proposals,
            forgetting: None,
        };
        let proposals =
            Proposals::start(packer, applier, archive.may_block(), &runtime).map_err(StartError::Thread)?;
        Ok(Hub {
            inner: Arc::new(Inner {
                config,
                epochs,
                machine,
                reads: Pool::new(archive, runtime),
                tail,
                readers: Readers::default(),
                counters,
                pulse,
                time,
                proposals,
                decided,
                max_entry,
                closing: watch::Sender::new(false),
                draining: AtomicBool::new(false),
            }),
        })
    }
}

impl Hub {
    /// A hub with these bounds.
    #[must_use]
    pub fn builder(config: Config) -> Builder {
        Builder {
            config,
            ledgers: Ledgers::new(),
        }
    }

    /// Starts a hub: [`Builder::start`].
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(config: Config, archive: impl Store) -> Result<Self, StartError> {
        Self::builder(config).start(archive)
    }

    /// Publishes. Resolves once the event is kept as durably as the archive promises and readers see
    /// it. Dropping the future does not take the event back.
    ///
    /// # Errors
    /// [`Error::Ended`], [`Error::EventTooLarge`], [`Error::TooManyTopics`], [`Error::TopicsFull`],
    /// [`Error::KeyReused`], [`Error::Full`], [`Error::Unwritten`], [`Error::Poisoned`], [`Error::Closed`]. A refused publish leaves no trace.
    pub async fn append(&self, proposal: impl Into<Proposal>) -> Result<Receipt, Error> {
        self.enqueue(proposal).await?.await
    }

    /// Publishes in two steps: resolves when the publish has its turn, behind all that had theirs before;
    /// what it resolves to is the answer to come. So one publisher may have many on the way, in order.
    ///
    /// # Errors
    /// [`Error::TooManyTopics`] or [`Error::Closed`]; those of [`Hub::append`] come with the answer.
    pub async fn enqueue(&self, proposal: impl Into<Proposal>) -> Result<Pending, Error> {
        self.inner.enqueue(proposal.into(), None).await
    }

    /// Publishes many, in order: the first that is refused refuses the rest.
    #[must_use]
    pub fn append_session<T>(&self, bounds: Bounds) -> AppendSession<T> {
        AppendSession::new(self.clone(), bounds)
    }

    /// Has a door's ledger take a fact, on all nodes. What the ledger said is in [`Outcome::Told`](crate::Outcome::Told).
    ///
    /// # Errors
    /// As [`Hub::append`].
    pub async fn tell(&self, door: Door, data: impl Into<Box<[u8]>>) -> Result<Receipt, Error> {
        let data = data.into();
        self.append(Entry::Fact { door, data }).await
    }

    /// Resolves when everything is visible that was ordered before it was asked. Where this node gives the order, that is now.
    ///
    /// # Errors
    /// [`Error::Unordered`]: the order does not answer. [`Error::Closed`] while draining.
    pub async fn barrier(&self) -> Result<(), Error> {
        self.inner.barrier().await
    }

    /// Starts reading. However many events `start` goes back over, others have their turn meanwhile, and the work ends when
    /// the future is dropped.
    ///
    /// # Errors
    /// [`Error::TooManyTopics`], [`Error::WatchedFull`]; [`Error::Closed`] while draining; [`Error::Damaged`].
    pub async fn subscribe(
        &self,
        topics: impl Into<TopicSet>,
        start: &Start,
        encoding: Encoding,
    ) -> Result<Subscribed, Error> {
        self.subscribe_as(topics, start, encoding, None).await
    }

    /// Starts reading under a name, which [`Hub::presence`] shows.
    ///
    /// # Errors
    /// As [`Hub::subscribe`].
    pub async fn subscribe_as(
        &self,
        topics: impl Into<TopicSet>,
        start: &Start,
        encoding: Encoding,
        name: Option<ReaderName>,
    ) -> Result<Subscribed, Error> {
        let topics = topics.into();
        self.inner.check_count(&topics)?;
        self.inner.subscribe(&topics, start, encoding, name).await
    }

    /// How many of these topics nothing is known of.
    #[must_use]
    pub fn unknown(&self, topics: &TopicSet) -> usize {
        let machine = self.inner.machine.read();
        let unknown = topics.iter().filter(|topic| !machine.knows(topic));
        unknown.count()
    }

    /// The last position that is visible.
    #[must_use]
    pub fn position(&self) -> Position {
        self.inner.position(self.inner.tail.watermark())
    }

    /// What is kept of these topics. The work ends when the future is dropped.
    ///
    /// # Errors
    /// [`Error::Damaged`]; [`Error::Closed`] while draining.
    pub async fn kept(&self, topics: &TopicSet) -> Result<Kept, Error> {
        self.inner.kept(topics).await
    }

    /// Reads records of these topics after `after`, oldest first: at least one if there is one, and not many more than
    /// `budget` bytes. For who keeps books in the log; readers subscribe.
    ///
    /// # Errors
    /// [`Error::Damaged`].
    pub async fn records(&self, topics: &TopicSet, after: Seq, budget: usize) -> Result<Scan, Error> {
        let mut scan = self.inner.scan(topics, after, budget).await?;
        while scan.records.is_empty() && scan.through < self.inner.tail.watermark() {
            scan = self.inner.scan(topics, scan.through, budget).await?;
        }
        Ok(scan)
    }

    /// Whether the topic's stream has ended.
    #[must_use]
    pub fn has_ended(&self, topic: &Topic) -> bool {
        self.inner.machine.read().ended_at(topic).is_some()
    }

    /// Whether it can keep what is published.
    #[must_use]
    pub fn health(&self) -> Health {
        self.inner.pulse.read()
    }

    /// How many damaged places of the archive are known. Readers that come there are told (`damaged`) and go on behind.
    #[must_use]
    pub fn damaged(&self) -> usize {
        self.inner.reads.store().damaged()
    }

    /// The time, by the clock of the configuration: for what happens now, and for what expires.
    #[must_use]
    pub fn times(&self) -> Times {
        self.inner.time.read()
    }

    /// Believes the clock after a leap: what is too old by it expires. Whether it was in doubt.
    #[must_use = "an operator wants to know whether there was anything to confirm"]
    pub fn confirm_clock(&self) -> bool {
        self.inner.time.confirm()
    }

    /// Resolves when the log can no longer be written ([`Health::Poisoned`]): why. Readers are served on, and only opening the
    /// log anew helps.
    pub async fn poisoned(&self) -> String {
        self.inner.pulse.until_poisoned().await
    }

    /// What the hub holds right now, and what it has done.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let inner = &self.inner;
        let mut stats = Stats {
            archive: inner.reads.store().held(),
            damaged: inner.reads.store().damaged(),
            is_clock_in_doubt: inner.time.is_in_doubt(),
            ..Stats::default()
        };
        inner.tail.read_into(&mut stats);
        let machine = inner.machine.read();
        stats.topics = machine.topic_count();
        stats.keys = machine.keys().count();
        stats.key_bytes = machine.keys().bytes();
        drop(machine);
        inner.counters.read_into(&mut stats);
        stats
    }

    /// Who reads a topic right now.
    #[must_use]
    pub fn presence(&self, topic: &Topic) -> Presence {
        self.inner.readers.of(topic)
    }

    /// Who reads a topic, and who comes and goes. The watch itself is no reader.
    ///
    /// # Errors
    /// [`Error::Closed`] while draining.
    pub fn watch_presence(&self, topic: Topic) -> Result<PresenceWatch, Error> {
        // In this order, or a drain that begins in between would not see the watch.
        let watch = PresenceWatch::new(Arc::clone(&self.inner), topic);
        match self.inner.is_draining() {
            true => Err(Error::Closed),
            false => Ok(watch),
        }
    }

    /// Resolves when the hub begins to drain: from then on it takes no publish.
    pub async fn closing(&self) {
        let mut closing = self.inner.closing.subscribe();
        // Fails only if the sender has gone, which lives as long as this handle.
        drop(closing.wait_for(|closing| *closing).await);
    }

    /// The most bytes of an event.
    #[must_use]
    pub fn max_event(&self) -> usize {
        self.inner.config.max_event
    }

    /// Shuts down: takes no more publishes, commits those that wait, and then cuts every reader that
    /// has got everything.
    pub async fn drain(&self) {
        self.inner.closing.send_replace(true);
        self.inner.proposals.close().await;
        self.inner.draining.store(true, Ordering::SeqCst);
        self.inner.readers.close();
        self.inner.tail.wake_all();
    }
}

impl Inner {
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    pub(crate) fn position(&self, seq: Seq) -> Position {
        self.epochs.position(seq)
    }

    /// See [`Hub::barrier`].
    pub(crate) async fn barrier(&self) -> Result<(), Error> {
        match self.decided {
            true => self.proposals.barrier().await.map_err(|error| self.why(error)),
            false => Ok(()),
        }
    }

    /// What is refused here is refused by this node's own bounds: the order never sees it.
    pub(crate) async fn enqueue(
        &self,
        proposal: Proposal,
        session: Option<SessionOrder>,
    ) -> Result<Pending, Error> {
        let Proposal { entry, max } = proposal;
        let refused = self.admit(&entry, max).err();
        let sent = self
            .proposals
            .enqueue(refused.map_or(Ok(entry), Err), session)
            .await;
        sent.map_err(|error| self.why(error))
    }

    /// A loop that has ended badly takes nothing, and has said why.
    fn why(&self, error: Error) -> Error {
        match error {
            Error::Closed => self.pulse.poisoned().unwrap_or(error),
            error => error,
        }
    }

    fn admit(&self, entry: &Entry, max: Option<usize>) -> Result<(), Error> {
        if let Some(topics) = entry.topic_set() {
            self.check_count(topics)?;
        }
        let within = |len, max| match len > max {
            true => Err(Error::EventTooLarge { len, max }),
            false => Ok(()),
        };
        let len = entry.as_event().map_or(0, text_len);
        within(len, max.unwrap_or(self.config.max_event))?;
        within(size(entry), self.max_entry)
    }

    fn check_count(&self, topics: &TopicSet) -> Result<(), Error> {
        let (count, max) = (topics.len(), self.config.max_topics_per_subscription);
        match count > max {
            true => Err(Error::TooManyTopics { count, max }),
            false => Ok(()),
        }
    }
}
