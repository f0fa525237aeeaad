//! Our credential in a request: where it stands, which one counts, and that it goes no further.
//!
//! | place | counts |
//! |---|---|
//! | header `Tidewire-Token` | always, alone |
//! | header `Authorization` | if it holds a token of ours; else it may be for an upstream |
//! | a cookie, by names in order | for GET and HEAD; two of one name count as none |
//! | parameter `access_token` | for GET and HEAD |
//!
//! Invariants: only a request that changes nothing may carry a token in its URL or in a cookie, which foreign pages
//! can make a browser send. Behind the guard, nothing is left of our names, nor of an `Authorization` that is ours,
//! whether it was needed, right, or neither.

use std::borrow::Cow;

use axum::extract::{OriginalUri, Request};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Uri,
    header::{AUTHORIZATION, COOKIE},
    uri::PathAndQuery,
};
use percent_encoding::percent_decode_str;
use tidewire_codec::protocol;

use super::{
    principal::Rights,
    tokens::{Known, Tokens},
};
use crate::credentials::COOKIES;

/// The header that carries a token where `Authorization` is an upstream's.
pub(super) const HEADER: HeaderName = HeaderName::from_static(protocol::TIDEWIRE_TOKEN);
/// The query parameter that carries a token.
pub(super) const PARAMETER: &str = "access_token";

/// Where a token stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Header,
    Cookie,
    Query,
}

/// What a request shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Nothing,
    /// Credentials of another kind, such as a proxy's.
    Other,
    /// A token that is none of ours.
    Wrong,
    /// Two, where one can stand.
    Doubled,
    Token(Known, Place),
}

/// The names of cookies that carry a token.
#[derive(Debug, Clone)]
pub(super) struct Cookies(Vec<String>);

impl Default for Cookies {
    fn default() -> Self {
        Self::new(COOKIES.iter().map(|name| (*name).to_owned()))
    }
}

impl Cookies {
    pub(super) fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().collect())
    }

    /// The last one, which every site can set.
    pub(super) fn example(&self) -> Option<&str> {
        self.0.last().map(String::as_str)
    }

    fn is_ours(&self, cookie: &[u8]) -> bool {
        self.0.iter().any(|name| name.as_bytes() == name_of(cookie))
    }
}

/// Takes the credentials of ours off a request, and gives the one that counts. On a route that needs nothing of us (`is_open`), a
/// parameter of our name that holds no token of ours stays: its upstream may have the same name for its own.
pub(super) fn take(tokens: &Tokens, cookies: &Cookies, is_open: bool, request: &mut Request) -> Shown {
    let shown = find(tokens, cookies, request);
    strip(tokens, cookies, is_open, request);
    shown
}

pub(super) fn changes_nothing(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}

fn find(tokens: &Tokens, cookies: &Cookies, request: &Request) -> Shown {
    let headers = request.headers();
    match one(headers, &HEADER) {
        Some(Ok(value)) => {
            let known = tokens.find(value.as_bytes().trim_ascii());
            return known.map_or(Shown::Wrong, |known| Shown::Token(known, Place::Header));
        }
        Some(Err(())) => return Shown::Doubled,
        None => {}
    }
    let mut shown = match one(headers, &AUTHORIZATION) {
        Some(Ok(value)) => match bearer(value) {
            Some(token) => match tokens.find(token) {
                Some(known) => return Shown::Token(known, Place::Header),
                None => Shown::Wrong,
            },
            None => Shown::Other,
        },
        Some(Err(())) => return Shown::Doubled,
        None => Shown::Nothing,
    };
    if !changes_nothing(request.method()) {
        return shown;
    }
    for token in in_cookies(cookies, headers) {
        match tokens.find(&token) {
            Some(known) => return Shown::Token(known, Place::Cookie),
            None => shown = Shown::Wrong,
        }
    }
    let mut in_query = in_query(request.uri().query().unwrap_or_default());
    match (in_query.next(), in_query.next()) {
        (Some(_), Some(_)) => Shown::Doubled,
        (Some(token), None) => match tokens.find(&token) {
            Some(known) => Shown::Token(known, Place::Query),
            None => Shown::Wrong,
        },
        (None, _) => shown,
    }
}

/// The value of a header that may stand once.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Result<&'a HeaderValue, ()>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    Some(values.next().map_or(Ok(first), |_| Err(())))
}

fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let value = value.as_bytes();
    let end = value.iter().position(u8::is_ascii_whitespace);
    let (scheme, token) = value.split_at(end.unwrap_or(value.len()));
    scheme.eq_ignore_ascii_case(b"bearer").then(|| token.trim_ascii())
}

