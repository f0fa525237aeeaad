//! Which upstream a request goes to, and which headers go with it.
//!
//! Invariant: a credential that the guard accepted as the server's never leaves, wherever it
//! stands.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts};
use percent_encoding::percent_decode_str;
use sha2::{Digest as _, Sha256};
use tidewire_codec::{protocol, protocol::HOP_BY_HOP};
use tidewire_doors::{
    Problem,
    guard::{Principal, Token},
    problem::shorten,
};
use url::Url;

use super::{
    call::LAST_EVENT_ID,
    config::{Owner, Route},
    forwarded, path,
};

/// The methods that are forwarded. TRACE would show the key of the server, and APIs use no others.
pub(super) const METHODS: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
];

/// Further headers that never go to an upstream: those of the browser's page, those that the HTTP
/// client writes anew, and other addresses than the checked one, which lead elsewhere or still hold
/// the token.
const NOT_FORWARDED: [&str; 16] = [
    "origin",
    "referer",
    "host",
    "x-host",
    "x-original-host",
    "x-http-host-override",
    // CGI makes `HTTP_PROXY` of it, which programs take for the proxy to ask through.
    "proxy",
    "content-length",
    "expect",
    protocol::LAST_EVENT_ID,
    "accept-encoding",
    "x-envoy-original-path",
    "x-forwarded-uri",
    "x-original-uri",
    "x-original-url",
    "x-rewrite-url",
];

/// Headers that name another method than the request line, which was compared with `allow`.
const METHOD_OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

/// Where a route begins in a path; what comes behind it there.
pub(super) fn below<'a>(route: &Route, path: &'a str) -> Option<&'a str> {
    let rest = path.strip_prefix(route.path.as_str())?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

/// The upstream's address for a request.
///
/// # Errors
/// 400 for a path that may mean another one, 404 and 405 for what is not in the route's list, 405
/// for other methods than [`METHODS`].
pub(super) fn target(route: &Route, parts: &Parts) -> Result<Url, Problem> {
    let rest = below(route, parts.uri.path()).unwrap_or_default();
    path::check(rest)?;
    let methods: Vec<&Method> = match &route.allow {
        Some(allowed) => {
            let of_path = allowed.iter().filter(|allowed| allowed.path == rest);
            of_path.map(|allowed| &allowed.method).collect()
        }
        None => METHODS.iter().collect(),
    };
    if methods.is_empty() {
        let detail = format!(
            "the relay route {} does not have {}: its setting `allow` lists what it has",
            route.path,
            shorten(parts.uri.path())
        );
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", detail));
    }
    if !methods.contains(&&parts.method) {
        return Err(not_a_method(&parts.method, &methods));
    }
    let mut target = route.upstream.clone();
    let base = target.path().trim_end_matches('/').to_owned();
    target.set_path(&format!("{base}{rest}"));
    let query = parts.uri.query();
    let query = query.and_then(|query| forwarded_query(route, &Principal::of(&parts.extensions), query));
    target.set_query(query.as_deref());
    Ok(target)
}

fn not_a_method(method: &Method, methods: &[&Method]) -> Problem {
    let names: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
    let problem = Problem::method_not_allowed(method);
    match HeaderValue::from_str(&names.join(", ")) {
        Ok(allow) => problem.with_header(header::ALLOW, allow),
        Err(_) => problem,
    }
}

/// The query without the token of the server, and without the client's credentials where the key is
/// the server's.
fn forwarded_query(route: &Route, caller: &Principal, query: &str) -> Option<String> {
    let goes_on = |parameter: &str| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let is_replaced = route.key.is_some() && route.is_credential_parameter(&decoded(name));
        !is_replaced && !holds_own_token(caller, &Cow::from(percent_decode_str(value)))
    };
    // Some upstreams take `;` for `&`.
    let rest: Vec<&str> = query
        .split('&')
        .filter(|pair| pair.split(';').all(goes_on))
        .collect();
    (!rest.is_empty()).then(|| rest.join("&"))
}

fn decoded(name: &str) -> Cow<'_, str> {
    percent_decode_str(name).decode_utf8_lossy()
}

/// Whether a value holds the token that the guard let the caller in with: alone, after a scheme, or
/// in quotes.
fn holds_own_token(caller: &Principal, value: &[u8]) -> bool {
    let Some(token) = caller.token() else {
        return false;
    };
    let words = value.split(|byte| !Token::may_hold(*byte));
    let mut may_be = words.filter(|word| !word.is_empty() && word.len() <= Token::MAX);
    may_be.any(|word| Sha256::digest(word)[..] == token[..])
}

