//! The pages, embedded in the binary: `/`, a typing answer and a console that reads and publishes; `/chat`, which asks
//! through the relay; and the page of `tidewire inspect`, `/` on a port of its own.
//!
//! Owns the files under `pages/`, their addresses, and the headers that keep them safe: a strict
//! Content-Security-Policy, no sniffing, no referrer. Does not own what the page talks to
//! (`/events`, `/demo`, `/v1`, `/relay`), nor the Host check, which guards these routes as it guards all others.
//!
//! Invariants: nothing is read from the disk at run time; every file under `pages/` is served, and
//! nothing else is. A browser asks again for each file (`no-cache`) and gets a 304 while the binary
//! is the same, so a page never mixes modules of two versions.

use std::future::ready;
use std::hash::{DefaultHasher, Hash, Hasher};

use axum::Router;
use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use axum::routing::get;
use tidewire_doors::guard::{Declared, Need};

/// Scripts, styles, images and connections of our own only; nothing inline, nothing framed.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
/// The same, and no text becomes markup, whoever tries: for pages that show what nobody here has written.
const STRICT_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'",
);

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const CSS: HeaderValue = HeaderValue::from_static("text/css; charset=utf-8");
const SCRIPT: HeaderValue = HeaderValue::from_static("text/javascript; charset=utf-8");
const SVG: HeaderValue = HeaderValue::from_static("image/svg+xml");

/// One embedded file.
#[derive(Clone)]
struct Asset {
    path: &'static str,
    content_type: HeaderValue,
    policy: HeaderValue,
    bytes: &'static [u8],
}

/// An [`Asset`] at `/assets/` plus its path below `pages/`.
macro_rules! asset {
    ($content_type:expr, $path:literal) => {
        Asset {
            path: concat!("/assets/", $path),
            content_type: $content_type,
            policy: POLICY,
            bytes: include_bytes!(concat!("../pages/", $path)),
        }
    };
}

/// The server's own pages.
fn site() -> Vec<Asset> {
    vec![
        Asset {
            path: "/",
            content_type: HTML,
            policy: POLICY,
            bytes: include_bytes!("../pages/index.html"),
        },
        Asset {
            path: "/chat",
            content_type: HTML,
            policy: STRICT_POLICY,
            bytes: include_bytes!("../pages/chat.html"),
        },
    ]
}

/// The page of `tidewire inspect`.
fn inspect() -> Asset {
    Asset {
        path: "/",
        content_type: HTML,
        policy: STRICT_POLICY,
        bytes: include_bytes!("../pages/inspect.html"),
    }
}

