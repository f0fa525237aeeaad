//! The upstream's side of an answer: asks it, reads what comes, and gives it to the log.
//!
//! It runs as a task of its own, so that an answer does not depend on who asked for it: the policy of its route says what
//! becomes of it when nobody reads any more. Dropping the upstream's response closes its connection.

mod body;
mod streaming;
mod watch;

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode, header};
use reqwest::{Request, Response};
use tidewire_hub::{Draft, Error, Health};
use tokio::{sync::oneshot, time::Instant};

use self::{
    streaming::Streaming,
    watch::{Watch, Within},
};
use super::{
    Relay,
    answer::Answer,
    config::OnDisconnect,
    forward::bad_gateway,
    publisher::Lost,
    returned::stream_headers,
    shape::{Broken, Shape},
};
use crate::Problem;

/// What the request is answered with.
pub(super) enum Head {
    /// The answer is a stream: read it from the log. With what the upstream's headers said.
    Stream(HeaderMap),
    /// It is not: pass it on. With when it was asked for.
    Other(Response, Instant),
    /// The upstream could not be asked.
    Failed(Problem),
}

/// One request to an upstream.
pub(super) struct Call {
    pub(super) relay: Relay,
    pub(super) answer: Arc<Answer>,
    pub(super) request: Request,
    /// The client asked for a stream, as far as its request tells.
    pub(super) wants_stream: bool,
    pub(super) head: oneshot::Sender<Head>,
}

/// Why an upstream is read no further.
enum Over {
    /// It has said all.
    Done,
    Stopped,
    Abandoned,
    /// The server leaves: the log takes no more.
    Leaving,
    Broken(Broken),
    /// It answered an error when the answer had begun.
    Refused(StatusCode, String),
    /// The log does not take its events.
    Lost(Lost),
}

impl From<Lost> for Over {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Leaving => Self::Leaving,
            lost => Self::Lost(lost),
        }
    }
}

fn broken<T>(code: &'static str, message: impl Into<String>) -> Result<T, Over> {
    let message = message.into();
    Err(Over::Broken(Broken { code, message }))
}

impl Call {
    pub(super) async fn run(self) {
        let Self {
            relay,
            answer,
            request,
            wants_stream,
            head,
        } = self;
        let route = relay.route(&answer);
        if wants_stream && let Err(error) = can_be_kept(&relay, &answer).await {
            relay.inner.answers.release(&answer);
            let _ = head.send(Head::Failed(error.into()));
            return;
        }
        relay.measures(&answer).called();
        let asked_at = Instant::now();
        // An answer that is passed through is nobody's when its client has gone.
        let policy = if wants_stream {
            route.on_disconnect
        } else {
            OnDisconnect::Cancel
        };
        let mut watch = Watch::new(&relay, &answer, policy, route.times.total);
        let shape = Shape::of(request.url().path(), &HeaderMap::new());
        let is_head = *request.method() == Method::HEAD;
        // Boxed, so that it can be let go, and its connection with it, before the log has the end of the answer.
        let mut asked = Box::pin(relay.client(&answer).execute(request));

        let first = match wants_stream {
            true => watch.within(route.times.commit_after, asked.as_mut()).await,
            false => watch.within(route.times.total, asked.as_mut()).await,
        };
        let response = match first {
            Ok(Within::Ready(Ok(response))) => response,
            Ok(Within::Ready(Err(error))) => {
                relay.inner.answers.release(&answer);
                let _ = head.send(Head::Failed(unreachable(&error)));
                return;
            }
            Ok(Within::TimedOut) if wants_stream => {
                // The client waits: it gets its 200 and heartbeats, and whatever comes of it comes in band.
                let mut stream =
                    Streaming::begin(&relay, &answer, route, shape, &HeaderMap::new(), asked_at).await;
                let _ = head.send(Head::Stream(HeaderMap::new()));
                let over = stream.ask_on(&mut watch, asked).await;
                return stream.end(over).await;
            }
            Ok(Within::TimedOut) => {
                relay.inner.answers.release(&answer);
                let detail = format!("the upstream did not answer for {:?}", route.times.total);
                let problem = Problem::new(StatusCode::GATEWAY_TIMEOUT, "upstream_timeout", detail);
                let _ = head.send(Head::Failed(problem));
                return;
            }
            Err(over) => {
                relay.inner.answers.release(&answer);
                let _ = head.send(Head::Failed(before_the_answer(&over)));
                return;
            }
        };
        drop(asked);
        if is_head || !is_stream(&response) {
            relay.inner.answers.release(&answer);
            let _ = head.send(Head::Other(response, asked_at));
            return;
        }
        if !wants_stream {
            watch.set_policy(&answer, route.on_disconnect);
        }
        let shape = Shape::of(response.url().path(), response.headers());
        let headers = stream_headers(route, response.headers());
        let mut stream = Streaming::begin(&relay, &answer, route, shape, response.headers(), asked_at).await;
        let _ = head.send(Head::Stream(headers));
        let over = stream.read(&mut watch, response).await;
        stream.end(over).await;
    }
}

