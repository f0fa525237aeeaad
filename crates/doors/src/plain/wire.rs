//! What requests say in their path, query and headers: topics, where to start, keys.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue, Uri};
use tidewire_codec::protocol;
use tidewire_hub::{IdempotencyKey, Namespace, Start, Topic, TopicSet};

use super::parameters::{Parameters, decode};
use crate::{Problem, request};

/// The topics of a request: that of its path, or those of its query.
pub(super) fn topics(uri: &Uri, query: &Parameters<'_>) -> Result<TopicSet, Problem> {
    Ok(TopicSet::new(some_topics(uri, query, Vec::new())?)?)
}

/// The same with those of a body, if there may be none. A topic in the path stands alone: who guards paths would
/// not see the others.
pub(super) fn some_topics(
    uri: &Uri,
    query: &Parameters<'_>,
    in_body: Vec<Topic>,
) -> Result<Vec<Topic>, Problem> {
    let in_path = path_topic(uri.path()).transpose()?;
    let mut in_query = query.all("topic").peekable();
    if in_path.is_some() && (in_query.peek().is_some() || !in_body.is_empty()) {
        return Err(Problem::bad_request(
            "bad_topic",
            "the request has a topic in its path and more in its parameters: give all of them as parameters, such as \
             /events?topic=a&topic=b",
        ));
    }
    let names = in_path.iter().map(Cow::as_ref).chain(in_query);
    let topics = names.map(|name| Ok(Topic::new(Namespace::Events, name)?));
    topics.chain(in_body.into_iter().map(Ok)).collect()
}

/// What stands behind a path's first segment is a topic as it is, decoded. What clients and proxies rewrite on the
/// way is refused.
fn path_topic(path: &str) -> Option<Result<Cow<'_, str>, Problem>> {
    let (_, topic) = path.strip_prefix('/')?.split_once('/')?;
    let rewritten = |segment: &str| matches!(segment, "" | "." | "..");
    Some(decode(topic).and_then(|topic| {
        match !topic.is_empty() && topic.split('/').any(rewritten) {
            false => Ok(topic),
            true => Err(Problem::bad_request(
                "bad_topic",
                "the topic has an empty or dotted path segment, which clients rewrite: give it in the query, such as /events?topic=…",
            )),
        }
    }))
}

/// Where a reader wants to start: the header wins over the parameters, a cursor over `last`.
pub(super) fn start(headers: &HeaderMap, parameters: &Parameters<'_>) -> Result<Start, Problem> {
    // WHATWG HTML § 9.2: the empty string is no id.
    let id = parameters.one_of(&request::LAST_EVENT_ID)?;
    let last = parameters.number("last")?;
    let in_header = single(headers, protocol::LAST_EVENT_ID, "bad_parameter")?;
    if let Some(id) = in_header.filter(|id| !id.is_empty()) {
        // Bytes that are no UTF-8 are an id that nobody has: a gap, not an error, so that the reader goes on.
        return Ok(Start::After(String::from_utf8_lossy(id.as_bytes()).into_owned()));
    }
    Ok(match (id, last) {
        (Some(id), _) => Start::After(id.into()),
        (None, Some(count)) => Start::Last(count),
        (None, None) => Start::Live,
    })
}

/// The key by which a retried publish is known.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let key = single(headers, protocol::IDEMPOTENCY_KEY, "bad_key")?;
    // What is no text is no key either, and is told as what a key may hold.
    let key = key.map(request::idempotency_key);
    let key = key.map(|key| IdempotencyKey::new(&String::from_utf8_lossy(&key)));
    Ok(key.transpose()?)
}

/// A header that may stand once.
fn single<'a>(
    headers: &'a HeaderMap,
    name: &str,
    code: &'static str,
) -> Result<Option<&'a HeaderValue>, Problem> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(Problem::bad_request(
            code,
            format!("the header {name} stands more than once: send it once"),
        )),
    }
}
