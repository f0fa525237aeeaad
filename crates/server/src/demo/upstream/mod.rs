//! An upstream for the relay that needs no key: it answers as OpenAI does, and types what it says.
//!
//! `POST /demo/v1/chat/completions` and `POST /demo/v1/responses`, streaming or not; `GET /demo/v1/models`. The answer
//! depends on nothing but the request. What is to happen is said by the model's name, which every client can give:
//!
//! | model | does |
//! |---|---|
//! | any | types 60 characters a second |
//! | `demo-fast` | 1,000 |
//! | `demo-slow`, `demo-slow-20` | first thinks for 5 seconds, for 20 |
//! | `demo-hostile` | says what would break a page that is not careful |
//! | `demo-error-429` | refuses with this status; any from 400 to 599 |
//! | `demo-error-mid` | an error in the midst of the answer |
//! | `demo-cut-mid` | the connection breaks there |
//!
//! `metadata` may hold `cps` (characters per second) and `first_token` (seconds before the first), as numbers in texts.
//! A request with tools whose prompt names one of them, or says "tool", gets a call of it.
//!
//! | open | for |
//! |---|---|
//! | [`ask`] | what a request asks for |
//! | [`said`] | what is said, in tokens |
//! | [`tool`] | tools, and calling them with what their schema wants |
//! | [`chat`], [`responses`] | the two ways to put it on the wire |
//! | [`typed`] | typing it |
//!
//! Bound: the demo's answers together, as many as [`super::MAX_RUNNING`]; one more is 429.

mod ask;
mod chat;
mod refusal;
mod responses;
mod said;
mod tool;
mod typed;

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{State, rejection::BytesRejection},
    http::Response,
    response::IntoResponse,
    routing,
};
use serde_json::{Value, json};
use tidewire_codec::{Event, EventName};

use super::Demo;
use ask::{Ask, Form};
use refusal::Refusal;
use said::Said;

/// When everything here was made: an answer does not depend on the clock.
const CREATED: u64 = 1_767_225_600;

/// The models that there are to choose from; any other name will do as well.
const MODELS: [&str; 7] = [
    "demo",
    "demo-fast",
    "demo-slow",
    "demo-hostile",
    "demo-error-429",
    "demo-error-mid",
    "demo-cut-mid",
];

/// An event, and how many characters have been typed when it is due.
struct Step {
    typed: usize,
    event: Event,
}

impl Step {
    fn new(typed: usize, data: &Value) -> Self {
        let event = Event::new(data.to_string());
        Self { typed, event }
    }

    fn named(self, name: &'static str) -> Self {
        let event = self.event.with_name(EventName::from_static(name));
        Self { event, ..self }
    }
}

pub(super) fn router() -> Router<Demo> {
    Router::new()
        .route(
            "/demo/v1/chat/completions",
            routing::post(async |demo: State<Demo>, body: Result<Bytes, BytesRejection>| {
                answer(demo, body, Form::Chat).await
            }),
        )
        .route(
            "/demo/v1/responses",
            routing::post(async |demo: State<Demo>, body: Result<Bytes, BytesRejection>| {
                answer(demo, body, Form::Responses).await
            }),
        )
        .route("/demo/v1/models", routing::get(async || models()))
}

fn models() -> Json<Value> {
    let model = |id| json!({ "id": id, "object": "model", "created": CREATED, "owned_by": "tidewire" });
    Json(json!({ "object": "list", "data": MODELS.map(model) }))
}

async fn answer(
    State(demo): State<Demo>,
    body: Result<Bytes, BytesRejection>,
    form: Form,
) -> Result<Response<Body>, Refusal> {
    let body = body.map_err(|error| Refusal::new(error.status(), error.body_text()))?;
    let ask = Ask::read(form, &body)?;
    if let Some(refused) = ask.refused() {
        return Err(refused);
    }
    let permit = demo.permit().ok_or_else(Refusal::busy)?;
    let said = Said::to(&ask);
    if ask.streams {
        let steps = match form {
            Form::Chat => chat::steps(&ask, &said),
            Form::Responses => responses::steps(&ask, &said),
        };
        return Ok(typed::stream(steps, ask.pace, ask.breaks(), demo.hub, permit));
    }
    let whole = match form {
        Form::Chat => chat::whole(&ask, &said),
        Form::Responses => responses::whole(&ask, &said),
    };
    typed::pause(said.characters(), ask.pace, &demo.hub).await;
    drop(permit);
    Ok(Json(whole).into_response())
}
