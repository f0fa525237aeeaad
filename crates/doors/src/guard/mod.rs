//! Who may talk to the server at all.
//!
//! | open | for |
//! |---|---|
//! | `host` | `Host` must be loopback or configured: 421 |
//! | `origin` | requests that change something must not come from a page of another origin: 403 |
//! | [`cors`](Cors) | pages of other origins that may, and that may read |
//! | [`access`](Declared) | what each path and method needs |
//! | [`tokens`](Tokens) | who may publish, and who may read: 401, 403 |
//! | `credentials` | where a request shows its token, and that the token goes no further |
//! | [`identity`](Access) | the users of an app, and which topics they may touch: 401, 403 |
//! | `opened` | the headers of an answer that a token opened |
//! | `proxies` | trusted proxies, and the client behind them |
//! | [`principal`](Principal) | what the doors learn of who asks |
//!
//! Without [`Cors`], reading across origins is stopped by the browser alone, as no CORS header is sent. The
//! guard then leaves preflights to the router, so that an app may have a CORS layer of its own.

mod access;
mod cors;
mod credentials;
mod host;
mod identity;
mod opened;
mod origin;
mod principal;
mod proxies;
mod tokens;

use std::{fmt, sync::Arc};

use axum::{
    Router,
    extract::Request,
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts, uri::Authority};
use parking_lot::RwLock;

use crate::{Problem, request::wants_websocket};
pub use access::{Declared, Need, RELAY, RouteAuth};
use access::{Needed, Needs};
use cors::RequestOrigin;
pub use cors::{Cors, Exposed};
use credentials::{Cookies, Shown};
use host::Hosts;
pub use host::is_loopback;
use identity::DynAccess;
pub use identity::{Access, Action, Grants, Identity};
pub use origin::{InvalidOrigin, Origin};
pub use principal::{Peer, Principal, Rights, network};
use proxies::Proxies;
pub use proxies::{InvalidNetwork, Network};
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
    tokens: Arc<RwLock<Tokens>>,
    cookies: Cookies,
    needs: Needs,
    proxies: Proxies,
    refusals: Refusals,
    access: Option<Users>,
}

/// A request that the tokens let through.
struct Admitted {
    rights: Rights,
    /// What an app finds its user by, where it is asked: with credentials, which the doors do not see.
    head: Option<Parts>,
}

/// The app that knows its users.
#[derive(Clone)]
struct Users(Arc<dyn DynAccess>);

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Users")
    }
}

/// How the clients of routes to upstreams read a refusal.
#[derive(Debug, Clone, Copy)]
struct Refusals(fn(&Problem, &Request) -> Response);

impl Default for Refusals {
    fn default() -> Self {
        Self(|problem, _| problem.clone().into_response())
    }
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

    /// Wants tokens on the doors' own paths (`/events`, `/subscribe`, `/presence`, `/stats`, `/metrics`, declared
    /// [routes](Guard::routes)). Other routes of an app are its own to guard. Behind the guard a request has no token
    /// any more: its [`Principal`] tells what it may. In an app that nests the doors, nest the protected router:
    /// paths are compared from their start.
    #[must_use]
    pub fn tokens(mut self, tokens: Tokens) -> Self {
        self.tokens = Arc::new(RwLock::new(tokens));
        self
    }

    /// Lets an app say who asks, and which topics a user may touch. Tokens go on working beside it. Without a token,
    /// `/stats` and `/metrics` are closed then, and a route of the relay needs a user.
    #[must_use]
    pub fn access(mut self, access: impl Access) -> Self {
        self.access = Some(Users(Arc::new(access)));
        self
    }

    /// Wants these tokens from now on, in all clones. Streams that are open stay open.
    pub fn replace_tokens(&self, tokens: Tokens) {
        *self.tokens.write() = tokens;
    }

    /// Also answers for every address: for a server that listens beyond loopback.
    #[must_use]
    pub fn any_address(mut self) -> Self {
        self.hosts.any_address = true;
        self
    }

    /// The cookies that carry a token, the first one first, in place of `__Host-tidewire`, `__Secure-tidewire` and
    /// `tidewire_token`.
    #[must_use]
    pub fn cookies(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.cookies = Cookies::new(names);
        self
    }

    /// Routes beside those of the doors. What is below their first segments and not declared needs a publish token.
    #[must_use]
    pub fn declare(mut self, routes: impl IntoIterator<Item = Declared>) -> Self {
        self.needs.declare(routes);
        self
    }

    /// Routes of the relay, with all that is below them: the path, who checks its callers, and whether a request is
    /// answered in the name of the server (its key) or of a user whom the browser names (a cookie).
    #[must_use]
    pub fn routes(mut self, routes: impl IntoIterator<Item = (String, RouteAuth, bool)>) -> Self {
        self.needs.routes(routes);
        self
    }

