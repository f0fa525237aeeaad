//! S8: requests that are odd but right: HEAD, ranges, expectations, old versions, pipelines, full URLs.

use crate::{
    client::{End, request},
    support::Server,
};

#[test]
fn s8_head_is_what_get_would_be_without_its_body() {
    let server = Server::start();
    server.post("/events/a", "1");
    for target in [
        "/",
        "/assets/style.css",
        "/healthz",
        "/readyz",
        "/stats",
        "/metrics",
        "/demo/info",
        "/events/a",
        "/events?topic=a&topic=b",
        "/presence/a",
        "/presence",
        "/subscribe",
        "/nothing",
        "/events/%",
        "/demo/answers",
    ] {
        let mut client = server.connect();
        client.send(request("HEAD", target, &[], ""));
        client.send(request("GET", "/healthz", &[("Connection", "close")], ""));
        let both = client.rest();
        let (head, next) = both.split_once("\r\n\r\n").unwrap();
        assert!(
            next.starts_with("HTTP/1.1 200 OK\r\n") && next.ends_with("\r\n\r\nok\n"),
            "{target} has a body:\n{both}"
        );
        let got = {
            let mut client = server.connect();
            client.send(request("GET", target, &[], ""));
            client.reader().head.status
        };
        assert!(head.starts_with(&format!("HTTP/1.1 {got} ")), "{target}\n{head}");
    }
}

#[test]
fn s8_a_range_is_ignored_for_a_stream_has_none() {
    let server = Server::start();
    let mut reader = server.get("/events/a", &[("Range", "bytes=5-"), ("If-Range", "\"x\"")]);
    assert_eq!(reader.head.get("content-range"), None);
    let id = server.post("/events/a", "whole");
    reader.expect(&format!("id: {id}\ndata: whole\n\n"));
    for target in ["/healthz", "/", "/stats"] {
        let response = server.ask("GET", target, &[("Range", "bytes=0-0")], "");
        assert_eq!(response.status(), 200, "{target}");
        assert!(response.body.len() > 1);
    }
}

#[test]
fn s8_a_publisher_that_waits_is_told_to_go_on_or_why_not() {
    let server = Server::start();
    let head = |target: &str, length: usize, expect: &str| {
        format!(
            "POST {target} HTTP/1.1\r\nHost: localhost\r\nExpect: {expect}\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    for expect in ["100-continue", "100-Continue"] {
        let mut client = server.connect();
        client.send(head("/events/a", 1, expect));
        assert_eq!(client.response().status(), 100);
        assert_eq!(client.ask("1").status(), 200);
    }
    // Refused without asking for a body that would be thrown away.
    for (target, length, status) in [
        ("/events/a", 2 << 20, 413),
        ("/events/a?id=a%0Ab", 5, 400),
        ("/nothing", 5, 404),
    ] {
        let response = server.connect().ask(head(target, length, "100-continue"));
        assert_eq!(response.status(), status, "{target}");
    }
    // Expectations that nobody has defined are none (RFC 9110, section 10.1.1 lets us).
    let response = server.connect().ask(head("/events/a", 2, "a-miracle") + "ok");
    assert_eq!(response.status(), 200);
}

#[test]
fn s8_http_1_0_is_spoken() {
    let server = Server::start();
    let mut client = server.connect();
    let response = client.ask("GET /healthz HTTP/1.0\r\n\r\n");
    assert_eq!((response.status(), &*response.body), (200, "ok\n"));
    assert_eq!(client.rest(), "", "it closes, as nobody asked to keep it");

    let mut client = server.connect();
    for _ in 0..2 {
        let kept = client.ask("GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        assert_eq!(kept.head.get("connection"), Some("keep-alive"));
    }
    let mut client = server.connect();
    client.send("GET /events/a HTTP/1.0\r\n\r\n");
    let mut reader = client.reader();
    assert_eq!(reader.head.get("transfer-encoding"), None);
    let posted = server
        .connect()
        .ask("POST /events/a?end HTTP/1.0\r\nContent-Length: 3\r\n\r\nold");
    reader.expect_retry(1000);
    reader.expect(&format!("id: {}\ndata: old\n\n", posted.id()));
    assert_eq!(reader.rest(), (String::new(), End::Closed));
}

#[test]
fn s8_pipelined_requests_are_answered_in_order() {
    let server = Server::start();
    let mut client = server.connect();
    let mut all = request("POST", "/events/a", &[], "1");
    all.extend(request("GET", "/nothing", &[], ""));
    all.extend(request("POST", "/events/a", &[], "2"));
    all.extend(request("GET", "/events/a?last=2", &[], ""));
    client.send(all);
    let first = client.response().id();
    assert_eq!(client.response().status(), 404);
    let second = client.response().id();
    let mut reader = client.reader();
    reader.expect_retry(1000);
    reader.expect(&format!("id: {first}\ndata: 1\n\nid: {second}\ndata: 2\n\n"));
}

#[test]
fn s8_connection_close_closes_after_the_answer() {
    let server = Server::start();
    let close = [("Connection", "close")];
    for (method, target, status) in [
        ("GET", "/healthz", 200),
        ("POST", "/events/a", 200),
        ("GET", "/nothing", 404),
        ("GET", "/events/%", 400),
    ] {
        let mut client = server.connect();
        let response = client.ask(request(method, target, &close, ""));
        assert_eq!(response.status(), status);
        assert_eq!(response.head.get("connection"), Some("close"));
        assert_eq!(client.rest(), "", "{method} {target}");
    }
}

#[test]
fn s8_a_target_may_be_a_whole_url() {
    let server = Server::start();
    let ask = |target: &str| {
        let head = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        server.connect().ask(head)
    };
    assert_eq!(ask("http://localhost/healthz").body, "ok\n");
    assert_eq!(ask("HTTP://127.0.0.1:8420/healthz").body, "ok\n");
    assert_eq!(
        ask("http://evil.example/healthz").body,
        "ok\n",
        "a probe knows no name"
    );
    let foreign = ask("http://evil.example/stats");
    assert_eq!(
        (foreign.status(), &foreign.json()["code"]),
        (421, &"foreign_host".into())
    );
    assert_eq!(ask("http://localhost").status(), 200, "the page");
}
