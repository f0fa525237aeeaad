//! Reading an answer, and stopping it: by its name, by its chat, by the request that it answers.

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    time::Duration,
};

use axum::{body::Body, extract::Request};
use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use percent_encoding::percent_decode_str;
use tidewire_codec::protocol;
use tidewire_doors::{
    Problem,
    guard::Principal,
    request,
    respond::{Form, TIDEWIRE_HEARTBEAT, come_again_line, fit_connection, retry_line, stream_response_with},
    sending::Outbox,
};
use tidewire_hub::{Cut, Encoding, GapReason, Resume, Start, Subscribed, Subscription};

use super::{
    Relay,
    answer::{Answer, Phase, Reader},
    answers::Found,
    call::LAST_EVENT_ID,
    config::{Owner, Route},
    dialect::{AfterError, Broken, Dialect},
    forward::below,
    lines,
    measures::Ending,
    returned::NOSNIFF,
    scope::Scope,
    stream::StreamId,
};

const TIDEWIRE_STREAM: HeaderName = HeaderName::from_static(protocol::TIDEWIRE_STREAM);
const TIDEWIRE_RESUME: HeaderName = HeaderName::from_static(protocol::TIDEWIRE_RESUME);
/// How an answer has ended, for who reads it after its end.
const TIDEWIRE_ENDING: HeaderName = HeaderName::from_static(protocol::TIDEWIRE_ENDING);

/// `/relay/{stream}`.
pub(super) async fn named(relay: Relay, name: String, request: Request) -> Result<Response<Body>, Problem> {
    let (parts, _) = request.into_parts();
    let unknown = || {
        Problem::new(
            StatusCode::NOT_FOUND,
            "no_answer",
            "there is no answer of this name",
        )
    };
    let stream: StreamId = name.parse().map_err(|_| unknown())?;
    let answer = match relay.inner.answers.find(stream) {
        Found::Here(answer) if answer.is_stream() => answer,
        Found::Gone => return Err(gone()),
        Found::Here(_) | Found::Unknown => return Err(unknown()),
    };
    let route = relay.route(&answer);
    // Where answers have owners, knowing a name is not enough.
    if route.owner != Owner::Capability && Scope::of(route, &parts)?.hash() != answer.named.owner {
        return Err(unknown());
    }
    match parts.method {
        Method::DELETE => Ok(stop(&answer)),
        _ => {
            let headers = answer.headers();
            let reader = answer.join_again();
            reply(&relay, &parts, reader, &start(&parts), &headers).await
        }
    }
}

/// From where a reader wants to read; from the first event, if it does not say.
fn start(parts: &Parts) -> Start {
    let header = parts.headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok());
    let query = parts.uri.query().unwrap_or_default();
    let query = url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, value)| request::LAST_EVENT_ID.contains(&&**name) && !value.is_empty())
        .map(|(_, value)| value.into_owned());
    let id = header.filter(|id| !id.is_empty()).map(str::to_owned).or(query);
    Start::After(id.unwrap_or_else(|| Start::EARLIEST.into()))
}

fn gone() -> Problem {
    Problem::new(
        StatusCode::GONE,
        "expired",
        "the answer has been let go (keep): ask again to get a new one",
    )
}

/// Whether a reader of lines wants them as events, as `EventSource` does.
fn accepts_events(parts: &Parts) -> bool {
    let mut accepted = parts.headers.get_all(header::ACCEPT).iter();
    accepted.any(|value| {
        let value = value.to_str().unwrap_or_default();
        value.to_ascii_lowercase().contains(protocol::EVENT_STREAM)
    })
}

/// The chat that a path names: `{route}/{key}/stream`.
pub(super) fn chat(route: &Route, parts: &Parts) -> Option<String> {
    route.chat_key.as_ref()?;
    let key = below(route, parts.uri.path())?
        .strip_prefix('/')?
        .strip_suffix("/stream")?;
    let is_one = !key.is_empty() && !key.contains('/');
    let key = is_one.then(|| percent_decode_str(key).decode_utf8().ok())??;
    matches!(parts.method, Method::GET | Method::HEAD | Method::DELETE).then(|| key.into_owned())
}

/// The answer that a chat is at, if it runs. One that is about to begin is waited for, and can be stopped.
pub(super) async fn of_chat(
    relay: &Relay,
    number: usize,
    parts: &Parts,
    chat: &str,
) -> Result<Response<Body>, Problem> {
    let scope = Scope::of(&relay.inner.config.routes[number], parts)?;
    let chat = scope.key("chat", chat.as_bytes());
    while let Some(answer) = chat.and_then(|chat| relay.inner.answers.of_chat(chat)) {
        if parts.method == Method::DELETE {
            return Ok(stop(&answer));
        }
        let reader = answer.join_again();
        match answer.settled().await {
            // It was no stream: the chat is still at the one before.
            Phase::Nothing | Phase::Whole(_) | Phase::Failed(_) => {}
            Phase::Streaming => {
                relay.inner.measures[number].joined();
                return reply(relay, parts, reader, &start(parts), &answer.headers()).await;
            }
            Phase::Asking | Phase::Ended => break,
        }
    }
    Ok(nothing())
}

