//! What is masked of URLs and headers before they are printed or written: recordings, the inspector's page, the
//! doctor's output, error texts.
//!
//! A name does not tell whether its value is a secret (`?session=`, `X-Session`), so every value is masked but those of
//! headers that are known to carry none. Paths and bodies stay: `docs/recording.md` says so.

use std::borrow::Cow;

use axum::http::HeaderMap;
use reqwest::Url;
use tidewire_codec::protocol;

use crate::recording::Headers;

/// What stands for a value in a URL.
const MASK: &str = "***";

/// Headers whose values open nothing and name nobody, sorted: the protocol, the framing, caches, CORS, positions in a
/// stream. Not among them: `tidewire-stream` and `idempotency-key`, each of which is enough to read an answer.
const HARMLESS: [&str; 63] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "access-control-max-age",
    "access-control-request-headers",
    "access-control-request-method",
    "age",
    "allow",
    "alt-svc",
    "anthropic-version",
    "cache-control",
    "cf-cache-status",
    "connection",
    "content-encoding",
    "content-language",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "expect",
    "expires",
    "host",
    "keep-alive",
    protocol::LAST_EVENT_ID,
    "last-modified",
    "origin",
    "pragma",
    "proxy-connection",
    "range",
    "retry-after",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-fetch-user",
    "server",
    "strict-transport-security",
    "te",
    protocol::TIDEWIRE_COUNT,
    protocol::TIDEWIRE_ENDING,
    protocol::TIDEWIRE_HEARTBEAT,
    protocol::TIDEWIRE_IDEMPOTENCY,
    protocol::TIDEWIRE_LAST_EVENT_ID,
    protocol::TIDEWIRE_RESUME,
    "timing-allow-origin",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
    protocol::X_ACCEL_BUFFERING,
    "x-cache",
    "x-content-type-options",
    "x-powered-by",
    "x-vercel-ai-data-stream",
    "x-vercel-ai-ui-message-stream",
];

/// Headers whose value is a URL, which is masked like one.
const URLS: [&str; 3] = ["content-location", "location", "referer"];

/// Whether values that may be secrets are masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrets {
    Masked,
    /// As `--keep-secrets` asks.
    Kept,
}

impl Secrets {
    pub(crate) fn kept(keep: bool) -> Self {
        if keep { Self::Kept } else { Self::Masked }
    }

    /// A URL, or a request's target.
    pub(crate) fn url(self, url: &str) -> Cow<'_, str> {
        match self {
            Self::Masked => masked(url),
            Self::Kept => Cow::Borrowed(url),
        }
    }

    /// Names and values in their order, as text (what is no UTF-8 becomes U+FFFD).
    pub(crate) fn headers(self, map: &HeaderMap) -> Headers {
        let value = |name: &str, value: &[u8]| {
            let text = String::from_utf8_lossy(value);
            match self {
                Self::Kept => Some(text.into_owned()),
                Self::Masked if HARMLESS.binary_search(&name).is_ok() => Some(text.into_owned()),
                Self::Masked if URLS.contains(&name) => Some(masked(&text).into_owned()),
                Self::Masked => None,
            }
        };
        map.iter()
            .map(|(name, bytes)| (name.to_string(), value(name.as_str(), bytes.as_bytes())))
            .collect()
    }
}

/// A URL as a message may show it.
pub(crate) fn shown(url: &Url) -> String {
    masked(url.as_str()).into_owned()
}

/// With `***` for the user, the values of the query, and the fragment (which tokens come in, too).
fn masked(url: &str) -> Cow<'_, str> {
    let (rest, fragment) = split(url, '#');
    let (rest, query) = split(rest, '?');
    let (before, user, place) = split_user(rest);
    let is_bare = [user, query, fragment]
        .iter()
        .all(|part| part.is_none_or(str::is_empty));
    if is_bare {
        return Cow::Borrowed(url);
    }
    let mut out = before.to_owned();
    if user.is_some() {
        out += MASK;
        out.push('@');
    }
    out += place;
    if let Some(query) = query {
        let parameters: Vec<_> = query.split('&').map(masked_parameter).collect();
        out.push('?');
        out += &parameters.join("&");
    }
    if let Some(fragment) = fragment {
        out.push('#');
        out += if fragment.is_empty() { "" } else { MASK };
    }
    Cow::Owned(out)
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

