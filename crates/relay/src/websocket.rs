//! WebSockets of an upstream: once it has agreed, bytes go to and fro as they come.
//!
//! A tunnel is not an answer: nothing of it is kept, and it cannot be resumed. The guard has
//! checked its token, and the `Origin`, since browsers ask no preflight for a WebSocket.
//!
//! Bounds: a tunnel takes a place among the answers that run, for as long as it lasts. It is cut
//! after the route's `idle` without a byte in either direction and after `total`, and when the server
//! leaves. Each direction holds one piece of [`PIECE`], which the other side must take first.

use std::{io, time::Duration};

use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use reqwest::Url;
use tidewire_doors::{Problem, guard::Principal, request::wants_websocket};
use tidewire_hub::Error;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split},
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    Relay,
    answer::{Answer, Named, Phase, Share},
    asker::Asker,
    config::Times,
    forward::{bad_gateway, connection_named, request_headers},
    pass::{self, Place},
    returned::stream_headers,
    scope::{Hash, Scope},
    stream::StreamId,
    upstream::unreachable,
};

/// How much of one direction is held.
const PIECE: usize = 8 << 10;

/// How long one side may still send when the other has ended.
const LAST_WORDS: Duration = Duration::from_secs(5);

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");
const UPGRADES: HeaderValue = HeaderValue::from_static("upgrade");

/// How pages give OpenAI a key, for lack of headers.
const KEY_IN_PROTOCOL: &str = "openai-insecure-api-key.";

/// Whether a request asks for a WebSocket on its own connection. If `Connection` does not say so, a
/// proxy may have passed `Upgrade` on without a look at it, and sends requests of others on the
/// connection (RFC 9110 § 7.8).
pub(super) fn is_asked(parts: &Parts) -> bool {
    parts.method == Method::GET
        && wants_websocket(&parts.headers)
        && connection_named(&parts.headers).contains(&header::UPGRADE)
}

/// Asks the route's upstream for a WebSocket, and joins the two sides.
pub(super) async fn open(
    relay: Relay,
    number: usize,
    mut parts: Parts,
    target: Url,
    scope: Scope,
    stream: StreamId,
) -> Result<Response<Body>, Problem> {
    let route = &relay.inner.config.routes[number];
    let Some(client) = &relay.inner.websockets[number] else {
        let detail = format!(
            "the relay route {} has no WebSockets: its setting `websocket = true` allows them",
            route.path
        );
        return Err(Problem::bad_request("no_websocket", detail));
    };
    let near = parts.extensions.remove::<OnUpgrade>().ok_or_else(|| {
        let detail = "this connection cannot become a WebSocket: ask with HTTP/1.1";
        Problem::bad_request("no_websocket", detail)
    })?;
    let named = Named {
        stream,
        route: number,
        owner: scope.hash(),
        request: Hash::of(&[b"websocket", stream.to_string().as_bytes()]),
        key: None,
        chat: None,
        retry: None,
    };
    let token = relay.inner.calls.token();
    let share = Share::of(&Principal::of(&parts.extensions));
    let answer = Answer::new(named, share, Asker::NeverReturns, stream.topics()?, Phase::Asking);
    relay.inner.answers.take(&answer, &relay.inner.config)?;
    let place = Place::of(relay.clone(), answer);
    if relay.inner.calls.is_closed() {
        return Err(Error::Closed.into());
    }
    relay.inner.measures[number].called();
    let asked_at = Instant::now();
    let mut request = reqwest::Request::new(parts.method.clone(), target);
    *request.headers_mut() = request_headers(route, &parts, false, false);
    if route.key.is_some() {
        leave_keys(request.headers_mut());
    }
    upgrade(request.headers_mut());
    let response = match timeout(route.times.idle, client.execute(request)).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            let why = unreachable(route, &error);
            return Err(bad_gateway(why.code, why.message));
        }
        Err(_) => {
            let detail = format!("the upstream did not answer for {:?} (idle)", route.times.idle);
            return Err(Problem::new(
                StatusCode::GATEWAY_TIMEOUT,
                "upstream_timeout",
                detail,
            ));
        }
    };
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(pass::on(response, &parts.method, route, asked_at, place));
    }
    if !wants_websocket(response.headers()) {
        let detail = "the upstream switched to another protocol than a WebSocket's";
        return Err(bad_gateway("upstream_switched", detail));
    }
    let mut agreed = Response::new(Body::empty());
    *agreed.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *agreed.headers_mut() = stream_headers(route, response.headers());
    upgrade(agreed.headers_mut());
    let (times, path) = (route.times, route.path.clone());
    relay.inner.tasks.clone().spawn(async move {
        let _taken_until_the_end = (token, place);
        let joined = async {
            let (near, far) = tokio::join!(near, response.upgrade());
            // A client that has gone before need not be told.
            let (Ok(near), Ok(far)) = (near, far) else { return };
            let over = carry(TokioIo::new(near), far, times).await;
            tracing::debug!(route = path, ?over, "a WebSocket has ended");
        };
        tokio::select! {
            () = joined => {}
            () = relay.inner.hub.closing() => {}
        }
    });
    Ok(agreed)
}

