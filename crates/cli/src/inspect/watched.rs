//! A body that is passed on as it comes, and of which each chunk is seen.
//!
//! Seeing costs the stream nothing: a chunk's bytes are shared, not copied, and where the scribe has no room the chunk is
//! missing from the view. How the body ended is told apart from its chunks, so it is never lost.

use std::{
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::{sync::mpsc, time::Instant};

/// How many chunks may wait for the scribe, and how many bytes.
const MAX_CHUNKS: usize = 1_024;
const MAX_BYTES: usize = 4 << 20;

/// A chunk, as it was seen.
pub(super) struct Seen {
    /// Milliseconds since the head.
    pub(super) at: u64,
    pub(super) bytes: Bytes,
    /// So many bytes before it were missed.
    pub(super) missed: u64,
}

/// How a body ended.
#[derive(Debug, Clone)]
pub(super) struct Over {
    pub(super) at: u64,
    pub(super) ending: Ending,
    pub(super) why: Option<String>,
    /// So many bytes before it were missed.
    pub(super) missed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Ending {
    /// The upstream finished it.
    End,
    /// The connection to the upstream broke.
    Cut,
    /// The client went before it was over.
    Left,
}

/// What the body and its scribe share.
#[derive(Default)]
struct Shared {
    /// Bytes that wait for the scribe.
    waiting: AtomicUsize,
    over: OnceLock<Over>,
}

/// The end that sees.
pub(super) struct Watcher {
    chunks: mpsc::Sender<Seen>,
    shared: Arc<Shared>,
    head: Instant,
    missed: u64,
}

/// The end that is told.
pub(super) struct Told {
    chunks: mpsc::Receiver<Seen>,
    shared: Arc<Shared>,
}

/// Both ends, for an answer whose head came then.
pub(super) fn watch(head: Instant) -> (Watcher, Told) {
    let (sender, receiver) = mpsc::channel(MAX_CHUNKS);
    let shared = Arc::<Shared>::default();
    let watcher = Watcher {
        chunks: sender,
        shared: Arc::clone(&shared),
        head,
        missed: 0,
    };
    let told = Told {
        chunks: receiver,
        shared,
    };
    (watcher, told)
}

impl Watcher {
    fn at(&self) -> u64 {
        tidewire_hub::clock::millis(self.head.elapsed())
    }

    fn chunk(&mut self, bytes: &Bytes) {
        let size = bytes.len();
        let seen = Seen {
            at: self.at(),
            bytes: bytes.clone(),
            missed: self.missed,
        };
        let waiting = self.shared.waiting.fetch_add(size, Relaxed);
        if waiting + size <= MAX_BYTES && self.chunks.try_send(seen).is_ok() {
            self.missed = 0;
        } else {
            self.shared.waiting.fetch_sub(size, Relaxed);
            self.missed += size as u64;
        }
    }

    /// There was no body: the upstream could not be asked.
    pub(super) fn failed(self, why: String) {
        self.over(Ending::Cut, Some(why));
    }

    /// The first word counts.
    fn over(&self, ending: Ending, why: Option<String>) {
        let at = self.at();
        let missed = self.missed;
        let _ = self.shared.over.set(Over {
            at,
            ending,
            why,
            missed,
        });
    }
}

impl Told {
    /// The next chunk; none once the body is over.
    pub(super) async fn chunk(&mut self) -> Option<Seen> {
        let seen = self.chunks.recv().await?;
        self.shared.waiting.fetch_sub(seen.bytes.len(), Relaxed);
        Some(seen)
    }

    /// How it ended; known when there are no more chunks.
    pub(super) fn over(&self) -> Option<&Over> {
        self.shared.over.get()
    }
}

/// The body itself.
pub(super) struct Watched {
    body: Incoming,
    watcher: Watcher,
    /// Told to the connection once it has written what came before.
    error: Option<hyper::Error>,
}

impl Watched {
    pub(super) fn new(body: Incoming, watcher: Watcher) -> Self {
        Self {
            body,
            watcher,
            error: None,
        }
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        if let Some(error) = self.error.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(bytes) = frame.data_ref() {
                    self.watcher.chunk(bytes);
                }
            }
            None => self.watcher.over(Ending::End, None),
            Some(Err(error)) => {
                self.watcher.over(Ending::Cut, Some(cause(error)));
                // An error would make the connection throw away what it has not written yet; when a body is pending, it
                // writes.
                self.error = frame.and_then(Result::err);
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.error.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // A connection does not ask for more than the length that was announced.
        let ending = if self.is_end_stream() {
            Ending::End
        } else {
            Ending::Left
        };
        self.watcher.over(ending, None);
    }
}

/// What happened, at the bottom of it.
pub(super) fn cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
