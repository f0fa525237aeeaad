//! Chains, loops, other origins.

use tidewire_client::{Error, EventSource, Method};

use crate::{
    end, event, get,
    server::{OPEN, Server},
    soon,
};

#[tokio::test]
async fn a_chain_of_redirects_is_followed_anew_by_each_attempt() {
    let mut server = Server::start(|mut connection| async move {
        let number: u32 = connection.asked.target[1..].parse().unwrap();
        if number < 10 {
            let status = [301, 302, 303, 307, 308][number as usize % 5];
            let location = format!("Location: /{}\r\n", number + 1);
            connection.answer(status, &location, "moved").await;
        } else {
            let id = connection.asked.last_event_id().len() + 1;
            connection.send(OPEN).await;
            connection
                .send(format!("id: {}\ndata: {id}\n\n", "x".repeat(id)))
                .await;
        }
    })
    .await;
    let mut source = get(&server.url("/0")).build().unwrap();
    assert_eq!(event(&mut source).await, "1");
    assert_eq!(event(&mut source).await, "2");
    for round in 0..2 {
        for number in 0..=10 {
            let asked = server.asked().await;
            assert_eq!(asked.target, format!("/{number}"));
            assert_eq!(asked.last_event_id().len(), round);
        }
    }
}

#[tokio::test]
async fn a_loop_ends_with_an_error() {
    let mut server = Server::start(|mut connection| async move {
        connection.answer(307, "Location: /\r\n", "").await;
    })
    .await;
    let mut source = get(&server.url("/")).build().unwrap();
    assert!(matches!(
        end(&mut source).await,
        Error::TooManyRedirects { max: 20, .. }
    ));
    for _ in 0..21 {
        server.asked().await;
    }
    assert_eq!(server.waiting(), 0);
}

#[tokio::test]
async fn another_origin_gets_the_body_and_the_id_but_no_credentials() {
    let mut there = Server::start(|mut connection| async move {
        connection.send(OPEN).await;
        connection.send("data: there\n\n").await;
        connection.closed().await;
    })
    .await;
    let location = format!("Location: {}\r\n", there.url("/there"));
    let mut here = Server::start(move |mut connection| {
        let location = location.clone();
        async move { connection.answer(307, &location, "").await }
    })
    .await;
    let url = here.url("/here").replace("://", "://user:pass@");
    let mut source = EventSource::request(Method::POST, url)
        .retry(soon())
        .header("cookie", "session=1")
        .header("proxy-authorization", "Basic x")
        .header("x-api-key", "secret")
        .last_event_id("7")
        .json(&["body"])
        .build()
        .unwrap();
    assert_eq!(event(&mut source).await, "there");
    let asked = here.asked().await;
    assert_eq!(asked.header("authorization"), Some("Basic dXNlcjpwYXNz"));
    assert_eq!(asked.header("x-api-key"), Some("secret"));
    let asked = there.asked().await;
    for name in ["authorization", "cookie", "proxy-authorization", "x-api-key"] {
        assert_eq!(asked.header(name), None, "{name}");
    }
    assert_eq!(asked.header("content-type"), Some("application/json"));
    assert_eq!(
        (asked.method.as_str(), &*asked.body),
        ("POST", &b"[\"body\"]"[..])
    );
    assert_eq!(asked.last_event_id(), "7");
}
