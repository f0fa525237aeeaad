//! Twins of a request that streams nothing: one call for an idempotency key, whose answer all of them get.

use std::{thread::scope, time::Duration};

use tidewire_relay::Config;

use super::{Call, Relayed};
use crate::client::{Client, End, Reader, Response, eventually, request};

const MINE: [(&str, &str); 2] = [("Authorization", "Bearer a"), ("Idempotency-Key", "k")];
/// Each connection is for one call, so that a twin that asks for itself does not get one that is being closed.
const CLOSE: &str = "Connection: close\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\nSet-Cookie: s=1\r\nX-Own: 1\r\n\
                       Transfer-Encoding: chunked\r\n\r\n";

fn ask_with(headers: &[(&str, &str)]) -> Vec<u8> {
    request("POST", "/v1/embeddings", headers, "{}")
}

fn send(relayed: &Relayed) -> Client {
    let mut client = relayed.server.connect();
    client.send(ask_with(&MINE));
    client
}

fn ask(relayed: &Relayed) -> Response {
    send(relayed).response()
}

/// The status and the body of an answer, and whether it says that it is one of before.
fn told(response: &Response) -> (u16, &str, bool) {
    let is_replayed = response.head.get("idempotency-replayed") == Some("true");
    (response.head.status, &response.body, is_replayed)
}

/// A request, its call, and two twins that wait for the same.
fn three(relayed: &Relayed) -> ([Client; 3], Call) {
    let first = send(relayed);
    let call = relayed.upstream.call();
    let twins = [send(relayed), send(relayed)];
    eventually(|| relayed.relay.stats()[0].readers == 2);
    let [second, third] = twins;
    ([first, second, third], call)
}

#[test]
fn a_key_that_is_empty_or_stands_twice_is_passed_on() {
    let relayed = Relayed::open();
    for keys in [&[""][..], &["\"\""], &["a", "b"]] {
        let mut headers = MINE[..1].to_vec();
        headers.extend(keys.iter().map(|key| ("Idempotency-Key", *key)));
        for body in ["{}", "{}", "{\"n\":2}"] {
            let mut client = relayed.server.connect();
            client.send(request("POST", "/v1/embeddings", &headers, body));
            let call = relayed.upstream.call();
            assert_eq!(call.header("idempotency-key"), Some(keys[0]));
            call.answer("200 OK", CLOSE, "own");
            let response = client.response();
            assert_eq!(told(&response), (200, "own", false), "{keys:?} {body}");
            let says = response.head.get("tidewire-idempotency");
            assert_eq!(says, Some("passed-on"), "{keys:?}");
        }
    }
}

#[test]
fn one_call_answers_all_twins_and_those_that_come_later() {
    let relayed = Relayed::open();
    let ([first, mut second, mut third], mut call) = three(&relayed);
    // Twins may accept other encodings.
    assert_eq!(call.header("accept-encoding"), Some("identity"));
    call.send(CHUNKED);
    call.chunk("[1");
    let mut first = first.reader();
    // As it comes.
    first.expect("[1");
    assert_eq!(
        (first.head.get("x-own"), first.head.get("idempotency-replayed")),
        (Some("1"), None)
    );
    call.chunk(",2]");
    call.end();
    assert_eq!(first.rest(), (",2]".into(), End::Finished));
    for twin in [&mut second, &mut third] {
        let response = twin.response();
        assert_eq!(told(&response), (200, "[1,2]", true));
        assert_eq!(
            (response.head.get("x-own"), response.head.get("set-cookie")),
            (Some("1"), None)
        );
    }
    assert_eq!(told(&ask(&relayed)), (200, "[1,2]", true));
    // Another body, another owner, no key.
    let other = request("POST", "/v1/embeddings", &MINE, "{\"n\":2}");
    assert_eq!(relayed.server.connect().ask(other).head.status, 422);
    for headers in [&[("Authorization", "Bearer b"), MINE[1]][..], &MINE[..1]] {
        let mut client = relayed.server.connect();
        client.send(ask_with(headers));
        relayed.upstream.call().answer("200 OK", CLOSE, "own");
        assert_eq!(told(&client.response()), (200, "own", false));
    }
    let stats = &relayed.relay.stats()[0];
    assert_eq!((stats.upstream_calls, stats.joined), (3, 3));
    assert_eq!(relayed.relay.answers().0, 0);
}

#[test]
fn an_answer_of_a_stream_that_is_replayed_says_so_too() {
    let relayed = Relayed::open();
    let first = relayed.answered_to("hello", &MINE, |mut call| {
        call.stream();
        call.event("1");
        call.end();
    });
    assert_eq!(first.head.get("idempotency-replayed"), None);
    first.rest();
    assert_eq!(relayed.ask(&MINE).head.get("idempotency-replayed"), Some("true"));
}

#[test]
fn twins_share_a_failure_and_the_next_request_with_the_key_is_a_call_of_its_own() {
    let relayed = Relayed::open();
    for status in [
        "500 Internal Server Error",
        "429 Too Many Requests",
        "408 Request Timeout",
        "409 Conflict",
        "400 Bad Request",
    ] {
        let (clients, call) = three(&relayed);
        call.answer(status, CLOSE, "no");
        let code: u16 = status[..3].parse().unwrap();
        for (number, mut client) in clients.into_iter().enumerate() {
            assert_eq!(told(&client.response()), (code, "no", number > 0));
        }
    }
    // Some providers report an error with a 200.
    let (clients, call) = three(&relayed);
    call.answer("200 OK", CLOSE, "{\"error\":{\"message\":\"overloaded\"}}");
    for mut client in clients {
        assert_eq!(client.response().head.status, 200);
    }
    // The upstream breaks off before its head.
    let (clients, call) = three(&relayed);
    drop(call);
    for mut client in clients {
        assert_eq!(client.response().head.status, 502);
    }
    assert_eq!(relayed.relay.stats()[0].upstream_calls, 7);
    eventually(|| relayed.relay.answers() == (0, 0));
    relayed.upstream.is_left_alone();
}

