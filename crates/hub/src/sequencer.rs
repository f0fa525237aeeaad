//! The way to the [committer](crate::committer): a queue, and the task that it ends with.
//!
//! Bounds: [`QUEUE`] publishes wait; who comes after them waits to get in.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    thread,
};

use parking_lot::Mutex;
use tokio::{
    runtime,
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use crate::{Entry, Error, Receipt, Row, committer::Committer};

/// How many publishes may wait for the committer.
const QUEUE: usize = 1024;

/// A publish on its way to the committer.
pub(crate) struct Waiting {
    /// What is proposed, or why this node does not.
    pub(crate) entry: Result<Entry, Error>,
    pub(crate) row: Option<Row>,
    pub(crate) answer: Answer,
}

pub(crate) type Answer = oneshot::Sender<Result<Receipt, Error>>;

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

/// The way to the committer, which it ends with.
pub(crate) struct Sequencer {
    queue: Mutex<Option<mpsc::Sender<Waiting>>>,
    at_work: Mutex<Option<AtWork>>,
}

/// Where the committer runs.
enum AtWork {
    /// On the runtime, as nothing it does takes long.
    Task(JoinHandle<()>),
    /// On a thread, which says so when it has ended well.
    Thread(oneshot::Receiver<()>),
}

impl Sequencer {
    /// Starts the committer: on the current runtime, or on a thread of its own if its archive waits for a disk.
    ///
    /// # Errors
    /// There can be no more threads.
    #[expect(
        clippy::disallowed_methods,
        reason = "the handle is kept: `close` waits for the task, `drop` aborts it"
    )]
    pub(crate) fn start(committer: Committer) -> io::Result<Self> {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let at_work = match committer.archive.may_block() {
            false => AtWork::Task(tokio::spawn(committer.run(waiting))),
            true => {
                let runtime = runtime::Builder::new_current_thread().enable_time().build()?;
                let (ended, has_ended) = oneshot::channel();
                let work = move || {
                    runtime.block_on(committer.run(waiting));
                    // Nobody may wait for it.
                    let _ = ended.send(());
                };
                thread::Builder::new().name("tidewire-log".into()).spawn(work)?;
                AtWork::Thread(has_ended)
            }
        };
        Ok(Self {
            queue: Mutex::new(Some(queue)),
            at_work: Mutex::new(Some(at_work)),
        })
    }

    /// Resolves once the publish has its turn.
    pub(crate) async fn enqueue(
        &self,
        entry: Result<Entry, Error>,
        row: Option<Row>,
    ) -> Result<Pending, Error> {
        let queue = self.queue.lock().clone().ok_or(Error::Closed)?;
        let (answer, answered) = oneshot::channel();
        let sent = queue.send(Waiting { entry, row, answer }).await;
        sent.map_err(|_| Error::Closed)?;
        Ok(Pending(answered))
    }

    /// Takes no more publishes and waits until those that wait are committed.
    pub(crate) async fn close(&self) {
        drop(self.queue.lock().take());
        let at_work = self.at_work.lock().take();
        let ended_well = match at_work {
            Some(AtWork::Task(task)) => task.await.is_ok(),
            Some(AtWork::Thread(ended)) => ended.await.is_ok(),
            None => true,
        };
        if !ended_well {
            tracing::error!("the committer ended badly");
        }
    }
}

impl Drop for Sequencer {
    fn drop(&mut self) {
        // A thread commits what waits, closes the archive, and ends by itself.
        if let Some(AtWork::Task(task)) = self.at_work.get_mut().take() {
            task.abort();
        }
    }
}
