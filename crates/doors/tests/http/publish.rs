//! S10: publishing with one plain request.

use std::{convert::Infallible, time::Duration};

use axum::body::Body;
use futures_util::{StreamExt as _, stream};
use http::Request;
use tidewire_doors::plain;
use tidewire_hub::{
    Config, Hub,
    archive::{Memory, Retention},
};
use tower::ServiceExt as _;

use crate::{client::request, server::Door};

#[test]
fn s10_a_publish_is_answered_with_its_id_when_readers_can_see_it() {
    let door = Door::open();
    let response = door.ask("POST", "/events/a", &[], "1");
    assert_eq!(response.head.line, "HTTP/1.1 200 OK");
    assert_eq!(response.head.get("content-type"), Some("application/json"));
    assert_eq!(response.body, format!("{{\"id\":\"{}\"}}\n", door.at(1)));
    assert_eq!(door.get("/events/a?last=1").data(), "1");
}

#[test]
fn s10_any_content_type_but_those_of_many_events_is_text() {
    let door = Door::open();
    for kind in [
        "text/plain",
        "application/json",
        "application/x-www-form-urlencoded",
        "image/svg+xml",
        "nonsense",
    ] {
        let response = door.ask("POST", "/events/a", &[("Content-Type", kind)], "a=1&b=2");
        assert_eq!(response.status(), 200, "{kind}");
        assert_eq!(door.get("/events/a?last=1").data(), "a=1&b=2");
    }
}

#[test]
fn s10_a_chunked_body_is_one_event() {
    let door = Door::open();
    let mut client = door.connect();
    client.send("POST /events/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("3\r\n\u{20ac}\r\n");
    client.send("1\r\n1\r\n0\r\n\r\n");
    assert_eq!(client.response().id(), door.at(1));
    assert_eq!(door.get("/events/a?last=1").data(), "€1");
}

#[test]
fn s10_many_publishes_go_over_one_connection_in_order() {
    let door = Door::open();
    let mut reader = door.get("/events/a");
    let mut client = door.connect();
    for number in 1..=500 {
        let response = client.ask(request("POST", "/events/a", &[], number.to_string()));
        assert_eq!(response.id(), door.at(number));
    }
    for number in 1..=500 {
        assert_eq!(reader.data(), number.to_string());
    }
}

#[test]
fn s10_pipelined_publishes_keep_their_order() {
    let door = Door::open();
    let mut client = door.connect();
    let requests = ["1", "2", "3"].map(|data| request("POST", "/events/a", &[], data));
    client.send(requests.concat());
    for number in 1..=3 {
        assert_eq!(client.response().id(), door.at(number));
    }
}

#[test]
fn s10_an_event_as_large_as_allowed_arrives_whole() {
    let config = Config {
        max_event: 100_000,
        ..Config::default()
    };
    let door = Door::with(config, Retention::default());
    let data = "ž".repeat(50_000);
    let mut reader = door.get("/events/a");
    door.post("/events/a", &data);
    assert_eq!(reader.data(), data);
    assert_eq!(
        door.ask("POST", "/events/a?event=x", &[], &data).status(),
        413,
        "the name counts too"
    );
}

#[test]
fn s10_a_client_may_wait_for_the_word_to_send_its_body() {
    let door = Door::open();
    let mut client = door.connect();
    client.send(
        "POST /events/a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
    );
    assert_eq!(client.response().status(), 100);
    assert_eq!(client.ask("ok").id(), door.at(1));
}

#[test]
fn s10_a_body_that_is_too_large_is_refused_before_it_is_sent() {
    let door = Door::open();
    let mut client = door.connect();
    client.send(
        "POST /events/a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 9999999\r\n\r\n",
    );
    assert_eq!(client.response().status(), 413);
}

/// The clock is paused, so nobody waits.
#[tokio::test(start_paused = true)]
async fn s10_a_body_that_stalls_is_given_up() {
    let hub = Hub::start(Config::default(), Memory::new(Retention::default())).unwrap();
    let router = plain::router(hub.clone(), plain::Config::default());
    let publish = |body| {
        let request = Request::post("/events/a").body(body).unwrap();
        router.clone().oneshot(request)
    };
    let piece = |text: &'static str| async move {
        tokio::time::sleep(Duration::from_secs(20)).await;
        Ok::<_, Infallible>(text)
    };
    let slow = stream::iter(["a", "b", "c"]).then(piece);
    let response = publish(Body::from_stream(slow)).await.unwrap();
    assert_eq!(response.status(), 200, "slow, but never for long without a byte");

    let stalled = stream::iter(["half"]).then(piece).chain(stream::pending());
    let response = publish(Body::from_stream(stalled)).await.unwrap();
    assert_eq!(response.status(), 408);
    assert_eq!(hub.position().seq.0, 1, "nothing of it was published");
}

#[test]
fn s10_an_empty_event_name_is_none_in_every_format() {
    let door = Door::open();
    door.post("/events/a?event=", "1");
    let mut lines = door.connect();
    let ndjson = [("Accept", "application/x-ndjson")];
    lines.send(request("GET", "/events/a?last=1", &ndjson, ""));
    let line = lines.reader().until("\n");
    assert!(line.contains("\"event\":\"message\""), "{line}");
    let block = door.get("/events/a?last=1").block();
    assert!(!block.contains("event"), "{block}");
}
