//! Pages of other origins that use a route: what their SDKs may send, and which headers they may read.

use tidewire_doors::guard::{Cors, Guard, Tokens};
use tidewire_relay::config::RouteAuth;

use super::{Relayed, chat, stream_of};
use crate::client::{Head, request};

const PAGE: &str = "https://app.example";

fn relayed(cors: Cors) -> Relayed {
    let tokens = Tokens::default().read(["read".parse().unwrap()]);
    let guard = Guard::default().cors(cors).tokens(tokens);
    let routes = [
        ("/v1".to_owned(), RouteAuth::Upstream, false),
        ("/v1/paid".to_owned(), RouteAuth::Token, true),
    ];
    Relayed::guarded(guard.routes(routes), |_| {})
}

fn listed() -> Relayed {
    relayed(Cors::new([PAGE.parse().unwrap()]))
}

fn list(head: &Head, name: &str) -> Vec<String> {
    let items = head.get(name).unwrap_or_default().split(',');
    items.map(|item| item.trim().to_lowercase()).collect()
}

#[test]
fn a_preflight_of_an_allowed_page_allows_the_headers_that_the_upstreams_sdk_sends() {
    const ASKED: &str = "authorization,mcp-session-id,x-api-key,x-stainless-os";
    for (relayed, origin) in [(listed(), PAGE), (relayed(Cors::any()), "https://any.example")] {
        let preflight = |path: &str, origin: &str, method: &str| {
            let headers = [
                ("Origin", origin),
                ("Access-Control-Request-Method", method),
                ("Access-Control-Request-Headers", ASKED),
            ];
            relayed.request("OPTIONS", path, &headers, "").head
        };
        for (path, method) in [
            ("/v1", "PUT"),
            ("/v1/x", "PATCH"),
            ("/v1/paid/x", "POST"),
            ("/v1/a%2Fb", "DELETE"),
        ] {
            let head = preflight(path, origin, method);
            assert_eq!(head.status, 204, "{path}");
            let allowed = list(&head, "access-control-allow-headers");
            for name in ASKED.split(',').chain(["tidewire-token", "idempotency-key"]) {
                assert!(allowed.contains(&name.to_owned()), "{path} {name}: {allowed:?}");
            }
            let methods = list(&head, "access-control-allow-methods");
            assert!(methods.contains(&method.to_lowercase()), "{path}: {methods:?}");
        }
        // Beside the routes nothing has changed.
        for path in ["/relay/x", "/events/a", "/v1x"] {
            let head = preflight(path, origin, "PUT");
            let allowed = list(&head, "access-control-allow-headers");
            assert!(
                !allowed.contains(&"x-stainless-os".to_owned()),
                "{path}: {allowed:?}"
            );
        }
        relayed.upstream.is_left_alone();
    }
    let relayed = listed();
    let foreign = [
        ("Origin", "https://evil.example"),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", ASKED),
    ];
    let head = relayed.request("OPTIONS", "/v1/x", &foreign, "").head;
    assert_eq!(head.status, 403);
    assert_eq!(head.get("access-control-allow-headers"), None);
}

#[test]
fn an_allowed_page_reads_the_headers_of_an_answer_but_those_that_carry_a_secret() {
    const HEADERS: &str = "Mcp-Session-Id: s\r\nX-RateLimit-Remaining: 7\r\nRequest-Id: r\r\nX-Auth-Token: hush\r\n\
                           X-Own-Key: hush\r\nSet-Cookie: a=b\r\nAccess-Control-Expose-Headers: x-auth-token\r\n";
    const READ: [&str; 3] = ["mcp-session-id", "x-ratelimit-remaining", "request-id"];
    const SECRET: [&str; 3] = ["x-auth-token", "x-own-key", "set-cookie"];
    let guard = Guard::default().cors(Cors::new([PAGE.parse().unwrap()]));
    let relayed = Relayed::guarded(guard, |config| {
        let route = &mut config.routes[0];
        route.credential_headers = vec!["x-own-key".parse().unwrap()];
        route.pass_cookies = true;
    });
    let check = |head: &Head, read: &[&str]| {
        let exposed = list(head, "access-control-expose-headers");
        for name in read {
            assert!(exposed.contains(&(*name).to_owned()), "{name}: {exposed:?}");
        }
        for name in SECRET {
            assert!(!exposed.contains(&name.to_owned()), "{name}: {exposed:?}");
        }
        assert!(exposed.contains(&"tidewire-stream".to_owned()));
        assert_eq!(head.get("access-control-allow-origin"), Some(PAGE));
    };
    // A stream, and the same read again.
    let mut client = relayed.server.connect();
    client.send(chat("hello", &[("Origin", PAGE)]));
    let mut call = relayed.upstream.call();
    call.stream_with(HEADERS);
    call.event("1");
    call.end();
    let reader = client.reader();
    check(&reader.head, &READ);
    let place = format!("/relay/{}", stream_of(&reader));
    reader.rest();
    check(&relayed.get(&place, &[("Origin", PAGE)]).head, &["request-id"]);
    // What is no stream; also an error of the upstream, and one of ours.
    for status in ["200 OK", "429 Too Many Requests"] {
        let mut client = relayed.server.connect();
        client.send(request("POST", "/v1/x", &[("Origin", PAGE)], "{}"));
        relayed.upstream.call().answer(status, HEADERS, "{}");
        check(&client.response().head, &READ);
    }
    let refused = relayed.request("PUT", "/v1/../x", &[("Origin", PAGE)], "");
    assert_eq!(refused.status(), 400);
    check(&refused.head, &[]);
    // A page that may not reads nothing.
    let mut client = relayed.server.connect();
    client.send(request("GET", "/v1/x", &[("Origin", "https://evil.example")], ""));
    relayed.upstream.call().answer("200 OK", HEADERS, "{}");
    let head = client.response().head;
    assert_eq!(head.get("access-control-expose-headers"), None);
    assert_eq!(head.get("access-control-allow-origin"), None);
}
