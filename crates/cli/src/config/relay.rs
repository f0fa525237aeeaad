//! Routes of the relay, as settings: `[[relay]]` in the file, `--relay URL` for one.

use std::{collections::BTreeMap, env, fs, path::PathBuf, str::FromStr};

use axum::http::{HeaderName, HeaderValue, Method};
use reqwest::Url;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tidewire_relay::{
    self as relay, Dialect,
    config::{Allowed, Content, Limits, OnDisconnect, Owner, Resume, RouteAuth, Times},
};

use super::{
    access::CookieName,
    load::ConfigError,
    value::{Bounded, Count, DAY, GIB, HOUR, KIB, MIB, Size, Span},
};

/// The most routes.
const MAX_ROUTES: usize = 100;

/// Where an upstream's address without a path is found.
pub(super) const USUAL_PATH: &str = "/v1";

/// One route. What is not set has the default that is printed by `tidewire config --effective`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Route {
    /// Where it begins, such as "/v1".
    path: String,
    /// What stands for that path, such as `https://api.openai.com/v1`.
    upstream: Address,
    /// A file with certificates (PEM) of authorities that the upstream's may be signed by, beside those that the system
    /// trusts.
    ca_file: Option<PathBuf>,
    /// The name of an environment variable with our key. Without it, the client's own key is passed through.
    key_env: Option<String>,
    /// The header for our key. In "authorization" it is preceded by "Bearer ".
    key_header: Option<Header>,
    /// What may be asked for, such as ["POST /chat/completions"]. Needed with a key of ours.
    allow: Option<Vec<Allow>>,
    /// "token" or "upstream": who checks that somebody may ask.
    #[serde(default)]
    auth: Auth,
    /// "capability", "header:NAME" or "cookie:NAME".
    #[serde(default)]
    owner: OwnerText,
    /// Whether the client's cookies go on, to an app of the same site.
    #[serde(default)]
    pass_cookies: bool,
    /// Whether the upstream learns the client's address. Unset: if it is an app of the same site.
    forwarded: Option<bool>,
    /// "foreign" or "app".
    #[serde(default)]
    content: ContentText,
    /// Whether clients may open WebSockets of the upstream.
    #[serde(default)]
    websocket: bool,
    /// Headers and query parameters with credentials, beside those that are known.
    #[serde(default)]
    credential_headers: Vec<Header>,
    #[serde(default)]
    credential_parameters: Vec<String>,
    #[serde(default)]
    remove_headers: Vec<Header>,
    #[serde(default)]
    set_headers: BTreeMap<Header, HeaderText>,
    /// A JSON pointer to a request's chat, such as "/id".
    chat_key: Option<String>,
    /// The dialect of all answers. Unset: that which each request or answer shows.
    dialect: Option<DialectText>,
    /// "auto", "relay", "upstream" or "off".
    #[serde(default)]
    resume: ResumeText,
    /// "grace(30s)", "finish" or "cancel".
    #[serde(default)]
    on_disconnect: Disconnect,
    keep: Option<Span<1, { 7 * DAY }>>,
    connect: Option<Span<1, HOUR>>,
    commit_after: Option<Span<0, HOUR>>,
    first_event: Option<Span<1, DAY>>,
    idle: Option<Span<1, DAY>>,
    total: Option<Span<1, DAY>>,
    max_body: Option<Size<KIB, GIB>>,
    max_event: Option<Size<KIB, { 64 * MIB }>>,
    max_answer: Option<Size<KIB, GIB>>,
    max_running: Option<Count<1, 10_000_000>>,
    max_running_per_owner: Option<Count<1, 1_000_000>>,
}

/// The routes, of which a flag gives one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Routes(Vec<Route>);

impl FromStr for Routes {
    type Err = String;

    /// One upstream, with the client's key.
    fn from_str(text: &str) -> Result<Self, String> {
        let example = "give for example https://api.openai.com/v1";
        let mut upstream: Url = text.parse().map_err(|error| format!("{error}: {example}"))?;
        if !matches!(upstream.scheme(), "http" | "https") {
            return Err(format!(
                "the address must begin with http:// or https://: {example}"
            ));
        }
        let path = match upstream.path().trim_end_matches('/') {
            "" => USUAL_PATH.to_owned(),
            path => path.to_owned(),
        };
        upstream.set_path(&path);
        let route = Route::to(path, Address(upstream));
        route
            .build()
            .and_then(|route| route.check().map_err(|error| error.to_string()))?;
        Ok(Self(vec![route]))
    }
}

