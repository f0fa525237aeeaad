//! An answer that a token opened: it belongs to who showed the token, and must not lead the token away.
//!
//! | header | rule |
//! |---|---|
//! | `Cache-Control` | caches keep answers to `Authorization` for nobody else (RFC 9111 § 3.5), but do not know our header and our cookies |
//! | `Location` | programs drop `Authorization` where a redirect leads to another host, and send `Tidewire-Token` there |

use http::{HeaderMap, HeaderName, HeaderValue, header, uri::Authority};
use url::Url;

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

/// Whether a location names no host, as clients read it: some take `/\host` and tabs for `//host`.
fn is_path(location: &HeaderValue) -> bool {
    let read = |base: &str| Url::parse(base).ok()?.join(location.to_str().ok()?).ok();
    // Only what names no host has the host of each base.
    ["http://one.invalid/", "https://another.invalid/"]
        .into_iter()
        .all(|base| {
            let (base, read) = (Url::parse(base).ok(), read(base));
            base.zip(read)
                .is_some_and(|(base, read)| base.origin() == read.origin())
        })
}
