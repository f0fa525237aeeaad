//! `GET /stats`: how the server is, for people. Numbers only, and the routes of the relay: no topic is named, as a topic's name can be
//! all that keeps it secret.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderName, header},
    routing,
};
use serde_json::{Map, Value, json};
use tidewire_hub::Hub;
use tidewire_relay::{Ending, Relay, RouteStats, measures::TimesRead};
use tokio::time::Instant;

use crate::listen::Guests;

#[derive(Clone)]
struct Source {
    hub: Hub,
    relay: Relay,
    guests: Arc<Guests>,
    archive: &'static str,
    started: Instant,
}

/// The route.
pub(crate) fn router(hub: Hub, relay: Relay, guests: Arc<Guests>, archive: &'static str) -> Router {
    Router::new()
        .route("/stats", routing::get(tell))
        .with_state(Source {
            hub,
            relay,
            guests,
            archive,
            started: Instant::now(),
        })
}

async fn tell(State(source): State<Source>) -> ([(HeaderName, &'static str); 1], Json<Value>) {
    let stats = source.hub.stats();
    let position = source.hub.position();
    let body = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_s": source.started.elapsed().as_secs(),
        "epoch": position.epoch.to_string(),
        "position": position.to_string(),
        "readers": stats.readers,
        "channels": stats.channels,
        "topics": stats.topics,
        "published": {
            "events": stats.events,
            "bytes": stats.bytes,
            "refused": stats.refused,
            "replayed": stats.replayed,
        },
        "window": {
            "events": stats.window_events,
            "bytes": stats.window_bytes,
            "misses": stats.lag.counts.iter().sum::<u64>(),
        },
        "archive": {
            "kind": source.archive,
            "records": stats.archive.records,
            "bytes": stats.archive.bytes,
            "damaged": stats.damaged,
            "clock_in_doubt": stats.is_clock_in_doubt,
        },
        "gaps": by_reason(stats.gaps.iter().map(|(reason, count)| (reason.as_str(), *count))),
        "disconnects": by_reason(stats.departures.iter().map(|(why, count)| (why.as_str(), *count))),
        "connections": source.guests.counts(),
        "relay": relay(&source.relay),
    });
    ([(header::CACHE_CONTROL, "no-store")], Json(body))
}

fn relay(relay: &Relay) -> Value {
    let (running, all) = relay.answers();
    let routes: Vec<_> = relay.stats().iter().map(of_route).collect();
    json!({ "running": running, "kept": all - running.min(all), "routes": routes })
}

fn of_route(route: &RouteStats) -> Value {
    let endings = Ending::ALL
        .iter()
        .map(|ending| ending.as_str())
        .zip(route.endings);
    json!({
        "route": route.route,
        "requests": route.requests,
        "upstream_calls": route.upstream_calls,
        "calls_saved": route.joined,
        "streams": route.streams,
        "running": route.running,
        "readers": route.readers,
        "events": route.events,
        "bytes": route.bytes,
        "endings": by_reason(endings),
        "mean_s": {
            "first_event": mean(&route.first_event),
            "duration": mean(&route.duration),
        },
    })
}

/// In seconds; null as long as there is none.
fn mean(times: &TimesRead) -> Option<f64> {
    let count: u64 = times.classes.iter().sum();
    #[expect(clippy::cast_precision_loss, reason = "a mean need not be exact")]
    (count > 0).then(|| times.seconds / count as f64)
}

fn by_reason(counts: impl Iterator<Item = (&'static str, u64)>) -> Value {
    let counts = counts.map(|(reason, count)| (reason.to_owned(), count.into()));
    Value::Object(counts.collect::<Map<_, _>>())
}
