//! The demo: answers that the server types, one event a character, into topics of the plain door.
//!
//! `POST /demo/answers?lang=en|zh&cps=30` starts one; `GET /demo/info` says what the page shows about
//! the server. An answer is published like anything else, so it shows what every stream can do.
//!
//! Bound: [`MAX_RUNNING`] answers at a time; one more is 429.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
    routing,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tidewire_codec::{Event, EventName};
use tidewire_doors::Problem;
use tidewire_hub::{Draft, Hub, Namespace, Topic};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{MissedTickBehavior, interval},
};
use tokio_util::task::TaskTracker;

/// How many answers are typed at a time.
const MAX_RUNNING: usize = 256;

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

/// The demo's routes. Typists run in the tracker; they stop by themselves when the hub is drained.
pub(crate) fn router(hub: Hub, info: Info, typists: TaskTracker) -> Router {
    Router::new()
        .route("/demo/answers", routing::post(ask))
        .route("/demo/info", routing::get(about))
        .with_state(Demo {
            hub,
            info,
            typists,
            free: Arc::new(Semaphore::new(MAX_RUNNING)),
        })
}

async fn about(State(demo): State<Demo>) -> Json<Value> {
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "retry_ms": u64::try_from(demo.info.retry.as_millis()).unwrap_or(u64::MAX),
        "heartbeat_s": demo.info.heartbeat.as_secs(),
        "archive": demo.info.archive,
        "tokens": { "publish": demo.info.publish_token, "read": demo.info.read_token },
    }))
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Lang {
    #[default]
    En,
    Zh,
}

impl Lang {
    fn text(self) -> &'static str {
        match self {
            Self::En => include_str!("en.txt"),
            Self::Zh => include_str!("zh.txt"),
        }
    }
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
    if !(1..=1000).contains(&cps) {
        return Err(wrong(format!("`cps={cps}`: give 1 to 1000 characters a second")));
    }
    let permit = Arc::clone(&demo.free).try_acquire_owned().map_err(|_| {
        let detail = format!("{MAX_RUNNING} answers are being typed already: wait until one is done");
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "busy", detail)
    })?;
    let name = format!("demo/answer-{:016x}", fastrand::u64(..));
    let topic = Topic::new(Namespace::Events, &name)?;
    let pace = Duration::from_secs(1) / cps;
    demo.typists
        .spawn(type_answer(demo.hub, topic, lang.text(), pace, permit));
    Ok((
        StatusCode::CREATED,
        Json(json!({ "topic": name, "url": format!("/events/{name}") })),
    ))
}

/// Publishes the text, a character an event, and ends the stream. Stops when the hub takes no more.
async fn type_answer(hub: Hub, topic: Topic, text: &str, pace: Duration, _permit: OwnedSemaphorePermit) {
    let named = |name, data: String| Event::new(data).with_name(EventName::from_static(name));
    let mut beat = interval(pace);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let text = text.trim_end();
    let deltas = text
        .chars()
        .map(|character| (named("delta", character.into()), false));
    let end = json!({ "characters": text.chars().count() }).to_string();
    for (event, is_last) in deltas.chain([(named("end", end), true)]) {
        beat.tick().await;
        let Ok(draft) = Draft::event(topic.clone(), event) else {
            return;
        };
        if hub
            .append(if is_last { draft.and_end() } else { draft })
            .await
            .is_err()
        {
            return;
        }
    }
}
