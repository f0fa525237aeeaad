//! S10, S8: what is wrong in a body of many events is told with its line, and what was accepted before.

use std::convert::Infallible;

use axum::body::Body;
use futures_util::{StreamExt as _, stream};
use http::Request;
use http_body_util::BodyExt as _;
use tidewire_doors::plain;
use tidewire_hub::{
    Config, Hub,
    archive::{Memory, Retention},
};
use tower::ServiceExt as _;

use crate::{
    bulk::{EVENT_STREAM, NDJSON, begin, chunk},
    client::{Response, request},
    server::Door,
};

/// Checks a problem with the members that a bulk adds; `hint` is a part of what it tells people.
#[track_caller]
fn assert_fault(response: &Response, status: u16, code: &str, line: u64, accepted: u64, hint: &str) {
    let said = response.json();
    assert_eq!(
        (response.status(), &said["code"]),
        (status, &code.into()),
        "{said}"
    );
    assert_eq!(
        (&said["line"], &said["accepted"]),
        (&line.into(), &accepted.into()),
        "{said}"
    );
    assert_eq!(said["last"].is_string(), accepted > 0, "{said}");
    let detail = said["detail"].as_str().unwrap();
    for part in [hint, &format!("line {line}")] {
        assert!(detail.contains(part), "{detail}");
    }
    let told = match accepted {
        0 => "no event was accepted".into(),
        1 => format!(
            "1 event was accepted before, with the id {}",
            said["last"].as_str().unwrap()
        ),
        n => format!("{n} events were accepted before, the last with the id"),
    };
    assert!(detail.contains(&told), "{detail}");
}

#[test]
fn s10_a_broken_line_of_ndjson_is_named() {
    let door = Door::open();
    for (line, code, hint) in [
        ("{\"data\":1", "bad_json", "column 9: EOF"),
        ("{\"data\":1} {}", "bad_json", "column 12: trailing characters"),
        ("{data:1}", "bad_json", "column 2: key must be a string"),
        ("{}", "bad_json", "missing field `data`"),
        ("{\"id\":\"~k3m9x2ab-1\"}", "bad_json", "missing field `data`"),
        ("{\"data\":1,\"typ\":\"x\"}", "bad_json", "unknown field `typ`"),
        ("{\"data\":1,\"data\":2}", "bad_json", "duplicate field `data`"),
        (
            "{\"data\":\"\\ud800\"}",
            "bad_json",
            "`data`: unexpected end of hex escape;",
        ),
        ("{\"data\":1,\"id\":7}", "bad_json", "expected a string"),
        ("{\"data\":1,\"retry\":-1}", "bad_json", "expected u64"),
        ("{\"data\":1,\"retry\":\"5\"}", "bad_json", "expected u64"),
        (
            "{\"data\":1,\"retry\":18446744073709551615}",
            "bad_retry",
            "at most 3600000",
        ),
        ("[1]", "bad_json", "no object"),
        ("\"text\"", "bad_json", "no object"),
        ("hello", "bad_json", "column 1: expected value"),
        ("data: hello", "bad_json", "each line is an event"),
        ("{\"data\":1,\"id\":\"\"}", "bad_id", "is empty"),
        ("{\"data\":1,\"id\":\"a\\nb\"}", "bad_id", "'\\n' at byte 1"),
        ("{\"data\":1,\"id\":\"~x\"}", "bad_id", "start with ~"),
        (
            "{\"data\":1,\"event\":\"a\\u0000\"}",
            "bad_event",
            "'\\0' at byte 1",
        ),
        (
            "{\"data\":1,\"event\":\"tidewire.gap\"}",
            "reserved_event",
            "reserved",
        ),
    ] {
        let body = format!("{{\"data\":\"good\"}}\n\n{line}\n{{\"data\":\"behind\"}}\n");
        let response = door.ask("POST", "/events/a", &NDJSON, &body);
        assert_fault(&response, 400, code, 3, 1, hint);
        assert_eq!(
            door.get("/events/a?last=1").data(),
            "good",
            "nothing behind it was published"
        );
    }
}

