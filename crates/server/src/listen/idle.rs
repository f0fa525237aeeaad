//! How long a connection may be silent: until its first request's head, between requests, and within a head.
//!
//! hyper has one timer for all three (`header_read_timeout`), which it asks for when it begins to wait for a head. So
//! that timer is ours: it is told of bytes that come, and counts anew from the first byte of a head.
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

/// A connection's timer for hyper, and what it is told. Clones are the same one.
#[derive(Debug, Clone)]
pub(super) struct HeadTimer {
    /// A head must be complete in this time.
    head: Duration,
    /// The next head must begin in this time.
    keep_alive: Duration,
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// There was a head before.
    head: AtomicBool,
    /// Bytes have come since the timer was asked for.
    bytes: AtomicBool,
}

impl HeadTimer {
    pub(super) fn new(head: Duration, keep_alive: Duration) -> Self {
        Self {
            head,
            keep_alive,
            seen: Arc::default(),
        }
    }

    /// These bytes have come.
    pub(super) fn came(&self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.seen.bytes.store(true, Relaxed);
        }
    }
}

impl rt::Timer for HeadTimer {
    fn sleep(&self, _: Duration) -> Pin<Box<dyn rt::Sleep>> {
        // The bytes of the request before.
        self.seen.bytes.store(false, Relaxed);
        let time = match self.seen.head.swap(true, Relaxed) {
            true => self.keep_alive,
            false => self.head,
        };
        Box::pin(Waiting {
            sleep: Box::pin(sleep(time)),
            head: self.head,
            seen: Some(Arc::clone(&self.seen)),
        })
    }

    fn sleep_until(&self, _: Instant) -> Pin<Box<dyn rt::Sleep>> {
        self.sleep(self.head)
    }
}

/// The time until a head is complete.
struct Waiting {
    sleep: Pin<Box<Sleep>>,
    head: Duration,
    /// Until the head begins.
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
