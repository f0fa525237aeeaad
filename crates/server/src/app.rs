//! Everything that the server answers, as one router behind the guard.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
    routing,
};
use tidewire_doors::{Problem, guard::Guard, plain, relay::Relay};
use tidewire_hub::{Health, Hub};
use tokio_util::task::TaskTracker;

use crate::{config::Config, demo, listen::Guests, metrics, pages, requests, stats};

/// Whether new work should be sent here. Red from the start of a drain on.
#[derive(Clone)]
pub(crate) struct Readiness(Arc<AtomicBool>);

impl Readiness {
    pub(crate) fn green() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    pub(crate) fn turn_red(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// What the routes are made of.
pub(crate) struct Parts<'a> {
    pub(crate) config: &'a Config,
    pub(crate) guard: Guard,
    pub(crate) hub: &'a Hub,
    pub(crate) guests: &'a Arc<Guests>,
    pub(crate) readiness: Readiness,
    pub(crate) relay: Relay,
    /// Gets the demo's tasks.
    pub(crate) typists: TaskTracker,
}

/// The routes behind the guard, with a log line for each request.
pub(crate) fn router(parts: Parts<'_>) -> Router {
    let Parts { config, hub, .. } = parts;
    let (heartbeat, retry) = (config.heartbeat.get(), config.retry.get());
    let plain = plain::Config {
        heartbeat,
        retry,
        body_stall: config.timeouts.body_stall.get(),
        max_subscribe_body: usize::try_from(config.limits.max_subscribe_body.get()).unwrap_or(usize::MAX),
        max_unknown_topics_per_address: config
            .limits
            .max_unknown_topics_per_address
            .map(|max| usize::try_from(max.get()).unwrap_or(usize::MAX)),
    };
    let mut router = Router::new()
        .merge(plain::router(hub.clone(), plain))
        .merge(parts.relay.router())
        .merge(health(parts.readiness, hub.clone()))
        .merge(metrics::router(
            hub.clone(),
            parts.relay.clone(),
            Arc::clone(parts.guests),
        ))
        .merge(stats::router(
            hub.clone(),
            parts.relay.clone(),
            Arc::clone(parts.guests),
            config.archive_kind(),
        ));
    if config.demo.unwrap_or_default() {
        let info = demo::Info {
            retry,
            heartbeat,
            archive: config.archive_kind(),
            publish_token: parts.guard.wants_publish_token(),
            read_token: parts.guard.wants_read_token(),
        };
        router = router
            .merge(demo::router(hub.clone(), info, parts.typists))
            .merge(pages::router());
    }
    let router = router
        .fallback(|request: Request| async move { Problem::not_found(request.uri().path()) })
        .method_not_allowed_fallback(|request: Request| async move {
            Problem::method_not_allowed(request.method())
        });
    requests::log(parts.guard.protect(router))
}

fn health(readiness: Readiness, hub: Hub) -> Router {
    Router::new()
        .route("/healthz", routing::get(async || "ok\n"))
        .route("/readyz", routing::get(is_ready))
        .with_state((readiness, hub))
}

async fn is_ready(State((readiness, hub)): State<(Readiness, Hub)>) -> (StatusCode, String) {
    let red = |text: String| (StatusCode::SERVICE_UNAVAILABLE, text);
    if !readiness.0.load(Ordering::Relaxed) {
        return red("draining\n".into());
    }
    match hub.health() {
        Health::Poisoned(why) => red(format!("the log can no longer be written, restart: {why}\n")),
        Health::Failing(why) => red(format!("the log cannot be written: {why}\n")),
        // Readers are served, and the next publish may find room.
        Health::Full(why) => (StatusCode::OK, format!("ready, but the log is full: {why}\n")),
        _ => (StatusCode::OK, "ready\n".into()),
    }
}
