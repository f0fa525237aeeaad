//! S6: a subscription whose parameters stand in the body, for what does not fit a URL.

use std::convert::Infallible;

use axum::body::Body;
use futures_util::{StreamExt as _, stream};
use http::Request;
use tidewire_doors::plain;
use tidewire_hub::{
    Config, Hub,
    archive::{Memory, Retention},
};
use tower::ServiceExt as _;

use crate::{
    client::{Reader, request},
    refused::assert_problem,
    server::Door,
};

const JSON: (&str, &str) = ("Content-Type", "application/json");
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

/// The ways to subscribe with a body.
const WAYS: [(&str, &str); 3] = [
    ("QUERY", "/events"),
    ("QUERY", "/subscribe"),
    ("POST", "/subscribe"),
];

#[track_caller]
fn open(door: &Door, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Reader {
    let mut client = door.connect();
    client.send(request(method, target, headers, body));
    let mut reader = client.reader();
    assert_eq!(reader.head.status, 200, "{method} {target} {body}");
    reader.expect_retry(1000);
    reader
}

/// A door whose topics `a` and `b` have three events: 1 and 3 in `a`, 2 in `b`.
fn three() -> Door {
    let door = Door::open();
    for (topic, data) in [("a", "1"), ("b", "2"), ("a", "3")] {
        door.post(&format!("/events/{topic}"), data);
    }
    door
}

#[test]
fn s6_json_a_form_and_json_as_text_say_the_same() {
    let door = three();
    let json = format!(r#"{{"topics":["a","b"],"last_event_id":"{}"}}"#, door.at(1));
    let form = format!("topic=a&topic=b&last_event_id={}", door.at(1));
    for (method, target) in WAYS {
        for (headers, body) in [
            (&[JSON][..], &json),
            (&[("Content-Type", "Application/JSON; charset=utf-8")], &json),
            (&[("Content-Type", "text/plain;charset=UTF-8")], &json),
            (&[], &json),
            (&[FORM], &form),
            (&[FORM], &format!("{}\n", form.replace("topic=", "topics="))),
        ] {
            let mut reader = open(&door, method, target, headers, body);
            assert_eq!(reader.head.get("tidewire-resume"), Some("resumed"));
            assert_eq!([reader.data(), reader.data()], ["2", "3"], "{body}");
        }
    }
}

#[test]
fn s6_every_parameter_may_stand_in_the_body() {
    let door = three();
    for (headers, body) in [
        (
            JSON,
            r#"{"topic":"a","last":1,"show":"topic","prime":true,"as":"alice","lastEventId":null}"#,
        ),
        (FORM, "topic=a&last=1&show=topic&prime&as=alice"),
    ] {
        let mut reader = open(&door, "POST", "/subscribe", &[headers], body);
        reader.expect(&format!("id: {}\n\n", door.at(2)));
        assert!(reader.block().contains("topic: a\n"));
        let presence = door.ask("GET", "/presence/a", &[], "").json();
        assert_eq!(presence["members"][0]["name"], "alice");
    }
    let mut reader = open(
        &door,
        "POST",
        "/subscribe",
        &[],
        r#"{"topic":["b","a"],"lastEventId":"earliest"}"#,
    );
    assert_eq!([reader.data(), reader.data(), reader.data()], ["1", "2", "3"]);
}

#[test]
fn s6_the_body_and_the_query_add_up() {
    let door = three();
    for (target, body) in [
        (
            "/events?topic=a",
            r#"{"topics":["b","a"],"last_event_id":"earliest"}"#,
        ),
        ("/events?topic=a&topic=b&last_event_id=earliest", ""),
        (
            "/events?topic=a",
            "{\"topic\":\"b\",\"last_event_id\":\"earliest\"}",
        ),
    ] {
        let mut reader = open(&door, "QUERY", target, &[], body);
        assert_eq!(
            [reader.data(), reader.data(), reader.data()],
            ["1", "2", "3"],
            "{target} {body}"
        );
    }
    for (query, body) in [
        ("last=1", r#"{"topic":"a","last":1}"#),
        ("prime=1", r#"{"topic":"a","prime":true}"#),
        ("show=topic", r#"{"topic":"a","show":"topic"}"#),
        ("last_event_id=x", r#"{"topic":"a","last_event_id":"x"}"#),
        ("last_event_id=x", r#"{"topic":"a","lastEventId":"x"}"#),
        ("as=x", r#"{"topic":"a","as":"x"}"#),
    ] {
        let response = door.ask("POST", &format!("/subscribe?{query}"), &[JSON], body);
        assert_problem(&response, 400, "bad_parameter", "more than once");
    }
}

#[test]
fn s6_the_last_event_id_header_wins_over_the_body() {
    let door = three();
    let headers = [JSON, ("Last-Event-ID", &door.at(2))];
    let body = r#"{"topics":["a","b"],"last_event_id":"earliest"}"#;
    assert_eq!(open(&door, "POST", "/subscribe", &headers, body).data(), "3");
}

#[test]
fn s6_two_hundred_long_topics_fit_a_body() {
    let door = Door::open();
    let names: Vec<_> = (0..200).map(|n| format!("{n}/{}", "x".repeat(1000))).collect();
    let body = serde_json::json!({ "topics": names }).to_string();
    let mut reader = open(&door, "QUERY", "/events", &[JSON], &body);
    door.post(&format!("/events/{}", names[150]), "found");
    assert_eq!(reader.data(), "found");
}

#[test]
fn s6_a_reader_with_a_body_that_has_everything_gets_an_empty_stream() {
    let door = Door::open();
    let last = door.post("/events/a?end", "1");
    for (method, target) in [("POST", "/subscribe"), ("QUERY", "/events")] {
        let body = format!(r#"{{"topic":"a","last_event_id":"{last}"}}"#);
        let response = door.ask(method, target, &[JSON], &body);
        assert_eq!((response.status(), response.body.as_str()), (200, ""));
        let head = &response.head;
        assert_eq!(head.get("content-type"), Some("text/event-stream; charset=utf-8"));
        assert_eq!(head.get("cache-control"), Some("no-cache, no-transform"));
        assert_eq!(head.get("tidewire-resume"), Some("resumed"));
    }
}

/// RFC 10008: a query says what its body is, and answers say what it may be.
#[test]
fn s6_a_query_without_a_type_is_refused_and_answers_say_which_there_are() {
    let door = Door::open();
    let types = Some("application/json, application/x-www-form-urlencoded");
    for (target, body) in [
        ("/events", r#"{"topic":"a"}"#),
        ("/events/a", ""),
        ("/subscribe?topic=a", ""),
    ] {
        let length = body.len();
        let untyped =
            format!("QUERY {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}");
        let response = door.connect().ask(untyped);
        assert_problem(
            &response,
            400,
            "no_content_type",
            "Content-Type: application/json",
        );
        assert_eq!(response.head.get("accept-query"), types);
        let response = door.ask("QUERY", target, &[("Content-Type", "application/sql")], body);
        assert_problem(&response, 415, "unsupported_type", "application/sql");
    }
    for (method, target) in [
        ("OPTIONS", "/events"),
        ("OPTIONS", "/subscribe"),
        ("POST", "/events/a"),
        ("PUT", "/events/a"),
    ] {
        assert_eq!(
            door.ask(method, target, &[], "").head.get("accept-query"),
            types,
            "{method}"
        );
    }
    assert_eq!(door.get("/events/a").head.get("accept-query"), types);
}

#[test]
fn s6_broken_json_is_named_with_its_place() {
    let door = Door::open();
    for (body, hint) in [
        ("{\"topics\":[\"a\",]}", "line 1, column 16: trailing comma"),
        ("{\"topics\":\n  [\"a\"", "line 2, column 6: EOF"),
        ("{topics:1}", "line 1, column 2: key must be a string"),
        ("{\"topic\":\"a\"} x", "line 1, column 15: trailing characters"),
        ("[\"a\"]", "it is no object"),
        ("\"a\"", "it is no object"),
        ("topic=a", "expected ident"),
        ("a", "expected value"),
        ("{\"topc\":\"a\"}", "unknown field `topc`"),
        ("{\"topic\":\"a\",\"topic\":\"b\"}", "duplicate field `topic`"),
        ("{\"topics\":7}", "expected a topic or a list of topics"),
        ("{\"topics\":[\"a\",7]}", "expected a topic or a list of topics"),
        ("{\"topic\":\"a\",\"last\":-1}", "expected u64"),
        ("{\"topic\":\"a\",\"last\":\"1\"}", "expected u64"),
        ("{\"topic\":\"a\",\"last_event_id\":7}", "expected a string"),
        ("{\"topic\":\"a\",\"prime\":1}", "expected a boolean"),
        ("{\"topic\":\"\\ud800\"}", "hex escape"),
    ] {
        for (method, target) in WAYS {
            let response = door.ask(method, target, &[JSON], body);
            assert_problem(&response, 400, "bad_json", hint);
            assert_problem(&response, 400, "bad_json", "send an object such as {\"topics\"");
        }
    }
}

#[test]
fn s6_broken_forms_are_named() {
    let door = Door::open();
    for (body, code, hint) in [
        ("topic=100%", "bad_encoding", "`100%`"),
        ("topic=%zz", "bad_encoding", "%25"),
        ("topic=%e9", "bad_encoding", "UTF-8"),
        ("topic=a&%ff=1", "bad_encoding", "UTF-8"),
        (
            "{\"topic\":\"a\"}",
            "bad_form",
            "looks like JSON: send Content-Type: application/json",
        ),
        ("topc=a", "bad_form", "unknown field `topc`"),
        ("topic=a&last=x", "bad_parameter", "`last=x`"),
        ("topic=a&last=1&last=2", "bad_parameter", "more than once"),
        ("topic=a&prime=maybe", "bad_parameter", "true or false"),
    ] {
        let response = door.ask("POST", "/subscribe", &[FORM], body);
        assert_problem(&response, 400, code, hint);
    }
}

#[test]
fn s6_topics_that_cannot_be_are_refused_in_bodies_too() {
    let door = Door::open();
    let long = "x".repeat(1025);
    let many = |count| (0..count).map(|n| n.to_string()).collect::<Vec<_>>();
    let json = |topics: &[String]| serde_json::json!({ "topics": topics }).to_string();
    let form = |topics: &[String]| format!("topic={}", topics.join("&topic="));
    for (topics, status, code, hint) in [
        (vec![], 400, "bad_topic", "name at least one"),
        (vec![String::new()], 400, "bad_topic", "give it a name"),
        (
            vec!["a\nb".into()],
            400,
            "bad_topic",
            "control character '\\n' at byte 1",
        ),
        (vec!["\0".into()], 400, "bad_topic", "control character"),
        (vec![long], 422, "topic_too_long", "1024"),
        (many(257), 422, "too_many_topics", "256"),
        (many(20_000), 422, "too_many_topics", "256"),
    ] {
        assert_problem(
            &door.ask("POST", "/subscribe", &[JSON], &json(&topics)),
            status,
            code,
            hint,
        );
        if topics.is_empty() {
            continue;
        }
        let escaped = form(&topics).replace('\n', "%0A").replace('\0', "%00");
        assert_problem(
            &door.ask("POST", "/subscribe", &[FORM], &escaped),
            status,
            code,
            hint,
        );
    }
    assert_problem(
        &door.ask("POST", "/subscribe", &[], ""),
        400,
        "bad_topic",
        "name at least one",
    );
}

#[test]
fn s6_other_types_are_415_and_empty_bodies_have_none() {
    let door = Door::open();
    for kind in [
        "multipart/form-data; boundary=x",
        "text/html",
        "application/xml",
        "nonsense",
    ] {
        let headers = [("Content-Type", kind)];
        let response = door.ask("POST", "/subscribe?topic=a", &headers, "x");
        assert_problem(&response, 415, "unsupported_type", "send application/json");
        open(&door, "POST", "/subscribe?topic=a", &headers, "");
    }
}

#[test]
fn s6_a_body_is_bounded_whole_and_text() {
    let door = Door::open();
    let large = format!("{{\"topic\":\"{}\"}}", "x".repeat(512 << 10));
    for (method, target) in WAYS {
        let response = door.ask(method, target, &[JSON], &large);
        assert_problem(&response, 413, "too_large", "limits.max_subscribe_body");
        let response = door
            .connect()
            .ask(request(method, target, &[JSON], b"{\"topic\":\"\xff\"}"));
        assert_problem(&response, 400, "not_utf8", "byte 10");
        let mut client = door.connect();
        client.send(format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{{\r\nno size\r\n"
        ));
        assert_problem(&client.response(), 400, "body_cut", "send it again");
    }
}

/// The clock is paused, so nobody waits.
#[tokio::test(start_paused = true)]
async fn s6_a_body_that_stalls_is_given_up() {
    let hub = Hub::start(Config::default(), Memory::new(Retention::default())).unwrap();
    let router = plain::router(hub, plain::Config::default());
    let stalled = stream::iter([Ok::<_, Infallible>("{\"topic\"")]).chain(stream::pending());
    let request = Request::post("/subscribe")
        .body(Body::from_stream(stalled))
        .unwrap();
    assert_eq!(router.oneshot(request).await.unwrap().status(), 408);
}
