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
use tidewire_doors::{Problem, guard::Guard, plain};
use tidewire_hub::Hub;
use tokio_util::task::TaskTracker;

use crate::{config::Config, demo, pages};

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

/// The routes behind the guard; `typists` gets the demo's tasks.
pub(crate) fn router(
    config: &Config,
    guard: Guard,
    hub: &Hub,
    readiness: Readiness,
    typists: TaskTracker,
) -> Router {
    let (heartbeat, retry) = (config.heartbeat.get(), config.retry.get());
    let plain = plain::Config {
        heartbeat,
        retry,
        body_stall: config.timeouts.body_stall.get(),
    };
    let mut router = Router::new()
        .merge(plain::router(hub.clone(), plain))
        .merge(health(readiness));
    if config.demo.unwrap_or_default() {
        let info = demo::Info { retry, heartbeat };
        router = router
            .merge(demo::router(hub.clone(), info, typists))
            .merge(pages::router());
    }
    let router = router
        .fallback(|request: Request| async move { Problem::not_found(request.uri().path()) })
        .method_not_allowed_fallback(|request: Request| async move {
            Problem::method_not_allowed(request.method())
        });
    guard.protect(router)
}

fn health(readiness: Readiness) -> Router {
    Router::new()
        .route("/healthz", routing::get(async || "ok\n"))
        .route("/readyz", routing::get(is_ready))
        .with_state(readiness)
}

async fn is_ready(State(readiness): State<Readiness>) -> (StatusCode, &'static str) {
    match readiness.0.load(Ordering::Relaxed) {
        true => (StatusCode::OK, "ready\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
    }
}
