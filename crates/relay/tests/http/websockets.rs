//! WebSockets: tunnelled where the route says so, with the same guard as everything else.

use std::time::Duration;

use tidewire_doors::guard::{Cors, Guard, Tokens};
use tidewire_relay::{
    Config,
    config::{Owner, RouteAuth},
};

use super::{Call, Relayed};
use crate::client::{Client, Response, eventually, request};

const PAGE: &str = "https://app.example";

const ASKED: [(&str, &str); 5] = [
    ("Connection", "keep-alive, Upgrade"),
    ("Upgrade", "WebSocket"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Protocol", "realtime, openai-insecure-api-key.hush"),
];

const AGREED: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                      Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: realtime\r\n\r\n";

fn asks(relayed: &Relayed, target: &str, headers: &[(&str, &str)]) -> Client {
    let mut client = relayed.server.connect();
    client.send(request("GET", target, &[&ASKED[..], headers].concat(), ""));
    client
}

fn refused(relayed: &Relayed, target: &str, headers: &[(&str, &str)]) -> Response {
    asks(relayed, target, headers).response()
}

/// A tunnel: its client and its upstream.
fn opened(relayed: &Relayed, headers: &[(&str, &str)]) -> (Client, Call) {
    let mut client = asks(relayed, "/v1/realtime?model=m", headers);
    let mut call = relayed.upstream.call();
    call.send(AGREED);
    let head = client.switched();
    assert_eq!(
        head.get("sec-websocket-accept"),
        Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    );
    assert_eq!(head.get("sec-websocket-protocol"), Some("realtime"));
    assert_eq!(head.get("upgrade"), Some("websocket"));
    (client, call)
}

fn relayed(change: impl FnOnce(&mut Config)) -> Relayed {
    Relayed::built(|config| {
        config.routes[0].websocket = true;
        change(config);
    })
}

#[test]
fn bytes_go_to_and_fro_and_the_end_of_either_side_ends_the_other() {
    let relayed = relayed(|_| {});
    let headers = [("Authorization", "Bearer key"), ("OpenAI-Beta", "realtime=v1")];
    let (mut client, mut call) = opened(&relayed, &headers);
    assert!(
        call.head.starts_with("GET /v1/realtime?model=m "),
        "{}",
        call.head
    );
    for (name, value) in ASKED[2..].iter().chain(&headers) {
        assert_eq!(call.header(name), Some(*value), "{name}");
    }
    assert_eq!(
        (call.header("upgrade"), call.header("connection")),
        (Some("websocket"), Some("upgrade"))
    );
    // Not HTTP, and not looked at.
    for round in 0..3 {
        let frame = format!("\u{0}frame {round}\r\n\r\n");
        client.send(&frame);
        assert_eq!(call.receive(frame.len()), frame.as_bytes());
        call.send(&frame);
        assert_eq!(client.receive(frame.len()), frame.as_bytes());
    }
    let large = "x".repeat(1 << 20);
    std::thread::scope(|scope| {
        scope.spawn(|| call.send(&large));
        assert_eq!(client.receive(1 << 20), large.as_bytes());
    });
    assert_eq!(relayed.relay.answers().0, 1, "it takes a place");
    drop(client);
    call.gone();
    drop(call);
    eventually(|| relayed.relay.answers().0 == 0);

    let (client, call) = opened(&relayed, &[]);
    drop(call);
    assert_eq!(client.rest(), "");
    eventually(|| relayed.relay.answers().0 == 0);
}

#[test]
fn an_upgrade_that_its_connection_does_not_name_is_passed_over() {
    let relayed = relayed(|_| {});
    for connection in ["keep-alive", "close"] {
        let headers = [&[("Connection", connection)][..], &ASKED[1..]].concat();
        let mut client = relayed.server.connect();
        client.send(request("GET", "/v1/realtime", &headers, ""));
        let call = relayed.upstream.call();
        assert_eq!(call.header("upgrade"), None, "{connection}");
        call.answer("200 OK", "Connection: close\r\n", "no tunnel");
        let response = client.response();
        assert_eq!(
            (response.status(), &*response.body),
            (200, "no tunnel"),
            "{connection}"
        );
    }
}

#[test]
fn a_tunnel_has_the_bounds_of_an_answer() {
    let one = relayed(|config| config.routes[0].limits.max_running = Some(1));
    let (_client, _call) = opened(&one, &[]);
    let busy = refused(&one, "/v1/realtime", &[]);
    assert_eq!((busy.status(), busy.json()["code"].as_str()), (429, Some("busy")));
    one.upstream.is_left_alone();

    let relayed = relayed(|config| config.routes[0].times.idle = Duration::from_millis(500));
    let (client, mut call) = opened(&relayed, &[]);
    // Silent for too long.
    call.gone();
    assert_eq!(client.rest(), "");
    eventually(|| relayed.relay.answers().0 == 0);
    let mut client = asks(&relayed, "/v1/realtime", &[]);
    let mut call = relayed.upstream.call();
    let late = client.response();
    assert_eq!(
        (late.status(), late.json()["code"].as_str()),
        (504, Some("upstream_timeout"))
    );
    call.gone();
    // One whose client goes before the upstream has answered.
    let client = asks(&relayed, "/v1/realtime", &[]);
    let mut call = relayed.upstream.call();
    drop(client);
    call.gone();
    eventually(|| relayed.relay.answers().0 == 0);
}

#[test]
fn an_upstream_that_does_not_agree_is_passed_on_and_one_that_agrees_to_something_else_is_502() {
    let relayed = relayed(|_| {});
    let mut client = asks(&relayed, "/v1/realtime", &[]);
    let call = relayed.upstream.call();
    call.answer(
        "401 Unauthorized",
        "Content-Type: application/json\r\n",
        "{\"error\":{}}",
    );
    let answer = client.response();
    assert_eq!((answer.status(), &*answer.body), (401, "{\"error\":{}}"));
    let mut client = asks(&relayed, "/v1/realtime", &[]);
    let mut call = relayed.upstream.call();
    call.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
    let answer = client.response();
    assert_eq!(
        (answer.status(), answer.json()["code"].as_str()),
        (502, Some("upstream_switched"))
    );
    call.gone();
    eventually(|| relayed.relay.answers().0 == 0);
}

#[test]
fn a_route_without_websockets_says_so() {
    let relayed = Relayed::open();
    let answer = refused(&relayed, "/v1/realtime", &[]);
    assert_eq!(
        (answer.status(), answer.json()["code"].as_str()),
        (400, Some("no_websocket"))
    );
    assert!(answer.body.contains("websocket = true"), "{}", answer.body);
    relayed.upstream.is_left_alone();
}

#[test]
fn a_websocket_needs_what_any_request_needs_and_pages_of_other_origins_must_be_named() {
    let guarded = |cors: Option<Cors>| {
        let tokens = Tokens::default().read(["read".parse().unwrap()]);
        let mut guard = Guard::default().tokens(tokens);
        if let Some(cors) = cors {
            guard = guard.cors(cors);
        }
        let routes = [
            ("/v1".to_owned(), RouteAuth::Token, false),
            ("/open".to_owned(), RouteAuth::Upstream, false),
        ];
        Relayed::guarded(guard.routes(routes), |config| {
            config.routes[0].websocket = true;
            let open = config.routes[0].clone();
            config.routes.push(tidewire_relay::Route {
                path: "/open".into(),
                ..open
            });
        })
    };
    let cookie = ("Cookie", "tidewire_token=read");
    let foreign = ("Origin", "https://evil.example");
    let relayed = guarded(Some(Cors::new([PAGE.parse().unwrap()])));
    for (target, headers, status) in [
        ("/v1/realtime", &[][..], 401),
        ("/v1/realtime", &[("Tidewire-Token", "wrong")], 401),
        // A cookie goes along with whatever page asks.
        ("/v1/realtime", &[cookie, foreign], 403),
        ("/v1/realtime", &[cookie, ("Origin", "null")], 403),
        ("/v1/realtime?access_token=read", &[foreign], 403),
        ("/open/realtime", &[foreign], 403),
        ("/open/realtime", &[("Origin", PAGE), foreign], 403),
    ] {
        assert_eq!(
            refused(&relayed, target, headers).status(),
            status,
            "{target} {headers:?}"
        );
    }
    relayed.upstream.is_left_alone();
    for headers in [
        &[("Tidewire-Token", "read")][..],
        &[cookie],
        &[cookie, ("Origin", PAGE)],
        &[cookie, ("Origin", "http://localhost")],
    ] {
        let (_client, call) = opened(&relayed, headers);
        for name in ["cookie", "tidewire-token", "origin"] {
            assert_eq!(call.header(name), None, "{name}");
        }
    }
    // `*` is for reading.
    let relayed = guarded(Some(Cors::any()));
    assert_eq!(
        refused(&relayed, "/v1/realtime", &[cookie, foreign]).status(),
        403
    );
    let relayed = guarded(None);
    assert_eq!(
        refused(&relayed, "/v1/realtime", &[cookie, foreign]).status(),
        403
    );
    relayed.upstream.is_left_alone();
}

#[test]
fn where_the_key_is_ours_that_of_a_page_does_not_go_on_and_an_owner_is_needed_where_there_are_owners() {
    let key = ("authorization".parse().unwrap(), "Bearer ours".parse().unwrap());
    let relayed = relayed(|config| {
        config.routes[0].key = Some(key);
        config.routes[0].allow = Some(vec![tidewire_relay::config::Allowed {
            method: http::Method::GET,
            path: "/realtime".into(),
        }]);
        config.routes[0].owner = Owner::Cookie("user".into());
    });
    assert_eq!(refused(&relayed, "/v1/realtime", &[]).status(), 401);
    assert_eq!(
        refused(&relayed, "/v1/other", &[("Cookie", "user=a")]).status(),
        404
    );
    let (_client, call) = opened(
        &relayed,
        &[("Cookie", "user=a"), ("Authorization", "Bearer theirs")],
    );
    assert_eq!(call.header("authorization"), Some("Bearer ours"));
    assert_eq!(call.header("sec-websocket-protocol"), Some("realtime"));
}

#[test]
fn a_tunnel_ends_with_the_server() {
    let relayed = relayed(|_| {});
    let (client, mut call) = opened(&relayed, &[]);
    relayed.relay.close();
    assert_eq!(refused(&relayed, "/v1/realtime", &[]).status(), 503);
    relayed.server.block_on(relayed.hub.drain());
    call.gone();
    assert_eq!(client.rest(), "");
}