/// The headers of a request that go on. A cursor is the upstream's where that one resumes its streams.
pub(super) fn request_headers(route: &Route, parts: &Parts, is_ours: bool, sends_cursor: bool) -> HeaderMap {
    let caller = Principal::of(&parts.extensions);
    let headers = &parts.headers;
    let mut named = connection_named(headers);
    named.retain(|name| !is_identity(route, name));
    let mut sent = HeaderMap::with_capacity(headers.len());
    let says_where = route.forwarded && caller.is_proxied();
    for (name, value) in headers {
        let meant = as_read(name);
        let text = meant.as_str();
        let stays = text.starts_with("tidewire-")
            || HOP_BY_HOP.contains(&text)
            || (NOT_FORWARDED.contains(&text) && !(sends_cursor && *name == LAST_EVENT_ID))
            || meant == header::COOKIE
            || named.contains(name)
            || is_disguised(route, name, &meant)
            || (route.allow.is_some() && METHOD_OVERRIDES.contains(&text))
            || (forwarded::is_forwarded(&meant) && !(says_where && forwarded::is_usual(&meant)))
            || (route.key.is_some() && [name, &meant].iter().any(|name| route.is_credential_header(name)))
            || holds_own_token(&caller, value.as_bytes());
        if !stays {
            sent.append(name, value.clone());
        }
    }
    if route.pass_cookies {
        for line in headers.get_all(header::COOKIE) {
            if let Some(line) = forwarded_cookies(route, &caller, line) {
                sent.append(header::COOKIE, line);
            }
        }
    }
    if route.forwarded {
        forwarded::write(parts, &mut sent);
    }
    for name in &route.remove_headers {
        sent.remove(name);
    }
    // An answer that passes through is passed on as it is; one that becomes a stream or has twins is
    // best not packed at all.
    match (is_ours, headers.get(header::ACCEPT_ENCODING)) {
        (false, Some(accepted)) => sent.insert(header::ACCEPT_ENCODING, accepted.clone()),
        _ => sent.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity")),
    };
    for (name, value) in route.set_headers.iter().chain(&route.key) {
        sent.insert(name, value.clone());
    }
    sent
}

/// A header's name as CGI, WSGI and PHP read it: `_` and `-` are the same there, so `X_User` would
/// stand for `X-User`.
fn as_read(name: &HeaderName) -> HeaderName {
    let text = name.as_str();
    match text.contains('_') {
        true => text.replace('_', "-").parse().unwrap_or_else(|_| name.clone()),
        false => name.clone(),
    }
}

/// Whether a header stands for one that only a trusted proxy may write, and has another name.
fn is_disguised(route: &Route, name: &HeaderName, meant: &HeaderName) -> bool {
    (name != meant && forwarded::is_forwarded(meant))
        || matches!(&route.owner, Owner::Header(owner) if owner != name && as_read(owner) == *meant)
}

/// Whether a header identifies the caller. If `Connection` could remove it, the request would count
/// as another caller's.
fn is_identity(route: &Route, name: &HeaderName) -> bool {
    route.is_credential_header(name)
        || forwarded::is_forwarded(name)
        || matches!(&route.owner, Owner::Header(owner) if owner == name)
}

/// The cookies of a line but those of the server; none if there are no others.
fn forwarded_cookies(route: &Route, caller: &Principal, line: &HeaderValue) -> Option<HeaderValue> {
    let is_own = |cookie: &&[u8]| {
        let at = cookie
            .iter()
            .position(|byte| *byte == b'=')
            .unwrap_or(cookie.len());
        let (name, value) = cookie.split_at(at);
        let value = percent_encoding::percent_decode(value.get(1..).unwrap_or_default().trim_ascii());
        let is_named = |own: &String| own.as_bytes() == name.trim_ascii();
        route.token_cookies.iter().any(is_named) || holds_own_token(caller, &Cow::from(value))
    };
    let cookies = line.as_bytes().split(|byte| *byte == b';');
    let others: Vec<&[u8]> = cookies.filter(|cookie| !is_own(cookie)).collect();
    let line = others.join(&b';');
    HeaderValue::from_bytes(line.trim_ascii())
        .ok()
        .filter(|line| !line.is_empty())
}

/// The headers that `Connection` names.
pub(super) fn connection_named(headers: &HeaderMap) -> Vec<HeaderName> {
    let lines = headers.get_all(header::CONNECTION).iter();
    let names = lines.flat_map(|line| line.to_str().unwrap_or_default().split(','));
    names.filter_map(|name| name.trim().parse().ok()).collect()
}

