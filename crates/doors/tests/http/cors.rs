//! S7: pages of other origins. Preflights of every kind, and what scripts may read.

use http::HeaderName;
use tidewire_doors::guard::{Cors, Guard, Tokens};

use crate::{
    client::{Head, Response, request},
    server::Door,
};

const PAGE: &str = "https://app.example";

fn listed() -> Cors {
    Cors::new([PAGE, "http://localhost:5173"].map(|origin| origin.parse().unwrap()))
}

fn door(cors: Cors) -> Door {
    Door::guarded(Guard::default().cors(cors))
}

fn closed() -> Door {
    let tokens = Tokens::default()
        .publish(["publish".parse().unwrap()])
        .read(["read".parse().unwrap()]);
    Door::guarded(Guard::default().cors(listed()).tokens(tokens))
}

fn preflight(door: &Door, target: &str, method: &str, more: &[(&str, &str)]) -> Response {
    let headers = [&[("Access-Control-Request-Method", method)], more].concat();
    door.ask("OPTIONS", target, &headers, "")
}

/// A header that is a list, as a sorted one.
fn list(head: &Head, name: &str) -> Vec<String> {
    let items = head.get(name).unwrap_or_default().split(',');
    let items = items.map(|item| item.trim().to_lowercase());
    let mut items: Vec<_> = items.filter(|item| !item.is_empty()).collect();
    items.sort();
    items
}

fn cors_headers(head: &Head) -> Vec<&str> {
    let names = head.headers.iter().map(|(name, _)| name.as_str());
    names.filter(|name| name.starts_with("access-control-")).collect()
}

#[test]
fn s7_a_preflight_of_an_allowed_page_lists_what_may_be_sent() {
    let door = closed();
    for (target, method) in [
        ("/events/a", "GET"),
        ("/events/a", "POST"),
        ("/events/a", "DELETE"),
        ("/events", "QUERY"),
        ("/subscribe", "POST"),
        ("/nothing", "GET"),
    ] {
        let asked = [
            ("Origin", PAGE),
            (
                "Access-Control-Request-Headers",
                "authorization,content-type,last-event-id",
            ),
        ];
        let response = preflight(&door, target, method, &asked);
        let head = &response.head;
        assert_eq!(head.status, 204, "no token is needed to ask: {method} {target}");
        assert_eq!(head.get("access-control-allow-origin"), Some(PAGE));
        assert_eq!(head.get("access-control-allow-credentials"), Some("true"));
        assert_eq!(
            list(head, "access-control-allow-methods"),
            ["delete", "get", "head", "post", "query"]
        );
        assert_eq!(
            list(head, "access-control-allow-headers"),
            [
                "accept",
                "authorization",
                "cache-control",
                "content-type",
                "idempotency-key",
                "last-event-id",
                "tidewire-token"
            ]
        );
        assert_eq!(head.get("access-control-max-age"), Some("7200"));
        assert_eq!(head.get("access-control-allow-private-network"), None);
        assert_eq!(list(head, "vary"), ["origin"]);
    }
}

#[test]
fn s7_a_preflight_of_a_foreign_page_is_403_with_a_text_and_without_headers() {
    for door in [door(listed()), door(Cors::new([])), closed()] {
        for origin in [
            "https://evil.example",
            "http://app.example",
            "https://app.example:8443",
            "https://app.example.evil.example",
            "HTTPS://APP.EXAMPLE",
            "https://app.example/",
            "null",
            "",
        ] {
            let response = preflight(&door, "/events/a", "POST", &[("Origin", origin)]);
            assert_eq!(
                (response.status(), &response.json()["code"]),
                (403, &"foreign_origin".into()),
                "{origin}"
            );
            assert!(response.body.contains("--cors-origin"), "{}", response.body);
            assert_eq!(cors_headers(&response.head), [""; 0]);
        }
        let twice = [("Origin", PAGE), ("Origin", PAGE)];
        assert_eq!(preflight(&door, "/events/a", "POST", &twice).status(), 403);
    }
}

