//! Which upstream a request goes to, and which headers go with it, there and back.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use url::Url;

use super::config::Route;
use crate::Problem;

/// Headers of a connection, not of a message (RFC 9110 § 7.6.1).
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What never goes to an upstream beside those: what a browser says of the page, and what the client makes anew.
const NOT_FORWARDED: [&str; 7] = [
    "origin",
    "referer",
    "host",
    "content-length",
    "expect",
    "last-event-id",
    "accept-encoding",
];

/// What an answer says of the place that it comes from, which we are not.
const FOR_ITS_ORIGIN: [&str; 6] = [
    "alt-svc",
    "clear-site-data",
    "nel",
    "report-to",
    "reporting-endpoints",
    "strict-transport-security",
];

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

/// The headers that carry a client's key.
pub(super) const CREDENTIALS: [&str; 3] = ["authorization", "x-api-key", "api-key"];

/// Where a route begins in a path; what comes behind it there.
pub(super) fn below<'a>(route: &Route, path: &'a str) -> Option<&'a str> {
    let rest = path.strip_prefix(route.path.as_str())?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

/// The upstream's address for a request.
///
/// # Errors
/// 400 for a path that may mean another one, 404 and 405 for what is not in the route's list.
pub(super) fn target(route: &Route, method: &Method, uri: &Uri) -> Result<Url, Problem> {
    let rest = below(route, uri.path()).unwrap_or_default();
    check_path(rest)?;
    if let Some(allowed) = &route.allow {
        let mut of_path = allowed.iter().filter(|allowed| allowed.path == rest).peekable();
        if of_path.peek().is_none() {
            return Err(Problem::not_found(uri.path()));
        }
        if !of_path.clone().any(|allowed| allowed.method == *method) {
            let methods: Vec<&str> = of_path.map(|allowed| allowed.method.as_str()).collect();
            let allow = HeaderValue::from_str(&methods.join(", "));
            let problem = Problem::method_not_allowed(method);
            return Err(match allow {
                Ok(allow) => problem.with_header(header::ALLOW, allow),
                Err(_) => problem,
            });
        }
    }
    let mut target = route.upstream.clone();
    let base = target.path().trim_end_matches('/').to_owned();
    target.set_path(&format!("{base}{rest}"));
    match &route.key {
        // The client's key for us is not for the upstream.
        Some(_) => target.set_query(uri.query().and_then(without_our_token).as_deref()),
        None => target.set_query(uri.query()),
    }
    Ok(target)
}

fn without_our_token(query: &str) -> Option<String> {
    let is_ours = |pair: &&str| pair.split('=').next().is_some_and(|name| name == "access_token");
    let rest: Vec<&str> = query.split('&').filter(|pair| !is_ours(pair)).collect();
    (!rest.is_empty()).then(|| rest.join("&"))
}

/// `..` and encoded dots and slashes would leave the route, here or at the upstream.
fn check_path(rest: &str) -> Result<(), Problem> {
    let lower = rest.to_ascii_lowercase();
    let is_dots = |segment: &str| segment == "." || segment == "..";
    let has_dots = lower.split('/').any(is_dots);
    if has_dots
        || ["%2e", "%2f", "%5c", "\\"]
            .iter()
            .any(|other| lower.contains(other))
    {
        return Err(Problem::bad_request(
            "bad_path",
            "the path holds dot segments, or an encoded dot or slash: send it plainly",
        ));
    }
    Ok(())
}

/// The headers of a request that go on.
pub(super) fn request_headers(route: &Route, headers: &HeaderMap, wants_stream: bool) -> HeaderMap {
    let named = connection_named(headers);
    let mut forwarded = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let text = name.as_str();
        let is_ours = text.starts_with("tidewire-")
            || HOP_BY_HOP.contains(&text)
            || NOT_FORWARDED.contains(&text)
            || (*name == header::COOKIE && !route.pass_cookies)
            || named.contains(name)
            || route.remove_headers.contains(name)
            || (route.key.is_some() && CREDENTIALS.contains(&text));
        if !is_ours {
            forwarded.append(name, value.clone());
        }
    }
    // An answer that passes through is passed on as it is; one that becomes a stream is best not packed at all.
    match (wants_stream, headers.get(header::ACCEPT_ENCODING)) {
        (false, Some(accepted)) => forwarded.insert(header::ACCEPT_ENCODING, accepted.clone()),
        _ => forwarded.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity")),
    };
    for (name, value) in route.set_headers.iter().chain(&route.key) {
        forwarded.insert(name, value.clone());
    }
    forwarded
}

/// The headers of an upstream's answer that go back as they are.
pub(super) fn response_headers(headers: &HeaderMap) -> HeaderMap {
    let named = connection_named(headers);
    let passes = |name: &HeaderName| {
        let text = name.as_str();
        !HOP_BY_HOP.contains(&text)
            && !named.contains(name)
            && !FOR_ITS_ORIGIN.contains(&text)
            // Who may read us is our guard's to say.
            && !text.starts_with("access-control-")
            && !text.starts_with("tidewire-")
    };
    let kept = headers.iter().filter(|(name, _)| passes(name));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Of an answer that has become a stream: what describes its bytes is ours to say.
pub(super) fn stream_headers(headers: &HeaderMap) -> HeaderMap {
    let mut kept = response_headers(headers);
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

/// The headers that `Connection` names.
fn connection_named(headers: &HeaderMap) -> Vec<HeaderName> {
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
    use crate::relay::config::Allowed;

    fn route() -> Route {
        Route::new("/v1", "https://api.example/base/v1/".parse().unwrap())
    }

    fn status(result: Result<Url, Problem>) -> u16 {
        use axum::response::IntoResponse as _;
        result.map_or_else(|problem| problem.into_response().status().as_u16(), |_| 200)
    }

    #[test]
    fn paths_below_the_route_go_to_the_upstream_and_none_leaves_it() {
        let target = |path: &str| target(&route(), &Method::POST, &path.parse().unwrap());
        assert_eq!(
            target("/v1/chat?a=b%20c").unwrap().as_str(),
            "https://api.example/base/v1/chat?a=b%20c"
        );
        assert_eq!(target("/v1").unwrap().as_str(), "https://api.example/base/v1");
        for bad in [
            "/v1/../x",
            "/v1/./x",
            "/v1/%2e%2E/x",
            "/v1/a%2fb",
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
            let uri = format!("/v1/chat{query}").parse().unwrap();
            target(&ours, &Method::POST, &uri)
                .unwrap()
                .query()
                .map(str::to_owned)
        };
        assert_eq!(query("?a=1&access_token=secret&b").as_deref(), Some("a=1&b"));
        assert_eq!(query("?access_token=secret"), None);
        let of = |method: &Method, path: &str| status(target(&route, method, &path.parse().unwrap()));
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
        let sent = request_headers(&route, &headers, true);
        assert_eq!(sent[header::ACCEPT_ENCODING], "identity");
        assert_eq!(
            names(sent),
            ["accept-encoding", "authorization", "content-type", "x-own"]
        );
        route.pass_cookies = true;
        let sent = request_headers(&route, &headers, false);
        assert_eq!(sent[header::ACCEPT_ENCODING], "x-hop");
        assert_eq!(sent[header::COOKIE], "x-hop");
        route.key = Some((header::AUTHORIZATION, HeaderValue::from_static("Bearer ours")));
        let sent = request_headers(&route, &headers, true);
        assert_eq!(
            sent.get_all(header::AUTHORIZATION).iter().collect::<Vec<_>>(),
            ["Bearer ours"]
        );
    }
}
