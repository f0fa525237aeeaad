//! Problems of ours on a route, in the shape in which the upstream's clients read errors.
//!
//! A client that does not find its provider's members says no more than a status. The members of a
//! problem (RFC 9457) stay beside them, where the client reads on over what it does not know.

use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use serde_json::{Value, json};
use tidewire_doors::Problem;

use super::{
    config::Route,
    dialect::{self, Dialect},
};

/// With `false`, the SDKs that Stainless makes (OpenAI, Anthropic and others) do not try again by themselves.
const X_SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// What a client reads errors in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    OpenAi,
    Anthropic,
    Gemini,
    /// Cohere and Mistral.
    Message,
    Ollama,
    /// JSON-RPC, of the Model Context Protocol.
    JsonRpc,
    /// Those of apps, and unknown ones.
    Problem,
}

/// How the client of a request reads errors.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    shape: Shape,
    /// What a JSON-RPC request is answered to.
    id: Value,
}

/// A problem with a request that has not come to its route.
pub fn refuse(problem: &Problem, request: &Request) -> Response {
    Refusal::to(None, request.method(), request.uri(), request.headers()).response(problem)
}

impl Refusal {
    /// Of a request whose body has not been read yet.
    pub(super) fn to(route: Option<&Route>, method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let dialect = Dialect::of_request(&dialect::Request {
            method,
            path: uri.path(),
            query: uri.query(),
            headers,
            body: b"",
        });
        let named = route.and_then(|route| route.dialect);
        let shape = match named.or(dialect) {
            None | Some(Dialect::Unknown) => Shape::of_client(uri.path(), headers),
            Some(dialect) => Shape::of(dialect),
        };
        Self {
            shape,
            id: Value::Null,
        }
    }

    /// With what the body told.
    pub(super) fn learn(&mut self, dialect: Option<Dialect>, body: &[u8]) {
        if let Some(dialect) = dialect.filter(|dialect| *dialect != Dialect::Unknown) {
            self.shape = Shape::of(dialect);
        }
        if self.shape == Shape::JsonRpc {
            self.id = dialect::json_rpc_id(body);
        }
    }

    pub(super) fn response(&self, problem: &Problem) -> Response {
        let mut response = problem.clone().into_response();
        if !may_be_mended(problem) {
            let headers = response.headers_mut();
            headers.insert(X_SHOULD_RETRY, HeaderValue::from_static("false"));
        }
        if self.shape != Shape::Problem {
            let body = self.shape.body(problem, &self.id);
            *response.body_mut() = Body::from(format!("{body}\n"));
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        response
    }
}

/// Whether the same request may succeed soon, and costs nothing until then.
fn may_be_mended(problem: &Problem) -> bool {
    match problem.status() {
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => true,
        StatusCode::BAD_GATEWAY => problem.code() == "upstream_unreachable",
        // A log that is poisoned needs its operator.
        StatusCode::SERVICE_UNAVAILABLE => problem.code() != "poisoned",
        // After 504 the upstream may be at work still, and is paid for each try.
        _ => false,
    }
}

impl Shape {
    fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::OpenaiChat | Dialect::OpenaiResponses | Dialect::LlamaCpp => Self::OpenAi,
            Dialect::Anthropic => Self::Anthropic,
            Dialect::Gemini => Self::Gemini,
            Dialect::Cohere | Dialect::Mistral => Self::Message,
            Dialect::Ollama => Self::Ollama,
            Dialect::Mcp => Self::JsonRpc,
            Dialect::AiSdkUi | Dialect::AgUi | Dialect::Langgraph | Dialect::Unknown => Self::Problem,
        }
    }

    /// By what clients say of themselves, where they ask for no answer of a dialect: models, files, embeddings.
    fn of_client(path: &str, headers: &HeaderMap) -> Self {
        let has = |name: &str| headers.contains_key(name);
        let value = |name: &str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_ascii_lowercase()
        };
        let agent = value("user-agent");
        let is_openai = agent.contains("openai") || path.ends_with("/responses");
        match () {
            () if has("anthropic-version") => Self::Anthropic,
            () if has("x-goog-api-client") || has("x-goog-api-key") => Self::Gemini,
            () if value("x-fern-sdk-name").starts_with("cohere") || path.ends_with("/v2/chat") => {
                Self::Message
            }
            () if agent.starts_with("mistral-client") => Self::Message,
            () if agent.starts_with("ollama") => Self::Ollama,
            () if is_openai || has("x-stainless-lang") => Self::OpenAi,
            () => Self::Problem,
        }
    }

    fn body(self, problem: &Problem, id: &Value) -> Value {
        let (status, code, message) = (problem.status(), problem.code(), problem.detail());
        let own = match self {
            Self::OpenAi => json!({
                "error": { "message": message, "type": "tidewire_error", "param": null, "code": code }
            }),
            Self::Anthropic => json!({
                "type": "error",
                "error": { "type": of_anthropic(status), "message": format!("{message} ({code})") },
            }),
            Self::Message => json!({ "message": message }),
            Self::Ollama => json!({ "error": message }),
            // Its clients read `code` and `status` beside the error in place of those within.
            Self::Gemini => {
                let info = json!({
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": code, "domain": "tidewire"
                });
                return json!({ "error": {
                    "code": status.as_u16(), "message": message, "status": of_gemini(status), "details": [info]
                }});
            }
            // No other members are allowed. The code is one of those that are the server's own to give.
            Self::JsonRpc => {
                let error = json!({ "code": -32000, "message": message, "data": problem.body() });
                return json!({ "jsonrpc": "2.0", "id": id, "error": error });
            }
            Self::Problem => json!({}),
        };
        let mut body = problem.body();
        if let (Some(body), Value::Object(own)) = (body.as_object_mut(), own) {
            body.extend(own);
        }
        body
    }
}

fn of_anthropic(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        400..500 => "invalid_request_error",
        _ => "api_error",
    }
}

fn of_gemini(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 | 410 => "NOT_FOUND",
        408 | 504 => "DEADLINE_EXCEEDED",
        429 => "RESOURCE_EXHAUSTED",
        400..500 => "INVALID_ARGUMENT",
        502 | 503 => "UNAVAILABLE",
        _ => "INTERNAL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_mend_itself_is_tried_again() {
        for (status, code, expected) in [
            (400, "bad_path", false),
            (408, "body_stalled", true),
            (410, "stopped", false),
            (413, "too_large", false),
            (422, "key_reused", false),
            (429, "busy", true),
            (502, "upstream_unreachable", true),
            (502, "upstream_certificate", false),
            (502, "upstream_switched", false),
            (503, "draining", true),
            (503, "bodies_full", true),
            (503, "poisoned", false),
            (504, "upstream_timeout", false),
            (507, "disk_full", false),
        ] {
            let problem = Problem::new(StatusCode::from_u16(status).unwrap(), code, "");
            assert_eq!(may_be_mended(&problem), expected, "{code}");
        }
    }
}
