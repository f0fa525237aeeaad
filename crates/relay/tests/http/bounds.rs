//! Everything has a bound, and says so when it is hit.

use std::{thread::sleep, time::Duration};

use tidewire_doors::{
    bodies::Shares,
    guard::{Guard, Tokens},
    sending::SendBuffers,
};
use tidewire_hub::Clock;
use tidewire_relay::config::{Owner, RouteAuth};

use super::{Call, Relayed, stream_of};
use crate::client::{End, Reader, eventually, request};

/// An answer that has begun, with who answers it.
fn begun(relayed: &Relayed, headers: &[(&str, &str)]) -> (Reader, Call) {
    let mut call = None;
    let reader = relayed.answered_to("hello", headers, |mut asked| {
        asked.stream();
        asked.event("1");
        call = Some(asked);
    });
    (reader, call.unwrap())
}

fn finished(relayed: &Relayed, headers: &[(&str, &str)]) -> String {
    let (reader, call) = begun(relayed, headers);
    call.end();
    let stream = stream_of(&reader);
    assert_eq!(reader.rest().1, End::Finished);
    stream
}

#[test]
fn one_answer_more_than_may_run_is_refused_and_a_place_is_free_when_one_has_ended() {
    let relayed = Relayed::built(|config| {
        config.max_running = 3;
        config.routes[0].owner = Owner::Cookie("user".into());
        config.routes[0].limits.max_running_per_owner = 2;
    });
    let (anna, bert) = (("Cookie", "user=anna"), ("Cookie", "user=bert"));
    let refused = |who| {
        let reader = relayed.ask(&[who]);
        assert_eq!(
            (reader.head.status, reader.head.get("retry-after")),
            (429, Some("1"))
        );
        let text = reader.rest().0;
        assert!(text.contains("busy"), "{text}");
    };
    let (first, call) = begun(&relayed, &[anna]);
    let _second = begun(&relayed, &[anna]);
    refused(anna);
    let _third = begun(&relayed, &[bert]);
    refused(bert);
    assert_eq!(relayed.relay.answers(), (3, 3));
    // A twin takes no place: it joins.
    call.end();
    assert_eq!(first.rest().1, End::Finished);
    // At once: whoever has seen the end may ask again.
    let mut one = begun(&relayed, &[anna]);
    for _ in 0..20 {
        let (reader, call) = one;
        call.end();
        assert_eq!(reader.rest().1, End::Finished);
        one = begun(&relayed, &[anna]);
    }
    relayed.upstream.is_left_alone();
}

/// A backend asks for all of its users with one API key.
#[test]
fn a_key_of_an_upstream_is_no_owner_and_has_no_bound_of_its_own() {
    let relayed = Relayed::with(|route| route.limits.max_running_per_owner = 2);
    let backend = [("Authorization", "Bearer key")];
    let _all: Vec<_> = (0..5).map(|_| begun(&relayed, &backend)).collect();
    assert_eq!(relayed.relay.answers(), (5, 5));
}

#[test]
fn an_answer_can_be_read_until_it_has_been_kept_long_enough_and_then_nothing_of_it_is_there() {
    let relayed = Relayed::with(|route| route.keep = Duration::from_millis(500));
    let key = [("Authorization", "a"), ("Idempotency-Key", "k")];
    let stream = finished(&relayed, &key);
    let place = format!("/relay/{stream}");
    assert!(relayed.get(&place, &[]).rest().0.contains("data: 1\n"));
    eventually(|| relayed.relay.answers() == (0, 0));
    for target in [place.clone(), format!("{place}?last_event_id={stream}.1")] {
        let answer = relayed.request("GET", &target, &[], "");
        assert_eq!(answer.head.status, 410);
        assert!(answer.body.contains("expired"), "{}", answer.body);
    }
    assert_eq!(relayed.request("DELETE", &place, &[], "").head.status, 410);
    // Its key is free, and its place in it stands for nothing.
    let last = format!("{stream}.1");
    let again = finished(&relayed, &[key[0], key[1], ("Last-Event-ID", &last)]);
    assert_ne!(again, stream);
    eventually(|| relayed.relay.answers() == (0, 0));
    let (reader, mut call) = begun(&relayed, &key);
    (0..50).for_each(|_| call.event("more"));
    call.end();
    reader.rest();
    let records = || relayed.hub.stats().archive.records;
    assert!(records() > 50);
    // The notes are all that is left in the log.
    eventually(|| records() < 20);
}

