//! What the page's port answers: the page, the feed, and what one asks of a single stream.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, Request, State},
    http::{
        HeaderName, HeaderValue,
        header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE},
    },
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde::Serialize;
use tidewire_doors::Problem;

use super::{Bounds, feed::feed, findings, store::Store};

/// What the page says of the tap.
#[derive(Clone, Serialize)]
pub(super) struct About {
    pub(super) version: &'static str,
    pub(super) tap: String,
    pub(super) upstream: String,
    pub(super) bounds: Bounds,
}

/// `shown` is the page, with what it loads.
pub(super) fn router(about: About, store: Arc<Store>, shown: Router) -> Router {
    Router::new()
        .route("/api/about", get(async move || Json(about)))
        .route("/api/feed", get(feed))
        .route("/api/streams/{id}/recording", get(recording))
        .route("/api/streams/{id}/findings", get(examine))
        .with_state(store)
        .merge(shown)
        .fallback(|request: Request| async move { Problem::not_found(request.uri().path()).into_response() })
        .method_not_allowed_fallback(|request: Request| async move {
            Problem::method_not_allowed(request.method())
        })
}

/// The stream as a file.
async fn recording(State(store): State<Arc<Store>>, Path(id): Path<u64>) -> Result<Response, Problem> {
    let snapshot = store
        .look(id, super::stream::Stream::snapshot)
        .ok_or_else(|| gone(id))?;
    let text = snapshot.recording().map_err(|error| {
        Problem::new(
            axum::http::StatusCode::INTERNAL_SERVER_ERROR,
            "no_recording",
            format!("the recording cannot be written: {error}"),
        )
    })?;
    let name = HeaderValue::try_from(format!("attachment; filename=\"tidewire-stream-{id}.ndjson\""));
    let headers: [(HeaderName, HeaderValue); 3] = [
        (CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            CONTENT_DISPOSITION,
            name.unwrap_or(HeaderValue::from_static("attachment")),
        ),
    ];
    Ok((headers, text).into_response())
}

/// The doctor's findings for what has come so far.
async fn examine(State(store): State<Arc<Store>>, Path(id): Path<u64>) -> Result<Response, Problem> {
    let snapshot = store
        .look(id, super::stream::Stream::snapshot)
        .ok_or_else(|| gone(id))?;
    let examined = tokio::task::spawn_blocking(move || findings::of(&snapshot)).await;
    let headers = [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((headers, Json(examined.unwrap_or_default())).into_response())
}

fn gone(id: u64) -> Problem {
    let detail = format!("stream {id} is no longer kept, or has never been: the page lists those that are");
    Problem::new(axum::http::StatusCode::NOT_FOUND, "no_stream", detail)
}