/// 502: the upstream could not be asked.
pub(super) fn bad_gateway(code: &'static str, detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_GATEWAY, code, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Allowed;

    fn route() -> Route {
        Route::new("/v1", "https://api.example/base/v1/".parse().unwrap())
    }

    fn parts(method: &Method, uri: &str, headers: &HeaderMap) -> Parts {
        let request = http::Request::builder().method(method).uri(uri);
        let mut parts = request.body(()).unwrap().into_parts().0;
        parts.headers = headers.clone();
        parts
    }

    fn bare(method: &Method, uri: &str) -> Parts {
        parts(method, uri, &HeaderMap::new())
    }

    fn status(result: Result<Url, Problem>) -> u16 {
        use axum::response::IntoResponse as _;
        result.map_or_else(|problem| problem.into_response().status().as_u16(), |_| 200)
    }

    #[test]
    fn paths_below_the_route_go_to_the_upstream_and_none_leaves_it() {
        let target = |path: &str| target(&route(), &bare(&Method::POST, path));
        assert_eq!(
            target("/v1/chat?a=b%20c").unwrap().as_str(),
            "https://api.example/base/v1/chat?a=b%20c"
        );
        assert_eq!(target("/v1").unwrap().as_str(), "https://api.example/base/v1");
        assert_eq!(
            target("/v1/models/meta-llama%2FLlama-3%2e1").unwrap().as_str(),
            "https://api.example/base/v1/models/meta-llama%2FLlama-3%2e1"
        );
        for bad in [
            "/v1/../x",
            "/v1/%2e%2E/x",
            "/v1/a%2f..%2fb",
            "/v1/a%5Cb",
            "/v1/a/..",
        ] {
            assert_eq!(status(target(bad)), 400, "{bad}");
        }
        assert_eq!(below(&route(), "/v1x"), None);
        assert_eq!(below(&route(), "/v1/x"), Some("/x"));
    }

    #[test]
    fn a_list_of_paths_is_all_there_is() {
        let route = Route {
            allow: Some(vec![Allowed {
                method: Method::POST,
                path: "/chat".into(),
            }]),
            ..route()
        };
        let key = (header::AUTHORIZATION, HeaderValue::from_static("ours"));
        let ours = Route {
            key: Some(key),
            ..route.clone()
        };
        let query = |query: &str| {
            let uri = format!("/v1/chat{query}");
            target(&ours, &bare(&Method::POST, &uri))
                .unwrap()
                .query()
                .map(str::to_owned)
        };
        assert_eq!(query("?a=1&access_token=secret&b").as_deref(), Some("a=1&b"));
        assert_eq!(query("?access_token=secret"), None);
        let of = |method: &Method, path: &str| status(target(&route, &bare(method, path)));
        assert_eq!(of(&Method::POST, "/v1/chat"), 200);
        assert_eq!(of(&Method::GET, "/v1/chat"), 405);
        for other in ["/v1", "/v1/chat/", "/v1/chat/x", "/v1/files"] {
            assert_eq!(of(&Method::POST, other), 404, "{other}");
        }
    }

    #[test]
    fn only_what_is_meant_for_the_upstream_goes_there() {
        let mut headers = HeaderMap::new();
        for name in [
            "cookie",
            "origin",
            "referer",
            "host",
            "connection",
            "x-hop",
            "te",
            "tidewire-x",
            "last-event-id",
            "authorization",
            "x-own",
            "x-secret",
            "content-type",
            "accept-encoding",
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("x-hop"));
        }
        let mut route = route();
        route.remove_headers.push(HeaderName::from_static("x-secret"));
        let names = |headers: HeaderMap| {
            let mut names: Vec<_> = headers.keys().map(|name| name.as_str().to_owned()).collect();
            names.sort_unstable();
            names
        };
        let parts = parts(&Method::POST, "/v1", &headers);
        let sent = request_headers(&route, &parts, true, false);
        assert_eq!(sent[header::ACCEPT_ENCODING], "identity");
        assert_eq!(
            names(sent),
            ["accept-encoding", "authorization", "content-type", "x-own"]
        );
        route.pass_cookies = true;
        let sent = request_headers(&route, &parts, false, false);
        assert_eq!(sent[header::ACCEPT_ENCODING], "x-hop");
        assert_eq!(sent[header::COOKIE], "x-hop");
        route.key = Some((header::AUTHORIZATION, HeaderValue::from_static("Bearer ours")));
        let sent = request_headers(&route, &parts, true, false);
        assert_eq!(
            sent.get_all(header::AUTHORIZATION).iter().collect::<Vec<_>>(),
            ["Bearer ours"]
        );
    }
}
