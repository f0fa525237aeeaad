//! Reads of the store: in place where it never waits for a disk, else where a thread may block.
//!
//! The threads are tokio's blocking ones: they come on demand and go when nothing is read, they serve a runtime of one thread and a
//! `LocalSet` as well, a runtime that ends waits for reads under way, and a test's paused clock stands still meanwhile. Tokio's own
//! bound is far above what a disk serves, and everything in the process shares it, so the pool has a lower one and a queue. A reader
//! that is not polled holds no turn. The threads are those of the runtime on which the hub was started, so a reader may be polled on any
//! other, or on none.
//!
//! Bounds: [`AT_ONCE`] reads at once. A reader has one read at most, under way or waiting for its turn; turns come in order. A read that was
//! dropped while it waited is not made; one that is under way runs to its end, which is near, as every read is a step. The pool's own
//! end waits for those: a log may be opened again once its hub is gone.

use std::{
    collections::VecDeque,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use parking_lot::{Condvar, Mutex};
use tidewire_log::archive::Reads;
use tokio::{runtime::Handle, sync::oneshot};

/// How many reads are made at once.
const AT_ONCE: usize = 16;

/// See the module's text.
pub(crate) struct Pool {
    store: Arc<dyn Reads>,
    work: Arc<Work>,
    runtime: Handle,
}

type Job = Box<dyn FnOnce(&dyn Reads) + Send>;

#[derive(Default)]
struct Work {
    state: Mutex<State>,
    /// A worker has gone.
    left: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    workers: usize,
}

impl Pool {
    pub(crate) fn new(store: Arc<dyn Reads>, runtime: Handle) -> Self {
        Self {
            store,
            work: Arc::default(),
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
        let (answer, answered) = oneshot::channel();
        self.queue(Box::new(move |store| {
            if answer.is_closed() {
                return;
            }
            let done = catch_unwind(AssertUnwindSafe(|| read(store)));
            let done = done.unwrap_or_else(|_| Err(io::Error::other("the store has a fault")));
            drop(answer.send(done));
        }));
        let ended = || io::Error::other("the runtime on which the hub was started has ended");
        answered.await.unwrap_or_else(|_| Err(ended()))
    }

    fn queue(&self, job: Job) {
        {
            let mut state = self.work.state.lock();
            state.jobs.push_back(job);
            if state.workers == AT_ONCE {
                return;
            }
            state.workers += 1;
        }
        let mut worker = Worker {
            store: Some(Arc::clone(&self.store)),
            work: Arc::clone(&self.work),
        };
        drop(self.runtime.spawn_blocking(move || worker.run()));
    }
}

/// Makes the reads that wait. It has a store until there are none.
struct Worker {
    store: Option<Arc<dyn Reads>>,
    work: Arc<Work>,
}

impl Worker {
    fn run(&mut self) {
        while let Some(store) = &self.store {
            let job = {
                let mut state = self.work.state.lock();
                let job = state.jobs.pop_front();
                if job.is_none() {
                    // Before the pool hears of it, which is to be the last that has the store.
                    self.store = None;
                    self.work.leave(&mut state);
                    return;
                }
                job
            };
            if let Some(job) = job {
                job(&**store);
            }
        }
    }
}

impl Drop for Worker {
    /// If it was never run, as the runtime has ended, no job will be.
    fn drop(&mut self) {
        if self.store.take().is_some() {
            let mut state = self.work.state.lock();
            let jobs = std::mem::take(&mut state.jobs);
            self.work.leave(&mut state);
            drop(state);
            drop(jobs);
        }
    }
}

impl Work {
    fn leave(&self, state: &mut State) {
        state.workers -= 1;
        self.left.notify_all();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut state = self.work.state.lock();
        self.work.left.wait_while(&mut state, |state| state.workers > 0);
    }
}