fn stop(answer: &Arc<Answer>) -> Response<Body> {
    answer.stop.cancel();
    nothing()
}

fn nothing() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A reading of an answer, with the headers that the upstream gave it.
pub(super) async fn reply(
    relay: &Relay,
    parts: &Parts,
    reader: Reader,
    start: &Start,
    upstream: &HeaderMap,
) -> Result<Response<Body>, Problem> {
    let answer = Arc::clone(reader.answer());
    let is_read_again = matches!(parts.method, Method::GET | Method::HEAD);
    let lines = answer
        .lines()
        .filter(|_| !(is_read_again && accepts_events(parts)));
    // Lines have no place for a word of ours.
    let is_get = is_read_again && lines.is_none();
    let subscribed = relay
        .inner
        .hub
        .subscribe(answer.topics.clone(), start, Encoding::EventStream)
        .await?;
    let mut subscription = match subscribed {
        Subscribed::Open(subscription) => Some(subscription),
        Subscribed::Ended if is_read_again => return Ok(nothing()),
        Subscribed::Ended => None,
    };
    let mut resume = "resumed";
    if let Some(subscription) = &mut subscription {
        resume = subscription.resume().as_str();
        if !is_get {
            match subscription.resume() {
                Resume::Gap(gap) if matches!(gap.reason, GapReason::Expired | GapReason::Damaged) => {
                    return Err(gone());
                }
                Resume::Gap(_) => {
                    let detail = "the Last-Event-ID is no event of this answer: send the request without it";
                    return Err(Problem::bad_request("bad_last_event_id", detail));
                }
                Resume::Live | Resume::Resumed => {}
            }
            // Its client does not know our events.
            subscription.cut_at_gaps();
        }
    }
    let counted = Counted::new(relay.clone(), reader);
    let outbox = relay
        .inner
        .config
        .send_buffers
        .outbox(&Principal::of(&parts.extensions));
    let chunks = Chunks {
        outbox,
        lost: Box::pin(Arc::clone(&answer).lost()),
        subscription,
        answer: Arc::clone(&answer),
        is_get,
        are_lines: lines.is_some(),
        retry: relay.inner.config.retry,
        next: Next::Read,
        _counted: counted,
    };
    let mut head = Vec::new();
    if is_get {
        retry_line(&mut head, relay.inner.config.retry);
    }
    let form = Form::EVENT_STREAM;
    let beating = Arc::clone(&answer);
    // Who reads with GET knows the relay, or asked for events that survive a comment.
    let are_lines = lines.is_some();
    let survives = move || !are_lines && beating.decided(Dialect::default).takes_ids_and_comments();
    let heartbeat = move || if is_get || survives() { form.heartbeat } else { "" };
    let every = relay.inner.config.heartbeat;
    let mut response = stream_response_with(form, head, chunks, every, heartbeat);
    fit_connection(parts, &mut response);
    let headers = response.headers_mut();
    let has_no_heartbeat = |dialect: Dialect| !dialect.takes_ids_and_comments();
    if !is_get && (are_lines || answer.dialect().is_some_and(has_no_heartbeat)) {
        headers.remove(TIDEWIRE_HEARTBEAT);
    }
    if let Some(lines) = lines {
        headers.insert(header::CONTENT_TYPE, lines.clone());
    }
    if let Some(ending) = answer.ending() {
        headers.insert(TIDEWIRE_ENDING, HeaderValue::from_static(ending.as_str()));
    }
    let ours: Vec<HeaderName> = headers.keys().cloned().collect();
    for (name, value) in upstream.iter().filter(|(name, _)| !ours.contains(name)) {
        headers.append(name, value.clone());
    }
    if let Ok(place) = HeaderValue::from_str(&format!("/relay/{}", answer.named.stream)) {
        headers.insert(TIDEWIRE_STREAM, place);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.insert(TIDEWIRE_RESUME, HeaderValue::from_static(resume));
    Ok(response)
}

/// A reader, who counts until its response is gone; and one who waits for an answer that another request has asked for.
pub(super) struct Counted {
    relay: Relay,
    reader: Reader,
}

impl Counted {
    pub(super) fn new(relay: Relay, reader: Reader) -> Self {
        relay
            .measures(reader.answer())
            .readers
            .fetch_add(1, Ordering::Relaxed);
        Self { relay, reader }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.relay
            .measures(self.reader.answer())
            .readers
            .fetch_sub(1, Ordering::Relaxed);
    }
}

/// An answer's bytes.
struct Chunks {
    outbox: Outbox,
    /// None if there is nothing left to read.
    subscription: Option<Subscription>,
    lost: Pin<Box<dyn Future<Output = Broken> + Send>>,
    answer: Arc<Answer>,
    is_get: bool,
    are_lines: bool,
    retry: Duration,
    next: Next,
    _counted: Counted,
}

enum Next {
    Read,
    Cut(NoEnd),
    End,
}

/// Why a body has no end.
#[derive(Debug, Clone, Copy, thiserror::Error)]
enum NoEnd {
    #[error(transparent)]
    Cut(#[from] Cut),
    /// Its clients would take an end for that of a whole answer.
    #[error("the answer broke off")]
    Broken,
}

impl Chunks {
    fn say(&mut self, why: &Broken) -> Option<Result<Bytes, NoEnd>> {
        let mut out = Vec::new();
        for event in self.answer.broken(why) {
            event.encode(&mut out);
        }
        let out = match self.are_lines {
            true => lines::from_events(&out, None),
            false => out.into(),
        };
        self.next = match self.aborts_after_errors() {
            true => Next::Cut(NoEnd::Broken),
            false => Next::End,
        };
        match out.is_empty() {
            true => self.end(),
            false => Some(Ok(out)),
        }
    }

    fn end(&mut self) -> Option<Result<Bytes, NoEnd>> {
        match std::mem::replace(&mut self.next, Next::End) {
            Next::Cut(why) => Some(Err(why)),
            Next::Read | Next::End => None,
        }
    }

    fn aborts_after_errors(&self) -> bool {
        let dialect = self.answer.decided(Dialect::default);
        dialect.after_error() == AfterError::Abort
    }

    /// The end of what is in the log. Where it is an error of ours, the body ends as the dialect wants it.
    fn ended(&mut self) -> Option<Result<Bytes, NoEnd>> {
        let is_ours = self.answer.ending().is_some_and(Ending::is_told_by_us);
        if is_ours && self.aborts_after_errors() {
            self.next = Next::Cut(NoEnd::Broken);
        }
        self.end()
    }

    /// A chunk as its reader survives it.
    fn take(&self, chunk: Bytes) -> Result<Bytes, Cut> {
        let survives = || self.is_get || self.answer.decided(Dialect::default).takes_ids_and_comments();
        self.outbox.take(match () {
            () if self.are_lines => lines::from_events(&chunk, self.answer.unended()),
            () if survives() => chunk,
            () => without_ids(&chunk),
        })
    }
}

/// Whole events without their ids. No other line of an event begins so: text has the name of its field before it.
fn without_ids(events: &[u8]) -> Bytes {
    let lines = events.split_inclusive(|&byte| byte == b'\n');
    let others: Vec<&[u8]> = lines.filter(|line| !line.starts_with(b"id: ")).collect();
    others.concat().into()
}

impl Stream for Chunks {
    type Item = Result<Bytes, NoEnd>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if !matches!(this.next, Next::Read) {
            return Poll::Ready(this.end());
        }
        let Some(subscription) = &mut this.subscription else {
            return Poll::Ready(this.ended());
        };
        let next = subscription.poll_chunk(cx);
        match next.map(|next| next.map(|chunk| this.take(chunk?))) {
            Poll::Ready(Some(Ok(chunk))) => Poll::Ready(Some(Ok(chunk))),
            Poll::Ready(None) => Poll::Ready(this.ended()),
            Poll::Ready(Some(Err(Cut::Lagged))) => {
                let why = Broken {
                    code: "expired",
                    message: "part of the answer has been let go before it could be sent".into(),
                };
                Poll::Ready(this.say(&why))
            }
            Poll::Ready(Some(Err(Cut::Damaged))) if !this.is_get => {
                let why = Broken {
                    code: "damaged",
                    message: "part of the answer cannot be read on the server's disk".into(),
                };
                Poll::Ready(this.say(&why))
            }
            Poll::Ready(Some(Err(cut))) if this.is_get => {
                this.next = Next::Cut(cut.into());
                let mut line = Vec::new();
                come_again_line(&mut line, this.retry);
                Poll::Ready(Some(Ok(line.into())))
            }
            Poll::Ready(Some(Err(cut))) => Poll::Ready(Some(Err(cut.into()))),
            Poll::Pending => match this.lost.as_mut().poll(cx) {
                Poll::Ready(why) => Poll::Ready(this.say(&why)),
                Poll::Pending => Poll::Pending,
            },
        }
    }
}
