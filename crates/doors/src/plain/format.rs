//! The formats in which streams are read.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use tidewire_codec::{Event, protocol::NDJSON};
use tidewire_hub::Encoding;

use crate::{
    Problem,
    stream::{
        negotiate::{self, MediaType},
        respond::Form,
    },
};

/// A format that a reader accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// `text/event-stream`.
    EventStream,
    /// A JSON object a line, under the name that was asked for.
    Ndjson(&'static str),
}

/// What is offered, the best liked first, and what it is in full.
const OFFERS: [(MediaType, Format); 4] = [
    (("text", "event-stream"), Format::EventStream),
    (("application", "x-ndjson"), Format::Ndjson(NDJSON[0])),
    (
        ("application", "stream+json"),
        Format::Ndjson("application/stream+json"),
    ),
    (("application", "ndjson"), Format::Ndjson("application/ndjson")),
];

/// What `Vary` names: the answer depends on it.
pub(super) const VARY: HeaderValue = HeaderValue::from_static("Accept");

impl Format {
    /// The one that a request's `Accept` likes best; an event stream if it does not care.
    pub(super) fn accepted(headers: &HeaderMap) -> Result<Self, Problem> {
        let offers = OFFERS.map(|(media_type, _)| media_type);
        negotiate::best(headers, &offers)
            .map(|index| OFFERS[index].1)
            .ok_or_else(|| not_acceptable("streams come", ""))
    }

    /// The same where something else is liked as well as an event stream: `Some(None)` is that.
    pub(super) fn accepted_or(other: MediaType, headers: &HeaderMap) -> Option<Option<Self>> {
        let offers = [other]
            .into_iter()
            .chain(OFFERS.map(|(media_type, _)| media_type));
        let offers: Vec<_> = offers.collect();
        let best = negotiate::best(headers, &offers)?;
        Some(best.checked_sub(1).map(|index| OFFERS[index].1))
    }

    /// What the hub is to encode.
    pub(super) fn encoding(self, shows_topics: bool) -> Encoding {
        match self {
            Self::EventStream if shows_topics => Encoding::EventStreamWithTopics,
            Self::EventStream => Encoding::EventStream,
            Self::Ndjson(_) => Encoding::Ndjson,
        }
    }

    /// What it looks like from outside. The heartbeat of NDJSON is an empty line, which its readers skip.
    pub(super) fn form(self) -> Form {
        match self {
            Self::EventStream => Form::EVENT_STREAM,
            Self::Ndjson(content_type) => Form {
                content_type,
                heartbeat: "\n",
            },
        }
    }

    /// An event that stands in no log: without an id.
    pub(super) fn event(self, event: &Event) -> Vec<u8> {
        match self {
            Self::EventStream => {
                let mut out = Vec::new();
                event.encode(&mut out);
                out
            }
            Self::Ndjson(_) => {
                let name = event.name.as_ref().map_or("message", |name| name.as_str());
                let line = serde_json::json!({ "event": name, "data": event.data });
                format!("{line}\n").into()
            }
        }
    }
}

/// 406. `more` is what else is on offer.
pub(super) fn not_acceptable(what: &str, more: &str) -> Problem {
    let offers = OFFERS.map(|((kind, subkind), _)| format!("{kind}/{subkind}"));
    let detail = format!(
        "{what} as {more}{}: send one of them as Accept, or no Accept at all",
        offers.join(", ")
    );
    Problem::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", detail).with_header(header::VARY, VARY)
}
