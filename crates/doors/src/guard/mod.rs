//! Who may talk to the server at all.
//!
//! | open | for |
//! |---|---|
//! | `host` | `Host` must be loopback or configured: 421 |
//! | `origin` | requests that change something must not come from a page of another origin: 403 |
//! | [`cors`](Cors) | pages of other origins that may, and that may read |
//! | `access` | what each path and method needs |
//! | [`tokens`](Tokens) | who may publish, and who may read: 401, 403 |
//! | [`caller`](Caller) | what the doors learn of who asks |
//!
//! Without [`Cors`], reading across origins is stopped by the browser alone, as no CORS header is sent. The
//! guard then leaves preflights to the router, so that an app may have a CORS layer of its own.

mod access;
mod caller;
mod cors;
mod host;
mod origin;
mod tokens;

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, uri::Authority};

use crate::Problem;
use access::Access;
pub use caller::{Caller, Peer, Rights, network};
pub use cors::Cors;
use cors::RequestOrigin;
use host::Hosts;
pub use origin::{InvalidOrigin, Origin};
pub use tokens::{InvalidToken, Token, Tokens};

/// The hosts that the server answers for, the pages that may talk to it, and the tokens it wants.
///
/// ```
/// use tidewire_doors::guard::{Cors, Guard, Tokens};
///
/// let guard = Guard::new(["events.example.com".into()])
///     .cors(Cors::new(["https://app.example.com".parse()?]))
///     .tokens(Tokens::default().publish(["0f6ad0b7a8c5d2e1".parse()?]));
/// let router: axum::Router = guard.protect(axum::Router::new());
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Guard {
    hosts: Hosts,
    cors: Option<Cors>,
    tokens: Tokens,
    /// Paths, with what is below them, where asking costs money.
    paid: Vec<String>,
}

impl Guard {
    /// Answers for these host names and addresses (without port, in any case), and for loopback.
    #[must_use]
    pub fn new(hosts: impl IntoIterator<Item = String>) -> Self {
        Self {
            hosts: Hosts::new(hosts),
            ..Self::default()
        }
    }

    /// Answers for loopback, and no setting adds to it.
    #[must_use]
    pub fn loopback() -> Self {
        Self {
            hosts: Hosts::loopback(),
            ..Self::default()
        }
    }

    /// Lets pages of other origins in.
    #[must_use]
    pub fn cors(mut self, cors: Cors) -> Self {
        self.cors = Some(cors);
        self
    }

    /// Wants tokens on the doors' own paths (`/events`, `/subscribe`, `/presence`, `/stats`, `/metrics`). Other
    /// routes of an app are its own to guard. In an app that nests the doors, nest the protected router:
    /// paths are compared from their start.
    #[must_use]
    pub fn tokens(mut self, tokens: Tokens) -> Self {
        self.tokens = tokens;
        self
    }

    /// Wants a token, a reader's or a publisher's, on these paths and what is below them: asking there costs money.
    #[must_use]
    pub fn paid(mut self, paths: impl IntoIterator<Item = String>) -> Self {
        self.paid.extend(paths);
        self
    }

    /// Whether publishing needs a token.
    #[must_use]
    pub fn wants_publish_token(&self) -> bool {
        self.tokens.guards(Access::Publish)
    }

    /// Whether reading needs a token.
    #[must_use]
    pub fn wants_read_token(&self) -> bool {
        self.tokens.guards(Access::Read)
    }

    /// Puts the guard in front of everything in `router`, also what it does not find.
    pub fn protect<S: Clone + Send + Sync + 'static>(self, router: Router<S>) -> Router<S> {
        let guard = Arc::new(self);
        router.layer(middleware::from_fn(move |request: Request, next: Next| {
            let guard = Arc::clone(&guard);
            async move { guard.answer(request, next).await }
        }))
    }

    /// Puts only the check of the host in front of everything in `router`: for who passes requests on to a server that has
    /// a guard of its own.
    pub fn protect_hosts<S: Clone + Send + Sync + 'static>(self, router: Router<S>) -> Router<S> {
        let guard = Arc::new(self);
        router.layer(middleware::from_fn(move |request: Request, next: Next| {
            let guard = Arc::clone(&guard);
            async move {
                match guard.hosts.check(&request) {
                    Ok(_) => next.run(request).await,
                    Err(problem) => problem.into_response(),
                }
            }
        }))
    }

    async fn answer(&self, mut request: Request, next: Next) -> Response {
        // A foreign host is answered before all else, and without CORS headers: it is not us who is meant.
        let host = match self.hosts.check(&request) {
            Ok(host) => host,
            Err(problem) => return problem.into_response(),
        };
        let Some(cors) = &self.cors else {
            return match self.admit(&mut request, host.as_ref()) {
                Ok(()) => next.run(request).await,
                Err(problem) => problem.into_response(),
            };
        };
        if cors::is_preflight(request.method(), request.headers()) {
            return cors.preflight(request.headers());
        }
        let origin = RequestOrigin::of(request.headers());
        let mut response = match self.admit(&mut request, host.as_ref()) {
            Ok(()) => next.run(request).await,
            Err(problem) => problem.into_response(),
        };
        cors.open(&origin, &mut response);
        response
    }

    /// Lets the request through, and leaves its [`Caller`] in its extensions.
    fn admit(&self, request: &mut Request, host: Option<&Authority>) -> Result<(), Problem> {
        let allowed = |origin: &HeaderValue| {
            origin::is_same(origin.as_bytes(), host)
                || self.cors.as_ref().is_some_and(|cors| cors.allows(origin))
        };
        let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        if changes && !request.headers().get_all(header::ORIGIN).iter().all(allowed) {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "foreign_origin",
                cors::FOREIGN,
            ));
        }
        let path = request.uri().path();
        let is_below = |paid: &String| {
            path.strip_prefix(paid.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let access = match self.paid.iter().any(is_below) {
            true => Access::Presence,
            false => access::needed(request.method(), path),
        };
        let (rights, token) = self.tokens.admit(access, request)?;
        let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
        request.extensions_mut().insert(Caller {
            rights,
            token,
            address: peer,
            is_proxied: false,
        });
        Ok(())
    }
}

/// The value of a header that may stand once.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a HeaderValue>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn request(method: &str, target: &str, headers: &[(HeaderName, &str)]) -> Request {
        let mut request = Request::new(axum::body::Body::empty());
        *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
        *request.uri_mut() = target.parse().unwrap();
        for (name, value) in headers {
            request.headers_mut().append(name, value.parse().unwrap());
        }
        request
    }

    pub(super) fn status(result: Result<(), Problem>) -> u16 {
        result.map_or_else(|problem| problem.into_response().status().as_u16(), |()| 200)
    }

    #[test]
    fn a_foreign_origin_may_not_change_anything() {
        let guard = Guard::default().cors(Cors::new(["https://app.example".parse().unwrap()]));
        let host = Authority::from_static("localhost:8420");
        let answer = |method, origin| {
            let mut request = request(method, "/own", &[(header::ORIGIN, origin)]);
            status(guard.admit(&mut request, Some(&host)))
        };
        for method in ["POST", "QUERY", "DELETE", "PUT"] {
            assert_eq!(answer(method, "http://localhost:8420"), 200);
            assert_eq!(answer(method, "https://app.example"), 200);
            for foreign in ["http://app.example", "https://app.example.evil", "null", ""] {
                assert_eq!(answer(method, foreign), 403, "{method} {foreign}");
            }
        }
        for method in ["GET", "HEAD"] {
            assert_eq!(answer(method, "null"), 200, "the browser guards reading");
        }
    }
}
