//! The table of rights: every route of every door, before every kind of caller, under each kind of settings.
//!
//! The table is written by hand, apart from what the doors declare, and is compared with the routes that the router
//! has: a route that is added fails here until somebody has written down who may use it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
};

use axum::{
    Router,
    body::Body,
    http::{Method, Request},
    response::Response,
};
use tidewire_doors::guard::Peer;
use tidewire_relay::{Route, config::RouteAuth};
use tidewire_server::{Server, pages};
use tower::ServiceExt as _;

/// Who may do something, in the words of the documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum May {
    /// Everybody, under any `Host`.
    Probe,
    Everybody,
    /// Everybody but pages of other origins.
    EverybodyHere,
    Readers,
    /// Readers, also where everybody may read.
    TokenHolders,
    /// The same; pages of any origin only with a token.
    TokenHoldersOfKey,
    Publishers,
}
use May::{Everybody, EverybodyHere, Probe, Publishers, Readers, TokenHolders, TokenHoldersOfKey};

/// Route, what is asked, method, who may, and what they get.
const TABLE: &[(&str, &str, &str, May, u16)] = &[
    ("/events", "/events?topic=a", "GET", Readers, 200),
    ("/events", "/events?topic=a", "HEAD", Readers, 200),
    ("/events", "/events?topic=a", "QUERY", Readers, 200),
    ("/events", "/events?topic=a", "POST", Publishers, 200),
    ("/events", "/events?topic=a", "DELETE", Publishers, 200),
    ("/events/", "/events/", "GET", Readers, 400),
    ("/events/", "/events/", "HEAD", Readers, 400),
    ("/events/", "/events/", "QUERY", Readers, 400),
    ("/events/", "/events/", "POST", Publishers, 400),
    ("/events/", "/events/", "DELETE", Publishers, 400),
    ("/events/{*topic}", "/events/a/b", "GET", Readers, 200),
    ("/events/{*topic}", "/events/a/b", "HEAD", Readers, 200),
    ("/events/{*topic}", "/events/a/b", "QUERY", Readers, 200),
    ("/events/{*topic}", "/events/a/b", "POST", Publishers, 200),
    ("/events/{*topic}", "/events/a/b", "DELETE", Publishers, 200),
    ("/subscribe", "/subscribe?topic=a", "QUERY", Readers, 200),
    ("/subscribe", "/subscribe?topic=a", "POST", Readers, 200),
    ("/presence", "/presence?topic=a", "GET", TokenHolders, 200),
    ("/presence", "/presence?topic=a", "HEAD", TokenHolders, 200),
    ("/presence/", "/presence/", "GET", TokenHolders, 400),
    ("/presence/", "/presence/", "HEAD", TokenHolders, 400),
    ("/presence/{*topic}", "/presence/a", "GET", TokenHolders, 200),
    ("/presence/{*topic}", "/presence/a", "HEAD", TokenHolders, 200),
    ("/relay/{stream}", "/relay/x", "GET", Everybody, 404),
    ("/relay/{stream}", "/relay/x", "HEAD", Everybody, 404),
    ("/relay/{stream}", "/relay/x", "DELETE", EverybodyHere, 404),
    ("/stats", "/stats", "GET", Publishers, 200),
    ("/stats", "/stats", "HEAD", Publishers, 200),
    ("/metrics", "/metrics", "GET", Publishers, 200),
    ("/metrics", "/metrics", "HEAD", Publishers, 200),
    ("/healthz", "/healthz", "GET", Probe, 200),
    ("/healthz", "/healthz", "HEAD", Probe, 200),
    ("/readyz", "/readyz", "GET", Probe, 200),
    ("/readyz", "/readyz", "HEAD", Probe, 200),
    ("/demo/answers", "/demo/answers", "POST", EverybodyHere, 201),
    ("/demo/info", "/demo/info", "GET", Everybody, 200),
    ("/demo/info", "/demo/info", "HEAD", Everybody, 200),
    (
        "/demo/v1/chat/completions",
        "/demo/v1/chat/completions",
        "POST",
        Everybody,
        400,
    ),
    ("/demo/v1/responses", "/demo/v1/responses", "POST", Everybody, 400),
    ("/demo/v1/models", "/demo/v1/models", "GET", Everybody, 200),
    ("/demo/v1/models", "/demo/v1/models", "HEAD", Everybody, 200),
];

