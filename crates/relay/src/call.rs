//! A request to a route: the answer that there is, or a call of the upstream.

use std::borrow::Cow;

use axum::{body::Body, extract::Request};
use http::{HeaderMap, HeaderName, HeaderValue, Response, header, request::Parts};
use tidewire_codec::protocol;
use tidewire_doors::{Problem, guard::Principal, intake::media_type, request};
use tidewire_hub::{Error, Start};
use tokio::sync::oneshot;

use super::{
    Relay,
    answer::{Answer, Named, Phase, Reader, Share},
    answers::{Found, Taken},
    asker::{Asker, retry_count},
    asking::Asking,
    config::{Resume, Route},
    dialect::{self, Dialect},
    forward, pass, path,
    pick::{Scalar, pick},
    read,
    refusal::Refusal,
    scope::{Hash, Scope},
    stream::StreamId,
    upload::Sent,
    upstream::{Call, Head},
    websocket,
    whole::IDEMPOTENCY_REPLAYED,
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static(protocol::IDEMPOTENCY_KEY);
/// Says that a request's key is the upstream's to keep: two such requests are two calls.
const TIDEWIRE_IDEMPOTENCY: HeaderName = HeaderName::from_static(protocol::TIDEWIRE_IDEMPOTENCY);
pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static(protocol::LAST_EVENT_ID);

/// Answers a request to the route with this number. `refusal` learns the client's dialect from its body.
pub(super) async fn call(
    relay: Relay,
    number: usize,
    request: Request,
    refusal: &mut Refusal,
) -> Result<Response<Body>, Problem> {
    let route = &relay.inner.config.routes[number];
    relay.inner.measures[number].request();
    let (parts, body) = request.into_parts();
    if let Some(chat) = read::chat(route, &parts) {
        return read::of_chat(&relay, number, &parts, &chat).await;
    }
    path::check_route(&relay.inner.config.routes, route, parts.uri.path())?;
    let target = forward::target(route, &parts)?;
    let scope = Scope::of(route, &parts)?;
    let stream = StreamId::random().map_err(no_randomness)?;
    if websocket::is_asked(&parts) {
        return websocket::open(relay.clone(), number, parts, target, scope, stream).await;
    }
    let body = Sent::read(route, &parts, body, &relay.inner.config.bodies).await?;
    let hash = hash(&parts, body.held(), stream);

    let shown = Dialect::of_request(&dialect::Request {
        method: &parts.method,
        path: target.path(),
        query: target.query(),
        headers: &parts.headers,
        body: body.held().unwrap_or_default(),
    });
    let dialect = route.dialect.or(shown);
    refusal.learn(dialect, body.held().unwrap_or_default());
    let resume = route.resumes(dialect);
    let is_kept = resume == Resume::Relay;
    // Of a body that is not held nothing is known: whether it is answered by a stream, the answer says.
    let asked = body.held().map_or_else(Asked::default, |body| {
        Asked::read(route, &parts, body).with(shown, dialect, is_kept)
    });

    if is_kept && let Some(response) = go_on(&relay, number, &parts, scope, hash).await? {
        return Ok(response);
    }
    // Two requests with one key can only be compared if both are held.
    let key = idempotency_key(&parts.headers);
    let key = key.filter(|_| is_kept && body.held().is_some());
    let named = Named {
        stream,
        route: number,
        owner: scope.hash(),
        request: hash,
        key: key.and_then(|key| scope.key("idempotency", &key)),
        chat: asked
            .chat
            .as_ref()
            .and_then(|chat| scope.key("chat", chat.as_bytes())),
        retry: scope.retry(hash).filter(|_| is_kept && body.held().is_some()),
    };
    let asker = match () {
        () if asked.is_background => Asker::InBackground,
        () if named.key.is_some() || named.chat.is_some() => Asker::MayReturn,
        () => Asker::of(&parts),
    };
    let share = Share::of(&Principal::of(&parts.extensions));
    let try_number = retry_count(&parts.headers);
    if let Some(asking) = Asking::adopted(&relay, named.retry, try_number)
        && let Some((reader, head)) = asking.head().await
    {
        relay.inner.measures[number].joined();
        return respond(&relay, &parts, reader, head).await;
    }
    // Before it is asked whether the relay is closed: from here on its closing waits for this call.
    let token = relay.inner.calls.token();
    let (answer, reader) = loop {
        let answer = Answer::new(named, share, asker, named.stream.topics()?, Phase::Asking);
        match relay.inner.answers.take(&answer, &relay.inner.config)? {
            Taken::New(_) if relay.inner.calls.is_closed() => {
                relay.inner.answers.release(&answer);
                return Err(Error::Closed.into());
            }
            Taken::New(reader) => break (answer, reader),
            Taken::Same(same) => {
                let reader = same.join();
                let _waiting = read::Counted::new(relay.clone(), same.join());
                let phase = same.settled().await;
                if matches!(phase, Phase::Nothing) {
                    continue; // Nothing of it is there.
                }
                relay.inner.measures[number].joined();
                return replay(&relay, &parts, reader, phase).await;
            }
        }
    };
    let (head, answered) = oneshot::channel();
    // Twins may accept other encodings.
    let is_ours = asked.wants_stream || named.key.is_some();
    let mut request = reqwest::Request::new(parts.method.clone(), target);
    let sends_cursor = resume == Resume::Upstream;
    *request.headers_mut() = forward::request_headers(route, &parts, is_ours, sends_cursor);
    let failure = body.put_into(&mut request);
    let call = Call {
        relay: relay.clone(),
        answer,
        request,
        wants_stream: asked.wants_stream,
        may_begin: asked.may_begin,
        is_kept,
        dialect,
        head,
    };
    relay.inner.tasks.spawn(async move {
        call.run().await;
        drop(token);
    });
    let asking = Asking::new(&relay, reader, answered, try_number);
    let Some((reader, head)) = asking.head().await else {
        return Err(forward::bad_gateway(
            "abandoned",
            "the request to the upstream was given up",
        ));
    };
    let response = respond(&relay, &parts, reader, head).await;
    let mut response = response.map_err(|problem| failure.or(problem))?;
    if named.key.is_none() && parts.headers.contains_key(IDEMPOTENCY_KEY) {
        let headers = response.headers_mut();
        headers.insert(TIDEWIRE_IDEMPOTENCY, HeaderValue::from_static("passed-on"));
    }
    Ok(response)
}

/// The key of a request; none if it is empty or stands twice.
fn idempotency_key(headers: &HeaderMap) -> Option<Cow<'_, [u8]>> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    match (keys.next(), keys.next()) {
        (Some(key), None) => Some(request::idempotency_key(key)).filter(|key| !key.is_empty()),
        _ => None,
    }
}

