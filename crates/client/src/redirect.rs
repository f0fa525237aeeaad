//! Where a request goes next when the answer is a redirect (Fetch § 4.4, "HTTP-redirect fetch").
//!
//! Invariant: what only the first origin may see (the caller's headers, credentials in the URL) goes to no
//! other, and does not come back either once a redirect has left that origin.

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use url::Url;

use crate::error::Error;

/// One request of an attempt: the first, or one that a redirect led to.
#[derive(Debug, Clone)]
pub(crate) struct Hop {
    pub(crate) url: Url,
    pub(crate) method: Method,
    pub(crate) body: Option<Bytes>,
    /// All so far were of one origin.
    pub(crate) same_origin: bool,
    /// How many redirects led here.
    pub(crate) number: u32,
}

/// Whether a status is a redirect that is followed.
pub(crate) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

impl Hop {
    /// The first request of an attempt.
    pub(crate) fn first(url: Url, method: Method, body: Option<Bytes>) -> Self {
        Self {
            url,
            method,
            body,
            same_origin: true,
            number: 0,
        }
    }

    /// The request that the answer's `Location` asks for.
    pub(crate) fn follow(&self, status: StatusCode, headers: &HeaderMap, max: u32) -> Result<Self, Error> {
        let wrong = |reason| Error::Redirect {
            status,
            from: Box::new(self.url.clone()),
            reason,
        };
        if self.number >= max {
            return Err(Error::TooManyRedirects {
                max,
                at: Box::new(self.url.clone()),
            });
        }
        let location = headers
            .get(header::LOCATION)
            .and_then(|value| str::from_utf8(value.as_bytes()).ok())
            .map(str::trim)
            .filter(|location| !location.is_empty())
            .ok_or_else(|| wrong("it has no Location that can be read"))?;
        let url = self
            .url
            .join(location)
            .map_err(|_| wrong("its Location is no URL"))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(wrong("its Location is neither http nor https"));
        }
        // 303 asks for a GET; 301 and 302 turn a POST into one, as browsers always did.
        let is_post = self.method == Method::POST;
        let becomes_get = match status {
            StatusCode::SEE_OTHER => self.method != Method::HEAD,
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => is_post,
            _ => false,
        };
        let (method, body) = match becomes_get {
            true => (Method::GET, None),
            false => (self.method.clone(), self.body.clone()),
        };
        Ok(Self {
            same_origin: self.same_origin && url.origin() == self.url.origin(),
            url,
            method,
            body,
            number: self.number + 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(method: Method) -> Hop {
        let url = Url::parse("https://a.example/events?x=1").unwrap();
        Hop::first(url, method, Some(Bytes::from_static(b"{}")))
    }

    fn to(location: &'static str) -> HeaderMap {
        let value = http::HeaderValue::from_static(location);
        HeaderMap::from_iter([(header::LOCATION, value)])
    }

    #[test]
    fn methods_change_as_fetch_changes_them() {
        let query = Method::from_bytes(b"QUERY").unwrap();
        for (status, method, becomes) in [
            (301, Method::POST, Method::GET),
            (302, Method::POST, Method::GET),
            (303, Method::POST, Method::GET),
            (307, Method::POST, Method::POST),
            (308, Method::POST, Method::POST),
            (301, query.clone(), query.clone()),
            (303, query, Method::GET),
            (301, Method::GET, Method::GET),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let next = hop(method.clone()).follow(status, &to("/b"), 5).unwrap();
            assert_eq!(next.method, becomes, "{status} {method}");
            let keeps_body = next.method == method && status != StatusCode::SEE_OTHER;
            assert_eq!(next.body.is_some(), keeps_body, "{status} {method}");
        }
    }

    #[test]
    fn what_left_the_origin_once_is_not_trusted_again() {
        let status = StatusCode::TEMPORARY_REDIRECT;
        let same = hop(Method::GET).follow(status, &to("/b"), 5).unwrap();
        assert!(same.same_origin);
        let port = same.follow(status, &to("https://a.example:444/"), 5).unwrap();
        assert!(!port.same_origin);
        let back = port.follow(status, &to("https://a.example/"), 5).unwrap();
        assert!(!back.same_origin);
        let http = hop(Method::GET)
            .follow(status, &to("http://a.example/"), 5)
            .unwrap();
        assert!(!http.same_origin, "another scheme is another origin");
    }

    #[test]
    fn a_location_that_leads_nowhere_is_an_error() {
        let status = StatusCode::FOUND;
        for location in ["", " ", "file:///etc/passwd", "data:,x", "http://[", "mailto:a@b"] {
            let result = hop(Method::GET).follow(status, &to(location), 5);
            assert!(
                matches!(result, Err(Error::Redirect { .. })),
                "{location:?}: {result:?}"
            );
        }
        let none = hop(Method::GET).follow(status, &HeaderMap::new(), 5);
        assert!(matches!(none, Err(Error::Redirect { .. })));
    }

    #[test]
    fn redirects_are_bounded() {
        let mut hop = hop(Method::GET);
        for _ in 0..3 {
            hop = hop.follow(StatusCode::FOUND, &to("/again"), 3).unwrap();
        }
        let over = hop.follow(StatusCode::FOUND, &to("/again"), 3);
        assert!(matches!(over, Err(Error::TooManyRedirects { max: 3, .. })));
    }
}
