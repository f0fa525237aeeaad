//! S9: the same stream as NDJSON, for servers that talk to servers; and event streams that show topics.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tidewire_doors::plain;
use tidewire_hub::{
    Config, Hub,
    archive::{Memory, Retention},
};
use tokio::time::Instant;
use tower::ServiceExt as _;

use crate::{
    client::{End, Reader, request},
    server::{Door, keep_events},
};

const NDJSON: (&str, &str) = ("Accept", "application/x-ndjson");

fn open(door: &Door, target: &str, headers: &[(&str, &str)]) -> Reader {
    let reader = door.server.get(target, headers);
    assert_eq!(reader.head.status, 200);
    reader
}

#[track_caller]
fn line(reader: &mut Reader) -> Value {
    serde_json::from_str(&reader.until("\n")).unwrap()
}

#[test]
fn s9_an_event_is_a_json_object_a_line() {
    let door = Door::open();
    let mut reader = open(&door, "/events/a", &[NDJSON]);
    assert_eq!(reader.head.get("content-type"), Some("application/x-ndjson"));
    for (name, value) in [
        ("cache-control", "no-cache, no-transform"),
        ("x-accel-buffering", "no"),
        ("tidewire-heartbeat", "15"),
        ("tidewire-resume", "live"),
        ("vary", "Accept"),
    ] {
        assert_eq!(reader.head.get(name), Some(value), "{name}");
    }
    door.post("/events/a", "one\r\ntwo \"quoted\"");
    door.post("/events/a?id=my-2&event=price&retry=2500", "{\"eur\":3}");
    door.post("/events/a", "");
    for wanted in [
        json!({"id": door.at(1), "event": "message", "topic": "a", "data": "one\r\ntwo \"quoted\""}),
        json!({"id": "my-2", "event": "price", "topic": "a", "retry": 2500, "data": "{\"eur\":3}"}),
        json!({"id": door.at(3), "event": "message", "topic": "a", "data": ""}),
    ] {
        assert_eq!(line(&mut reader), wanted);
    }
}

#[test]
fn s9_accept_decides_and_the_answer_has_the_name_that_was_asked_for() {
    let door = Door::open();
    for (accept, wanted) in [
        ("application/x-ndjson", "application/x-ndjson"),
        ("application/ndjson", "application/ndjson"),
        ("application/stream+json", "application/stream+json"),
        (
            "Application/Stream+JSON; charset=utf-8",
            "application/stream+json",
        ),
        ("application/*", "application/x-ndjson"),
        (
            "application/x-ndjson, text/event-stream;q=0.9",
            "application/x-ndjson",
        ),
        (
            "application/x-ndjson;q=0.9, text/event-stream;q=0.1",
            "application/x-ndjson",
        ),
        ("text/event-stream;q=0, */*", "application/x-ndjson"),
        ("*/*", "text/event-stream; charset=utf-8"),
        (
            "application/x-ndjson, text/event-stream",
            "text/event-stream; charset=utf-8",
        ),
        (
            "application/x-ndjson;q=0.5, text/event-stream;q=0.5",
            "text/event-stream; charset=utf-8",
        ),
        (
            "application/stream+json;q=0.2, text/*;q=0.3",
            "text/event-stream; charset=utf-8",
        ),
    ] {
        let reader = open(&door, "/events/a", &[("Accept", accept)]);
        assert_eq!(reader.head.get("content-type"), Some(wanted), "{accept}");
    }
    let twice = [("Accept", "text/html"), NDJSON];
    let reader = open(&door, "/events/a", &twice);
    assert_eq!(reader.head.get("content-type"), Some("application/x-ndjson"));
}

#[test]
fn s9_a_body_negotiates_as_a_query_does() {
    let door = Door::open();
    for (method, target) in [("QUERY", "/events"), ("POST", "/subscribe")] {
        let mut client = door.connect();
        client.send(request(method, target, &[NDJSON], "{\"topic\":\"a\"}"));
        let mut reader = client.reader();
        assert_eq!(reader.head.get("content-type"), Some("application/x-ndjson"));
        door.post("/events/a", "x");
        assert_eq!(line(&mut reader)["data"], "x");
    }
}

