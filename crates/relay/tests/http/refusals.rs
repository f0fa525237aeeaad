//! Problems of ours on a route: in the shape in which the upstream's clients read errors.

use serde_json::{Value, json};
use tidewire_doors::guard::{Guard, Tokens};
use tidewire_relay::{Dialect, config::RouteAuth};

use super::Relayed;
use crate::client::Response;

const JSON: (&str, &str) = ("Content-Type", "application/json");
const BOTH: (&str, &str) = ("Accept", "application/json, text/event-stream");

/// The error as an SDK finds it, with where it looks.
fn said(answer: &Response, pointer: &str) -> String {
    let body = answer.json();
    let message = body.pointer(pointer).and_then(Value::as_str);
    message
        .unwrap_or_else(|| panic!("nothing at {pointer}: {body}"))
        .to_owned()
}

#[test]
fn each_client_finds_the_text_where_it_looks_for_it() {
    let relayed = Relayed::open();
    relayed.relay.close();
    for (target, headers, body, pointer) in [
        ("/v1/chat/completions", &[][..], "{}", "/error/message"),
        ("/v1/responses", &[], "{}", "/error/message"),
        ("/v1/responses", &[], r#"{"stream":true}"#, "/error/message"),
        (
            "/v1/embeddings",
            &[("User-Agent", "OpenAI/Python 3.57.0")],
            "{}",
            "/error/message",
        ),
        (
            "/v1/embeddings",
            &[("X-Stainless-Lang", "js")],
            "{}",
            "/error/message",
        ),
        (
            "/v1/messages",
            &[("Anthropic-Version", "2023-06-01")],
            "{}",
            "/error/message",
        ),
        (
            "/v1/models/m:streamGenerateContent?alt=sse",
            &[],
            "{}",
            "/error/message",
        ),
        (
            "/v1/models/m:generateContent",
            &[("X-Goog-Api-Client", "google-genai-sdk/2")],
            "{}",
            "/error/message",
        ),
        ("/v1/v2/chat", &[], r#"{"stream":true}"#, "/message"),
        (
            "/v1/chat/completions",
            &[("User-Agent", "mistral-client-python/3")],
            "{}",
            "/message",
        ),
        (
            "/v1/embed",
            &[("User-Agent", "mistral-client-python/3")],
            "{}",
            "/message",
        ),
        (
            "/v1/api/chat",
            &[("User-Agent", "ollama-python/0.6")],
            "{}",
            "/error",
        ),
        (
            "/v1/mcp",
            &[("Mcp-Session-Id", "s")],
            r#"{"jsonrpc":"2.0","id":7}"#,
            "/error/message",
        ),
        (
            "/v1/mcp",
            &[BOTH],
            r#"{"id":"a","jsonrpc":"2.0"}"#,
            "/error/message",
        ),
        ("/v1/anything", &[], "{}", "/detail"),
    ] {
        let answer = relayed.request("POST", target, &[headers, &[JSON]].concat(), body);
        assert_eq!(answer.status(), 503, "{target}");
        let message = said(&answer, pointer);
        assert!(message.contains("shutting down"), "{target}: {message}");
        // The server is back in a moment.
        assert_eq!(answer.head.get("x-should-retry"), None, "{target}");
    }
    relayed.upstream.is_left_alone();
}

#[test]
fn an_error_has_what_its_clients_and_ours_read() {
    let relayed = Relayed::open();
    let bad = |target: &str, headers: &[(&str, &str)]| {
        let answer = relayed.request("POST", target, &[headers, &[JSON]].concat(), "{}");
        assert_eq!(answer.status(), 400, "{target}");
        assert_eq!(answer.head.get("x-should-retry"), Some("false"), "{target}");
        answer
    };
    let answer = bad("/v1/%2e%2e/chat/completions", &[]);
    assert_eq!(answer.head.get("content-type"), Some("application/json"));
    let body = answer.json();
    assert_eq!(body["error"]["code"], "bad_path");
    assert_eq!(body["error"]["type"], "tidewire_error");
    assert_eq!(
        (&body["code"], &body["detail"]),
        (&json!("bad_path"), &body["error"]["message"])
    );

    let body = bad("/v1/../messages", &[("Anthropic-Version", "2023-06-01")]).json();
    assert_eq!(
        (&body["type"], &body["error"]["type"]),
        (&json!("error"), &json!("invalid_request_error"))
    );
    assert_eq!(body["code"], "bad_path");

    let body = bad("/v1/../m:streamGenerateContent?alt=sse", &[]).json();
    assert_eq!(
        (&body["error"]["code"], &body["error"]["status"]),
        (&json!(400), &json!("INVALID_ARGUMENT"))
    );
    assert_eq!(body["error"]["details"][0]["reason"], "bad_path");
    assert_eq!(body.as_object().unwrap().len(), 1, "{body}");

    let body = bad("/v1/../mcp", &[("Mcp-Session-Id", "s")]).json();
    assert_eq!((&body["jsonrpc"], &body["id"]), (&json!("2.0"), &Value::Null));
    assert_eq!(body["error"]["data"]["code"], "bad_path");
    assert_eq!(body.as_object().unwrap().len(), 3, "{body}");

    let answer = bad("/v1/../x", &[]);
    assert_eq!(answer.head.get("content-type"), Some("application/problem+json"));
}

#[test]
fn a_json_rpc_error_answers_its_request() {
    let relayed = Relayed::open();
    relayed.relay.close();
    for (id, expected) in [
        ("7", json!(7)),
        ("\"a\"", json!("a")),
        ("{}", Value::Null),
        ("[1]", Value::Null),
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","method":"tools/call","id":{id}}}"#);
        let answer = relayed.request("POST", "/v1/mcp", &[JSON, BOTH], &body);
        assert_eq!(answer.json()["id"], expected);
    }
}

#[test]
fn what_a_route_is_and_what_the_guard_refuses_have_the_shape_too() {
    let relayed = Relayed::with(|route| route.dialect = Some(Dialect::Cohere));
    let answer = relayed.request("POST", "/v1/../x", &[JSON], "{}");
    assert_eq!(
        said(&answer, "/message"),
        answer.json()["detail"].as_str().unwrap()
    );

    let tokens = Tokens::default().read(["read".parse().unwrap()]);
    let guard = Guard::default().tokens(tokens);
    let routes = [("/v1".to_owned(), RouteAuth::Token, false)];
    let relayed = Relayed::guarded(guard.routes(routes), |_| {});
    let answer = relayed.request("POST", "/v1/chat/completions", &[JSON], "{}");
    assert_eq!(answer.status(), 401);
    assert_eq!(
        said(&answer, "/error/message"),
        answer.json()["detail"].as_str().unwrap()
    );
    assert!(answer.head.get("www-authenticate").is_some());
    // Beside the routes nothing has changed.
    let answer = relayed.request("POST", "/relay/x", &[JSON], "{}");
    assert_eq!(answer.head.get("content-type"), Some("application/problem+json"));
}

#[test]
fn what_trying_again_cannot_mend_says_so() {
    let relayed = Relayed::with(|route| route.limits.max_running = Some(1));
    let ask = || relayed.ask(&[]);
    let _running = std::thread::scope(|scope| {
        let asked = scope.spawn(ask);
        let mut call = relayed.upstream.call();
        call.stream();
        call.event("1");
        (asked.join().unwrap(), call)
    });
    let busy = relayed.request("POST", "/v1/chat/completions", &[JSON], "{}");
    assert_eq!((busy.status(), busy.head.get("x-should-retry")), (429, None));

    let relayed = Relayed::with(|route| route.times.total = std::time::Duration::from_millis(300));
    let late = relayed.request("POST", "/v1/chat/completions", &[JSON], "{}");
    assert_eq!(
        (late.status(), late.head.get("x-should-retry")),
        (504, Some("false"))
    );
    assert!(said(&late, "/error/message").contains("total"));
}
