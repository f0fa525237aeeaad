//! Who reads a topic: now, as JSON, or as a stream of changes.

use axum::{body::Body, extract::Request};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, Response, StatusCode, header};
use serde_json::{Value, json};
use tidewire_codec::{Event, EventName};
use tidewire_hub::{Presence, PresenceChange, PresenceWatch, ReaderName, Topic};

use super::{
    Door,
    format::{Format, VARY, not_acceptable},
    outgoing::Outgoing,
    parameters::Parameters,
    wire,
};
use crate::{
    Problem,
    guard::{Action, Principal},
    stream::{negotiate, sending::Outbox},
};

pub(super) fn presence(door: &Door, request: Request) -> Result<Response<Body>, Problem> {
    let (parts, _) = request.into_parts();
    let topic = topic(&parts.uri)?;
    let principal = Principal::of(&parts.extensions);
    principal.may(Action::Presence, &topic.clone().into())?;
    match format(&parts.headers)? {
        None => {
            let mut response = super::json(&state(&topic, &door.hub.presence(&topic)));
            response.headers_mut().insert(header::VARY, VARY);
            Ok(response)
        }
        Some(format) => {
            let stream = Outgoing {
                format,
                retry: door.config.retry,
                heartbeat: door.config.heartbeat,
            };
            let watch = door.hub.watch_presence(topic.clone())?;
            let outbox = door.config.send_buffers.outbox(&principal);
            Ok(stream.response(&parts, &[], changes(format, topic, watch, outbox)))
        }
    }
}

fn topic(uri: &http::Uri) -> Result<Topic, Problem> {
    let topics = wire::topics(uri, &Parameters::of_query(uri)?)?;
    match topics.iter().as_slice() {
        [topic] => Ok(topic.clone()),
        _ => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "too_many_topics",
            "presence is told of one topic at a time: send a request for each",
        )),
    }
}

/// JSON, also for who does not care, or a stream's format.
fn format(headers: &HeaderMap) -> Result<Option<Format>, Problem> {
    const JSON: negotiate::MediaType = ("application", "json");
    match Format::accepted_or(JSON, headers) {
        Some(format) => Ok(format),
        None => Err(not_acceptable("presence comes", "application/json, ")),
    }
}

fn changes(
    format: Format,
    topic: Topic,
    watch: PresenceWatch,
    outbox: Outbox,
) -> impl stream::Stream<Item = Result<Bytes, tidewire_hub::Cut>> + Unpin + Send {
    let changes = stream::unfold(watch, async |mut watch| {
        let change = watch.next().await;
        Some((change, watch))
    });
    let bytes = move |change| outbox.take(format.event(&event(&topic, &change)).into());
    Box::pin(changes.map(move |change| change.and_then(&bytes)))
}

fn event(topic: &Topic, change: &PresenceChange) -> Event {
    let (name, data) = match change {
        PresenceChange::Join { name, readers } => ("join", one(name.as_ref(), *readers)),
        PresenceChange::Leave { name, readers } => ("leave", one(name.as_ref(), *readers)),
        PresenceChange::State(presence) => ("presence", state(topic, presence)),
        _ => ("presence", Value::Null),
    };
    Event::new(data.to_string()).with_name(EventName::from_static(name))
}

/// A reader that has come or gone, and how many there are now.
fn one(name: Option<&ReaderName>, readers: usize) -> Value {
    json!({ "name": name.map(ReaderName::as_str), "readers": readers })
}

fn state(topic: &Topic, presence: &Presence) -> Value {
    let members = presence.members.iter();
    let members: Vec<_> = members
        .map(|member| json!({ "name": member.name.as_str(), "readers": member.readers }))
        .collect();
    let mut state = json!({ "topic": topic.name(), "readers": presence.readers, "members": members });
    if presence.more > 0 {
        state["more"] = presence.more.into();
    }
    state
}
