//! Events, JSON and text over real streams.

use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::Deserialize;
use tidewire_client::{Error, EventSource, Method, ReadyState};

use crate::{
    get,
    server::{CHUNKED, OPEN, Server},
    soon,
};

/// A server that answers each request with the next of these bodies, and then with 204.
async fn bodies(bodies: &'static [&'static str]) -> Server {
    Server::start(move |mut connection| async move {
        match bodies.get(connection.asked.number) {
            Some(body) => {
                connection.send(CHUNKED).await;
                connection.chunk(body).await;
            }
            None => connection.answer(204, "", "").await,
        }
    })
    .await
}

#[tokio::test]
async fn events_are_only_events_and_a_gap_is_not_silent() {
    let server = bodies(&[
        "id: 1\ndata: one\n\n: comment\n\n",
        "event: tidewire.gap\nid: 5\ndata: {\"reason\":\"expired\",\"requested\":\"1\"}\n\nid: 6\nevent: tick\ndata: six\n\n",
    ])
    .await;
    let mut events = get(&server.url("/")).build().unwrap().events();
    assert_eq!(events.try_next().await.unwrap().unwrap().data, "one");
    let gap = events.try_next().await.unwrap_err();
    assert!(matches!(&gap, Error::Gap(gap) if gap.reason == "expired"));
    assert!(!gap.is_final());
    let six = events.try_next().await.unwrap().unwrap();
    assert_eq!((&*six.name, &*six.data), ("tick", "six"));
    assert!(events.try_next().await.unwrap().is_none());
    assert_eq!(events.source().counters().gaps, 1);
}

#[derive(Debug, Deserialize, PartialEq)]
struct Tick {
    price: u32,
}

#[tokio::test]
async fn json_that_is_none_is_one_error_and_done_is_the_end() {
    let server = bodies(&[
        "data: hello, this is no JSON\n\ndata: {\"price\":1}\n\ndata: {\"cost\":2}\n\ndata: {\"price\":3}\n\ndata: [DONE]\n\ndata: {\"price\":4}\n\n",
    ])
    .await;
    let mut ticks = get(&server.url("/")).build().unwrap().json::<Tick>();
    let error = ticks.next().await.unwrap().unwrap_err();
    assert!(
        matches!(&error, Error::Json { event, .. } if event.data.starts_with("hello")),
        "{error}"
    );
    assert_eq!(ticks.next().await.unwrap().unwrap(), Tick { price: 1 });
    assert!(matches!(ticks.next().await, Some(Err(Error::Json { .. }))));
    assert_eq!(ticks.next().await.unwrap().unwrap(), Tick { price: 3 });
    assert!(ticks.next().await.is_none());
    assert_eq!(ticks.source().ready_state(), ReadyState::Closed);
}

#[tokio::test]
async fn the_text_of_an_answer_grows_piece_by_piece() {
    let chat = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n\
        data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\n: still thinking\n\n\
        data: {\"choices\":[{\"delta\":{\"content\":\"lo\"}}]}\n\n\
        data: {\"choices\":[],\"usage\":{\"total_tokens\":3}}\n\ndata: [DONE]\n\n";
    let anthropic = "event: message_start\ndata: {\"type\":\"message_start\"}\n\n\
        event: ping\ndata: {\"type\":\"ping\"}\n\n\
        event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"Hel\"}}\n\n\
        event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"lo\"}}\n\n\
        event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    for body in [chat, anthropic] {
        let mut server = Server::start(move |mut connection| async move {
            connection.send(OPEN).await;
            connection.send(body).await;
            connection.closed().await;
        })
        .await;
        let text = EventSource::request(Method::POST, server.url("/v1/chat/completions"))
            .bearer("key")
            .json(&serde_json::json!({ "stream": true }))
            .build()
            .unwrap()
            .text();
        assert_eq!(text.try_collect::<Vec<_>>().await.unwrap(), ["Hel", "lo"]);
        assert_eq!(server.asked().await.header("authorization"), Some("Bearer key"));
    }
}

#[tokio::test]
async fn an_answer_that_fails_half_way_says_so_and_is_not_asked_for_again() {
    let mut server = bodies(&[
        "data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\nevent: error\ndata: {\"error\":{\"message\":\"overloaded\"}}\n\n",
    ])
    .await;
    let mut text = EventSource::request(Method::POST, server.url("/"))
        .retry(soon())
        .build()
        .unwrap()
        .text();
    assert_eq!(text.try_next().await.unwrap().unwrap(), "Hel");
    let error = text.try_next().await.unwrap_err();
    assert_eq!(error.to_string(), "the provider reports: overloaded");
    assert!(text.try_next().await.unwrap().is_none());
    server.asked().await;
    assert_eq!(server.waiting(), 0);
}
