//! A stream cut at every byte of its answer, packed or not: no event is lost, none comes twice.

use std::sync::Arc;

use async_compression::{
    Level,
    tokio::write::{BrotliEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder},
};
use tidewire_client::Item;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use crate::{client, event, get, next, server::Server};

const EVENTS: usize = 4;

/// The events behind an id, each of which ends what may be flushed.
fn pieces(last_event_id: &str) -> Vec<String> {
    let first = last_event_id.parse().unwrap_or(0) + 1;
    (first..=EVENTS)
        .map(|number| format!("id: {number}\r\ndata: é{number}\r\ndata: and more\r\n\r\n"))
        .collect()
}

/// Packs the pieces, flushed after each.
async fn packed(encoding: &str, pieces: &[String]) -> Vec<Vec<u8>> {
    async fn pack<W: AsyncWrite + Unpin>(
        mut writer: W,
        pieces: &[String],
        inner: fn(&mut W) -> &mut Vec<u8>,
    ) -> Vec<Vec<u8>> {
        let mut packed = Vec::new();
        for piece in pieces {
            writer.write_all(piece.as_bytes()).await.unwrap();
            writer.flush().await.unwrap();
            packed.push(std::mem::take(inner(&mut writer)));
        }
        writer.shutdown().await.unwrap();
        packed.push(std::mem::take(inner(&mut writer)));
        packed
    }
    let out = Vec::new();
    match encoding {
        "gzip" => pack(GzipEncoder::new(out), pieces, |writer| writer.get_mut()).await,
        "br" => {
            pack(
                BrotliEncoder::with_quality(out, Level::Fastest),
                pieces,
                |writer| writer.get_mut(),
            )
            .await
        }
        "zstd" => pack(ZstdEncoder::new(out), pieces, |writer| writer.get_mut()).await,
        "deflate" => pack(ZlibEncoder::new(out), pieces, |writer| writer.get_mut()).await,
        _ => pieces.iter().map(|piece| piece.clone().into_bytes()).collect(),
    }
}

/// A whole answer: head, and a chunk for each piece.
async fn answer(encoding: &str, last_event_id: &str) -> Vec<u8> {
    let mut head =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n".to_owned();
    if !encoding.is_empty() {
        head += &format!("Content-Encoding: {encoding}\r\n");
    }
    let mut answer = format!("{head}Connection: close\r\n\r\n").into_bytes();
    for piece in packed(encoding, &pieces(last_event_id)).await {
        answer.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        answer.extend_from_slice(&piece);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"0\r\n\r\n");
    answer
}

/// Cuts the first connection at `at`, with a reset if `reset`, and lets the others be.
async fn cut_at(client: &reqwest::Client, encoding: &'static str, at: usize, reset: bool) {
    let server = Server::start(move |mut connection| async move {
        let last_event_id = connection.asked.last_event_id().to_owned();
        if last_event_id == EVENTS.to_string() {
            return connection.answer(204, "", "").await;
        }
        let answer = answer(encoding, &last_event_id).await;
        if connection.asked.number > 0 {
            return connection.send(answer).await;
        }
        connection.send(&answer[..at]).await;
        if reset {
            connection.reset();
        }
    })
    .await;
    let mut source = get(&server.url("/")).client(client.clone()).build().unwrap();
    let mut seen = Vec::new();
    while let Some(item) = next(&mut source).await {
        match item.unwrap_or_else(|error| panic!("{encoding} at {at}: {error}")) {
            Item::Event(event) => seen.push((event.last_event_id, event.data)),
            Item::Open(_) | Item::Reconnecting(_) => {}
            other => panic!("{encoding} at {at}: {other:?}"),
        }
    }
    let all = (1..=EVENTS).map(|number| (number.to_string(), format!("é{number}\nand more")));
    assert_eq!(
        seen,
        all.collect::<Vec<_>>(),
        "{encoding} at {at}, reset: {reset}"
    );
}

async fn cut_at_every_byte(encoding: &'static str) {
    let length = answer(encoding, "").await.len();
    assert!(length > 150);
    let client = client();
    for at in 0..length {
        cut_at(&client, encoding, at, false).await;
    }
    for at in (0..length).step_by(3) {
        cut_at(&client, encoding, at, true).await;
    }
}

#[tokio::test]
async fn plain() {
    cut_at_every_byte("").await;
}

#[tokio::test]
async fn gzip() {
    cut_at_every_byte("gzip").await;
}

#[tokio::test]
async fn brotli() {
    cut_at_every_byte("br").await;
}

#[tokio::test]
async fn zstd() {
    cut_at_every_byte("zstd").await;
}

#[tokio::test]
async fn deflate() {
    cut_at_every_byte("deflate").await;
}

#[tokio::test]
async fn a_packed_event_comes_when_it_was_flushed_and_not_when_the_body_ends() {
    for encoding in ["gzip", "br", "zstd", "deflate"] {
        let (say, next) = tokio::sync::mpsc::channel::<()>(1);
        let next = Arc::new(tokio::sync::Mutex::new(next));
        let server = Server::start(move |mut connection| {
            let next = Arc::clone(&next);
            async move {
                let head = crate::server::CHUNKED.replace("\r\n\r\n", "");
                connection
                    .send(format!("{head}\r\nContent-Encoding: {encoding}\r\n\r\n"))
                    .await;
                for piece in packed(encoding, &pieces("")).await {
                    connection.chunk(piece).await;
                    next.lock().await.recv().await;
                }
            }
        })
        .await;
        let mut source = get(&server.url("/")).build().unwrap();
        for number in 1..=EVENTS {
            // The server sends the next one only when this one is here.
            assert_eq!(
                event(&mut source).await,
                format!("é{number}\nand more"),
                "{encoding}"
            );
            say.send(()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_body_of_several_members_is_one_stream() {
    for encoding in ["gzip", "zstd"] {
        let server = Server::start(move |mut connection| async move {
            let head = crate::server::CHUNKED.replace("\r\n\r\n", "");
            connection
                .send(format!("{head}\r\nContent-Encoding: {encoding}\r\n\r\n"))
                .await;
            // Packed one by one, as by a server that flushes by beginning anew.
            for piece in pieces("") {
                connection.chunk(packed(encoding, &[piece]).await.concat()).await;
            }
            connection.closed().await;
        })
        .await;
        let mut source = get(&server.url("/")).build().unwrap();
        for number in 1..=EVENTS {
            assert_eq!(
                event(&mut source).await,
                format!("é{number}\nand more"),
                "{encoding}"
            );
        }
    }
}
