//! Errors on the wire: `application/problem+json` (RFC 9457) with `status`, `title`, `code`, `detail`.
//!
//! `detail` says what was wrong and what to do; `code` is for programs and never changes.

use axum::{body::Body, response::IntoResponse};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};

/// A request that was not served, and why.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem for people (`detail`) and programs (`code`).
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            header: None,
        }
    }

    /// 400.
    pub(crate) fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 404: nothing has this path.
    pub fn not_found(path: &str) -> Self {
        let detail = format!("there is nothing at {path}: topics are at /events/…");
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// 405. The router adds `Allow`.
    pub fn method_not_allowed(method: &http::Method) -> Self {
        let detail = format!("{method} does nothing here: the header Allow lists what does");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
    }

    /// With one more response header.
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some((name, value));
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let body = serde_json::json!({
            "status": self.status.as_u16(),
            "title": self.status.canonical_reason().unwrap_or_default(),
            "code": self.code,
            "detail": self.detail,
        });
        let mut response = Response::new(Body::from(format!("{body}\n")));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.extend(self.header);
        response
    }
}
