//! The upstream's side of an answer: asks it, reads what comes, and gives it to the log.
//!
//! It runs as a task of its own, so that an answer does not depend on who asked for it: the policy of its route says what
//! becomes of it when nobody reads any more. Dropping the upstream's response closes its connection.

mod body;
mod collect;
mod streaming;
mod unreachable;
mod watch;

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use reqwest::{Request, Response};
use tidewire_codec::content_type;
use tidewire_hub::{Draft, Error, Health};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};

pub(super) use self::unreachable::unreachable;
use tidewire_doors::Problem;

use self::{
    collect::keep_whole,
    streaming::Streaming,
    unreachable::causes,
    watch::{Watch, Within},
};
use super::{
    Relay,
    answer::Answer,
    dialect::{Broken, Dialect},
    forward::bad_gateway,
    lines,
    pass::Place,
    publisher::Lost,
    returned::{replayed_headers, stream_headers},
    whole::Whole,
};

/// What the request is answered with.
pub(super) enum Head {
    /// The answer is a stream: read it from the log. With what the upstream's headers said.
    Stream(HeaderMap),
    /// It is not: pass it on. With when it was asked for.
    Other(Response, Instant, Place),
    /// It is not, and has a key: its bytes are kept as they come.
    Whole(Arc<Whole>),
    /// The upstream could not be asked.
    Failed(Problem),
}

impl Head {
    /// Whether it is one of an answer, and of no error.
    pub(super) fn is_success(&self) -> bool {
        match self {
            Self::Stream(_) => true,
            Self::Other(response, ..) => response.status().is_success(),
            Self::Whole(whole) => whole.is_success(),
            Self::Failed(_) => false,
        }
    }
}

/// One request to an upstream.
pub(super) struct Call {
    pub(super) relay: Relay,
    pub(super) answer: Arc<Answer>,
    pub(super) request: Request,
    /// The client asked for a stream, as far as its request tells.
    pub(super) wants_stream: bool,
    /// The answer can be nothing but a stream, and may begin as one before its upstream has said so.
    pub(super) may_begin: bool,
    /// A stream is kept; else it passes as it is.
    pub(super) is_kept: bool,
    /// As far as the route or the request tells.
    pub(super) dialect: Option<Dialect>,
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
    /// Asks, and reads to the end. Where the asker has gone without the head, its retry may still claim it.
    pub(super) async fn run(self) {
        let (relay, answer) = (self.relay.clone(), Arc::clone(&self.answer));
        self.ask().await;
        tokio::select! {
            () = answer.head_settled() => {}
            () = relay.inner.hub.closing() => {}
            () = sleep(relay.route(&answer).times.until_retry) => {}
        }
        drop(relay.inner.answers.disown(&answer));
    }

    async fn ask(self) {
        let Self {
            relay,
            answer,
            request,
            wants_stream,
            may_begin,
            is_kept,
            dialect,
            head,
        } = self;
        let route = relay.route(&answer);
        if wants_stream && let Err(error) = can_be_kept(&relay, &answer).await {
            return fail(&relay, &answer, head, error.into());
        }
        relay.measures(&answer).called();
        let asked_at = Instant::now();
        let mut watch = Watch::new(&relay, &answer, wants_stream);
        let is_head = *request.method() == Method::HEAD;
        // A key makes sense for what does something. Who asks how things are wants to know it anew.
        let does_nothing = request.method().is_safe();
        // Boxed, so that it can be let go, and its connection with it, before the log has the end of the answer.
        let mut asked = Box::pin(relay.client(&answer).execute(request));

        // What begins must have its time for the first event still before it.
        let may_begin = may_begin && route.times.commit_after < route.times.first_event;
        let (bound, limit) = match wants_stream {
            true if may_begin => ("commit_after", route.times.commit_after),
            true => ("first_event", route.times.first_event),
            false => ("total", route.times.total),
        };
        let response = match watch.within(limit, asked.as_mut()).await {
            Ok(Within::Ready(Ok(response))) => response,
            Ok(Within::Ready(Err(error))) => {
                let why = unreachable(route, &error);
                return fail(&relay, &answer, head, bad_gateway(why.code, why.message));
            }
            Ok(Within::TimedOut) if may_begin => {
                // The client waits: it gets its 200 and heartbeats, and whatever comes of it comes in band.
                let none = HeaderMap::new();
                let mut stream = Streaming::begin(&relay, &answer, route, dialect, none, asked_at).await;
                let _ = head.send(Head::Stream(HeaderMap::new()));
                let over = stream.ask_on(&mut watch, asked).await;
                return stream.end(over).await;
            }
            Ok(Within::TimedOut) => {
                let detail = format!("the upstream did not answer for {limit:?} ({bound})");
                let why = Problem::new(StatusCode::GATEWAY_TIMEOUT, "upstream_timeout", detail);
                return fail(&relay, &answer, head, why);
            }
            // A retry that claims it in this moment asks anew.
            Err(Over::Abandoned) => return relay.inner.answers.release(&answer),
            Err(over) => return fail(&relay, &answer, head, before_the_answer(&over)),
        };
        drop(asked);
        if response.status().is_informational() {
            let detail = "the upstream switched to another protocol (101), for which nobody asked";
            return fail(&relay, &answer, head, bad_gateway("upstream_switched", detail));
        }
        let form = Form::of(&response, wants_stream);
        if !does_nothing && form.is_none() && answer.named.key.is_some() {
            return keep_whole(&relay, &answer, &mut watch, response, asked_at, head).await;
        }
        let Some(form) = form.filter(|_| is_kept && !is_head) else {
            let place = Place::of(relay.clone(), answer);
            let _ = head.send(Head::Other(response, asked_at, place));
            return;
        };
        let told = Dialect::of_head(response.url().path(), response.headers());
        let dialect = match form {
            Form::Events => dialect.or(told),
            // No other dialect has lines.
            Form::Lines => {
                let told = told.or(dialect).filter(|told| *told == Dialect::Ollama);
                Some(told.unwrap_or_default())
            }
        };
        let headers = stream_headers(route, response.headers());
        let kept = form.kept_headers(response.headers());
        let mut stream = Streaming::begin(&relay, &answer, route, dialect, kept, asked_at).await;
        let _ = head.send(Head::Stream(headers));
        let over = stream.read(&mut watch, response).await;
        stream.end(over).await;
    }
}

