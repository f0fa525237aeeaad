//! Errors before an answer, as OpenAI's clients know them.

use axum::{
    Json,
    body::Body,
    http::{HeaderValue, Response, StatusCode, header::RETRY_AFTER},
    response::IntoResponse,
};
use serde_json::{Value, json};

use crate::demo::MAX_RUNNING;

pub(super) struct Refusal {
    status: StatusCode,
    error: Value,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        let (kind, code) = match status.as_u16() {
            401 => ("invalid_request_error", Some("invalid_api_key")),
            404 => ("invalid_request_error", Some("model_not_found")),
            429 => ("requests", Some("rate_limit_exceeded")),
            500.. => ("server_error", None),
            _ => ("invalid_request_error", None),
        };
        let error = error(kind, code, &message.into());
        Self { status, error }
    }

    pub(super) fn busy() -> Self {
        let message = format!("{MAX_RUNNING} answers are being typed already: wait until one is done");
        Self::new(StatusCode::TOO_MANY_REQUESTS, message)
    }
}

/// What stands under `error`, before an answer or in its midst.
pub(super) fn error(kind: &str, code: Option<&str>, message: &str) -> Value {
    json!({ "message": message, "type": kind, "param": null, "code": code })
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response<Body> {
        let mut response = (self.status, Json(json!({ "error": self.error }))).into_response();
        if matches!(self.status.as_u16(), 429 | 503) {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
