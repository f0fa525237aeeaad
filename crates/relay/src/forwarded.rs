//! `X-Forwarded-*` and similar headers, in which proxies tell where a request came from.
//!
//! Anybody can write these headers, so they count only if a trusted proxy is at the other end of
//! the connection. Most upstreams are other companies, which need no addresses of users: only a
//! route with `forwarded` sends these headers on. The server then adds the other end of its own
//! connection, as every proxy does.

use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};

use tidewire_doors::guard::Peer;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Those of RFC 7239 and of nginx. The guard removes them, and `x-forwarded-*`, from everybody but a trusted proxy.
const USUAL: [&str; 2] = ["forwarded", "x-real-ip"];

/// Those of single products and content delivery networks. They never go on: a proxy that does not
/// know them passes them on as a stranger wrote them.
const OTHERS: [&str; 7] = [
    "x-forwarded",
    "x-envoy-external-address",
    "x-appengine-user-ip",
    "x-proxyuser-ip",
    "x-scheme",
    "x-url-scheme",
    "front-end-https",
];

/// How the names of more of those end: `True-Client-IP`, `X-Azure-ClientIP`, `CF-Connecting-IPv6`,
/// `X-Vercel-Forwarded-For`.
const ENDS_OF_OTHERS: [&str; 11] = [
    "client-ip",
    "clientip",
    "client-connection-ip",
    "connecting-ip",
    "connecting-ipv6",
    "forwarded-for",
    "originating-ip",
    "real-ip",
    "remote-addr",
    "remote-ip",
    "socketip",
];

/// Whether a header tells where a request came from.
pub(super) fn is_forwarded(name: &HeaderName) -> bool {
    let text = name.as_str();
    is_usual(name) || OTHERS.contains(&text) || ENDS_OF_OTHERS.iter().any(|end| text.ends_with(end))
}

/// Whether proxies in general write it anew, so that a trusted one's word counts.
pub(super) fn is_usual(name: &HeaderName) -> bool {
    name.as_str().starts_with("x-forwarded-") || USUAL.contains(&name.as_str())
}

/// Adds this server to the headers of a trusted proxy, or writes them anew if there are none.
pub(super) fn write(parts: &Parts, headers: &mut HeaderMap) {
    if let Some(Peer(peer)) = parts.extensions.get::<Peer>() {
        let before = headers.get_all(FOR).iter().filter_map(|line| line.to_str().ok());
        let mut all: Vec<String> = before.map(str::to_owned).collect();
        all.push(peer.ip().to_canonical().to_string());
        if let Ok(all) = HeaderValue::try_from(all.join(", ")) {
            headers.insert(FOR, all);
        }
    }
    // The server itself speaks no TLS.
    headers.entry(PROTO).or_insert(HeaderValue::from_static("http"));
    let host = match parts.uri.authority() {
        Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
        None => parts.headers.get(header::HOST).cloned(),
    };
    if let Some(host) = host {
        headers.entry(HOST).or_insert(host);
    }
}
