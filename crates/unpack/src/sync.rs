//! Bytes that are there already, as a browser would unpack them: what can be read once so much of a body has come.
//!
//! No I/O: the body is a queue of one piece, and what is pending is what has not been given yet.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    },
    task::{Context, Poll, Wake, Waker},
};

use bytes::Bytes;
use futures_core::Stream;

use crate::{Packing, Unpacked};

/// One body.
pub struct Unpack {
    given: SyncSender<Bytes>,
    unpacked: Unpacked,
}

impl Unpack {
    /// A body of which nothing has come.
    #[must_use]
    pub fn new(packing: Packing) -> Self {
        let (given, queue) = sync_channel(1);
        Self {
            given,
            unpacked: Unpacked::new(packing, Queue(queue)),
        }
    }

    /// What can be read now that `bytes` have come too, `max` bytes at most.
    ///
    /// # Errors
    /// They are not what they are said to be, hold more than `max`, are a [`Bomb`](crate::Bomb), or the body had ended.
    /// Nothing can be read any more.
    pub fn feed(&mut self, bytes: &[u8], max: usize) -> io::Result<Vec<u8>> {
        if bytes.is_empty() {
            return Ok(Vec::new());
        }
        let ended = |_| io::Error::from(io::ErrorKind::UnexpectedEof);
        self.given
            .try_send(Bytes::copy_from_slice(bytes))
            .map_err(ended)?;
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        let mut readable = Vec::new();
        loop {
            match Pin::new(&mut self.unpacked).poll_next(&mut cx) {
                Poll::Ready(Some(piece)) => {
                    let piece = piece?;
                    if piece.len() > max - readable.len() {
                        return Err(io::ErrorKind::FileTooLarge.into());
                    }
                    readable.extend_from_slice(&piece);
                }
                Poll::Ready(None) => return Ok(readable),
                // It only lets other tasks have a turn.
                Poll::Pending if woken.0.swap(false, Relaxed) => {}
                Poll::Pending => return Ok(readable),
            }
        }
    }
}

/// The pieces that are given.
struct Queue(Receiver<Bytes>);

impl Stream for Queue {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.0.try_recv() {
            Ok(bytes) => Poll::Ready(Some(Ok(bytes))),
            Err(TryRecvError::Empty) => Poll::Pending,
            Err(TryRecvError::Disconnected) => Poll::Ready(None),
        }
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// Two pieces, each flushed.
    fn gzip(pieces: [&str; 2]) -> [Vec<u8>; 2] {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        pieces.map(|piece| {
            encoder.write_all(piece.as_bytes()).unwrap();
            encoder.flush().unwrap();
            std::mem::take(encoder.get_mut())
        })
    }

    #[test]
    fn what_was_flushed_can_be_read_at_once() {
        let [first, second] = gzip(["data: one\n\n", "data: two\n\n"]);
        let mut unpack = Unpack::new(Packing::Gzip);
        assert_eq!(unpack.feed(&first, 99).unwrap(), b"data: one\n\n");
        assert_eq!(unpack.feed(&second, 99).unwrap(), b"data: two\n\n");
    }

    #[test]
    fn a_body_that_is_not_what_it_says_fails() {
        let mut unpack = Unpack::new(Packing::Gzip);
        assert!(unpack.feed(b"data: not packed at all\n\n", 99).is_err());
    }

    #[test]
    fn more_than_is_wanted_is_an_error() {
        let [first, _] = gzip(["data: one\n\n", ""]);
        assert!(Unpack::new(Packing::Gzip).feed(&first, 10).is_err());
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&vec![0; 64 << 20]).unwrap();
        let mut unpack = Unpack::new(Packing::Gzip);
        assert!(unpack.feed(&encoder.finish().unwrap(), usize::MAX).is_err());
    }
}
