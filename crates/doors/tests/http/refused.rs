//! S8: everything that is refused, with a status, a code for programs and a text for people.

use tidewire_hub::{Config, archive::Retention};

use crate::{
    client::{Response, request},
    server::Door,
};

/// Checks the whole form of a problem; `hint` is a part of what it tells people.
#[track_caller]
pub fn assert_problem(response: &Response, status: u16, code: &str, hint: &str) {
    assert_eq!(response.status(), status, "{response:?}");
    assert_eq!(
        response.head.get("content-type"),
        Some("application/problem+json")
    );
    assert_eq!(response.head.get("cache-control"), Some("no-store"));
    let said = response.json();
    assert_eq!(said.as_object().unwrap().len(), 4, "{said}");
    assert_eq!((&said["status"], &said["code"]), (&status.into(), &code.into()));
    let reason = response.head.line.splitn(3, ' ').nth(2);
    assert_eq!(said["title"].as_str(), reason);
    let detail = said["detail"].as_str().unwrap();
    assert!(detail.contains(hint), "{detail}");
}

#[test]
fn s8_a_wrong_method_is_405_and_allow_says_what_is_right() {
    let door = Door::open();
    let events = ["DELETE", "GET", "HEAD", "POST", "QUERY"];
    for (target, right) in [
        ("/events/a", &events[..]),
        ("/events", &events),
        ("/events?topic=a", &events),
        ("/events/", &events),
        ("/subscribe", &["POST", "QUERY"]),
        ("/presence/a", &["GET", "HEAD"]),
        ("/presence", &["GET", "HEAD"]),
        ("/presence/", &["GET", "HEAD"]),
    ] {
        for method in [
            "PUT", "PATCH", "OPTIONS", "TRACE", "DELETE", "QUERY", "POST", "GET", "query",
        ] {
            if right.contains(&method) {
                continue;
            }
            let response = door.ask(method, target, &[], "");
            match method {
                "OPTIONS" => assert_eq!((response.status(), &*response.body), (204, "")),
                _ => assert_problem(&response, 405, "method_not_allowed", method),
            }
            let mut allowed: Vec<_> = response
                .head
                .get("allow")
                .unwrap()
                .split(',')
                .map(str::trim)
                .collect();
            allowed.sort_unstable();
            assert_eq!(allowed, right, "{method} {target}");
        }
    }
    let mut client = door.connect();
    client.send(request("HEAD", "/subscribe", &[], ""));
    assert_eq!(client.reader().head.status, 405);
}

#[test]
fn s8_what_we_cannot_serve_is_406_and_says_what_we_can() {
    let door = Door::open();
    for accept in [
        "application/json",
        "text/html, image/*",
        "text/event-stream;q=0",
        "*/*;q=0",
        "application/jsonl",
    ] {
        for (method, target) in [
            ("GET", "/events/a"),
            ("QUERY", "/events/a"),
            ("POST", "/subscribe?topic=a"),
        ] {
            let response = door.ask(method, target, &[("Accept", accept)], "");
            for offer in [
                "text/event-stream",
                "application/x-ndjson",
                "application/stream+json",
                "application/ndjson",
            ] {
                assert_problem(&response, 406, "not_acceptable", offer);
            }
            assert_eq!(response.head.get("vary"), Some("Accept"));
        }
    }
    let response = door.ask("GET", "/presence/a", &[("Accept", "text/html")], "");
    assert_problem(
        &response,
        406,
        "not_acceptable",
        "application/json, text/event-stream, ",
    );
}

