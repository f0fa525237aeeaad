//! Reads of the store: in place where it never waits for a disk, else where a thread may block.
//!
//! The threads are tokio's blocking ones: they come on demand and go when nothing is read, they serve a runtime of one thread and a
//! `LocalSet` as well, a runtime that ends waits for reads under way, and a test's paused clock stands still meanwhile. Tokio's own
//! bound is far above what a disk serves, and everything in the process shares it, so a semaphore has a lower one in front. They
//! are those of the runtime on which the hub was started, so a reader may be polled on any other, or on none.
//!
//! Bounds: [`AT_ONCE`] reads at once. A reader has one read at most, under way or waiting for its turn; turns come in order. Dropping
//! a read that waits takes it out; one that is under way runs to its end, which is near, as every read is a step. The pool's own
//! end waits for those: a log may be opened again once its hub is gone.

use std::{io, sync::Arc, thread, time::Duration};

use tidewire_log::archive::Reads;
use tokio::{runtime::Handle, sync::Semaphore};

/// How many reads are made at once.
const AT_ONCE: usize = 16;

/// See the module's text.
pub(crate) struct Pool {
    store: Arc<dyn Reads>,
    turns: Arc<Semaphore>,
    runtime: Handle,
}

impl Pool {
    pub(crate) fn new(store: Arc<dyn Reads>, runtime: Handle) -> Self {
        Self {
            store,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            runtime,
        }
    }

    /// For what never waits for a disk: counts.
    pub(crate) fn store(&self) -> &dyn Reads {
        &*self.store
    }

    /// The store, if it may be read in place.
    pub(crate) fn in_place(&self) -> Option<&dyn Reads> {
        (!self.store.may_block()).then_some(&*self.store)
    }

    /// Reads, in place or on a thread that may block.
    ///
    /// # Errors
    /// Those of `read`; or it has panicked, or the hub's runtime has ended.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Reads) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        if let Some(store) = self.in_place() {
            return read(store);
        }
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let turn = turn.map_err(io::Error::other)?;
        let store = Arc::clone(&self.store);
        let reading = self.runtime.spawn_blocking(move || {
            let _until_it_is_read = turn;
            read(&*store)
        });
        reading.await.unwrap_or_else(|error| {
            Err(io::Error::other(match error.is_panic() {
                true => "the store has a fault",
                false => "the runtime on which the hub was started has ended",
            }))
        })
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // A read holds a turn, and nobody can take one any more.
        while self.turns.available_permits() < AT_ONCE {
            thread::sleep(Duration::from_millis(1));
        }
    }
}