#[test]
fn a_leap_of_the_clock_lets_no_answer_go_until_it_is_confirmed() {
    const KEEP: Duration = Duration::from_secs(3600);
    let clock = Clock::manual(1_000_000_000_000);
    let relayed = Relayed::by_clock(clock.clone(), |route| route.keep = KEEP);
    let ended = |count: u64| eventually(|| relayed.relay.stats()[0].endings.iter().sum::<u64>() == count);
    finished(&relayed, &[]);
    ended(1);
    clock.advance(KEEP / 2);
    let second = finished(&relayed, &[]);
    ended(2);
    clock.leap(8 * 24 * 3600 * 1000);
    assert_ne!(relayed.hub.times().expiry, clock.now());
    // By the monotonic clock the first one has been kept long enough, and the second has not.
    clock.advance(KEEP / 2);
    eventually(|| relayed.relay.answers() == (0, 1));
    assert_eq!(relayed.get(&format!("/relay/{second}"), &[]).head.status, 200);
    assert!(relayed.hub.confirm_clock());
    eventually(|| relayed.relay.answers() == (0, 0));
}

#[test]
fn of_answers_that_are_too_many_the_oldest_goes_and_one_that_runs_stays() {
    let relayed = Relayed::built(|config| config.max_kept = 3);
    let (running, _call) = begun(&relayed, &[]);
    let streams: Vec<_> = (0..5).map(|_| finished(&relayed, &[])).collect();
    eventually(|| relayed.relay.answers() == (1, 3));
    let status = |stream: &String| relayed.get(&format!("/relay/{stream}"), &[]).head.status;
    let statuses: Vec<u16> = streams.iter().map(status).collect();
    assert_eq!(statuses, [410, 410, 410, 200, 200]);
    assert_eq!(status(&stream_of(&running)), 200);
}

#[test]
fn a_request_that_never_comes_does_not_reach_the_upstream() {
    let relayed = Relayed::built(|config| config.bodies.stall = Duration::from_millis(300));
    let mut client = relayed.server.connect();
    client.send("POST /v1/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf");
    sleep(Duration::from_millis(100));
    assert_eq!(client.response().head.status, 408);
    relayed.upstream.is_left_alone();
}

#[test]
fn an_answer_larger_than_it_may_be_is_ended_and_its_upstream_let_go() {
    let relayed = Relayed::with(|route| route.limits.max_answer = 5000);
    let (reader, mut call) = begun(&relayed, &[]);
    call.event(&"x".repeat(3000));
    call.event(&"y".repeat(3000));
    call.gone();
    let (text, end) = reader.rest();
    assert!(text.contains("xxx") && !text.contains("yyy"));
    assert!(text.contains("\"code\":\"answer_too_large\""));
    assert_eq!(end, End::Finished);
}

#[test]
fn an_answer_that_takes_longer_than_it_may_is_ended() {
    let relayed = Relayed::with(|route| route.times.total = Duration::from_millis(500));
    let (reader, mut call) = begun(&relayed, &[]);
    call.gone();
    assert!(reader.rest().0.contains("\"code\":\"answer_timeout\""));
}

#[test]
fn a_stranger_cannot_take_the_places_of_other_routes_or_of_token_holders() {
    let relayed = Relayed::guarded(
        Guard::default()
            .tokens(Tokens::default().publish(["0f6ad0b7a8c5d2e1".parse().unwrap()]))
            .routes([("/paid".into(), RouteAuth::Token, true)]),
        |config| {
            config.max_running = 8;
            config.max_running_without_token = Some(6);
            for path in ["/v2", "/paid"] {
                let mut route = config.routes[0].clone();
                route.path = path.into();
                config.routes.push(route);
            }
        },
    );
    let ask = |path: &str, who: &str| {
        let mut client = relayed.server.connect();
        let headers = [("Authorization", who), ("Accept", "text/event-stream")];
        client.send(request("POST", &format!("{path}/chat"), &headers, "{}"));
        client
    };
    let invented: Vec<_> = (0..20)
        .map(|at| ask("/v1", &format!("Bearer invented-{at}")))
        .collect();
    let calls: Vec<_> = (0..4).map(|_| relayed.upstream.call()).collect();
    relayed.upstream.is_left_alone();
    drop(invented);
    let refused = ask("/v1", "Bearer another").response();
    assert_eq!(
        (refused.status(), refused.head.get("retry-after")),
        (429, Some("1"))
    );
    assert!(
        refused.body.contains("4 answers of this route"),
        "{}",
        refused.body
    );
    // Another route has places, also for strangers, but not all that are left.
    let others: Vec<_> = (0..3)
        .map(|at| ask("/v2", &format!("Bearer other-{at}")))
        .collect();
    let other_calls: Vec<_> = (0..2).map(|_| relayed.upstream.call()).collect();
    relayed.upstream.is_left_alone();
    let mut holder = ask("/paid", "Bearer 0f6ad0b7a8c5d2e1");
    relayed.upstream.call().answer("200 OK", "", "served");
    assert_eq!(holder.response().body, "served");
    drop((calls, others, other_calls));
}

