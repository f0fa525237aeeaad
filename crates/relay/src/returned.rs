//! The headers of an upstream's answer that a client gets.
//!
//! For a browser, the upstream's documents belong to the server's own origin, with its pages,
//! cookies and storage. Unless the upstream is an app of the same site (`content`), browsers show
//! them in a sandbox, and headers that concern the whole origin, or proxies in front of the server,
//! do not pass.

use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use tidewire_codec::protocol::HOP_BY_HOP;
use tidewire_doors::guard::Exposed;

use super::{
    config::{Content, Route},
    forward::connection_named,
};

/// Headers that concern the whole origin of an answer: a browser acts on them or remembers them
/// beyond the answer.
const FOR_ITS_ORIGIN: [&str; 16] = [
    "accept-ch",
    "activate-storage-access",
    "clear-site-data",
    "critical-ch",
    "nel",
    "origin-agent-cluster",
    "refresh",
    "report-to",
    "reporting-endpoints",
    "secure-session-registration",
    "sec-session-registration",
    "service-worker-allowed",
    "set-login",
    "strict-transport-security",
    "timing-allow-origin",
    "use-as-dictionary",
];

/// Headers that tell a proxy in front of the server what to do, by how their names begin: to send a
/// file of its own, to ask elsewhere, to keep the answer for everybody.
const FOR_PROXIES: [&str; 6] = [
    "surrogate-",
    "x-accel-",
    "x-lighttpd-",
    "x-litespeed-",
    "x-reproxy-",
    "x-sendfile",
];

/// Schemes for which a browser asks its user for a password, or answers by itself.
const OF_BROWSERS: [&str; 4] = ["basic", "digest", "ntlm", "negotiate"];

/// The longest header that is kept.
const MAX_REPLAYED: usize = 1 << 10;

/// What of an answer's headers is kept for those that read it again.
const REPLAYED: [&str; 6] = [
    "x-request-id",
    "request-id",
    "openai-version",
    "openai-model",
    "x-vercel-ai-ui-message-stream",
    "x-vercel-ai-data-stream",
];

pub(super) const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const SANDBOX: HeaderValue = HeaderValue::from_static("sandbox");

/// Of an answer that is passed on.
pub(super) fn passed_headers(route: &Route, headers: &HeaderMap) -> HeaderMap {
    let mut passed = of_any_answer(route, headers);
    passed.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    if route.content == Content::Foreign && may_be_document(&passed) {
        passed.remove(header::CONTENT_SECURITY_POLICY_REPORT_ONLY);
        passed.insert(header::CONTENT_SECURITY_POLICY, SANDBOX);
    }
    passed
}

/// Of an answer that has become a stream: what describes its bytes is ours to say.
pub(super) fn stream_headers(route: &Route, headers: &HeaderMap) -> HeaderMap {
    let mut kept = of_any_answer(route, headers);
    for name in [
        header::CONTENT_TYPE,
        header::CONTENT_LENGTH,
        header::CONTENT_ENCODING,
        header::CACHE_CONTROL,
        header::DATE,
        header::ETAG,
        header::VARY,
        header::LAST_MODIFIED,
        header::ACCEPT_RANGES,
        HeaderName::from_static("content-digest"),
    ] {
        kept.remove(name);
    }
    kept
}

/// Those that go with every reading of an answer.
pub(super) fn replayed_headers(headers: &HeaderMap) -> HeaderMap {
    let kept = headers
        .iter()
        .filter(|(name, value)| REPLAYED.contains(&name.as_str()) && value.len() <= MAX_REPLAYED);
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Lets the scripts of pages that may ask read the headers of the answer, except those that carry a
/// secret: a page sends credentials, and learns none.
pub(super) fn expose(response: &mut Response<Body>, is_secret: impl Fn(&HeaderName) -> bool) {
    let names = response.headers().keys();
    let read = names.filter(|name| **name != header::SET_COOKIE && !is_secret(name));
    let exposed = Exposed(read.cloned().collect());
    response.extensions_mut().insert(exposed);
}

fn of_any_answer(route: &Route, headers: &HeaderMap) -> HeaderMap {
    let named = connection_named(headers);
    let is_app = route.content == Content::App;
    let passes = |name: &HeaderName, value: &HeaderValue| {
        let text = name.as_str();
        !HOP_BY_HOP.contains(&text)
            && !named.contains(name)
            // The address in it is not one of this server.
            && text != "alt-svc"
            // Who may read us is our guard's to say.
            && !text.starts_with("access-control-")
            && !text.starts_with("tidewire-")
            && (is_app || !(FOR_ITS_ORIGIN.contains(&text) || is_for_proxies(text)))
            && (is_app || *name != header::WWW_AUTHENTICATE || !is_for_browsers(value))
            && (*name != header::SET_COOKIE || may_set(route, value))
    };
    let kept = headers.iter().filter(|(name, value)| passes(name, value));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn is_for_proxies(name: &str) -> bool {
    // `CDN-Cache-Control` (RFC 9213), and those of single networks.
    name.ends_with("cdn-cache-control") || FOR_PROXIES.iter().any(|start| name.starts_with(start))
}

/// Whether a browser may show the answer as a document in which a script could run: every type that
/// is not known to be safe. Browsers differ in how they read several types, or an invalid one.
fn may_be_document(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let one = match (types.next(), types.next()) {
        (Some(one), None) => one.to_str().unwrap_or_default(),
        _ => return true,
    };
    let essence = one.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    let is_plain = match essence.split_once('/').unwrap_or_default() {
        (_, subtype) if subtype.ends_with("+xml") => false,
        (_, subtype) if subtype.ends_with("json") => true,
        ("image" | "audio" | "video" | "font", subtype) => !subtype.is_empty(),
        ("text", subtype) => matches!(subtype, "plain" | "event-stream"),
        ("application", subtype) => matches!(subtype, "octet-stream" | "jsonl"),
        _ => false,
    };
    // Browsers read an invalid type up to its first space or parenthesis: `text/html json` is HTML.
    let is_valid = essence
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-/".contains(&b))
        && essence.matches('/').count() == 1;
    // A list of types: the last one may count.
    !is_plain || !is_valid || one.contains(',')
}

/// Whether a challenge makes a browser ask its user for a password, or answer by itself.
fn is_for_browsers(challenges: &HeaderValue) -> bool {
    let Ok(challenges) = challenges.to_str() else {
        return true;
    };
    let mut words = challenges.split([' ', ',', '\t']);
    words.any(|word| OF_BROWSERS.iter().any(|scheme| word.eq_ignore_ascii_case(scheme)))
}

/// Whether the upstream may set a cookie: if it gets cookies itself, or is an app of the same site.
/// From another one, a cookie could only choose who a user is for other routes and apps of the site.
/// Cookies that carry a token of the server are never set.
fn may_set(route: &Route, cookie: &HeaderValue) -> bool {
    let cookie = String::from_utf8_lossy(cookie.as_bytes());
    // A cookie without a name, `=name=value`, is sent back as `name=value`.
    let pair = cookie.split(';').next().unwrap_or_default();
    let pair = pair.trim_start_matches(|c: char| c == '=' || c.is_whitespace());
    let name = pair.split('=').next().unwrap_or_default().trim_end();
    let is_of_app = route.pass_cookies || route.content == Content::App;
    is_of_app && !route.token_cookies.iter().any(|own| own == name)
}
