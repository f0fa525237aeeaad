//! A stream as a response: what stands at its start, and how it ends when the server leaves.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use futures_core::Stream;
use futures_util::stream;
use http::{Response, header, request::Parts};
use tidewire_hub::Cut;

use super::format::{Format, VARY};
use crate::stream::respond::{come_again_line, fit_connection, retry_line, stream_response};

/// How a stream goes out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outgoing {
    pub(super) format: Format,
    /// After what time clients are told to come again at least, where the format can say so.
    pub(super) retry: Duration,
    pub(super) heartbeat: Duration,
}

impl Outgoing {
    /// A response of these chunks, with `first` in front of them.
    pub(super) fn response<S>(self, parts: &Parts, first: &[u8], chunks: S) -> Response<Body>
    where
        S: Stream<Item = Result<Bytes, Cut>> + Unpin + Send + 'static,
    {
        let mut head = Vec::new();
        if self.says_when() {
            retry_line(&mut head, self.retry);
        }
        head.extend_from_slice(first);
        let chunks = Chunks {
            outgoing: self,
            chunks,
            cut: None,
        };
        self.suited(
            parts,
            stream_response(self.format.form(), head, chunks, self.heartbeat),
        )
    }

    /// A response that is over at once.
    pub(super) fn nothing(self, parts: &Parts) -> Response<Body> {
        let nothing = stream::empty::<Result<_, Cut>>();
        self.suited(
            parts,
            stream_response(self.format.form(), Vec::new(), nothing, self.heartbeat),
        )
    }

    /// Whether the format can say when to come again.
    fn says_when(self) -> bool {
        self.format == Format::EventStream
    }

    /// With what depends on the request: the format, and whether the connection goes on.
    fn suited(self, parts: &Parts, mut response: Response<Body>) -> Response<Body> {
        response.headers_mut().insert(header::VARY, VARY);
        fit_connection(parts, &mut response);
        response
    }
}

/// Chunks of a stream. When it is cut, it says when to come again, and then fails, so that the body is
/// aborted.
struct Chunks<S> {
    outgoing: Outgoing,
    chunks: S,
    cut: Option<Cut>,
}

impl<S> Stream for Chunks<S>
where
    S: Stream<Item = Result<Bytes, Cut>> + Unpin,
{
    type Item = Result<Bytes, Cut>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(cut) = self.cut {
            return Poll::Ready(Some(Err(cut)));
        }
        match Pin::new(&mut self.chunks).poll_next(cx) {
            Poll::Ready(Some(Err(cut))) => {
                if !self.outgoing.says_when() {
                    return Poll::Ready(Some(Err(cut)));
                }
                let mut line = Vec::new();
                come_again_line(&mut line, self.outgoing.retry);
                self.cut = Some(cut);
                Poll::Ready(Some(Ok(line.into())))
            }
            other => other,
        }
    }
}
