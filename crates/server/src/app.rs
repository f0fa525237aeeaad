//! Everything that the server answers, as one router behind the guard.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    Router,
    extract::{Request, State},
    http::{Method, StatusCode},
    response::IntoResponse as _,
    routing,
};
use tidewire_doors::{
    BodyBounds, Problem,
    guard::{Declared, Guard, Need},
    plain,
    sending::SendBuffers,
};
use tidewire_hub::{Health, Hub};
use tidewire_relay::Relay;
use tokio_util::task::TaskTracker;

#[cfg(test)]
mod tests;

use crate::{
    config::{Config, poison::OnPoison},
    demo,
    listen::Guests,
    metrics, pages, requests, stats,
};

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
    /// The bounds of all bodies, the relay's too.
    pub(crate) bodies: BodyBounds,
    /// Those of all streams, the relay's too.
    pub(crate) send_buffers: SendBuffers,
    /// Gets the demo's tasks.
    pub(crate) typists: TaskTracker,
}

/// The routes behind the guard, with a log line for each request.
pub(crate) async fn router(parts: Parts<'_>) -> Router {
    let guard = parts.guard.clone();
    let guard = guard.declare(declared(parts.config.demo.unwrap_or_default()));
    let router = routes(parts)
        .await
        .fallback(|request: Request| async move { Problem::not_found(request.uri().path()) })
        .method_not_allowed_fallback(async |request: Request| match *request.method() {
            // The router adds `Allow`.
            Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
            ref method => Problem::method_not_allowed(method).into_response(),
        });
    requests::log(guard.protect(router))
}

async fn routes(parts: Parts<'_>) -> Router {
    let Parts { config, hub, .. } = parts;
    let (heartbeat, retry) = (config.heartbeat.get(), config.retry.get());
    let plain = plain::Config {
        heartbeat,
        retry,
        bodies: parts.bodies.clone(),
        send_buffers: parts.send_buffers.clone(),
        max_subscribe_body: usize::try_from(config.limits.max_subscribe_body.get()).unwrap_or(usize::MAX),
        max_unknown_topics_per_address: config
            .limits
            .max_unknown_topics_per_address
            .map(|max| usize::try_from(max.get()).unwrap_or(usize::MAX)),
    };
    let router = Router::new()
        .merge(plain::router(hub.clone(), plain))
        .merge(parts.relay.router())
        .merge(health(parts.readiness, hub.clone(), config.archive.on_poison))
        .merge(metrics::router(
            hub.clone(),
            parts.relay.clone(),
            Arc::clone(parts.guests),
            parts.bodies.budget,
            parts.send_buffers,
        ))
        .merge(stats::router(
            hub.clone(),
            parts.relay.clone(),
            Arc::clone(parts.guests),
            config.archive_kind(),
        ));
    if !config.demo.unwrap_or_default() {
        return router;
    }
    let info = demo::Info {
        retry,
        heartbeat,
        archive: config.archive_kind(),
        publish_token: parts.guard.wants_publish_token(),
        read_token: parts.guard.wants_read_token(),
    };
    router
        .merge(demo::router(hub.clone(), info, parts.typists).await)
        .merge(pages::router())
}

/// What the routes of this server need that are not those of the doors.
fn declared(demo: bool) -> impl Iterator<Item = Declared> {
    let with_demo = demo.then(|| demo::ROUTES.into_iter().chain(pages::routes()));
    PROBES.into_iter().chain(with_demo.into_iter().flatten())
}

const PROBES: [Declared; 2] = [
    Declared::new("/healthz", &[("GET", Need::Probe), ("HEAD", Need::Probe)]),
    Declared::new("/readyz", &[("GET", Need::Probe), ("HEAD", Need::Probe)]),
];

/// What the answers of the probes come from.
type Probed = (Readiness, Hub, OnPoison);

fn health(readiness: Readiness, hub: Hub, on_poison: OnPoison) -> Router {
    Router::new()
        .route("/healthz", routing::get(is_healthy))
        .route("/readyz", routing::get(is_ready))
        .with_state((readiness, hub, on_poison))
}

const POISONED: &str = "the log can no longer be written, restart: the server's log says why\n";

async fn is_healthy(State((_, hub, on_poison)): State<Probed>) -> (StatusCode, &'static str) {
    match hub.health() {
        Health::Poisoned(_) if on_poison == OnPoison::Unhealthy => {
            (StatusCode::SERVICE_UNAVAILABLE, POISONED)
        }
        _ => (StatusCode::OK, "ok\n"),
    }
}

/// Everybody may ask, so why the log cannot be written, with its folder, is only in the server's own log.
async fn is_ready(State((readiness, hub, _)): State<Probed>) -> (StatusCode, &'static str) {
    let red = |text| (StatusCode::SERVICE_UNAVAILABLE, text);
    if !readiness.0.load(Ordering::Relaxed) {
        return red("draining\n");
    }
    match hub.health() {
        Health::Poisoned(_) => red(POISONED),
        Health::Short(_) => red("short of file descriptors or memory: the server's log says which\n"),
        Health::Failing(_) => red("the log cannot be written: the server's log says why\n"),
        // Readers are served, and the next publish may find room.
        Health::Full(_) => (
            StatusCode::OK,
            "ready, but the log is full: the server's log says why\n",
        ),
        // All else is served, and no restart would mend it.
        _ if hub.damaged() > 0 => (
            StatusCode::OK,
            "ready, but the log is damaged: the server's log says where\n",
        ),
        _ => (StatusCode::OK, "ready\n"),
    }
}
