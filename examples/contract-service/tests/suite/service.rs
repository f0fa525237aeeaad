//! The service itself (the suite's `docs/service_spec.md`).

use serde_json::{Value, json};

use crate::harness::{Service, Streams};

#[tokio::test]
async fn it_declares_what_the_suite_may_test() {
    let service = Service::start().await;
    let status = service.ask("GET", "/", "").await;
    assert_eq!(status.status, 200);
    let status: Value = serde_json::from_str(&status.body).unwrap();
    for capability in [
        "204",
        "bom",
        "comments",
        "empty-or-missing-location",
        "headers",
        "last-event-id",
        "payload-size-stress-testable",
        "post",
        "read-timeout",
        "report",
        "restart",
        "server-directed-shutdown-request",
    ] {
        let declared = status["capabilities"].as_array().unwrap();
        assert!(declared.contains(&capability.into()), "{capability}");
    }
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_with_a_text() {
    let service = Service::start().await;
    let url = "http://127.0.0.1:1/";
    for wrong in [
        json!({ "streamUrl": url }),
        json!({ "callbackUrl": url }),
        json!({ "streamUrl": "nowhere", "callbackUrl": url }),
        json!({ "streamUrl": url, "callbackUrl": "" }),
        json!({ "streamUrl": url, "callbackUrl": url, "method": "a b" }),
        json!({ "streamUrl": url, "callbackUrl": url, "headers": { "a b": "c" } }),
        json!({ "streamUrl": url, "callbackUrl": url, "lastEventId": "a\nb" }),
        json!("nothing"),
    ] {
        let answer = service.ask("POST", "/", &wrong.to_string()).await;
        assert!((400..500).contains(&answer.status), "{wrong}: {}", answer.status);
        assert!(!answer.body.is_empty(), "{wrong}");
    }
    assert_eq!(service.ask("POST", "/", "{").await.status, 400);
}

#[tokio::test]
async fn commands_go_to_streams_that_there_are() {
    let service = Service::start().await;
    let restart = r#"{"command":"restart"}"#;
    assert_eq!(service.ask("POST", "/streams/77", restart).await.status, 404);
    assert_eq!(service.ask("DELETE", "/streams/77", "").await.status, 404);
    let server = Streams::start().await;
    let client = service.client(&server, json!({})).await;
    let unknown = r#"{"command":"dance"}"#;
    assert_eq!(service.ask("POST", &client.path, unknown).await.status, 400);
    assert_eq!(service.ask("POST", &client.path, "{").await.status, 400);
}

#[tokio::test]
async fn a_stream_that_is_ended_closes_its_connection_at_once() {
    let service = Service::start().await;
    let (_server, mut connection, client) = service.stream(json!({})).await;
    assert_eq!(service.ask("DELETE", &client.path, "").await.status, 204);
    connection.closed().await;
    assert_eq!(service.ask("DELETE", &client.path, "").await.status, 404);
}

#[tokio::test]
async fn it_leaves_when_it_is_told_to() {
    let mut service = Service::start().await;
    let (_server, mut connection, _client) = service.stream(json!({})).await;
    assert_eq!(service.ask("DELETE", "/", "").await.status, 204);
    connection.closed().await;
    assert!(service.child.wait().await.unwrap().success());
}
