//! S7: tokens and CORS as the settings say.

use crate::{
    binary::Server,
    client::{Client, request},
};

const TOKENS: [(&str, &str); 2] = [
    ("TIDEWIRE_PUBLISH_TOKEN", "can-publish, can-publish-too"),
    ("TIDEWIRE_READ_TOKEN", "can-read"),
];

fn status(server: &Server, method: &str, target: &str, token: Option<&str>) -> u16 {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<_> = bearer.iter().map(|value| ("Authorization", &**value)).collect();
    let mut client: Client = server.connect();
    client.send(request(method, target, &headers, ""));
    client.reader().head.status
}

#[test]
fn s7_every_route_wants_the_token_it_should() {
    let server = Server::with(&TOKENS);
    assert!(server.hint.contains("Authorization: Bearer"), "{}", server.hint);
    for (method, target, without, read, publish) in [
        ("GET", "/events/a", 401, 200, 200),
        ("HEAD", "/events/a", 401, 200, 200),
        ("POST", "/events/a", 401, 403, 200),
        ("DELETE", "/events/a", 401, 403, 200),
        ("QUERY", "/events/a", 401, 200, 200),
        ("POST", "/subscribe?topic=a", 401, 200, 200),
        ("GET", "/presence/a", 401, 200, 200),
        ("HEAD", "/presence/a", 401, 200, 200),
        ("GET", "/stats", 401, 403, 200),
        ("HEAD", "/stats", 401, 403, 200),
        ("GET", "/metrics", 401, 403, 200),
        ("GET", "/healthz", 200, 200, 200),
        ("GET", "/readyz", 200, 200, 200),
        // The demo publishes for whoever asks, so it is not there unless asked for.
        ("GET", "/", 404, 404, 404),
        ("POST", "/demo/answers", 404, 404, 404),
        ("GET", "/nothing", 404, 404, 404),
        ("PUT", "/events/a", 401, 403, 405),
    ] {
        assert_eq!(
            status(&server, method, target, None),
            without,
            "{method} {target}"
        );
        assert_eq!(
            status(&server, method, target, Some("can-read")),
            read,
            "{method} {target}"
        );
        for token in ["can-publish", "can-publish-too"] {
            assert_eq!(
                status(&server, method, target, Some(token)),
                publish,
                "{method} {target}"
            );
        }
    }
}

#[test]
fn s7_a_publish_token_alone_leaves_reading_open() {
    let server = Server::with(&TOKENS[..1]);
    assert_eq!(status(&server, "GET", "/events/a", None), 200);
    assert_eq!(status(&server, "POST", "/events/a", None), 401);
    assert_eq!(status(&server, "GET", "/stats", None), 401);
    assert_eq!(status(&server, "GET", "/presence/a", None), 401);
    assert_eq!(status(&server, "POST", "/subscribe?topic=a", None), 200);
}

#[test]
fn s7_pages_are_let_in_as_the_settings_say() {
    let page = "https://app.example";
    let server = Server::with(&[
        ("TIDEWIRE_CORS_ORIGINS", "https://app.example"),
        ("TIDEWIRE_CORS_HEADERS", "X-Tenant"),
    ]);
    let preflight = [("Origin", page), ("Access-Control-Request-Method", "POST")];
    let response = server.ask("OPTIONS", "/events/a", &preflight, "");
    assert_eq!(response.status(), 204);
    let allowed = response.head.get("access-control-allow-headers").unwrap();
    assert!(allowed.contains("x-tenant"), "{allowed}");
    let response = server.ask("POST", "/events/a", &[("Origin", page)], "x");
    assert_eq!(response.head.get("access-control-allow-origin"), Some(page));
    response.id();

    for (settings, allowed) in [(vec![("TIDEWIRE_CORS_ORIGINS", "*")], 204), (vec![], 403)] {
        let server = Server::with(&settings);
        let response = server.ask("OPTIONS", "/events/a", &preflight, "");
        assert_eq!(response.status(), allowed);
    }
}
