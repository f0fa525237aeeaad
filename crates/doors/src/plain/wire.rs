//! What requests say: topics, query parameters, the last event id.

use std::borrow::Cow;

use http::{HeaderMap, Uri};
use percent_encoding::percent_decode_str;
use tidewire_hub::{IdempotencyKey, Namespace, Start, Topic, TopicSet};

use crate::Problem;

const PREFIX: &str = "/events";

/// A query string as pairs, in order.
pub(super) struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    pub(super) fn parse(uri: &'a Uri) -> Result<Self, Problem> {
        let pairs = uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode_form(name)?, decode_form(value)?))
        });
        pairs.collect::<Result<_, Problem>>().map(Self)
    }

    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_ref())
    }

    /// The value of a parameter that may stand once.
    pub(super) fn one(&self, name: &str) -> Result<Option<&str>, Problem> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            _ => Err(Problem::bad_request(
                "bad_parameter",
                format!("`{name}` stands more than once: give it once"),
            )),
        }
    }

    /// `true` or `1`, or the bare name; `false` or `0`, or nothing.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.one(name)? {
            Some("" | "1" | "true") => Ok(true),
            None | Some("0" | "false") => Ok(false),
            Some(other) => Err(bad(name, other, "true or false")),
        }
    }

    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Problem> {
        let parse = |text: &str| text.parse().map_err(|_| bad(name, text, "a whole number"));
        self.one(name)?.map(parse).transpose()
    }
}

fn bad(name: &str, value: &str, wanted: &str) -> Problem {
    Problem::bad_request("bad_parameter", format!("`{name}={value}`: give {wanted}"))
}

/// The topics of a request: those of its path and those of its query.
pub(super) fn topics(uri: &Uri, query: &Query<'_>) -> Result<TopicSet, Problem> {
    let path = uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let in_path = path.strip_prefix('/').map(path_topic).transpose()?;
    let names = in_path.iter().map(Cow::as_ref).chain(query.all("topic"));
    let topics: Result<Vec<_>, _> = names.map(|name| Topic::new(Namespace::Events, name)).collect();
    Ok(TopicSet::new(topics?)?)
}

/// A path is a topic as it is, decoded. What clients and proxies rewrite on the way is refused.
fn path_topic(path: &str) -> Result<Cow<'_, str>, Problem> {
    let topic = decode(path)?;
    let rewritten = |segment: &str| matches!(segment, "" | "." | "..");
    if !topic.is_empty() && topic.split('/').any(rewritten) {
        return Err(Problem::bad_request(
            "bad_topic",
            "the topic has an empty or dotted path segment, which clients rewrite: give it as /events?topic=…",
        ));
    }
    Ok(topic)
}

/// Where a reader wants to start: the header wins over the query, a cursor over `last`.
pub(super) fn start(headers: &HeaderMap, query: &Query<'_>) -> Result<Start, Problem> {
    if let Some(id) = headers.get("last-event-id") {
        // Bytes that are no UTF-8 are an id that nobody has: a gap, not an error, so that the reader goes on.
        return Ok(Start::After(String::from_utf8_lossy(id.as_bytes()).into_owned()));
    }
    let id = match query.one("last_event_id")? {
        Some(id) => Some(id),
        None => query.one("lastEventId")?,
    };
    match (id, query.number("last")?) {
        (Some(id), _) => Ok(Start::After(id.into())),
        (None, Some(count)) => Ok(Start::Last(count)),
        (None, None) => Ok(Start::Live),
    }
}

/// The key by which a retried publish is known.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let mut values = headers.get_all("idempotency-key").iter();
    let key = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(key), None) => key,
        _ => {
            return Err(Problem::bad_request(
                "bad_key",
                "the header Idempotency-Key stands more than once: give it once",
            ));
        }
    };
    // What is no text is no key either, and is told as what a key may hold.
    Ok(Some(IdempotencyKey::new(&String::from_utf8_lossy(
        key.as_bytes(),
    ))?))
}

/// Percent-decodes strictly: a stray `%` or bytes that are no UTF-8 would be another topic than meant.
fn decode(text: &str) -> Result<Cow<'_, str>, Problem> {
    let is_hex = |at: usize| text.as_bytes().get(at).is_some_and(u8::is_ascii_hexdigit);
    let stray = text
        .match_indices('%')
        .any(|(at, _)| !(is_hex(at + 1) && is_hex(at + 2)));
    let decoded = percent_decode_str(text).decode_utf8();
    match decoded {
        Ok(decoded) if !stray => Ok(decoded),
        _ => Err(Problem::bad_request(
            "bad_encoding",
            format!("`{text}` is not percent-encoded UTF-8: write a literal % as %25"),
        )),
    }
}

/// The same for a form or query, where `+` is a space.
fn decode_form(text: &str) -> Result<Cow<'_, str>, Problem> {
    if !text.contains('+') {
        return decode(text);
    }
    decode(&text.replace('+', "%20")).map(|decoded| Cow::Owned(decoded.into_owned()))
}
