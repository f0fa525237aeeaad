//! Bodies of requests: what they may hold together, and how long they may take.

use std::{thread::sleep, time::Duration};

use tidewire_doors::{
    BodyBounds,
    bodies::{Bodies, Shares},
    guard::Guard,
    plain,
};
use tidewire_hub::{
    Config, Hub,
    archive::{Memory, Retention},
};
use tokio::runtime::Runtime;

use crate::{
    client::{Client, eventually, request},
    server::Server,
};

const KIB: usize = 1 << 10;

/// A plain door whose bodies have these bounds.
pub fn door(bounds: &BodyBounds) -> (Server, Hub) {
    let runtime = Runtime::new().unwrap();
    let hub = {
        let _inside = runtime.enter();
        Hub::start(Config::default(), Memory::new(Retention::default())).unwrap()
    };
    let config = plain::Config {
        bodies: bounds.clone(),
        ..plain::Config::default()
    };
    let router = Guard::default().protect(plain::router(hub.clone(), config));
    (Server::start_on(runtime, router), hub)
}

fn budget(max: usize) -> Bodies {
    Bodies::new(Shares {
        max,
        max_without_token: None,
        max_per_network: None,
    })
}

fn of(budget: &Bodies) -> BodyBounds {
    BodyBounds {
        budget: budget.clone(),
        ..BodyBounds::default()
    }
}

/// Sends a request but for its end.
fn begun(server: &Server, target: &str, kind: &str, announced: usize, sent: usize) -> Client {
    let mut client = server.connect();
    client.send(format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {announced}\r\n\r\n"
    ));
    client.send("x".repeat(sent));
    client
}

#[test]
fn bodies_of_every_kind_share_one_budget_and_small_ones_find_room_beside_large_ones() {
    let budget = budget(2048 * KIB);
    let (server, _hub) = door(&of(&budget));
    for (target, kind) in [
        ("/events/a", "text/plain"),
        ("/subscribe", "application/json"),
        ("/events/a", "application/x-ndjson"),
        ("/events/a", "text/event-stream"),
    ] {
        let refused = budget.refused();
        let large: Vec<_> = (0..6)
            .map(|_| begun(&server, target, kind, 500 * KIB, 450 * KIB))
            .collect();
        eventually(|| budget.refused() > refused);
        assert!(budget.held() <= 1792 * KIB, "{}", budget.held());
        server
            .connect()
            .ask(request("POST", "/events/a", &[], "small"))
            .id();
        drop(large);
        eventually(|| budget.held() == 0);
    }
}

#[test]
fn a_body_without_room_is_told_to_come_again_before_it_is_sent() {
    let budget = budget(1024 * KIB);
    let (server, _hub) = door(&of(&budget));
    let _large = begun(&server, "/events/a", "text/plain", 600 * KIB, 599 * KIB);
    eventually(|| budget.held() == 600 * KIB);
    let mut client = begun(&server, "/events/a", "text/plain", 600 * KIB, 0);
    let refused = client.response();
    assert_eq!(
        (refused.status(), refused.head.get("retry-after")),
        (503, Some("1"))
    );
    assert_eq!(refused.json()["code"], "bodies_full");
    assert!(refused.body.contains("limits.max_bodies"), "{}", refused.body);
}

#[test]
fn a_body_that_drips_is_given_up_after_its_time_and_one_of_many_events_goes_on() {
    let budget = Bodies::default();
    let (server, _hub) = door(&BodyBounds {
        total: Duration::from_millis(700),
        ..of(&budget)
    });
    for kind in ["text/plain", "application/x-ndjson", "text/event-stream"] {
        let mut client = begun(&server, "/events/a", kind, 100, 0);
        let mut events = begun(&server, "/events/b", "application/x-ndjson", 10 * 11 + 1, 0);
        for _ in 0..10 {
            // It may have been answered already.
            let _ = client.try_send("x");
            events.send("{\"data\":1}\n");
            sleep(Duration::from_millis(100));
        }
        let refused = client.response();
        assert_eq!(refused.status(), 408, "{kind}");
        assert_eq!(refused.json()["code"], "body_timeout", "{kind}");
        events.send("\n");
        assert_eq!(events.response().json()["count"], 10);
    }
    eventually(|| budget.held() == 0);
}
