//! A door of one's own, made of what all doors share: nothing outside this file knows it.
//!
//! It says back what it is sent, as a stream: `POST /echo/{topic}`. The guard learns its routes by their declaration,
//! the app's [`Access`] is asked with its topic, and bodies and streams have the bounds of the other doors.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{convert::Infallible, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Path, Request, State},
    response::Response,
    routing::post,
};
use bytes::Bytes;
use futures_util::stream;
use http::{StatusCode, request::Parts};
use tidewire_codec::Event;
use tidewire_doors::{
    BodyBounds, Problem,
    guard::{Access, Action, Declared, Guard, Identity, Need, Principal},
    intake::{Intake, Purpose},
    stream::respond::{Form, fit_connection, stream_response},
};
use tidewire_hub::{Namespace, Topic};
use tower::ServiceExt as _;

const ROUTES: [Declared; 1] = [Declared::new("/echo/{topic}", &[("POST", Need::Publish)])];

fn router(bounds: BodyBounds) -> Router {
    Router::new()
        .route("/echo/{topic}", post(echo))
        .with_state(bounds)
}

async fn echo(
    State(bounds): State<BodyBounds>,
    Path(topic): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let topic = Topic::new(Namespace::Events, &topic)?;
    Principal::of(&parts.extensions).may(Action::Publish, &topic.into())?;
    let purpose = Purpose {
        max: 100,
        bound: "an echo may have",
        nothing: "nothing was said, send it again",
    };
    let text = Intake::text_of(&parts, body, &bounds)?.text(&purpose).await?;
    let mut bytes = Vec::new();
    Event::new(text.content).encode(&mut bytes);
    let chunks = stream::iter([Ok::<_, Infallible>(Bytes::from(bytes))]);
    let mut response = stream_response(Form::EVENT_STREAM, Vec::new(), chunks, Duration::from_secs(15));
    fit_connection(&parts, &mut response);
    Ok(response)
}

struct Alice;

impl Access for Alice {
    async fn identify(&self, head: &Parts) -> Result<Identity, Problem> {
        Ok(match head.headers.contains_key("x-alice") {
            true => Identity::user("alice", |_: Action, topic: &Topic| topic.name() == "hers"),
            false => Identity::nobody(),
        })
    }
}

#[tokio::test]
async fn a_door_of_ones_own_is_guarded_bounded_and_streams() {
    let guard = Guard::default().declare(ROUTES).access(Alice);
    let app = guard.protect(router(BodyBounds::default()));
    let ask = async |method: &str, target: &str, header: &str, body: String| {
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header("Host", "localhost");
        let request = request.header(header, "1").body(Body::from(body)).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        let status = response.status();
        (status, to_bytes(response.into_body(), 10_000).await.unwrap())
    };
    let (status, body) = ask("POST", "/echo/hers", "x-alice", "a\nb".into()).await;
    assert_eq!(
        (status, &body[..]),
        (StatusCode::OK, &b"data: a\ndata: b\n\n"[..])
    );
    for (method, target, header, body, expected) in [
        ("POST", "/echo/his", "x-alice", "a", StatusCode::FORBIDDEN),
        ("POST", "/echo/hers", "x-bob", "a", StatusCode::UNAUTHORIZED),
        (
            "POST",
            "/echo/hers",
            "x-alice",
            &*"a".repeat(101),
            StatusCode::PAYLOAD_TOO_LARGE,
        ),
        // Nobody declared these.
        ("PUT", "/echo/hers", "x-alice", "a", StatusCode::UNAUTHORIZED),
        (
            "POST",
            "/echo/hers/more",
            "x-alice",
            "a",
            StatusCode::UNAUTHORIZED,
        ),
    ] {
        let (status, _) = ask(method, target, header, body.into()).await;
        assert_eq!(status, expected, "{method} {target} {header}");
    }
}
