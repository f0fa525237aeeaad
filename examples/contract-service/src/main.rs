//! `tidewire-client` as a test service of launchdarkly/sse-contract-tests (its `docs/service_spec.md`).
//!
//! | request | does |
//! |---|---|
//! | `GET /` | says what this client can |
//! | `POST /` | begins a stream; its address is in `Location` |
//! | `POST /streams/{id}` | a command to it: `restart` |
//! | `DELETE /streams/{id}` | ends it |
//! | `DELETE /` | ends the service |
//!
//! | open | for |
//! |---|---|
//! | [`params`] | what a stream is to be, as a builder of the client |
//! | [`entity`] | a running stream, and what it tells the harness |

#![allow(clippy::print_stdout, reason = "says where it listens")]

mod entity;
mod params;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json, Router,
    extract::{Path, State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use entity::Entity;
use params::Params;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Notify};

/// What the suite may test, by every name that its versions have had for it.
const CAPABILITIES: [&str; 12] = [
    "204",
    "bom",
    "comments",
    "empty-or-missing-location",
    "headers",
    "last-event-id",
    "payload-size-stress-testable",
    "post",
    "read-timeout",
    "report",
    "restart",
    "server-directed-shutdown-request",
];

/// Streams at a time. The harness has one or two.
const MAX_STREAMS: usize = 100;

#[derive(Default)]
struct Streams {
    running: HashMap<u64, Entity>,
    /// The number of the one that began last.
    last: u64,
}

#[derive(Clone)]
struct Service {
    streams: Arc<Mutex<Streams>>,
    callbacks: reqwest::Client,
    stop: Arc<Notify>,
}

impl Service {
    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn status() -> Json<Value> {
    Json(json!({ "name": "tidewire-client", "capabilities": CAPABILITIES }))
}

async fn create(
    State(service): State<Service>,
    headers: HeaderMap,
    params: Result<Json<Params>, JsonRejection>,
) -> Response {
    let begun = params
        .map_err(|error| error.body_text())
        .and_then(|Json(params)| params.source());
    let (source, callback_url) = match begun {
        Ok(begun) => begun,
        Err(what) => return (StatusCode::BAD_REQUEST, what).into_response(),
    };
    let mut streams = service.streams();
    if streams.running.len() >= MAX_STREAMS {
        return (StatusCode::TOO_MANY_REQUESTS, "end some streams first").into_response();
    }
    streams.last += 1;
    let id = streams.last;
    let entity = Entity::start(source, service.callbacks.clone(), callback_url);
    streams.running.insert(id, entity);
    // In full: the harness would put a relative one behind whatever it was given as our address.
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let location = match host {
        Some(host) => format!("http://{host}/streams/{id}"),
        None => format!("/streams/{id}"),
    };
    (StatusCode::CREATED, [(header::LOCATION, location)]).into_response()
}

#[derive(Deserialize)]
struct Command {
    command: String,
}

async fn command(
    State(service): State<Service>,
    Path(id): Path<u64>,
    command: Result<Json<Command>, JsonRejection>,
) -> StatusCode {
    let streams = service.streams();
    let Some(entity) = streams.running.get(&id) else {
        return StatusCode::NOT_FOUND;
    };
    match command {
        Ok(Json(command)) if command.command == "restart" => {
            entity.restart();
            StatusCode::ACCEPTED
        }
        _ => StatusCode::BAD_REQUEST,
    }
}

async fn close(State(service): State<Service>, Path(id): Path<u64>) -> StatusCode {
    match service.streams().running.remove(&id) {
        Some(_) => StatusCode::NO_CONTENT,
        None => StatusCode::NOT_FOUND,
    }
}

async fn stop(State(service): State<Service>) -> StatusCode {
    service.stop.notify_one();
    StatusCode::NO_CONTENT
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    // An error says that there is one already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8000".into());
    let listener = TcpListener::bind(address).await?;
    println!("The test service is at http://{}", listener.local_addr()?);
    let service = Service {
        streams: Arc::default(),
        callbacks: reqwest::Client::builder()
            .no_proxy()
            .build()
            .map_err(std::io::Error::other)?,
        stop: Arc::default(),
    };
    let stop = Arc::clone(&service.stop);
    let routes = Router::new()
        .route("/", get(status).post(create).delete(self::stop))
        .route("/streams/{id}", post(command).delete(close))
        .with_state(service);
    axum::serve(listener, routes)
        .with_graceful_shutdown(async move { stop.notified().await })
        .await
}