#[test]
fn one_network_has_its_share_of_the_places_unless_it_shows_a_token() {
    let relayed = Relayed::guarded(
        Guard::default()
            .tokens(Tokens::default().publish(["0f6ad0b7a8c5d2e1".parse().unwrap()]))
            .routes([("/paid".into(), RouteAuth::Token, true)]),
        |config| {
            config.max_running_per_network = Some(2);
            let mut route = config.routes[0].clone();
            route.path = "/paid".into();
            config.routes.push(route);
        },
    );
    let ask = |path: &str, who: &str| {
        let mut client = relayed.server.connect();
        let headers = [("Authorization", who), ("Accept", "text/event-stream")];
        client.send(request("POST", &format!("{path}/chat"), &headers, "{}"));
        client
    };
    let _two: Vec<_> = (0..2)
        .map(|at| (ask("/v1", &format!("Bearer {at}")), relayed.upstream.call()))
        .collect();
    let refused = ask("/v1", "Bearer another").response();
    assert_eq!(refused.status(), 429);
    assert!(
        refused.body.contains("2 answers of your address"),
        "{}",
        refused.body
    );
    let mut holder = ask("/paid", "Bearer 0f6ad0b7a8c5d2e1");
    relayed.upstream.call().answer("200 OK", "", "served");
    assert_eq!(holder.response().body, "served");
}

#[test]
fn connections_that_upstreams_are_done_with_are_few_however_many_routes_there_are() {
    let relayed = Relayed::built(|config| {
        config.max_running = 16;
        let mut route = config.routes[0].clone();
        route.path = "/v2".into();
        config.routes.push(route);
    });
    for path in ["/v1/chat", "/v2/chat"] {
        let ask = || {
            let mut client = relayed.server.connect();
            client.send(request("POST", path, &[], "{}"));
            client
        };
        let (mut clients, mut calls): (Vec<_>, Vec<_>) =
            (0..6).map(|_| (ask(), relayed.upstream.call())).unzip();
        for call in &mut calls {
            call.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
        }
        for client in &mut clients {
            assert_eq!(client.response().body, "hi");
        }
        let stay = |call: &mut Call| call.stays_for(Duration::from_millis(200));
        assert_eq!(calls.iter_mut().map(stay).filter(|stays| *stays).count(), 2);
    }
}

#[test]
fn a_reader_without_room_for_a_large_event_is_cut_and_reads_it_when_there_is_some() {
    let budget = SendBuffers::new(Shares {
        max: 1,
        max_without_token: None,
        max_per_network: None,
    });
    let relayed = Relayed::built(|config| config.send_buffers = budget.clone());
    let (stuck, mut call) = begun(&relayed, &[]);
    let stream = stream_of(&stuck);
    call.chunk("data:\n".repeat(900 << 10) + "\n");
    eventually(|| budget.held() > 6 << 20);
    let place = format!("/relay/{stream}");
    let mut cut = relayed.get(&place, &[]);
    cut.until("data: 1\n\n");
    let (rest, end) = cut.rest();
    assert!(rest.starts_with("retry: "), "{} bytes", rest.len());
    assert_eq!(end, End::Cut);
    assert_eq!(budget.refused(), 1);
    drop(stuck);
    eventually(|| budget.held() == 0);
    let seen = format!("{stream}.1");
    let mut again = relayed.get(&place, &[("Last-Event-ID", &seen)]);
    again.until("id: ");
    assert!(again.block().len() > 6 << 20);
}
