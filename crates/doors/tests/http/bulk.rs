//! S10: many events in one request, in both formats, while the body still comes.

use std::{convert::Infallible, time::Duration};

use axum::body::Body;
use futures_util::{StreamExt as _, stream};
use http::Request;
use serde_json::json;
use tidewire_doors::plain;
use tidewire_hub::{
    Config, Hub,
    archive::{Memory, Retention},
};
use tower::ServiceExt as _;

use crate::{
    client::{Client, Response},
    server::Door,
};

pub const EVENT_STREAM: [(&str, &str); 1] = [("Content-Type", "text/event-stream")];
pub const NDJSON: [(&str, &str); 1] = [("Content-Type", "application/x-ndjson")];

/// Begins a publish of many, whose body is sent in chunks.
pub fn begin(door: &Door, target: &str, kind: &str) -> Client {
    let mut client = door.connect();
    client.send(format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
    ));
    client
}

pub fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

#[track_caller]
fn assert_told(response: &Response, first: &str, last: &str, count: u64) {
    assert_eq!(response.status(), 200, "{response:?}");
    assert_eq!(response.head.get("content-type"), Some("application/json"));
    assert_eq!(response.head.get("cache-control"), Some("no-store"));
    assert_eq!(
        response.json(),
        json!({"first": first, "last": last, "count": count})
    );
}

#[test]
fn s10_an_event_stream_publishes_its_events_in_order() {
    let door = Door::open();
    let mut reader = door.get("/events/a");
    let body = "data: one\n\nid: my-2\nevent: price\nretry: 2500\ndata: 1\ndata: 2\n\n: comment\nunknown: x\n\n\
                data:three\n\n";
    let response = door.ask("POST", "/events/a", &EVENT_STREAM, body);
    assert_told(&response, &door.at(1), &door.at(3), 3);
    reader.expect(&format!("id: {}\ndata: one\n\n", door.at(1)));
    reader.expect("id: my-2\nevent: price\nretry: 2500\ndata: 1\ndata: 2\n\n");
    reader.expect(&format!("id: {}\ndata: three\n\n", door.at(3)));
}

