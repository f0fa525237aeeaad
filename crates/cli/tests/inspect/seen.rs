//! What the view is told of what went through.

use serde_json::json;

use super::http::{Conversation, ask, get, request};
use super::tap::Tap;
use super::upstream::Upstream;

/// An answer that is whole.
fn answer(content_type: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nSet-Cookie: hush=1\r\nContent-Length: {length}\r\n\r\n{body}").into()
}

#[test]
fn a_post_whose_answer_is_a_stream_is_seen_with_all_that_came() {
    let body = ": hi\nretry: 3000\nid: 7\nevent: tick\ndata: {\"n\":1}\n\ndata: two\n\n";
    let upstream = Upstream::answering(answer("text/event-stream", body));
    let tap = Tap::of(&upstream.url());
    let asked = request(
        tap.address,
        "POST",
        "/v1/chat?key=hush&x=1",
        "Authorization: Bearer hush\r\nX-Session: hush\r\nReferer: http://h/?s=hush\r\nLast-Event-ID: 6\r\nContent-Length: 4\r\n",
    );
    ask(tap.address, format!("{asked}hush").as_bytes());
    let seen = tap.until_over(1);
    assert_eq!(
        seen.told(),
        [
            "comment hi",
            "retry",
            "event tick 7 {\"n\":1}",
            "event message two"
        ]
    );
    let stream = &seen.stream;
    assert_eq!(stream["request"]["method"], "POST");
    assert_eq!(
        stream["request"]["url"],
        format!("{}/v1/chat?key=***&x=***", upstream.url())
    );
    assert_eq!(stream["came_with"], "6");
    assert_eq!(stream["last_event_id"], "7");
    assert_eq!(stream["ending"], "end");
    assert_eq!(stream["counts"]["bytes"], body.len());
    assert_eq!(stream["counts"]["retry"], 3000);
    assert_eq!(seen.items[2]["size"], 7);
    assert!(seen.items[2]["gap"].is_null() && seen.items[3]["gap"].is_u64());
    assert!(
        stream["request"]["headers"]
            .as_array()
            .unwrap()
            .contains(&json!(["authorization", null]))
    );
    assert!(!format!("{seen:?}").contains("hush"), "{seen:?}");
}

#[test]
fn a_recording_is_the_body_byte_for_byte_and_holds_no_secret() {
    let body = "data: \u{e4}\n\n: \u{1b}[2J\r\n\r\ndata: 2\n\n";
    let upstream = Upstream::answering(answer("text/event-stream", body));
    let tap = Tap::of(&upstream.url());
    get(tap.address, "/a?session=hush");
    tap.until_over(1);
    let answer = tap.recording(1);
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    let disposition = answer.header("content-disposition").unwrap();
    assert_eq!(disposition, "attachment; filename=\"tidewire-stream-1.ndjson\"");
    let lines: Vec<serde_json::Value> = answer
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (head, rest) = lines.split_first().unwrap();
    let (last, chunks) = rest.split_last().unwrap();
    assert_eq!(
        (&head["recording"], &head["format"]),
        (&json!("tidewire"), &json!(1))
    );
    let texts: String = chunks
        .iter()
        .map(|chunk| chunk["text"].as_str().unwrap())
        .collect();
    assert_eq!(texts, body);
    assert_eq!(
        (&last["ending"], &last["bytes"]),
        (&json!("end"), &json!(body.len()))
    );
    assert!(!answer.text().contains("hush"), "{}", answer.text());
}

