//! [`Sse`]: any stream of events as an axum response, for app authors.
//!
//! ```
//! use std::convert::Infallible;
//! use futures_util::stream;
//! use tidewire_codec::Event;
//! use tidewire_doors::Sse;
//!
//! async fn three() -> Sse<impl futures_core::Stream<Item = Result<Event, Infallible>>> {
//!     let events = ["one", "two", "three"].map(|data| Ok(Event::new(data)));
//!     Sse::new(stream::iter(events))
//! }
//! # let _: axum::Router = axum::Router::new().route("/three", axum::routing::get(three));
//! ```
//!
//! # How a stream ends
//!
//! To a client that reads with GET, the end of a response is no end: `EventSource` and most clients ask again, and get
//! all of it once more, for ever. Nothing is added to a stream by itself, so a stream that ends says so in one of two ways:
//!
//! - **[`Sse::finite`]** adds an event `end` after the last one. `tidewire-client` and the npm package end there; a page
//!   with the browser's own `EventSource` closes it: `source.addEventListener('end', () => source.close())`.
//! - **Events with ids, and 204** to a request whose `Last-Event-ID` is that of the last event. Every client ends there,
//!   also one that lost the connection just before the end.
//!
//! ```
//! # use std::convert::Infallible;
//! use axum::response::{IntoResponse, Response};
//! # use futures_util::stream;
//! use http::{HeaderMap, StatusCode};
//! use tidewire_codec::{Event, EventId};
//! # use tidewire_doors::Sse;
//!
//! async fn three(headers: HeaderMap) -> Response {
//!     let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
//!     let seen = last.and_then(|id| id.parse().ok()).unwrap_or(0);
//!     if seen >= 3 {
//!         return StatusCode::NO_CONTENT.into_response();
//!     }
//!     let event = |n: usize| Ok::<_, Infallible>(Event::new(n.to_string()).with_id(EventId::new(n.to_string()).unwrap()));
//!     Sse::new(stream::iter((seen + 1..=3).map(event))).into_response()
//! }
//! ```
//!
//! The answer to a POST is complete when it ends; most clients do not ask again.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{body::Body, response::IntoResponse};
use bytes::Bytes;
use futures_core::Stream;
use futures_util::{StreamExt as _, stream::BoxStream};
use http::{HeaderMap, HeaderName, HeaderValue, Response, Version, header, request::Parts};
use tidewire_codec::{Event, EventName, encode, protocol};
use tokio_util::task::TaskTracker;

use crate::stream::body::StreamBody;

/// How long a stream may be silent before a heartbeat goes out, unless set otherwise.
pub const HEARTBEAT: Duration = Duration::from_secs(15);

/// Announces the interval of the heartbeats, in seconds.
pub const TIDEWIRE_HEARTBEAT: HeaderName = HeaderName::from_static(protocol::TIDEWIRE_HEARTBEAT);

/// With `no`, nginx passes each piece on as it comes.
pub const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static(protocol::X_ACCEL_BUFFERING);

/// A stream of events as a response.
///
/// The headers go out at once. When the client goes, the stream is dropped, unless
/// [`Sse::finish_in`] says otherwise. When the stream ends, the response ends, after which most clients of a GET ask
/// again unless it is [`finite`](Sse::finite); when it yields an error, the response is cut, so that the client comes
/// again.
#[must_use]
pub struct Sse<S> {
    events: S,
    heartbeat: Duration,
    retry: Option<Duration>,
    end: Option<Event>,
    finish_in: Option<TaskTracker>,
}

impl<S, E> Sse<S>
where
    S: Stream<Item = Result<Event, E>>,
{
    /// A response that sends these events.
    pub fn new(events: S) -> Self {
        Self {
            events,
            heartbeat: HEARTBEAT,
            retry: None,
            end: None,
            finish_in: None,
        }
    }

    /// Sends a comment line whenever the stream has been silent for so long; [`HEARTBEAT`] by default.
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.heartbeat = interval;
        self
    }

    /// Tells clients how long to wait at least before they come again. Each response says a time of its own, up to half as much
    /// more, so that they do not come all at once.
    pub fn retry(mut self, wait: Duration) -> Self {
        self.retry = Some(wait);
        self
    }

    /// Says that the stream ends: its last event is called `end` and has no data. Without it, clients that read with GET
    /// ask again after the last event (see the module's text).
    pub fn finite(self) -> Self {
        self.end(Event::new("").with_name(EventName::from_static("end")))
    }

    /// A last event of one's own, sent when the stream has ended by itself. Clients that do not know it ask again.
    pub fn end(mut self, event: Event) -> Self {
        self.end = Some(event);
        self
    }

    /// When the client goes, lets the stream run to its end, or to its first error, as a task of this
    /// tracker.
    pub fn finish_in(mut self, tracker: TaskTracker) -> Self {
        self.finish_in = Some(tracker);
        self
    }
}

