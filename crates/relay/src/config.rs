//! What a relay is told: its routes and its bounds.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, header};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tidewire_codec::protocol::HOP_BY_HOP;
use tidewire_doors::{
    BodyBounds,
    credentials::{COOKIES, HEADERS, PARAMETERS},
    sending::SendBuffers,
};
use url::Url;

use super::{dialect::Dialect, forward::METHODS};

pub use tidewire_doors::guard::RouteAuth;

/// The relay as a whole.
#[derive(Debug, Clone)]
pub struct Config {
    /// The routes, of which the first that matches counts.
    pub routes: Vec<Route>,
    /// A comment goes out whenever an answer has been silent for so long.
    pub heartbeat: Duration,
    /// When readers are told to come again.
    pub retry: Duration,
    /// How long bodies of requests may take, and how much of them is held at a time.
    pub bodies: BodyBounds,
    /// How many bytes of large events are on their way to readers at a time.
    pub send_buffers: SendBuffers,
    /// The most answers that run at a time; one more is 429. A quarter as many connections may wait for the next answer.
    pub max_running: usize,
    /// The most of these for callers without a token; one more is 429.
    pub max_running_without_token: Option<usize>,
    /// The most of these for callers without a token from one network; one more is 429.
    pub max_running_per_network: Option<usize>,
    /// The most answers that are kept; the oldest that has ended is let go first.
    pub max_kept: usize,
    /// The most bytes of answers that are no streams and are kept for their idempotency keys; the oldest are let go first.
    pub max_kept_bodies: usize,
}

impl Config {
    /// With these routes and the bounds that `tidewire config` prints.
    #[must_use]
    pub fn new(routes: Vec<Route>) -> Self {
        Self {
            routes,
            heartbeat: Duration::from_secs(15),
            retry: Duration::from_secs(2),
            bodies: BodyBounds::default(),
            send_buffers: SendBuffers::default(),
            max_running: 10_000,
            max_running_without_token: None,
            max_running_per_network: None,
            max_kept: 100_000,
            max_kept_bodies: 64 << 20,
        }
    }

    /// The most answers of this route that run at a time.
    pub(super) fn max_running_of(&self, route: usize) -> usize {
        let share = match self.routes.len() {
            1 => self.max_running,
            _ => self.max_running.div_ceil(2),
        };
        self.routes[route].limits.max_running.unwrap_or(share)
    }

    /// The most connections to a route's upstream that wait for the next answer: those of all routes together are a quarter of
    /// the answers that may run, so that they are no more files than the process has.
    pub(super) fn max_idle(&self) -> usize {
        (self.max_running / 4 / self.routes.len().max(1)).max(1)
    }
}

/// Requests that go to an upstream.
#[derive(Debug, Clone)]
pub struct Route {
    /// Where it begins, such as `/v1`; also its name in measures.
    pub path: String,
    /// What stands for that path, such as `https://api.openai.com/v1`.
    pub upstream: Url,
    /// Certificates (PEM) of authorities that the upstream's may be signed by, beside those that the system trusts.
    pub authorities: Option<String>,
    /// Which methods and paths below `path` there are; all, if there is no list.
    pub allow: Option<Vec<Allowed>>,
    /// A header with our key, in place of the client's.
    pub key: Option<(HeaderName, HeaderValue)>,
    /// Who checks that somebody may ask.
    pub auth: RouteAuth,
    /// Whose answers these are.
    pub owner: Owner,
    /// Whether the client's cookies go on: for an upstream that is an app of the same site and asks whose request it is.
    pub pass_cookies: bool,
    /// The cookies that carry a token of the server, which never go on, and which the upstream cannot set.
    pub token_cookies: Vec<String>,
    /// Headers that carry a credential, beside [`HEADERS`].
    pub credential_headers: Vec<HeaderName>,
    /// Query parameters that carry a credential, in lower case, beside [`PARAMETERS`].
    pub credential_parameters: Vec<String>,
    /// Whether the upstream learns the client's address (`X-Forwarded-For`, `-Proto`, `-Host`).
    pub forwarded: bool,
    /// What the upstream's documents may do in a browser.
    pub content: Content,
    /// Whether clients may open WebSockets of the upstream.
    pub websocket: bool,
    /// Headers of requests that do not go on, beside those that never do.
    pub remove_headers: Vec<HeaderName>,
    /// Headers that go with every request.
    pub set_headers: Vec<(HeaderName, HeaderValue)>,
    /// Where a request's body says which chat it belongs to: a JSON pointer, such as `/id`.
    pub chat_key: Option<String>,
    /// The dialect of all its answers, in place of the one that each shows.
    pub dialect: Option<Dialect>,
    /// Who resumes its streams.
    pub resume: Resume,
    /// What becomes of an answer that nobody reads any more.
    pub on_disconnect: OnDisconnect,
    /// How long an answer that has ended can be read again.
    pub keep: Duration,
    /// How long things may take.
    pub times: Times,
    /// How large things may be.
    pub limits: Limits,
}

/// A request that a route has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// Its method.
    pub method: Method,
    /// Its path below the route's, such as `/chat/completions`; empty for the route's own.
    pub path: String,
}

