//! The path of a request below its route: as it was sent, unless it could lead out of the route.
//!
//! An encoded slash is a part of a name (`meta-llama%2FLlama-3`) and goes on as it is. Upstreams
//! and proxies differ in how often they decode a path and where they then cut it, so the path is
//! looked at after each decoding, with every sign that one of them takes for the end of a segment.

use std::{borrow::Cow, iter::successors};

use percent_encoding::percent_decode;
use tidewire_doors::{Problem, problem::shorten};

use super::config::Route;

/// How often a path may be encoded. Names that are encoded twice exist, more is a disguise.
const MAX_ENCODINGS: usize = 3;

/// Refuses a path that could lead out of its route, here or at the upstream.
///
/// # Errors
/// 400: dot segments, backslashes, overlong UTF-8, or too many encodings.
pub(super) fn check(rest: &str) -> Result<(), Problem> {
    let bad = |what: &str| {
        let detail = format!("the path {} {what}: send the path that is meant", shorten(rest));
        Err(Problem::bad_request("bad_path", detail))
    };
    for (decodings, path) in spellings(rest).enumerate() {
        if decodings > MAX_ENCODINGS {
            return bad(&format!("is encoded more than {MAX_ENCODINGS} times"));
        }
        if path.contains(&b'\\') {
            return bad("holds a backslash");
        }
        if path.split(|byte| *byte == b'/').any(is_dots) {
            return bad("holds a dot segment");
        }
        if has_other_encoding(&path) {
            return bad("is encoded in a way that no standard has");
        }
    }
    Ok(())
}

/// Refuses a path that an upstream may read as one of a more exact route, whose rules it would pass by.
///
/// # Errors
/// 400, with the route that is meant.
pub(super) fn check_route(routes: &[Route], route: &Route, path: &str) -> Result<(), Problem> {
    let is_below =
        |other: &&Route| other.path.len() > route.path.len() && other.path.starts_with(&route.path);
    let is_meant = |other: &&Route| spellings(path).any(|path| begins_with(&path, other.path.as_bytes()));
    match routes.iter().filter(is_below).find(is_meant) {
        Some(other) => {
            let (path, other) = (shorten(path), &other.path);
            let detail =
                format!("the path {path} may mean the route {other}: write it as the route is written");
            Err(Problem::bad_request("bad_path", detail))
        }
        None => Ok(()),
    }
}

/// A path after no decoding, one, two, and so on: one more than there may be.
fn spellings(path: &str) -> impl Iterator<Item = Cow<'_, [u8]>> {
    let decode = |path: &Cow<'_, [u8]>| {
        let decoded: Vec<u8> = percent_decode(path).collect();
        (decoded != **path).then_some(Cow::Owned(decoded))
    };
    successors(Some(Cow::Borrowed(path.as_bytes())), decode).take(MAX_ENCODINGS + 2)
}

/// Whether one path begins with the segments of another for a server that skips empty segments, cuts off parameters and takes
/// capital letters for small ones.
fn begins_with(path: &[u8], other: &[u8]) -> bool {
    let segments = |path| {
        let all = <[u8]>::split(path, |byte| *byte == b'/');
        let names = all.map(|segment| segment.split(|byte| *byte == b';').next().unwrap_or_default());
        names.filter(|name| !name.is_empty())
    };
    let mut names = segments(path);
    segments(other).all(|name| names.next().is_some_and(|found| found.eq_ignore_ascii_case(name)))
}

/// Whether a segment is `.` or `..` to some server. Servlet containers cut parameters off
/// (`..;a=b`), proxies that decode first a query or a fragment; Windows and URL parsers skip spaces
/// and control characters.
fn is_dots(segment: &[u8]) -> bool {
    let mut ends = segment.split(|byte| matches!(byte, b';' | b'?' | b'#'));
    let name = ends.next().unwrap_or_default();
    let is_seen = |byte: &&u8| !byte.is_ascii_control() && **byte != b' ';
    let seen = || name.iter().filter(is_seen);
    matches!(seen().count(), 1 | 2) && seen().all(|byte| *byte == b'.')
}

/// Overlong UTF-8 (`%c0%ae` is a dot to some decoders), and `%u002e` of old Windows servers.
fn has_other_encoding(path: &[u8]) -> bool {
    let is_overlong = |pair: &[u8]| pair[0] == 0xe0 && (0x80..0xa0).contains(&pair[1]);
    let is_unicode = |head: &[u8]| head.eq_ignore_ascii_case(b"%u00");
    path.iter().any(|byte| matches!(byte, 0xc0 | 0xc1))
        || path.windows(2).any(is_overlong)
        || path.windows(4).any(is_unicode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_encoded_slashes_and_dots_go_on() {
        for good in [
            "",
            "/",
            "/models/meta-llama%2FLlama-3",
            "/models/meta-llama%2fLlama-3.1%3Afree",
            "/models/a%252Fb",
            "/models/gpt-4%2e1",
            "/models/.hidden/..x/...",
            "/files/100%25",
            "/files/100%",
            "/files/%E2%80%A6/a%20b",
            "/files/%2F%2Fa",
            "/a;b=..",
        ] {
            assert!(check(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn no_path_leaves_its_route_however_it_is_encoded() {
        for bad in [
            "/..",
            "/a/./b",
            "/%2e%2E/x",
            "/.%2e",
            "/a%2F..%2F..%2Fadmin",
            "/a%2f%2e%2e%2fadmin",
            "/a%252F%252e%252e%252Fadmin",
            "/%25252e%25252e/x",
            "/%%32e%%32e/x",
            "/%2%65%2%65/x",
            "/%25%32%65%25%32%65/x",
            "/..;/x",
            "/..%3bx=y/x",
            "/..%253b/x",
            "/..%00/x",
            "/..%20/x",
            "/.%09./x",
            "/..%23",
            "/..%3Fx",
            "/a%5Cb",
            "/a%255c..%255cb",
            "/a\\..\\b",
            "/%c0%ae%c0%ae/x",
            "/%e0%80%ae%e0%80%ae/x",
            "/..%c0%afx",
            "/%u002e%u002e/x",
            "/%25u002e%25u002e/x",
            "/a%252525252fb",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    /// What a server makes of a path that decodes it so often: the segments below its root, or none
    /// if the path leads above it.
    fn below_root(path: &[u8], decodings: usize) -> Option<usize> {
        let mut path = path.to_vec();
        for _ in 0..decodings {
            path = percent_decode(&path).collect();
        }
        let mut depth = 0_usize;
        for segment in path.split(|byte| matches!(byte, b'/' | b'\\')) {
            match segment.split(|byte| *byte == b';').next().unwrap_or_default() {
                b"" | b"." => {}
                b".." => depth = depth.checked_sub(1)?,
                _ => depth += 1,
            }
        }
        Some(depth)
    }

    #[test]
    fn what_goes_on_stays_below_its_route_for_a_server_that_decodes_as_often_as_it_likes() {
        const PARTS: [&str; 16] = [
            "/", "..", ".", "%2e", "%2F", "%5c", "\\", "%25", "%", "2e", "2f", "5c", ";", "%3B", "a", "25",
        ];
        let mut passed = 0;
        for number in 0..PARTS.len().pow(4) {
            let picked = (0..4).map(|at| PARTS[number / PARTS.len().pow(at) % PARTS.len()]);
            let path: String = std::iter::once("/").chain(picked).collect();
            if check(&path).is_ok() {
                passed += 1;
                for decodings in 0..=6 {
                    assert!(below_root(path.as_bytes(), decodings).is_some(), "{path}");
                }
            }
        }
        assert!(passed > 500, "{passed}");
    }
}
