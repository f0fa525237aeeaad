//! One debug line a request: method, route, status and the time until the answer's head.
//!
//! Invariant: nothing that a client wrote is logged, only words that we know. The route is the router's template, so a
//! line has no topic, no query and no token in it.

use axum::{
    Router,
    extract::{MatchedPath, Request},
    http::Method,
    middleware::{self, Next},
    response::Response,
};
use tokio::time::Instant;
use tracing::Level;

/// Logs every request to the router, also what the guard refuses.
pub(crate) fn log(router: Router) -> Router {
    router.layer(middleware::from_fn(line))
}

async fn line(request: Request, next: Next) -> Response {
    if !tracing::enabled!(Level::DEBUG) {
        return next.run(request).await;
    }
    let started = Instant::now();
    let method = known(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    tracing::debug!(
        method,
        route = route.as_ref().map_or("none", MatchedPath::as_str),
        status = response.status().as_u16(),
        ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        "request"
    );
    response
}

/// A method can be any word.
fn known(method: &Method) -> &'static str {
    const KNOWN: [&str; 8] = [
        "GET", "HEAD", "QUERY", "POST", "PUT", "PATCH", "DELETE", "OPTIONS",
    ];
    let same = |known: &&&str| **known == method.as_str();
    KNOWN.iter().find(same).copied().unwrap_or("other")
}
