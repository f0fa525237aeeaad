//! An order that several hubs share, within the process: it has decided what it hands out, and may lose, repeat and delay what is
//! proposed to it, on demand or at random.
//!
//! Numbers are as those of a cluster: the place in the order, shifted by 12 bits, so there are holes between batches.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use tidewire_hub::{
    Clock, Config, Entry, Epoch, Hub, Seq, StartError,
    archive::Store,
    order::{
        self, Batch, Broken, Follower, JoinError, Joined, NotTaken, Order, Proposed, Proposer, Standing,
    },
};
use tidewire_log::machine::Origin;
use tokio::sync::Notify;

use super::ordered::Ordered;

/// What goes wrong at random: one time of so many. 0 is never.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// A batch is taken and lost.
    pub lose: u32,
    /// It is ordered, and the proposer never hears back.
    pub hang: u32,
    /// It is ordered twice, the second time behind later ones.
    pub twice: u32,
    /// It is certainly not taken.
    pub refuse: u32,
    /// It is handed out a second time, or an older one is.
    pub again: u32,
    /// Proposing or handing out takes up to a few milliseconds.
    pub late: u32,
}

/// Clones are the same order.
#[derive(Clone)]
pub struct Shared(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    log: Vec<order::Ordered>,
    /// The last place.
    position: u64,
    /// How many of the log are handed out, if not all.
    shown: Option<usize>,
    /// What is ordered behind the next one.
    late: Vec<(Origin, Batch)>,
    /// How many of the next batches are taken and not ordered, and they.
    swallows: usize,
    swallowed: Vec<(Origin, Batch)>,
    refuses: bool,
    runs: BTreeMap<u64, u64>,
    /// With this the log begins, for nodes that are not there yet.
    checkpoint: Option<(Seq, u64, Vec<u8>)>,
    /// It goes on behind the node that joins, and begins a log that is new with this epoch.
    follows: Option<Epoch>,
    faults: Faults,
    rng: fastrand::Rng,
    clock: Clock,
    proposed: usize,
}

impl State {
    fn is(&mut self, one_of: u32) -> bool {
        one_of > 0 && self.rng.u32(..one_of) == 0
    }

    fn order(&mut self, origin: Origin, Batch { number, entries }: Batch) {
        self.position += self.rng.u64(1..3);
        self.log.push(order::Ordered {
            position: self.position,
            first: Seq(self.position << 12),
            time: self.clock.now(),
            origin,
            number,
            entries,
        });
        let late = std::mem::take(&mut self.late);
        for (origin, batch) in late {
            self.order(origin, batch);
        }
    }

    fn shown(&self) -> usize {
        self.shown.unwrap_or(self.log.len()).min(self.log.len())
    }
}

fn genesis(epoch: Epoch) -> Batch {
    let entry = Entry::Epoch(epoch);
    let entries = vec![Proposed { entry, session: 0 }];
    Batch { number: 1, entries }
}

const NOBODY: Origin = Origin {
    node: 0,
    incarnation: 1,
};

impl Shared {
    /// Nothing goes wrong.
    pub fn new() -> Self {
        Self::with(Faults::default(), 0)
    }

    pub fn with(faults: Faults, seed: u64) -> Self {
        let this = Self::empty(faults, seed);
        this.state().order(NOBODY, genesis(Epoch::random().unwrap()));
        this
    }

