//! Answers that are no streams: passed on as they come, and cut where the upstream cuts them or takes longer than it may.

use std::{thread::sleep, time::Duration};

use super::{Call, Relayed};
use crate::client::{End, Reader, eventually, request};

const CHUNKED: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
const LONG: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n";

/// An answer that has begun with `[1`, and who sends it.
fn begun(relayed: &Relayed, head: &str) -> (Reader, Call) {
    let mut call = None;
    let mut reader = relayed.answered(|mut asked| {
        asked.send(head);
        match head {
            CHUNKED => asked.chunk("[1"),
            _ => asked.send("[1"),
        }
        call = Some(asked);
    });
    // At once, and not when all of it is there.
    reader.expect("[1");
    assert_eq!(reader.head.get("tidewire-stream"), None);
    (reader, call.unwrap())
}

#[test]
fn an_upstream_that_falls_silent_in_mid_answer_is_let_go_and_the_client_sees_a_cut() {
    let relayed = Relayed::with(|route| route.times.idle = Duration::from_millis(300));
    for head in [CHUNKED, LONG] {
        let (reader, mut call) = begun(&relayed, head);
        call.gone();
        assert_eq!(reader.rest(), (String::new(), End::Cut));
    }
    // One that only takes its time is not.
    let (mut reader, mut call) = begun(&relayed, CHUNKED);
    for _ in 0..4 {
        sleep(Duration::from_millis(100));
        call.chunk(",2");
    }
    call.chunk("]");
    call.end();
    reader.expect(",2,2,2,2]");
    reader.finished();
}

#[test]
fn an_upstream_that_does_not_answer_in_its_time_is_504() {
    let relayed = Relayed::with(|route| route.times.total = Duration::from_millis(300));
    let mut client = relayed.server.connect();
    client.send(request("POST", "/v1/models", &[], "{}"));
    let mut call = relayed.upstream.call();
    let response = client.response();
    assert_eq!(response.status(), 504, "{}", response.body);
    assert_eq!(response.json()["code"], "upstream_timeout");
    call.gone();
}

#[test]
fn an_upstream_that_never_comes_to_an_end_is_let_go_when_it_has_had_its_time() {
    let relayed = Relayed::with(|route| route.times.total = Duration::from_millis(500));
    let (reader, mut call) = begun(&relayed, CHUNKED);
    while call.try_chunk(",2").is_ok() {
        sleep(Duration::from_millis(20));
    }
    let (text, end) = reader.rest();
    assert!(text.starts_with(",2,2"), "{text}");
    assert_eq!(end, End::Cut);
}

#[test]
fn an_upstream_that_dies_in_mid_answer_is_a_cut_for_the_client_too() {
    let relayed = Relayed::open();
    for head in [CHUNKED, LONG] {
        let (reader, call) = begun(&relayed, head);
        drop(call);
        assert_eq!(reader.rest(), (String::new(), End::Cut));
    }
}

#[test]
fn a_client_that_goes_in_mid_answer_is_missed_by_the_upstream() {
    let relayed = Relayed::open();
    let (reader, mut call) = begun(&relayed, CHUNKED);
    drop(reader);
    call.gone();
}

#[test]
fn one_that_is_passed_on_has_its_place_until_its_client_has_it_or_has_gone() {
    let relayed = Relayed::built(|config| config.max_running = 2);
    let refused = || {
        let reader = relayed.ask(&[]);
        assert_eq!(reader.head.status, 429);
        assert!(reader.rest().0.contains("2 answers in all"));
    };
    let (first, mut call) = begun(&relayed, CHUNKED);
    let (second, mut other) = begun(&relayed, LONG);
    assert_eq!(relayed.relay.answers(), (2, 0));
    refused();
    call.chunk("]");
    call.end();
    assert_eq!(first.rest(), ("]".into(), End::Finished));
    eventually(|| relayed.relay.answers().0 == 1);
    let _third = begun(&relayed, CHUNKED);
    refused();
    drop(second);
    other.gone();
    eventually(|| relayed.relay.answers().0 == 1);
    begun(&relayed, CHUNKED);
    relayed.upstream.is_left_alone();
}