#[test]
fn s10_a_broken_block_of_an_event_stream_is_named_by_its_first_line() {
    let door = Door::open();
    for (block, code, hint) in [
        ("id:\ndata: x", "bad_id", "is empty"),
        ("data: x\nid: ~x", "bad_id", "start with ~"),
        ("event: mercure\ndata: x", "reserved_event", "mercure"),
        (
            "retry: 18446744073709551615\ndata: x",
            "bad_retry",
            "at most 3600000",
        ),
        ("event: a\0b\ndata: x", "bad_event", "'\\0' at byte 1"),
    ] {
        let body = format!("data: 1\n\ndata: 2\r\n\r\n{block}\n\ndata: behind\n\n");
        let response = door.ask("POST", "/events/a", &EVENT_STREAM, &body);
        assert_fault(&response, 400, code, 5, 2, hint);
        assert_eq!(door.get("/events/a?last=1").data(), "2");
    }
}

#[test]
fn s10_a_body_without_any_event_is_refused() {
    let door = Door::open();
    for (headers, target, body) in [
        (EVENT_STREAM, "/events/a?end", "{\"data\":1}\n"),
        (EVENT_STREAM, "/events/a?end", "hello"),
        (EVENT_STREAM, "/events/a?end", ": comment\n\n"),
        (EVENT_STREAM, "/events/a?end", "id: 1\n\n"),
        (EVENT_STREAM, "/events/a?end", "\n"),
        (EVENT_STREAM, "/events/a", ""),
        (EVENT_STREAM, "/events/a", ": comment"),
        (NDJSON, "/events/a", ""),
        (NDJSON, "/events/a?end", "\n \n"),
    ] {
        let response = door.ask("POST", target, &headers, body);
        let said = response.json();
        assert_eq!(
            (response.status(), &said["code"]),
            (400, &"no_event".into()),
            "{body:?}"
        );
        let example = match headers == EVENT_STREAM {
            true => "data: hello",
            false => r#"{"data":"hello"}"#,
        };
        assert!(said["detail"].as_str().unwrap().contains(example), "{said}");
        assert_eq!((said.get("line"), &said["accepted"]), (None, &0.into()));
    }
    assert_eq!(door.post("/events/a", "it has not ended"), door.at(1));
}

#[test]
fn s10_what_is_no_utf_8_is_named_by_its_line() {
    let door = Door::open();
    for (headers, before, line) in [(EVENT_STREAM, "data: 1\n\n", 3), (NDJSON, "{\"data\":1}\n", 2)] {
        for broken in [&b"data: \xff\n\n"[..], b"data: \xc3", b"data: \xe2\x82\n\n"] {
            let body = [before.as_bytes(), broken].concat();
            let response = door.connect().ask(request("POST", "/events/a", &headers, body));
            assert_fault(&response, 400, "not_utf8", line, 1, "byte 6");
        }
    }
}

#[test]
fn s10_an_event_of_a_bulk_is_bounded_and_the_body_is_not() {
    let config = Config {
        max_event: 10,
        ..Config::default()
    };
    let door = Door::with(config, Retention::default());
    for (headers, line, body) in [
        (EVENT_STREAM, 3, "data: 1234567890\n\ndata: 12345678901\n\n"),
        (
            EVENT_STREAM,
            4,
            "data: 1234567890\n\ndata: 12345\ndata: 67890\n\n",
        ),
        (EVENT_STREAM, 3, "data: 1234567890\n\ndata: 12345678901"),
        (
            EVENT_STREAM,
            3,
            "data: 1234567890\n\nevent: x\ndata: 1234567890\n\ndata: behind\n\n",
        ),
        (
            EVENT_STREAM,
            3,
            "data: 1234567890\n\nid: x\ndata: 1234567890\n\ndata: behind\n\n",
        ),
        (
            NDJSON,
            2,
            "{\"data\":\"1234567890\"}\n{\"data\":\"12345678901\"}\n{\"data\":\"x\"}",
        ),
    ] {
        let response = door.ask("POST", "/events/a", &headers, body);
        // A line is named where it is too long itself, else the event that is too large.
        let said = response.json()["line"].as_u64().unwrap();
        assert!(said == line || said == line + 1, "{said}");
        assert_fault(&response, 413, "too_large", said, 1, "limits.max_event");
        assert_eq!(door.get("/events/a?last=1").data(), "1234567890");
    }
    for (headers, event) in [
        (EVENT_STREAM, "data: 1234567890\n\n"),
        (NDJSON, "{\"data\":\"1234567890\"}\n"),
    ] {
        let response = door.ask("POST", "/events/b", &headers, &event.repeat(1000));
        assert_eq!(response.json()["count"], 1000);
    }
}

