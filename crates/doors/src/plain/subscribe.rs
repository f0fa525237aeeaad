//! Reading: `GET`, and `HEAD` for where the log is.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{body::Body, extract::State};
use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Uri, Version, header};
use tidewire_hub::{Cut, Encoding, Resume, Subscribed, Subscription};

use super::{
    Door,
    wire::{self, Query},
};
use crate::{
    Problem, negotiate,
    respond::{retry_line, stream_response},
};

const TIDEWIRE_RESUME: HeaderName = HeaderName::from_static("tidewire-resume");
const TIDEWIRE_LAST_EVENT_ID: HeaderName = HeaderName::from_static("tidewire-last-event-id");

pub(super) async fn subscribe(
    State(door): State<Door>,
    uri: Uri,
    version: Version,
    headers: HeaderMap,
) -> Result<Response<Body>, Problem> {
    let query = Query::parse(&uri)?;
    let topics = wire::topics(&uri, &query)?;
    let start = wire::start(&headers, &query)?;
    let prime = query.flag("prime")?;
    if !negotiate::accepts(&headers, "text", "event-stream") {
        return Err(Problem::new(
            StatusCode::NOT_ACCEPTABLE,
            "not_acceptable",
            "streams come as text/event-stream: send that, or no Accept at all",
        ));
    }
    let encoding = Encoding::EventStream;
    let subscription = match door.hub.subscribe(topics, &start, encoding)? {
        Subscribed::Open(subscription) => subscription,
        Subscribed::Ended => return Ok(nothing_left()),
    };
    let resume = subscription.resume();
    let is_gap = matches!(resume, Resume::Gap(_));
    let resume = resume.as_str();
    let mut head = Vec::new();
    retry_line(&mut head, door.config.retry);
    // A gap starts with a notice that has an id itself. A cursor in front of it would let a reader that
    // is cut between the two resume without ever hearing of the gap.
    if prime && !is_gap {
        head.extend(encoding.prime(subscription.position()));
    }
    let mut response = stream_response(head, Chunks::new(subscription), door.config.heartbeat);
    response
        .headers_mut()
        .insert(TIDEWIRE_RESUME, HeaderValue::from_static(resume));
    if version != Version::HTTP_11 || asks_to_close(&headers) {
        response.headers_mut().remove(header::CONNECTION);
    }
    Ok(response)
}

pub(super) async fn head(State(door): State<Door>, uri: Uri) -> Result<Response<Body>, Problem> {
    let topics = wire::topics(&uri, &Query::parse(&uri)?)?;
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(last) = door.hub.kept(&topics).last {
        let last = HeaderValue::from_str(&last.to_string());
        headers.extend(last.ok().map(|last| (TIDEWIRE_LAST_EVENT_ID, last)));
    }
    Ok(response)
}

/// Whether the connection is to end with this response, which hyper then says in the header itself.
fn asks_to_close(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|value| value.to_str().unwrap_or_default().split(','))
        .any(|option| option.trim().eq_ignore_ascii_case("close"))
}

/// 204: the reader has everything, and `EventSource` does not come again.
fn nothing_left() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A subscription as a stream of chunks. When it is cut, it says when to come again, and then fails,
/// so that the body is aborted.
struct Chunks {
    subscription: Subscription,
    cut: Option<Cut>,
}

impl Chunks {
    fn new(subscription: Subscription) -> Self {
        Self {
            subscription,
            cut: None,
        }
    }
}

impl Stream for Chunks {
    type Item = Result<Bytes, Cut>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(cut) = self.cut {
            return Poll::Ready(Some(Err(cut)));
        }
        match self.subscription.poll_chunk(cx) {
            Poll::Ready(Some(Err(cut))) => {
                self.cut = Some(cut);
                let mut line = Vec::new();
                retry_line(&mut line, come_again());
                Poll::Ready(Some(Ok(line.into())))
            }
            other => other,
        }
    }
}

/// When readers of a server that leaves are to come again: spread, so that they do not come at once.
fn come_again() -> Duration {
    Duration::from_millis(fastrand::u64(500..=5000))
}