/// `https://`, the user, and the rest from the host on.
fn split_user(url: &str) -> (&str, Option<&str>, &str) {
    let is_scheme = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    let authority = match url.split_once("//") {
        Some(("", _)) => 2,
        Some((scheme, _)) if scheme.strip_suffix(':').is_some_and(is_scheme) => scheme.len() + 2,
        _ => return (url, None, ""),
    };
    let end = url[authority..]
        .find('/')
        .map_or(url.len(), |end| authority + end);
    match url[authority..end].rfind('@') {
        Some(at) => {
            let at = authority + at;
            (&url[..authority], Some(&url[authority..at]), &url[at + 1..])
        }
        None => (url, None, ""),
    }
}

/// `name=***`. A parameter without a value may be a secret itself, also one that ends in the padding of base64.
fn masked_parameter(parameter: &str) -> Cow<'_, str> {
    match parameter.split_once('=') {
        Some((name, value)) if !value.trim_matches('=').is_empty() => Cow::Owned(format!("{name}={MASK}")),
        None if parameter.is_empty() => Cow::Borrowed(parameter),
        _ => Cow::Borrowed(MASK),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_headers_are_masked_but_of_those_that_are_known_to_be_harmless() {
        assert!(HARMLESS.is_sorted());
        let map = |names: &[&'static str]| {
            let pair = |name: &&'static str| (name.parse().unwrap(), "v".parse().unwrap());
            names.iter().map(pair).collect::<HeaderMap>()
        };
        let secret = map(&[
            "authorization",
            "cookie",
            "set-cookie",
            "x-session",
            "x-api-key",
            "x-goog-api-key",
            "x-forwarded-for",
            "tidewire-token",
            "tidewire-stream",
            "idempotency-key",
            "x-something-new",
        ]);
        let masked = Secrets::Masked.headers(&secret);
        assert!(masked.iter().all(|(_, value)| value.is_none()), "{masked:?}");
        let harmless = map(&[
            protocol::LAST_EVENT_ID,
            "accept",
            protocol::TIDEWIRE_RESUME,
            "content-type",
            "origin",
        ]);
        for headers in [Secrets::Masked.headers(&harmless), Secrets::Kept.headers(&secret)] {
            assert!(
                headers.iter().all(|(_, value)| value.as_deref() == Some("v")),
                "{headers:?}"
            );
        }
    }

    #[test]
    fn headers_that_are_urls_are_masked_like_urls() {
        for name in URLS {
            let name: axum::http::HeaderName = name.parse().unwrap();
            let map = HeaderMap::from_iter([(name.clone(), "/a?code=x#y".parse().unwrap())]);
            let headers = Secrets::Masked.headers(&map);
            assert_eq!(headers, [(name.to_string(), Some("/a?code=***#***".to_owned()))]);
        }
    }

    #[test]
    fn a_url_keeps_its_place_and_the_names_of_its_parameters() {
        for (url, kept) in [
            ("/events/a", "/events/a"),
            ("http://h:1/a", "http://h:1/a"),
            ("/events?topic=a&last=2", "/events?topic=***&last=***"),
            ("/e?session=abc&X=", "/e?session=***&***"),
            ("/e?eyJhbGciOi", "/e?***"),
            ("/e?c2VjcmV0==", "/e?***"),
            ("/e?a=b=c&&d=?e", "/e?a=***&&d=***"),
            ("/e?", "/e?"),
            ("/e#", "/e#"),
            ("/cb#access_token=x", "/cb#***"),
            ("https://u:p@h/a", "https://***@h/a"),
            ("https://u:p@q@h?x=1", "https://***@h?x=***"),
            ("//u@h/a", "//***@h/a"),
            ("/a/http://h@x/y", "/a/http://h@x/y"),
            ("https://h/@me", "https://h/@me"),
            ("/e?to=https://u:p@h", "/e?to=***"),
        ] {
            assert_eq!(Secrets::Masked.url(url), kept);
            assert_eq!(Secrets::Kept.url(url), url);
        }
    }
}