/// The hash by which a request is known. One whose body is not held is like no other.
fn hash(parts: &Parts, body: Option<&[u8]>, stream: StreamId) -> Hash {
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let (method, path) = (parts.method.as_str().as_bytes(), path.as_bytes());
    match body {
        Some(body) => Hash::of(&[method, path, body]),
        None => Hash::of(&[b"passed on", stream.to_string().as_bytes()]),
    }
}

/// The response with this head.
async fn respond(
    relay: &Relay,
    parts: &Parts,
    reader: Reader,
    head: Head,
) -> Result<Response<Body>, Problem> {
    match head {
        Head::Stream(headers) => read::reply(relay, parts, reader, &from_the_first(), &headers).await,
        Head::Other(response, asked_at, place) => {
            let route = relay.route(reader.answer());
            Ok(pass::on(response, &parts.method, route, asked_at, place))
        }
        Head::Whole(whole) => Ok(whole.response(reader)),
        Head::Failed(problem) => Err(problem),
    }
}

/// The answer to a twin of the request that it was asked for with.
async fn replay(
    relay: &Relay,
    parts: &Parts,
    reader: Reader,
    phase: Phase,
) -> Result<Response<Body>, Problem> {
    match phase {
        Phase::Failed(problem) => return Err(problem),
        Phase::Whole(whole) => return Ok(whole.replayed(reader)),
        _ => {}
    }
    let headers = reader.answer().headers();
    let mut response = read::reply(relay, parts, reader, &from_the_first(), &headers).await?;
    let replayed = HeaderValue::from_static("true");
    response.headers_mut().insert(IDEMPOTENCY_REPLAYED, replayed);
    Ok(response)
}

