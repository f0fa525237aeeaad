//! Errors on the wire: `application/problem+json` (RFC 9457) with `status`, `title`, `code`, `detail`,
//! and what a kind of problem adds for programs.
//!
//! `detail` says what was wrong and what to do; `code` is for programs and never changes.

use std::borrow::Cow;

use axum::{body::Body, response::IntoResponse};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};
use tidewire_codec::protocol::PROBLEM;

/// A request that was not served, and why.
#[derive(Debug, Clone)]
pub struct Problem(Box<Said>);

/// In a box, as results carry it everywhere and hold it seldom.
#[derive(Debug, Clone)]
struct Said {
    status: StatusCode,
    code: &'static str,
    detail: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    members: Vec<(&'static str, Value)>,
}

impl Problem {
    /// A problem for people (`detail`) and programs (`code`).
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(Said {
            status,
            code,
            detail: detail.into(),
            headers: Vec::new(),
            members: Vec::new(),
        }))
    }

    /// 400.
    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
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

    /// The answer to a method that a route does not have: `OPTIONS` is told those that it has (204), others too (405).
    pub fn other_method(method: &http::Method, right: &'static str) -> Result<Response<Body>, Self> {
        let allow = HeaderValue::from_static(right);
        if method != http::Method::OPTIONS {
            return Err(Self::method_not_allowed(method).with_header(header::ALLOW, allow));
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        response.headers_mut().insert(header::ALLOW, allow);
        Ok(response)
    }

    /// The status of the response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The member `code`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// The member `detail`: what is wrong, and what to do.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// Its members.
    pub fn body(&self) -> Value {
        let Said {
            status,
            code,
            detail,
            members,
            ..
        } = &*self.0;
        let mut body = json!({
            "status": status.as_u16(),
            "title": status.canonical_reason().unwrap_or_default(),
            "code": code,
            "detail": detail,
        });
        for (name, value) in members {
            body[*name] = value.clone();
        }
        body
    }

    /// With another text for people.
    pub fn map_detail(mut self, change: impl FnOnce(String) -> String) -> Self {
        self.0.detail = change(self.0.detail);
        self
    }

    /// With one more member (RFC 9457 § 3.2), for programs.
    pub fn with_member(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.members.push((name, value.into()));
        self
    }

    /// With one more response header.
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }
}

/// What a client sent, as much of it as a problem repeats.
pub fn shorten(text: &str) -> Cow<'_, str> {
    const ENOUGH: usize = 100;
    match text.char_indices().nth(ENOUGH) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let body = self.body();
        let mut response = Response::new(Body::from(format!("{body}\n")));
        *response.status_mut() = self.0.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.extend(self.0.headers);
        response
    }
}
