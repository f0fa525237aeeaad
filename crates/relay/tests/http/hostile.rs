//! Requests and answers that try to get somewhere else, or to say more than they may.

use std::thread::scope;

use http::Method;
use tidewire_relay::config::Allowed;

use super::{Relayed, stream_of};
use crate::client::{Client, End, request};

#[test]
fn what_belongs_to_one_connection_or_to_us_goes_no_further() {
    let relayed = Relayed::open();
    let headers = [
        ("Connection", "keep-alive, X-Hop"),
        ("X-Hop", "1"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Authorization", "x"),
        ("TE", "trailers"),
        ("Upgrade", "h2c"),
        ("Cookie", "session=1"),
        ("Origin", "http://localhost"),
        ("Referer", "http://localhost/secret"),
        ("Tidewire-Stream", "/relay/x"),
        ("Last-Event-ID", "x.1"),
        ("X-Own", "stays"),
    ];
    let reader = relayed.answered_to("hello", &headers, |mut call| {
        for (name, _) in &headers[1..headers.len() - 1] {
            assert_eq!(call.header(name), None, "{name}");
        }
        assert_eq!(call.header("x-own"), Some("stays"));
        assert_eq!(call.header("host"), Some(&*relayed.upstream.address.to_string()));
        call.stream_with(
            "Connection: X-Secret\r\nX-Secret: 1\r\nTidewire-Stream: /relay/forged\r\nAccess-Control-Allow-Origin: *\r\n\
             Cache-Control: public\r\nX-Accel-Buffering: yes\r\nContent-Length-Like: 7\r\nStrict-Transport-Security: max-age=1\r\n\
             Alt-Svc: h3\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n",
        );
        call.event("1");
        call.end();
    });
    // Each stands once at most, which `get` checks.
    for gone in [
        "x-secret",
        "access-control-allow-origin",
        "strict-transport-security",
        "alt-svc",
    ] {
        assert_eq!(reader.head.get(gone), None, "{gone}");
    }
    assert_eq!(reader.head.get("cache-control"), Some("no-cache, no-transform"));
    assert_eq!(reader.head.get("x-accel-buffering"), Some("no"));
    let cookies = reader
        .head
        .headers
        .iter()
        .filter(|(name, _)| name == "set-cookie");
    assert_eq!(cookies.count(), 0, "it gets no cookies either");
    let place = format!("/relay/{}", stream_of(&reader));
    assert_ne!(place, "/relay/forged");
    reader.rest();
    let again = relayed.get(&place, &[]);
    assert_eq!(again.head.get("set-cookie"), None);
    assert_eq!(again.head.get("content-length-like"), None);
}

#[test]
fn paths_that_may_mean_another_one_do_not_reach_the_upstream() {
    let relayed = Relayed::open();
    for path in [
        "/v1/../admin",
        "/v1/%2e%2e/admin",
        "/v1/a%2F..%2F..%2Fadmin",
        "/v1/a%252f%252e%252e%252f..%252fadmin",
        "/v1/a%5cb",
        "/v1/./a",
        // Servlet containers cut parameters off a segment before they look at its dots.
        "/v1/..;/admin",
        "/v1/a/..;x=y/admin",
        "/v1/.;/a",
        "/v1/..%3b/admin",
        "/v1/..%3B",
    ] {
        assert_eq!(relayed.request("POST", path, &[], "").head.status, 400, "{path}");
    }
    for path in ["/v1x", "/", "/%761/a", "//v1/a", "/V1/a"] {
        assert_eq!(relayed.request("POST", path, &[], "").head.status, 404, "{path}");
    }
    relayed.upstream.is_left_alone();
}

#[test]
fn a_more_exact_route_is_not_passed_by_in_another_spelling() {
    let relayed = Relayed::built(|config| {
        let mut admin = config.routes[0].clone();
        admin.path = "/v1/admin/keys".into();
        config.routes.push(admin);
    });
    for path in [
        "/v1/%61dmin/keys",
        "/v1/admin/%6beys/x",
        "/v1/admin%2Fkeys",
        "/v1/%2561dmin/keys",
        "/v1//admin/keys",
        "/v1/admin//keys",
        "/v1/admin;x=1/keys",
        "/v1/admin/keys;x",
        "/v1/Admin/KEYS",
    ] {
        assert_eq!(relayed.request("POST", path, &[], "").head.status, 400, "{path}");
    }
    relayed.upstream.is_left_alone();
    for path in [
        "/v1/admin/keys/x",
        "/v1/admin",
        "/v1/admin/keysx",
        "/v1/%61dmin/key",
    ] {
        scope(|scope| {
            let asked = scope.spawn(|| relayed.request("GET", path, &[], ""));
            relayed.upstream.call().answer("200 OK", "", "{}");
            assert_eq!(asked.join().unwrap().head.status, 200, "{path}");
        });
    }
}

#[test]
fn a_name_with_an_encoded_slash_goes_on_as_it_was_sent() {
    let relayed = Relayed::open();
    for path in [
        "/v1/models/meta-llama%2FLlama-3",
        "/v1/files/a%2fb%2Ec/x%252Fy?q=%2F",
    ] {
        scope(|scope| {
            let asked = scope.spawn(|| relayed.request("GET", path, &[], ""));
            let call = relayed.upstream.call();
            assert!(call.head.starts_with(&format!("GET {path} ")), "{}", call.head);
            call.answer("200 OK", "", "{}");
            assert_eq!(asked.join().unwrap().head.status, 200, "{path}");
        });
    }
}

#[test]
fn other_methods_than_those_of_apis_do_not_reach_the_upstream() {
    let relayed = Relayed::with(|route| route.allow = None);
    for method in ["TRACE", "QUERY", "PROPFIND", "INVENTED", "post"] {
        let answer = relayed.request(method, "/v1/models/x", &[], "");
        assert_eq!(
            (answer.head.status, answer.head.get("allow")),
            (405, Some("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")),
            "{method}"
        );
    }
    relayed.upstream.is_left_alone();
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        scope(|scope| {
            let asked = scope.spawn(|| relayed.request(method, "/v1/models/x", &[], ""));
            let call = relayed.upstream.call();
            assert!(
                call.head.starts_with(&format!("{method} /v1/models/x ")),
                "{}",
                call.head
            );
            call.answer("200 OK", "", "{}");
            assert_eq!(asked.join().unwrap().body, "{}");
        });
    }
}

