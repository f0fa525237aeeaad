//! Packed bytes as they come, as unpacked ones.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_core::Stream;

use crate::{AT_A_TIME, Bomb, Packing};

/// As a power of two: how far back a zstd body may refer, which is what has to be kept of it.
pub(crate) const ZSTD_WINDOW: u32 = 23;

/// A stream of bytes in pieces.
type Pieces = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// A body, unpacked. It has ended after its first error.
pub struct Unpacked {
    /// None when it has ended.
    pieces: Option<Pieces>,
    packing: Packing,
    counts: Arc<Counts>,
    /// What came of it since other tasks had a turn.
    in_a_row: usize,
}

impl Unpacked {
    /// Unpacks a body. Its pieces should not be empty.
    pub fn new(packing: Packing, body: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Self {
        let counts = Arc::new(Counts::default());
        let body = Box::pin(body);
        let counted = Counted {
            body,
            is_packed: packing != Packing::None,
            counts: Arc::clone(&counts),
            end: None,
        };
        let pieces = unpacked(packing, counted);
        Self {
            pieces: Some(pieces),
            packing,
            counts,
            in_a_row: 0,
        }
    }

    /// How many packed bytes have come.
    #[must_use]
    pub fn packed(&self) -> u64 {
        self.counts.packed.load(Relaxed)
    }

    fn count(&mut self, piece: &Bytes) -> io::Result<()> {
        self.in_a_row += piece.len();
        self.counts.unpacked.fetch_add(piece.len() as u64, Relaxed);
        self.counts.check()
    }
}

impl Stream for Unpacked {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(pieces) = &mut this.pieces else {
            return Poll::Ready(None);
        };
        if this.packing == Packing::None {
            return pieces.as_mut().poll_next(cx);
        }
        if this.in_a_row >= AT_A_TIME {
            this.in_a_row = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Poll::Ready(next) = pieces.as_mut().poll_next(cx) else {
            this.in_a_row = 0;
            return Poll::Pending;
        };
        let next = next.map(|piece| piece.and_then(|piece| this.count(&piece).map(|()| piece)));
        if !matches!(next, Some(Ok(_))) {
            this.pieces = None;
        }
        Poll::Ready(next)
    }
}

/// The pieces of a body, unpacked.
#[cfg(feature = "codecs")]
fn unpacked(packing: Packing, counted: Counted) -> Pieces {
    use async_compression::{
        tokio::bufread::{BrotliDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder},
        zstd::DParameter,
    };
    use tokio_util::io::{ReaderStream, StreamReader};

    use crate::STEP;

    let reader = StreamReader::new;
    match packing {
        Packing::None => Box::pin(counted),
        Packing::Gzip => {
            let mut decoder = GzipDecoder::new(reader(counted));
            // Some servers flush by beginning another member.
            decoder.multiple_members(true);
            Box::pin(ReaderStream::with_capacity(decoder, STEP))
        }
        Packing::Brotli => Box::pin(ReaderStream::with_capacity(
            BrotliDecoder::new(reader(counted)),
            STEP,
        )),
        Packing::Zstd => {
            let window = DParameter::window_log_max(ZSTD_WINDOW);
            let mut decoder = ZstdDecoder::with_params(reader(counted), &[window]);
            decoder.multiple_members(true);
            Box::pin(ReaderStream::with_capacity(decoder, STEP))
        }
        Packing::Deflate => Box::pin(ReaderStream::with_capacity(
            ZlibDecoder::new(reader(counted)),
            STEP,
        )),
    }
}

/// Without decoders there is no packed body: its name was refused.
#[cfg(not(feature = "codecs"))]
fn unpacked(_: Packing, counted: Counted) -> Pieces {
    Box::pin(counted)
}

/// How many bytes of a body have come, and how many came of them.
#[derive(Default)]
struct Counts {
    packed: AtomicU64,
    unpacked: AtomicU64,
}

impl Counts {
    fn check(&self) -> io::Result<()> {
        Bomb::check(self.packed.load(Relaxed), self.unpacked.load(Relaxed))
    }
}

/// A body's bytes as they come, counted.
struct Counted {
    body: Pieces,
    is_packed: bool,
    counts: Arc<Counts>,
    /// The end, an error or none, which is told at the next poll.
    end: Option<Option<io::Error>>,
}

impl Stream for Counted {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(end) = self.end.take() {
            return Poll::Ready(end.map(Err));
        }
        let next = match ready!(self.body.as_mut().poll_next(cx)) {
            Some(Ok(piece)) => Some(Ok(piece)),
            // A decoder that asks for more drops what it has unpacked in the same poll if it gets an error or the end.
            end if self.is_packed => {
                self.end = Some(end.and_then(Result::err));
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            end => end,
        };
        let counted = next.map(|piece| {
            let piece = piece?;
            // Here too: a decoder asks for more within one poll as long as nothing has come of it. Before this piece
            // counts, of which nothing can have come yet.
            if self.is_packed {
                self.counts.check()?;
            }
            self.counts.packed.fetch_add(piece.len() as u64, Relaxed);
            Ok(piece)
        });
        Poll::Ready(counted)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use futures_util::{StreamExt as _, stream};

    use super::*;
    use crate::{FREE, FREE_PACKED};

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn unpacked(packed: &[u8]) -> Unpacked {
        let pieces: Vec<_> = packed
            .chunks(1000)
            .map(|piece| Ok(Bytes::copy_from_slice(piece)))
            .collect();
        Unpacked::new(Packing::Gzip, stream::iter(pieces))
    }

    #[tokio::test]
    async fn a_bomb_ends_in_an_error_at_the_bound() {
        let mut body = unpacked(&gzip(&vec![b':'; 64 << 20]));
        let mut bytes = 0;
        let error = loop {
            match body.next().await.unwrap() {
                Ok(piece) => bytes += piece.len() as u64,
                Err(error) => break error,
            }
        };
        assert!(bytes <= FREE, "{bytes}");
        assert!(error.get_ref().unwrap().is::<Bomb>(), "{error}");
        assert!(body.next().await.is_none());
    }

    #[tokio::test]
    async fn what_came_before_a_break_is_unpacked_also_where_both_come_at_once() {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"data: 1\n\n").unwrap();
        encoder.flush().unwrap();
        let begun = Bytes::from(encoder.get_ref().clone());
        for is_clean in [false, true] {
            let broken = (!is_clean).then(|| Err(io::ErrorKind::ConnectionReset.into()));
            let pieces = stream::iter([Ok(begun.clone())].into_iter().chain(broken));
            let mut body = Unpacked::new(Packing::Deflate, pieces);
            let first = body.next().await.unwrap();
            assert_eq!(first.unwrap(), "data: 1\n\n", "{is_clean}");
            assert!(body.next().await.unwrap().is_err(), "{is_clean}");
            assert!(body.next().await.is_none(), "{is_clean}");
        }
    }

