//! A stream cut at every byte of its answer, packed or not: no event is lost, none comes twice.

use std::sync::Arc;

use async_compression::{
    Level,
    tokio::write::{BrotliEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder},
};
use tidewire_client::{Cause, Error, Item};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use crate::{
    cause, client, event, get, next,
    server::{OPEN, Server},
};

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

#[tokio::test]
async fn what_follows_a_packed_body_or_lacks_at_its_end_takes_no_event_away() {
    for encoding in ["gzip", "br", "zstd", "deflate"] {
        for garbage in [Some(&b"garbage"[..]), Some(&[0; 100]), None] {
            let server = Server::start(move |mut connection| async move {
                if connection.asked.last_event_id() == EVENTS.to_string() {
                    return connection.answer(204, "", "").await;
                }
                assert_eq!(connection.asked.last_event_id(), "");
                let head = crate::server::CHUNKED.replace("\r\n\r\n", "");
                connection
                    .send(format!("{head}\r\nContent-Encoding: {encoding}\r\n\r\n"))
                    .await;
                let mut packed = packed(encoding, &pieces("")).await;
                // The last piece is what ends the packed body.
                match garbage {
                    Some(garbage) => packed.push(garbage.to_vec()),
                    None => drop(packed.pop()),
                }
                connection.chunk(packed.concat()).await;
                connection.send("0\r\n\r\n").await;
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
            assert!(matches!(next(&mut source).await, Some(Ok(Item::Reconnecting(_)))));
            assert!(next(&mut source).await.is_none(), "{encoding}");
        }
    }
}

/// RFC 9659: no window over 8 MiB in a body.
#[tokio::test]
async fn a_packed_body_that_wants_more_memory_than_any_may_is_not_read() {
    let server = Server::start(move |mut connection| async move {
        let window = async_compression::zstd::CParameter::window_log(27);
        let mut writer = ZstdEncoder::with_quality_and_params(Vec::new(), Level::Fastest, &[window]);
        // More than a small window holds, else the frame asks for no more than that.
        for number in 0..200_000 {
            let event = format!("data: {number} {}\n\n", "x".repeat(50));
            writer.write_all(event.as_bytes()).await.unwrap();
        }
        writer.shutdown().await.unwrap();
        let head = OPEN.replace("Connection:", "Content-Encoding: zstd\r\nConnection:");
        connection.send(head).await;
        connection.send(writer.into_inner()).await;
    })
    .await;
    let mut source = get(&server.url("/")).build().unwrap();
    let cause = cause(&mut source).await;
    assert!(matches!(cause, Cause::Cut(_)), "{cause}");
}

#[tokio::test]
async fn noise_and_flipped_bits_make_no_more_than_reconnections() {
    const ANSWERS: usize = 200;
    let client = client();
    for encoding in ["", "gzip", "br", "zstd", "deflate"] {
        let server = Server::start(move |mut connection| async move {
            let number = connection.asked.number;
            if number == ANSWERS {
                return connection.answer(204, "", "").await;
            }
            let mut random = fastrand::Rng::with_seed(number as u64);
            let mut body = packed(encoding, &pieces("")).await.concat();
            for _ in 0..random.usize(..4) {
                let at = random.usize(..body.len());
                body[at] ^= 1 << random.u8(..8);
            }
            if number % 4 == 0 {
                random.fill(&mut body);
            }
            let head = crate::server::CHUNKED.replace("\r\n\r\n", "");
            connection
                .send(format!("{head}\r\nContent-Encoding: {encoding}\r\n\r\n"))
                .await;
            connection.chunk(body).await;
            connection.send("0\r\n\r\n").await;
        })
        .await;
        // An id may come out with a character that no header carries: that alone would be an end.
        let mut opened = 0;
        while opened < ANSWERS {
            let builder = get(&server.url("/")).client(client.clone());
            let mut source = builder.build().unwrap();
            while let Some(item) = next(&mut source).await {
                match item {
                    Ok(_) | Err(Error::LastEventId { .. }) => {}
                    Err(error) => panic!("{encoding}: {error}"),
                }
            }
            opened += usize::try_from(source.counters().opens).unwrap();
        }
        assert_eq!(opened, ANSWERS, "{encoding}");
    }
}
