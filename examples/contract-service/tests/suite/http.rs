//! Methods, headers, redirects, 204.

use serde_json::json;

use crate::{
    harness::{Service, Streams, data},
    server::Server,
};

#[tokio::test]
async fn the_default_is_a_get_that_asks_for_an_event_stream_and_for_no_cache() {
    let service = Service::start().await;
    let (_server, connection, _client) = service.stream(json!({})).await;
    let asked = &connection.asked;
    assert_eq!(asked.method, "GET");
    assert_eq!(asked.header("accept"), Some("text/event-stream"));
    // The harness looks at the first line of this name.
    assert_eq!(asked.header("cache-control"), Some("no-cache"));
    assert_eq!(asked.header("last-event-id"), None);
}

#[tokio::test]
async fn custom_headers_are_sent() {
    let service = Service::start().await;
    let headers = json!({ "header-name-1": "value-1", "header-name-2": "value-2" });
    let (_server, connection, _client) = service.stream(json!({ "headers": headers })).await;
    assert_eq!(connection.asked.header("header-name-1"), Some("value-1"));
    assert_eq!(connection.asked.header("header-name-2"), Some("value-2"));
}

#[tokio::test]
async fn post_and_report_carry_their_body_and_its_type() {
    let service = Service::start().await;
    for method in ["POST", "REPORT"] {
        let body = r#"{"hello": "world"}"#;
        let kind = "application/json; charset=utf-8";
        let params = json!({ "method": method, "body": body, "headers": { "content-type": kind } });
        let (_server, connection, _client) = service.stream(params).await;
        assert_eq!(connection.asked.method, method);
        assert_eq!(connection.asked.all("content-type"), [kind]);
        assert_eq!(connection.asked.body, body.as_bytes());
    }
}

#[tokio::test]
async fn a_last_event_id_that_is_given_is_sent_at_once() {
    let service = Service::start().await;
    let (_server, connection, _client) = service.stream(json!({ "lastEventId": "abc" })).await;
    assert_eq!(connection.asked.all("last-event-id"), ["abc"]);
}

#[tokio::test]
async fn redirects_are_followed() {
    let service = Service::start().await;
    for status in [301, 302, 303, 307, 308] {
        let mut streams = Streams::start().await;
        let location = format!("Location: {}\r\n", streams.url());
        let redirects = Server::start(move |mut connection| {
            let location = location.clone();
            async move { connection.answer(status, &location, "").await }
        })
        .await;
        let mut client = service.client_of(&redirects.url("/endpoints/1"), json!({})).await;
        let mut connection = streams.connection().await;
        connection.chunk("data: hello\n\n").await;
        client.events(&[data("hello")]).await;
    }
}

#[tokio::test]
async fn a_redirect_without_a_goal_is_an_error_and_not_a_loop() {
    let service = Service::start().await;
    for status in [301, 307] {
        for location in ["", "Location: \r\n"] {
            let mut redirects =
                Server::start(
                    move |mut connection| async move { connection.answer(status, location, "").await },
                )
                .await;
            let mut client = service.client_of(&redirects.url("/"), json!({})).await;
            assert!(client.error().await.contains("leads nowhere"));
            redirects.asked().await;
            assert_eq!(redirects.waiting(), 0);
        }
    }
}

#[tokio::test]
async fn no_content_is_the_servers_word_to_come_no_more() {
    let service = Service::start().await;
    let mut server =
        Server::start(|mut connection| async move { connection.answer(204, "", "").await }).await;
    let params = json!({ "initialDelayMs": 0 });
    let _client = service.client_of(&server.url("/"), params).await;
    server.asked().await;
    // As the suite does: nothing tells that a request will not come.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(server.waiting(), 0);
}