/// From the environment, as from the flag.
pub(super) fn one(text: &str) -> Result<Routes, ConfigError> {
    text.parse().map_err(ConfigError)
}

impl Routes {
    /// Whether something is at the place where official clients look.
    pub(crate) fn has_usual(&self) -> bool {
        self.0.iter().any(|route| route.path == USUAL_PATH)
    }

    /// The variables that hold keys.
    pub(super) fn key_variables(&self) -> Vec<&str> {
        self.0
            .iter()
            .filter_map(|route| route.key_env.as_deref())
            .collect()
    }

    pub(super) fn check(&self, token_cookies: &[String]) -> Result<(), String> {
        if self.0.len() > MAX_ROUTES {
            return Err(format!(
                "relay has {} routes: at most {MAX_ROUTES} are allowed",
                self.0.len()
            ));
        }
        for (number, route) in self.0.iter().enumerate() {
            let checked = relay::Route {
                token_cookies: token_cookies.to_vec(),
                ..route.without_key()?
            };
            checked.check().map_err(|error| error.to_string())?;
            if self.0[..number].iter().any(|other| other.path == route.path) {
                return Err(format!(
                    "relay has the path {} twice: give each route its own",
                    route.path
                ));
            }
        }
        Ok(())
    }

    /// As the relay takes them, with their keys.
    ///
    /// # Errors
    /// A key is not in the environment.
    pub(crate) fn build(&self) -> Result<Vec<relay::Route>, ConfigError> {
        let routes = self.0.iter().map(Route::build);
        routes.collect::<Result<_, _>>().map_err(ConfigError)
    }
}

impl Route {
    fn to(path: String, upstream: Address) -> Self {
        Self {
            path,
            upstream,
            ca_file: None,
            key_env: None,
            key_header: None,
            allow: None,
            auth: Auth::default(),
            owner: OwnerText::default(),
            pass_cookies: false,
            forwarded: None,
            content: ContentText::default(),
            websocket: false,
            credential_headers: Vec::new(),
            credential_parameters: Vec::new(),
            remove_headers: Vec::new(),
            set_headers: BTreeMap::new(),
            chat_key: None,
            dialect: None,
            resume: ResumeText::default(),
            on_disconnect: Disconnect::default(),
            keep: None,
            connect: None,
            commit_after: None,
            first_event: None,
            idle: None,
            total: None,
            max_body: None,
            max_event: None,
            max_answer: None,
            max_running: None,
            max_running_per_owner: None,
        }
    }

    fn build(&self) -> Result<relay::Route, String> {
        let mut route = self.without_key()?;
        if let (Some(name), Some((_, value))) = (&self.key_env, &mut route.key) {
            let missing = || {
                format!(
                    "the relay route {}: its key is to be in the environment as {name}, and is not",
                    self.path
                )
            };
            let key = env::var(name)
                .ok()
                .filter(|key| !key.trim().is_empty())
                .ok_or_else(missing)?;
            let text = match self.is_bearer() {
                true => format!("Bearer {}", key.trim()),
                false => key.trim().to_owned(),
            };
            // The key is not repeated.
            let wrong = |_| {
                format!(
                    "the relay route {}: the key in {name} holds what no header can carry",
                    self.path
                )
            };
            *value = HeaderValue::try_from(text).map_err(wrong)?;
            value.set_sensitive(true);
        }
        if let Some(file) = &self.ca_file {
            let cannot = |error| {
                format!(
                    "the relay route {}: cannot read its ca_file {}: {error}",
                    self.path,
                    file.display()
                )
            };
            route.authorities = Some(fs::read_to_string(file).map_err(cannot)?);
            route.check().map_err(|error| error.to_string())?;
        }
        Ok(route)
    }

    fn is_bearer(&self) -> bool {
        self.key_header
            .as_ref()
            .is_none_or(|header| header.0 == "authorization")
    }