/// Route, who may, and what they get: of an upstream that nobody can reach, 502.
const UPSTREAMS: &[(&str, May, u16)] = &[
    ("/v1", Everybody, 502), // The demo.
    ("/local", TokenHolders, 502),
    ("/theirs", Everybody, 502),
    ("/paid", TokenHoldersOfKey, 502),
];

/// What the router knows, and words that it does not.
const METHODS: [&str; 9] = [
    "GET", "HEAD", "QUERY", "POST", "PUT", "PATCH", "DELETE", "TRACE", "INVENTED",
];

const ROUTES: &str = r#"
    memory = true
    demo = true
    [[relay]]
    path = "/local"
    upstream = "http://127.0.0.1:1"
    [[relay]]
    path = "/theirs"
    upstream = "http://127.0.0.1:1"
    auth = "upstream"
    [[relay]]
    path = "/paid"
    upstream = "http://127.0.0.1:1"
    key_env = "PATH"
    allow = ["GET", "POST", "DELETE", "PUT", "PATCH", "HEAD"]
"#;

const NOT_EXPOSED: &str = "";
const EXPOSED: &str = r#"
    listen = "192.0.2.1:8420"
    hosts = ["tide.example"]
    publish_token = "publish"
    read_token = "read"
    trusted_proxies = ["127.0.0.1"]
"#;
const PROXIED: &str = r#"
    hosts = ["tide.example"]
    publish_token = "publish"
    public_read = true
"#;

/// A server of this table.
struct World {
    router: Router,
    paths: BTreeSet<String>,
    _server: Server,
}

impl World {
    async fn new(settings: &str) -> Self {
        let mut settings = tidewire_cli::server_config(&format!("{settings}\n{ROUTES}")).unwrap();
        let demo = settings.demo_path.take().unwrap();
        settings.relay.routes.push(Route {
            auth: RouteAuth::Upstream,
            ..Route::new(demo, "http://127.0.0.1:1".parse().unwrap())
        });
        settings.address = (Ipv4Addr::LOCALHOST, 0).into();
        let server = Server::start(settings).await.unwrap();
        Self {
            router: server.router(),
            paths: paths(&server.router()),
            _server: server,
        }
    }

    async fn status(&self, method: &str, target: &str, caller: &Principal) -> u16 {
        self.answer(method, target, caller).await.status().as_u16()
    }

    async fn answer(&self, method: &str, target: &str, caller: &Principal) -> Response {
        let peer: SocketAddr = caller.peer.parse().unwrap();
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header("Host", caller.host)
            .extension(Peer(peer));
        if method == "QUERY" {
            request = request.header("Content-Type", "application/json");
        }
        if let Some(token) = caller.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        if let Some(origin) = caller.origin {
            request = request.header("Origin", origin);
        }
        if caller.forwarded {
            request = request.header("X-Forwarded-For", "203.0.113.7");
        }
        let request = request.body(Body::empty()).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }
}

/// The paths of a router's routes. There is no other way to ask it than its debug output.
fn paths(router: &Router) -> BTreeSet<String> {
    let text = format!("{router:?}");
    let parts = text.split("RouteId(").skip(1);
    let quoted = parts.filter_map(|part| {
        let (_, path) = part.split_once("): \"")?;
        path.split_once('"')
            .filter(|_| part.find(')') < part.find(": \""))
            .map(|(path, _)| path)
    });
    let ours = quoted.filter(|path| path.starts_with('/') && !path.contains("__private__"));
    ours.map(str::to_owned).collect()
}

#[derive(Debug, Clone, Copy)]
struct Principal {
    token: Option<&'static str>,
    origin: Option<&'static str>,
    host: &'static str,
    peer: &'static str,
    forwarded: bool,
}

const CALLER: Principal = Principal {
    token: None,
    origin: None,
    host: "localhost",
    peer: "127.0.0.1:4711",
    forwarded: false,
};

/// Which tokens a server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tokens {
    None,
    Both,
    PublishOnly,
}

