//! The way to the [committer](crate::committer): a queue, and the task that it ends with.
//!
//! Bounds: [`QUEUE`] publishes wait; who comes after them waits to get in.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use parking_lot::Mutex;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use crate::{Draft, Error, Receipt, Row, committer::Committer};

/// How many publishes may wait for the committer.
const QUEUE: usize = 1024;

/// A publish on its way to the committer.
pub(crate) struct Waiting {
    pub(crate) draft: Draft,
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
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Sequencer {
    /// Starts the committer on the current runtime.
    #[expect(
        clippy::disallowed_methods,
        reason = "the handle is kept: `close` waits for the task, `drop` aborts it"
    )]
    pub(crate) fn start(committer: Committer) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        Self {
            queue: Mutex::new(Some(queue)),
            task: Mutex::new(Some(tokio::spawn(Arc::new(committer).run(waiting)))),
        }
    }

    /// Resolves once the publish has its turn.
    pub(crate) async fn enqueue(&self, draft: Draft, row: Option<Row>) -> Result<Pending, Error> {
        let queue = self.queue.lock().clone().ok_or(Error::Closed)?;
        let (answer, answered) = oneshot::channel();
        let sent = queue.send(Waiting { draft, row, answer }).await;
        sent.map_err(|_| Error::Closed)?;
        Ok(Pending(answered))
    }

    /// Takes no more publishes and waits until those that wait are committed.
    pub(crate) async fn close(&self) {
        drop(self.queue.lock().take());
        let task = self.task.lock().take();
        if let Some(Err(error)) = match task {
            Some(task) => Some(task.await),
            None => None,
        } {
            tracing::error!(%error, "the committer ended badly");
        }
    }
}

impl Drop for Sequencer {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().take() {
            task.abort();
        }
    }
}