#[test]
fn s8_topics_that_cannot_be_are_refused_both_ways() {
    let door = Door::open();
    let long = "x".repeat(1025);
    for (target, status, code, hint) in [
        ("/events", 400, "bad_topic", "name at least one"),
        ("/events/", 400, "bad_topic", "give it a name"),
        ("/events?topic=", 400, "bad_topic", "give it a name"),
        ("/events/a//b", 400, "bad_topic", "/events?topic="),
        ("/events//a", 400, "bad_topic", "/events?topic="),
        ("/events/a/", 400, "bad_topic", "/events?topic="),
        ("/events/a/../b", 400, "bad_topic", "/events?topic="),
        ("/events/a/%2e%2E/b", 400, "bad_topic", "/events?topic="),
        ("/events/.", 400, "bad_topic", "/events?topic="),
        ("/events/a%2F%2Fb", 400, "bad_topic", "/events?topic="),
        ("/events/a%0Ab", 400, "bad_topic", "control character"),
        ("/events/a%00", 400, "bad_topic", "control character"),
        ("/events?topic=a%C2%85", 400, "bad_topic", "control character"),
        ("/events/100%", 400, "bad_encoding", "%25"),
        ("/events/%zz", 400, "bad_encoding", "%25"),
        ("/events/%e9", 400, "bad_encoding", "UTF-8"),
        ("/events?topic=%e9", 400, "bad_encoding", "UTF-8"),
        ("/events?topic=a&%", 400, "bad_encoding", "%25"),
        (&format!("/events/{long}"), 414, "topic_too_long", "1024"),
        (&format!("/events?topic={long}"), 414, "topic_too_long", "1024"),
    ] {
        for method in ["GET", "POST", "DELETE"] {
            assert_problem(&door.ask(method, target, &[], "x"), status, code, hint);
        }
        assert_problem(&door.ask("QUERY", target, &[], ""), status, code, hint);
    }
    assert_eq!(
        door.ask("POST", &format!("/events/{}", &long[1..]), &[], "x")
            .status(),
        200
    );
}

#[test]
fn s8_too_many_topics_are_422() {
    let door = Door::open();
    let target = |count| {
        format!(
            "/events?{}",
            (0..count).map(|n| format!("topic={n}&")).collect::<String>()
        )
    };
    assert_eq!(door.ask("POST", &target(256), &[], "x").status(), 200);
    for method in ["GET", "POST"] {
        assert_problem(
            &door.ask(method, &target(257), &[], "x"),
            422,
            "too_many_topics",
            "256",
        );
    }
}

#[test]
fn s8_parameters_that_mean_nothing_are_refused() {
    let door = Door::open();
    let cases = [
        ("POST", "id=a%0Ab", "bad_parameter", "`id`"),
        ("POST", "id=a%0Db", "bad_parameter", "`id`"),
        ("POST", "id=a%00b", "bad_parameter", "`id`"),
        ("POST", "event=a%0Adata:%20x", "bad_parameter", "`event`"),
        ("POST", "event=a%0D", "bad_parameter", "`event`"),
        ("POST", "id=", "bad_id", "is empty"),
        ("POST", "id=earliest", "bad_id", "earliest"),
        ("POST", "id=~k3m9x2ab-1", "bad_id", "starts with ~"),
        ("POST", "id=%231", "bad_id", "starts with"),
        ("POST", "id=+1", "bad_id", "space"),
        ("POST", "id=a%09", "bad_id", "control"),
        ("POST", "event=tidewire.gap", "reserved_event", "tidewire.gap"),
        ("POST", "event=mercure", "reserved_event", "mercure"),
        ("POST", "retry=soon", "bad_parameter", "retry=soon"),
        ("POST", "retry=-1", "bad_parameter", "whole number"),
        ("POST", "retry=1.5", "bad_parameter", "whole number"),
        (
            "POST",
            "retry=3600001",
            "bad_retry",
            "3600001 ms: at most 3600000",
        ),
        (
            "POST",
            "retry=18446744073709551615",
            "bad_retry",
            "at most 3600000",
        ),
        ("POST", "end=yes", "bad_parameter", "true or false"),
        ("POST", "id=1&id=2", "bad_parameter", "more than once"),
        ("POST", "event=a&event=a", "bad_parameter", "more than once"),
        ("POST", "retry=1&retry=1", "bad_parameter", "more than once"),
        ("POST", "end&end", "bad_parameter", "more than once"),
        ("GET", "last=x", "bad_parameter", "last=x"),
        ("GET", "last=-1", "bad_parameter", "whole number"),
        ("GET", "last=1&last=2", "bad_parameter", "more than once"),
        ("GET", "prime=maybe", "bad_parameter", "true or false"),
        (
            "GET",
            "last_event_id=a&last_event_id=b",
            "bad_parameter",
            "more than once",
        ),
        (
            "GET",
            "lastEventId=a&lastEventId=b",
            "bad_parameter",
            "more than once",
        ),
        (
            "GET",
            "last_event_id=a&lastEventId=b",
            "bad_parameter",
            "`last_event_id` or `lastEventId` stands more than once",
        ),
        ("GET", "show=id", "bad_parameter", "`show=id`: give topic"),
        ("GET", "show=topic&show=topic", "bad_parameter", "more than once"),
        ("GET", "as=", "bad_name", "is empty"),
        ("GET", "as=a%0Ab", "bad_name", "control"),
        ("GET", "as=a&as=b", "bad_parameter", "more than once"),
    ];
    for (method, query, code, hint) in cases {
        let response = door.ask(method, &format!("/events/a?{query}"), &[], "x");
        assert_problem(&response, 400, code, hint);
    }
    let long = "x".repeat(257);
    assert_problem(
        &door.ask("POST", &format!("/events/a?id={long}"), &[], ""),
        400,
        "bad_id",
        "too long",
    );
    let first = door.post("/events/a", "x");
    assert_eq!(first, door.at(1), "nothing of all that was published");
}

