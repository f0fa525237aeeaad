//! S10: a publish with an `Idempotency-Key` counts once, however often it is sent.

use serde_json::json;
use tidewire_hub::{Config, archive::Retention};

use crate::{
    bulk::{EVENT_STREAM, NDJSON, begin, chunk},
    client::{Response, eventually},
    refused::assert_problem,
    server::Door,
};

fn publish(door: &Door, target: &str, key: &str, body: &str) -> Response {
    door.ask("POST", target, &[("Idempotency-Key", key)], body)
}

fn bulk(door: &Door, target: &str, key: &str, body: &str) -> Response {
    door.ask("POST", target, &[EVENT_STREAM[0], ("Idempotency-Key", key)], body)
}

#[track_caller]
fn assert_replayed(response: &Response, replayed: bool) {
    assert_eq!(response.status(), 200, "{response:?}");
    let said = response.head.get("idempotency-replayed");
    assert_eq!(said, replayed.then_some("true"));
}

#[test]
fn s10_a_retried_publish_is_one_publish_with_one_answer() {
    let door = Door::open();
    let mut reader = door.get("/events/a");
    let first = publish(&door, "/events/a?event=x&id=mine", "key", "1");
    assert_replayed(&first, false);
    door.post("/events/a", "between");
    let again = publish(&door, "/events/a?event=x&id=mine", "key", "1");
    assert_replayed(&again, true);
    assert_eq!(again.body, first.body);
    door.post("/events/a", "after");
    assert_eq!(
        [reader.data(), reader.data(), reader.data()],
        ["1", "between", "after"]
    );
}

