//! S8: input that is broken, ambiguous or far too much, wherever it stands, has an answer with a text.

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

use crate::{client::request, refused::assert_problem, server::Door};

/// Every request that reads a stream.
const READING: [(&str, &str); 3] = [
    ("GET", "/events/a"),
    ("QUERY", "/events/a"),
    ("POST", "/subscribe?topic=a"),
];

#[test]
fn s8_several_last_event_ids_are_never_one_of_them() {
    let door = Door::open();
    let ids: Vec<_> = (0..50).map(|n| n.to_string()).collect();
    let headers: Vec<_> = ids.iter().map(|id| ("Last-Event-ID", id.as_str())).collect();
    let in_query = |count| {
        (0..count)
            .map(|n| format!("&last_event_id={n}"))
            .collect::<String>()
    };
    for (method, target) in READING {
        for headers in [&headers, &headers[..2]] {
            let response = door.ask(method, target, headers, "");
            assert_problem(
                &response,
                400,
                "bad_parameter",
                "last-event-id stands more than once",
            );
        }
        for count in [2, 1000] {
            let separator = if target.contains('?') { "" } else { "?" };
            let target = format!("{target}{separator}{}", in_query(count));
            let response = door.ask(method, &target, &[], "");
            assert_problem(
                &response,
                400,
                "bad_parameter",
                "`last_event_id` stands more than once",
            );
            let response = door.ask(method, &target, &headers[..1], "");
            assert_problem(
                &response,
                400,
                "bad_parameter",
                "`last_event_id` stands more than once",
            );
        }
    }
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let response = door.ask("POST", "/subscribe?topic=a", &form, &in_query(1000));
    assert_problem(&response, 400, "bad_parameter", "more than once");
}

#[test]
fn s8_one_id_that_looks_like_a_list_is_one_id() {
    let door = Door::open();
    let list = (0..1000).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let mut reader = door.get_with("/events/a", &[("Last-Event-ID", &list)]);
    assert_eq!(reader.head.get("tidewire-resume"), Some("gap"));
    let notice = reader.block();
    assert!(
        notice.contains("\"requested\":\"0,1,2,3") && notice.len() < 500,
        "{notice}"
    );
}

#[test]
fn s8_what_is_no_percent_encoding_is_refused_on_every_path_and_in_every_query() {
    let door = Door::open();
    for (method, path, query) in [
        ("GET", "/events/", "/events?topic="),
        ("QUERY", "/events/", "/events?topic="),
        ("POST", "/events/", "/events?topic="),
        ("DELETE", "/events/", "/events?topic="),
        ("GET", "/presence/", "/presence?topic="),
        ("POST", "/subscribe?topic=", "/subscribe?topic=a&x="),
    ] {
        for broken in ["%", "a%2", "%zz", "%ff", "%ed%a0%80", "%c0%af"] {
            for start in [path, query] {
                let response = door.ask(method, &format!("{start}{broken}"), &[], "");
                assert_problem(&response, 400, "bad_encoding", &format!("`{broken}`"));
            }
        }
    }
}

#[test]
fn s8_topics_that_cannot_be_are_refused_on_every_route() {
    let door = Door::open();
    let long = "x".repeat(1025);
    for (method, path, query) in [
        ("QUERY", "/events/", "/events?topic="),
        ("DELETE", "/events/", "/events?topic="),
        ("GET", "/presence/", "/presence?topic="),
        ("POST", "/subscribe?topic=", "/subscribe?topic="),
    ] {
        for start in [path, query] {
            let ask = |topic: &str| door.ask(method, &format!("{start}{topic}"), &[], "");
            assert_problem(&ask(""), 400, "bad_topic", "give it a name");
            assert_problem(
                &ask("a%00"),
                400,
                "bad_topic",
                "control character '\\0' at byte 1",
            );
            assert_problem(&ask("a%7F"), 400, "bad_topic", "control character");
            assert_problem(&ask(&long), 414, "topic_too_long", "1024");
        }
        let many: String = (0..257).map(|n| format!("&topic={n}")).collect();
        let target = format!("{query}a{many}");
        assert_problem(&door.ask(method, &target, &[], ""), 422, "too_many_topics", "");
    }
}

