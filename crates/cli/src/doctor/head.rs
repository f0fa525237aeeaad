//! The head of the response: status, redirects, type, charset, caching, what it tells proxies.

use reqwest::{StatusCode, Version};
use tidewire_codec::protocol;

use super::finding::Finding;
use super::observation::{Head, Observation};
use super::reading::Reading;
use super::words::{quoted, time};

/// Says what there is to say, and whether what follows is a stream that is worth a look.
pub(super) fn look(observation: &Observation, reading: &Reading) -> Vec<Finding> {
    let Some(head) = &observation.head else {
        return vec![no_head(observation)];
    };
    let mut found = redirects(observation);
    found.push(status(head, reading));
    if head.status != StatusCode::OK {
        return found;
    }
    found.push(media_type(head, reading));
    if !head.is_event_stream() {
        return found;
    }
    found.extend(charset(head));
    found.extend(caching(head));
    found.extend(proxies(head));
    found.extend(length(head));
    found.extend(version(observation, head));
    found
}

fn no_head(observation: &Observation) -> Finding {
    use super::observation::End;
    match &observation.end {
        End::Cut(_, why) => Finding::error("unreachable", format!("No answer: {why}."))
            .why("There is nothing to look at.")
            .mend("you", "check the address, and that the server runs"),
        End::Open(at) | End::Finished(at) => Finding::error(
            "no-head",
            format!("Nothing came for {}, not even the response's head.", time(*at)),
        )
        .why(
            "A reader does not know that it is connected: EventSource stays CONNECTING. Either the server sends its head only with \
             the first event, or something on the way (nginx does so by default) collects the answer.",
        )
        .mend("Node, Express", "res.flushHeaders()")
        .mend("Go", "w.WriteHeader(200); w.(http.Flusher).Flush()")
        .mend("nginx", "proxy_buffering off;")
        .mend("the server", "send the header X-Accel-Buffering: no, which nginx obeys"),
    }
}

fn redirects(observation: &Observation) -> Vec<Finding> {
    let Some(last) = observation.redirects.last() else {
        return Vec::new();
    };
    let hops = observation.redirects.len();
    let what = format!(
        "The answer came after {} ({}), from {}.",
        super::words::count(hops, "redirect"),
        last.status.as_u16(),
        last.shown
    );
    let downgraded =
        |hop: &super::observation::Redirect| hop.from.scheme() == "https" && hop.to.scheme() == "http";
    if observation.redirects.iter().any(downgraded) {
        return vec![
            Finding::error("redirect", format!("{what} It leads from https to http."))
                .why("Browsers refuse that in a page that was loaded by https, and everybody on the way can read along.")
                .mend("the server", "redirect to the https address"),
        ];
    }
    vec![
        Finding::note("redirect", what)
            .why("Every reconnection goes this way again; fetch drops credentials where it leads to another origin.")
            .mend("the page", format!("open {} directly", last.shown)),
    ]
}

fn status(head: &Head, reading: &Reading) -> Finding {
    let status = head.status;
    if status == StatusCode::OK {
        return Finding::fine("status", "200");
    }
    if status == StatusCode::NO_CONTENT {
        return Finding::warning("status", "The status is 204: this stream has nothing (more) to say.")
            .why("EventSource takes it as the end and never comes back. That is right for a stream that is over, wrong for one that is only quiet.")
            .mend("the server", "answer 200 and keep the stream open, if it is not over");
    }
    let said = said(&reading.begin).map_or(String::new(), |said| format!(" It says {}.", quoted(&said)));
    let finding = Finding::error("status", format!("The status is {status}.{said}"))
        .why("EventSource takes anything but 200 as final: it fires `error` and does not come back.");
    match status.as_u16() {
        401 | 403 => finding
            .mend("here", "-H 'Authorization: Bearer …' shows the token to the server")
            .mend("the page", "EventSource cannot send headers: use a cookie, a query parameter, or a client built on fetch"),
        404 => finding.mend("you", "check the path"),
        405 => finding.mend("here", "-X POST, if the stream is the answer to a POST"),
        406 => finding.mend("the server", "accept `Accept: text/event-stream`"),
        415 | 422 => finding.mend("here", "-d and -H 'Content-Type: …' give the request its body"),
        429 => match head.text("retry-after") {
            Some(after) => finding.mend("you", format!("come again later (Retry-After: {after})")),
            None => finding.mend("you", "come again later"),
        },
        500.. => finding.mend("the server", "look into its log, and that of the proxy before it"),
        _ => finding,
    }
}