#[test]
fn the_raw_view_has_the_chunks_as_they_came() {
    let upstream = Upstream::by_hand();
    let tap = Tap::of(&upstream.url());
    let asked = request(tap.address, "GET", "/a", "");
    let mut client = Conversation::begin(tap.address, asked.as_bytes());
    let mut server = upstream.next();
    server.stream();
    client.until("\r\n\r\n");
    let parts = [&b"data: a"[..], b"\n\n", b"\xff\n\n"];
    for (at, part) in parts.into_iter().enumerate() {
        server.chunk(part);
        // Each is there before the next is sent, so they cannot come as one.
        tap.until(1, true, |seen| seen.chunks.len() == at + 1);
    }
    let seen = tap.until(1, true, |seen| seen.chunks.len() == 3);
    let shown: Vec<_> = seen
        .chunks
        .iter()
        .map(|chunk| (&chunk["n"], &chunk["text"], &chunk["base64"]))
        .collect();
    let null = json!(null);
    assert_eq!(
        shown,
        [
            (&json!(1), &json!("data: a"), &null),
            (&json!(2), &json!("\n\n"), &null),
            (&json!(3), &null, &json!("/woK")),
        ]
    );
}

#[test]
fn lines_of_json_are_seen_too() {
    let upstream = Upstream::answering(answer("application/x-ndjson", "{\"a\":1}\n{\"b\":2}\n"));
    let tap = Tap::of(&upstream.url());
    get(tap.address, "/a");
    assert_eq!(tap.until_over(1).told(), ["line {\"a\":1}", "line {\"b\":2}"]);
}

#[test]
fn what_came_in_place_of_a_stream_is_seen_and_what_nobody_asked_as_one_is_not() {
    let upstream =
        Upstream::answering(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 7\r\n\r\nno key!".to_vec());
    let tap = Tap::of(&upstream.url());
    get(tap.address, "/a.png");
    ask(
        tap.address,
        request(tap.address, "GET", "/events", "Accept: text/event-stream\r\n").as_bytes(),
    );
    let seen = tap.until(1, true, |seen| {
        !seen.stream["ending"].is_null() && !seen.chunks.is_empty()
    });
    assert_eq!(seen.ids, [1]);
    assert_eq!(
        (&seen.stream["form"], &seen.stream["response"]["status"]),
        (&json!("other"), &json!(401))
    );
    assert_eq!(seen.chunks[0]["text"], "no key!");
    assert!(seen.items.is_empty());
}

#[test]
fn the_doctor_says_what_is_wrong_with_what_went_through() {
    let upstream = Upstream::answering(answer("text/event-stream", "data: a\n\ndata: b\n\ndatum: c\n\n"));
    let tap = Tap::of(&upstream.url());
    get(tap.address, "/a");
    tap.until_over(1);
    let findings = tap.findings(1);
    let severe: Vec<_> = findings
        .iter()
        .filter(|finding| finding["severity"] == "warning" || finding["severity"] == "error")
        .map(|finding| finding["code"].as_str().unwrap())
        .collect();
    assert!(severe.contains(&"no-ids"), "{findings:#?}");
    assert!(findings.iter().all(|finding| finding["what"].is_string()));
}

#[test]
fn readers_that_come_again_are_seen_with_what_they_came_with() {
    let upstream = Upstream::answering(answer("text/event-stream", "id: 1\ndata: a\n\n"));
    let tap = Tap::of(&upstream.url());
    for id in ["", "Last-Event-ID: 1\r\n", "Last-Event-ID: \u{e4}\r\n"] {
        ask(tap.address, request(tap.address, "GET", "/a", id).as_bytes());
    }
    let came_with = [1, 2, 3].map(|id| tap.until_over(id).stream["came_with"].clone());
    assert_eq!(came_with, [json!(null), json!("1"), json!("\u{e4}")]);
}

#[test]
fn secrets_are_kept_on_request() {
    let upstream = Upstream::answering(answer("text/event-stream", "data: 1\n\n"));
    let tap = Tap::with(&upstream.url(), &["--keep-secrets"]);
    ask(
        tap.address,
        request(tap.address, "GET", "/a?session=hush", "X-Session: hush\r\n").as_bytes(),
    );
    let seen = tap.until_over(1);
    let asked = &seen.stream["request"];
    assert_eq!(asked["url"], format!("{}/a?session=hush", upstream.url()));
    let headers = asked["headers"].as_array().unwrap();
    assert!(headers.contains(&json!(["x-session", "hush"])), "{headers:?}");
}