#[test]
fn s10_ndjson_publishes_a_line_an_event() {
    let door = Door::open();
    let mut reader = door.get("/events/a");
    let body = "{\"data\":\"one\"}\n\n \r\n\
                {\"data\":\"two\\nlines\",\"id\":\"my-2\",\"event\":\"price\",\"retry\":2500}\r\n\
                {\"data\": {\"b\": 1.0, \"a\": [1, null]} }";
    let response = door.ask("POST", "/events/a", &NDJSON, body);
    assert_told(&response, &door.at(1), &door.at(3), 3);
    assert_eq!(reader.data(), "one");
    reader.expect("id: my-2\nevent: price\nretry: 2500\ndata: two\ndata: lines\n\n");
    assert_eq!(reader.data(), r#"{"b":1.0,"a":[1,null]}"#);
}

#[test]
fn s10_data_in_ndjson_is_a_text_or_any_json() {
    let door = Door::open();
    let mut reader = door.get("/events/a");
    for (data, wanted) in [
        (r#""""#, ""),
        (r#""{\"a\":1}""#, r#"{"a":1}"#),
        (r#""\u00e9 \ud83c\udf0a""#, "é 🌊"),
        ("null", "null"),
        ("true", "true"),
        ("1e400", "1e400"),
        ("[ ]", "[]"),
        (r#"{ "spaced out" : " \" " }"#, r#"{"spaced out":" \" "}"#),
    ] {
        let body = format!("{{\"data\":{data}}}");
        assert_eq!(door.ask("POST", "/events/a", &NDJSON, &body).status(), 200);
        assert_eq!(reader.data(), wanted);
    }
}

#[test]
fn s10_the_content_type_tells_the_format() {
    let door = Door::open();
    for (kind, body) in [
        ("text/event-stream", "data: x\n\n"),
        ("Text/Event-Stream; charset=utf-8", "data: x\n\n"),
        ("application/x-ndjson", "{\"data\":\"x\"}\n"),
        ("application/ndjson", "{\"data\":\"x\"}\n"),
        ("application/jsonl", "{\"data\":\"x\"}\n"),
        ("application/stream+json; charset=utf-8", "{\"data\":\"x\"}\n"),
    ] {
        let response = door.ask("POST", "/events/a", &[("Content-Type", kind)], body);
        assert_eq!(response.json()["count"], 1, "{kind}");
        assert_eq!(door.get("/events/a?last=1").data(), "x");
    }
}

#[test]
fn s10_lines_end_as_they_like_and_a_byte_order_mark_is_none_of_theirs() {
    let door = Door::open();
    let mut reader = door.get("/events/a");
    for (headers, body, wanted) in [
        (EVENT_STREAM, "\u{feff}data: 1\r\n\r\ndata: 2\r\rdata: 3\n\n", 3),
        (NDJSON, "\u{feff}{\"data\":1}\r\n{\"data\":2}\n{\"data\":3}", 3),
    ] {
        let response = door.ask("POST", "/events/a", &headers, body);
        assert_eq!(response.json()["count"], wanted);
        assert_eq!([reader.data(), reader.data(), reader.data()], ["1", "2", "3"]);
    }
}

#[test]
fn s10_an_unfinished_last_block_counts_as_the_body_is_complete() {
    let door = Door::open();
    for body in [
        "data: 1\n\ndata: 2\n",
        "data: 1\n\ndata: 2",
        "data: 1\n\nid: x\ndata: 2",
    ] {
        let response = door.ask("POST", "/events/a", &EVENT_STREAM, body);
        assert_eq!(response.json()["count"], 2, "{body:?}");
        assert_eq!(door.get("/events/a?last=1").data(), "2");
    }
    let unfinished_id = "data: 1\nid: my-id";
    let response = door.ask("POST", "/events/b", &EVENT_STREAM, unfinished_id);
    assert_eq!(response.json()["last"], "my-id");
}

#[test]
fn s10_an_event_is_published_while_the_body_still_comes() {
    let door = Door::open();
    let mut reader = door.get("/events/a");
    for (kind, one, two) in [
        ("text/event-stream", "data: 1\r\r", "data: 2\n\n"),
        ("application/x-ndjson", "{\"data\":1}\n", "{\"data\":2}\n"),
    ] {
        let mut client = begin(&door, "/events/a", kind);
        for (event, wanted) in [(one, "1"), (two, "2")] {
            for byte in event.chars() {
                client.send(chunk(&byte.to_string()));
            }
            assert_eq!(reader.data(), wanted, "the body has not ended");
        }
        client.send("0\r\n\r\n");
        assert_eq!(client.response().json()["count"], 2);
    }
}

#[test]
fn s10_a_bulk_may_end_its_streams() {
    let door = Door::open();
    let mut readers = [door.get("/events/a"), door.get("/events/b")];
    let response = door.ask(
        "POST",
        "/events?topic=a&topic=b&end=true",
        &EVENT_STREAM,
        "data: 1\n\ndata: 2\n\n",
    );
    assert_told(&response, &door.at(1), &door.at(2), 2);
    for reader in &mut readers {
        assert_eq!([reader.data(), reader.data()], ["1", "2"]);
    }
    for reader in readers {
        reader.finished();
    }
    let empty = door.ask("POST", "/events/c?end", &NDJSON, "");
    assert_eq!(empty.json()["count"], 0);
    assert_eq!(door.ask("GET", "/events/c", &[], "").status(), 204);
}

#[test]
fn s10_ten_thousand_events_go_in_one_request_and_stay_in_order() {
    let door = Door::open();
    let mut reader = door.get("/events/a");
    let body: String = (0..10_000).map(|number| format!("data: {number}\n\n")).collect();
    let response = door.ask("POST", "/events/a", &EVENT_STREAM, &body);
    assert_told(&response, &door.at(1), &door.at(10_000), 10_000);
    for number in 0..10_000 {
        assert_eq!(reader.data(), number.to_string());
    }
}

#[test]
fn s10_what_one_server_sends_can_be_published_to_another() {
    let (from, to) = (Door::open(), Door::open());
    let mut reader = to.get("/events/copy");
    from.post("/events/a?event=price", "one\ntwo");
    from.post("/events/a?id=my-2&end", "");
    for headers in [EVENT_STREAM, NDJSON] {
        let accept = [("Accept", headers[0].1)];
        let sent = from.ask("GET", "/events/a", &accept, "");
        let first = sent.body.split_inclusive('\n').next().unwrap();
        let retry = if first.starts_with("retry: ") { first } else { "" };
        let response = to.ask("POST", "/events/copy", &headers, &sent.body);
        assert_eq!(response.json()["count"], 2, "{response:?}");
        let id = response.json()["first"].as_str().unwrap().to_owned();
        assert!(
            id.starts_with(to.at(1).trim_end_matches('1')),
            "{id} is a place of its own"
        );
        reader.expect(&format!(
            "id: {id}\nevent: price\n{retry}data: one\ndata: two\n\n"
        ));
        reader.expect("id: my-2\ndata: \n\n");
    }
}

/// The hub is not asked for more than it can take, and neither is the body.
#[tokio::test(start_paused = true)]
async fn s10_a_bulk_is_read_no_faster_than_it_is_published() {
    for (count, event, most_ahead) in [
        (5000, "data: x\n\n".to_owned(), 256),
        (20, format!("data: {}\n\n", "x".repeat(500 << 10)), 2),
    ] {
        let hub = Hub::start(Config::default(), Memory::new(Retention::default())).unwrap();
        let router = plain::router(hub.clone(), plain::Config::default());
        let seen = hub.clone();
        let pieces = stream::iter(1..=count).map(move |number: u64| {
            let ahead = number - seen.position().seq.0;
            // One that waits for its turn, and one that is being read.
            assert!(ahead <= most_ahead + 2, "{ahead} are read ahead");
            Ok::<_, Infallible>(event.clone())
        });
        let request = Request::post("/events/a").header("content-type", "text/event-stream");
        let request = request.body(Body::from_stream(pieces)).unwrap();
        assert_eq!(router.oneshot(request).await.unwrap().status(), 200);
        assert_eq!(hub.position().seq.0, count);
    }
}

/// The clock is paused, so nobody waits.
#[tokio::test(start_paused = true)]
async fn s10_a_slow_bulk_goes_on_as_long_as_something_comes() {
    let hub = Hub::start(Config::default(), Memory::new(Retention::default())).unwrap();
    let router = plain::router(hub.clone(), plain::Config::default());
    let piece = |text: &'static str| async move {
        tokio::time::sleep(Duration::from_secs(20)).await;
        Ok::<_, Infallible>(text)
    };
    let slow = stream::iter(["da", "ta: 1\n", "\n", "data: 2\n\n"]).then(piece);
    let request = Request::post("/events/a").header("content-type", "text/event-stream");
    let request = request.body(Body::from_stream(slow)).unwrap();
    assert_eq!(router.oneshot(request).await.unwrap().status(), 200);
    assert_eq!(hub.position().seq.0, 2);
}
