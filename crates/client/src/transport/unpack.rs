//! Bodies, unpacked as they stream.
//!
//! Done here and not by a transport, so that every transport can, and so that packed bytes count as signs of life
//! even before they make text.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use ::http::HeaderMap;
use bytes::Bytes;
use futures_core::Stream;
use http_body::Body as _;
use tidewire_unpack::{Packing, Unpacked};

use super::Body;
use crate::error::BoxError;

/// A body's bytes, as text of a stream.
pub(crate) struct Reader {
    bytes: Unpacked,
    /// Of the packed bytes that came, how many are known to the session.
    told: u64,
}

impl Reader {
    /// Reads a body. One that cannot be unpacked is read as it is: it is no stream then, and only shown.
    pub(crate) fn new(body: Body, headers: &HeaderMap) -> Self {
        let packing = Packing::of(headers).unwrap_or(Packing::None);
        Self {
            bytes: Unpacked::new(packing, Raw(body)),
            told: 0,
        }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BoxError>>> {
        let next = ready!(Pin::new(&mut self.bytes).poll_next(cx));
        Poll::Ready(next.map(|next| next.map_err(Into::into)))
    }

    /// Whether bytes came since this was asked last.
    pub(crate) fn is_alive(&mut self) -> bool {
        let came = self.bytes.packed();
        std::mem::replace(&mut self.told, came) != came
    }
}

/// A body's bytes as they come.
struct Raw(Body);

impl Stream for Raw {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let frame = match ready!(Pin::new(&mut self.0).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Poll::Ready(Some(Err(io::Error::other(error)))),
                None => return Poll::Ready(None),
            };
            // Trailers say nothing here, and an empty chunk would be taken for the end.
            if let Ok(bytes) = frame.into_data()
                && !bytes.is_empty()
            {
                return Poll::Ready(Some(Ok(bytes)));
            }
        }
    }
}