#[test]
fn s9_an_event_of_several_topics_names_those_that_are_read() {
    let door = Door::open();
    let mut both = open(&door, "/events?topic=a&topic=b", &[NDJSON]);
    let mut one = open(&door, "/events/b", &[NDJSON]);
    door.post("/events?topic=a&topic=b&topic=c", "x");
    let seen = line(&mut both);
    assert_eq!(
        (&seen["topic"], &seen["topics"]),
        (&json!("a"), &json!(["a", "b"]))
    );
    let seen = line(&mut one);
    assert_eq!((&seen["topic"], seen.get("topics")), (&json!("b"), None));
}

#[test]
fn s9_resume_gap_and_prime_are_lines_too() {
    let door = Door::with(Config::default(), keep_events(2));
    for data in ["1", "2", "3"] {
        door.post("/events/a", data);
    }
    let at = |seq| door.at(seq);
    let mut resumed = open(
        &door,
        &format!("/events/a?last_event_id={}&prime=1", at(2)),
        &[NDJSON],
    );
    assert_eq!(line(&mut resumed), json!({ "id": at(2) }));
    assert_eq!(line(&mut resumed)["data"], "3");
    let mut gap = open(&door, "/events/a?last_event_id=nobody", &[NDJSON]);
    assert_eq!(gap.head.get("tidewire-resume"), Some("gap"));
    let notice = line(&mut gap);
    assert_eq!(
        (&notice["event"], &notice["id"]),
        (&json!("tidewire.gap"), &json!(at(1)))
    );
    assert_eq!(notice.get("topic"), None);
    let told: Value = serde_json::from_str(notice["data"].as_str().unwrap()).unwrap();
    assert_eq!(told["requested"], "nobody");
    assert_eq!(line(&mut gap)["data"], "2");
}

#[test]
fn s9_an_end_finishes_the_body_and_a_drain_cuts_it() {
    let door = Door::open();
    let ended = open(&door, "/events/a", &[NDJSON]);
    door.post("/events/a?end", "");
    ended.finished();
    let nothing_left = door.ask("GET", "/events/a", &[NDJSON], "");
    assert_eq!(
        (nothing_left.status(), nothing_left.head.get("vary")),
        (204, Some("Accept"))
    );
    let headers = [NDJSON, ("Content-Type", "application/json")];
    let empty = door.ask("POST", "/subscribe", &headers, "{\"topic\":\"a\"}");
    assert_eq!((empty.status(), empty.body.as_str()), (200, ""));
    assert_eq!(empty.head.get("content-type"), Some("application/x-ndjson"));

    let mut cut = open(&door, "/events/b", &[NDJSON]);
    door.post("/events/b", "x");
    door.drain();
    assert_eq!(line(&mut cut)["data"], "x");
    assert_eq!(
        cut.rest(),
        (String::new(), End::Cut),
        "there is no line for when to come again"
    );
}

/// The clock is paused, so nobody waits.
#[tokio::test(start_paused = true)]
async fn s9_the_heartbeat_of_ndjson_is_an_empty_line() {
    let hub = Hub::start(Config::default(), Memory::new(Retention::default())).unwrap();
    let router = plain::router(hub, plain::Config::default());
    let request = Request::get("/events/a").header(NDJSON.0, NDJSON.1);
    let response = router.oneshot(request.body(Body::empty()).unwrap()).await;
    let mut body = response.unwrap().into_body();
    let start = Instant::now();
    for beat in 1..=3 {
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "\n");
        assert!(start.elapsed() >= Duration::from_secs(15 * beat));
    }
}

#[test]
fn s11_an_event_stream_shows_topics_to_who_asks() {
    let door = Door::open();
    let mut shown = door.get("/events?topic=a&topic=b&show=topic");
    let mut plain = door.get("/events?topic=a&topic=b");
    door.post("/events/a?event=price", "1");
    door.post("/events?topic=a&topic=b&topic=c", "2");
    for topics in [&["a"][..], &["a", "b"]] {
        let block = shown.block();
        let named: Vec<_> = block
            .lines()
            .filter_map(|line| line.strip_prefix("topic: "))
            .collect();
        assert_eq!(named, topics);
        assert!(!plain.block().contains("topic"));
    }
}