#[test]
fn a_topic_in_the_path_stands_alone() {
    let door = Door::open();
    let json = [("Content-Type", "application/json")];
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    for (method, target, headers, body) in [
        ("GET", "/events/users/alice?topic=users/bob", &[][..], ""),
        ("GET", "/events/users/alice?%74opic=users/bob", &[], ""),
        ("GET", "/events/a?topic=a", &[], ""),
        ("POST", "/events/a?topic=b", &[], "x"),
        ("DELETE", "/events/a?topic=b", &[], ""),
        ("QUERY", "/events/a?topic=b", &[], ""),
        ("QUERY", "/events/a", &json, r#"{"topic":"b"}"#),
        ("QUERY", "/events/a", &json, r#"{"topics":["b"]}"#),
        ("QUERY", "/events/a", &form, "topic=b"),
        ("GET", "/presence/a?topic=b", &[], ""),
    ] {
        let response = door.ask(method, target, headers, body);
        assert_problem(
            &response,
            400,
            "bad_topic",
            "in its path and more in its parameters",
        );
    }
    let mut client = door.connect();
    client.send(request("HEAD", "/events/a?topic=b", &[], ""));
    assert_eq!(client.reader().head.status, 400);
    assert_eq!(door.post("/events/a", "x"), door.at(1), "nothing was published");
}

#[test]
fn s8_a_problem_repeats_no_more_than_a_line_of_what_was_sent() {
    let door = Door::open();
    let long = "x".repeat(10_000);
    let json = [("Content-Type", "application/json")];
    for response in [
        door.ask("GET", &format!("/events/a?last={long}"), &[], ""),
        door.ask("GET", &format!("/events?topic={long}%"), &[], ""),
        door.ask("POST", "/subscribe", &json, &format!("{{\"{long}\":1}}")),
        door.ask("POST", "/subscribe", &[("Content-Type", &long)], "x"),
    ] {
        assert!(matches!(response.status(), 400 | 415), "{response:?}");
        assert!(response.body.len() < 600, "{}", response.body);
    }
}

#[test]
fn s8_a_head_for_what_is_wrong_is_as_wrong() {
    let door = Door::open();
    for (target, status) in [
        ("/events", 400),
        ("/events/a%", 400),
        ("/events/a//b", 400),
        ("/presence", 400),
        ("/presence?topic=a&topic=b", 422),
        ("/subscribe", 405),
        ("/events/a", 200),
        ("/events?topic=a&topic=b", 200),
        ("/presence/a", 200),
    ] {
        let mut client = door.connect();
        client.send(request("HEAD", target, &[], ""));
        assert_eq!(client.reader().head.status, status, "{target}");
    }
}

#[test]
fn s8_a_publish_that_breaks_off_says_that_nothing_was_published() {
    let door = Door::open();
    let mut client = door.connect();
    client.send(
        "POST /events/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nno size\r\n",
    );
    assert_problem(
        &client.response(),
        400,
        "body_cut",
        "nothing was published, send it again",
    );
    assert_eq!(door.hub.position().seq.0, 0);
}

#[test]
fn s8_a_client_that_stops_in_the_midst_of_a_body_reads_what_was_accepted() {
    let door = Door::open();
    for (kind, body, accepted) in [
        ("text/plain", "half", None),
        ("text/event-stream", "data: 1\n\ndata: 2\n\nda", Some(2)),
        ("application/x-ndjson", "{\"data\":1}\n{\"da", Some(1)),
    ] {
        let mut client = door.connect();
        client.send(format!(
            "POST /events/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: 100\r\n\r\n{body}"
        ));
        client.stop_sending();
        let said = client.response().json();
        assert_eq!(said["code"], "body_cut");
        assert_eq!(
            said.get("accepted"),
            accepted.map(serde_json::Value::from).as_ref()
        );
    }
}

/// The clock is paused, so nobody waits.
#[tokio::test(start_paused = true)]
async fn s8_a_publish_that_stalls_says_that_nothing_was_published() {
    let hub = Hub::start(Config::default(), Memory::new(Retention::default())).unwrap();
    let router = plain::router(hub.clone(), plain::Config::default());
    let stalled = stream::iter([Ok::<_, Infallible>("half")]).chain(stream::pending());
    let request = Request::post("/events/a")
        .body(Body::from_stream(stalled))
        .unwrap();
    let response = router.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 408);
    let said = response.into_body().collect().await.unwrap().to_bytes();
    let said = std::str::from_utf8(&said).unwrap();
    assert!(
        said.contains("nothing of the body came for 30s: nothing was published"),
        "{said}"
    );
}