/// What an error's body says: the detail of a problem (RFC 9457) or its like, else its first line.
fn said(body: &[u8]) -> Option<String> {
    let json = serde_json::from_slice::<serde_json::Value>(body).ok();
    let told = json.as_ref().and_then(|json| {
        let text = |name| json.get(name)?.as_str();
        text("detail")
            .or_else(|| text("message"))
            .or_else(|| text("error"))
    });
    if let Some(told) = told {
        return Some(told.to_owned());
    }
    let text = String::from_utf8_lossy(body);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    line.map(str::to_owned)
}

fn media_type(head: &Head, reading: &Reading) -> Finding {
    let essence = head.essence();
    if essence.as_deref() == Some(protocol::EVENT_STREAM) {
        return Finding::fine("type", "text/event-stream");
    }
    let found = essence.map_or("missing".to_owned(), |essence| quoted(&essence));
    let begin = String::from_utf8_lossy(&reading.begin);
    let begin = begin.trim_start_matches('\u{feff}').trim_start();
    let looks = match begin {
        _ if !reading.events.is_empty() => ", though the body is one",
        _ if begin.starts_with(['{', '[']) => "; the body is JSON",
        _ if begin.starts_with('<') => "; the body is a page (a login or an error?)",
        _ => "",
    };
    Finding::error(
        "type",
        format!("The Content-Type is {found}, not text/event-stream{looks}."),
    )
    .why("EventSource refuses any other type and does not come back.")
    .mend("the server", "Content-Type: text/event-stream")
    .mend("Express", "res.set('Content-Type', 'text/event-stream')")
    .mend(
        "FastAPI",
        "StreamingResponse(events(), media_type='text/event-stream')",
    )
}

fn charset(head: &Head) -> Option<Finding> {
    let full = head.text("content-type")?;
    let charset = full.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let is_charset = name.trim().eq_ignore_ascii_case("charset");
        is_charset.then(|| value.trim().trim_matches('"').to_owned())
    })?;
    if charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    let what = format!("The charset is said to be {}.", quoted(&charset));
    Some(
        Finding::error("charset", what)
            .why("An event stream is UTF-8, always. Chromium refuses a stream that says anything else; others read it as UTF-8 all the same.")
            .mend("the server", "Content-Type: text/event-stream; charset=utf-8"),
    )
}

/// What caches add when they answer themselves.
fn is_from_cache(head: &Head) -> bool {
    let age = head.text("age").and_then(|age| age.parse::<u64>().ok());
    let hit = |name| {
        head.text(name)
            .is_some_and(|value| value.to_ascii_lowercase().contains("hit"))
    };
    age.is_some_and(|age| age > 0) || hit("x-cache") || hit("cf-cache-status")
}

