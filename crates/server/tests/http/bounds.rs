//! What a client cannot do to the server.

use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

use crate::{
    client::{End, eventually, request},
    support::Server,
};

#[test]
fn a_head_that_is_too_large_is_431() {
    let server = Server::start();
    let large = "x".repeat(17 << 10);
    let response = server.ask("GET", "/events/a", &[("Cookie", &large)], "");
    assert_eq!(response.status(), 431);
    let response = server.ask("GET", &format!("/events/a?{large}"), &[], "");
    assert_eq!(response.status(), 431);
    let fits = "x".repeat(15 << 10);
    server.get("/events/a", &[("Cookie", &fits)]);
}

#[test]
fn a_head_that_is_too_slow_ends_the_connection() {
    let server = Server::with(|config| config.connection.header_read = Duration::from_secs(1));
    let silent = server.connect();
    let mut slow = server.connect();
    slow.send("GET /healthz HTTP/1.1\r\nHost: local");
    assert_eq!(slow.rest(), "");
    assert_eq!(silent.rest(), "");
    let mut reader = server.get("/events/a", &[]);
    server.post("/events/a", "a stream is not a head");
    assert_eq!(reader.data(), "a stream is not a head");
}

#[test]
fn an_idle_connection_stays_for_keep_alive_and_a_head_that_has_begun_must_be_complete() {
    let server = Server::with(|config| config.connection.header_read = Duration::from_secs(1));
    let mut client = server.connect();
    for _ in 0..2 {
        assert_eq!(client.ask(request("GET", "/healthz", &[], "")).status(), 200);
        // Longer than a head may take.
        sleep(Duration::from_secs(2));
    }
    assert_eq!(client.ask(request("POST", "/events/a", &[], "x")).status(), 200);
    // It ends long before the 75 s of an idle one.
    client.send("GET /healthz HTTP/1.1\r\nHost: local");
    assert_eq!(client.rest(), "");

    let server = Server::with(|config| {
        config.connection.header_read = Duration::from_secs(60);
        config.connection.keep_alive = Duration::from_secs(1);
    });
    let mut idle = server.connect();
    assert_eq!(idle.ask(request("POST", "/events/a", &[], "x")).status(), 200);
    assert_eq!(idle.rest(), "");
}

#[test]
fn a_reader_that_takes_nothing_is_cut_and_the_others_go_on() {
    let server = Server::with(|config| config.connection.write_stall = Duration::from_secs(1));
    let mut stalled = server.get("/events/a", &[]);
    let mut reads = server.get("/events/a", &[]);
    let event = "x".repeat(1 << 20);
    for _ in 0..30 {
        server.post("/events/a", &event);
        assert_eq!(reads.data().len(), event.len());
    }
    eventually(|| stalled.is_let_go());
    let (text, end) = stalled.rest();
    assert_eq!(end, End::Cut);
    assert!(text.len() < 30 << 20);
    server.post("/events/a", "after");
    assert_eq!(reads.data(), "after");
}

#[test]
fn a_reader_that_is_slow_but_takes_something_is_not_cut() {
    use std::io::{Read as _, Write as _};

    let server = Server::with(|config| config.connection.write_stall = Duration::from_secs(1));
    let mut slow = TcpStream::connect(server.address).unwrap();
    slow.write_all(b"GET /events/a?last=9 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let event = "x".repeat(1 << 20);
    std::thread::scope(|scope| {
        scope.spawn(|| (0..20).for_each(|_| drop(server.post("/events/a", &event))));
        // Much less than what the system's buffers hold, and for longer than a stall may last.
        let mut some = vec![0; 16 << 10];
        for _ in 0..60 {
            slow.read_exact(&mut some).unwrap();
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let metrics = server.ask("GET", "/metrics", &[], "").body;
    assert!(metrics.contains("tidewire_write_stalls_total 0"), "{metrics}");
    assert!(metrics.contains("tidewire_readers 1"), "{metrics}");
}

#[test]
fn who_sends_too_much_gets_to_read_why() {
    let server = Server::start();
    let body = "x".repeat(3 << 20);
    for _ in 0..10 {
        for (method, target, status) in [
            ("POST", "/events/a", 413),
            ("POST", "/events/a?id=a%0Ab", 400),
            ("POST", "/nothing", 404),
        ] {
            assert_eq!(server.ask(method, target, &[], &body).status(), status);
        }
        let head = format!("GET /{body} HTTP/1.1\r\n\r\n");
        assert_eq!(server.connect().ask(head).status(), 431);
    }
}
