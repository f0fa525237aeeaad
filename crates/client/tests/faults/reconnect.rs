//! Nothing is lost or repeated, however streams break.

use crate::{
    event, get, next,
    server::{CHUNKED, OPEN, Server},
};

/// What a client that has `last_event_id` is to get of a stream whose ids count from 1.
fn from(last_event_id: &str) -> u32 {
    last_event_id.parse::<u32>().unwrap_or(0) + 1
}

#[tokio::test]
async fn a_stream_that_was_cut_goes_on_after_the_last_event() {
    let mut server = Server::start(|mut connection| async move {
        let number = from(connection.asked.last_event_id());
        connection.send(OPEN).await;
        connection
            .send(format!(
                "id: {number}\ndata: event {number}\n\nid: 999\ndata: unfini"
            ))
            .await;
    })
    .await;
    let mut source = get(&server.url("/events")).build().unwrap();
    for number in 1..=3 {
        assert_eq!(event(&mut source).await, format!("event {number}"));
        assert_eq!(source.last_event_id(), number.to_string());
    }
    let asked = server.asked().await;
    assert_eq!((asked.method.as_str(), asked.target.as_str()), ("GET", "/events"));
    assert_eq!(asked.all("last-event-id"), [""; 0]);
    assert_eq!(server.asked().await.last_event_id(), "1");
    assert_eq!(server.asked().await.last_event_id(), "2");
}

#[tokio::test]
async fn ten_thousand_events_over_a_hundred_reconnects_come_once_each() {
    const EVENTS: u32 = 10_000;
    let server = Server::start(|mut connection| async move {
        let first = from(connection.asked.last_event_id());
        let number = connection.asked.number;
        connection.send(CHUNKED).await;
        // Every connection breaks at another byte, in another way.
        let last = (first + 105).min(EVENTS);
        let mut body = String::new();
        for number in first..=last {
            body.push_str(&format!(
                "id: {number}\ndata: {number} {}\n\n",
                "x".repeat(number as usize % 300)
            ));
        }
        let body = body.as_bytes();
        let cut = if last == EVENTS {
            body.len()
        } else {
            body.len() - number % 97
        };
        for piece in body[..cut].chunks(1 + number * 37 % 5000) {
            connection.chunk(piece).await;
        }
        match number % 3 {
            _ if last == EVENTS => connection.closed().await,
            0 => connection.reset(),
            1 => connection.send("0\r\n\r\n").await,
            _ => {}
        }
    })
    .await;
    let mut source = get(&server.url("/")).build().unwrap();
    for number in 1..=EVENTS {
        let event = event(&mut source).await;
        assert_eq!(event.split(' ').next(), Some(&*number.to_string()));
    }
    let counters = source.counters();
    assert_eq!(counters.events, u64::from(EVENTS));
    assert!(counters.opens > 95, "{counters:?}");
}

#[tokio::test]
async fn no_content_is_the_end() {
    let mut server = Server::start(|mut connection| async move {
        match connection.asked.number {
            0 => {
                connection.send(OPEN).await;
                connection.send("id: 1\ndata: only\n\n").await;
            }
            _ => connection.answer(204, "", "").await,
        }
    })
    .await;
    let mut source = get(&server.url("/")).build().unwrap();
    assert_eq!(event(&mut source).await, "only");
    assert!(next(&mut source).await.is_some(), "it comes again");
    assert!(next(&mut source).await.is_none());
    assert!(next(&mut source).await.is_none());
    server.asked().await;
    server.asked().await;
    assert_eq!(server.waiting(), 0);
}

#[tokio::test]
async fn each_stream_may_begin_with_a_byte_order_mark() {
    let server = Server::start(|mut connection| async move {
        let number = from(connection.asked.last_event_id());
        connection.send(OPEN).await;
        // The first stream ends within a character, which is not the mark's beginning of the next one.
        connection
            .send(format!("\u{feff}id: {number}\ndata: \u{feff}{number}\n\n"))
            .await;
        connection.send(b"data: \xEF\xBB").await;
    })
    .await;
    let mut source = get(&server.url("/")).build().unwrap();
    for number in 1..=3 {
        assert_eq!(event(&mut source).await, format!("\u{feff}{number}"));
    }
}