fn caching(head: &Head) -> Vec<Finding> {
    const CACHE: &str = "Cache-Control: no-cache, no-transform";
    let control = head.list("cache-control");
    let seconds = |name: &str| {
        let value = control
            .iter()
            .find_map(|item| item.strip_prefix(name)?.strip_prefix('='));
        value.and_then(|value| value.trim_matches('"').parse::<u64>().ok())
    };
    let forbids = control
        .iter()
        .any(|item| matches!(item.as_str(), "no-store" | "no-cache" | "private"));
    if is_from_cache(head) {
        let finding = Finding::error("cached", "The answer came out of a cache, not from the server.")
            .why("A cached stream is an old one: readers get yesterday's events again at each reconnection.");
        return vec![finding.mend("the server", CACHE)];
    }
    let keeps = ["max-age", "s-maxage"]
        .into_iter()
        .find_map(|name| Some((name, seconds(name).filter(|seconds| *seconds > 0)?)));
    if let Some((name, seconds)) = keeps
        && !control
            .iter()
            .any(|item| matches!(item.as_str(), "no-store" | "no-cache"))
    {
        let what = format!("Caches may keep the answer for {seconds} s ({name}={seconds}).");
        let finding = Finding::warning("cacheable", what)
            .why("A cache collects the whole answer before it passes it on, and gives it again to the next reader.");
        return vec![finding.mend("the server", CACHE)];
    }
    if !forbids {
        let what = match control.is_empty() {
            true => "There is no Cache-Control.".to_owned(),
            false => format!(
                "Cache-Control does not forbid caching: {}.",
                quoted(&control.join(", "))
            ),
        };
        let finding = Finding::note("cacheable", what)
            .why("Whether a cache on the way keeps the answer is then up to the cache; `no-transform` also keeps proxies from compressing it.");
        return vec![finding.mend("the server", CACHE)];
    }
    vec![Finding::fine("caching", control.join(", "))]
}

fn proxies(head: &Head) -> Option<Finding> {
    let behind_nginx = is_nginx(head);
    match head.text(protocol::X_ACCEL_BUFFERING).as_deref() {
        Some(value) if value.eq_ignore_ascii_case("no") => {
            Some(Finding::fine("x-accel-buffering", "X-Accel-Buffering: no"))
        }
        Some(value) => Some(
            Finding::warning("x-accel-buffering", format!("X-Accel-Buffering is {}.", quoted(value)))
                .why("Only `no` keeps nginx from collecting the answer.")
                .mend("the server", "X-Accel-Buffering: no"),
        ),
        // nginx takes the header for itself, so behind it nobody can tell.
        None if behind_nginx => None,
        None => Some(
            Finding::note("x-accel-buffering", "There is no X-Accel-Buffering.")
                .why("nginx collects answers in blocks of 4 or 8 KiB unless the server, or its own settings, say otherwise. Other proxies do not care.")
                .mend("the server", "X-Accel-Buffering: no")
                .mend("nginx", "proxy_buffering off;"),
        ),
    }
}

/// Whether nginx, or what is built on it, gave the answer.
pub(super) fn is_nginx(head: &Head) -> bool {
    let server = head.text("server").unwrap_or_default().to_ascii_lowercase();
    ["nginx", "openresty", "tengine"]
        .iter()
        .any(|name| server.contains(name))
}

fn length(head: &Head) -> Option<Finding> {
    let length = head.text("content-length")?;
    Some(
        Finding::warning("content-length", format!("The length of the body is announced (Content-Length: {length})."))
            .why("Who knows the length has the whole answer already. That is a file, not a stream; and EventSource asks for it again each time it ends.")
            .mend("the server", "send no Content-Length, and write each event when it happens"),
    )
}

fn version(observation: &Observation, head: &Head) -> Option<Finding> {
    if head.version >= Version::HTTP_2 {
        return None;
    }
    if head.version == Version::HTTP_10 || head.version == Version::HTTP_09 {
        return Some(
            Finding::warning("http-1.0", "The answer is HTTP/1.0.")
                .why("It has no chunks, so a reader cannot tell an end from a cut.")
                .mend("nginx", "proxy_http_version 1.1;")
                .mend("the server", "answer in HTTP/1.1"),
        );
    }
    let mend = match observation.url.scheme() {
        "https" => "offer HTTP/2 (in nginx: http2 on;)",
        _ => "browsers speak HTTP/2 only with TLS: put a proxy in front that does both",
    };
    Some(
        Finding::note("six-connections", "The stream is HTTP/1.1.")
            .why("A browser opens six connections to an origin over HTTP/1.1, all tabs together: the seventh stream waits for ever, and so do all other requests.")
            .mend("the server", mend)
            .mend("the page", "read many topics over one connection, or share one connection among tabs"),
    )
}
