//! Publishing: `POST`, any text as the data of one event.

use axum::{
    body::Body,
    extract::{Request, State},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tidewire_codec::{Event, EventId, EventName, InvalidText};
use tidewire_hub::Draft;

use super::{
    Door,
    wire::{self, Query},
};
use crate::Problem;

/// Bodies that hold many events. They are refused, not taken for one event's text.
const BULK: [&str; 3] = [
    "text/event-stream",
    "application/x-ndjson",
    "application/stream+json",
];

pub(super) async fn publish(State(door): State<Door>, request: Request) -> Result<Response<Body>, Problem> {
    let (parts, body) = request.into_parts();
    let query = Query::parse(&parts.uri)?;
    let topics = wire::topics(&parts.uri, &query)?;
    let ends = query.flag("end")?;
    let mut event = Event {
        id: query
            .one("id")?
            .map(EventId::new)
            .transpose()
            .map_err(|error| broken("id", &error))?,
        name: query
            .one("event")?
            .map(EventName::new)
            .transpose()
            .map_err(|error| broken("event", &error))?,
        retry: query.number("retry")?,
        data: String::new(),
    };
    refuse_bulk(&parts.headers)?;
    event.data = text(read(&parts.headers, body, door.hub.max_event()).await?)?;

    // The end of a stream needs no event of its own.
    let only_end = ends && event == Event::default();
    let draft = match only_end {
        true => Draft::end(topics),
        false => Draft::event(topics, event)?,
    };
    let receipt = door
        .hub
        .append(if ends { draft.and_end() } else { draft })
        .await?;
    Ok(accepted(receipt.id.as_str()))
}

fn accepted(id: &str) -> Response<Body> {
    let body = serde_json::json!({ "id": id });
    let mut response = Response::new(Body::from(format!("{body}\n")));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn broken(parameter: &str, error: &InvalidText) -> Problem {
    Problem::bad_request("bad_parameter", format!("`{parameter}`: {error}"))
}

fn refuse_bulk(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    match BULK.iter().any(|bulk| bulk.eq_ignore_ascii_case(essence)) {
        true => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "bulk",
            format!(
                "{essence} would be many events, which one request cannot publish yet: send one event a request"
            ),
        )),
        false => Ok(()),
    }
}

async fn read(headers: &HeaderMap, body: Body, max: usize) -> Result<Bytes, Problem> {
    let too_large = || {
        let detail = format!(
            "the body is larger than {max} bytes, the most that an event may have (limits.max_event)"
        );
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
    };
    // Said before the body is asked for, so that a client that waits for `100 Continue` sends none.
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|len: u64| len > max as u64) {
        return Err(too_large());
    }
    match Limited::new(body, max).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(error) => {
            let detail = format!("the body broke off ({error}): nothing was published, send it again");
            Err(Problem::bad_request("body_cut", detail))
        }
    }
}

fn text(body: Bytes) -> Result<String, Problem> {
    String::from_utf8(body.into()).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let detail =
            format!("the body is no UTF-8 at byte {at}: send text, binary as base64 or as a data URL");
        Problem::bad_request("not_utf8", detail)
    })
}
