//! An answer that a token opened: it belongs to who showed the token, and must not lead the token away.
//!
//! | header | rule |
//! |---|---|
//! | `Cache-Control` | caches keep answers to `Authorization` for nobody else (RFC 9111 § 3.5), but do not know our header and our cookies |
//! | `Location` | programs drop `Authorization` where a redirect leads to another host, and send `Tidewire-Token` there |

use http::{HeaderMap, HeaderName, HeaderValue, header, uri::Authority};

use super::origin;

/// Keeps an answer out of caches that several users share.
pub(super) fn keep_private(headers: &mut HeaderMap) {
    // Content delivery networks go by these first (RFC 9213).
    let is_targeted = |name: &&HeaderName| {
        name.as_str().ends_with("cdn-cache-control") || name.as_str().starts_with("surrogate-")
    };
    let targeted: Vec<HeaderName> = headers.keys().filter(is_targeted).cloned().collect();
    for name in targeted {
        headers.remove(name);
    }
    let said = headers.get_all(header::CACHE_CONTROL).iter();
    let said = said
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let said: Vec<&str> = said.map(str::trim).collect();
    let is = |directive: &str, name: &str| directive.eq_ignore_ascii_case(name);
    if said.iter().any(|said| {
        ["private", "no-cache", "no-store"]
            .iter()
            .any(|name| is(said, name))
    }) {
        return;
    }
    let is_for_all = |directive: &&str| {
        let name = directive.split('=').next().unwrap_or_default();
        is(name, "public") || is(name, "s-maxage")
    };
    let mut kept: Vec<&str> = said.into_iter().filter(|said| !is_for_all(said)).collect();
    kept.push("private");
    let kept = HeaderValue::try_from(kept.join(", "));
    headers.insert(
        header::CACHE_CONTROL,
        kept.unwrap_or(HeaderValue::from_static("private")),
    );
}

/// Removes a redirect that leads to another host.
pub(super) fn stay(host: Option<&Authority>, headers: &mut HeaderMap) {
    let leaves = |location: &HeaderValue| !is_path(location) && !origin::is_same(location.as_bytes(), host);
    if headers.get_all(header::LOCATION).iter().any(leaves) {
        headers.remove(header::LOCATION);
    }
}

/// Whether a location names no host, as clients read it (WHATWG URL): some take `/\host` for `//host`, and all pass
/// over tabs and line ends. Whatever has a scheme counts as one with a host.
fn is_path(location: &HeaderValue) -> bool {
    let passed_over = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r');
    let text = location
        .as_bytes()
        .iter()
        .copied()
        .filter(|byte| !passed_over(byte));
    let text: Vec<u8> = text.skip_while(|byte| *byte <= b' ').collect();
    let is_slash = |byte: &u8| matches!(byte, b'/' | b'\\');
    let names_host = text.len() >= 2 && text[..2].iter().all(is_slash);
    let mut first = text.split(|byte| is_slash(byte) || matches!(byte, b'?' | b'#'));
    let has_scheme = first.next().is_some_and(|segment| segment.contains(&b':'));
    !names_host && !has_scheme
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    /// Whether the location leaves each host that it is read at.
    fn leaves(location: &str) -> bool {
        ["http://one.invalid/", "https://another.invalid/"]
            .iter()
            .any(|base| {
                let base = Url::parse(base).unwrap();
                base.join(location)
                    .map_or(true, |read| read.origin() != base.origin())
            })
    }

    #[test]
    fn a_location_that_clients_read_as_another_host_is_no_path() {
        for path in ["/", "", "a", "/a//b", "?a:b", "#:", "a/b:c", "./c:d", "/\u{a0}/x"] {
            assert!(is_path(&HeaderValue::from_str(path).unwrap()), "{path}");
        }
        let alphabet = *b"/\\\t:a.? #@";
        for length in 1..=5_u32 {
            for number in 0..10_usize.pow(length) {
                let byte = |at| alphabet[number / 10_usize.pow(at) % 10];
                let text: Vec<u8> = (0..length).map(byte).collect();
                let Ok(location) = HeaderValue::from_bytes(&text) else {
                    continue;
                };
                let text = str::from_utf8(&text).unwrap();
                assert!(!is_path(&location) || !leaves(text), "{text:?}");
            }
        }
    }
}
