//! Reading: `GET`; `QUERY` and `POST /subscribe` with parameters in the body; `HEAD` for what is kept.

use std::task::Poll;

use axum::{body::Body, extract::Request};
use futures_util::stream::poll_fn;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use tidewire_codec::protocol;
use tidewire_hub::{Resume, Subscribed};

use super::{
    Door,
    ask::Ask,
    body_parameters::{BodyParameters, Form},
    format::{Format, VARY},
    outgoing::Outgoing,
    parameters::Parameters,
    wire,
};
use crate::{
    Problem,
    guard::{Action, Principal},
    intake::{Intake, Purpose, media_type},
};

const TIDEWIRE_RESUME: HeaderName = HeaderName::from_static(protocol::TIDEWIRE_RESUME);
const TIDEWIRE_LAST_EVENT_ID: HeaderName = HeaderName::from_static(protocol::TIDEWIRE_LAST_EVENT_ID);
const TIDEWIRE_COUNT: HeaderName = HeaderName::from_static(protocol::TIDEWIRE_COUNT);

/// The outcome for who has everything: nothing is missing.
const RESUMED: HeaderValue = HeaderValue::from_static("resumed");

/// Subscribes with what the query says, and the body, unless the method is `GET`.
pub(super) async fn subscribe(door: Door, request: Request) -> Result<Response<Body>, Problem> {
    let (parts, body) = request.into_parts();
    let media_type = media_type(&parts.headers);
    if parts.method.as_str() == "QUERY" {
        check_query(&media_type)?;
    }
    // It counts in the budget of bodies until the subscription is there.
    let mut whole = None;
    if parts.method != Method::GET {
        let purpose = Purpose {
            max: door.config.max_subscribe_body,
            bound: "a subscription may have (limits.max_subscribe_body)",
            nothing: "send it again",
        };
        let intake = Intake::text_of(&parts, body, &door.config.bodies)?;
        whole = Some(intake.text(&purpose).await?);
    }
    let text = whole.as_ref().map_or("", |whole| &whole.content);
    let body = BodyParameters::read(&media_type, text)?;
    let ask = Ask::read(&parts.uri, &parts.headers, body)?;
    open(&door, &parts, ask).await
}

/// RFC 10008 § 2: a query without a type is not guessed at, also if it is empty.
fn check_query(media_type: &str) -> Result<(), Problem> {
    if media_type.is_empty() {
        let types = "application/json or application/x-www-form-urlencoded";
        let detail = format!("a QUERY says what its body is: send Content-Type: {types}");
        return Err(Problem::bad_request("no_content_type", detail));
    }
    Form::of(media_type).map(drop)
}

async fn open(door: &Door, parts: &Parts, ask: Ask) -> Result<Response<Body>, Problem> {
    let format = Format::accepted(&parts.headers)?;
    let encoding = format.encoding(ask.shows_topics);
    let stream = Outgoing {
        format,
        retry: door.config.retry,
        heartbeat: door.config.heartbeat,
    };
    let principal = Principal::of(&parts.extensions);
    principal.may(Action::Subscribe, &ask.topics)?;
    let place = match &door.watched {
        Some(watched) => watched.admit(&principal, &door.hub, &ask.topics)?,
        None => None,
    };
    let subscribed = door
        .hub
        .subscribe_as(ask.topics, &ask.start, encoding, ask.name)
        .await?;
    let mut subscription = match subscribed {
        Subscribed::Open(subscription) => subscription,
        Subscribed::Ended if parts.method == Method::GET => return Ok(nothing_left()),
        // Only of a GET does a client know that 204 is an end.
        Subscribed::Ended => return Ok(with_resume(stream.nothing(parts), RESUMED)),
    };
    let resume = subscription.resume();
    // A gap starts with a notice that has an id itself. A cursor in front of it would let a reader that
    // is cut between the two resume without ever hearing of the gap.
    let primed = match ask.prime && !matches!(resume, Resume::Gap(_)) {
        true => encoding.prime(subscription.position()),
        false => Vec::new(),
    };
    let resume = HeaderValue::from_static(resume.as_str());
    let outbox = door.config.send_buffers.outbox(&principal);
    let mut cut = None;
    let chunks = poll_fn(move |cx| {
        let _held_as_long_as_the_stream = &place;
        if let Some(cut) = cut {
            return Poll::Ready(Some(Err(cut)));
        }
        let position = subscription.position();
        subscription.poll_chunk(cx).map_ok(|chunk| {
            outbox.take(chunk).unwrap_or_else(|why| {
                // It may have had no event yet: without a cursor it would come again for later ones only.
                cut = Some(why);
                encoding.prime(position).into()
            })
        })
    });
    Ok(with_resume(stream.response(parts, &primed, chunks), resume))
}

fn with_resume(mut response: Response<Body>, resume: HeaderValue) -> Response<Body> {
    response.headers_mut().insert(TIDEWIRE_RESUME, resume);
    response
}

/// What is kept, without reading it.
pub(super) async fn head(door: Door, request: Request) -> Result<Response<Body>, Problem> {
    let uri = request.uri();
    let topics = wire::topics(uri, &Parameters::of_query(uri)?)?;
    Principal::of(request.extensions()).may(Action::Subscribe, &topics)?;
    let kept = door.hub.kept(&topics).await?;
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(TIDEWIRE_COUNT, kept.count.into());
    if let Some(last) = kept.last {
        let last = HeaderValue::from_str(&last.to_string());
        headers.extend(last.ok().map(|last| (TIDEWIRE_LAST_EVENT_ID, last)));
    }
    Ok(response)
}

/// 204: the reader has everything, and `EventSource` does not come again.
fn nothing_left() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, VARY);
    response
}
