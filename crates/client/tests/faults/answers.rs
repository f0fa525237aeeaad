//! Every status, wrong media types, heads that are slow, endless or no HTTP.

use std::time::Duration;

use tidewire_client::{Cause, Error, Item};

use crate::{
    cause, client, end, event, get, next,
    server::{OPEN, Server},
};

#[tokio::test]
async fn every_status_leads_where_it_should() {
    let server = Server::start(|mut connection| async move {
        let status: u16 = connection.asked.target[1..].parse().unwrap();
        let body = if matches!(status, 204 | 304) {
            ""
        } else {
            "because"
        };
        connection
            .answer(status, "Content-Type: text/event-stream\r\nX-Why: test\r\n", body)
            .await;
    })
    .await;
    let client = client();
    for status in 200..600 {
        let url = server.url(&format!("/{status}"));
        let mut source = get(&url).client(client.clone()).build().unwrap();
        match status {
            200..=203 | 207..=299 => {
                assert!(matches!(next(&mut source).await, Some(Ok(Item::Open(_)))));
                assert!(matches!(cause(&mut source).await, Cause::Ended));
            }
            204 => assert!(next(&mut source).await.is_none()),
            301 | 302 | 303 | 307 | 308 => {
                assert!(
                    matches!(end(&mut source).await, Error::Redirect { .. }),
                    "{status}"
                );
            }
            408 | 425 | 429 | 500 | 502..=504 | 506.. => {
                let Cause::Status(refusal) = cause(&mut source).await else {
                    panic!("{status}");
                };
                assert_eq!((refusal.status.as_u16(), &*refusal.text()), (status, "because"));
            }
            _ => {
                let Error::Status(refusal) = end(&mut source).await else {
                    panic!("{status}");
                };
                assert_eq!(refusal.status.as_u16(), status);
                assert_eq!(refusal.headers["x-why"], "test");
                assert_eq!(refusal.text(), if status == 304 { "" } else { "because" });
            }
        }
    }
}

#[tokio::test]
async fn retry_after_is_waited_for() {
    let server = Server::start(|mut connection| async move {
        match connection.asked.number {
            0 => connection.answer(503, "Retry-After: 1\r\n", "later").await,
            _ => {
                connection.send(OPEN).await;
                connection.send("data: now\n\n").await;
                connection.closed().await;
            }
        }
    })
    .await;
    let mut source = get(&server.url("/")).build().unwrap();
    let Some(Ok(Item::Reconnecting(again))) = next(&mut source).await else {
        panic!("it comes again");
    };
    assert!(again.delay >= Duration::from_secs(1), "{:?}", again.delay);
    assert_eq!(event(&mut source).await, "now");
}

#[tokio::test]
async fn a_page_instead_of_a_stream_is_shown_and_not_asked_for_again() {
    let mut server = Server::start(|mut connection| async move {
        let kind = "Content-Type: text/html\r\n";
        connection
            .answer(200, kind, "<h1>Log in to the network</h1>")
            .await;
    })
    .await;
    let mut source = get(&server.url("/events?token=secret")).build().unwrap();
    let error = end(&mut source).await;
    assert!(matches!(error, Error::ContentType(_)));
    let text = error.to_string();
    assert!(
        text.contains("text/html") && text.contains("Log in to the network"),
        "{text}"
    );
    assert!(!text.contains("secret"), "queries may hold keys: {text}");
    server.asked().await;
    assert_eq!(server.waiting(), 0);
}

#[tokio::test]
async fn an_error_without_end_is_not_read_without_end() {
    let server = Server::start(|mut connection| async move {
        connection
            .send("HTTP/1.1 400 Bad\r\nConnection: close\r\n\r\n")
            .await;
        for _ in 0..1000 {
            connection.send("x".repeat(1000)).await;
        }
        connection.closed().await;
    })
    .await;
    let mut source = get(&server.url("/")).build().unwrap();
    let Error::Status(refusal) = end(&mut source).await else {
        panic!("a status");
    };
    assert_eq!(refusal.body.len(), tidewire_client::Refusal::MAX_BODY);
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_and_too_slowly_is_given_up() {
    let server = Server::start(|mut connection| async move {
        for byte in OPEN.bytes().cycle() {
            connection.send([byte]).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
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
    let limit = Duration::from_millis(300);
    let mut source = get(&server.url("/")).head_timeout(limit).build().unwrap();
    for _ in 0..2 {
        assert!(matches!(cause(&mut source).await, Cause::NoAnswer(waited) if waited == limit));
    }
}

#[tokio::test]
async fn a_head_without_end_is_given_up() {
    let server = Server::start(|mut connection| async move {
        connection.send("HTTP/1.1 200 OK\r\n").await;
        // Ten times what any client takes.
        for number in 0..100_000 {
            connection
                .send(format!("X-{number}: {}\r\n", "x".repeat(100)))
                .await;
            if connection
                .socket
                .try_read(&mut [0; 8])
                .is_ok_and(|read| read == 0)
            {
                return;
            }
        }
        connection.closed().await;
    })
    .await;
    let mut source = get(&server.url("/")).build().unwrap();
    assert!(matches!(cause(&mut source).await, Cause::Unreachable(_)));
}

#[tokio::test]
async fn what_is_no_http_or_nobody_at_all_is_tried_again() {
    for garbage in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "\0\0\0\0",
        "HTTP/9.9 200 OK\r\n\r\n",
        "",
    ] {
        let server = Server::start(move |mut connection| async move {
            connection.send(garbage).await;
        })
        .await;
        let mut source = get(&server.url("/")).build().unwrap();
        for _ in 0..2 {
            assert!(
                matches!(cause(&mut source).await, Cause::Unreachable(_)),
                "{garbage:?}"
            );
        }
    }
    let nobody = Server::start(|_| async {}).await.url("/");
    let mut source = get(&nobody).build().unwrap();
    for _ in 0..2 {
        let Cause::Unreachable(_) = cause(&mut source).await else {
            panic!("nobody listens");
        };
    }
}

#[tokio::test]
async fn heads_that_only_announce_another_one_are_passed_over() {
    let server = Server::start(|mut connection| async move {
        connection
            .send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nContent-Type: text/html\r\n\r\n")
            .await;
        connection.send(OPEN).await;
        connection.send("data: x\n\n").await;
    })
    .await;
    assert_eq!(event(&mut get(&server.url("/")).build().unwrap()).await, "x");
}

#[tokio::test]
async fn tls_to_a_server_without_it_is_an_attempt_in_vain() {
    let server = Server::start(|mut connection| async move { connection.send(OPEN).await }).await;
    let url = server.url("/").replace("http:", "https:");
    let mut source = get(&url).build().unwrap();
    // The server waits for the end of a head, so that somebody has to give up first.
    drop(server);
    assert!(matches!(cause(&mut source).await, Cause::Unreachable(_)));
}
