//! A close that lets the other side read the last answer, and has its last request.
//!
//! Who is refused in the midst of a large body still sends. If the socket were closed on it, the system
//! would answer with a reset, which makes the client throw away what it has received: the very
//! text that says why it was refused. So after our side has been shut down, what still comes is read and
//! thrown away, until the client has closed too.
//!
//! Bound: [`PATIENCE`], and no time at all while the server drains. Streams that are cut do not come here:
//! hyper drops their sockets.
//!
//! While the server drains, a client that takes nothing for [`STUCK`] is cut too: one would hold all others.
//!
//! A client may send a request and close right after it. hyper drops a request when it sees such an end,
//! also one of which nobody has seen the body yet. So an end that comes after a request, and before anything
//! of its answer, is told [`NOTICE`] later.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};
use tokio_util::sync::CancellationToken;

/// How long a client may take to see that it has been answered.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a client may take nothing of what waits for it while the server drains.
const STUCK: Duration = Duration::from_secs(1);

/// How long after it the end of what a client sends is told.
const NOTICE: Duration = Duration::from_millis(20);

pub(super) struct Lingering<S> {
    socket: S,
    hurry: CancellationToken,
    shut_down: Option<Pin<Box<Sleep>>>,
    /// Since when it takes nothing while the server drains.
    stuck: Option<Pin<Box<Sleep>>>,
    /// Something has come since the last write.
    is_asked: bool,
    /// Since when the client sends nothing more.
    ended: Option<Pin<Box<Sleep>>>,
}

impl<S> Lingering<S> {
    /// Lingers at its end unless `hurry` is cancelled.
    pub(super) fn new(socket: S, hurry: CancellationToken) -> Self {
        Self {
            socket,
            hurry,
            shut_down: None,
            stuck: None,
            is_asked: false,
            ended: None,
        }
    }

    /// What comes of a write. The connection is polled when the drain begins, so one that waits is seen here then.
    fn written(&mut self, cx: &mut Context<'_>, write: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.is_asked &= write.is_pending();
        if write.is_ready() || !self.hurry.is_cancelled() {
            self.stuck = None;
            return write;
        }
        let timer = self.stuck.get_or_insert_with(|| Box::pin(sleep(STUCK)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let timer = match &mut this.shut_down {
            Some(timer) => timer,
            None => {
                ready!(Pin::new(&mut this.socket).poll_shutdown(cx))?;
                this.shut_down.insert(Box::pin(sleep(PATIENCE)))
            }
        };
        let mut thrown_away = [0; 8 << 10];
        loop {
            if this.hurry.is_cancelled() || timer.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut buffer = ReadBuf::new(&mut thrown_away);
            let read = ready!(Pin::new(&mut this.socket).poll_read(cx, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.written(cx, write)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.socket).poll_write_vectored(cx, parts);
        self.written(cx, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if self.ended.is_none() {
            ready!(Pin::new(&mut self.socket).poll_read(cx, buffer))?;
        }
        let is_end = buffer.filled().len() == before && buffer.remaining() > 0;
        self.is_asked |= !is_end;
        if is_end && self.is_asked {
            let timer = self.ended.get_or_insert_with(|| Box::pin(sleep(NOTICE)));
            ready!(timer.as_mut().poll(cx));
        }
        Poll::Ready(Ok(()))
    }
}
