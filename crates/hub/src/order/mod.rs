//! The order: it gives entries their place, and hands them out in it.
//!
//! A hub proposes batches and applies what the order hands out, its own batches and those of other nodes, one after the other. So
//! all nodes of one order come to the same state. [`local`] is the order of a single node; another one implements the three traits.
//!
//! The way of a batch: [`Proposer::ready`], [`Proposer::propose`], … [`Follower::next`].
//!
//! # To write another order
//!
//! Implement [`Order`], [`Proposer`] and [`Follower`], and give the first to [`Builder::join`](crate::Builder::join). `local.rs` beside
//! this file is the shortest one, `tests/support/shared.rs` one of many hubs with every fault that is allowed.
//!
//! The order sees to this:
//!
//! - **Places rise, and none is left out.** A follower hands out all that stands behind [`Reached::position`], in the order of places. To
//!   hand out again what it has handed out does no harm. Where it cannot go on so, it says [`Broken`], and the hub stops.
//! - **Numbers.** [`Ordered::first`] and as many numbers as the batch has entries, and one more for the batch itself, are its own.
//! - **A run of a node** has an [`Origin`] of its own, whose incarnation is higher than those of its runs before. With the first batch of
//!   a run that is applied, the runs before are over.
//! - **The first batch** of an order says its epoch ([`Entry::Epoch`]). A node that has it not yet has no cursor to give.
//! - **[`Proposer::ready`] bounds** how many batches are under way. What waits longer than ten seconds for it is refused.
//! - **[`NotTaken`] is certain.** All else may be slow, or never answer: then the outcome is not known yet.
//!
//! And need not see to this: a batch may be ordered late, twice or never, or in front of one with a lower number. The
//! [machine](tidewire_log::machine) applies each at most once, in the order of its number, and the hub proposes again what it does not
//! see. The hub makes publishers wait at most ten seconds for a batch, and tells them then that the outcome is not known.

pub mod local;

pub use tidewire_log::batch::Proposed;
use tidewire_log::{
    Entry, Millis, Seq,
    machine::{Origin, Reached},
};

/// What a node proposes at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Counts the batches of one run of a node, from 1 and without holes.
    pub number: u64,
    /// In order. Empty: a barrier.
    pub entries: Vec<Proposed>,
}

/// A batch that has its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ordered {
    /// Its place in the order. It rises from one to the next.
    pub position: u64,
    /// The number of its first entry that is accepted; the next has the next, and the batch itself the last. It lies beyond all numbers
    /// before.
    pub first: Seq,
    /// In milliseconds since 1970, by the clock of the order or of who proposed, whichever is earlier.
    pub time: Millis,
    /// Who proposed it.
    pub origin: Origin,
    /// See [`Batch::number`].
    pub number: u64,
    /// See [`Batch::entries`].
    pub entries: Vec<Proposed>,
}

/// How far a node is that joins.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The last number that its log has given.
    pub last: Seq,
    /// The batches that it has applied.
    pub reached: Reached,
}

/// A node that follows an order.
#[derive(Debug)]
pub struct Joined<P, F> {
    /// Takes what the node proposes.
    pub proposer: P,
    /// Hands out what is ordered.
    pub follower: F,
    /// This run of the node.
    pub origin: Origin,
    /// What the log is to say of itself in front of this node's first record.
    pub notes: Vec<Entry>,
    /// The most bytes of an entry ([`crate::size`]).
    pub max_entry: usize,
    /// The most bytes of a batch. One entry may be more.
    pub max_batch: usize,
    /// Whether a batch that is handed out is decided: other nodes apply it, whatever becomes of it here. If not, a batch that this
    /// node does not keep has never been.
    pub decided: bool,
}

/// Why a node cannot follow an order.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The order does not go back to where the store is: it begins with a checkpoint. Only an empty store can begin there.
    #[error("the order begins behind this node's log: the log must begin anew, with the order's checkpoint")]
    Checkpoint {
        /// The last number before what the order hands out.
        last: Seq,
        /// The machine's state there.
        state: Vec<u8>,
    },
    /// The order is another's, or was rewound.
    #[error("the order does not continue this node's log: {0}")]
    Foreign(String),
    /// It cannot be reached.
    #[error("the order cannot be reached: {0}")]
    Unreachable(String),
    /// The system gives no randomness to name an epoch or a run.
    #[error("the system gives no randomness")]
    Randomness(#[from] getrandom::Error),
}

/// The order has certainly not taken a batch, and never will.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotTaken(pub String);

/// Why an order hands out nothing more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Broken {
    /// The proposer is gone, and all that it had proposed has been handed out.
    #[error("the order is closed")]
    Closed,
    /// The order has lost what it had handed out.
    #[error("the order was rewound: {0}")]
    Rewound(String),
    /// A batch is missing.
    #[error("a batch of the order is missing: {0}")]
    Hole(String),
    /// It says what this release does not know.
    #[error("the order has an entry of a newer Tidewire: {0}")]
    Newer(String),
}

/// See the module's text.
pub trait Order: Send + Sync {
    /// Takes what the node proposes.
    type Proposer: Proposer;
    /// Hands out what is ordered.
    type Follower: Follower;

    /// Begins to follow, behind where the node stands. Each call begins a run of the node.
    ///
    /// # Errors
    /// [`JoinError`].
    fn join(
        &self,
        standing: Standing,
    ) -> impl Future<Output = Result<Joined<Self::Proposer, Self::Follower>, JoinError>> + Send;
}

/// See the module's text.
pub trait Proposer: Send + Sync + 'static {
    /// Resolves when a batch would be taken: what is proposed meanwhile forms one batch, so batches grow with load. May be dropped and
    /// asked again.
    fn ready(&self) -> impl Future<Output = ()> + Send;

    /// Takes a batch. `Ok`: nothing is known yet, [`Follower::next`] will tell. May be dropped where it takes long, also when it has
    /// taken the batch.
    ///
    /// # Errors
    /// [`NotTaken`]: it is certainly not ordered. Its number is used again.
    fn propose(&self, batch: Batch) -> impl Future<Output = Result<(), NotTaken>> + Send;
}

/// See the module's text.
pub trait Follower: Send + 'static {
    /// The next batch. `last` is the last number that this node has given: an order that numbers by itself goes on behind it. May be
    /// dropped and asked again.
    ///
    /// # Errors
    /// [`Broken`]: there will be no next one.
    fn next(&mut self, last: Seq) -> impl Future<Output = Result<Ordered, Broken>> + Send;
}
