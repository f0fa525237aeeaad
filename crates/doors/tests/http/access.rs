//! An app with users of its own: which topics a user may touch, wherever the topics of a request stand.

use axum::{Extension, Router};
use http::request::Parts;
use tidewire_doors::{
    Problem,
    guard::{Access, Action, Cors, Guard, Identity, Peer, Principal, Tokens},
    plain,
};
use tidewire_hub::{
    Config, Draft, Hub, Topic,
    archive::{Memory, Retention},
};
use tokio::runtime::Runtime;

use crate::{
    client::{Response, request},
    server::{Door, Server},
};

/// Users by the cookie `session`. Each reads and purges what is below `users/{name}/`, and publishes to `rooms/{name}`.
struct Users;

impl Access for Users {
    async fn identify(&self, head: &Parts) -> Result<Identity, Problem> {
        tokio::task::yield_now().await;
        let cookie = head.headers.get("cookie").and_then(|cookie| cookie.to_str().ok());
        let user = match cookie.and_then(|cookie| cookie.strip_prefix("session=")) {
            None => return Ok(Identity::nobody()),
            Some("lost") => {
                let status = http::StatusCode::SERVICE_UNAVAILABLE;
                return Err(Problem::new(status, "no_users", "users cannot be looked up"));
            }
            Some(user) => user.to_owned(),
        };
        let (own, room) = (format!("users/{user}/"), format!("rooms/{user}"));
        Ok(Identity::user(
            user,
            move |action: Action, topic: &Topic| match action {
                Action::Publish => topic.name() == room,
                _ => topic.name().starts_with(&own),
            },
        ))
    }
}

fn door() -> Door {
    Door::guarded(Guard::default().access(Users))
}

/// The status alone; an answer to `HEAD` has no body to be read.
fn status(door: &Door, user: &str, method: &str, target: &str, body: &str) -> u16 {
    match method {
        "HEAD" => {
            let cookie = format!("session={user}");
            let headers = [("Cookie", cookie.as_str())];
            let mut client = door.connect();
            client.send(request(
                method,
                target,
                &headers[usize::from(user.is_empty())..],
                body,
            ));
            client.reader().head.status
        }
        _ => ask(door, user, method, target, body).status(),
    }
}

fn ask(door: &Door, user: &str, method: &str, target: &str, body: &str) -> Response {
    let cookie = format!("session={user}");
    let headers = [("Cookie", cookie.as_str()), ("Content-Type", "application/json")];
    let headers = &headers[usize::from(user.is_empty())..];
    door.ask(method, target, headers, body)
}

