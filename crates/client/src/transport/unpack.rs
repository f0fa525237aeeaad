//! Bodies, unpacked as they stream.
//!
//! Done here and not by a transport, so that every transport can, and so that packed bytes count as signs of life
//! even before they make text.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use ::http::{HeaderMap, header};
use async_compression::{
    tokio::bufread::{BrotliDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder},
    zstd::DParameter,
};
use bytes::Bytes;
use futures_core::Stream;
use http_body::Body as _;
use tokio_util::io::{ReaderStream, StreamReader};

use super::Body;
use crate::error::BoxError;

/// What is asked for.
pub(crate) const ACCEPTED: &str = "gzip, br, zstd";

/// How much is unpacked at a time.
const STEP: usize = 16 << 10;

/// As a power of two: how far back a zstd body may refer, which is what has to be kept of it. RFC 9659 allows
/// 8 MiB; the decoder by itself would keep 128 MiB.
const ZSTD_WINDOW: u32 = 23;

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    None,
    Gzip,
    Brotli,
    Zstd,
    Deflate,
}

impl Packing {
    /// What the headers say, or its name if that cannot be unpacked.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, String> {
        let names = headers.get_all(header::CONTENT_ENCODING).iter();
        let names: Vec<_> = names
            .map(|name| {
                String::from_utf8_lossy(name.as_bytes())
                    .trim()
                    .to_ascii_lowercase()
            })
            .collect();
        // Packed twice over is packed in a way that nobody asked for.
        let name = names.join(", ");
        match &*name {
            "" | "identity" => Ok(Self::None),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "br" => Ok(Self::Brotli),
            "zstd" => Ok(Self::Zstd),
            "deflate" => Ok(Self::Deflate),
            _ => Err(name),
        }
    }
}

/// A body's bytes, as text of a stream.
pub(crate) struct Reader {
    bytes: Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>,
    /// Packed bytes that came so far.
    came: Arc<AtomicU64>,
    /// Of these, how many are known to the session.
    told: u64,
}

impl Reader {
    /// Reads a body. One that cannot be unpacked is read as it is: it is no stream then, and only shown.
    pub(crate) fn new(body: Body, headers: &HeaderMap) -> Self {
        let came = Arc::new(AtomicU64::new(0));
        let raw = Raw {
            body,
            came: Arc::clone(&came),
        };
        let packed = |raw| StreamReader::new(raw);
        let bytes: Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>> = match Packing::of(headers)
            .unwrap_or(Packing::None)
        {
            Packing::None => Box::pin(raw),
            Packing::Gzip => {
                let mut decoder = GzipDecoder::new(packed(raw));
                // Some servers flush by beginning another member.
                decoder.multiple_members(true);
                Box::pin(ReaderStream::with_capacity(decoder, STEP))
            }
            Packing::Brotli => Box::pin(ReaderStream::with_capacity(BrotliDecoder::new(packed(raw)), STEP)),
            Packing::Zstd => {
                let window = DParameter::window_log_max(ZSTD_WINDOW);
                let mut decoder = ZstdDecoder::with_params(packed(raw), &[window]);
                decoder.multiple_members(true);
                Box::pin(ReaderStream::with_capacity(decoder, STEP))
            }
            Packing::Deflate => Box::pin(ReaderStream::with_capacity(ZlibDecoder::new(packed(raw)), STEP)),
        };
        Self { bytes, came, told: 0 }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BoxError>>> {
        let next = ready!(self.bytes.as_mut().poll_next(cx));
        Poll::Ready(next.map(|next| next.map_err(Into::into)))
    }

    /// Whether bytes came since this was asked last.
    pub(crate) fn is_alive(&mut self) -> bool {
        let came = self.came.load(Ordering::Relaxed);
        std::mem::replace(&mut self.told, came) != came
    }
}

/// A body's bytes as they come.
struct Raw {
    body: Body,
    came: Arc<AtomicU64>,
}

impl Stream for Raw {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Poll::Ready(Some(Err(io::Error::other(error)))),
                None => return Poll::Ready(None),
            };
            // Trailers say nothing here, and an empty chunk would be taken for the end.
            if let Ok(bytes) = frame.into_data()
                && !bytes.is_empty()
            {
                self.came.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                return Poll::Ready(Some(Ok(bytes)));
            }
        }
    }
}