/// What asks for a WebSocket, and what agrees to one.
fn upgrade(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, UPGRADES);
    headers.insert(header::UPGRADE, WEBSOCKET);
}

/// Where the key is the server's, that of the client does not go on.
fn leave_keys(headers: &mut HeaderMap) {
    const PROTOCOL: HeaderName = header::SEC_WEBSOCKET_PROTOCOL;
    let lines = headers.get_all(PROTOCOL).iter();
    let offered = lines.flat_map(|line| line.to_str().unwrap_or_default().split(','));
    let rest: Vec<&str> = offered
        .map(str::trim)
        .filter(|protocol| !protocol.is_empty() && !protocol.starts_with(KEY_IN_PROTOCOL))
        .collect();
    match HeaderValue::try_from(rest.join(", ")) {
        Ok(rest) if !rest.is_empty() => headers.insert(PROTOCOL, rest),
        _ => headers.remove(PROTOCOL),
    };
}

/// Why a tunnel ended.
#[derive(Debug, PartialEq, Eq)]
enum Over {
    /// One side has.
    Ended,
    Idle,
    Total,
}

/// Carries bytes to and fro until one side ends or a bound is reached.
async fn carry(near: impl AsyncRead + AsyncWrite, far: impl AsyncRead + AsyncWrite, times: Times) -> Over {
    let (from_near, to_near) = split(near);
    let (from_far, to_far) = split(far);
    let seen = Mutex::new(Instant::now());
    let both = async {
        let mut up = std::pin::pin!(pump(from_near, to_far, &seen));
        let mut down = std::pin::pin!(pump(from_far, to_near, &seen));
        tokio::select! {
            // A side that broke off takes no last words.
            ended = &mut up => if ended.is_ok() { let _ = timeout(LAST_WORDS, down).await; },
            ended = &mut down => if ended.is_ok() { let _ = timeout(LAST_WORDS, up).await; },
        }
    };
    tokio::select! {
        () = both => Over::Ended,
        () = silent(&seen, times.idle) => Over::Idle,
        () = sleep(times.total) => Over::Total,
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    seen: &Mutex<Instant>,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let len = from.read(&mut piece).await?;
        if len == 0 {
            return to.shutdown().await;
        }
        to.write_all(&piece[..len]).await?;
        to.flush().await?;
        *seen.lock() = Instant::now();
    }
}

/// Resolves when nothing has been carried for so long.
async fn silent(seen: &Mutex<Instant>, idle: Duration) {
    loop {
        let due = *seen.lock() + idle;
        if due <= Instant::now() {
            return;
        }
        sleep_until(due).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn times() -> Times {
        Times {
            idle: 3 * SECOND,
            total: 10 * SECOND,
            ..Times::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_tunnel_is_cut_when_both_sides_are_silent_or_it_lasts_too_long() {
        let (_client, near) = duplex(64);
        let (_upstream, far) = duplex(64);
        let begun = Instant::now();
        assert_eq!(carry(near, far, times()).await, Over::Idle);
        assert_eq!(begun.elapsed(), 3 * SECOND);

        let (mut client, near) = duplex(64);
        let (mut upstream, far) = duplex(64);
        let begun = Instant::now();
        let talking = async {
            let mut byte = [0];
            for _ in 0..10 {
                sleep(2 * SECOND).await;
                // Only one of them says something.
                let _ = client.write_all(b"x").await;
                let _ = upstream.read_exact(&mut byte).await;
            }
        };
        tokio::select! {
            over = carry(near, far, times()) => assert_eq!(over, Over::Total),
            () = talking => panic!("it goes on"),
        }
        assert_eq!(begun.elapsed(), 10 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_side_that_takes_nothing_counts_as_silent_and_one_that_ended_ends_the_other() {
        let (mut client, near) = duplex(1 << 20);
        let (_upstream, far) = duplex(64);
        client.write_all(&[b'x'; 1 << 16]).await.unwrap();
        assert_eq!(carry(near, far, times()).await, Over::Idle);

        let (mut client, near) = duplex(64);
        let (upstream, far) = duplex(64);
        drop(upstream);
        let begun = Instant::now();
        assert_eq!(
            carry(
                near,
                far,
                Times {
                    idle: 60 * SECOND,
                    total: 90 * SECOND,
                    ..times()
                }
            )
            .await,
            Over::Ended
        );
        assert_eq!(begun.elapsed(), LAST_WORDS);
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    }

    #[test]
    fn keys_of_a_page_are_left_and_other_protocols_stay() {
        let mut headers = HeaderMap::new();
        let offered = "realtime, openai-insecure-api-key.hush,openai-beta.realtime-v1";
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(offered));
        leave_keys(&mut headers);
        assert_eq!(
            headers["sec-websocket-protocol"],
            "realtime, openai-beta.realtime-v1"
        );
        let key = HeaderValue::from_static("openai-insecure-api-key.hush");
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, key);
        leave_keys(&mut headers);
        assert!(headers.is_empty());
    }
}
