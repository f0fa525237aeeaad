//! How it ends, and what readers know of it when it is there again.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::{
    binary::Server,
    client::{End, field, request},
};

#[test]
fn sigterm_tells_readers_when_to_come_again_and_cuts_them() {
    for signal in [Signal::TERM, Signal::INT] {
        let server = Server::start();
        let mut reader = server.get("/events/a", &[]);
        let other = server.get("/events/other", &[]);
        // A typist and an idle connection are no reason to stay.
        server.ask("POST", "/demo/answers?cps=1", &[], "");
        let mut idle = server.connect();
        assert_eq!(idle.ask(request("GET", "/healthz", &[], "")).status(), 200);
        let id = server.post("/events/a", "1");
        server.signal(signal);
        reader.expect(&format!("id: {id}\ndata: 1\n\n"));
        for reader in [reader, other] {
            let (text, end) = reader.rest();
            let wait = text
                .strip_prefix("retry: ")
                .and_then(|text| text.strip_suffix('\n'));
            let wait: u64 = wait.expect("a wait").parse().unwrap();
            assert!((500..=5000).contains(&wait), "{wait}");
            assert_eq!(end, End::Cut);
        }
        assert_eq!(idle.rest(), "");
        let (code, stderr) = server.ended();
        assert_eq!(code, Some(0));
        assert!(stderr.contains("drained"), "{stderr}");
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    // A publish whose body never comes holds the drain, which has all the time in the world.
    let server = Server::with(&[("TIDEWIRE_TIMEOUTS_DRAIN", "10m")]);
    let mut stuck = server.connect();
    stuck.send(
        "POST /events/a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
    );
    assert_eq!(stuck.response().status(), 100, "the body is asked for");
    let reader = server.get("/events/a", &[]);
    server.signal(Signal::TERM);
    assert_eq!(reader.rest().1, End::Cut, "it drains");
    server.signal(Signal::TERM);
    let (code, stderr) = server.ended();
    assert_eq!(code, Some(1));
    assert!(stderr.contains("SIGTERM while draining"), "{stderr}");
}

#[test]
fn a_drain_has_a_deadline() {
    let server = Server::with(&[("TIDEWIRE_TIMEOUTS_DRAIN", "100ms")]);
    let mut stuck = server.connect();
    stuck.send(
        "POST /events/a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
    );
    assert_eq!(stuck.response().status(), 100);
    server.signal(Signal::TERM);
    let (code, stderr) = server.ended();
    assert_eq!(code, Some(0));
    assert!(stderr.contains("not drained in time"), "{stderr}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long a process takes to end")]
fn reads_that_nobody_waits_for_any_more_hold_no_drain() {
    const TOPICS: usize = 256;
    let server = Server::with(&[("TIDEWIRE_DATA", "log"), ("TIDEWIRE_TIMEOUTS_DRAIN", "1s")]);
    let events = "data: x\n\n".repeat(100);
    let headers = [("Content-Type", "text/event-stream")];
    let mut publisher = server.connect();
    for number in 0..TOPICS {
        let target = format!("/events/{number}");
        let answer = publisher.ask(request("POST", &target, &headers, &events));
        assert_eq!(answer.status(), 200, "{answer:?}");
    }
    let topics: Vec<_> = (0..TOPICS).map(|number| format!("topic={number}")).collect();
    let target = format!("/events?{}", topics.join("&"));
    let head = server.ask("HEAD", &target, &[], "").head;
    assert_eq!(head.get("tidewire-count"), Some("25600"));
    for _ in 0..30 {
        server.connect().send(request("HEAD", &target, &[], ""));
        let last = format!("{target}&last=20000");
        server.connect().send(request("GET", &last, &[], ""));
    }
    let begun = Instant::now();
    server.signal(Signal::TERM);
    let (code, stderr) = server.ended();
    assert_eq!(code, Some(0), "{stderr}");
    // On a machine that does much else; 60 such reads took minutes.
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn after_kill_9_a_reader_that_comes_back_is_told_of_the_reset() {
    let server = Server::start();
    let address = server.address.to_string();
    server.post("/events/a", "1");
    let id = server.post("/events/a", "2");
    let reader = server.get("/events/a", &[]);
    server.signal(Signal::KILL);
    assert_eq!(reader.rest().1, End::Cut);
    server.ended();

    let server = Server::at(&address, &[]);
    let mut reader = server.get("/events/a", &[("Last-Event-ID", &id)]);
    assert_eq!(reader.head.get("tidewire-resume"), Some("gap"));
    let gap = reader.block();
    assert_eq!(field(&gap, "event").as_deref(), Some("tidewire.gap"));
    let said: serde_json::Value = serde_json::from_str(&field(&gap, "data").unwrap()).unwrap();
    assert_eq!(
        (&said["requested"], &said["reason"]),
        (&id.into(), &"reset".into())
    );
    let next = server.post("/events/a", "3");
    reader.expect(&format!("id: {next}\ndata: 3\n\n"));
}
