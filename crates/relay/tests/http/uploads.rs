//! Bodies that are passed on as they come: files, and JSON that is too large to be held.

use std::time::Duration;

use tidewire_doors::{
    BodyBounds,
    bodies::{Bodies, Shares},
};

use super::{Relayed, stream_of};
use crate::client::{Client, End, eventually};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// Half a MiB is what an upload takes of the budget.
const IN_FLIGHT: usize = 512 * KIB;

fn budget(max: usize) -> Bodies {
    Bodies::new(Shares {
        max,
        max_without_token: None,
        max_per_network: None,
    })
}

fn bounds(budget: &Bodies) -> BodyBounds {
    BodyBounds {
        budget: budget.clone(),
        ..BodyBounds::default()
    }
}

/// Sends the head of an upload, of whose body the upstream says when it is read.
fn begun(relayed: &Relayed, headers: &str) -> Client {
    let mut client = relayed.server.connect();
    client.send(format!(
        "POST /v1/files HTTP/1.1\r\nHost: localhost\r\nX-Test-Body: later\r\n{headers}\r\n"
    ));
    client
}

fn upload(relayed: &Relayed, kind: &str, len: usize) -> Client {
    begun(
        relayed,
        &format!("Content-Type: {kind}\r\nContent-Length: {len}\r\n"),
    )
}

#[test]
fn a_large_upload_passes_through_a_small_budget_as_fast_as_its_upstream_takes_it() {
    const LEN: usize = 40 * MIB;
    let budget = budget(MIB);
    let relayed = Relayed::built(|config| {
        config.bodies = bounds(&budget);
        config.routes[0].limits.max_body = 64 * KIB;
    });
    for kind in ["multipart/form-data; boundary=x", "audio/wav", "application/json"] {
        let mut client = upload(&relayed, kind, LEN);
        let sending = std::thread::spawn(move || {
            let piece = "x".repeat(MIB);
            (0..LEN / MIB).for_each(|_| client.send(&piece));
            client
        });
        let mut call = relayed.upstream.call();
        assert_eq!(call.header("content-length"), Some(&*LEN.to_string()));
        assert_eq!(call.header("transfer-encoding"), None);
        let half = call.read_body(LEN / 2);
        assert_eq!((half, budget.held()), (LEN / 2, IN_FLIGHT), "{kind}");
        assert!(
            !sending.is_finished(),
            "all of it was taken before the upstream read it"
        );
        assert_eq!(call.read_body(LEN / 2), LEN / 2, "{kind}");
        let mut client = sending.join().unwrap();
        call.answer("200 OK", "", "{\"id\":\"file-1\"}");
        assert_eq!(client.response().body, "{\"id\":\"file-1\"}");
        eventually(|| budget.held() == 0);
    }
}

#[test]
fn a_body_of_unknown_length_goes_on_in_chunks_and_what_was_held_of_it_goes_first() {
    let relayed = Relayed::with(|route| route.limits.max_body = 64 * KIB);
    for (kind, pieces) in [("application/json", 20), ("text/csv", 20), ("text/csv", 1)] {
        let mut client = begun(
            &relayed,
            &format!("Content-Type: {kind}\r\nTransfer-Encoding: chunked\r\n"),
        );
        let mut sent = String::new();
        for number in 0..pieces {
            let piece = format!("{number:04}").repeat(2 * KIB);
            client.send(format!("{:x}\r\n{piece}\r\n", piece.len()));
            sent += &piece;
        }
        client.send("0\r\n\r\n");
        let mut call = relayed.upstream.call();
        assert_eq!(call.header("transfer-encoding"), Some("chunked"));
        assert_eq!(call.header("content-length"), None);
        assert_eq!(call.chunks(), sent, "{kind}");
        call.answer("200 OK", "", "{}");
        assert_eq!(client.response().status(), 200);
    }
}

#[test]
fn an_upload_finds_room_before_its_upstream_is_asked_and_gives_it_back_whatever_happens() {
    let budget = budget(MIB);
    let relayed = Relayed::built(|config| config.bodies = bounds(&budget));
    let mut first = upload(&relayed, "audio/wav", MIB);
    let call = relayed.upstream.call();
    let refused = upload(&relayed, "audio/wav", MIB).response();
    assert_eq!(
        (refused.status(), refused.json()["code"].as_str()),
        (503, Some("bodies_full"))
    );
    relayed.upstream.is_left_alone();
    // Its upstream refuses it before it has come.
    call.answer("413 Payload Too Large", "", "too large");
    assert_eq!(first.response().body, "too large");
    eventually(|| budget.held() == 0);
    // Its client goes.
    let second = upload(&relayed, "audio/wav", MIB);
    let mut call = relayed.upstream.call();
    drop(second);
    assert_eq!(call.read_body(MIB), 0);
    eventually(|| budget.held() == 0);
    eventually(|| relayed.relay.answers().0 == 0);
    // Its upstream goes.
    let mut third = upload(&relayed, "audio/wav", MIB);
    drop(relayed.upstream.call());
    assert_eq!(third.response().json()["code"], "upstream_unreachable");
    eventually(|| budget.held() == 0);
}