/// What someone with this token gets where the right one gets `passed`.
fn expected(may: May, tokens: Tokens, token: Option<&str>, passed: u16) -> u16 {
    let has = |token: &str, only: Tokens| match token {
        "publish" => true,
        "read" => only == Tokens::Both,
        _ => false,
    };
    let needs_token = match may {
        Probe | Everybody | EverybodyHere => false,
        Readers => tokens == Tokens::Both,
        TokenHolders | TokenHoldersOfKey | Publishers => tokens != Tokens::None,
    };
    match token {
        _ if !needs_token => passed,
        Some(token) if !has(token, tokens) => 401,
        None => 401,
        Some("read") if may == Publishers => 403,
        Some(_) => passed,
    }
}

/// All rows: those of upstreams for the methods that go on.
fn rows() -> Vec<(String, String, &'static str, May, u16)> {
    let own = TABLE.iter().map(|(route, target, method, may, passed)| {
        ((*route).into(), (*target).into(), *method, *may, *passed)
    });
    let pages = pages::routes().flat_map(|page| {
        ["GET", "HEAD"].map(|method| (page.path.to_owned(), page.path.to_owned(), method, Everybody, 200))
    });
    let upstreams = UPSTREAMS.iter().flat_map(|(path, may, passed)| {
        // A route with a key has a list, which holds its own path only.
        let below = match may {
            TokenHoldersOfKey => 404,
            _ => *passed,
        };
        let places = [
            ((*path).to_owned(), (*path).to_owned(), *passed),
            (format!("{path}/"), format!("{path}/"), below),
            (format!("{path}/{{*rest}}"), format!("{path}/a/b"), below),
        ];
        places.into_iter().flat_map(move |(route, target, passed)| {
            ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
                .map(|method| (route.clone(), target.clone(), method, *may, passed))
        })
    });
    own.chain(pages).chain(upstreams).collect()
}

#[tokio::test]
async fn the_table_knows_every_route() {
    let world = World::new(NOT_EXPOSED).await;
    let known: BTreeSet<String> = rows().into_iter().map(|(route, ..)| route).collect();
    assert!(known.len() > 40, "{known:?}");
    let unknown: Vec<_> = world.paths.symmetric_difference(&known).collect();
    assert!(
        unknown.is_empty(),
        "the table and the router do not know the same routes: {unknown:?}"
    );
}