    /// As it is but for the key itself.
    fn without_key(&self) -> Result<relay::Route, String> {
        if self.key_header.is_some() && self.key_env.is_none() {
            return Err(format!(
                "the relay route {}: key_header is there and key_env is not",
                self.path
            ));
        }
        let bytes = |size: u64| usize::try_from(size).unwrap_or(usize::MAX);
        let key_header = self
            .key_header
            .as_ref()
            .map_or(HeaderName::from_static("authorization"), |header| {
                header.0.clone()
            });
        let (times, limits) = (Times::default(), Limits::default());
        let route = relay::Route::new(self.path.clone(), self.upstream.0.clone());
        let names = |headers: &[Header]| headers.iter().map(|header| header.0.clone()).collect();
        Ok(relay::Route {
            allow: self
                .allow
                .as_ref()
                .map(|allow| allow.iter().map(|allow| allow.0.clone()).collect()),
            key: self
                .key_env
                .as_ref()
                .map(|_| (key_header, HeaderValue::from_static(""))),
            auth: self.auth.0,
            owner: self.owner.0.clone(),
            pass_cookies: self.pass_cookies,
            forwarded: self.forwarded.unwrap_or(self.content.0 == Content::App),
            content: self.content.0,
            websocket: self.websocket,
            credential_headers: names(&self.credential_headers),
            credential_parameters: self
                .credential_parameters
                .iter()
                .map(|name| name.to_ascii_lowercase())
                .collect(),
            remove_headers: names(&self.remove_headers),
            set_headers: self
                .set_headers
                .iter()
                .map(|(name, value)| (name.0.clone(), value.0.clone()))
                .collect(),
            chat_key: self.chat_key.clone(),
            dialect: self.dialect.map(|dialect| dialect.0),
            resume: self.resume.0,
            on_disconnect: self.on_disconnect.0,
            keep: self.keep.map_or(route.keep, Bounded::get),
            times: Times {
                connect: self.connect.map_or(times.connect, Bounded::get),
                commit_after: self.commit_after.map_or(times.commit_after, Bounded::get),
                first_event: self.first_event.map_or(times.first_event, Bounded::get),
                idle: self.idle.map_or(times.idle, Bounded::get),
                total: self.total.map_or(times.total, Bounded::get),
                ..times
            },
            limits: Limits {
                max_body: self.max_body.map_or(limits.max_body, |size| bytes(size.get())),
                max_event: self.max_event.map_or(limits.max_event, |size| bytes(size.get())),
                max_answer: self
                    .max_answer
                    .map_or(limits.max_answer, |size| bytes(size.get())),
                max_running: self.max_running.map(|count| bytes(count.get())),
                max_running_per_owner: self
                    .max_running_per_owner
                    .map_or(limits.max_running_per_owner, |count| bytes(count.get())),
            },
            ..route
        })
    }
}

/// A value that is written as a text.
macro_rules! text {
    ($name:ident, $show:expr) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                let show: fn(&Self) -> String = $show;
                to.serialize_str(&show(self))
            }
        }
    };
}

/// An upstream's address.
#[derive(Debug, Clone)]
struct Address(Url);

text!(Address, |address| address.0.to_string());

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |error| format!("the upstream {text:?}: {error}: write it as https://api.openai.com/v1");
        text.parse().map(Self).map_err(wrong)
    }
}

/// A header's name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Header(HeaderName);

text!(Header, |header| header.0.to_string());

impl PartialOrd for Header {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Header {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.as_str().cmp(other.0.as_str())
    }
}

impl FromStr for Header {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse()
            .map(Self)
            .map_err(|_| format!("{text:?} is no name of a header"))
    }
}

/// A header's value. It may be a secret, so it is not shown.
#[derive(Debug, Clone)]
struct HeaderText(HeaderValue);

text!(HeaderText, |_| "***".to_owned());

impl FromStr for HeaderText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut value = HeaderValue::try_from(text)
            .map_err(|_| "a header's value holds what no header can carry".to_owned())?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

/// A method and a path.
#[derive(Debug, Clone)]
struct Allow(Allowed);

text!(Allow, |allow| format!("{} {}", allow.0.method, allow.0.path)
    .trim_end()
    .to_owned());

impl FromStr for Allow {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is no method and path: write it as \"POST /chat/completions\", or \"POST\" for the route's own path"
            )
        };
        let (method, path) = text.split_once(' ').unwrap_or((text, ""));
        let is_path = path.is_empty() || path.starts_with('/');
        let is_method = !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase());
        let method = Method::from_bytes(method.as_bytes())
            .ok()
            .filter(|_| is_method && is_path);
        Ok(Self(Allowed {
            method: method.ok_or_else(wrong)?,
            path: path.to_owned(),
        }))
    }
}