#[test]
fn an_upload_that_stalls_is_given_up_and_one_that_only_takes_its_time_is_not() {
    let budget = Bodies::default();
    let relayed = Relayed::built(|config| {
        config.bodies = BodyBounds {
            stall: Duration::from_secs(3),
            total: Duration::from_millis(1),
            budget: budget.clone(),
        }
    });
    let mut slow = upload(&relayed, "audio/wav", 100 * KIB);
    let mut call = relayed.upstream.call();
    for _ in 0..100 {
        slow.send("x".repeat(KIB));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(call.read_body(100 * KIB), 100 * KIB);
    call.answer("200 OK", "", "{}");
    assert_eq!(
        slow.response().status(),
        200,
        "it took longer than a body that is held may"
    );

    let mut stalled = upload(&relayed, "audio/wav", 100 * KIB);
    stalled.send("x");
    let mut call = relayed.upstream.call();
    let refused = stalled.response();
    assert_eq!(
        (refused.status(), refused.json()["code"].as_str()),
        (408, Some("body_stalled"))
    );
    assert_eq!(
        call.read_body(100 * KIB),
        1,
        "the upstream's connection is closed"
    );
    eventually(|| budget.held() == 0);
}

#[test]
fn a_key_of_an_upload_is_passed_on_and_the_answer_says_so() {
    let relayed = Relayed::open();
    let credentials = "Authorization: Bearer a\r\nIdempotency-Key: k\r\n";
    let passed_on = |client: Client, call: super::Call| {
        assert_eq!(call.header("idempotency-key"), Some("k"));
        call.answer("200 OK", "", "{}");
        let mut client = client;
        let head = client.response().head;
        head.get("tidewire-idempotency").map(str::to_owned)
    };
    for _ in 0..2 {
        let file = format!(
            "Content-Type: audio/wav\r\nContent-Length: {}\r\n{credentials}",
            65 * KIB
        );
        let mut client = begun(&relayed, &file);
        client.send("x".repeat(65 * KIB));
        let mut call = relayed.upstream.call();
        call.read_body(65 * KIB);
        assert_eq!(passed_on(client, call).as_deref(), Some("passed-on"));
    }
    // Nobody's key is passed on as well; one of a body that is held is the relay's.
    let body = "Content-Type: application/json\r\nContent-Length: 2\r\n";
    let mut anonymous = begun(&relayed, &format!("{body}Idempotency-Key: k\r\n"));
    anonymous.send("{}");
    let call = relayed.upstream.call();
    assert_eq!(passed_on(anonymous, call).as_deref(), Some("passed-on"));
    let mut held = begun(&relayed, &format!("{body}{credentials}"));
    held.send("{}");
    let call = relayed.upstream.call();
    assert_eq!(passed_on(held, call), None);
}

#[test]
fn an_upload_that_is_answered_by_a_stream_can_be_read_on() {
    let relayed = Relayed::open();
    let mut client = upload(&relayed, "multipart/form-data; boundary=x", 65 * KIB);
    client.send("x".repeat(65 * KIB));
    let mut call = relayed.upstream.call();
    call.read_body(65 * KIB);
    call.stream();
    call.event("one");
    let mut reader = client.reader();
    assert_eq!(reader.data(), "one");
    let place = format!("/relay/{}", stream_of(&reader));
    drop(reader);
    call.event("two");
    call.end();
    let mut again = relayed.get(&place, &[]);
    again.until("data: one\n\n");
    assert_eq!(again.data(), "two");
    assert_eq!(again.rest().1, End::Finished);
}

/// Sends a request of 500 KiB as far as this.
fn announced(relayed: &Relayed, sent: usize) -> Client {
    let mut client = relayed.server.connect();
    client.send(format!(
        "POST /v1/chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        500 * KIB
    ));
    client.send("x".repeat(sent));
    client
}

#[test]
fn the_body_of_a_request_to_an_upstream_counts_until_it_has_been_sent() {
    let budget = budget(1024 * KIB);
    let relayed = Relayed::built(|config| config.bodies = bounds(&budget));
    let half = announced(&relayed, 400 * KIB);
    eventually(|| budget.held() == 500 * KIB || budget.held() == 512 * KIB);
    let mut full = announced(&relayed, 0);
    assert_eq!(full.response().json()["code"], "bodies_full");
    relayed.upstream.is_left_alone();
    drop(half);
    eventually(|| budget.held() == 0);
    let mut whole = announced(&relayed, 500 * KIB);
    let call = relayed.upstream.call();
    assert_eq!(call.body.len(), 500 * KIB);
    call.answer("200 OK", "", "served");
    assert_eq!(whole.response().body, "served");
    eventually(|| budget.held() == 0);
}
