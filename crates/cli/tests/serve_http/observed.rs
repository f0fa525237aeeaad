//! What operators see: metrics, stats, and logs without secrets.

use std::collections::BTreeMap;

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    binary::Server,
    client::{Client, eventually, request},
};

/// Metrics by name with labels. Checks the form of every line on the way.
pub fn metrics(server: &Server) -> BTreeMap<String, f64> {
    let response = server.ask("GET", "/metrics", &[], "");
    assert_eq!(response.status(), 200);
    let kind = response.head.get("content-type").unwrap();
    assert!(
        kind.starts_with("application/openmetrics-text; version=1.0.0"),
        "{kind}"
    );
    assert_eq!(response.head.get("cache-control"), Some("no-store"));
    let text = response.body.strip_suffix("# EOF\n").expect("a whole answer");
    let mut explained = String::new();
    let samples = text.lines().filter_map(|line| {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').unwrap();
            assert!(text.len() > 5, "{line}");
            explained = name.to_owned();
            return None;
        }
        if line.starts_with('#') {
            return None;
        }
        assert!(line.starts_with(&explained), "{line} stands under {explained}");
        let (name, value) = line.rsplit_once(' ').unwrap();
        Some((name.to_owned(), value.parse().unwrap()))
    });
    samples.collect()
}

#[test]
fn metrics_count_what_happens() {
    let server = Server::start();
    let reader = server.get("/events/secret-topic", &[]);
    for data in ["1", "22"] {
        server.post("/events/secret-topic", data);
    }
    server.post("/events/ended?end", "");
    assert_eq!(server.ask("POST", "/events/ended", &[], "x").status(), 409);
    server.get("/events/secret-topic", &[("Last-Event-ID", "nobody's")]);

    let found = metrics(&server);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        found[&format!("tidewire_build_info{{version=\"{version}\"}}")],
        1.0
    );
    assert_eq!(found["tidewire_events_total"], 2.0);
    assert_eq!(found["tidewire_event_bytes_total"], 3.0);
    assert_eq!(found["tidewire_publishes_refused_total"], 1.0);
    assert_eq!(
        found["tidewire_batch_size_bucket{le=\"+Inf\"}"],
        found["tidewire_batch_size_count"]
    );
    assert!(found["tidewire_batch_size_count"] >= 3.0);
    assert_eq!(found["tidewire_gaps_total{reason=\"unknown\"}"], 1.0);
    assert_eq!(found["tidewire_gaps_total{reason=\"expired\"}"], 0.0);
    assert!(found["tidewire_readers"] >= 1.0 && found["tidewire_channels"] >= 1.0);
    assert!(found["tidewire_topics"] >= 1.0);
    assert!(found["tidewire_window_bytes"] > 0.0 && found["tidewire_archive_bytes"] > 0.0);
    assert!(found.contains_key("tidewire_reader_lag_count"));
    assert!(found.contains_key("tidewire_window_misses_total"));
    assert!(
        found["tidewire_connections"] >= 2.0,
        "the reader and this request"
    );
    assert!(found["tidewire_connections_accepted_total"] >= 6.0);
    assert_eq!(found["tidewire_connections_refused_total{limit=\"all\"}"], 0.0);
    assert!(found.keys().all(|name| !name.contains("secret-topic")));

    drop(reader);
    eventually(|| metrics(&server)["tidewire_disconnects_total{reason=\"gone\"}"] >= 2.0);
    eventually(|| metrics(&server)["tidewire_connections"] == 1.0);
}

#[test]
fn a_reader_that_stalls_and_connections_that_are_too_many_are_counted() {
    let server = Server::with(&[
        ("TIDEWIRE_TIMEOUTS_WRITE_STALL", "1s"),
        ("TIDEWIRE_LIMITS_MAX_CONNECTIONS_PER_ADDRESS", "8"),
    ]);
    let _stalled = server.get("/events/a", &[]);
    let event = "x".repeat(1 << 20);
    for _ in 0..30 {
        server.post("/events/a", &event);
    }
    eventually(|| metrics(&server)["tidewire_write_stalls_total"] == 1.0);
    // Connections from before may still be closing: they take the place of one of these for a moment.
    let mut others: Vec<Client> = Vec::new();
    eventually(|| {
        others.push(server.connect());
        server.ask("GET", "/healthz", &[], "").status() == 429
    });
    drop(others);
    eventually(|| server.ask("GET", "/healthz", &[], "").status() == 200);
    let found = metrics(&server);
    assert!(found["tidewire_connections_refused_total{limit=\"address\"}"] >= 1.0);
}