fn from_the_first() -> Start {
    Start::After(Start::EARLIEST.into())
}

fn no_randomness(error: getrandom::Error) -> Problem {
    tracing::error!(%error, "the system gives no randomness");
    Problem::new(
        http::StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "the system gives no randomness",
    )
}

/// What a request asks for, as far as it concerns us.
#[derive(Default)]
struct Asked {
    wants_stream: bool,
    /// The request itself says so, and not only that a stream is accepted.
    streams: bool,
    /// Its answer can be nothing but an event stream.
    may_begin: bool,
    chat: Option<String>,
    /// Its upstream does not need the client for it: one of OpenAI's Responses in the background, or a notification of JSON-RPC.
    is_background: bool,
}

impl Asked {
    fn read(route: &Route, parts: &Parts, body: &[u8]) -> Self {
        let headers = &parts.headers;
        let mut accepts = headers.get_all(header::ACCEPT).iter();
        let accepts = accepts.any(|accept| protocol::names_stream(accept.to_str().unwrap_or_default()));
        let is_json = media_type(headers).ends_with("json");
        // What is no JSON, though it says so, is the upstream's to refuse.
        let said = |pointer: &str| is_json.then(|| pick(body, pointer)).flatten();
        let streams = match said("/stream") {
            Some(Scalar::Bool(streams)) => Some(streams),
            _ => None,
        };
        let chat = route.chat_key.as_deref().and_then(said);
        let chat = chat.and_then(|chat| match chat {
            Scalar::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        });
        // Who names a chat has a stream in mind, unless it says that it has not: a title for it, say, which is not what the
        // chat is at.
        let wants_stream = streams.unwrap_or(accepts || chat.is_some());
        let is_background =
            parts.uri.path().ends_with("/responses") && said("/background") == Some(Scalar::Bool(true));
        // JSON-RPC that wants no answer. A client that cancels its call closes its connections right after it has told so.
        let is_notification =
            || said("/jsonrpc").is_some() && (said("/method").is_none() || said("/id").is_none());
        Self {
            wants_stream,
            streams: streams == Some(true),
            may_begin: false,
            chat: chat.filter(|_| wants_stream),
            is_background: is_background || is_notification(),
        }
    }

    /// With what its dialect adds.
    fn with(mut self, shown: Option<Dialect>, dialect: Option<Dialect>, is_kept: bool) -> Self {
        // Gemini's address asks for a stream; of an app of the AI SDK the route says what a stream is.
        self.streams |=
            shown == Some(Dialect::Gemini) || (self.wants_stream && dialect == Some(Dialect::AiSdkUi));
        self.wants_stream = is_kept && (self.wants_stream || self.streams);
        self.may_begin =
            self.wants_stream && self.streams && dialect.is_some_and(Dialect::leaves_only_event_streams);
        self.chat = self.chat.filter(|_| is_kept);
        self
    }
}

/// The rest of an answer, if the request is the one that it answers, come again.
async fn go_on(
    relay: &Relay,
    number: usize,
    parts: &Parts,
    scope: Scope,
    request: Hash,
) -> Result<Option<Response<Body>>, Problem> {
    let id = parts.headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok());
    let Some((id, stream)) = id.and_then(|id| Some((id, StreamId::of_event(id)?))) else {
        return Ok(None);
    };
    let Found::Here(answer) = relay.inner.answers.find(stream) else {
        return Ok(None);
    };
    if !answer.is_stream() {
        return Ok(None);
    }
    let named = answer.named;
    // Another prompt is always answered anew, whatever its client still remembers.
    if (named.route, named.owner, named.request) != (number, scope.hash(), request) {
        return Ok(None);
    }
    relay.inner.measures[number].joined();
    let headers = answer.headers();
    read::reply(
        relay,
        parts,
        answer.join_again(),
        &Start::After(id.to_owned()),
        &headers,
    )
    .await
    .map(Some)
}