/// An answer that cannot be kept is not paid for. Where the last publish found no room, whether there is some again is found out
/// with a purge of what is not there yet.
async fn can_be_kept(relay: &Relay, answer: &Answer) -> Result<(), Error> {
    match relay.inner.hub.health() {
        Health::Healthy => Ok(()),
        Health::Poisoned(why) => Err(Error::Poisoned { why }),
        _ => {
            let nothing = Draft::purge(answer.topics.clone());
            relay.inner.hub.append(nothing).await.map(drop)
        }
    }
}

fn is_stream(response: &Response) -> bool {
    let status = response.status();
    let is_whole = !matches!(
        status,
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::PARTIAL_CONTENT
    );
    let essence = essence(response.headers());
    let is_right = essence.is_some_and(|essence| essence.eq_ignore_ascii_case("text/event-stream"));
    status.is_success() && is_whole && is_right
}

/// The type of an answer as browsers read it, where several are said: the last one that can be one (Fetch, "extract a MIME
/// type").
fn essence(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::CONTENT_TYPE).iter();
    let said = lines.flat_map(|line| line.to_str().unwrap_or_default().split(','));
    let mut essences = said.map(|said| said.split(';').next().unwrap_or_default().trim());
    let is_token = |text: &str| {
        let usual = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        !text.is_empty() && text.bytes().all(usual)
    };
    let can_be = |essence: &&str| {
        let (kind, subtype) = essence.split_once('/').unwrap_or_default();
        *essence != "*/*" && is_token(kind) && is_token(subtype)
    };
    essences.rfind(can_be)
}

fn unreachable(error: &reqwest::Error) -> Problem {
    // Its text names the address, which may hold a key.
    let what = match () {
        () if error.is_timeout() => "no connection within the time it may take (connect)",
        () if error.is_connect() => "no connection: is it running, and its address right?",
        () => "the connection broke before an answer came",
    };
    tracing::warn!(error = %causes(error), "an upstream cannot be asked");
    bad_gateway(
        "upstream_unreachable",
        format!("the upstream cannot be asked: {what}"),
    )
}

/// What lies under an error of the client, without the address that it was about.
fn causes(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}{}{error}", if text.is_empty() { "" } else { ": " });
        cause = error.source();
    }
    text
}

fn before_the_answer(over: &Over) -> Problem {
    match over {
        // Not 409, after which clients try again by themselves.
        Over::Stopped => Problem::new(
            StatusCode::GONE,
            "stopped",
            "the request was stopped before its answer began",
        ),
        Over::Leaving => Error::Closed.into(),
        // Nobody is there to be told.
        _ => bad_gateway("abandoned", "the client had gone before the answer began"),
    }
}