#[test]
fn stats_tell_people_how_it_is_and_name_no_topic() {
    let server = Server::start();
    let _reader = server.get("/events/secret-topic", &[]);
    let id = server.post("/events/secret-topic?event=secret-name", "hello");
    let response = server.ask("GET", "/stats", &[], "");
    assert_eq!(response.head.get("content-type"), Some("application/json"));
    assert_eq!(response.head.get("cache-control"), Some("no-store"));
    assert!(!response.body.contains("secret"), "{}", response.body);
    let said = response.json();
    assert_eq!(said["version"], env!("CARGO_PKG_VERSION"));
    assert!(said["uptime_s"].is_u64());
    assert_eq!(said["position"], id);
    assert!(id.starts_with(&format!("~{}-", said["epoch"].as_str().unwrap())));
    assert_eq!(said["readers"], 1);
    assert_eq!(said["channels"], 1);
    assert_eq!(said["topics"], 1);
    assert_eq!(said["published"]["events"], 1);
    assert_eq!(said["archive"]["kind"], "memory");
    assert_eq!(said["archive"]["records"], 1);
    assert_eq!(said["window"]["events"], 1);
    assert_eq!(said["gaps"]["lagged"], 0);
    assert_eq!(said["disconnects"]["gone"], 0);
    assert!(said["connections"]["open"].as_u64().unwrap() >= 2);
}

#[test]
fn logs_tell_route_and_status_and_never_what_a_client_wrote() {
    let server = Server::with(&[
        ("TIDEWIRE_LOG", "trace"),
        ("TIDEWIRE_LOG_FORMAT", "json"),
        ("TIDEWIRE_PUBLISH_TOKEN", "hush-publish"),
        ("TIDEWIRE_READ_TOKEN", "hush-read"),
    ]);
    let bearer = ("Authorization", "Bearer hush-publish");
    let cookie = ("Cookie", "tidewire_token=hush-read; other=hush-cookie");
    let id = ("Last-Event-ID", "hush-id");
    for (method, target, headers, body) in [
        (
            "POST",
            "/events/hush-topic?event=hush-name",
            &[bearer][..],
            "hush-data",
        ),
        ("POST", "/events/hush-topic?id=hush%0A", &[bearer], "hush-data"),
        ("POST", "/events/hush-topic", &[], "hush-data"),
        ("HUSH", "/events/hush-topic", &[bearer], ""),
        ("GET", "/hush-path?access_token=hush-read", &[], ""),
        ("GET", "/events/hush-%", &[cookie], ""),
        ("GET", "/events/a?access_token=hush-wrong", &[], ""),
        ("GET", "/stats", &[("Host", "hush.example")], ""),
        ("POST", "/events/a", &[("Origin", "http://hush.example")], ""),
    ] {
        server.ask(method, target, headers, body);
    }
    server.get("/events/hush-topic?access_token=hush-read", &[id]);
    for broken in [
        "GET /hush HTTP/9\r\n\r\n",
        "GET / HTTP/1.1\r\nhush hush: x\r\n\r\n",
    ] {
        let mut client = server.connect();
        client.send(broken);
        client.stop_sending();
        client.rest();
    }
    server.signal(Signal::TERM);
    let (code, log) = server.ended();
    assert_eq!(code, Some(0));
    assert!(!log.to_lowercase().contains("hush"), "{log}");
    assert!(!log.contains("access_token"), "{log}");

    let lines = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let requests: Vec<_> = lines
        .map(|line| line["fields"].clone())
        .filter(|fields| fields["message"] == "request")
        .collect();
    let seen = |method: &str, route: &str, status: u16| {
        requests.iter().any(|fields| {
            fields["method"] == method
                && fields["route"] == route
                && fields["status"] == status
                && fields["ms"].is_u64()
        })
    };
    for (method, route, status) in [
        ("POST", "/events/{*topic}", 200),
        ("POST", "/events/{*topic}", 400),
        ("POST", "/events/{*topic}", 401),
        ("POST", "/events/{*topic}", 403),
        ("GET", "/events/{*topic}", 200),
        ("GET", "/events/{*topic}", 401),
        ("other", "/events/{*topic}", 405),
        ("GET", "none", 404),
        ("GET", "/stats", 421),
    ] {
        assert!(seen(method, route, status), "{method} {route} {status}:\n{log}");
    }
}

#[test]
fn without_debug_no_request_is_logged() {
    let server = Server::start();
    let mut client = server.connect();
    assert_eq!(client.ask(request("GET", "/healthz", &[], "")).status(), 200);
    server.signal(Signal::TERM);
    let (_, log) = server.ended();
    assert!(!log.contains("/healthz"), "{log}");
}
