//! The request of an attempt.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use tidewire_codec::protocol;
use url::Url;

use crate::{
    builder::{Config, Prime, Repeat, without_user},
    error::Error,
    redirect::Hop,
};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static(protocol::LAST_EVENT_ID);
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static(protocol::IDEMPOTENCY_KEY);
const TIDEWIRE_RESUME: HeaderName = HeaderName::from_static(protocol::TIDEWIRE_RESUME);
const TIDEWIRE_STREAM: HeaderName = HeaderName::from_static(protocol::TIDEWIRE_STREAM);

/// They say what the body is, and go where it goes (Fetch: request-body-header names, and its length).
const OF_BODY: [HeaderName; 5] = [
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LENGTH,
    header::CONTENT_LOCATION,
    header::CONTENT_TYPE,
];

/// What the streams so far have told of where to go on.
#[derive(Debug, Default)]
pub(super) struct Target {
    /// A stream has opened.
    has_opened: bool,
    /// The server can resume, so the same request is no new one.
    is_resumable: bool,
    /// The server primes cursors.
    primes: bool,
    /// The request has a key by which its server knows it again.
    is_keyed: bool,
    /// Where the answer can be read from its first event: it is read there from now on, and not asked for again.
    answer: Option<Url>,
    /// The answer has a name that cannot be read: without a cursor, the same request would begin another one.
    needs_cursor: bool,
}

impl Target {
    /// These headers of the caller's go with the next request.
    pub(super) fn prepared(&mut self, config: &Config, fresh: &HeaderMap) {
        self.is_keyed |= [&config.headers, fresh]
            .iter()
            .any(|headers| headers.contains_key(IDEMPOTENCY_KEY));
    }

    /// A stream opened.
    pub(super) fn opened(&mut self, config: &Config, headers: &HeaderMap, url: &Url) {
        self.has_opened = true;
        self.primes = headers.contains_key(TIDEWIRE_RESUME);
        self.is_resumable |= self.primes || headers.contains_key(TIDEWIRE_STREAM);
        let Some(name) = headers.get(TIDEWIRE_STREAM) else {
            return;
        };
        if config.method == Method::GET || self.answer.is_some() {
            return;
        }
        // The caller's headers go there: it is of the origin that was asked, and told by it.
        let answer = name.to_str().ok().and_then(|name| url.join(name).ok());
        let asked = config.url.origin();
        self.answer = answer.filter(|answer| answer.origin() == asked && url.origin() == asked);
        self.needs_cursor = self.answer.is_none();
    }

    /// The first request of the next attempt.
    pub(super) fn hop(&self, config: &Config, last_event_id: &str) -> Hop {
        let (mut url, method, body) = match &self.answer {
            Some(answer) => (answer.clone(), Method::GET, None),
            None => (config.url.clone(), config.method.clone(), config.body.clone()),
        };
        let primes = match config.prime {
            Prime::Auto => self.primes,
            Prime::Always => true,
            Prime::Never => false,
        };
        if primes && last_event_id.is_empty() && method == Method::GET {
            url.query_pairs_mut().append_pair("prime", "1");
        }
        Hop::first(url, method, body)
    }

    /// Whether the request may go out again: to send it twice does the same as to send it once.
    pub(super) fn may_repeat(&self, config: &Config, last_event_id: &str) -> bool {
        match config.repeat {
            Repeat::Always => true,
            Repeat::Never if self.has_opened => false,
            Repeat::IfResumable | Repeat::Never => {
                let goes_on = self.is_resumable && !(self.needs_cursor && last_event_id.is_empty());
                is_safe(&config.method) || self.is_keyed || goes_on
            }
        }
    }

    /// Whether a stream that ended in good order, and did not say that it ends, was all there is. A server that resumes can
    /// be asked whether anything is left, and says nothing where nothing is. Others answer a key with the whole answer.
    pub(super) fn ends_when_ended(&self, config: &Config, last_event_id: &str, is_silent: bool) -> bool {
        let goes_on = self.goes_on(last_event_id);
        let is_whole = !is_safe(&config.method) && !goes_on && config.repeat != Repeat::Always;
        is_whole || !self.may_repeat(config, last_event_id) || (self.is_resumable && is_silent)
    }

    /// Whether the server can be asked for the events after the cursor. Without a cursor it would begin the answer anew.
    pub(super) fn goes_on(&self, last_event_id: &str) -> bool {
        self.is_resumable && !last_event_id.is_empty()
    }
}

/// Methods that only read (RFC 9110 § 9.2.1, RFC 3253, and QUERY).
fn is_safe(method: &Method) -> bool {
    method.is_safe() || matches!(method.as_str(), "QUERY" | "REPORT" | "SEARCH" | "PROPFIND")
}

/// The request of a hop.
pub(super) fn build(
    config: &Config,
    hop: &Hop,
    fresh: &HeaderMap,
    last_event_id: &str,
) -> Result<Request<Bytes>, Error> {
    let mut request = Request::new(hop.body.clone().unwrap_or_default());
    *request.method_mut() = hop.method.clone();
    *request.uri_mut() = uri(&hop.url)?;
    let headers = request.headers_mut();
    headers.insert(header::ACCEPT, HeaderValue::from_static(protocol::EVENT_STREAM));
    // No answer from a cache (what a browser sends for a request that is not to be stored), and none into one.
    headers.append(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.append(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::ACCEPT_ENCODING,
        HeaderValue::from_static(tidewire_unpack::ACCEPTED),
    );
    if hop.body.is_some() {
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
    }
    for set in [&config.headers, fresh] {
        own(headers, set, hop);
    }
    if !last_event_id.is_empty() {
        let id = HeaderValue::from_bytes(last_event_id.as_bytes());
        let id = id.map_err(|_| Error::LastEventId {
            id: last_event_id.to_owned(),
        })?;
        headers.insert(LAST_EVENT_ID, id);
    }
    Ok(request)
}

/// Adds the caller's headers, as far as they may go there.
fn own(headers: &mut HeaderMap, set: &HeaderMap, hop: &Hop) {
    for name in set.keys() {
        let goes = match OF_BODY.contains(name) {
            // A redirect took the body away, or carries it to another origin: it stays what it is.
            true => hop.body.is_some(),
            false => hop.same_origin,
        };
        if goes {
            headers.remove(name);
            for value in set.get_all(name) {
                headers.append(name, value.clone());
            }
        }
    }
}

/// What goes onto the wire of a URL. A user that a redirect names goes nowhere.
fn uri(url: &Url) -> Result<Uri, Error> {
    let mut url = url.clone();
    url.set_fragment(None);
    without_user(&mut url);
    url.as_str().parse().map_err(|error| Error::Request {
        what: "its URL cannot be sent".into(),
        source: Some(Box::new(error)),
    })
}
