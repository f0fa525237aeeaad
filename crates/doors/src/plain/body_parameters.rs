//! A subscription's parameters in its body, for what does not fit a URL: JSON or a form.

use std::borrow::Cow;

use http::StatusCode;
use serde::Deserialize;
use tidewire_hub::{Error, Namespace, Topic};

use super::parameters::Parameters;
use crate::{Problem, json, problem::shorten, request};

/// What a body may say, for people.
const EXAMPLE: &str = r#"{"topics":["a","b"],"last_event_id":"…"}"#;

/// The parameters of a body.
#[derive(Debug, Default)]
pub(super) struct BodyParameters<'a> {
    pub(super) topics: Vec<Topic>,
    pub(super) others: Parameters<'a>,
}

/// The same as JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields<'a> {
    #[serde(default)]
    topics: Names,
    #[serde(default)]
    topic: Names,
    #[serde(
        alias = "lastEventId",
        alias = "lastEventID",
        alias = "Last-Event-ID",
        alias = "last-event-id"
    )]
    last_event_id: Option<String>,
    last: Option<u64>,
    #[serde(borrow)]
    show: Option<Cow<'a, str>>,
    prime: Option<bool>,
    #[serde(rename = "as")]
    name: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(untagged, expecting = "expected a topic or a list of topics")]
enum Names {
    One(String),
    Many(Vec<String>),
    #[default]
    None,
}

/// How parameters are written.
pub(super) enum Form {
    Json,
    Pairs,
}

impl Form {
    /// That of a body of this type.
    pub(super) fn of(media_type: &str) -> Result<Self, Problem> {
        let is = |name: &str| media_type.eq_ignore_ascii_case(name);
        // `fetch` and `sendBeacon` send a text as text/plain: it is JSON that they were given.
        if is("application/json") || is("text/plain") || is("") {
            return Ok(Self::Json);
        }
        if is("application/x-www-form-urlencoded") {
            return Ok(Self::Pairs);
        }
        let media_type = shorten(media_type);
        Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_type",
            format!(
                "a subscription cannot be read from {media_type}: send application/json, such as {EXAMPLE}, or \
                 application/x-www-form-urlencoded"
            ),
        ))
    }
}

impl<'a> BodyParameters<'a> {
    /// Reads a body of this type. An empty one says nothing, whatever its type.
    pub(super) fn read(media_type: &str, text: &'a str) -> Result<Self, Problem> {
        if text.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        match Form::of(media_type)? {
            Form::Json => Self::of_json(text),
            Form::Pairs => Self::of_form(text),
        }
    }

    fn of_json(text: &'a str) -> Result<Self, Problem> {
        let fields: Fields<'_> = json::object(text).map_err(|error| {
            let detail = format!("{}; send an object such as {EXAMPLE}", error.in_text());
            Problem::bad_request("bad_json", detail)
        })?;
        let mut others = Parameters::default();
        let mut push = |name, value: Option<Cow<'a, str>>| {
            if let Some(value) = value {
                others.push(name, value);
            }
        };
        push("last_event_id", fields.last_event_id.map(Cow::Owned));
        push("last", fields.last.map(|last| last.to_string().into()));
        push("show", fields.show);
        push("prime", fields.prime.map(|prime| prime.to_string().into()));
        push("as", fields.name.map(Cow::Owned));
        let names = [fields.topics, fields.topic].map(Names::into_vec);
        Ok(Self {
            topics: topics(names.iter().flatten().map(String::as_str))?,
            others,
        })
    }

    fn of_form(text: &'a str) -> Result<Self, Problem> {
        if text.trim_ascii_start().starts_with('{') {
            return Err(Problem::bad_request(
                "bad_form",
                "this looks like JSON: send Content-Type: application/json",
            ));
        }
        // A line end at the end is what `echo` and editors leave.
        let form = Parameters::of_form(text.trim_ascii_end())?;
        const KNOWN: [&str; 7] = ["topics", "topic", "last_event_id", "last", "show", "prime", "as"];
        let is_known = |name: &&str| KNOWN.contains(name) || request::LAST_EVENT_ID.contains(name);
        if let Some(unknown) = form.names().find(|name| !is_known(name)) {
            let (unknown, known) = (shorten(unknown), KNOWN.join("`, `"));
            let detail = format!("unknown field `{unknown}`, expected one of `{known}`");
            return Err(Problem::bad_request("bad_form", detail));
        }
        Ok(Self {
            topics: topics(form.all("topics").chain(form.all("topic")))?,
            others: form,
        })
    }
}

impl Names {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(name) => vec![name],
            Self::Many(names) => names,
            Self::None => Vec::new(),
        }
    }
}

/// A topic that is too long is no fault of the URL here.
fn topics<'a>(names: impl Iterator<Item = &'a str>) -> Result<Vec<Topic>, Problem> {
    let topic = |name| {
        Topic::new(Namespace::Events, name).map_err(|error| match error {
            Error::TopicTooLong { .. } => Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "topic_too_long",
                error.to_string(),
            ),
            other => other.into(),
        })
    };
    names.map(topic).collect()
}
