//! The codec's vectors through the client, over real sockets and in pieces of several sizes.

use std::{collections::HashMap, fs, path::Path, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tidewire_client::{Error, Item, Limit, Limits, Repeat};

use crate::{
    client, get, next,
    server::{CHUNKED, Server},
};

/// The vectors that a client can be asked: one that keeps an unfinished event is for readers of files.
fn vectors() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../codec/vectors");
    let mut vectors = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let file: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
            vectors.extend(file["vectors"].as_array().unwrap().clone());
        }
    }
    vectors.retain(|vector| vector["unfinished"] != "keep");
    assert!(vectors.len() > 120, "vectors were lost: {}", vectors.len());
    vectors
}

fn bytes(vector: &Value) -> Vec<u8> {
    match vector["input"].as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => BASE64_STANDARD
            .decode(vector["base64"].as_str().unwrap())
            .unwrap(),
    }
}

fn limits(vector: &Value) -> Limits {
    let size = |name: &str| usize::try_from(vector["limits"][name].as_u64().unwrap()).unwrap();
    match vector.get("limits") {
        None => Limits::default(),
        Some(_) => Limits {
            max_line: size("max_line"),
            max_event: size("max_event"),
            max_id: size("max_id"),
        },
    }
}

/// What a vector expects, whole: a client that is asked for comments shows every item.
fn expected(vector: &Value) -> Vec<Value> {
    let items = vector["items"].as_array().unwrap().iter();
    items
        .map(|item| {
            if item.get("data").is_none() {
                return item.clone();
            }
            json!({
                "name": item.get("name").unwrap_or(&json!("message")),
                "data": item["data"],
                "last_event_id": item.get("last_event_id").unwrap_or(&json!("")),
                "has_id": item.get("has_id").unwrap_or(&json!(false)),
            })
        })
        .collect()
}

fn shown(item: Result<Item, Error>) -> Option<Value> {
    match item {
        Ok(Item::Open(_)) => None,
        Ok(Item::Event(event)) => Some(json!({
            "name": event.name, "data": event.data, "last_event_id": event.last_event_id, "has_id": event.has_id,
        })),
        Ok(Item::Comment(text)) => Some(json!({ "comment": text })),
        Ok(Item::Retry(wait)) => Some(json!({ "retry": u64::try_from(wait.as_millis()).unwrap() })),
        Err(Error::Overlong(overlong)) => Some(json!({ "overlong": match overlong.limit {
            Limit::Line => "line",
            Limit::Event => "event",
            Limit::Id => "id",
        }})),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_vector_reads_as_it_says() {
    let vectors = vectors();
    let streams: HashMap<String, Vec<u8>> = vectors
        .iter()
        .enumerate()
        .map(|(number, vector)| (number.to_string(), bytes(vector)))
        .collect();
    let streams = Arc::new(streams);
    let server = Server::start(move |mut connection| {
        let streams = Arc::clone(&streams);
        async move {
            let (number, size) = connection.asked.target[1..].split_once('/').unwrap();
            let (stream, size) = (&streams[number], size.parse().unwrap());
            connection.send(CHUNKED).await;
            for piece in stream.chunks(size) {
                connection.chunk(piece).await;
            }
            connection.send("0\r\n\r\n").await;
        }
    })
    .await;
    let client = client();
    for (number, vector) in vectors.iter().enumerate() {
        for size in [1, 3, 100_000] {
            let mut source = get(&server.url(&format!("/{number}/{size}")))
                .client(client.clone())
                .comments(true)
                .limits(limits(vector))
                .repeat(Repeat::Never)
                .build()
                .unwrap();
            let mut items = Vec::new();
            while let Some(item) = next(&mut source).await {
                items.extend(shown(item));
            }
            let name = &vector["name"];
            assert_eq!(items, expected(vector), "{name}, in pieces of {size}");
            let last = vector["last_event_id"].as_str().unwrap_or_default();
            assert_eq!(source.last_event_id(), last, "{name}, in pieces of {size}");
        }
    }
}
