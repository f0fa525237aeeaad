//! Which headers go on: all but those of the connection (RFC 9110 § 7.6.1), and where they name the tap they name the
//! upstream.

use axum::http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONNECTION, HOST, ORIGIN, REFERER},
};
use tidewire_codec::protocol::HOP_BY_HOP;

use super::upstream::Upstream;

/// Takes out what belongs to the connection that the message came on.
pub(super) fn leave_connection(headers: &mut HeaderMap) {
    let lines = headers.get_all(CONNECTION).iter();
    let named: Vec<HeaderName> = lines
        .flat_map(|line| line.to_str().unwrap_or_default().split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    keep(headers, |name| {
        !HOP_BY_HOP.contains(&name.as_str()) && !named.contains(name)
    });
}

/// In their order, which removing one by one would not keep.
fn keep(headers: &mut HeaderMap, stays: impl Fn(&HeaderName) -> bool) {
    let kept = headers.iter().filter(|(name, _)| stays(name));
    *headers = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
}

/// Makes a request to the tap one to the upstream. A page that was loaded through the tap has the tap's origin; the
/// upstream would take it for a foreign one. Other origins stay: what they may do is the upstream's to say.
pub(super) fn call_upstream_by_name(headers: &mut HeaderMap, upstream: &Upstream) {
    let host = headers.get(HOST).cloned();
    // The client writes the upstream's.
    keep(headers, |name| name != HOST);
    let Some(Ok(host)) = host.as_ref().map(HeaderValue::to_str) else {
        return;
    };
    let tap = format!("http://{host}");
    let says_tap = |value: &HeaderValue| value.as_bytes() == tap.as_bytes();
    if headers.get(ORIGIN).is_some_and(says_tap)
        && let Some(origin) = upstream.origin()
    {
        headers.insert(ORIGIN, origin);
    }
    let referer = headers.get(REFERER).and_then(|referer| referer.to_str().ok());
    let path = referer.and_then(|referer| referer.strip_prefix(&tap));
    if let Some(path) = path.filter(|path| path.is_empty() || path.starts_with('/'))
        && let Ok(referer) = HeaderValue::try_from(format!("{upstream}{path}"))
    {
        headers.insert(REFERER, referer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        lines.iter().map(pair).collect()
    }

    #[test]
    fn what_belongs_to_the_connection_stays_with_it() {
        let mut all = headers(&[
            ("connection", "keep-alive, x-mine"),
            ("keep-alive", "timeout=5"),
            ("x-mine", "1"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("te", "trailers"),
            ("authorization", "Bearer a"),
            ("cookie", "a=b"),
            ("accept-encoding", "gzip"),
        ]);
        leave_connection(&mut all);
        let left: Vec<_> = all.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["authorization", "cookie", "accept-encoding"]);
    }

    #[test]
    fn what_names_the_tap_names_the_upstream() {
        let upstream = "https://up.example".parse().unwrap();
        let tap = ("host", "localhost:8421");
        for (origin, referer, wanted) in [
            (
                "http://localhost:8421",
                "http://localhost:8421/chat?x=1",
                ["https://up.example", "https://up.example/chat?x=1"],
            ),
            (
                "http://localhost:5173",
                "http://localhost:84210/",
                ["http://localhost:5173", "http://localhost:84210/"],
            ),
            ("null", "http://other/", ["null", "http://other/"]),
        ] {
            let mut all = headers(&[tap, ("origin", origin), ("referer", referer)]);
            call_upstream_by_name(&mut all, &upstream);
            assert_eq!([&all[ORIGIN], &all[REFERER]], wanted);
            assert!(!all.contains_key(HOST));
        }
    }
}
