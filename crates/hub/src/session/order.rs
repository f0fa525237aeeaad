//! How a session keeps its order: a refused proposal refuses all behind it.
//!
//! Within a batch that is a rule of the [order](crate::order). Between batches it is kept here: one batch of a session is under
//! way at a time, and behind a refusal nothing more is proposed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering::Relaxed},
};

/// The state that the proposals of one session share. Clones are the same session.
#[derive(Debug, Clone, Default)]
pub(crate) struct SessionOrder(Arc<State>);

/// The packer writes what is under way; a refusal is told before its batch has landed.
#[derive(Debug, Default)]
struct State {
    is_broken: AtomicBool,
    /// The number of the batch that is under way. 0: none.
    batch: AtomicU64,
    /// The session's number in that batch, counted from 1.
    number: AtomicU16,
}

impl SessionOrder {
    /// A proposal was refused: nothing more of the session is proposed.
    pub(crate) fn break_off(&self) {
        self.0.is_broken.store(true, Relaxed);
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.0.is_broken.load(Relaxed)
    }

    /// Whether proposals of another batch than this are under way.
    pub(crate) fn is_in_another(&self, batch: u64) -> bool {
        let under_way = self.0.batch.load(Relaxed);
        under_way != 0 && under_way != batch
    }

    /// Its number in a batch; `next` if it has none there yet.
    pub(crate) fn number(&self, batch: u64, next: u16) -> u16 {
        if self.0.batch.swap(batch, Relaxed) != batch {
            self.0.number.store(next, Relaxed);
        }
        self.0.number.load(Relaxed)
    }

    /// Its batch is no longer under way.
    pub(crate) fn land(&self) {
        self.0.batch.store(0, Relaxed);
    }
}
