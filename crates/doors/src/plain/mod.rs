//! The plain door: subscribe and publish with plain HTTP.
//!
//! | request | does |
//! |---|---|
//! | `GET /events/{topic…}`, `GET /events?topic=a&topic=b` | subscribes |
//! | `POST /events/{topic…}`, `POST /events?topic=a&topic=b` | publishes |
//! | `HEAD` on the same | the last event's position |
//!
//! Files: `config` (settings), `wire` (what requests say), `errors` (the hub's errors as statuses),
//! `subscribe`, `publish`.

mod bulk;
mod config;
mod errors;
mod intake;
mod publish;
mod subscribe;
mod wire;

use std::sync::Arc;

use axum::{Router, body::Body, extract::Request, routing};
use http::{HeaderValue, Response, header};
use tidewire_hub::Hub;

use crate::Problem;
pub use config::Config;

/// What the handlers share.
#[derive(Clone)]
struct Door {
    hub: Hub,
    config: Arc<Config>,
}

/// The door's routes. A wrong method on them is 405; everything else is up to the router they are merged into.
pub fn router(hub: Hub, config: Config) -> Router {
    let events = || {
        routing::get(subscribe::subscribe)
            .head(subscribe::head)
            .post(publish::publish)
            .fallback(|request: Request| async move { Problem::method_not_allowed(request.method()) })
    };
    Router::new()
        .route("/events", events())
        .route("/events/", events())
        .route("/events/{*topic}", events())
        .with_state(Door {
            hub,
            config: Arc::new(config),
        })
}

/// An answer for programs.
fn json(body: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{body}\n")));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