#[test]
fn an_answer_that_broke_off_is_a_cut_for_its_asker_and_its_twin_asks() {
    let relayed = Relayed::open();
    let (mut reader, mut call) = begun(&relayed);
    let mut twin = send(&relayed);
    eventually(|| relayed.relay.stats()[0].readers == 1);
    call.chunk(",2");
    drop(call);
    reader.expect("[1,2");
    assert_eq!(reader.rest().1, End::Cut);
    relayed.upstream.call().answer("200 OK", CLOSE, "whole");
    assert_eq!(twin.response().body, "whole");
    assert_eq!(told(&ask(&relayed)), (200, "whole", true));
}

/// An answer that has begun.
fn begun(relayed: &Relayed) -> (Reader, Call) {
    let client = send(relayed);
    let mut call = relayed.upstream.call();
    call.send(CHUNKED);
    call.chunk("[1");
    (client.reader(), call)
}

#[test]
fn an_answer_with_a_key_is_read_to_its_end_when_its_asker_has_gone() {
    let relayed = Relayed::open();
    let (reader, mut call) = begun(&relayed);
    drop(reader);
    call.is_wanted_for(Duration::from_millis(300));
    call.chunk("]");
    call.end();
    assert_eq!(told(&ask(&relayed)), (200, "[1]", true));
    // A client that only waits has not gone, however short the grace is.
    let relayed = Relayed::with(|route| {
        route.on_disconnect = tidewire_relay::config::OnDisconnect::Cancel;
    });
    let (reader, mut call) = begun(&relayed);
    call.is_wanted_for(Duration::from_millis(300));
    drop(reader);
    call.gone();
}

#[test]
fn an_answer_that_is_too_large_to_be_kept_is_passed_on_and_twins_ask_for_themselves() {
    let tight = |config: &mut Config| config.routes[0].limits.max_answer = 1000;
    let small = |config: &mut Config| config.max_kept_bodies = 5000;
    let large = "x".repeat(1500);
    for bound in [&tight as &dyn Fn(&mut Config), &small] {
        let relayed = Relayed::built(bound);
        for has_length in [true, false] {
            let (clients, call) = three(&relayed);
            let mut calls = vec![call];
            scope(|scope| {
                let asked = clients.map(|mut client| scope.spawn(move || client.response().body));
                for _ in 0..3 {
                    let mut call = calls.pop().unwrap_or_else(|| relayed.upstream.call());
                    match has_length {
                        true => call.answer("200 OK", CLOSE, &large.repeat(3)),
                        false => {
                            call.send(CHUNKED);
                            (0..3).for_each(|_| call.chunk(&large));
                            call.end();
                        }
                    }
                }
                for asked in asked {
                    assert_eq!(asked.join().unwrap(), large.repeat(3));
                }
            });
            eventually(|| relayed.relay.answers() == (0, 0));
        }
        assert_eq!(relayed.relay.kept_bodies(), 0);
    }
}

#[test]
fn answers_are_kept_for_their_time_and_the_oldest_go_where_there_is_no_room() {
    let relayed = Relayed::built(|config| {
        config.max_kept_bodies = 20_000;
        config.routes[0].limits.max_answer = 10_000;
    });
    let body = "x".repeat(4000);
    let keyed = |key: &str| {
        let mut client = relayed.server.connect();
        client.send(ask_with(&[MINE[0], ("Idempotency-Key", key)]));
        client
    };
    let keys = ["1", "2", "3", "4", "5", "6"];
    for key in keys {
        let mut client = keyed(key);
        relayed.upstream.call().answer("200 OK", CLOSE, &body);
        assert_eq!(told(&client.response()), (200, &*body, false));
        eventually(|| relayed.relay.answers().0 == 0);
        assert!(relayed.relay.kept_bodies() <= 20_000);
    }
    assert_eq!(told(&keyed("6").response()), (200, &*body, true));
    assert_eq!(told(&keyed("4").response()), (200, &*body, true));
    let mut first = keyed("1");
    relayed.upstream.call().answer("200 OK", CLOSE, "anew");
    assert_eq!(told(&first.response()), (200, "anew", false));

    let relayed = Relayed::with(|route| route.keep = Duration::from_millis(200));
    let mut client = send(&relayed);
    relayed.upstream.call().answer("200 OK", CLOSE, "x");
    client.response();
    eventually(|| relayed.relay.answers() == (0, 0));
    assert_eq!(relayed.relay.kept_bodies(), 0);
    let mut client = send(&relayed);
    relayed.upstream.call().answer("200 OK", CLOSE, "anew");
    assert_eq!(client.response().body, "anew");
}

#[test]
fn a_part_of_a_body_is_nothing_to_share_and_a_question_is_asked_anew() {
    let relayed = Relayed::open();
    for (method, answer) in [
        ("POST", "206 Partial Content"),
        ("HEAD", "200 OK"),
        ("GET", "200 OK"),
    ] {
        for _ in 0..2 {
            let mut client = relayed.server.connect();
            client.send(request(method, "/v1/batches/1", &MINE, ""));
            relayed.upstream.call().answer(answer, CLOSE, "");
            assert_eq!(client.reader().head.get("idempotency-replayed"), None);
            eventually(|| relayed.relay.answers() == (0, 0));
        }
    }
}
