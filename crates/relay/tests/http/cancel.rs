//! When an upstream is let go: it sees at once that its client has gone, and not before it is due.

use std::{thread::scope, time::Duration};

use tidewire_relay::config::OnDisconnect;
use tokio::time::Instant;

use super::{Call, Relayed, chat, stream_of};
use crate::client::{Reader, request};

/// The issue says 100 ms; a machine with other work gets more, and what is far from it fails.
const SOON: Duration = Duration::from_millis(500);

#[test]
fn an_upstream_sees_that_its_client_has_gone_when_it_is_due() {
    let grace = Duration::from_millis(300);
    for (policy, due) in [
        (OnDisconnect::Cancel, Duration::ZERO),
        (OnDisconnect::Grace(grace), grace),
    ] {
        let relayed = Relayed::with(|route| route.on_disconnect = policy);
        for has_begun in [false, true] {
            let (mut call, left) = left_alone(&relayed, has_begun);
            call.gone();
            let after = left.elapsed();
            println!("{policy:?}, begun {has_begun}: {after:?}");
            assert!(after >= due, "{policy:?} {has_begun}: {after:?}");
            assert!(after < due + SOON, "{policy:?} {has_begun}: {after:?}");
        }
    }
    let relayed = Relayed::with(|route| route.on_disconnect = OnDisconnect::Finish);
    for has_begun in [false, true] {
        let (mut call, _) = left_alone(&relayed, has_begun);
        call.is_wanted_for(SOON);
    }
}

/// A call of the upstream whose client went at this moment.
fn left_alone(relayed: &Relayed, has_begun: bool) -> (Call, Instant) {
    let mut client = relayed.server.connect();
    client.send(chat("hello", &[]));
    let mut call = relayed.upstream.call();
    if !has_begun {
        drop(client);
        return (call, Instant::now());
    }
    call.stream();
    call.event("1");
    let mut reader = client.reader();
    reader.until("data: 1\n\n");
    drop(reader);
    (call, Instant::now())
}

#[test]
fn an_answer_is_not_let_go_while_one_of_its_readers_is_there() {
    let relayed = Relayed::with(|route| route.on_disconnect = OnDisconnect::Cancel);
    let mut call = None;
    let mut first = relayed.answered(|mut asked| {
        asked.stream();
        asked.event("1");
        call = Some(asked);
    });
    let mut call = call.unwrap();
    first.until("data: 1\n\n");
    let mut second = relayed.get(&format!("/relay/{}", stream_of(&first)), &[]);
    second.until("data: 1\n\n");
    drop(first);
    call.is_wanted_for(Duration::from_millis(200));
    call.event("2");
    second.until("data: 2\n\n");
    drop(second);
    assert!(call.gone() < SOON);
}

#[test]
fn who_comes_back_within_the_grace_finds_the_answer_going_on() {
    let relayed = Relayed::with(|route| {
        route.on_disconnect = OnDisconnect::Grace(Duration::from_millis(400));
    });
    let mut call = None;
    let reader = relayed.answered(|mut asked| {
        asked.stream();
        asked.event("1");
        call = Some(asked);
    });
    let mut call = call.unwrap();
    let place = format!("/relay/{}", stream_of(&reader));
    drop(reader);
    // Longer than the grace in all, but never at once.
    for _ in 0..4 {
        call.is_wanted_for(Duration::from_millis(200));
        let mut reader = relayed.get(&place, &[]);
        reader.until("data: 1\n\n");
    }
    call.gone();
    let (text, _) = relayed.get(&place, &[]).rest();
    assert!(text.contains("\"code\":\"abandoned\""), "{text}");
}

#[test]
fn a_stop_is_seen_at_once_also_before_the_upstream_has_answered() {
    let relayed = Relayed::proxied(super::users::chats_of_users);
    let ask = || -> Reader {
        let mut client = relayed.server.connect();
        let headers = [("X-User", "anna"), ("Content-Type", "application/json")];
        client.send(request("POST", "/v1/chat", &headers, "{\"id\":\"chat/c1\"}"));
        client.reader()
    };
    // The chat's key has a slash.
    let stop = "/v1/chat%2Fc1/stream";
    scope(|scope| {
        let asked = scope.spawn(ask);
        let mut call = relayed.upstream.call();
        let stopped = relayed.request("DELETE", stop, &[("X-User", "anna")], "");
        assert_eq!(stopped.head.status, 204);
        let after = call.gone();
        println!("stopped before it began: {after:?}");
        assert!(after < SOON);
        let reader = asked.join().unwrap();
        // No status after which clients ask again by themselves.
        assert_eq!(reader.head.status, 410);
        assert!(reader.rest().0.contains("\"stopped\""));
    });
}

#[test]
fn the_end_of_a_request_is_not_its_client_going() {
    let relayed = Relayed::with(|route| route.on_disconnect = OnDisconnect::Cancel);
    let mut client = relayed.server.connect();
    // In chunks, with a trailer, and a promise to wait.
    client.send(
        "POST /v1/chat HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nExpect: 100-continue\r\n\
         Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n",
    );
    assert_eq!(client.response().head.status, 100);
    client.send("2\r\n{}\r\n0\r\nX-Sum: 1\r\n\r\n");
    let mut call = relayed.upstream.call();
    assert_eq!((call.header("expect"), call.header("trailer")), (None, None));
    assert_eq!((call.header("content-length"), &*call.body), (Some("2"), "{}"));
    call.is_wanted_for(Duration::from_millis(300));
    call.stream();
    call.event("1");
    let mut reader = client.reader();
    reader.until("data: 1\n\n");
    call.is_wanted_for(Duration::from_millis(300));
    call.event("2");
    call.end();
    reader.until("data: 2\n\n");
    reader.finished();
}
