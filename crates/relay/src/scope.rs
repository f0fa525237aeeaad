//! Whose request it is, and what that makes of the keys it brings.
//!
//! Keys are never held or written down as they came: they are hashed together with the route and
//! whom they belong to, so one owner's key is never another's.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts};
use sha2::{Digest as _, Sha256};
use tidewire_doors::{Problem, credentials::HEADERS, guard::Principal};

use super::config::{Owner, Route};

/// What stands for something that is not to be held itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Hash(pub(super) [u8; 32]);

impl Hash {
    /// Of parts, each with its length before it, so that no two lists of parts are one text.
    pub(super) fn of(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash(…)")
    }
}

impl std::str::FromStr for Hash {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(());
        }
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).map_err(drop)?;
        }
        Ok(Self(bytes))
    }
}

/// Whom a request and its keys belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Scope {
    owner: Hash,
    /// None if the request has no credentials: all such callers would share their keys.
    keys: Option<Hash>,
    /// Of all credentials of the request, also where it has an owner beside them.
    shown: Option<Hash>,
}

impl Scope {
    /// Of a request to a route.
    ///
    /// # Errors
    /// 401 if the route has owners and the request names none.
    pub(super) fn of(route: &Route, parts: &Parts) -> Result<Self, Problem> {
        let caller = Principal::of(&parts.extensions);
        let hash = |kind: &str, value: &[u8]| Hash::of(&[route.path.as_bytes(), kind.as_bytes(), value]);
        let shown = credentials(route, &caller, parts);
        let owner = match &route.owner {
            Owner::Capability => {
                let owner = hash("credentials", shown.as_ref().map_or(&[][..], |shown| &shown.0));
                return Ok(Self {
                    owner,
                    keys: keys(route, parts, owner, shown.is_some()),
                    shown,
                });
            }
            Owner::Header(name) => {
                let value = single(&parts.headers, name).filter(|_| caller.is_proxied());
                hash("header", &value.ok_or_else(|| no_owner_header(name))?)
            }
            Owner::Cookie(name) => {
                let value = cookie(&parts.headers, name);
                hash(
                    "cookie",
                    &value.ok_or_else(|| nobody(&format!("send the cookie {name}")))?,
                )
            }
        };
        Ok(Self {
            owner,
            keys: Some(owner),
            shown,
        })
    }

    pub(super) fn hash(self) -> Hash {
        self.owner
    }

    /// A key of this owner; none where nobody knows whose it is.
    pub(super) fn key(self, kind: &str, key: &[u8]) -> Option<Hash> {
        self.keys.map(|owner| Hash::of(&[&owner.0, kind.as_bytes(), key]))
    }

    /// The hash by which a retry of a request is known. Beside the owner its credentials count: another key of the same user is
    /// another request.
    pub(super) fn retry(self, request: Hash) -> Option<Hash> {
        let shown = self.shown.map_or([0; 32], |shown| shown.0);
        self.key("retry", &[shown, request.0].concat())
    }
}

fn no_owner_header(name: &HeaderName) -> Problem {
    nobody(&format!(
        "a trusted proxy (trusted_proxies) has to send the header {name}, once"
    ))
}

fn nobody(wanted: &str) -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "no_owner",
        format!("this route needs the owner of each request: {wanted}"),
    )
}

/// A hash of all credentials of a request: the token of the server, and those for the upstream. All
/// of them count, because one alone may be shared by many callers, as a gateway's is.
fn credentials(route: &Route, caller: &Principal, parts: &Parts) -> Option<Hash> {
    let mut shown: Vec<&[u8]> = Vec::new();
    if let Some(token) = caller.token() {
        shown.extend([b"token", &token[..]]);
    }
    if let Some(subject) = caller.subject() {
        shown.extend([b"user", subject.as_bytes()]);
    }
    let names = HEADERS.iter().copied().filter(|name| *name != header::COOKIE);
    for name in names.chain(route.credential_headers.iter().map(HeaderName::as_str)) {
        for value in parts.headers.get_all(name) {
            shown.extend([name.as_bytes(), value.as_bytes()]);
        }
    }
    let query = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    let parameters: Vec<_> = query
        .filter(|(name, _)| route.is_credential_parameter(name))
        .collect();
    for (name, value) in &parameters {
        shown.extend([b"?", name.as_bytes(), value.as_bytes()]);
    }
    (!shown.is_empty()).then(|| Hash::of(&shown))
}

