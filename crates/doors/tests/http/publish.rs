//! S10: publishing with one plain request.

use tidewire_hub::{Config, archive::Retention};

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
fn s10_any_content_type_is_text_but_those_of_many_events() {
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
    for kind in [
        "text/event-stream",
        "Text/Event-Stream; charset=utf-8",
        "application/x-ndjson",
        "application/stream+json",
    ] {
        let response = door.ask("POST", "/events/a", &[("Content-Type", kind)], "data: x\n\n");
        assert_eq!(
            (response.status(), &response.json()["code"]),
            (415, &"bulk".into()),
            "{kind}"
        );
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