/// The values of our cookies, by the order of their names. Scripts write a cookie's value percent-encoded, servers as
/// it is.
fn in_cookies(cookies: &Cookies, headers: &HeaderMap) -> Vec<Vec<u8>> {
    let of_name = |name: &String| {
        let all = headers.get_all(COOKIE).iter().flat_map(pairs);
        let mut all = all.filter(|cookie| name.as_bytes() == name_of(cookie));
        match (all.next(), all.next()) {
            // Another host of the site may have set one of two.
            (Some(cookie), None) => {
                let value = cookie.splitn(2, |b| *b == b'=').nth(1)?;
                Some(percent_encoding::percent_decode(value.trim_ascii()).collect())
            }
            _ => None,
        }
    };
    cookies.0.iter().filter_map(of_name).collect()
}

fn pairs(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    value.as_bytes().split(|b| *b == b';')
}

fn name_of(cookie: &[u8]) -> &[u8] {
    let name = cookie.split(|b| *b == b'=').next().unwrap_or_default();
    name.trim_ascii()
}

/// Decoded, but a plus stays one: there are tokens with a plus, and none with a space.
fn in_query(query: &str) -> impl Iterator<Item = Cow<'_, [u8]>> {
    query.split('&').filter(|pair| is_parameter(pair)).map(|pair| {
        let value = pair.split_once('=').map_or("", |(_, value)| value);
        percent_decode_str(value).into()
    })
}

fn is_parameter(pair: &str) -> bool {
    let name = pair.split_once('=').map_or(pair, |(name, _)| name);
    Cow::from(percent_decode_str(name)) == PARAMETER.as_bytes()
}

fn strip(tokens: &Tokens, cookies: &Cookies, is_open: bool, request: &mut Request) {
    let headers = request.headers_mut();
    headers.remove(HEADER);
    keep(headers, &AUTHORIZATION, |value| {
        let is_ours = bearer(value).is_some_and(|token| tokens.find(token).is_some());
        (!is_ours).then(|| value.clone())
    });
    keep(headers, &COOKIE, |value| {
        if !pairs(value).any(|cookie| cookies.is_ours(cookie)) {
            return Some(value.clone());
        }
        let others: Vec<_> = pairs(value)
            .filter(|cookie| !cookies.is_ours(cookie))
            .map(<[u8]>::trim_ascii)
            .collect();
        // What was a part of a header is a header.
        let others = HeaderValue::from_bytes(&others.join(&b"; "[..])).ok();
        others.filter(|value| !value.is_empty())
    });
    let is_ours = |pair: &str| {
        let ours = || in_query(pair).any(|token| tokens.find(&token).is_some());
        is_parameter(pair) && (!is_open || ours())
    };
    if let Some(uri) = without(request.uri(), is_ours) {
        *request.uri_mut() = uri;
    }
    // The router keeps the address as it came beside it.
    if let Some(OriginalUri(original)) = request.extensions_mut().get_mut()
        && let Some(uri) = without(original, is_ours)
    {
        *original = uri;
    }
}

/// Puts another value, or none, in place of each one of a header.
fn keep(headers: &mut HeaderMap, name: &HeaderName, value: impl Fn(&HeaderValue) -> Option<HeaderValue>) {
    if !headers.contains_key(name) {
        return;
    }
    let kept: Vec<_> = headers.get_all(name).iter().filter_map(value).collect();
    headers.remove(name);
    for value in kept {
        headers.append(name, value);
    }
}

/// The same address without these parameters, if it has some.
fn without(uri: &Uri, is_ours: impl Fn(&str) -> bool) -> Option<Uri> {
    let query = uri.query()?;
    if !query.split('&').any(&is_ours) {
        return None;
    }
    let others: Vec<_> = query.split('&').filter(|pair| !is_ours(pair)).collect();
    let target = match others.is_empty() {
        true => uri.path().to_owned(),
        false => format!("{}?{}", uri.path(), others.join("&")),
    };
    let mut parts = uri.clone().into_parts();
    // A part of an address is one. If it were none, the path alone is.
    parts.path_and_query = PathAndQuery::try_from(target)
        .or_else(|_| PathAndQuery::try_from(uri.path()))
        .ok();
    Uri::from_parts(parts).ok()
}

impl Shown {
    /// The rights and the token's SHA-256.
    pub(super) fn known(self) -> (Rights, Option<[u8; 32]>) {
        match self {
            Self::Token(known, _) => (known.rights, Some(known.hash)),
            _ => (Rights::None, None),
        }
    }

