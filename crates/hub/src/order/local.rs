//! The order of a single node: what is proposed is ordered at once, and what the store does not keep has never been.
//!
//! Proposer and follower run on one thread. The proposer is ready while the follower waits, so that what comes while a batch is
//! being kept forms the next one.

use std::sync::Arc;

use tidewire_log::{Entry, Epoch, Seq, ids::Epochs, machine::Origin, timekeeper::Timekeeper};
use tokio::sync::{Semaphore, mpsc};

use super::{Batch, Broken, Follower, JoinError, Joined, NotTaken, Order, Ordered, Proposer, Standing};

/// The most bytes of a batch: what a store writes at once, and holds in memory for it.
const MAX_BATCH: usize = 16 << 20;

/// The most bytes of an entry: a store that writes records has no room for more.
const MAX_ENTRY: usize = 72 << 20;

/// See the module's text.
pub struct Local {
    epochs: Epochs,
    time: Arc<Timekeeper>,
}

/// Takes batches for the follower.
#[derive(Debug)]
pub struct LocalProposer {
    batches: mpsc::Sender<Batch>,
    wanted: Arc<Semaphore>,
}

/// Hands out what was proposed.
pub struct LocalFollower {
    batches: mpsc::Receiver<Batch>,
    /// Has a permit while this waits for a batch that nobody is making yet.
    wanted: Arc<Semaphore>,
    waits: bool,
    time: Arc<Timekeeper>,
    position: u64,
}

impl Local {
    pub(crate) fn new(epochs: Epochs, time: Arc<Timekeeper>) -> Self {
        Self { epochs, time }
    }

    /// Begins an epoch: the log may have lost its end, or be an older copy, and then gives its numbers to other events.
    pub(crate) fn begin(&self, last: Seq) -> Result<Joined<LocalProposer, LocalFollower>, getrandom::Error> {
        let epoch = Epoch::random()?;
        self.epochs.begin(epoch, last.next());
        let (sender, batches) = mpsc::channel(1);
        let wanted = Arc::new(Semaphore::new(0));
        Ok(Joined {
            proposer: LocalProposer {
                batches: sender,
                wanted: Arc::clone(&wanted),
            },
            follower: LocalFollower {
                batches,
                wanted,
                waits: false,
                time: Arc::clone(&self.time),
                position: 0,
            },
            origin: Origin {
                node: 0,
                incarnation: 0,
            },
            notes: vec![Entry::Epoch(epoch)],
            max_entry: MAX_ENTRY,
            max_batch: MAX_BATCH,
            decided: false,
        })
    }
}

impl Order for Local {
    type Proposer = LocalProposer;
    type Follower = LocalFollower;

    async fn join(&self, standing: Standing) -> Result<Joined<LocalProposer, LocalFollower>, JoinError> {
        Ok(self.begin(standing.last)?)
    }
}

impl Proposer for LocalProposer {
    async fn ready(&self) {
        // Closed never.
        if let Ok(permit) = self.wanted.acquire().await {
            permit.forget();
        }
    }

    async fn propose(&self, batch: Batch) -> Result<(), NotTaken> {
        let sent = self.batches.send(batch).await;
        sent.map_err(|_| NotTaken("the log takes nothing more".into()))
    }
}

impl Follower for LocalFollower {
    async fn next(&mut self, last: Seq) -> Result<Ordered, Broken> {
        if !self.waits {
            self.waits = true;
            self.wanted.add_permits(1);
        }
        let Batch { number, entries } = self.batches.recv().await.ok_or(Broken::Closed)?;
        self.waits = false;
        self.position += 1;
        Ok(Ordered {
            position: self.position,
            first: last.next(),
            time: self.time.read().stamp,
            origin: Origin {
                node: 0,
                incarnation: 0,
            },
            number,
            entries,
        })
    }
}