    #[tokio::test]
    async fn a_large_body_that_is_packed_as_text_is_comes_whole() {
        let mut text = Vec::new();
        for number in 0..300_000 {
            writeln!(
                text,
                "data: {{\"index\":{number},\"delta\":{{\"content\":\"tok\"}},\"model\":\"m\"}}\n"
            )
            .unwrap();
        }
        assert!(text.len() as u64 > FREE);
        let pieces: Vec<_> = unpacked(&gzip(&text)).map(|piece| piece.unwrap()).collect().await;
        assert_eq!(pieces.concat(), text);
    }

    #[tokio::test]
    async fn packed_bytes_of_which_nothing_comes_end_in_an_error_at_the_bound() {
        let skipped_frame = [&0x184D_2A50_u32.to_le_bytes()[..], &[0; 4]].concat();
        let empty_block = b"\x00\x00\x00\xff\xff".to_vec();
        let cases = [
            (Packing::Zstd, &b""[..], skipped_frame),
            (Packing::Deflate, b"\x78\x9c", empty_block),
        ];
        for (packing, first, nothing) in cases {
            let piece = Bytes::from(nothing.repeat(1000));
            let pieces = stream::iter([first.into()]).chain(stream::repeat(piece));
            let mut body = Unpacked::new(packing, pieces.map(Ok));
            let error = body.next().await.unwrap().unwrap_err();
            assert!(error.get_ref().unwrap().is::<Bomb>(), "{error}");
            assert!(body.packed() < FREE_PACKED + (64 << 10), "{packing:?}");
        }
        let members = gzip(b"data:x\n\n").len() as u64;
        assert!(
            Bomb::check(members << 20, 8 << 20).is_ok(),
            "one for each small event"
        );
    }

    #[tokio::test]
    async fn other_tasks_have_a_turn() {
        let body = unpacked(&gzip(&vec![b':'; 4 << 20]));
        let unpacking = async { body.fold(0, async |sum, piece| sum + piece.unwrap().len()).await };
        let mut turns = 0;
        let others = async {
            loop {
                turns += 1;
                tokio::task::yield_now().await;
            }
        };
        let sum = tokio::select! {
            sum = unpacking => sum,
            () = others => 0,
        };
        assert_eq!(sum, 4 << 20);
        assert!(turns >= 32, "{turns}");
    }
}