#[test]
fn a_header_leads_to_no_other_path_and_no_other_method() {
    let headers = [
        ("X-Original-URL", "/admin"),
        ("X-Rewrite-URL", "/admin"),
        ("X-Original-URI", "/admin?access_token=hush"),
        ("X-Forwarded-Uri", "/admin?access_token=hush"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-HTTP-Method", "DELETE"),
        ("X-Method-Override", "DELETE"),
        ("X_HTTP_Method_Override", "DELETE"),
    ];
    let relayed = Relayed::proxied(|route| {
        route.forwarded = true;
        route.allow = Some(vec![Allowed {
            method: Method::POST,
            path: "/chat/completions".into(),
        }]);
    });
    let reader = relayed.answered_to("hello", &headers, |call| {
        for (name, _) in headers {
            assert_eq!(call.header(name), None, "{name}");
        }
        call.answer("200 OK", "", "");
    });
    assert_eq!(reader.head.status, 200);
}

#[test]
fn an_answer_has_two_methods_and_a_head_is_no_stream() {
    let relayed = Relayed::open();
    let place = "/relay/aaaaaaaaaaaaaaaaaaaaaaaaaa";
    for (method, status) in [("POST", 405), ("PUT", 405), ("PATCH", 405), ("OPTIONS", 204)] {
        let answer = relayed.request(method, place, &[], "");
        assert_eq!(
            (answer.head.status, answer.head.get("allow")),
            (status, Some("GET, HEAD, DELETE")),
            "{method}"
        );
    }
    for name in ["x", "%23answers", "AAAAAAAAAAAAAAAAAAAAAAAAAA", "..", "a.1"] {
        for method in ["GET", "DELETE"] {
            assert_eq!(
                relayed
                    .request(method, &format!("/relay/{name}"), &[], "")
                    .head
                    .status,
                404,
                "{name}"
            );
        }
    }
    // A HEAD and an OPTIONS are the upstream's to answer.
    for (method, headers) in [
        ("HEAD", "Content-Type: text/event-stream\r\n"),
        ("OPTIONS", "Allow: POST\r\n"),
    ] {
        let mut client = relayed.server.connect();
        client.send(request(
            method,
            "/v1/chat",
            &[("Accept", "text/event-stream")],
            "",
        ));
        let call = relayed.upstream.call();
        assert!(call.head.starts_with(method));
        call.answer("200 OK", headers, "");
        let head = client.reader().head;
        assert_eq!(
            (head.status, head.get("tidewire-stream")),
            (200, None),
            "{method}"
        );
    }
    assert_eq!(relayed.relay.answers(), (0, 0));
}

#[test]
fn a_client_of_http_1_0_gets_the_answer_until_the_connection_ends() {
    let relayed = Relayed::open();
    let mut client: Client = relayed.server.connect();
    client.send("POST /v1/chat HTTP/1.0\r\nHost: localhost\r\nAccept: text/event-stream\r\nContent-Length: 2\r\n\r\n{}");
    let mut call = relayed.upstream.call();
    call.stream();
    call.event("1");
    let mut reader = client.reader();
    assert_eq!(reader.head.get("transfer-encoding"), None);
    reader.until("data: 1\n\n");
    call.event("[DONE]");
    call.end();
    let (text, end) = reader.rest();
    assert!(text.ends_with("data: [DONE]\n\n"));
    assert_eq!(end, End::Closed);
}

#[test]
fn a_body_of_many_values_or_many_levels_is_read_for_what_it_says_of_itself() {
    let relayed = Relayed::open();
    let many = format!("{{\"stream\":true,\"many\":[{}0]}}", "0,".repeat(1 << 20));
    let deep = format!(
        "{{\"stream\":true,\"deep\":{}{}}}",
        "[".repeat(50_000),
        "]".repeat(50_000)
    );
    for body in [many, deep] {
        let mut client = relayed.server.connect();
        client.send(request(
            "POST",
            "/v1/chat",
            &[("Content-Type", "application/json")],
            &body,
        ));
        let mut call = relayed.upstream.call();
        assert_eq!(call.body.len(), body.len());
        assert_eq!(
            call.header("accept-encoding"),
            Some("identity"),
            "a stream is wanted"
        );
        call.stream();
        call.event("1");
        call.end();
        assert!(client.reader().rest().0.contains("data: 1\n"));
    }
}
