//! Publishing: `POST`, any text as the data of one event, or many events (see [`bulk`]); `DELETE`.

use axum::{body::Body, extract::Request};
use http::{HeaderName, HeaderValue, Response};
use tidewire_codec::{Event, EventId, EventName, InvalidText};
use tidewire_hub::{Draft, Outcome};

use super::{
    Door,
    bulk::{self, Order},
    parameters::Parameters,
    wire,
};
use crate::{
    Problem,
    guard::{Action, Principal},
    intake::{Intake, Purpose, Whole, media_type},
};

const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

pub(super) async fn publish(door: Door, request: Request) -> Result<Response<Body>, Problem> {
    let (parts, body) = request.into_parts();
    let query = Parameters::of_query(&parts.uri)?;
    let order = Order {
        topics: wire::topics(&parts.uri, &query)?,
        ends: query.flag("end")?,
        key: wire::idempotency_key(&parts.headers)?,
    };
    let principal = Principal::of(&parts.extensions);
    principal.may(Action::Publish, &order.topics)?;
    if order.ends {
        principal.may(Action::End, &order.topics)?;
    }
    let intake = Intake::text_of(&parts, body, &door.config.bodies)?;
    match bulk::Format::of(&media_type(&parts.headers)) {
        Some(format) => {
            refuse_fields(&query)?;
            bulk::publish(door.hub, format, order, intake).await
        }
        None => one(door, fields(&query)?, order, intake).await,
    }
}

/// The event that a query describes, still without its data.
fn fields(query: &Parameters<'_>) -> Result<Event, Problem> {
    let broken = |parameter, error: InvalidText| {
        Problem::bad_request("bad_parameter", format!("`{parameter}`: {error}"))
    };
    let id = query.one("id")?.map(EventId::new).transpose();
    // An empty name is how formats write that there is none.
    let name = query.one("event")?.filter(|name| !name.is_empty());
    let name = name.map(EventName::new).transpose();
    Ok(Event {
        id: id.map_err(|error| broken("id", error))?,
        name: name.map_err(|error| broken("event", error))?,
        retry: query.number("retry")?,
        data: String::new(),
    })
}

/// Many events have these fields themselves.
fn refuse_fields(query: &Parameters<'_>) -> Result<(), Problem> {
    match ["id", "event", "retry"]
        .into_iter()
        .find(|name| query.all(name).next().is_some())
    {
        Some(name) => Err(Problem::bad_request(
            "bad_parameter",
            format!(
                "`{name}` is for one event, and this body holds many: give it to each of them in the body"
            ),
        )),
        None => Ok(()),
    }
}

async fn one(door: Door, mut event: Event, order: Order, intake: Intake) -> Result<Response<Body>, Problem> {
    let purpose = Purpose {
        max: door.hub.max_event(),
        bound: "an event may have (limits.max_event)",
        nothing: "nothing was published, send it again",
    };
    // Held until the log has the event.
    let Whole {
        content: data,
        held: _held,
    } = intake.text(&purpose).await?;
    event.data = data;
    // The end of a stream needs no event of its own.
    let mut proposal = match (order.ends, event == Event::default()) {
        (true, true) => Draft::end(order.topics),
        (true, false) => Draft::event(order.topics, event)?.and_end().into(),
        (false, _) => Draft::event(order.topics, event)?.into(),
    };
    if let Some(key) = order.key {
        proposal = proposal.with_key(key, 0);
    }
    let receipt = door.hub.append(proposal).await?;
    let body = serde_json::json!({ "id": receipt.id.as_str() });
    Ok(answer(&body, receipt.outcome == Outcome::Replayed))
}

/// What a publisher is told; `replayed` if a request with the same key had been told before.
pub(super) fn answer(body: &serde_json::Value, replayed: bool) -> Response<Body> {
    let mut response = super::json(body);
    if replayed {
        let headers = response.headers_mut();
        headers.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// Lets go what is kept: `DELETE`.
pub(super) async fn purge(door: Door, request: Request) -> Result<Response<Body>, Problem> {
    let uri = request.uri();
    let topics = wire::topics(uri, &Parameters::of_query(uri)?)?;
    Principal::of(request.extensions()).may(Action::Purge, &topics)?;
    let receipt = door.hub.append(Draft::purge(topics)).await?;
    let purged = match receipt.outcome {
        Outcome::Purged(count) => count,
        _ => 0,
    };
    Ok(super::json(&serde_json::json!({ "purged": purged })))
}
