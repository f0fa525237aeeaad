//! What happens to connections: old versions, errors, slow readers, requests that break off.

use std::thread;

use crate::{
    client::{End, request},
    server::Door,
};

#[test]
fn s1_an_http_1_0_reader_gets_the_bare_stream() {
    let door = Door::open();
    let mut client = door.connect();
    client.send("GET /events/a HTTP/1.0\r\n\r\n");
    let mut reader = client.reader();
    assert_eq!(
        (reader.head.status, reader.head.get("transfer-encoding")),
        (200, None)
    );
    assert_eq!(reader.head.get("connection"), None);
    door.post("/events/a?end", "1");
    reader.expect_retry(1000);
    reader.expect(&format!("id: {}\ndata: 1\n\n", door.at(1)));
    assert_eq!(reader.rest(), (String::new(), End::Closed));
}

#[test]
fn s1_a_reader_that_asks_to_close_is_closed_after_its_stream() {
    let door = Door::open();
    let mut client = door.connect();
    client.send(request("GET", "/events/a", &[("Connection", "close")], ""));
    let mut reader = client.reader();
    assert_eq!(reader.head.get("connection"), Some("close"));
    reader.expect_retry(1000);
    door.post("/events/a?end", "");
    assert_eq!(reader.into_client().rest(), "");
}

#[test]
fn s8_a_connection_survives_a_refused_publish_with_a_small_body() {
    let door = Door::open();
    let mut client = door.connect();
    for _ in 0..3 {
        let refused = client.ask(request("POST", "/events/a?id=~", &[], "unread"));
        assert_eq!(refused.status(), 400);
        let refused = client.ask(request("PUT", "/events/a", &[("Content-Length", "6")], "unread"));
        assert_eq!(refused.status(), 405);
    }
    client.ask(request("POST", "/events/a", &[], "1")).id();
}

#[test]
fn s8_a_body_that_breaks_off_publishes_nothing() {
    let door = Door::open();
    let mut client = door.connect();
    client.send("POST /events/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf of it");
    client.stop_sending();
    drop(client.rest());
    let mut client = door.connect();
    client.send(
        "POST /events/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    );
    client.stop_sending();
    drop(client.rest());
    assert_eq!(door.post("/events/a", "whole"), door.at(1));
}

#[test]
fn s8_a_broken_chunk_is_said_to_be_broken() {
    let door = Door::open();
    let mut client = door.connect();
    client
        .send("POST /events/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n");
    let response = client.response();
    assert_eq!(
        (response.status(), &response.json()["code"]),
        (400, &"body_cut".into())
    );
}

#[test]
fn s4_a_slow_reader_harms_nobody_and_gets_everything() {
    let door = Door::open();
    let mut slow = door.get("/events/a");
    let mut fast = door.get("/events/a");
    let event = |number: usize| format!("{number} {}", "x".repeat(256 << 10));
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..80 {
                door.post("/events/a", &event(number));
            }
        });
        for number in 0..80 {
            assert_eq!(fast.data(), event(number));
        }
    });
    for number in 0..80 {
        assert_eq!(slow.data(), event(number));
    }
}

#[test]
fn s5_a_reader_that_goes_leaves_the_others() {
    let door = Door::open();
    let mut stays = door.get("/events/a");
    for number in 0..50 {
        let mut goes = door.get("/events/a");
        door.post("/events/a", &number.to_string());
        assert_eq!(goes.data(), number.to_string());
        drop(goes);
        assert_eq!(stays.data(), number.to_string());
    }
}
