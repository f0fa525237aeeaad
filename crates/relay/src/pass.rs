//! An answer that is no stream, passed on as it is: status, headers, bytes.
//!
//! Bounds: the route's `idle` between two pieces of the upstream, unless they are a stream, which may be silent for as long as its
//! client waits; `total` for all of them. What is cut, by them or by the upstream,
//! has no end for the client either: the last chunk is not sent, or fewer bytes than were announced. Its [`Place`] among the answers
//! that run is taken until the client has all of it or has gone, for as long as it has a connection to the upstream.

use std::{io, pin::Pin, sync::Arc};

use axum::body::{Body, Bytes};
use futures_util::stream::{Stream, StreamExt as _, unfold};
use http::{HeaderValue, Method, Response};
use tidewire_doors::stream::{body::WrittenOut, respond::X_ACCEL_BUFFERING};
use tidewire_hub::Hub;
use tokio::time::{Instant, timeout_at};

use super::{
    Relay,
    answer::Answer,
    config::{Route, Times},
    returned::passed_headers,
    upstream::is_stream,
    whole::Pieces,
};

/// The place of an answer that is passed on. Dropping it makes room.
pub(super) struct Place {
    relay: Relay,
    answer: Arc<Answer>,
}

impl Place {
    /// That of an answer that has turned out to be no stream.
    pub(super) fn of(relay: Relay, answer: Arc<Answer>) -> Self {
        relay.inner.answers.pass_on(&answer);
        Self { relay, answer }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.relay.inner.answers.release(&self.answer);
    }
}

/// The answer for the client, whose body comes as the upstream sends it.
pub(super) fn on(
    response: reqwest::Response,
    method: &Method,
    route: &Route,
    asked_at: Instant,
    place: Place,
) -> Response<Body> {
    let mut passed = Response::new(Body::empty());
    *passed.status_mut() = response.status();
    *passed.headers_mut() = passed_headers(route, response.headers());
    let mut times = route.times;
    let mut leaving = Leaving::never();
    if is_stream(&response) {
        if *method == Method::GET {
            leaving = Leaving::of(place.relay.inner.hub.clone());
        }
        times.idle = times.total;
        // A proxy in front would hold it back.
        let headers = passed.headers_mut();
        headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    }
    let pieces = response
        .bytes_stream()
        .map(|piece| piece.map_err(io::Error::other));
    let pieces = bounded(pieces, times, asked_at, route.path.clone(), leaving);
    *passed.body_mut() = Body::from_stream(WrittenOut::new(with_place(Box::pin(pieces), place)));
    passed
}

/// The bytes of an answer that is no stream, until they take longer than they may.
pub(super) fn pieces(response: reqwest::Response, route: &Route, asked_at: Instant) -> Pieces {
    let pieces = response
        .bytes_stream()
        .map(|piece| piece.map_err(io::Error::other));
    let never = Leaving::never();
    Box::pin(bounded(pieces, route.times, asked_at, route.path.clone(), never))
}

/// The bytes, which hold the place until they are there or nobody takes them.
pub(super) fn with_place(pieces: Pieces, place: Place) -> Pieces {
    Box::pin(pieces.map(move |piece| {
        let _held_as_long_as_the_pieces = &place;
        piece
    }))
}

/// Resolves when the server leaves, for who can ask again.
struct Leaving(Pin<Box<dyn Future<Output = ()> + Send>>);

impl Leaving {
    /// For others.
    fn never() -> Self {
        Self(Box::pin(std::future::pending()))
    }

    fn of(hub: Hub) -> Self {
        Self(Box::pin(async move { hub.closing().await }))
    }
}

/// The pieces, until they take longer than they may. Only the upstream's time counts between them: the next one is asked for when
/// the client has taken the one before.
fn bounded(
    pieces: impl Stream<Item = io::Result<Bytes>>,
    times: Times,
    asked_at: Instant,
    route: String,
    leaving: Leaving,
) -> impl Stream<Item = io::Result<Bytes>> {
    let all = asked_at + times.total;
    let begun = (Box::pin(pieces), route, leaving);
    unfold(Some(begun), move |at| async move {
        let (mut pieces, route, mut leaving) = at?;
        let due = all.min(Instant::now() + times.idle);
        let next = tokio::select! {
            biased;
            next = timeout_at(due, pieces.next()) => next,
            () = &mut leaving.0 => return Some((Err(io::ErrorKind::ConnectionAborted.into()), None)),
        };
        match next {
            Ok(Some(Ok(piece))) => Some((Ok(piece), Some((pieces, route, leaving)))),
            Ok(Some(Err(error))) => Some((Err(error), None)),
            Ok(None) => None,
            Err(_) => {
                let bound = if due == all { "total" } else { "idle" };
                tracing::warn!(
                    route,
                    bound,
                    "an answer that is passed on took longer than it may, and was cut"
                );
                Some((Err(io::ErrorKind::TimedOut.into()), None))
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::stream;
    use tokio::time::sleep;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// What comes of pieces that take so many seconds each: how many, whether whole, and after how long.
    async fn come_of(seconds: &[u32]) -> (usize, bool, Duration) {
        let times = Times {
            idle: 3 * SECOND,
            total: 10 * SECOND,
            ..Times::default()
        };
        let begun = Instant::now();
        let pieces = stream::iter(seconds.to_vec()).then(|seconds| async move {
            sleep(seconds * SECOND).await;
            Ok(Bytes::from_static(b"x"))
        });
        let come: Vec<_> = bounded(pieces, times, begun, "/v1".into(), Leaving::never())
            .collect()
            .await;
        let (whole, cut): (Vec<_>, Vec<_>) = come.into_iter().partition(Result::is_ok);
        (whole.len(), cut.is_empty(), begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_cut_where_its_upstream_is_silent_or_takes_too_long() {
        assert_eq!(come_of(&[2, 2, 2, 2]).await, (4, true, 8 * SECOND));
        assert_eq!(come_of(&[1, 5]).await, (1, false, 4 * SECOND), "idle");
        assert_eq!(come_of(&[2, 2, 2, 3, 2]).await, (4, false, 10 * SECOND), "total");
    }
}
