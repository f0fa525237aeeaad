//! How an [append session](crate::session) keeps its order: a row, of which a refused publish refuses all behind it.
//!
//! Within a batch that is a rule of the [order](crate::order). Between batches it is kept here: one batch of a row is under way
//! at a time, and behind a refusal nothing more is proposed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering::Relaxed},
};

/// What publishes have in common that belong to one row. Clones are the same row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row(Arc<State>);

/// The packer writes what is under way; who tells of a refusal comes before the batch has landed.
#[derive(Debug, Default)]
struct State {
    is_broken: AtomicBool,
    /// The number of the batch that is under way. 0: none.
    batch: AtomicU64,
    /// In that batch, counted from 1.
    session: AtomicU16,
}

impl Row {
    /// A publish of this row was refused: nothing more of it is proposed.
    pub(crate) fn break_off(&self) {
        self.0.is_broken.store(true, Relaxed);
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.0.is_broken.load(Relaxed)
    }

    /// Whether publishes of another batch than this are under way.
    pub(crate) fn is_in_another(&self, batch: u64) -> bool {
        let under_way = self.0.batch.load(Relaxed);
        under_way != 0 && under_way != batch
    }

    /// Its session in a batch; `next` if it has none there yet.
    pub(crate) fn session(&self, batch: u64, next: u16) -> u16 {
        if self.0.batch.swap(batch, Relaxed) != batch {
            self.0.session.store(next, Relaxed);
        }
        self.0.session.load(Relaxed)
    }

    /// Its batch is no longer under way.
    pub(crate) fn land(&self) {
        self.0.batch.store(0, Relaxed);
    }
}