/// The draft's string, and what many clients send in its place.
#[test]
fn s10_a_key_in_quotes_is_the_key_that_they_hold() {
    let door = Door::open();
    assert_replayed(&publish(&door, "/events/a", "k1", "1"), false);
    assert_replayed(&publish(&door, "/events/a", r#""k1""#, "1"), true);
    assert_replayed(&publish(&door, "/events/a", r#""k\\1""#, "1"), false);
    assert_replayed(&publish(&door, "/events/a", r"k\1", "1"), true);
    let empty = publish(&door, "/events/a", r#""""#, "1");
    assert_problem(&empty, 400, "bad_key", "empty");
}

#[test]
fn s10_a_key_counts_for_its_topics_and_no_others() {
    let door = Door::open();
    for target in ["/events/a", "/events/b", "/events?topic=a&topic=b"] {
        assert_replayed(&publish(&door, target, "key", "1"), false);
        assert_replayed(&publish(&door, target, "key", "1"), true);
    }
    assert_replayed(&publish(&door, "/events/a", "other", "1"), false);
}

#[test]
fn s10_a_key_with_another_event_is_422() {
    let door = Door::open();
    publish(&door, "/events/a", "key", "1");
    for target in [
        "/events/a",
        "/events/a?id=2",
        "/events/a?event=x",
        "/events/a?retry=1",
    ] {
        let body = if target == "/events/a" { "2" } else { "1" };
        let response = publish(&door, target, "key", body);
        assert_problem(&response, 422, "key_reused", "a key of its own");
    }
    assert_replayed(&publish(&door, "/events/a", "key", "1"), true);
}

#[test]
fn s10_a_retried_end_is_no_error() {
    let door = Door::open();
    for data in ["last", ""] {
        let target = format!("/events/{}?end", data.len());
        let first = publish(&door, &target, "key", data);
        assert_replayed(&first, false);
        let again = publish(&door, &target, "key", data);
        assert_replayed(&again, true);
        assert_eq!(again.body, first.body);
    }
}

#[test]
fn s10_a_key_that_comes_again_to_end_the_stream_is_422() {
    let door = Door::open();
    publish(&door, "/events/a", "key", "1");
    let response = publish(&door, "/events/a?end", "key", "1");
    assert_problem(&response, 422, "key_reused", "a key of its own");
    publish(&door, "/events/b?end", "key", "1");
    let response = publish(&door, "/events/b", "key", "1");
    assert_problem(&response, 422, "key_reused", "a key of its own");
}

#[test]
fn s10_a_bulk_whose_key_was_forgotten_half_way_is_published_anew() {
    let config = Config {
        max_keys: 1,
        ..Config::default()
    };
    let door = Door::with(config, Retention::default());
    let mut reader = door.get("/events/a");
    let mut client = begin(&door, "/events/a", "text/event-stream\r\nIdempotency-Key: bulk");
    client.send(chunk("data: 1\n\n"));
    assert_eq!(reader.data(), "1");
    assert_replayed(&publish(&door, "/events/b", "other", "x"), false);
    client.send(chunk("data: 2\n\n") + &chunk(""));
    assert_replayed(&client.response(), false);
    let again = bulk(&door, "/events/a", "bulk", "data: 1\n\ndata: 2\n\n");
    assert_replayed(&again, false);
    assert_eq!(again.json()["count"], 2);
    assert_eq!([reader.data(), reader.data(), reader.data()], ["2", "1", "2"]);
}

#[test]
fn s10_a_retried_bulk_is_one_bulk_with_one_answer() {
    let door = Door::open();
    let body = "data: 1\n\ndata: 2\n\ndata: 3\n\n";
    let first = bulk(&door, "/events/a?end", "key", body);
    assert_replayed(&first, false);
    assert_eq!(
        first.json(),
        json!({"first": door.at(1), "last": door.at(3), "count": 3})
    );
    let again = bulk(&door, "/events/a?end", "key", body);
    assert_replayed(&again, true);
    assert_eq!(again.body, first.body);
    let mut reader = door.get("/events/a");
    assert_eq!([reader.data(), reader.data(), reader.data()], ["1", "2", "3"]);
    reader.finished();
}

#[test]
fn s10_a_bulk_that_was_cut_goes_on_where_it_was_cut() {
    let door = Door::open();
    let mut client = door.connect();
    client.send(
        "POST /events/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n\
         Idempotency-Key: key\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    client.send(chunk("{\"data\":1}\n{\"data\":2}\n{\"da"));
    let said = {
        client.send("no size\r\n");
        client.response().json()
    };
    assert_eq!(
        (&said["code"], &said["accepted"]),
        (&"body_cut".into(), &2.into())
    );
    let headers = [NDJSON[0], ("Idempotency-Key", "key")];
    let body = "{\"data\":1}\n{\"data\":2}\n{\"data\":3}\n{\"data\":4}\n";
    let response = door.ask("POST", "/events/a", &headers, body);
    assert_replayed(&response, false);
    assert_eq!(
        response.json(),
        json!({"first": door.at(1), "last": door.at(4), "count": 4})
    );
    let mut reader = door.get("/events/a?last=10");
    assert_eq!([(); 4].map(|()| reader.data()), ["1", "2", "3", "4"]);
}

#[test]
fn s10_a_bulk_whose_client_has_gone_goes_on_where_it_was_cut() {
    let door = Door::open();
    let mut client = begin(&door, "/events/a", "text/event-stream\r\nIdempotency-Key: key");
    client.send(chunk("data: 1\n\ndata: 2\n\nda"));
    eventually(|| door.hub.position().seq.0 == 2);
    drop(client);
    let response = bulk(&door, "/events/a", "key", "data: 1\n\ndata: 2\n\ndata: 3\n\n");
    assert_eq!(response.json()["count"], 3);
    assert_eq!(door.hub.position().seq.0, 3);
}

#[test]
fn s10_a_bulk_with_another_first_event_is_422_and_publishes_nothing() {
    let door = Door::open();
    bulk(&door, "/events/a", "key", "data: 1\n\n");
    let response = bulk(&door, "/events/a", "key", "data: other\n\ndata: 2\n\ndata: 3\n\n");
    let said = response.json();
    assert_eq!((response.status(), &said["code"]), (422, &"key_reused".into()));
    assert_eq!((&said["line"], &said["accepted"]), (&1.into(), &0.into()));
    assert_eq!(door.hub.position().seq.0, 1);
}

#[test]
fn s10_keys_that_cannot_be_are_400() {
    let door = Door::open();
    let long = "x".repeat(257);
    for (key, hint) in [
        ("", "is empty"),
        (&*long, "is too long"),
        ("a b", "visible ASCII"),
        ("ü", "visible ASCII"),
    ] {
        assert_problem(&publish(&door, "/events/a", key, "1"), 400, "bad_key", hint);
    }
    let twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "a")];
    let response = door.ask("POST", "/events/a", &twice, "1");
    assert_problem(&response, 400, "bad_key", "send it once");
    assert_replayed(&publish(&door, "/events/a", &long[1..], "1"), false);
}
