//! The plain door: subscribe and publish with plain HTTP.
//!
//! | request | does |
//! |---|---|
//! | `GET /events/{topic…}`, `GET /events?topic=a&topic=b` | subscribes |
//! | `QUERY` on the same, `QUERY` and `POST /subscribe` | the same with parameters in the body: JSON or a form |
//! | `POST /events/{topic…}`, `POST /events?topic=a&topic=b` | publishes an event, or many |
//! | `HEAD` on the same | says what is kept: the last event's position, and how many |
//! | `DELETE` on the same | lets go what is kept |
//! | `GET /presence/{topic…}`, `GET /presence?topic=a` | tells who reads, now or as it changes |
//!
//! | file | holds |
//! |---|---|
//! | `config` | settings |
//! | `wire`, `parameters` | what a request says in its path, query and headers |
//! | `ask`, `body_parameters` | what a reader asks for, in the query or a body |
//! | `publish`, `bulk` | publishing one event, and many |
//! | `subscribe`, `presence` | reading |
//! | `watched` | how many unknown topics an address reads |
//! | `format`, `outgoing` | the formats of streams, and streams as responses |
//! | `errors` | the hub's errors as statuses |

mod ask;
mod body_parameters;
mod bulk;
mod config;
mod errors;
mod format;
mod outgoing;
mod parameters;
mod presence;
mod publish;
mod subscribe;
mod watched;
mod wire;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::IntoResponse as _,
    routing::any,
};
use http::{HeaderName, HeaderValue, Response, header};
use tidewire_hub::Hub;

use crate::{
    Problem,
    guard::{Declared, Need},
};
pub use config::Config;
pub use errors::said;
use watched::Watched;

/// What the handlers share.
#[derive(Clone)]
struct Door {
    hub: Hub,
    /// Nothing is published or purged by it.
    only_reads: bool,
    config: Arc<Config>,
    /// None: they do not count.
    watched: Option<Arc<Watched>>,
}

const EVENTS: &[(&str, Need)] = &[
    ("GET", Need::Read),
    ("HEAD", Need::Read),
    ("QUERY", Need::Read),
    ("POST", Need::Publish),
    ("DELETE", Need::Purge),
];
const SUBSCRIBE: &[(&str, Need)] = &[("QUERY", Need::Read), ("POST", Need::Read)];
const PRESENCE: &[(&str, Need)] = &[("GET", Need::Presence), ("HEAD", Need::Presence)];

const ACCEPT_QUERY: HeaderName = HeaderName::from_static("accept-query");
const QUERY_TYPES: HeaderValue =
    HeaderValue::from_static("application/json, application/x-www-form-urlencoded");

/// The door's routes, with what each of them needs.
pub const ROUTES: [Declared; 7] = [
    Declared::new("/events", EVENTS),
    Declared::new("/events/", EVENTS),
    Declared::new("/events/{*topic}", EVENTS),
    Declared::new("/subscribe", SUBSCRIBE),
    Declared::new("/presence", PRESENCE),
    Declared::new("/presence/", PRESENCE),
    Declared::new("/presence/{*topic}", PRESENCE),
];

/// The door's [routes](ROUTES). Without a [guard](crate::guard::Guard) in front, everybody may read, publish and purge,
/// pages of other origins too. A wrong method on them is 405; everything else is up to the router they are merged into.
pub fn router(hub: Hub, config: Config) -> Router {
    routes(hub, config, false)
}

/// The same routes for an app whose clients only read: publishing and purging are 405, whoever asks. The app publishes
/// by the [`Hub`].
pub fn reader(hub: Hub, config: Config) -> Router {
    routes(hub, config, true)
}

fn routes(hub: Hub, config: Config, only_reads: bool) -> Router {
    Router::new()
        .route("/events", any(events))
        .route("/events/", any(events))
        .route("/events/{*topic}", any(events))
        .route("/subscribe", any(subscription))
        .route("/presence", any(presence))
        .route("/presence/", any(presence))
        .route("/presence/{*topic}", any(presence))
        .with_state(Door {
            hub,
            only_reads,
            watched: config.max_unknown_topics_per_address.map(Watched::new),
            config: Arc::new(config),
        })
}

/// Methods are told apart here and not by the router, which does not know `QUERY`.
async fn events(State(door): State<Door>, request: Request) -> Response<Body> {
    with_accept_query(events_by_method(door, request).await)
}

async fn events_by_method(door: Door, request: Request) -> Result<Response<Body>, Problem> {
    match request.method().as_str() {
        "GET" | "QUERY" => subscribe::subscribe(door, request).await,
        "HEAD" => subscribe::head(door, request).await,
        _ if door.only_reads => Problem::other_method(request.method(), "GET, HEAD, QUERY"),
        "POST" => publish::publish(door, request).await,
        "DELETE" => publish::purge(door, request).await,
        _ => Problem::other_method(request.method(), "GET, HEAD, QUERY, POST, DELETE"),
    }
}

async fn subscription(State(door): State<Door>, request: Request) -> Response<Body> {
    with_accept_query(match request.method().as_str() {
        "POST" | "QUERY" => subscribe::subscribe(door, request).await,
        _ => Problem::other_method(request.method(), "QUERY, POST"),
    })
}

/// Says in which types a query may come (RFC 10008 § 3).
fn with_accept_query(answer: Result<Response<Body>, Problem>) -> Response<Body> {
    let mut response = answer.into_response();
    response.headers_mut().insert(ACCEPT_QUERY, QUERY_TYPES);
    response
}

async fn presence(State(door): State<Door>, request: Request) -> Result<Response<Body>, Problem> {
    match request.method().as_str() {
        "GET" | "HEAD" => presence::presence(&door, request),
        _ => Problem::other_method(request.method(), "GET, HEAD"),
    }
}

/// An answer for programs.
fn json(body: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{body}\n")));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