    /// Whether no page of a stranger can have made a browser show it.
    pub(super) fn is_meant(self) -> bool {
        matches!(self, Self::Token(_, Place::Header | Place::Query))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::request;
    use super::*;

    fn tokens() -> Tokens {
        let tokens = Tokens::default().publish(["publish".parse().unwrap()]);
        tokens.read(["read".parse().unwrap()])
    }

    fn taken(method: &str, target: &str, headers: &[(HeaderName, &str)]) -> (Shown, Request) {
        let mut request = request(method, target, headers);
        let shown = take(&tokens(), &Cookies::default(), false, &mut request);
        (shown, request)
    }

    fn place(method: &str, target: &str, headers: &[(HeaderName, &str)]) -> Option<(Rights, Place)> {
        match taken(method, target, headers).0 {
            Shown::Token(known, place) => Some((known.rights, place)),
            _ => None,
        }
    }

    #[test]
    fn a_header_wins_over_a_cookie_and_a_cookie_over_the_query() {
        let (theirs, ours) = (
            (AUTHORIZATION, "Bearer sk-theirs"),
            (AUTHORIZATION, "Bearer read"),
        );
        let cookie = (COOKIE, "tidewire_token=publish");
        let query = "/events?access_token=read";
        let (read, publish) = (Rights::Read, Rights::Everything);
        for (target, headers, expected) in [
            (
                query,
                &[(HEADER, "publish"), ours.clone()][..],
                (publish, Place::Header),
            ),
            (query, &[ours.clone(), cookie.clone()], (read, Place::Header)),
            (query, &[theirs.clone(), cookie.clone()], (publish, Place::Cookie)),
            (query, std::slice::from_ref(&theirs), (read, Place::Query)),
            (
                "/events",
                &[(
                    COOKIE,
                    "tidewire_token=read; __Secure-tidewire=x; __Host-tidewire=publish",
                )],
                (publish, Place::Cookie),
            ),
            // A cookie that another host set does not lock anybody out.
            (query, &[(COOKIE, "tidewire_token=x")], (read, Place::Query)),
            (
                "/events",
                &[
                    (COOKIE, "__Host-tidewire=x; __Host-tidewire=y"),
                    (COOKIE, "tidewire_token=read"),
                ],
                (read, Place::Cookie),
            ),
        ] {
            assert_eq!(place("GET", target, headers), Some(expected), "{headers:?}");
        }
        let twice = [(COOKIE, "tidewire_token=read; tidewire_token=read")];
        assert_eq!(taken("GET", "/events", &twice).0, Shown::Nothing);
        assert_eq!(
            taken("GET", query, &[(HEADER, "x"), ours.clone()]).0,
            Shown::Wrong
        );
        assert_eq!(taken("GET", query, &[ours.clone(), ours]).0, Shown::Doubled);
        assert_eq!(place("POST", query, &[cookie]), None);
    }

    #[test]
    fn a_parameter_of_our_name_stays_where_nothing_of_us_is_needed_and_it_is_none_of_ours() {
        let left = |is_open| {
            let mut request = request("GET", "/v1?access_token=theirs&access_token=read&a", &[]);
            take(&tokens(), &Cookies::default(), is_open, &mut request);
            request.uri().to_string()
        };
        assert_eq!(left(true), "/v1?access_token=theirs&a");
        assert_eq!(left(false), "/v1?a");
    }

    #[test]
    fn nothing_of_ours_is_left_behind_the_guard() {
        let (_, left) = taken(
            "POST",
            "/v1/models?a=1&access%5Ftoken=read&b&access_token&%61ccess_token=x",
            &[
                (HEADER, "wrong"),
                (AUTHORIZATION, "Bearer sk-theirs"),
                (AUTHORIZATION, "bearer  publish"),
                (AUTHORIZATION, "Bearer\tread"),
                (COOKIE, "a=b; tidewire_token=read;c=d"),
                (COOKIE, "__Host-tidewire = x"),
            ],
        );
        assert_eq!(left.uri(), "/v1/models?a=1&b");
        let headers: Vec<_> = left.headers().iter().collect();
        assert_eq!(
            headers,
            [
                (&AUTHORIZATION, &HeaderValue::from_static("Bearer sk-theirs")),
                (&COOKIE, &HeaderValue::from_static("a=b; c=d")),
            ]
        );
        let (_, left) = taken("GET", "/v1/models?access_token=x", &[(COOKIE, "a=b;c=d")]);
        assert_eq!(left.uri(), "/v1/models");
        assert_eq!(left.headers()[COOKIE], "a=b;c=d", "as it was");
        let mut nested = request("GET", "/a?access_token=x", &[]);
        let original = OriginalUri("/app/a?access_token=x".parse().unwrap());
        nested.extensions_mut().insert(original);
        take(&tokens(), &Cookies::default(), false, &mut nested);
        assert_eq!(nested.uri(), "/a");
        assert_eq!(nested.extensions().get::<OriginalUri>().unwrap().0, "/app/a");
        let (_, left) = taken("GET", "http://localhost/v1?access_token=x&y", &[]);
        assert_eq!(left.uri(), "http://localhost/v1?y");
    }
}
