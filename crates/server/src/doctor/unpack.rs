//! Bytes as a browser would unpack them: what can be read once so much of a packed body has come.
//!
//! No I/O: the codecs write into memory, so a write is never pending.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_compression::tokio::write::{BrotliDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};
use futures_util::FutureExt as _;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

/// What all of a body may be when it is unpacked; a bomb is not unpacked any further.
const MOST: usize = 64 << 20;

/// One body.
pub(crate) enum Unpack {
    /// It is not packed.
    Plain,
    Gzip(GzipDecoder<Readable>),
    Deflate(ZlibDecoder<Readable>),
    Brotli(BrotliDecoder<Readable>),
    Zstd(ZstdDecoder<Readable>),
    /// Nobody asked for this encoding, or the bytes are not what they are said to be.
    Failed,
}

impl Unpack {
    /// For a `Content-Encoding`, in lower case.
    pub(crate) fn new(encoding: Option<&str>) -> Self {
        match encoding {
            None | Some("" | "identity") => Self::Plain,
            Some("gzip" | "x-gzip") => Self::Gzip(GzipDecoder::new(Readable::default())),
            Some("deflate") => Self::Deflate(ZlibDecoder::new(Readable::default())),
            Some("br") => Self::Brotli(BrotliDecoder::new(Readable::default())),
            Some("zstd") => Self::Zstd(ZstdDecoder::new(Readable::default())),
            Some(_) => Self::Failed,
        }
    }

    pub(crate) fn has_failed(&self) -> bool {
        matches!(self, Self::Failed)
    }

    pub(crate) fn is_packed(&self) -> bool {
        !matches!(self, Self::Plain)
    }

    /// For a body of which nothing is held: what was read so far counts no more.
    pub(crate) fn forget(&mut self) {
        match self {
            Self::Plain | Self::Failed => {}
            Self::Gzip(decoder) => decoder.get_mut().total = 0,
            Self::Deflate(decoder) => decoder.get_mut().total = 0,
            Self::Brotli(decoder) => decoder.get_mut().total = 0,
            Self::Zstd(decoder) => decoder.get_mut().total = 0,
        }
    }

    /// What can be read now that `bytes` have come too.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let readable = match self {
            Self::Plain => return bytes.to_vec(),
            Self::Failed => return Vec::new(),
            Self::Gzip(decoder) => pushed(decoder, bytes).map(|()| decoder.get_mut().take()),
            Self::Deflate(decoder) => pushed(decoder, bytes).map(|()| decoder.get_mut().take()),
            Self::Brotli(decoder) => pushed(decoder, bytes).map(|()| decoder.get_mut().take()),
            Self::Zstd(decoder) => pushed(decoder, bytes).map(|()| decoder.get_mut().take()),
        };
        readable.unwrap_or_else(|_| {
            *self = Self::Failed;
            Vec::new()
        })
    }
}

fn pushed(decoder: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    let push = async {
        decoder.write_all(bytes).await?;
        decoder.flush().await
    };
    push.now_or_never()
        .unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()))
}

/// Takes what was unpacked, up to a bound.
#[derive(Default)]
pub(crate) struct Readable {
    bytes: Vec<u8>,
    total: usize,
}

impl Readable {
    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

impl AsyncWrite for Readable {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.total += bytes.len();
        if self.total > MOST {
            return Poll::Ready(Err(io::ErrorKind::FileTooLarge.into()));
        }
        self.bytes.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// Two pieces, each flushed; then the end.
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
        let mut unpack = Unpack::new(Some("gzip"));
        assert_eq!(unpack.feed(&first), b"data: one\n\n");
        assert_eq!(unpack.feed(&second), b"data: two\n\n");
    }

    #[test]
    fn every_encoding_that_browsers_ask_for_is_known() {
        for (encoding, known) in [
            ("gzip", true),
            ("deflate", true),
            ("br", true),
            ("zstd", true),
            ("compress", false),
        ] {
            assert_eq!(!Unpack::new(Some(encoding)).has_failed(), known, "{encoding}");
        }
    }

    #[test]
    fn a_body_that_is_not_what_it_says_fails() {
        let mut unpack = Unpack::new(Some("gzip"));
        assert_eq!(unpack.feed(b"data: not packed at all\n\n"), b"");
        assert!(unpack.has_failed());
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        for _ in 0..=MOST >> 20 {
            encoder.write_all(&[0; 1 << 20]).unwrap();
        }
        let mut unpack = Unpack::new(Some("gzip"));
        unpack.feed(&encoder.finish().unwrap());
        assert!(unpack.has_failed());
    }
}