/// What pages load.
fn assets() -> Vec<Asset> {
    vec![
        asset!(CSS, "chat.css"),
        asset!(SVG, "icon.svg"),
        asset!(CSS, "inspect.css"),
        asset!(SCRIPT, "js/addresses.js"),
        asset!(SCRIPT, "js/answer-state.js"),
        asset!(SCRIPT, "js/answer-view.js"),
        asset!(SCRIPT, "js/answer.js"),
        asset!(SCRIPT, "js/bars.js"),
        asset!(SCRIPT, "js/browser-stream.js"),
        asset!(SCRIPT, "js/chat/blocks.js"),
        asset!(SCRIPT, "js/chat/conversation-view.js"),
        asset!(SCRIPT, "js/chat/conversation.js"),
        asset!(SCRIPT, "js/chat/delta.js"),
        asset!(SCRIPT, "js/chat/kept.js"),
        asset!(SCRIPT, "js/chat/main.js"),
        asset!(SCRIPT, "js/chat/pace.js"),
        asset!(SCRIPT, "js/chat/share.js"),
        asset!(SCRIPT, "js/chat/text-view.js"),
        asset!(SCRIPT, "js/client-stream.js"),
        asset!(SCRIPT, "js/client.js"),
        asset!(SCRIPT, "js/clock.js"),
        asset!(SCRIPT, "js/controls.js"),
        asset!(SCRIPT, "js/copy.js"),
        asset!(SCRIPT, "js/curl.js"),
        asset!(SCRIPT, "js/event-list.js"),
        asset!(SCRIPT, "js/event-log.js"),
        asset!(SCRIPT, "js/event-rows.js"),
        asset!(SCRIPT, "js/frame.js"),
        asset!(SCRIPT, "js/gap.js"),
        asset!(SCRIPT, "js/i18n.js"),
        asset!(SCRIPT, "js/info.js"),
        asset!(SCRIPT, "js/inspect/attempts-view.js"),
        asset!(SCRIPT, "js/inspect/facts-view.js"),
        asset!(SCRIPT, "js/inspect/feed.js"),
        asset!(SCRIPT, "js/inspect/findings-view.js"),
        asset!(SCRIPT, "js/inspect/groups-view.js"),
        asset!(SCRIPT, "js/inspect/item-log.js"),
        asset!(SCRIPT, "js/inspect/items-view.js"),
        asset!(SCRIPT, "js/inspect/main.js"),
        asset!(SCRIPT, "js/inspect/model.js"),
        asset!(SCRIPT, "js/inspect/rows.js"),
        asset!(SCRIPT, "js/inspect/state.js"),
        asset!(SCRIPT, "js/inspect/texts-en.js"),
        asset!(SCRIPT, "js/inspect/texts-zh.js"),
        asset!(SCRIPT, "js/interval-plot.js"),
        asset!(SCRIPT, "js/intervals.js"),
        asset!(SCRIPT, "js/journal-view.js"),
        asset!(SCRIPT, "js/journal.js"),
        asset!(SCRIPT, "js/main.js"),
        asset!(SCRIPT, "js/members.js"),
        asset!(SCRIPT, "js/meters.js"),
        asset!(SCRIPT, "js/notice.js"),
        asset!(SCRIPT, "js/plot.js"),
        asset!(SCRIPT, "js/publisher.js"),
        asset!(SCRIPT, "js/rate-plot.js"),
        asset!(SCRIPT, "js/rate.js"),
        asset!(SCRIPT, "js/refused.js"),
        asset!(SCRIPT, "js/request.js"),
        asset!(SCRIPT, "js/room.js"),
        asset!(SCRIPT, "js/state-view.js"),
        asset!(SCRIPT, "js/stream-facts.js"),
        asset!(SCRIPT, "js/subscriber-view.js"),
        asset!(SCRIPT, "js/subscriber.js"),
        asset!(SCRIPT, "js/subscription-form.js"),
        asset!(SCRIPT, "js/texts-en.js"),
        asset!(SCRIPT, "js/texts-zh.js"),
        asset!(SCRIPT, "js/token.js"),
        asset!(SCRIPT, "js/topic-choice.js"),
        asset!(SCRIPT, "js/topics.js"),
        asset!(SCRIPT, "js/units.js"),
        asset!(SCRIPT, "js/vendor/qrcode-generator.js"),
        asset!(SCRIPT, "js/vendor/tidewire.js"),
        asset!(SCRIPT, "js/watched.js"),
        asset!(CSS, "style.css"),
    ]
}

/// Serves the server's pages and what they load. Other methods than GET and HEAD are 405 with `Allow`.
pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    serve(site())
}

/// The pages' addresses, with what each of them needs.
pub fn routes() -> impl Iterator<Item = Declared> {
    const READ: &[(&str, Need)] = &[("GET", Need::Open), ("HEAD", Need::Open)];
    site()
        .into_iter()
        .chain(assets())
        .map(|asset| Declared::new(asset.path, READ))
}

/// Serves the page of `tidewire inspect` and what it loads.
pub fn inspector<S: Clone + Send + Sync + 'static>() -> Router<S> {
    serve(vec![inspect()])
}

fn serve<S: Clone + Send + Sync + 'static>(pages: Vec<Asset>) -> Router<S> {
    let all = pages.into_iter().chain(assets());
    all.fold(Router::new(), |router, asset| {
        let path = asset.path;
        let tag = entity_tag(asset.bytes);
        let serve = move |headers: HeaderMap| ready(respond(&asset, &tag, &headers));
        router.route(path, get(serve))
    })
}

