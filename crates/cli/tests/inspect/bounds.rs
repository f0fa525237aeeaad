//! The view has bounds, the streams have none.

use serde_json::json;

use super::http::{Conversation, ask, get, request};
use super::tap::Tap;
use super::upstream::Upstream;

fn stream_of(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[test]
fn the_last_streams_are_kept_and_open_ones_longest() {
    let upstream = Upstream::by_hand();
    let tap = Tap::with(&upstream.url(), &["--keep-streams", "2"]);
    let mut open = Conversation::begin(tap.address, request(tap.address, "GET", "/open", "").as_bytes());
    let mut server = upstream.next();
    server.stream();
    open.until("\r\n\r\n");
    for id in 2..=4 {
        let client = Conversation::begin(tap.address, request(tap.address, "GET", "/short", "").as_bytes());
        let mut short = upstream.next();
        short.write(&stream_of(b"data: x\n\n"));
        assert_eq!(client.answer("GET").body, b"data: x\n\n");
        tap.until_over(id);
    }
    assert_eq!(tap.until_over(4).ids, [1, 4]);
    assert_eq!(tap.recording(3).status, "HTTP/1.1 404 Not Found");
    server.chunk(b"data: still\n\n");
    open.until("still");
    assert_eq!(
        tap.until(1, false, |seen| !seen.items.is_empty()).told(),
        ["event message still"]
    );
}

#[test]
fn the_last_events_and_the_first_bytes_are_kept() {
    let body: String = (0..500).map(|n| format!("data: {n}\n\n")).collect();
    let upstream = Upstream::answering(stream_of(body.as_bytes()));
    let tap = Tap::with(&upstream.url(), &["--keep-events", "3", "--keep-bytes", "1KiB"]);
    assert_eq!(get(tap.address, "/").body, body.as_bytes());
    let seen = tap.until_over(1);
    assert_eq!(
        seen.told(),
        ["event message 497", "event message 498", "event message 499"]
    );
    assert_eq!(seen.lost, 497);
    assert_eq!(seen.stream["counts"]["events"], 500);
    assert_eq!(seen.stream["is_full"], json!(true));
    let recording = tap.recording(1);
    assert!(
        recording
            .text()
            .contains(r#""ending":"open","why":"the inspector kept its first bytes only""#)
    );
}

#[test]
fn a_page_that_does_not_read_slows_nothing() {
    let event = [&b"data: "[..], &[b'x'; 4_000], b"\n\n"].concat();
    let body = event.repeat(4_000);
    let upstream = Upstream::answering(stream_of(&body));
    let tap = Tap::of(&upstream.url());
    // They ask for everything, and take nothing.
    let lazy = || {
        Conversation::begin(
            tap.page,
            request(tap.page, "GET", "/api/feed?stream=1&raw=true", "").as_bytes(),
        )
    };
    let feeds: Vec<_> = (0..4).map(|_| lazy()).collect();
    let answer = ask(tap.address, request(tap.address, "GET", "/", "").as_bytes());
    assert!(
        answer.body == body,
        "{} of {} bytes",
        answer.body.len(),
        body.len()
    );
    assert!(answer.is_whole);
    let counts = tap.until_over(1).stream["counts"].clone();
    let [seen, missed] = ["bytes", "missed"].map(|name| counts[name].as_u64().unwrap());
    assert_eq!(
        seen + missed,
        body.len() as u64,
        "what the view missed is counted"
    );
    drop(feeds);
}