#[test]
fn s7_a_preflight_for_what_is_not_allowed_lists_what_is() {
    // So the browser names what is missing; a refusal would only say that there was one.
    let door = door(listed());
    let page = ("Origin", PAGE);
    let response = preflight(&door, "/events/a", "PUT", &[page]);
    assert_eq!(response.status(), 204);
    assert!(!list(&response.head, "access-control-allow-methods").contains(&"put".into()));
    let asked = ("Access-Control-Request-Headers", "x-secret");
    let response = preflight(&door, "/events/a", "GET", &[page, asked]);
    assert_eq!(response.status(), 204);
    assert!(!list(&response.head, "access-control-allow-headers").contains(&"x-secret".into()));
}

#[test]
fn s7_configured_headers_are_allowed_too() {
    let own = [
        HeaderName::from_static("x-tenant"),
        HeaderName::from_static("x-b"),
    ];
    for cors in [listed(), Cors::any()] {
        let response = preflight(&door(cors.headers(&own)), "/events/a", "GET", &[("Origin", PAGE)]);
        let allowed = list(&response.head, "access-control-allow-headers");
        for name in ["x-tenant", "x-b", "authorization", "last-event-id"] {
            assert!(allowed.contains(&name.into()), "{name}: {allowed:?}");
        }
    }
}

#[test]
fn s7_a_star_allows_every_page_without_credentials() {
    let door = door(Cors::any());
    for origin in [PAGE, "https://anybody.example", "null"] {
        let response = preflight(&door, "/events/a", "POST", &[("Origin", origin)]);
        let head = &response.head;
        assert_eq!(head.status, 204);
        assert_eq!(head.get("access-control-allow-origin"), Some("*"));
        assert_eq!(head.get("access-control-allow-credentials"), None);
        assert!(list(head, "access-control-allow-headers").contains(&"authorization".into()));

        let reader = door.get_with("/events/a", &[("Origin", origin)]);
        assert_eq!(reader.head.get("access-control-allow-origin"), Some("*"));
        assert_eq!(reader.head.get("access-control-allow-credentials"), None);
        let response = door.ask("POST", "/subscribe?topic=", &[("Origin", origin)], "");
        assert_eq!(response.status(), 400, "it may read by POST, if it says what");
    }
}

#[test]
fn s7_a_star_is_for_reading_and_more_needs_a_token_that_the_page_shows() {
    let page = ("Origin", "https://anybody.example");
    for method in ["POST", "DELETE"] {
        let open = door(Cors::any());
        let response = open.ask(method, "/events/a", &[page], "x");
        assert_eq!(response.status(), 403, "{method}");
        assert_eq!(response.json()["code"], "foreign_origin");
        assert_eq!(response.head.get("access-control-allow-origin"), Some("*"));
        let stop = open.ask("DELETE", "/relay/x", &[page], "");
        assert_eq!(stop.status(), 403);
        let own = open.ask(method, "/events/a", &[("Origin", "http://localhost")], "x");
        assert_eq!(own.status(), 200, "a page of ours");

        let tokens = Tokens::default().publish(["publish".parse().unwrap()]);
        let closed = Door::guarded(Guard::default().cors(Cors::any()).tokens(tokens));
        for (target, header, status) in [
            ("/events/a", ("Authorization", "Bearer publish"), 200),
            ("/events/a", ("Tidewire-Token", "publish"), 200),
            ("/events/a", ("Tidewire-Token", "wrong"), 403),
            ("/events/a", ("Cookie", "tidewire_token=publish"), 403),
            ("/events/a?access_token=publish", ("X", "y"), 403),
        ] {
            let response = closed.ask(method, target, &[page, header], "x");
            assert_eq!(response.status(), status, "{method} {target} {header:?}");
        }
    }
}

#[test]
fn s7_a_private_network_is_opened_to_listed_pages_only() {
    let asked = [
        ("Origin", PAGE),
        ("Access-Control-Request-Private-Network", "true"),
    ];
    for (cors, opened) in [(listed(), Some("true")), (Cors::any(), None)] {
        let response = preflight(&door(cors), "/events/a", "GET", &asked);
        assert_eq!(response.status(), 204);
        assert_eq!(response.head.get("access-control-allow-private-network"), opened);
    }
}

