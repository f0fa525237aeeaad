//! The bodies of streams, and of answers that are passed on.
//!
//! - A head (`retry` line, primed cursor) goes out with the response headers.
//! - Whenever the stream has been silent for an interval, from its start on, a heartbeat goes out: the
//!   format's line that says nothing.
//! - The end of the inner stream finishes the body; an error of it aborts the body, so that no client
//!   takes a cut for completion. What came before the error goes out first.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use http_body::{Body, Frame};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep};

pin_project! {
    /// Pieces of which the last ones are written out before an error comes. The connection writes out what it has when the
    /// body is pending; an error would throw that away, even the response's headers.
    pub struct WrittenOut<S, E> {
        #[pin]
        pieces: S,
        error: Option<E>,
    }
}

impl<S, E> WrittenOut<S, E> {
    /// These pieces.
    pub fn new(pieces: S) -> Self {
        Self { pieces, error: None }
    }
}

impl<T, S: Stream<Item = Result<T, E>>, E> Stream for WrittenOut<S, E> {
    type Item = Result<T, E>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        if let Some(error) = this.error.take() {
            return Poll::Ready(Some(Err(error)));
        }
        match this.pieces.poll_next(cx) {
            Poll::Ready(Some(Err(error))) => {
                *this.error = Some(error);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            next => next,
        }
    }
}

pin_project! {
    /// Chunks of whole lines as a response body.
    pub struct StreamBody<S, E, F> {
        #[pin]
        chunks: WrittenOut<S, E>,
        head: Option<Bytes>,
        #[pin]
        heartbeat: Heartbeat,
        line: F,
    }
}

impl<S, E, F> StreamBody<S, E, F> {
    /// `line` says what goes out as a heartbeat when one is due; nothing does if it is empty.
    pub fn new(head: Vec<u8>, chunks: S, interval: Duration, line: F) -> Self {
        Self {
            chunks: WrittenOut::new(chunks),
            head: (!head.is_empty()).then(|| head.into()),
            heartbeat: Heartbeat::new(interval),
            line,
        }
    }
}

impl<S, E, F> Body for StreamBody<S, E, F>
where
    S: Stream<Item = Result<Bytes, E>>,
    F: Fn() -> &'static str,
{
    type Data = Bytes;
    type Error = E;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, E>>> {
        let mut this = self.project();
        let chunk = match this.head.take() {
            Some(head) => Some(Ok(head)),
            None => match this.chunks.poll_next(cx) {
                Poll::Ready(chunk) => chunk,
                Poll::Pending => loop {
                    ready!(this.heartbeat.as_mut().poll(cx));
                    let line = (this.line)();
                    if !line.is_empty() {
                        break Some(Ok(Bytes::from_static(line.as_bytes())));
                    }
                },
            },
        };
        this.heartbeat.not_silent();
        Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data)))
    }
}

pin_project! {
    /// Ready when nothing has been sent for an interval.
    struct Heartbeat {
        interval: Duration,
        last: Instant,
        #[pin]
        timer: Sleep,
    }
}

impl Heartbeat {
    fn new(interval: Duration) -> Self {
        Self {
            interval,
            last: Instant::now(),
            timer: sleep(interval),
        }
    }

    /// Something has been sent. The timer is not touched: it looks at this when it fires, so that a
    /// busy stream pays nothing for it.
    fn not_silent(self: Pin<&mut Self>) {
        *self.project().last = Instant::now();
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        loop {
            ready!(this.timer.as_mut().poll(cx));
            let due = *this.last + *this.interval;
            let fired = Instant::now() >= due;
            let next = if fired {
                Instant::now() + *this.interval
            } else {
                due
            };
            this.timer.as_mut().reset(next);
            if fired {
                return Poll::Ready(());
            }
        }
    }
}
