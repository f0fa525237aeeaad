//! Requests that are wrong, too slow or an attack: each is answered or closed, and the server goes on.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    thread,
    time::Duration,
};

use tidewire_doors::guard::{Guard, Tokens};

use crate::{
    client::{PATIENCE, eventually, request},
    support::Server,
};

/// Sends bytes; the status of the answer, if there is one.
fn status(server: &Server, bytes: impl AsRef<[u8]>) -> Option<u16> {
    let mut client = server.connect();
    client.send(bytes);
    let text = client.rest();
    text.split(' ').nth(1).map(|status| status.parse().unwrap())
}

#[test]
fn s8_header_bombs_are_431() {
    let server = Server::start();
    let many = "X-Bomb: 1\r\n".repeat(101);
    let bombs = [
        format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{many}\r\n"),
        format!(
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
            "A:\r\n".repeat(5000)
        ),
        format!(
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n",
            "x".repeat(1 << 20)
        ),
        format!(
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\n{}: x\r\n\r\n",
            "X".repeat(20 << 10)
        ),
        format!(
            "GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "x".repeat(20 << 10)
        ),
    ];
    for (at, bomb) in bombs.iter().enumerate() {
        let mut client = server.connect();
        client.send(bomb);
        let text = client.rest();
        assert!(
            text.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"),
            "bomb {at}: {text}"
        );
    }
    let fits = "X-Many: 1\r\n".repeat(90);
    let head = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{fits}\r\n");
    assert_eq!(server.connect().ask(head).status(), 200);
}

#[test]
fn s8_what_is_no_http_is_400_and_closed() {
    let server = Server::start();
    let host = "Host: localhost\r\n";
    for broken in [
        "\0\0\0\0\r\n\r\n".to_owned(),
        "hello\r\n\r\n".to_owned(),
        format!("GET /healthz HTTP/9.9\r\n{host}\r\n"),
        format!("GET  /healthz HTTP/1.1\r\n{host}\r\n"),
        format!("GET /a b HTTP/1.1\r\n{host}\r\n"),
        format!("G\u{1}T / HTTP/1.1\r\n{host}\r\n"),
        format!("GET / HTTP/1.1\r\n{host}No colon\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{host}Space : x\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{host}X: a\r\n folded\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{host}X: a\0b\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{host}: empty\r\n\r\n"),
        format!("POST /events/a HTTP/1.1\r\n{host}Content-Length: -1\r\n\r\n"),
        format!("POST /events/a HTTP/1.1\r\n{host}Content-Length: 1x\r\n\r\nx"),
        format!("POST /events/a HTTP/1.1\r\n{host}Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
        format!("POST /events/a HTTP/1.1\r\n{host}Transfer-Encoding: gzip\r\n\r\n"),
        format!("POST /events/a HTTP/1.1\r\n{host}Transfer-Encoding: chunked, gzip\r\n\r\n"),
    ] {
        assert_eq!(status(&server, &broken), Some(400), "{broken:?}");
    }
    // TLS and HTTP/2 spoken to a server that has neither.
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut client = server.connect();
        client.send(bytes);
        client.stop_sending();
        let text = client.rest();
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 400 "), "{text}");
    }
    server.post("/events/a", "still there");
}

#[test]
fn s8_a_request_cannot_be_smuggled_in_another_ones_body() {
    let server = Server::start();
    let mut reader = server.get("/events/a", &[]);
    let inner = "POST /events/a?id=smuggled HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx";
    let length = inner.len() + 5;
    let both = format!(
        "POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n\
         0\r\n\r\n{inner}"
    );
    // A proxy in front that believes the length has sent one request. So it must stay one.
    let mut client = server.connect();
    client.send(both);
    client.stop_sending();
    let answers = client.rest();
    assert!(!answers.contains("smuggled"), "{answers}");
    let id = server.post("/events/a", "honest");
    reader.expect(&format!("id: {id}\ndata: honest\n\n"));
}

#[test]
fn s8_targets_that_are_none_are_400_or_404() {
    let server = Server::start();
    for (target, status) in [
        ("/%", 404),
        ("/%zz", 404),
        ("/%00", 404),
        ("/events/%", 400),
        ("/events/a%2", 400),
        ("/events/%ff", 400),
        ("/events/a?x=%", 400),
        ("/demo/answers?lang=%", 405),
        ("*", 404),
    ] {
        assert_eq!(server.ask("GET", target, &[], "").status(), status, "{target}");
    }
    // A word without a slash is a host, as in CONNECT, and none of ours.
    for (target, status) in [
        ("", 400),
        ("?x", 400),
        ("\\healthz", 400),
        ("http://", 400),
        ("http:///healthz", 400),
        ("healthz", 421),
    ] {
        let head = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        assert_eq!(self::status(&server, head), Some(status), "{target}");
    }
    let connect = "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\nConnection: close\r\n\r\n";
    assert_eq!(status(&server, connect), Some(421), "it is no proxy");
}

#[test]
fn s8_a_head_that_trickles_ends_the_connection() {
    let server = Server::with(|config| config.connection.header_read = Duration::from_secs(1));
    let mut socket = TcpStream::connect(server.address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
        .unwrap();
    // Each byte comes in time; the head never does.
    eventually(|| {
        thread::sleep(Duration::from_millis(50));
        socket.write_all(b"X").is_err()
    });
    let mut text = String::new();
    // A reset is an end too.
    let _ = socket.read_to_string(&mut text);
    assert!(!text.contains("200"), "{text}");
}

#[test]
fn s8_a_body_that_stalls_is_408_and_publishes_nothing() {
    let server = Server::with(|config| config.plain.bodies.stall = Duration::from_secs(1));
    let mut reader = server.get("/events/a", &[]);
    let mut client = server.connect();
    client.send("POST /events/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf");
    let response = client.response();
    assert_eq!(
        (response.status(), &response.json()["code"]),
        (408, &"body_stalled".into())
    );
    let id = server.post("/events/a", "whole");
    reader.expect(&format!("id: {id}\ndata: whole\n\n"));
}

#[test]
fn s8_a_refused_request_leaves_the_connection_usable() {
    let server = Server::with(|config| {
        let tokens = Tokens::default().publish(["good".parse().unwrap()]);
        config.guard = Guard::default().tokens(tokens);
    });
    let mut client = server.connect();
    for headers in [
        &[][..],
        &[("Authorization", "Bearer wrong")],
        &[("Origin", "https://evil.example")],
        &[("Host", "evil.example")],
    ] {
        let refused = client.ask(request("POST", "/events/a", headers, "unread"));
        assert!(matches!(refused.status(), 401 | 403 | 421), "{headers:?}");
    }
    let good = [("Authorization", "Bearer good")];
    client.ask(request("POST", "/events/a", &good, "x")).id();
}