#[test]
fn s10_a_line_that_never_ends_is_refused_while_it_comes() {
    let config = Config {
        max_event: 10,
        ..Config::default()
    };
    let door = Door::with(config, Retention::default());
    for (kind, good, line) in [
        ("text/event-stream", "data: 1\n\n: ", 3),
        ("application/x-ndjson", "{\"data\":1}\n{\"data\":\"", 2),
    ] {
        let mut client = begin(&door, "/events/a", kind);
        client.send(chunk(good));
        client.send(chunk(&"x".repeat(10_000)));
        assert_fault(&client.response(), 413, "too_large", line, 1, "longer than");
    }
}

#[test]
fn s10_an_ended_stream_is_told_before_the_body_has_ended() {
    let door = Door::open();
    let mut reader = door.get("/events/a");
    let mut client = begin(&door, "/events/a", "text/event-stream");
    client.send(chunk("data: 1\n\n"));
    assert_eq!(reader.data(), "1");
    door.post("/events/a?end", "");
    reader.finished();
    client.send(chunk("\n\ndata: 2\n\n"));
    assert_fault(&client.response(), 409, "ended", 5, 1, "has ended");
}

#[test]
fn s10_what_is_accepted_is_always_the_first_so_many() {
    let config = Config {
        max_event: 10,
        ..Config::default()
    };
    let door = Door::with(config, Retention::default());
    // The hub refuses the id's length when those behind are on their way.
    let large = format!("id: {}\ndata: 2\n\n", "x".repeat(10));
    let body = format!("data: 1\n\n{large}{}", "data: 3\n\n".repeat(200));
    let response = door.ask("POST", "/events/a", &EVENT_STREAM, &body);
    assert_fault(&response, 413, "too_large", 3, 1, "11 bytes");
    assert_eq!(
        door.hub.position().seq.0,
        1,
        "of those behind it none was published"
    );
}

#[test]
fn s10_fields_of_one_event_are_refused_beside_many() {
    let door = Door::open();
    for field in ["id=1", "event=x", "retry=1"] {
        let response = door.ask("POST", &format!("/events/a?{field}"), &NDJSON, "{\"data\":1}");
        assert_eq!(
            (response.status(), &response.json()["code"]),
            (400, &"bad_parameter".into())
        );
        let detail = response.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("to each of them in the body"), "{detail}");
    }
    assert_eq!(door.hub.position().seq.0, 0);
}

#[test]
fn s10_a_bulk_that_breaks_off_says_what_was_accepted() {
    let door = Door::open();
    for (kind, events, line) in [
        ("text/event-stream", "data: 1\n\ndata: 2\n\ndata: ha", 5),
        ("application/x-ndjson", "{\"data\":1}\n{\"data\":2}\n{\"da", 3),
    ] {
        let mut client = begin(&door, "/events/a", kind);
        client.send(chunk(events));
        client.send("no size\r\n");
        assert_fault(&client.response(), 400, "body_cut", line, 2, "broke off");
    }
}

/// The clock is paused, so nobody waits.
#[tokio::test(start_paused = true)]
async fn s10_a_bulk_that_stalls_says_what_was_accepted() {
    for (kind, events, line) in [
        ("text/event-stream", "data: 1\n\ndata: ha", 3),
        ("application/x-ndjson", "{\"data\":1}\n{\"da", 2),
    ] {
        let hub = Hub::start(Config::default(), Memory::new(Retention::default())).unwrap();
        let router = plain::router(hub.clone(), plain::Config::default());
        let stalled = stream::iter([Ok::<_, Infallible>(events)]).chain(stream::pending());
        let request = Request::post("/events/a").header("content-type", kind);
        let request = request.body(Body::from_stream(stalled)).unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.status(), 408);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let said: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            (&said["code"], &said["accepted"]),
            (&"body_stalled".into(), &1.into())
        );
        assert_eq!(
            (&said["line"], &said["last"]),
            (&line.into(), &hub.position().to_string().into())
        );
        assert_eq!(hub.position().seq.0, 1);
    }
}

#[test]
fn s10_a_bulk_that_is_open_when_the_server_leaves_is_told_what_was_accepted() {
    for (kind, event, line) in [
        ("text/event-stream", "data: 1\n\n", 3),
        ("application/x-ndjson", "{\"data\":1}\n", 2),
    ] {
        let door = Door::open();
        let mut reader = door.get("/events/a");
        let mut client = begin(&door, "/events/a", kind);
        client.send(chunk(event));
        assert_eq!(reader.data(), "1");
        // Nothing more of the body comes, and nothing more would be taken: waiting for it helps nobody.
        door.drain();
        let response = client.response();
        assert_fault(&response, 503, "draining", line, 1, "shutting down");
        assert_eq!(response.head.get("retry-after"), Some("1"));
    }
}