/// Whose a route's answers are. An owner admits nobody: [`RouteAuth`] does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Owner {
    /// Who knows an answer's name may read it. Idempotency keys belong to the token and the credentials
    /// of the request.
    #[default]
    Capability,
    /// The user that a trusted proxy names in this header. Requests from elsewhere have no owner and are
    /// 401. Without a guard, these are all requests, until the app puts a
    /// [`Principal`](tidewire_doors::guard::Principal) into their extensions.
    Header(HeaderName),
    /// The holder of this cookie's value.
    Cookie(String),
}

/// What an upstream's documents may do in a browser, where they belong to the server's own origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Content {
    /// Nothing: they are shown in a sandbox.
    #[default]
    Foreign,
    /// Everything: the upstream is an app of the same site.
    App,
}

/// Who resumes a route's streams, after `Last-Event-ID`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Resume {
    /// The upstream where the dialect is known for it, else the relay.
    #[default]
    Auto,
    /// The relay: answers are kept, and their events have ids of ours.
    Relay,
    /// The upstream: its streams pass byte for byte, and cursors go on to it.
    Upstream,
    /// Nobody: streams pass byte for byte.
    Off,
}

/// What becomes of an answer when its last reader has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDisconnect {
    /// The upstream is stopped if nobody has come back for so long.
    Grace(Duration),
    /// It is read to its end and kept.
    Finish,
    /// The upstream is stopped at once.
    Cancel,
}

impl Default for OnDisconnect {
    fn default() -> Self {
        Self::Grace(Duration::from_secs(30))
    }
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Until the upstream is connected.
    pub connect: Duration,
    /// Until the upstream's headers are there; then a stream that was asked for begins without them, if the dialect leaves
    /// nothing else.
    pub commit_after: Duration,
    /// Until the first event.
    pub first_event: Duration,
    /// Between events.
    pub idle: Duration,
    /// In all.
    pub total: Duration,
    /// Until an SDK's own retry, where its connection broke before the upstream's headers were there. SDKs send the first
    /// after 0.5 s, the second after 1 s.
    pub until_retry: Duration,
}

impl Default for Times {
    fn default() -> Self {
        let minutes = |count: u64| Duration::from_secs(60 * count);
        Self {
            connect: Duration::from_secs(10),
            // Below the minute after which most proxies give up. Not earlier, because clients repeat a late 429 only as a
            // status.
            commit_after: Duration::from_secs(50),
            first_event: minutes(10),
            idle: minutes(5),
            total: minutes(60),
            until_retry: Duration::from_secs(3),
        }
    }
}

/// How large things may be, in bytes, and how many there may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A request's body.
    pub max_body: usize,
    /// An event of the upstream.
    pub max_event: usize,
    /// All bytes of an answer, unpacked, comments included; of its events, each counts 64 beside its text.
    pub max_answer: usize,
    /// Answers of the route that run at a time. Unset: half of those of the relay where it has several routes.
    pub max_running: Option<usize>,
    /// Answers of one owner that run at a time.
    pub max_running_per_owner: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body: 32 << 20,
            max_event: 4 << 20,
            max_answer: 64 << 20,
            max_running: None,
            max_running_per_owner: 100,
        }
    }
}

impl Route {
    /// A route with the defaults: everything below `path` goes to `upstream`, with the client's own key.
    #[must_use]
    pub fn new(path: impl Into<String>, upstream: Url) -> Self {
        Self {
            path: path.into(),
            upstream,
            authorities: None,
            allow: None,
            key: None,
            auth: RouteAuth::default(),
            owner: Owner::default(),
            pass_cookies: false,
            token_cookies: COOKIES.iter().map(|name| (*name).to_owned()).collect(),
            credential_headers: Vec::new(),
            credential_parameters: Vec::new(),
            forwarded: false,
            content: Content::default(),
            websocket: false,
            remove_headers: Vec::new(),
            set_headers: Vec::new(),
            chat_key: None,
            dialect: None,
            resume: Resume::default(),
            on_disconnect: OnDisconnect::default(),
            keep: Duration::from_secs(60 * 60),
            times: Times::default(),
            limits: Limits::default(),
        }
    }

    /// Who resumes an answer, if it is a stream, of the dialect that its request shows.
    pub(super) fn resumes(&self, dialect: Option<Dialect>) -> Resume {
        match self.resume {
            Resume::Auto if dialect.is_some_and(Dialect::resumes_itself) => Resume::Upstream,
            Resume::Auto => Resume::Relay,
            other => other,
        }
    }

    /// Whether a header carries a credential.
    pub(super) fn is_credential_header(&self, name: &HeaderName) -> bool {
        HEADERS.contains(&name.as_str())
            || self.credential_headers.contains(name)
            || self.key.as_ref().is_some_and(|(key, _)| key == name)
    }

    /// Whether a query parameter carries a credential. The name is decoded; its case does not count.
    pub(super) fn is_credential_parameter(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        PARAMETERS.contains(&&*name) || self.credential_parameters.contains(&name)
    }

