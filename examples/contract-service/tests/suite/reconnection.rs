//! What is sent and kept when a stream breaks. The suite broke streams by an end once, and does it by a cut now; both
//! are tried.

use serde_json::json;

use crate::{
    harness::{Service, data, event},
    server::Connection,
};

#[derive(Clone, Copy)]
enum Break {
    Cut,
    End,
}

const BREAKS: [Break; 2] = [Break::Cut, Break::End];

impl Break {
    async fn apply(self, mut connection: Connection) {
        if matches!(self, Self::End) {
            connection.send("0\r\n\r\n").await;
        }
    }
}

#[tokio::test]
async fn a_caller_can_restart_a_stream_and_hears_no_error_of_it() {
    let service = Service::start().await;
    let (mut server, mut connection, mut client) = service.stream(json!({ "initialDelayMs": 0 })).await;
    connection.chunk("data: Hello\n\n").await;
    client.events(&[data("Hello")]).await;
    let answer = service
        .ask("POST", &client.path, r#"{"command":"restart"}"#)
        .await;
    assert!(answer.status < 300);
    connection.closed().await;
    let mut connection = server.connection().await;
    connection.chunk("data: Thanks\n\n").await;
    client.events(&[data("Thanks")]).await;
}

#[tokio::test]
async fn the_last_event_id_is_sent_also_if_later_events_had_none() {
    let service = Service::start().await;
    for how in BREAKS {
        let (mut server, mut connection, mut client) = service.stream(json!({ "initialDelayMs": 0 })).await;
        assert_eq!(connection.asked.header("last-event-id"), None);
        connection.chunk("id: abc\ndata: Hello\n\n").await;
        client.events(&[event("message", "abc", "Hello")]).await;
        how.apply(connection).await;
        let mut connection = server.connection().await;
        assert_eq!(connection.asked.all("last-event-id"), ["abc"]);

        connection.chunk("data: World\n\n").await;
        let world = client.event_after_at_most_one_error().await;
        assert_eq!(world, event("message", "abc", "World"));
        how.apply(connection).await;
        let connection = server.connection().await;
        assert_eq!(connection.asked.all("last-event-id"), ["abc"]);
    }
}

#[tokio::test]
async fn an_empty_id_takes_the_last_one_back() {
    let service = Service::start().await;
    for how in BREAKS {
        let (mut server, mut connection, mut client) = service.stream(json!({ "initialDelayMs": 0 })).await;
        connection.chunk("id: abc\ndata: Hello\n\n").await;
        connection.chunk("id: \ndata: World\n\n").await;
        client
            .events(&[event("message", "abc", "Hello"), data("World")])
            .await;
        how.apply(connection).await;
        let connection = server.connection().await;
        assert_eq!(connection.asked.header("last-event-id"), None);
    }
}

#[tokio::test]
async fn a_body_is_sent_again() {
    let service = Service::start().await;
    for how in BREAKS {
        for method in ["POST", "REPORT"] {
            let body = r#"{"hello": "world"}"#;
            let params = json!({
                "initialDelayMs": 0, "method": method, "body": body,
                "headers": { "content-type": "application/json; charset=utf-8" },
            });
            let (mut server, connection, _client) = service.stream(params).await;
            assert_eq!(connection.asked.body, body.as_bytes());
            how.apply(connection).await;
            let connection = server.connection().await;
            assert_eq!(connection.asked.method, method);
            assert_eq!(connection.asked.body, body.as_bytes());
        }
    }
}

#[tokio::test]
async fn a_read_timeout_is_an_error_and_a_new_connection() {
    let service = Service::start().await;
    let params = json!({ "initialDelayMs": 0, "readTimeoutMs": 500 });
    let (mut server, mut connection, mut client) = service.stream(params).await;
    connection.chunk("data: Hello\n\n").await;
    client.events(&[data("Hello")]).await;
    assert_eq!(client.error().await, "not one byte for 500ms");
    connection.closed().await;
    server.connection().await;
}

#[tokio::test]
async fn part_of_an_event_goes_with_its_stream_and_so_does_its_id() {
    let service = Service::start().await;
    for how in BREAKS {
        let (mut server, mut connection, mut client) = service.stream(json!({ "initialDelayMs": 0 })).await;
        connection
            .chunk("id: abc\ndata: Hello\n\nid: def\ndata: Goodbye")
            .await;
        client.events(&[event("message", "abc", "Hello")]).await;
        how.apply(connection).await;
        let mut connection = server.connection().await;
        assert_eq!(connection.asked.all("last-event-id"), ["abc"]);
        connection.chunk("data: We meet again\n\n").await;
        let again = client.event_after_at_most_one_error().await;
        assert_eq!(again, event("message", "abc", "We meet again"));
    }
}

#[tokio::test]
async fn the_new_connection_works_as_the_old_one_did() {
    let service = Service::start().await;
    for how in BREAKS {
        let (mut server, mut connection, mut client) = service.stream(json!({ "initialDelayMs": 0 })).await;
        connection.chunk("id: abc\ndata: Hello\n\n").await;
        client.events(&[event("message", "abc", "Hello")]).await;
        how.apply(connection).await;
        let mut connection = server.connection().await;
        connection.chunk("id: def\ndata: World\n\n").await;
        let world = client.event_after_at_most_one_error().await;
        assert_eq!(world, event("message", "def", "World"));
    }
}