fn respond(asset: &Asset, tag: &HeaderValue, request: &HeaderMap) -> Response<Body> {
    let mut response = Response::default();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(CONTENT_SECURITY_POLICY, asset.policy.clone());
    headers.insert(ETAG, tag.clone());
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if knows(request, tag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        headers.insert(CONTENT_TYPE, asset.content_type.clone());
        *response.body_mut() = Body::from(asset.bytes);
    }
    response
}

/// A strong tag: it changes with the bytes. The hash need not withstand an adversary, since both
/// sides of the comparison come from our own build.
fn entity_tag(bytes: &[u8]) -> HeaderValue {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let tag = format!("\"{:016x}\"", hasher.finish());
    HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Does the client say that it has this version? (RFC 9110, section 13.1.2; the comparison is weak,
/// because a cache in between may have weakened the tag.)
fn knows(request: &HeaderMap, tag: &HeaderValue) -> bool {
    let candidates = request.get_all(IF_NONE_MATCH).iter();
    candidates
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|candidate| candidate == "*" || candidate.trim_start_matches("W/") == tag)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use super::*;

    fn files_below(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let (folders, mut files): (Vec<_>, Vec<_>) = paths.partition(|path| path.is_dir());
        files.extend(folders.iter().flat_map(|folder| files_below(folder)));
        files
    }

    fn index() -> Asset {
        site().swap_remove(0)
    }

    #[test]
    fn every_file_below_pages_is_served() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("pages");
        let files: BTreeSet<String> = files_below(&root)
            .iter()
            .map(|file| file.strip_prefix(&root).unwrap().to_str().unwrap())
            .map(|name| format!("/assets/{}", name.replace('\\', "/")))
            .filter(|name| !name.ends_with(".html"))
            .collect();
        let served = assets().iter().map(|asset| asset.path.to_owned()).collect();
        assert_eq!(files, served);
    }

    #[test]
    fn no_page_has_an_inline_script_or_style() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("pages");
        let files = files_below(&root);
        let pages = files
            .iter()
            .filter(|file| file.extension().is_some_and(|end| end == "html"));
        let served: Vec<_> = site().into_iter().chain([inspect()]).collect();
        assert_eq!(pages.count(), served.len());
        for page in served {
            let html = std::str::from_utf8(page.bytes).unwrap();
            assert!(!html.contains("<style"), "styles belong into style.css");
            assert!(!html.contains(" style="), "styles belong into style.css");
            assert!(!html.contains(" on"), "handlers belong into the modules");
            let scripts = html.matches("<script").count();
            assert_eq!(scripts, html.matches("<script type=\"module\" src=").count());
        }
    }

    #[test]
    fn a_first_visit_gets_the_page_with_its_policy() {
        let response = respond(&index(), &entity_tag(b"page"), &HeaderMap::new());
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[CONTENT_TYPE], HTML);
        assert_eq!(response.headers()[CONTENT_SECURITY_POLICY], POLICY);
        assert_eq!(response.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(response.headers()[REFERRER_POLICY], "no-referrer");
        assert_eq!(response.headers()[CACHE_CONTROL], "no-cache");
    }

    #[test]
    fn the_chat_and_the_inspector_let_no_text_become_markup() {
        for page in [site().swap_remove(1), inspect()] {
            let response = respond(&page, &entity_tag(b"page"), &HeaderMap::new());
            let policy = response.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
            let (same, more) = policy.split_at(POLICY.to_str().unwrap().len());
            assert_eq!(same, POLICY);
            assert_eq!(more, "; require-trusted-types-for 'script'; trusted-types 'none'");
        }
    }

    #[test]
    fn a_known_version_is_not_sent_again() {
        let tag = entity_tag(b"page");
        let status = |if_none_match: &str| {
            let value = HeaderValue::from_str(if_none_match).unwrap();
            let request = HeaderMap::from_iter([(IF_NONE_MATCH, value)]);
            respond(&index(), &tag, &request).status()
        };
        let text = tag.to_str().unwrap();
        assert_eq!(status(text), StatusCode::NOT_MODIFIED);
        assert_eq!(status(&format!("\"other\", W/{text}")), StatusCode::NOT_MODIFIED);
        assert_eq!(status("*"), StatusCode::NOT_MODIFIED);
        assert_eq!(status("\"other\""), StatusCode::OK);
        assert_ne!(tag, entity_tag(b"another page"));
    }
}