impl<S, E> IntoResponse for Sse<S>
where
    S: Stream<Item = Result<Event, E>> + Send + 'static,
    E: Into<axum::BoxError> + Send + 'static,
{
    fn into_response(self) -> Response<Body> {
        let mut head = Vec::new();
        if let Some(wait) = self.retry {
            retry_line(&mut head, wait);
        }
        let encoded = |event: &Event| {
            let mut out = Vec::with_capacity(event.data.len() + 64);
            event.as_ref().encode(&mut out);
            Bytes::from(out)
        };
        let end = futures_util::stream::iter(self.end.map(|event| Ok(encoded(&event))));
        let chunks = self
            .events
            .map(move |event| event.map(|event| encoded(&event)))
            .chain(end);
        let chunks = Kept {
            stream: Some(Box::pin(chunks)),
            tracker: self.finish_in,
        };
        stream_response(Form::EVENT_STREAM, head, chunks, self.heartbeat)
    }
}

/// What a format looks like from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// The media type.
    pub content_type: &'static str,
    /// A line that says nothing and that every reader passes over.
    pub heartbeat: &'static str,
}

impl Form {
    /// The heartbeat is one comment line without a blank line, which the strictest parsers survive.
    pub const EVENT_STREAM: Self = Self {
        content_type: "text/event-stream; charset=utf-8",
        heartbeat: encode::HEARTBEAT,
    };
}

/// A response with the headers of a stream.
pub fn stream_response<S, E>(form: Form, head: Vec<u8>, chunks: S, heartbeat: Duration) -> Response<Body>
where
    S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: Into<axum::BoxError> + Send + 'static,
{
    stream_response_with(form, head, chunks, heartbeat, move || form.heartbeat)
}

/// The same with another heartbeat, which is asked for when one is due, and may be empty.
pub fn stream_response_with<S, E>(
    form: Form,
    head: Vec<u8>,
    chunks: S,
    heartbeat: Duration,
    line: impl Fn() -> &'static str + Send + 'static,
) -> Response<Body>
where
    S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: Into<axum::BoxError> + Send + 'static,
{
    let body = StreamBody::new(head, chunks, heartbeat, line);
    let mut response = Response::new(Body::new(body));
    let text = HeaderValue::from_static;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, text(form.content_type));
    headers.insert(header::CACHE_CONTROL, text("no-cache, no-transform"));
    headers.insert(header::CONNECTION, text("keep-alive"));
    headers.insert(X_ACCEL_BUFFERING, text("no"));
    headers.insert(TIDEWIRE_HEARTBEAT, heartbeat.as_secs().max(1).into());
    response
}

/// Says of a stream's connection what is true: that it goes on after the response only where it does.
pub fn fit_connection(parts: &Parts, response: &mut Response<Body>) {
    if parts.version != Version::HTTP_11 || asks_to_close(&parts.headers) {
        response.headers_mut().remove(header::CONNECTION);
    }
}

/// Whether the connection is to end with this response, which hyper then says in the header itself.
fn asks_to_close(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|value| value.to_str().unwrap_or_default().split(','))
        .any(|option| option.trim().eq_ignore_ascii_case("close"))
}

/// Appends a wait as a `retry` line. Each connection gets one of its own, up to half as much more: native clients wait exactly
/// so long, and would come back all at once.
pub fn retry_line(out: &mut Vec<u8>, wait: Duration) {
    encode::retry_line(out, spread(wait));
}

/// The same for readers of a server that leaves, who do come all at once.
pub fn come_again_line(out: &mut Vec<u8>, wait: Duration) {
    encode::retry_line(out, spread(wait).max(fastrand::u64(500..=5000)));
}

fn spread(wait: Duration) -> u64 {
    let least = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    least.saturating_add(fastrand::u64(0..=least / 2))
}

/// A stream that is dropped with its reader, or else goes on in a tracker.
struct Kept<E: 'static> {
    stream: Option<BoxStream<'static, Result<Bytes, E>>>,
    tracker: Option<TaskTracker>,
}

impl<E> Stream for Kept<E> {
    type Item = Result<Bytes, E>;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(stream) = &mut self.stream else {
            return Poll::Ready(None);
        };
        let item = stream.as_mut().poll_next(cx);
        // It has ended by itself: nothing is left that could go on.
        if let Poll::Ready(None | Some(Err(_))) = item {
            self.stream = None;
        }
        item
    }
}

impl<E> Drop for Kept<E> {
    fn drop(&mut self) {
        if let (Some(mut stream), Some(tracker)) = (self.stream.take(), self.tracker.take()) {
            tracker.spawn(async move { while let Some(Ok(_)) = stream.next().await {} });
        }
    }
}