/// The scope of keys, where requests have no owner. If cookies go on, the upstream may know its
/// users by them, so they count here. They do not count in the owner: a cookie may change while its
/// client still reads the answer.
fn keys(route: &Route, parts: &Parts, owner: Hash, shows_credentials: bool) -> Option<Hash> {
    let mut cookies = parts.headers.get_all(header::COOKIE).iter().peekable();
    if !route.pass_cookies || cookies.peek().is_none() {
        return shows_credentials.then_some(owner);
    }
    let mut all = vec![&owner.0[..]];
    all.extend(cookies.map(HeaderValue::as_bytes));
    Some(Hash::of(&all))
}

/// The header's value; none if it is empty or stands twice: the client's own may be beside that of
/// the proxy.
fn single(headers: &HeaderMap, name: &HeaderName) -> Option<Vec<u8>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().filter(|value| !value.is_empty())?;
    values.next().is_none().then(|| first.as_bytes().to_vec())
}

/// The cookie's value; none if it is empty or stands twice.
fn cookie(headers: &HeaderMap, name: &str) -> Option<Vec<u8>> {
    let cookies = headers.get_all(header::COOKIE).iter();
    let pairs = cookies.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    let mut values = pairs.filter_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let (found, value) = (pair[..at].trim_ascii(), pair[at + 1..].trim_ascii());
        (found == name.as_bytes()).then(|| value.to_vec())
    });
    let first = values.next().filter(|value| !value.is_empty())?;
    values.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidewire_doors::guard::Rights;

    fn scope(owner: Owner, headers: &[(&str, &str)]) -> Option<Scope> {
        let route = Route {
            owner,
            ..Route::new("/v1", "http://upstream/v1".parse().unwrap())
        };
        let mut request = http::Request::new(());
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().append(name, value.parse().unwrap());
        }
        let proxied = Principal::new(Rights::None, None, None, true);
        request.extensions_mut().insert(proxied);
        Scope::of(&route, &request.into_parts().0).ok()
    }

    #[test]
    fn keys_belong_to_whom_the_route_says() {
        let of =
            |owner: &Owner, headers: &[(&str, &str)]| scope(owner.clone(), headers).unwrap().key("k", b"1");
        let capability = Owner::Capability;
        assert_eq!(of(&capability, &[]), None, "nobody's");
        let a = of(&capability, &[("authorization", "Bearer a")]);
        assert!(a.is_some());
        assert_eq!(
            a,
            of(
                &capability,
                &[("authorization", "Bearer a"), ("cookie", "user=x")]
            )
        );
        assert_ne!(a, of(&capability, &[("authorization", "Bearer b")]));
        let through = |key| {
            of(
                &capability,
                &[("authorization", "Bearer gateway"), ("x-api-key", key)],
            )
        };
        assert_ne!(through("a"), through("b"), "behind one gateway");
        assert_ne!(
            of(&capability, &[("x-api-key", "a")]),
            of(&capability, &[("api-key", "a")])
        );

        let header = Owner::Header(http::HeaderName::from_static("x-user"));
        assert_eq!(scope(header.clone(), &[("authorization", "Bearer a")]), None);
        for none in [&[("x-user", "")][..], &[("x-user", "anna"), ("x-user", "bert")]] {
            assert_eq!(scope(header.clone(), none), None, "{none:?}");
        }
        let anna = of(&header, &[("x-user", "anna"), ("authorization", "1")]);
        assert_eq!(anna, of(&header, &[("x-user", "anna"), ("authorization", "2")]));
        assert_ne!(anna, of(&header, &[("x-user", "bert")]));

        let cookie = Owner::Cookie("user".into());
        assert_ne!(
            of(&cookie, &[("cookie", "a=b; user=anna; c")]),
            of(&cookie, &[("cookie", "user=bert")])
        );
        for none in ["a=user", "user", "user=", "user=anna; user=bert"] {
            assert_eq!(scope(cookie.clone(), &[("cookie", none)]), None, "{none}");
        }
    }

    #[test]
    fn a_hash_is_read_as_it_was_written() {
        let hash = Hash::of(&[b"a", b"bc"]);
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_ne!(hash, Hash::of(&[b"ab", b"c"]));
        assert_eq!("xyz".parse::<Hash>(), Err(()));
    }
}
