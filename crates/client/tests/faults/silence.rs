//! Stalls, and servers that are gone without a word.

use std::time::Duration;

use tidewire_client::Cause;

use crate::{
    cause, event, get,
    server::{OPEN, Server},
};

const LIMIT: Duration = Duration::from_millis(400);

#[tokio::test]
async fn a_stream_that_stalls_is_left_and_goes_on_where_it_was() {
    let server = Server::start(|mut connection| async move {
        let next = connection.asked.last_event_id().parse().unwrap_or(0) + 1;
        connection.send(OPEN).await;
        connection.send(format!("id: {next}\ndata: {next}\n\nda")).await;
        connection.closed().await;
    })
    .await;
    let mut source = get(&server.url("/")).idle_timeout(LIMIT).build().unwrap();
    for number in 1..=3 {
        assert_eq!(event(&mut source).await, number.to_string());
        assert!(matches!(cause(&mut source).await, Cause::Silent(LIMIT)));
    }
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_is_left() {
    let mut server = Server::start(|mut connection| async move { connection.closed().await }).await;
    let mut source = get(&server.url("/")).head_timeout(LIMIT).build().unwrap();
    for _ in 0..2 {
        assert!(matches!(cause(&mut source).await, Cause::NoAnswer(LIMIT)));
        server.asked().await;
    }
}

#[tokio::test]
async fn heartbeats_keep_a_stream_and_do_not_count_as_progress() {
    let server = Server::start(|mut connection| async move {
        connection.send(OPEN).await;
        // Each is within the idle limit; all together take longer than that.
        for _ in 0..8 {
            tokio::time::sleep(LIMIT / 4).await;
            connection.send(":\n").await;
        }
        connection.send("data: still here\n\n").await;
        for _ in 0..1000 {
            tokio::time::sleep(LIMIT / 4).await;
            connection.send(":\n").await;
            if connection
                .socket
                .try_read(&mut [0; 8])
                .is_ok_and(|read| read == 0)
            {
                return;
            }
        }
    })
    .await;
    let mut source = get(&server.url("/"))
        .idle_timeout(LIMIT * 2)
        .progress_timeout(LIMIT * 4)
        .build()
        .unwrap();
    assert_eq!(event(&mut source).await, "still here");
    assert!(matches!(cause(&mut source).await, Cause::NoProgress(_)));
}

#[tokio::test]
async fn what_a_server_announces_is_kept_to() {
    let server = Server::start(|mut connection| async move {
        connection
            .send(OPEN.replace("Connection:", "Tidewire-Heartbeat: 0.1\r\nConnection:"))
            .await;
        connection.closed().await;
    })
    .await;
    let mut source = get(&server.url("/")).build().unwrap();
    let Cause::Silent(limit) = cause(&mut source).await else {
        panic!("it is silent");
    };
    assert_eq!(limit, Duration::from_millis(300));
}
