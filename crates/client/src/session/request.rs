//! The request of an attempt.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use url::Url;

use crate::{
    builder::{Config, Prime, Repeat, without_user},
    error::Error,
    redirect::Hop,
};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const TIDEWIRE_RESUME: HeaderName = HeaderName::from_static("tidewire-resume");
const TIDEWIRE_STREAM: HeaderName = HeaderName::from_static("tidewire-stream");

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
    /// Where the answer to a request with a body can be read from its first event.
    answer: Option<Url>,
}

impl Target {
    /// A stream opened.
    pub(super) fn opened(&mut self, headers: &HeaderMap, url: &Url) {
        self.has_opened = true;
        self.primes = headers.contains_key(TIDEWIRE_RESUME);
        self.is_resumable |= self.primes || headers.contains_key(TIDEWIRE_STREAM);
        let path = headers.get(TIDEWIRE_STREAM).and_then(|path| path.to_str().ok());
        let answer = path.and_then(|path| url.join(path).ok());
        if let Some(answer) = answer.filter(|answer| answer.origin() == url.origin()) {
            self.answer = Some(answer);
        }
    }

    /// The first request of the next attempt.
    pub(super) fn hop(&self, config: &Config, last_event_id: &str) -> Hop {
        // The same request again would be a new one: nothing in it says which answer it is about.
        if let Some(answer) = &self.answer
            && !is_safe(&config.method)
            && last_event_id.is_empty()
        {
            let same_origin = answer.origin() == config.url.origin();
            return Hop {
                same_origin,
                ..Hop::first(answer.clone(), Method::GET, None)
            };
        }
        let mut url = config.url.clone();
        let primes = match config.prime {
            Prime::Auto => self.primes,
            Prime::Always => true,
            Prime::Never => false,
        };
        if primes && last_event_id.is_empty() && config.method == Method::GET {
            url.query_pairs_mut().append_pair("prime", "1");
        }
        Hop::first(url, config.method.clone(), config.body.clone())
    }

    /// Whether another attempt may follow.
    pub(super) fn may_repeat(&self, config: &Config) -> bool {
        match config.repeat {
            _ if !self.has_opened => true,
            Repeat::Always => true,
            Repeat::IfResumable => self.is_resumable || is_safe(&config.method),
            Repeat::Never => false,
        }
    }

    /// Whether a stream that ended, and was not cut, was all there is. A server that resumes ends a response
    /// only when there is nothing more; and nobody repeats a prompt because its answer is complete.
    pub(super) fn ends_when_ended(&self, config: &Config) -> bool {
        match config.repeat {
            _ if is_safe(&config.method) => config.repeat == Repeat::Never,
            Repeat::Always => self.is_resumable,
            Repeat::IfResumable | Repeat::Never => true,
        }
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
    headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
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