#[test]
fn s7_options_that_is_no_preflight_tells_the_methods_and_is_readable() {
    let door = closed();
    for headers in [
        &[][..],
        &[("Origin", PAGE)],
        &[("Access-Control-Request-Method", "POST")],
    ] {
        let response = door.ask("OPTIONS", "/events/a", headers, "");
        assert_eq!(response.status(), 204, "{headers:?}");
        assert_eq!(response.head.get("allow"), Some("GET, HEAD, QUERY, POST, DELETE"));
    }
    let response = door.ask("OPTIONS", "/events/a", &[("Origin", PAGE)], "");
    assert_eq!(response.head.get("access-control-allow-origin"), Some(PAGE));
    let response = door
        .connect()
        .ask("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(response.status(), 404);
}

#[test]
fn s7_a_guard_without_cors_leaves_preflights_to_the_app() {
    let door = Door::open();
    let response = preflight(&door, "/events/a", "POST", &[("Origin", PAGE)]);
    assert_eq!(response.status(), 204);
    assert_eq!(cors_headers(&response.head), [""; 0]);
    assert_eq!(response.head.get("vary"), None);
}

#[test]
fn s7_a_page_reads_streams_and_their_headers_with_credentials() {
    let door = door(listed());
    for origin in [PAGE, "http://localhost:5173"] {
        let reader = door.get_with("/events/a", &[("Origin", origin)]);
        let head = &reader.head;
        assert_eq!(head.get("access-control-allow-origin"), Some(origin));
        assert_eq!(head.get("access-control-allow-credentials"), Some("true"));
        assert_eq!(
            list(head, "access-control-expose-headers"),
            [
                "idempotency-replayed",
                "retry-after",
                "tidewire-count",
                "tidewire-ending",
                "tidewire-heartbeat",
                "tidewire-last-event-id",
                "tidewire-resume",
                "tidewire-stream"
            ]
        );
        assert!(list(head, "vary").contains(&"origin".into()));
    }
}

#[test]
fn s7_a_foreign_page_gets_no_headers_and_caches_are_told() {
    let door = door(listed());
    for headers in [&[][..], &[("Origin", "https://evil.example")]] {
        let reader = door.get_with("/events/a", headers);
        assert_eq!(cors_headers(&reader.head), [""; 0]);
        assert!(list(&reader.head, "vary").contains(&"origin".into()));
    }
    let response = door.ask("POST", "/events/a", &[("Origin", "https://evil.example")], "x");
    assert_eq!(response.status(), 403);
    assert_eq!(cors_headers(&response.head), [""; 0]);
}

#[test]
fn s7_an_allowed_page_may_publish_query_and_purge() {
    let door = door(listed());
    let page = [("Origin", PAGE)];
    for method in ["POST", "QUERY", "DELETE"] {
        let mut client = door.connect();
        client.send(request(method, "/events/a", &page, ""));
        assert_ne!(client.reader().head.status, 403, "{method}");
    }
    let both = [("Origin", PAGE), ("Origin", "https://evil.example")];
    assert_eq!(door.ask("POST", "/events/a", &both, "x").status(), 403);
}

#[test]
fn s7_errors_can_be_read_by_an_allowed_page() {
    let door = closed();
    let page = ("Origin", PAGE);
    let read = ("Authorization", "Bearer read");
    for (method, target, headers, status) in [
        ("GET", "/events/a", &[page][..], 401),
        ("GET", "/events/a", &[page, ("Authorization", "Bearer x")], 401),
        ("GET", "/events/a", &[page, read, read], 400),
        ("POST", "/events/a", &[page, read], 403),
        ("PUT", "/events/a", &[page], 401),
        ("OPTIONS", "/events/a", &[page], 204),
        ("GET", "/events/%", &[page, read], 400),
        ("GET", "/nothing", &[page], 404),
    ] {
        let response = door.ask(method, target, headers, "");
        assert_eq!(response.status(), status, "{method} {target}");
        assert_eq!(response.head.get("access-control-allow-origin"), Some(PAGE));
        assert_eq!(
            response.head.get("access-control-allow-credentials"),
            Some("true")
        );
        assert!(matches!(status, 204 | 404) || response.json()["detail"].is_string());
    }
    // The host comes first.
    let foreign = [page, ("Host", "evil.example")];
    let response = door.ask("GET", "/events/a", &foreign, "");
    assert_eq!(response.status(), 421);
    assert_eq!(response.head.get("access-control-allow-origin"), Some(PAGE));
    let stranger = [("Origin", "https://evil.example"), ("Host", "evil.example")];
    let response = door.ask("GET", "/events/a", &stranger, "");
    assert_eq!((response.status(), cors_headers(&response.head)), (421, vec![]));
}