    fn empty(faults: Faults, seed: u64) -> Self {
        let state = State {
            log: Vec::new(),
            position: 0,
            shown: None,
            late: Vec::new(),
            swallows: 0,
            swallowed: Vec::new(),
            refuses: false,
            runs: BTreeMap::new(),
            checkpoint: None,
            follows: None,
            faults,
            rng: fastrand::Rng::with_seed(seed),
            clock: Clock::system(),
            proposed: 0,
        };
        Self(Arc::new(Inner {
            state: Mutex::new(state),
            changed: Notify::new(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.0.changed.notify_waiters();
    }

    /// For this node.
    pub fn of(&self, node: u64) -> Node {
        let order = self.clone();
        Node { order, node }
    }

    /// A hub of this node.
    pub async fn hub(&self, node: u64, config: Config, store: impl Store) -> Result<Hub, StartError> {
        let hub = Hub::builder(config).join(store, self.of(node)).await?;
        hub.barrier().await.unwrap();
        Ok(hub)
    }

    /// Nothing goes wrong from now on.
    pub fn calm(&self) {
        self.change(|state| state.faults = Faults::default());
    }

    /// Nothing more is handed out, though it is ordered.
    pub fn hold(&self) {
        self.change(|state| state.shown = Some(state.log.len()));
    }

    pub fn go_on(&self) {
        self.change(|state| state.shown = None);
    }

    /// The next batches are taken and never ordered.
    pub fn swallow(&self, batches: usize) {
        self.change(|state| state.swallows = batches);
    }

    /// How many were swallowed.
    pub fn swallowed(&self) -> usize {
        self.state().swallowed.len()
    }

    /// What was swallowed is ordered now.
    pub fn bring_up(&self) {
        self.change(|state| {
            state.swallows = 0;
            for (origin, batch) in std::mem::take(&mut state.swallowed) {
                state.order(origin, batch);
            }
        });
    }

    /// Whether batches are certainly not taken.
    pub fn refuse(&self, refuses: bool) {
        self.change(|state| state.refuses = refuses);
    }

    /// Loses the last batches that it has handed out.
    pub fn rewind(&self, batches: usize) {
        self.change(|state| {
            let left = state.log.len() - batches;
            state.log.truncate(left);
            state.position = state.log.last().map_or(0, |ordered| ordered.position);
        });
    }

    /// Forgets all batches; a node that is not there yet begins with the state of one that has applied them.
    pub fn cut(&self, (last, machine): (Seq, Vec<u8>)) {
        self.change(|state| {
            state.log.clear();
            state.checkpoint = Some((last, state.position, machine));
        });
    }

    /// What was ordered: origin and number, and how many entries.
    pub fn ordered(&self) -> Vec<(Origin, u64, usize)> {
        let row = |ordered: &order::Ordered| (ordered.origin, ordered.number, ordered.entries.len());
        self.state().log.iter().map(row).collect()
    }

    /// How often a batch was proposed, again and in vain too.
    pub fn proposed(&self) -> usize {
        self.state().proposed
    }

    /// The last place.
    pub fn position(&self) -> u64 {
        self.state().position
    }
}

/// A hub over an order of its own, which goes on where the store ends. It joins at once.
pub fn start(config: Config, store: impl Store) -> Result<Hub, StartError> {
    let epoch = Epoch::random().unwrap();
    let store = Ordered::beginning_with(store, epoch);
    let order = Shared::empty(Faults::default(), fastrand::u64(..));
    order.change(|state| {
        state.follows = Some(epoch);
        state.clock = config.clock.clone();
    });
    let mut joining = std::pin::pin!(Hub::builder(config).join(store, order.of(1 + fastrand::u64(..))));
    match joining
        .as_mut()
        .poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
    {
        std::task::Poll::Ready(joined) => joined,
        std::task::Poll::Pending => panic!("the order waits"),
    }
}

/// The way of one node to the order.
pub struct Node {
    order: Shared,
    node: u64,
}

/// What is under way of a run.
#[derive(Default)]
struct Pipe {
    proposed: AtomicU64,
    seen: AtomicU64,
    changed: Notify,
}

/// So many batches of a node may be under way.
const PIPE: u64 = 4;

pub struct SharedProposer {
    order: Shared,
    origin: Origin,
    pipe: Arc<Pipe>,
}

pub struct SharedFollower {
    order: Shared,
    origin: Origin,
    pipe: Arc<Pipe>,
    /// The last place that was handed out, and how many of the log.
    position: u64,
    rng: fastrand::Rng,
}

impl Order for Node {
    type Proposer = SharedProposer;
    type Follower = SharedFollower;

    async fn join(&self, standing: Standing) -> Result<Joined<SharedProposer, SharedFollower>, JoinError> {
        let order = &self.order;
        let mut state = order.state();
        let reached = standing.reached.position;
        if let Some(epoch) = state.follows {
            state.position = reached.max(standing.last.0 >> 12);
            if reached == 0 {
                state.order(NOBODY, genesis(epoch));
            }
        }
        if let Some((last, at, machine)) = &state.checkpoint
            && reached < *at
        {
            let (last, state) = (*last, machine.clone());
            return Err(JoinError::Checkpoint { last, state });
        }
        if reached > state.position {
            return Err(JoinError::Foreign("it was rewound".into()));
        }
        let run = state.runs.entry(self.node).or_default();
        // A run of another order before this one.
        let of_before = standing.reached.numbers.keys();
        let before = of_before.filter(|run| run.node == self.node);
        *run = 1 + (*run).max(before.map(|run| run.incarnation).max().unwrap_or_default());
        let origin = Origin {
            node: self.node,
            incarnation: *run,
        };
        let rng = state.rng.fork();
        let pipe = Arc::<Pipe>::default();
        Ok(Joined {
            proposer: SharedProposer {
                order: order.clone(),
                origin,
                pipe: Arc::clone(&pipe),
            },
            follower: SharedFollower {
                order: order.clone(),
                origin,
                pipe,
                position: reached,
                rng,
            },
            origin,
            notes: Vec::new(),
            max_entry: 8 << 20,
            max_batch: 1 << 20,
            decided: true,
        })
    }
}

impl SharedProposer {
    /// Whether it answers.
    fn take(&self, batch: Batch) -> Result<bool, NotTaken> {
        let mut state = self.order.state();
        let faults = state.faults;
        state.proposed += 1;
        if state.refuses || state.is(faults.refuse) {
            return Err(NotTaken("it is told to refuse".into()));
        }
        self.pipe.proposed.fetch_max(batch.number, SeqCst);
        if state.swallows > 0 {
            state.swallows -= 1;
            state.swallowed.push((self.origin, batch));
            return Ok(true);
        }
        if !state.is(faults.lose) {
            if state.is(faults.twice) {
                let late = (self.origin, batch.clone());
                state.order(self.origin, batch);
                state.late.push(late);
            } else {
                state.order(self.origin, batch);
            }
        }
        let answers = !state.is(faults.hang);
        drop(state);
        self.order.0.changed.notify_waiters();
        Ok(answers)
    }

    async fn dawdle(&self) {
        let pause = {
            let mut state = self.order.state();
            let late = state.faults.late;
            state.is(late).then(|| state.rng.u64(..4_000))
        };
        if let Some(micros) = pause {
            tokio::time::sleep(Duration::from_micros(micros)).await;
        }
    }
}

impl Proposer for SharedProposer {
    async fn ready(&self) {
        loop {
            let mut changed = std::pin::pin!(self.pipe.changed.notified());
            changed.as_mut().enable();
            let (proposed, seen) = (self.pipe.proposed.load(SeqCst), self.pipe.seen.load(SeqCst));
            if proposed.saturating_sub(seen) < PIPE {
                return;
            }
            changed.await;
        }
    }

    async fn propose(&self, batch: Batch) -> Result<(), NotTaken> {
        self.dawdle().await;
        match self.take(batch)? {
            true => Ok(()),
            false => std::future::pending().await,
        }
    }
}

impl SharedFollower {
    fn look(&mut self) -> Result<Option<order::Ordered>, Broken> {
        let mut state = self.order.state();
        let faults = state.faults;
        if self.position > state.position || (self.position > 0 && self.is_lost(&state)) {
            return Err(Broken::Rewound("its end is gone".into()));
        }
        let next = state
            .log
            .partition_point(|ordered| ordered.position <= self.position);
        if next >= state.shown() {
            return Ok(None);
        }
        if next > 0 && state.is(faults.again) {
            let old = self.rng.usize(..next);
            return Ok(Some(state.log[old].clone()));
        }
        let ordered = state.log[next].clone();
        drop(state);
        self.position = ordered.position;
        if ordered.origin == self.origin {
            self.pipe.seen.fetch_max(ordered.number, SeqCst);
            self.pipe.changed.notify_one();
        }
        Ok(Some(ordered))
    }

    /// What was handed out last is there no more.
    fn is_lost(&self, state: &State) -> bool {
        let begins = state.checkpoint.as_ref().map_or(0, |(_, position, _)| *position);
        let found = state
            .log
            .binary_search_by_key(&self.position, |ordered| ordered.position);
        state.follows.is_none() && self.position > begins && found.is_err()
    }
}

impl Follower for SharedFollower {
    async fn next(&mut self, _last: Seq) -> Result<order::Ordered, Broken> {
        let late = self.order.state().faults.late;
        if late > 0 && self.rng.u32(..late) == 0 {
            tokio::time::sleep(Duration::from_micros(self.rng.u64(..4_000))).await;
        }
        loop {
            let order = self.order.clone();
            let mut changed = std::pin::pin!(order.0.changed.notified());
            changed.as_mut().enable();
            if let Some(ordered) = self.look()? {
                return Ok(ordered);
            }
            changed.await;
        }
    }
}