    /// Refuses requests on [routes](Guard::routes) in this way: as the clients of the upstream read errors.
    #[must_use]
    pub fn refuse_on_routes(mut self, refuse: fn(&Problem, &Request) -> Response) -> Self {
        self.refusals = Refusals(refuse);
        self
    }

    /// Believes these peers whose request they pass on (`X-Forwarded-For`, `Forwarded`). From others, and from a
    /// connection without a [`Peer`], these headers are removed before anybody behind the guard sees them.
    #[must_use]
    pub fn trusted_proxies(mut self, networks: impl IntoIterator<Item = Network>) -> Self {
        self.proxies = Proxies::new(networks);
        self
    }

    fn has_tokens(&self) -> bool {
        self.wants_publish_token() || self.wants_read_token()
    }

    /// Whether publishing needs a token.
    #[must_use]
    pub fn wants_publish_token(&self) -> bool {
        self.tokens.read().guards(Need::Publish)
    }

    /// Whether reading needs a token.
    #[must_use]
    pub fn wants_read_token(&self) -> bool {
        self.tokens.read().guards(Need::Read)
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

    /// A refusal of a connection, before anybody looks at what is asked: so that pages that may can read it. Their
    /// preflight is answered as ever, for of a refused one they see nothing.
    pub fn refuse(&self, asked: &HeaderMap, method: &Method, path: &str, mut refusal: Response) -> Response {
        if let Some(cors) = &self.cors {
            if cors::is_preflight(method, asked) {
                return cors.preflight(asked, self.needs.of(method, path).is_relayed);
            }
            cors.open(&RequestOrigin::of(asked), &mut refusal);
        }
        refusal
    }

    async fn answer(&self, mut request: Request, next: Next) -> Response {
        let needed = self.needs.of(request.method(), request.uri().path());
        let host = match needed.need {
            Need::Probe => Ok(None),
            _ => self.hosts.check(&request),
        };
        let is_preflight = cors::is_preflight(request.method(), request.headers());
        if let (Ok(_), Some(cors), true) = (&host, &self.cors, is_preflight) {
            return cors.preflight(request.headers(), needed.is_relayed);
        }
        let origin = RequestOrigin::of(request.headers());
        let has_own_header = request.headers().contains_key(credentials::HEADER);
        let admitted = match host {
            Ok(host) => match self.admit(&mut request, needed, host.as_ref()) {
                Ok(admitted) => self
                    .identify(&mut request, needed.need, &admitted)
                    .await
                    .map(|()| (host, admitted.rights)),
                Err(problem) => Err(problem),
            },
            Err(problem) => Err(problem),
        };
        let mut response = match admitted {
            Ok((host, rights)) => {
                let mut response = next.run(request).await;
                let has_opened = rights > Rights::None && self.tokens.read().guards(needed.need);
                if has_opened || self.asks_app(needed.need) {
                    opened::keep_private(response.headers_mut());
                }
                if rights > Rights::None && has_own_header {
                    opened::stay(host.as_ref(), response.headers_mut());
                }
                response
            }
            Err(problem) if needed.is_relayed => (self.refusals.0)(&problem, &request),
            Err(problem) => problem.into_response(),
        };
        if let Some(cors) = &self.cors {
            cors.open(&origin, &mut response);
        }
        response
    }

    /// Lets the request through without its credentials, and leaves its [`Principal`] in its extensions.
    fn admit(
        &self,
        request: &mut Request,
        needed: Needed,
        host: Option<&Authority>,
    ) -> Result<Admitted, Problem> {
        let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
        let (address, is_proxied) = self.proxies.client(peer, request.headers_mut());
        // An app's own middleware in front of the guard may have found the user.
        let identity = request
            .extensions()
            .get()
            .and_then(|found: &Principal| found.identity.clone());
        let mut principal = Principal::new(Rights::None, None, address, is_proxied);
        principal.identity = identity;
        request.extensions_mut().insert(principal.clone());
        let head = self.asks_app(needed.need).then(|| head(request));
        let tokens = self.tokens.read();
        let shown = credentials::take(&tokens, &self.cookies, needed.need == Need::Open, request);
        self.check_origin(request, needed, shown, host)?;
        let (rights, token) = shown.known();
        if self.access.is_some() && tokens::needs_publisher(needed.need) && rights < Rights::Everything {
            // Where users decide, a kind of token that is not configured opens nothing.
            if rights == Rights::Read {
                return Err(tokens::only_for_reading());
            }
            if needed.need == Need::Operate && !tokens.guards(Need::Operate) {
                return Err(tokens::missing(Need::Operate, request.method(), &self.cookies));
            }
        }
        if token.is_some() || !self.asks_app(needed.need) {
            tokens.admit(needed.need, shown, request.method(), &self.cookies)?;
        }
        drop(tokens);
        if is_proxied && !self.has_tokens() {
            proxies::warn_of_strangers(address);
        }
        (principal.rights, principal.token) = (rights, token);
        request.extensions_mut().insert(principal);
        Ok(Admitted { rights, head })
    }

    /// Whether an app decides over such requests: those that touch topics, or ask an upstream.
    fn asks_app(&self, need: Need) -> bool {
        use Need::{Ask, Presence, Publish, Purge, Read};
        self.access.is_some() && matches!(need, Read | Publish | Purge | Presence | Ask)
    }

    /// Has the app find the user of a request that shows no token of the server.
    async fn identify(&self, request: &mut Request, need: Need, admitted: &Admitted) -> Result<(), Problem> {
        let (Some(Users(users)), Rights::None) = (&self.access, admitted.rights) else {
            return Ok(());
        };
        let found = Principal::of(request.extensions()).identity;
        let identity = match (found, &admitted.head) {
            (Some(found), _) => found,
            (None, Some(head)) => users.identify(head).await?,
            // A route that nobody declared, or that a router nests elsewhere: a door there opens nothing.
            (None, None) => Identity::nobody(),
        };
        if need == Need::Ask && identity.subject.is_none() {
            return Err(tokens::missing(need, request.method(), &self.cookies));
        }
        if let Some(principal) = request.extensions_mut().get_mut::<Principal>() {
            principal.identity = Some(identity);
        }
        Ok(())
    }

    /// Refuses what pages of other origins may not do.
    fn check_origin(
        &self,
        request: &Request,
        needed: Needed,
        shown: Shown,
        host: Option<&Authority>,
    ) -> Result<(), Problem> {
        // A page of any origin can open a WebSocket and read it: no preflight is asked, and CORS does not apply.
        let opens = needed.is_relayed && wants_websocket(request.headers());
        let changes = opens || !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        let refused = |why| Problem::new(StatusCode::FORBIDDEN, "foreign_origin", why);
        let lists = |origin: &HeaderValue| self.cors.as_ref().is_some_and(|cors| cors.lists(origin));
        let is_foreign = |origin: &&HeaderValue| !origin::is_same(origin.as_bytes(), host) && !lists(origin);
        if request
            .headers()
            .get_all(header::ORIGIN)
            .iter()
            .find(is_foreign)
            .is_none()
        {
            return Ok(());
        }
        if !self.cors.as_ref().is_some_and(Cors::is_any) {
            return match changes || needed.is_keyed {
                true => Err(refused(cors::FOREIGN)),
                false => Ok(()),
            };
        }
        let is_reading = matches!(needed.need, Need::Open | Need::Read | Need::Presence);
        match needed.is_keyed || (changes && !is_reading) {
            true if !shown.is_meant() => Err(refused(cors::FOREIGN_TO_ANY)),
            _ => Ok(()),
        }
    }
}

/// A copy of a request's head.
fn head(request: &Request) -> Parts {
    let (mut head, ()) = http::Request::new(()).into_parts();
    head.method.clone_from(request.method());
    head.uri.clone_from(request.uri());
    head.version = request.version();
    head.headers.clone_from(request.headers());
    head.extensions.clone_from(request.extensions());
    head
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
            let needed = guard.needs.of(request.method(), "/own");
            status(guard.admit(&mut request, needed, Some(&host)).map(drop))
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

    #[test]
    fn a_caller_is_who_its_token_and_a_trusted_proxy_say_also_where_nothing_is_needed() {
        let tokens = Tokens::default().read(["read".parse().unwrap()]);
        let proxies = ["127.0.0.0/8".parse().unwrap()];
        let guard = Guard::default().tokens(tokens).trusted_proxies(proxies);
        let said = HeaderName::from_static("x-forwarded-for");
        let caller = |peer: &str, token: &str| {
            let headers = [
                (credentials::HEADER, token),
                (said.clone(), "203.0.113.7"),
                (header::CONNECTION, "x-forwarded-for, tidewire-token"),
            ];
            let mut request = request("GET", "/own", &headers);
            request.extensions_mut().insert(Peer(peer.parse().unwrap()));
            let needed = guard.needs.of(request.method(), "/own");
            assert_eq!(status(guard.admit(&mut request, needed, None).map(drop)), 200);
            assert!(!request.headers().contains_key(credentials::HEADER));
            let caller = Principal::of(request.extensions());
            assert_eq!(request.headers().contains_key(&said), caller.is_proxied());
            let address = caller.address().unwrap().to_string();
            (
                caller.rights(),
                caller.token().is_some(),
                address,
                caller.is_proxied(),
            )
        };
        assert_eq!(
            caller("127.0.0.1:1", "read"),
            (Rights::Read, true, "203.0.113.7".into(), true)
        );
        assert_eq!(
            caller("192.0.2.9:1", "wrong"),
            (Rights::None, false, "192.0.2.9".into(), false)
        );
    }
}