    /// What is wrong with it, before it is used.
    ///
    /// # Errors
    /// [`InvalidRoute`].
    pub fn check(&self) -> Result<(), InvalidRoute> {
        let path = &self.path;
        let wrong = |what: &str| InvalidRoute(format!("the relay route {path}: {what}"));
        const TAKEN: [&str; 11] = [
            "events",
            "subscribe",
            "presence",
            "relay",
            "stats",
            "metrics",
            "healthz",
            "readyz",
            "assets",
            "demo",
            "chat",
        ];
        let first = path
            .strip_prefix('/')
            .map(|rest| rest.split('/').next().unwrap_or_default());
        match first {
            None => return Err(wrong("its path must begin with /, as /v1 does")),
            Some("") => return Err(wrong("its path must have a name, as /v1 has")),
            Some(name) if TAKEN.contains(&name) => {
                return Err(wrong(&format!(
                    "/{name} is the server's own: choose another path"
                )));
            }
            Some(_) => {}
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
        if path.ends_with('/') || !path.chars().all(is_plain) || path.contains("..") || path.contains("//") {
            return Err(wrong(
                "its path may hold letters, digits, - _ . ~ and single slashes, and no slash at its end",
            ));
        }
        if !matches!(self.upstream.scheme(), "http" | "https") || self.upstream.host().is_none() {
            return Err(wrong(
                "its upstream must be an http or https address, as https://api.openai.com/v1 is",
            ));
        }
        if !self.upstream.username().is_empty() || self.upstream.password().is_some() {
            return Err(wrong(
                "its upstream must have no name and no password: the key of the server has a setting of its own (key_env)",
            ));
        }
        if self.upstream.query().is_some() || self.upstream.fragment().is_some() {
            return Err(wrong("its upstream must have no ? and no #"));
        }
        if let Some(pem) = &self.authorities {
            check_authorities(pem).map_err(|why| wrong(&why))?;
        }
        let mut set = self.set_headers.iter().map(|(name, _)| name);
        if let Some(name) = set.find(|name| self.is_credential_header(name)) {
            return Err(wrong(&format!(
                "set_headers has {name}, with which whoever asks spends your money: give it as the server's key (key_env, key_header)"
            )));
        }
        let mut written = self.set_headers.iter().chain(&self.key).map(|(name, _)| name);
        let frames =
            |name: &&HeaderName| HOP_BY_HOP.contains(&name.as_str()) || **name == header::CONTENT_LENGTH;
        if let Some(name) = written.find(frames) {
            return Err(wrong(&format!(
                "{name} is written for each connection and body by the server itself: leave it out of set_headers and key_header"
            )));
        }
        let mut allowed = self.allow.iter().flatten().map(|allowed| &allowed.method);
        if let Some(method) = allowed.find(|method| !METHODS.contains(method)) {
            return Err(wrong(&format!(
                "allow has the method {method}, which is not forwarded: the methods are {}",
                METHODS.map(|method| method.to_string()).join(", ")
            )));
        }
        if let Owner::Cookie(name) = &self.owner
            && self.token_cookies.contains(name)
        {
            return Err(wrong(&format!(
                "the cookie {name} carries a token of the server and is no owner: name the cookie of your app's session"
            )));
        }
        if self.key.is_some() && self.allow.is_none() {
            return Err(wrong(
                "with a key of the server, name what may be asked for: allow = [\"POST /chat/completions\"]",
            ));
        }
        if self.key.is_some() && self.auth == RouteAuth::Upstream {
            return Err(wrong(
                "with a key of the server (key_env) the upstream cannot check its callers, so everybody could spend it: leave auth = \"upstream\" out",
            ));
        }
        if self.chat_key.is_some() && self.owner == Owner::Capability {
            return Err(wrong(
                "chat keys need an owner (owner = \"header:NAME\" or \"cookie:NAME\"), or one user could guess another's",
            ));
        }
        if self.chat_key.is_some() && self.resumes(self.dialect) != Resume::Relay {
            return Err(wrong(
                "chat_key finds answers that the relay keeps, and with this resume or dialect it keeps none: leave chat_key out, or write resume = \"relay\"",
            ));
        }
        if self
            .chat_key
            .as_ref()
            .is_some_and(|pointer| !pointer.starts_with('/'))
        {
            return Err(wrong(
                "chat_key is a JSON pointer, which begins with /, as /id does",
            ));
        }
        Ok(())
    }
}

fn check_authorities(pem: &str) -> Result<(), String> {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let added = certificate
            .map_err(|error| error.to_string())
            .and_then(|certificate| store.add(certificate).map_err(|error| error.to_string()));
        added.map_err(|error| {
            format!("ca_file holds what is no certificate ({error}): give certificates in PEM form")
        })?;
    }
    match store.is_empty() {
        true => Err("ca_file holds no certificate: give certificates in PEM form (BEGIN CERTIFICATE)".into()),
        false => Ok(()),
    }
}

/// A route that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidRoute(String);

impl InvalidRoute {
    pub(super) fn twice(path: &str) -> Self {
        Self(format!(
            "the relay route {path} is there twice: give each a path of its own"
        ))
    }
}
