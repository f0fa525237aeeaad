//! Events, JSON and text over real streams.

use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::Deserialize;
use serde_json::Value;
use tidewire_client::{Error, EventSource, Method, ReadyState, Retry};

use crate::{
    client, get,
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

/// The body of an answer of `vectors/answers.json`.
fn body_of(vector: &Value) -> String {
    if let Some(body) = vector["body"].as_str() {
        return body.to_owned();
    }
    let data = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let events = vector["events"].as_array().unwrap().iter();
    events
        .map(|event| match event.as_array() {
            Some(event) => format!(
                "event: {}\ndata: {}\n\n",
                event[0].as_str().unwrap(),
                data(&event[1])
            ),
            None => format!("data: {}\n\n", data(event)),
        })
        .collect()
}

#[tokio::test]
async fn every_answer_of_the_vectors_has_its_text_its_end_and_its_error() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/answers.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let mut vectors = file["vectors"].as_array().unwrap().clone();
    vectors.retain(|vector| vector["lines"] != true);
    let answers = Arc::new(vectors.clone());
    let server = Server::start(move |mut connection| {
        let answers = Arc::clone(&answers);
        async move {
            let vector = &answers[connection.asked.target[1..].parse::<usize>().unwrap()];
            connection.send(CHUNKED).await;
            if !body_of(vector).is_empty() {
                connection.chunk(body_of(vector)).await;
            }
            // Where nothing follows, the body may stay open for ever.
            if vector["over"] == true {
                return connection.closed().await;
            }
            connection.send("0\r\n\r\n").await;
        }
    })
    .await;
    let client = client();
    for (number, vector) in vectors.iter().enumerate() {
        let name = &vector["name"];
        let mut text = EventSource::request(Method::POST, server.url(&format!("/{number}")))
            .client(client.clone())
            .build()
            .unwrap()
            .text();
        let (mut whole, mut error) = (String::new(), None);
        while let Some(piece) = text.next().await {
            match piece {
                Ok(piece) => whole += &piece,
                Err(found) => error = Some(found),
            }
        }
        assert_eq!(whole, vector["text"].as_str().unwrap_or_default(), "{name}");
        assert_eq!(text.is_truncated(), vector["truncated"] == true, "{name}");
        match (error, vector["failed"].as_str()) {
            (Some(Error::Provider { message, .. }), Some(failed)) => assert_eq!(message, failed, "{name}"),
            (Some(Error::NoText), None) => assert_eq!(vector["unread"], true, "{name}"),
            (None, None) => assert_ne!(vector["unread"], true, "{name}"),
            (error, failed) => panic!("{name}: {error:?}, {failed:?}"),
        }
    }
}

/// An answer that ends in good order, or is cut.
async fn answer(body: &'static str, is_cut: bool) -> Server {
    Server::start(move |mut connection| async move {
        connection.send(CHUNKED).await;
        connection.chunk(body).await;
        if !is_cut {
            connection.send("0\r\n\r\n").await;
        }
    })
    .await
}

#[tokio::test]
async fn an_answer_without_its_last_word_is_an_error_where_a_whole_one_is_asked_for() {
    let half = "data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"},\"finish_reason\":null}]}\n\n";
    let server = answer(half, false).await;
    let source = EventSource::request(Method::POST, server.url("/"))
        .build()
        .unwrap();
    let mut text = source.text().require_whole();
    assert_eq!(text.try_next().await.unwrap().unwrap(), "Hel");
    let error = text.try_next().await.unwrap_err();
    assert!(matches!(error, Error::Truncated) && error.is_final(), "{error}");
    assert!(text.is_truncated());
    assert!(text.try_next().await.unwrap().is_none());
}

#[tokio::test]
async fn an_answer_whose_last_word_has_come_is_whole_and_is_not_asked_for_again() {
    let whole = "data: {\"choices\":[{\"delta\":{\"content\":\"Hello\"},\"finish_reason\":\"stop\"}]}\n\n";
    for method in [Method::GET, Method::POST] {
        for is_cut in [false, true] {
            let mut server = answer(whole, is_cut).await;
            let retry = Retry {
                max_attempts: Some(1),
                ..soon()
            };
            let source = EventSource::request(method.clone(), server.url("/")).retry(retry);
            let text = source.build().unwrap().text().require_whole();
            assert_eq!(text.try_collect::<Vec<_>>().await.unwrap(), ["Hello"]);
            server.asked().await;
            assert_eq!(server.waiting(), 0);
        }
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