#[tokio::test]
async fn every_route_wants_the_token_it_should() {
    for (settings, tokens) in [
        (NOT_EXPOSED, Tokens::None),
        (EXPOSED, Tokens::Both),
        (PROXIED, Tokens::PublishOnly),
    ] {
        let world = World::new(settings).await;
        for (_, target, method, may, passed) in rows() {
            for token in [None, Some("wrong"), Some("read"), Some("publish")] {
                // Where a caller calls from changes nothing of what it may.
                for (peer, forwarded) in [
                    ("127.0.0.1:4711", false),
                    ("127.0.0.1:4711", true),
                    ("198.51.100.9:4711", true),
                ] {
                    let caller = Principal {
                        token,
                        peer,
                        forwarded,
                        ..CALLER
                    };
                    assert_eq!(
                        world.status(method, &target, &caller).await,
                        expected(may, tokens, token, passed),
                        "{method} {target} {caller:?} {tokens:?}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn every_route_tells_its_methods() {
    let is_upstream = |route: &str| UPSTREAMS.iter().any(|(path, ..)| route.starts_with(path));
    for settings in [NOT_EXPOSED, EXPOSED] {
        let world = World::new(settings).await;
        for (route, target, method, ..) in rows().iter().filter(|(route, ..)| !is_upstream(route)) {
            let answer = world.answer("OPTIONS", target, &CALLER).await;
            assert_eq!(answer.status(), 204, "{target}");
            let allow = answer.headers()["allow"].to_str().unwrap();
            let mut listed = allow.split(',').map(str::trim);
            assert!(
                listed.any(|listed| listed == *method),
                "{method} {route}: {allow}"
            );
        }
    }
}

#[tokio::test]
async fn a_method_that_the_table_does_not_know_is_closed() {
    let rows = rows();
    let is_upstream = |route: &str| UPSTREAMS.iter().any(|(path, ..)| route.starts_with(path));
    for (settings, tokens) in [(NOT_EXPOSED, Tokens::None), (EXPOSED, Tokens::Both)] {
        let world = World::new(settings).await;
        for (route, target, ..) in rows.iter().filter(|(route, ..)| !is_upstream(route)) {
            let of_route = rows.iter().filter(|(other, ..)| other == route);
            let known: Vec<_> = of_route.map(|(_, _, method, ..)| *method).collect();
            let may = match &**route {
                "/" => Everybody,
                _ => Publishers,
            };
            for method in METHODS.iter().filter(|method| !known.contains(method)) {
                for token in [None, Some("wrong"), Some("read"), Some("publish")] {
                    let caller = Principal { token, ..CALLER };
                    assert_eq!(
                        world.status(method, target, &caller).await,
                        expected(may, tokens, token, 405),
                        "{method} {target} {caller:?}"
                    );
                }
            }
        }
        // Nor is a path below one of ours that nobody has.
        for target in ["/stats/new", "/healthz/new", "/demo/new", "/relay", "/relay/a/b"] {
            let status = world.status("GET", target, &CALLER).await;
            assert_eq!(status, expected(Publishers, tokens, None, 404), "{target}");
        }
    }
}

#[tokio::test]
async fn pages_of_other_origins_may_what_cors_says() {
    let foreign = Some("https://evil.example");
    let any = "cors.origins = [\"*\"]";
    let listed = "cors.origins = [\"https://app.example\"]";
    for (settings, tokens) in [
        (NOT_EXPOSED, Tokens::None),
        (EXPOSED, Tokens::Both),
        (PROXIED, Tokens::PublishOnly),
    ] {
        let closed = World::new(settings).await;
        let named = World::new(&format!("{settings}\n{listed}\n")).await;
        let open = World::new(&format!("{settings}\n{any}\n")).await;
        for (_, target, method, may, passed) in rows() {
            let changes = !matches!(method, "GET" | "HEAD");
            for token in [None, Some("wrong"), Some("read"), Some("publish")] {
                let page = |origin| Principal {
                    token,
                    origin,
                    ..CALLER
                };
                let usual = expected(may, tokens, token, passed);
                let is_keyed = may == TokenHoldersOfKey;
                let status = match changes || is_keyed {
                    true => 403,
                    false => usual,
                };
                for world in [&closed, &named] {
                    let found = world.status(method, &target, &page(foreign)).await;
                    assert_eq!(found, status, "{method} {target} {token:?} {tokens:?}");
                }
                for own in [Some("http://localhost"), Some("https://app.example")] {
                    let found = named.status(method, &target, &page(own)).await;
                    assert_eq!(found, usual, "{method} {target} {own:?} {token:?} {tokens:?}");
                }
                // `*` is for reading.
                let shows = match tokens {
                    Tokens::None => false,
                    Tokens::Both => matches!(token, Some("read" | "publish")),
                    Tokens::PublishOnly => token == Some("publish"),
                };
                let is_more =
                    is_keyed || (changes && matches!(may, Publishers | EverybodyHere | TokenHolders));
                let status = match is_more && !shows {
                    true => 403,
                    false => usual,
                };
                let found = open.status(method, &target, &page(foreign)).await;
                assert_eq!(found, status, "with *: {method} {target} {token:?} {tokens:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_foreign_host_is_answered_by_probes_only() {
    for (settings, foreign, ours) in [
        (
            NOT_EXPOSED,
            &["evil.example", "10.244.1.7:8420", "tide.example"][..],
            &["localhost:8420", "app.localhost", "127.0.0.1", "[::1]"][..],
        ),
        (
            EXPOSED,
            &["evil.example"],
            &[
                "tide.example",
                "10.244.1.7:8420",
                "[2001:db8::1]",
                "app.localhost",
            ],
        ),
        (
            PROXIED,
            &["evil.example", "10.244.1.7"],
            &["tide.example", "app.localhost"],
        ),
    ] {
        let world = World::new(settings).await;
        let with = |host| Principal {
            host,
            token: Some("publish"),
            ..CALLER
        };
        for (_, target, method, may, passed) in rows() {
            for host in foreign {
                let status = match may {
                    Probe => passed,
                    _ => 421,
                };
                assert_eq!(
                    world.status(method, &target, &with(host)).await,
                    status,
                    "{method} {target} {host}"
                );
            }
            for host in ours {
                assert_eq!(
                    world.status(method, &target, &with(host)).await,
                    passed,
                    "{method} {target} {host}"
                );
            }
        }
    }
}

#[test]
fn every_method_of_the_table_is_one() {
    for (.., method, _, _) in rows() {
        assert!(method.parse::<Method>().is_ok(), "{method}");
    }
}