#[test]
fn s8_what_is_too_large_is_413_whether_its_length_was_said_or_not() {
    let config = Config {
        max_event: 10,
        ..Config::default()
    };
    let door = Door::with(config, Retention::default());
    assert_problem(
        &door.ask("POST", "/events/a", &[], "12345678901"),
        413,
        "too_large",
        "10 bytes",
    );
    let chunked = "POST /events/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
                   6\r\n123456\r\n5\r\n78901\r\n0\r\n\r\n";
    assert_problem(&door.connect().ask(chunked), 413, "too_large", "10 bytes");
    assert_eq!(door.ask("POST", "/events/a", &[], "1234567890").status(), 200);
}

#[test]
fn s8_what_is_no_text_is_400() {
    let door = Door::open();
    let response = door.connect().ask(request("POST", "/events/a", &[], b"ab\xff"));
    assert_problem(&response, 400, "not_utf8", "byte 2");
}

#[test]
fn s8_a_foreign_host_is_421_and_none_is_400() {
    let door = Door::open();
    for method in ["GET", "POST", "HEAD", "DELETE"] {
        let mut client = door.connect();
        client.send(request(method, "/events/a", &[("Host", "evil.example")], ""));
        assert_eq!(client.reader().head.status, 421, "{method}");
    }
    let response = door.ask("GET", "/events/a", &[("Host", "evil.example:80")], "");
    assert_problem(&response, 421, "foreign_host", "--host evil.example");
    let absolute = "GET http://evil.example/events/a HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_problem(&door.connect().ask(absolute), 421, "foreign_host", "evil.example");
    for without in [
        "GET /events/a HTTP/1.1\r\n\r\n",
        "GET /events/a HTTP/1.1\r\nHost:\r\n\r\n",
    ] {
        assert_problem(&door.connect().ask(without), 400, "bad_host", "Host");
    }
}

#[test]
fn s8_a_page_of_a_foreign_origin_may_not_publish() {
    let door = Door::open();
    for origin in ["http://evil.example", "null", "http://localhost:1"] {
        let response = door.ask("POST", "/events/a", &[("Origin", origin)], "x");
        assert_problem(&response, 403, "foreign_origin", "origin");
    }
    let both = [("Origin", "http://localhost"), ("Origin", "http://evil.example")];
    let response = door.ask("POST", "/events/a", &both, "x");
    assert_problem(&response, 403, "foreign_origin", "origin");
    assert_eq!(
        door.ask("POST", "/events/a", &[("Origin", "http://localhost")], "x")
            .id(),
        door.at(1)
    );
}
