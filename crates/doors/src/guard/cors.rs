//! CORS (Fetch standard, section 3.3): which pages of other origins may read answers, and send what needs
//! asking first.
//!
//! Invariants: credentials are allowed to listed origins only, never to `*`, which is for reading; every answer to an allowed
//! page carries the headers, errors too, so that its script can read why; what depends on the origin
//! says so (`Vary`).
//!
//! tower-http's layer is not used: it answers every OPTIONS itself, also where it is no preflight, and says
//! 200 to foreign pages where we want a reason.

use axum::{body::Body, response::IntoResponse as _};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
        ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
    },
};

use super::{origin::Origin, single};
use crate::Problem;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, QUERY, POST, DELETE");

/// Those of the relay's routes.
const RELAYED_METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");

/// What our requests carry. `Accept` and `Cache-Control` are sent by `EventSource` polyfills.
const HEADERS: &str =
    "Accept, Authorization, Cache-Control, Content-Type, Idempotency-Key, Last-Event-ID, Tidewire-Token";

/// What our answers say beyond what every script can read.
const EXPOSED: &str = "Idempotency-Replayed, Retry-After, Tidewire-Count, Tidewire-Ending, Tidewire-Heartbeat, \
     Tidewire-Last-Event-ID, Tidewire-Resume, Tidewire-Stream";

/// Further headers of a response that a script may read: what an upstream says. In the response's extensions.
#[derive(Debug, Clone)]
pub struct Exposed(pub Vec<HeaderName>);

/// How long a browser remembers an answer to a preflight, in seconds; Chromium keeps none for longer.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

const TRUE: HeaderValue = HeaderValue::from_static("true");

const REQUEST_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");

/// Which pages of other origins may talk to the server.
#[derive(Debug, Clone)]
pub struct Cors {
    origins: Origins,
    headers: HeaderValue,
}

#[derive(Debug, Clone)]
enum Origins {
    Any,
    These(Vec<Origin>),
}

impl Cors {
    /// Pages of these origins, with credentials (cookies). No origin at all: no page.
    #[must_use]
    pub fn new(origins: impl IntoIterator<Item = Origin>) -> Self {
        Self::with(Origins::These(origins.into_iter().collect()))
    }

    /// All pages, without credentials.
    #[must_use]
    pub fn any() -> Self {
        Self::with(Origins::Any)
    }

    fn with(origins: Origins) -> Self {
        let headers = list(HEADERS, []);
        Self { origins, headers }
    }

    /// Lets pages send these request headers too.
    #[must_use]
    pub fn headers<'a>(mut self, names: impl IntoIterator<Item = &'a HeaderName>) -> Self {
        self.headers = list(HEADERS, names);
        self
    }

    /// Whether pages of this origin were named.
    pub(super) fn lists(&self, origin: &HeaderValue) -> bool {
        match &self.origins {
            Origins::Any => false,
            Origins::These(origins) => origins.iter().any(|allowed| allowed.header() == origin),
        }
    }

    /// Whether all pages may talk to the server.
    pub(super) fn is_any(&self) -> bool {
        matches!(self.origins, Origins::Any)
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        self.is_any() || self.lists(origin)
    }

    /// Adds what lets a page's script read the answer, if it may.
    pub(super) fn open(&self, request: &RequestOrigin, response: &mut Response<Body>) {
        let exposed = response.extensions_mut().remove::<Exposed>();
        let headers = response.headers_mut();
        match (&self.origins, &request.0) {
            (Origins::These(origins), _) if origins.is_empty() => return,
            (Origins::Any, _) => {
                headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            }
            (Origins::These(_), Some(origin)) if self.allows(origin) => {
                headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
                headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
            }
            (Origins::These(_), _) => return vary(headers),
        }
        let more = exposed.iter().flat_map(|exposed| &exposed.0);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, list(EXPOSED, more));
        vary(headers);
    }

    /// Answers a preflight. Methods and headers that are not allowed are not refused here: the browser
    /// compares what it wants with what the answer lists, and tells its developer which one is missing.
    ///
    /// On a route of the relay (`is_relayed`) the upstream says which headers its clients send, so all that are asked
    /// for are allowed.
    pub(super) fn preflight(&self, asked: &HeaderMap, is_relayed: bool) -> Response<Body> {
        let origin = RequestOrigin::of(asked);
        if !origin.0.as_ref().is_some_and(|origin| self.allows(origin)) {
            return Problem::new(StatusCode::FORBIDDEN, "foreign_origin", FOREIGN).into_response();
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        self.open(&origin, &mut response);
        let headers = response.headers_mut();
        headers.remove(ACCESS_CONTROL_EXPOSE_HEADERS);
        let (methods, allowed) = match is_relayed {
            true => (
                RELAYED_METHODS,
                list(self.headers.to_str().unwrap_or(HEADERS), &named(asked)),
            ),
            false => (METHODS, self.headers.clone()),
        };
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
        headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        // A public page asks for a server in a private network. Who listed the page's origin meant it to;
        // `*` is too little to open a home or company network to the whole web.
        let listed = matches!(self.origins, Origins::These(_));
        if listed && asked.get(REQUEST_PRIVATE_NETWORK) == Some(&TRUE) {
            headers.insert(ALLOW_PRIVATE_NETWORK, TRUE);
        }
        response
    }
}

/// What a page that is not allowed is told.
pub(super) const FOREIGN: &str = "a page of another origin may not do this here: allow its origin (--cors-origin), or send the \
     request from this server's own pages or from a program";

/// What a page is told where all may read.
pub(super) const FOREIGN_TO_ANY: &str = "pages of any origin may read here, and this is more: send a token in a header (`Authorization: Bearer …` or \
     `Tidewire-Token: …`), or allow the page's origin (--cors-origin) in place of `*`";

/// The one `Origin` of a request. Of several, none can be answered.
pub(super) struct RequestOrigin(Option<HeaderValue>);

impl RequestOrigin {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self(single(headers, &ORIGIN).ok().flatten().cloned())
    }
}

/// Whether a request is a browser's question before the real request.
pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The headers that a preflight asks for.
fn named(asked: &HeaderMap) -> Vec<HeaderName> {
    let lines = asked.get_all(ACCESS_CONTROL_REQUEST_HEADERS).iter();
    let names = lines.flat_map(|line| line.to_str().unwrap_or_default().split(','));
    names.filter_map(|name| name.trim().parse().ok()).collect()
}

/// A list of headers, with these names too.
fn list<'a>(known: &str, more: impl IntoIterator<Item = &'a HeaderName>) -> HeaderValue {
    let all = more
        .into_iter()
        .fold(known.to_owned(), |all, name| format!("{all}, {}", name.as_str()));
    // Names of headers are always a header's value.
    HeaderValue::try_from(all).unwrap_or(HeaderValue::from_static(""))
}

/// Caches must not give one origin's answer to another. What the answer depends on already stays.
fn vary(headers: &mut HeaderMap) {
    let before = headers.get(VARY).and_then(|value| value.to_str().ok());
    let all = before.map(|before| HeaderValue::try_from(format!("{before}, Origin")));
    let all = all
        .and_then(Result::ok)
        .unwrap_or(HeaderValue::from_static("Origin"));
    headers.insert(VARY, all);
}
