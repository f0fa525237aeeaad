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
    Problem,
    guard::{Declared, Guard, Need},
    plain,
};
use tidewire_hub::{Health, Hub};
use tidewire_relay::Relay;
use tokio_util::task::TaskTracker;

use crate::{demo, listen::Guests, metrics, pages, requests, stats};

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
    /// With the bounds of all bodies and streams, the relay's too.
    pub(crate) plain: plain::Config,
    pub(crate) demo: bool,
    /// Where the log is, in a word.
    pub(crate) archive: &'static str,
    pub(crate) unhealthy_when_poisoned: bool,
    pub(crate) guard: Guard,
    pub(crate) hub: &'a Hub,
    pub(crate) guests: &'a Arc<Guests>,
    pub(crate) readiness: Readiness,
    pub(crate) relay: Relay,
    /// Gets the demo's tasks.
    pub(crate) typists: TaskTracker,
}

/// The routes behind the guard, with a log line for each request.
pub(crate) async fn router(parts: Parts<'_>) -> Router {
    let guard = parts.guard.clone();
    let guard = guard.declare(declared(parts.demo));
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
    let Parts { plain, hub, .. } = parts;
    let (heartbeat, retry) = (plain.heartbeat, plain.retry);
    let (bodies, send_buffers) = (plain.bodies.budget.clone(), plain.send_buffers.clone());
    let router = Router::new()
        .merge(plain::router(hub.clone(), plain))
        .merge(parts.relay.router())
        .merge(health(
            parts.readiness,
            hub.clone(),
            parts.unhealthy_when_poisoned,
        ))
        .merge(metrics::router(
            hub.clone(),
            parts.relay.clone(),
            Arc::clone(parts.guests),
            bodies,
            send_buffers,
        ))
        .merge(stats::router(
            hub.clone(),
            parts.relay.clone(),
            Arc::clone(parts.guests),
            parts.archive,
        ));
    if !parts.demo {
        return router;
    }
    let info = demo::Info {
        retry,
        heartbeat,
        archive: parts.archive,
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
type Probed = (Readiness, Hub, bool);

fn health(readiness: Readiness, hub: Hub, unhealthy_when_poisoned: bool) -> Router {
    Router::new()
        .route("/healthz", routing::get(is_healthy))
        .route("/readyz", routing::get(is_ready))
        .with_state((readiness, hub, unhealthy_when_poisoned))
}

const POISONED: &str = "the log can no longer be written, restart: the server's log says why\n";

async fn is_healthy(State((_, hub, unhealthy_when_poisoned)): State<Probed>) -> (StatusCode, &'static str) {
    match hub.health() {
        Health::Poisoned(_) if unhealthy_when_poisoned => (StatusCode::SERVICE_UNAVAILABLE, POISONED),
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