const FORBIDDEN: [(&str, &str, &str); 13] = [
    ("GET", "/events/users/bob/a", ""),
    ("GET", "/events?topic=users/bob/a", ""),
    ("GET", "/events?topic=users/alice/a&topic=users/bob/a", ""),
    ("HEAD", "/events/users/bob/a", ""),
    ("HEAD", "/events?topic=users/alice/a&topic=users/bob/a", ""),
    (
        "QUERY",
        "/subscribe",
        r#"{"topics":["users/alice/a","users/bob/a"]}"#,
    ),
    ("POST", "/subscribe", r#"{"topic":"users/bob/a"}"#),
    ("POST", "/events/users/alice/a", "x"),
    ("POST", "/events?topic=rooms/alice&topic=rooms/bob", "x"),
    ("POST", "/events/rooms/alice?end=true", "x"),
    ("DELETE", "/events/users/bob/a", ""),
    ("GET", "/presence/users/bob/a", ""),
    ("GET", "/events/users/alice", ""),
];

#[test]
fn what_a_user_may_not_touch_is_403_wherever_the_topic_stands() {
    let door = door();
    for (method, target, body) in FORBIDDEN {
        assert_eq!(
            status(&door, "alice", method, target, body),
            403,
            "{method} {target}"
        );
        assert_eq!(status(&door, "", method, target, body), 401, "{method} {target}");
        if method != "HEAD" {
            let refused = ask(&door, "alice", method, target, body).json();
            assert_eq!(refused["code"], "forbidden");
            let topics = refused["topics"].to_string();
            let is_own_read = method != "POST" && topics.contains("users/alice/");
            assert!(topics.len() > 4 && !is_own_read, "{method} {target}: {topics}");
        }
    }
    // Whether a topic is there is not told, and nothing was published.
    assert_eq!(door.hub.stats().topics, 0);
}

#[test]
fn what_a_user_may_touch_works_in_every_way() {
    let door = door();
    for (method, target, body) in [
        ("POST", "/events/rooms/alice", "x"),
        ("POST", "/events?topic=rooms/alice", "x"),
        ("HEAD", "/events/users/alice/a", ""),
        ("DELETE", "/events/users/alice/a", ""),
        ("GET", "/presence/users/alice/a", ""),
    ] {
        assert_eq!(
            ask(&door, "alice", method, target, body).status(),
            200,
            "{method} {target}"
        );
    }
    let cookie = ("Cookie", "session=alice");
    let topic = Topic::new(tidewire_hub::Namespace::Events, "users/alice/a").unwrap();
    let draft = Draft::event(topic, tidewire_codec::Event::new("hers")).unwrap();
    door.server.block_on(door.hub.append(draft)).unwrap();
    let mut reader = door.get_with(
        "/events?topic=users/alice/a&topic=users/alice/b&last=1",
        &[cookie],
    );
    let kept = reader.head.get("cache-control").unwrap();
    assert!(
        ["private", "no-store", "no-cache"]
            .iter()
            .any(|word| kept.contains(word)),
        "{kept}"
    );
    assert_eq!(reader.data(), "hers");
}

#[test]
fn an_app_that_cannot_tell_who_asks_lets_nobody_in() {
    let door = door();
    let answer = ask(&door, "lost", "GET", "/events/users/alice/a", "");
    assert_eq!(
        (answer.status(), answer.json()["code"].as_str()),
        (503, Some("no_users"))
    );
}

#[test]
fn tokens_of_the_server_work_beside_the_users_and_what_is_no_topic_is_closed_without_one() {
    let tokens = Tokens::default().publish(["p-secret".parse().unwrap()]);
    let tokens = tokens.read(["r-secret".parse().unwrap()]);
    let door = Door::guarded(Guard::default().access(Users).tokens(tokens));
    let (publish, read) = (("Tidewire-Token", "p-secret"), ("Tidewire-Token", "r-secret"));
    let wrong = ("Tidewire-Token", "guess");
    for (token, method, target, status) in [
        (publish, "POST", "/events/any", 200),
        (publish, "HEAD", "/events/any", 200),
        (read, "HEAD", "/events/any", 200),
        (read, "POST", "/events/any", 403),
        (wrong, "HEAD", "/events/any", 401),
        (wrong, "POST", "/events/any", 401),
        (publish, "PUT", "/events/any", 405),
        (wrong, "PUT", "/events/any", 401),
    ] {
        let mut client = door.connect();
        client.send(request(method, target, &[token], "x"));
        assert_eq!(client.reader().head.status, status, "{token:?} {method} {target}");
    }
    let without_tokens = self::door();
    for target in ["/stats", "/metrics", "/events/a/../b"] {
        let method = if target.starts_with("/events") {
            "PATCH"
        } else {
            "GET"
        };
        assert_eq!(
            ask(&without_tokens, "alice", method, target, "").status(),
            401,
            "{target}"
        );
    }
}

#[test]
fn a_read_token_only_reads_where_users_publish() {
    let tokens = Tokens::default().read(["r-secret".parse().unwrap()]);
    let door = Door::guarded(Guard::default().access(Users).tokens(tokens));
    let read = ("Tidewire-Token", "r-secret");
    for (method, status) in [("POST", 403), ("DELETE", 403), ("GET", 200)] {
        let mut client = door.connect();
        client.send(request(method, "/events/users/alice/a?last=1", &[read], "x"));
        assert_eq!(client.reader().head.status, status, "{method}");
    }
    assert_eq!(door.hub.stats().events, 0);
}

#[test]
fn a_door_that_is_nested_where_the_guard_does_not_look_for_it_is_closed() {
    let runtime = Runtime::new().unwrap();
    let hub = {
        let _inside = runtime.enter();
        Hub::start(Config::default(), Memory::new(Retention::default())).unwrap()
    };
    let door = plain::router(hub, plain::Config::default());
    let router = Guard::default()
        .access(Users)
        .protect(axum::Router::new().nest("/api", door));
    let server = Server::start_on(runtime, router);
    for method in ["GET", "HEAD", "POST", "DELETE"] {
        let mut client = server.connect();
        client.send(request(
            method,
            "/api/events/users/bob/a",
            &[("Cookie", "session=alice")],
            "x",
        ));
        assert_eq!(client.reader().head.status, 401, "{method}");
    }
}

/// Lets in whoever a proxy names.
struct ByProxy;

impl Access for ByProxy {
    async fn identify(&self, head: &Parts) -> Result<Identity, Problem> {
        let principal = Principal::of(&head.extensions);
        assert_eq!(
            head.headers.contains_key("x-forwarded-for"),
            principal.is_proxied()
        );
        Ok(match head.headers.contains_key("x-forwarded-for") {
            true => Identity::user("proxied", |_: Action, _: &Topic| true),
            false => Identity::nobody(),
        })
    }
}

#[test]
fn an_app_sees_no_forwarded_header_that_a_stranger_wrote() {
    let door = Door::guarded(Guard::default().access(ByProxy));
    let mut client = door.connect();
    client.send(request(
        "HEAD",
        "/events/a",
        &[("X-Forwarded-For", "203.0.113.7")],
        "",
    ));
    assert_eq!(client.reader().head.status, 401);
}

#[test]
fn a_page_of_another_origin_does_not_publish_with_the_users_cookie() {
    let cors = Cors::new(["https://app.example".parse().unwrap()]);
    let door = Door::guarded(Guard::default().access(Users).cors(cors));
    for (origin, status) in [("https://app.example", 200), ("https://evil.example", 403)] {
        let headers = [("Cookie", "session=alice"), ("Origin", origin)];
        let answer = door.ask("POST", "/events/rooms/alice", &headers, "x");
        assert_eq!(answer.status(), status, "{origin}");
    }
}

#[test]
fn a_router_for_readers_neither_publishes_nor_purges() {
    let runtime = Runtime::new().unwrap();
    let hub = {
        let _inside = runtime.enter();
        Hub::start(Config::default(), Memory::new(Retention::default())).unwrap()
    };
    let router = Guard::default().protect(plain::reader(hub.clone(), plain::Config::default()));
    let server = Server::start_on(runtime, router);
    for (method, target, status) in [
        ("POST", "/events/a", 405),
        ("POST", "/events?topic=a", 405),
        ("DELETE", "/events/a", 405),
        ("HEAD", "/events/a", 200),
        ("GET", "/presence/a", 200),
    ] {
        let mut client = server.connect();
        client.send(request(method, target, &[], "x"));
        let head = client.reader().head;
        assert_eq!(head.status, status, "{method} {target}");
        if status == 405 {
            assert_eq!(head.get("allow"), Some("GET, HEAD, QUERY"));
        }
    }
    assert_eq!(hub.stats().events, 0);
}

#[test]
fn a_user_found_in_front_of_the_guard_counts_behind_it() {
    let (server, _hub) = serve(Config::default(), |hub| {
        let door = plain::router(hub, plain::Config::default());
        let nobody = Principal::default().identified(Identity::nobody());
        Guard::default().protect(door).layer(Extension(nobody))
    });
    let answer = server.connect().ask(request("POST", "/events/a", &[], "x"));
    assert_eq!(answer.status(), 401);
}

#[test]
fn one_user_does_not_take_the_room_for_new_topics_from_the_others() {
    let bounds = Config {
        max_topics: 100,
        ..Config::default()
    };
    let (server, _hub) = serve(bounds, |hub| {
        let config = plain::Config {
            max_unknown_topics_per_address: Some(60),
            ..plain::Config::default()
        };
        let app = Guard::default().access(Users).protect(plain::router(hub, config));
        app.layer(Extension(Peer(([203, 0, 113, 7], 1).into())))
    });
    let open = ["a", "b"].map(|part| {
        let topics = (0..50).map(|n| format!("topic=users/alice/{part}{n}"));
        let target = format!("/events?{}", topics.collect::<Vec<_>>().join("&"));
        server.get(&target, &[("Cookie", "session=alice")])
    });
    assert_eq!(open.each_ref().map(|reader| reader.head.status), [200, 429]);
}

fn serve(bounds: Config, app: impl FnOnce(Hub) -> Router) -> (Server, Hub) {
    let runtime = Runtime::new().unwrap();
    let hub = {
        let _inside = runtime.enter();
        Hub::start(bounds, Memory::new(Retention::default())).unwrap()
    };
    let server = Server::start_on(runtime, app(hub.clone()));
    (server, hub)
}
