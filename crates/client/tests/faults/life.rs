//! Close, restart and drop: what is left behind, which is nothing.

use std::time::Duration;

use futures_util::StreamExt as _;
use tidewire_client::{Cause, Item, ReadyState};
use tokio::sync::mpsc;

use crate::{
    PATIENCE, event, get, next,
    server::{OPEN, Server},
};

/// A server that sends one event, and tells when its client has gone.
async fn watchful() -> (Server, mpsc::Receiver<usize>) {
    let (tell, gone) = mpsc::channel(100);
    let server = Server::start(move |mut connection| {
        let tell = tell.clone();
        async move {
            let number = connection.asked.number;
            connection.send(OPEN).await;
            connection.send(format!("id: {number}\ndata: {number}\n\n")).await;
            connection.closed().await;
            let _ = tell.send(number).await;
        }
    })
    .await;
    (server, gone)
}

async fn has_gone(gone: &mut mpsc::Receiver<usize>) -> usize {
    tokio::time::timeout(PATIENCE, gone.recv())
        .await
        .expect("it is still there")
        .unwrap()
}

#[tokio::test]
async fn nothing_is_sent_before_it_is_polled() {
    let mut server = Server::start(|mut connection| async move { connection.send(OPEN).await }).await;
    let mut source = get(&server.url("/")).build().unwrap();
    assert_eq!(source.ready_state(), ReadyState::Connecting);
    tokio::task::yield_now().await;
    assert_eq!(server.waiting(), 0);
    next(&mut source).await;
    server.asked().await;
}

#[tokio::test]
async fn a_dropped_source_closes_its_connection_at_once() {
    let (server, mut gone) = watchful().await;
    let mut source = get(&server.url("/")).build().unwrap();
    event(&mut source).await;
    drop(source);
    assert_eq!(has_gone(&mut gone).await, 0);
}

#[tokio::test]
async fn a_closed_source_closes_its_connection_at_once_and_yields_nothing_more() {
    let (server, mut gone) = watchful().await;
    let mut source = get(&server.url("/")).build().unwrap();
    event(&mut source).await;
    source.close();
    assert_eq!(source.ready_state(), ReadyState::Closed);
    assert_eq!(has_gone(&mut gone).await, 0);
    assert!(next(&mut source).await.is_none());
    source.restart();
    assert!(next(&mut source).await.is_none());
    assert_eq!(
        source.last_event_id(),
        "0",
        "it can be stored, and begun with another time"
    );
}

#[tokio::test]
async fn a_restart_leaves_the_connection_and_makes_another() {
    let (server, mut gone) = watchful().await;
    let mut source = get(&server.url("/")).build().unwrap();
    assert_eq!(event(&mut source).await, "0");
    source.restart();
    assert_eq!(has_gone(&mut gone).await, 0);
    assert!(
        matches!(next(&mut source).await, Some(Ok(Item::Reconnecting(again)))
        if matches!(again.cause, Cause::Restarted))
    );
    assert!(matches!(next(&mut source).await, Some(Ok(Item::Open(_)))));
    assert_eq!(source.ready_state(), ReadyState::Open);
    assert_eq!(event(&mut source).await, "1");
}

#[tokio::test]
async fn a_source_that_waits_can_be_restarted_and_closed() {
    let nobody = Server::start(|_| async {}).await.url("/");
    let hours = tidewire_client::Retry {
        floor: Duration::from_secs(3600),
        base: Duration::from_secs(3600),
        ..tidewire_client::Retry::default()
    };
    let mut source = get(&nobody).retry(hours).build().unwrap();
    assert!(matches!(next(&mut source).await, Some(Ok(Item::Reconnecting(_)))));
    source.restart();
    for _ in 0..2 {
        assert!(matches!(next(&mut source).await, Some(Ok(Item::Reconnecting(_)))));
    }
    assert!(futures_util::poll!(source.next()).is_pending());
    source.close();
    assert!(next(&mut source).await.is_none());
}

#[tokio::test]
async fn a_poll_that_is_given_up_loses_nothing() {
    let server = Server::start(|mut connection| async move {
        connection.send(OPEN).await;
        for number in 0..500 {
            connection.send(format!("data: {number}\n\n")).await;
            tokio::task::yield_now().await;
        }
        connection.closed().await;
    })
    .await;
    let mut source = get(&server.url("/")).build().unwrap();
    let mut seen = 0;
    while seen < 500 {
        tokio::select! {
            biased;
            item = source.next() => {
                if let Item::Event(event) = item.unwrap().unwrap() {
                    assert_eq!(event.data, seen.to_string());
                    seen += 1;
                }
            }
            () = tokio::task::yield_now() => {}
        }
    }
}

#[tokio::test]
async fn whichever_task_polled_last_is_woken() {
    let (say, said) = mpsc::channel(1);
    let said = std::sync::Arc::new(tokio::sync::Mutex::new(said));
    let server = Server::start(move |mut connection| {
        let said = std::sync::Arc::clone(&said);
        async move {
            connection.send(OPEN).await;
            while let Some(()) = said.lock().await.recv().await {
                connection.send("data: now\n\n").await;
            }
        }
    })
    .await;
    let mut source = get(&server.url("/")).build().unwrap();
    assert!(matches!(next(&mut source).await, Some(Ok(Item::Open(_)))));
    for _ in 0..3 {
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move {
            assert!(futures_util::poll!(source.next()).is_pending());
            (source, String::new())
        });
        let (mut back, _) = tasks.join_next().await.unwrap().unwrap();
        tasks.spawn(async move {
            let data = event(&mut back).await;
            (back, data)
        });
        tokio::task::yield_now().await;
        say.send(()).await.unwrap();
        let (back, data) = tasks.join_next().await.unwrap().unwrap();
        assert_eq!(data, "now");
        source = back;
    }
}

#[tokio::test]
async fn a_body_that_is_never_out_of_bytes_lets_others_run() {
    use bytes::Bytes;
    use tidewire_client::http::{Request, Response};

    // Faster than any reader, and nothing in it is an item.
    let service = tower::service_fn(|_: Request<Bytes>| async {
        let comments = std::iter::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(b":\n\n")));
        let body = http_body_util::StreamBody::new(
            futures_util::stream::iter(comments.take(1_000_000))
                .map(|bytes| bytes.map(hyper::body::Frame::data)),
        );
        let response = Response::builder().header("content-type", "text/event-stream");
        Ok::<_, std::convert::Infallible>(response.body(body).unwrap())
    });
    let mut source = get("http://in-process/").service(service).build().unwrap();
    assert!(matches!(next(&mut source).await, Some(Ok(Item::Open(_)))));
    let begun = source.counters().bytes;
    tokio::select! {
        biased;
        item = source.next() => panic!("{item:?}"),
        () = tokio::task::yield_now() => {}
    }
    assert!(source.counters().bytes > begun, "it has read something meanwhile");
}

#[test]
fn no_task_outlives_its_source() {
    let servers = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (server, mut gone) = servers.block_on(watchful());
    let clients = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    clients.block_on(async {
        let mut source = get(&server.url("/")).build().unwrap();
        event(&mut source).await;
        source.restart();
        assert_eq!(event(&mut source).await, "1");
        drop(source);
    });
    // What hyper had to do is done within a few turns of the runtime.
    clients.block_on(async {
        tokio::time::timeout(PATIENCE, async {
            while tokio::runtime::Handle::current().metrics().num_alive_tasks() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .expect("a task is left");
    });
    for _ in 0..2 {
        servers.block_on(has_gone(&mut gone));
    }
}
