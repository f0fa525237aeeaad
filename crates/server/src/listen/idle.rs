//! How long a head may take, and how long a connection may wait for the next one.
//!
//! hyper has one timer for both (`header_read_timeout`), which it asks for when it begins to wait for a head. So that
//! timer is ours: it is told of bytes that come, and counts anew from the first byte of a head. The first head of a
//! connection has one time, with the wait for it.
//!
//! A next head that was begun in the same bytes as the request before is seen at its next byte only; till then it
//! counts as not begun.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use hyper::rt;
use tokio::time::{Sleep, sleep};

/// A connection's timer for hyper.
#[derive(Debug)]
pub(super) struct HeadTimer {
    /// A head must be complete in this time.
    head: Duration,
    /// The next head must begin in this time.
    keep_alive: Duration,
    seen: Arc<Seen>,
}

/// What has been seen of a connection.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// There was a head before.
    head: AtomicBool,
    /// Bytes have come since the timer was asked for.
    bytes: AtomicBool,
}

impl Seen {
    /// These bytes have come.
    pub(super) fn came(&self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.bytes.store(true, Relaxed);
        }
    }
}

impl HeadTimer {
    pub(super) fn new(head: Duration, keep_alive: Duration, seen: Arc<Seen>) -> Self {
        Self {
            head,
            keep_alive,
            seen,
        }
    }
}

impl rt::Timer for HeadTimer {
    fn sleep(&self, _: Duration) -> Pin<Box<dyn rt::Sleep>> {
        // The bytes of the request before.
        self.seen.bytes.store(false, Relaxed);
        let is_next = self.seen.head.swap(true, Relaxed);
        let time = if is_next { self.keep_alive } else { self.head };
        Box::pin(Waiting {
            sleep: Box::pin(sleep(time)),
            head: self.head,
            seen: is_next.then(|| Arc::clone(&self.seen)),
        })
    }

    fn sleep_until(&self, _: Instant) -> Pin<Box<dyn rt::Sleep>> {
        self.sleep(self.head)
    }
}

/// The wait for a head, and the time until it is complete.
struct Waiting {
    sleep: Pin<Box<Sleep>>,
    head: Duration,
    /// Until the next head begins; none for the first.
    seen: Option<Arc<Seen>>,
}

impl rt::Sleep for Waiting {}

impl Future for Waiting {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.seen.as_ref().is_some_and(|seen| seen.bytes.load(Relaxed)) {
            self.seen = None;
            let due = tokio::time::Instant::now() + self.head;
            self.sleep.as_mut().reset(due);
        }
        self.sleep.as_mut().poll(cx)
    }
}