/// Who checks that somebody may ask.
#[derive(Debug, Clone, Copy, Default)]
struct Auth(RouteAuth);

text!(Auth, |auth| match auth.0 {
    RouteAuth::Token => "token".to_owned(),
    RouteAuth::Upstream => "upstream".to_owned(),
});

impl FromStr for Auth {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "token" => Ok(Self(RouteAuth::Token)),
            "upstream" => Ok(Self(RouteAuth::Upstream)),
            _ => Err(format!(
                "{text:?} is nobody who could check callers: write auth = \"token\" or \"upstream\""
            )),
        }
    }
}

/// What the upstream's documents may do.
#[derive(Debug, Clone, Copy, Default)]
struct ContentText(Content);

text!(ContentText, |content| match content.0 {
    Content::Foreign => "foreign".to_owned(),
    Content::App => "app".to_owned(),
});

impl FromStr for ContentText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "foreign" => Ok(Self(Content::Foreign)),
            "app" => Ok(Self(Content::App)),
            _ => Err(format!(
                "{text:?} is no content: write \"foreign\" (documents are shown in a sandbox) or \"app\" (the upstream is an \
                 app of your own site)"
            )),
        }
    }
}

/// Whose answers they are.
#[derive(Debug, Clone, Default)]
struct OwnerText(Owner);

text!(OwnerText, |owner| match &owner.0 {
    Owner::Capability => "capability".to_owned(),
    Owner::Header(name) => format!("header:{name}"),
    Owner::Cookie(name) => format!("cookie:{name}"),
});

impl FromStr for OwnerText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is no owner: write \"capability\", \"header:NAME\" or \"cookie:NAME\"");
        let owner = match text.split_once(':') {
            None if text == "capability" => Owner::Capability,
            Some(("header", name)) => Owner::Header(name.parse::<Header>()?.0),
            Some(("cookie", name)) if !name.is_empty() => {
                Owner::Cookie(name.parse::<CookieName>()?.as_str().to_owned())
            }
            _ => return Err(wrong()),
        };
        Ok(Self(owner))
    }
}

/// The dialect of a route's answers.
#[derive(Debug, Clone, Copy)]
struct DialectText(Dialect);

text!(DialectText, |dialect| dialect.0.to_string());

impl FromStr for DialectText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self)
    }
}

/// Who resumes a route's streams.
#[derive(Debug, Clone, Copy, Default)]
struct ResumeText(Resume);

text!(ResumeText, |resume| match resume.0 {
    Resume::Auto => "auto".to_owned(),
    Resume::Relay => "relay".to_owned(),
    Resume::Upstream => "upstream".to_owned(),
    Resume::Off => "off".to_owned(),
});

impl FromStr for ResumeText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self(Resume::Auto)),
            "relay" => Ok(Self(Resume::Relay)),
            "upstream" => Ok(Self(Resume::Upstream)),
            "off" => Ok(Self(Resume::Off)),
            _ => Err(format!(
                "{text:?} is nobody who could resume a stream: write resume = \"auto\", \"relay\", \"upstream\" or \"off\""
            )),
        }
    }
}

/// What becomes of an answer that nobody reads.
#[derive(Debug, Clone, Copy, Default)]
struct Disconnect(OnDisconnect);

text!(Disconnect, |disconnect| match disconnect.0 {
    OnDisconnect::Finish => "finish".to_owned(),
    OnDisconnect::Cancel => "cancel".to_owned(),
    OnDisconnect::Grace(grace) => format!("grace({})", humantime::format_duration(grace)),
});

impl FromStr for Disconnect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no policy: write \"grace(30s)\", \"finish\" or \"cancel\"");
        let grace = text
            .strip_prefix("grace(")
            .and_then(|rest| rest.strip_suffix(')'));
        Ok(Self(match (text, grace) {
            ("finish", _) => OnDisconnect::Finish,
            ("cancel", _) => OnDisconnect::Cancel,
            (_, Some(time)) => OnDisconnect::Grace(humantime::parse_duration(time).map_err(|_| wrong())?),
            _ => return Err(wrong()),
        }))
    }
}
