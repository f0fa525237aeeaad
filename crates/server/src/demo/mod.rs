//! The demo: answers that the server types, one event a character, into topics of the plain door.
//!
//! `POST /demo/answers?lang=en|zh&cps=30` starts one; `GET /demo/info` says what the page shows about
//! the server. An answer is published like anything else, so it shows what every stream can do. One that a restart
//! broke off is typed on.
//!
//! | open | for |
//! |---|---|
//! | [`answer`] | an answer and its typing |
//! | [`begun`] | which answers have begun, and going on with them |
//! | [`upstream`] | `/demo/v1`: an upstream for the relay, for who has no key |
//!
//! Bound: [`MAX_RUNNING`] answers at a time; one more is 429.

mod answer;
mod begun;
mod upstream;

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
    routing,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tidewire_doors::{
    Problem,
    guard::{Declared, Need},
};
use tidewire_hub::{Hub, Namespace, Topic};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use answer::{Answer, Lang};

/// How many answers are typed at a time.
const MAX_RUNNING: usize = 256;
/// How the topics of answers begin.
const PREFIX: &str = "demo/answer-";
/// Characters per second.
const PACES: RangeInclusive<u32> = 1..=1000;

/// What the page is told about the server.
#[derive(Clone)]
pub(crate) struct Info {
    pub(crate) retry: Duration,
    pub(crate) heartbeat: Duration,
    /// Where the log is.
    pub(crate) archive: &'static str,
    /// Whether publishing needs a token.
    pub(crate) publish_token: bool,
    /// Whether reading needs a token.
    pub(crate) read_token: bool,
}

#[derive(Clone)]
struct Demo {
    hub: Hub,
    info: Info,
    typists: TaskTracker,
    free: Arc<Semaphore>,
}

impl Demo {
    /// Room for one more answer.
    fn permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).try_acquire_owned().ok()
    }
}

/// The demo's routes. Typists run in the tracker; they stop by themselves when the hub is drained. Answers that were
/// broken off are gone on with.
pub(crate) async fn router(hub: Hub, info: Info, typists: TaskTracker) -> Router {
    let demo = Demo {
        hub,
        info,
        typists,
        free: Arc::new(Semaphore::new(MAX_RUNNING)),
    };
    // Read before anybody can ask: what begins from now on has its typist.
    let begun = begun::last(&demo.hub).await;
    demo.typists.spawn(begun::go_on(demo.clone(), begun));
    Router::new()
        .route("/demo/answers", routing::post(ask))
        .route("/demo/info", routing::get(about))
        .merge(upstream::router())
        .with_state(demo)
}

/// The routes, with what each of them needs. Everybody may ask for an answer, which is published: so no page of any
/// origin may.
pub(crate) const ROUTES: [Declared; 5] = [
    Declared::new("/demo/answers", &[("POST", Need::Change)]),
    Declared::new("/demo/info", &[("GET", Need::Open), ("HEAD", Need::Open)]),
    Declared::new("/demo/v1/chat/completions", &[("POST", Need::Open)]),
    Declared::new("/demo/v1/responses", &[("POST", Need::Open)]),
    Declared::new("/demo/v1/models", &[("GET", Need::Open), ("HEAD", Need::Open)]),
];

async fn about(State(demo): State<Demo>) -> Json<Value> {
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "retry_ms": u64::try_from(demo.info.retry.as_millis()).unwrap_or(u64::MAX),
        "heartbeat_s": demo.info.heartbeat.as_secs(),
        "archive": demo.info.archive,
        "tokens": { "publish": demo.info.publish_token, "read": demo.info.read_token },
    }))
}

#[derive(Deserialize)]
#[serde(default)]
struct Ask {
    lang: Lang,
    /// Characters per second.
    cps: u32,
}

impl Default for Ask {
    fn default() -> Self {
        Self {
            lang: Lang::En,
            cps: 30,
        }
    }
}

async fn ask(
    State(demo): State<Demo>,
    query: Result<Query<Ask>, QueryRejection>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let wrong = |why: String| Problem::new(StatusCode::BAD_REQUEST, "bad_parameter", why);
    let Query(Ask { lang, cps }) = query.map_err(|error| wrong(error.body_text()))?;
    if !PACES.contains(&cps) {
        return Err(wrong(format!("`cps={cps}`: give 1 to 1000 characters a second")));
    }
    let permit = demo.permit().ok_or_else(|| {
        let detail = format!("{MAX_RUNNING} answers are being typed already: wait until one is done");
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "busy", detail)
    })?;
    let name = format!("{PREFIX}{:016x}", fastrand::u64(..));
    let answer = Answer {
        topic: Topic::new(Namespace::Events, &name)?,
        lang,
        cps,
    };
    begun::note(&demo.hub, &answer).await?;
    let url = format!("/events/{name}");
    demo.typists.spawn(answer.type_after(demo.hub, 0, permit));
    Ok((StatusCode::CREATED, Json(json!({ "topic": name, "url": url }))))
}