/// There is no answer: for its asker, and for the twins of its request.
fn fail(relay: &Relay, answer: &Arc<Answer>, head: oneshot::Sender<Head>, why: Problem) {
    relay.inner.answers.fail(answer, why.clone());
    let _ = head.send(Head::Failed(why));
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

/// What an answer is a stream of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Events,
    Lines,
}

impl Form {
    /// None if it is no stream. Lines are one where a stream was asked for: else they may be a large document.
    fn of(response: &Response, wants_stream: bool) -> Option<Self> {
        let told = || Dialect::of_head(response.url().path(), response.headers());
        let are_lines = || lines::are_lines(response.status(), response.headers());
        match () {
            () if is_stream(response) => Some(Self::Events),
            () if are_lines() && (wants_stream || told() == Some(Dialect::Ollama)) => Some(Self::Lines),
            () => None,
        }
    }

    /// The headers that go with every reading.
    fn kept_headers(self, headers: &HeaderMap) -> HeaderMap {
        let mut kept = replayed_headers(headers);
        if let Some(name) = headers.get(header::CONTENT_TYPE).filter(|_| self == Self::Lines) {
            kept.insert(header::CONTENT_TYPE, name.clone());
        }
        kept
    }
}

pub(super) fn is_stream(response: &Response) -> bool {
    let lines = response.headers().get_all(header::CONTENT_TYPE);
    let status = response.status();
    // The last one says that a part of the body is missing.
    let has_body = !matches!(
        status,
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::PARTIAL_CONTENT
    );
    let is_event_stream = content_type::is_event_stream(lines.iter().map(HeaderValue::as_bytes));
    status.is_success() && has_body && is_event_stream
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
        Over::Broken(why) => Problem::new(
            StatusCode::GATEWAY_TIMEOUT,
            "upstream_timeout",
            why.message.clone(),
        ),
        // Nobody is there to be told.
        _ => bad_gateway("abandoned", "the client had gone before the answer began"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, types: &[&'static str]) -> Response {
        let mut response = http::Response::new("");
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        for &value in types {
            let value = HeaderValue::from_static(value);
            response.headers_mut().append(header::CONTENT_TYPE, value);
        }
        response.into()
    }

    #[test]
    fn any_success_with_a_whole_body_of_the_right_type_is_a_stream() {
        let stream = "text/event-stream; charset=utf-8";
        for status in [200, 201, 202, 203] {
            assert!(is_stream(&answer(status, &[stream])), "{status}");
        }
        for status in [204, 205, 206, 304, 400, 500] {
            assert!(!is_stream(&answer(status, &[stream])), "{status}");
        }
        assert!(is_stream(&answer(200, &["application/json", stream])));
        assert!(is_stream(&answer(200, &["application/json, text/event-stream"])));
        assert!(!is_stream(&answer(200, &[stream, "application/json"])));
        assert!(!is_stream(&answer(200, &[])));
    }
}
