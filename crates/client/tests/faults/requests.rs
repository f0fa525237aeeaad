//! Bodies, fresh headers, proxies, other transports, HTTP/2.

use std::{
    convert::Infallible,
    net::SocketAddr,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::{body::Frame, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tidewire_client::{
    Cause, Error, EventSource, HeaderMap, HeaderValue, Method, Repeat,
    http::{self, Request, Response},
};
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};

use crate::{
    cause, client, end, event, get, next,
    server::{CHUNKED, OPEN, Server},
    soon,
};

#[tokio::test]
async fn any_method_carries_its_body_again_when_it_comes_back() {
    let mut server = Server::start(|mut connection| async move {
        connection.send(OPEN).await;
        connection.send("data: x\n\n").await;
    })
    .await;
    for method in ["POST", "PUT", "QUERY", "REPORT"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut source = EventSource::request(method.clone(), server.url("/ask"))
            .retry(soon())
            .repeat(Repeat::Always)
            .json(&serde_json::json!({ "prompt": "é" }))
            .build()
            .unwrap();
        for _ in 0..2 {
            assert_eq!(event(&mut source).await, "x");
            let asked = server.asked().await;
            assert_eq!(asked.method, method.as_str());
            assert_eq!(asked.header("content-type"), Some("application/json"));
            assert_eq!(asked.body, "{\"prompt\":\"é\"}".as_bytes());
        }
    }
}

#[tokio::test]
async fn a_get_has_no_body_and_says_what_it_takes() {
    let mut server = Server::start(|mut connection| async move { connection.send(OPEN).await }).await;
    let mut source = get(&server.url("/a?b=c#d")).build().unwrap();
    next(&mut source).await;
    let asked = server.asked().await;
    assert_eq!(asked.target, "/a?b=c");
    assert_eq!(asked.all("accept"), ["text/event-stream"]);
    assert_eq!(asked.all("cache-control"), ["no-cache", "no-store"]);
    assert_eq!(asked.all("accept-encoding"), ["gzip, br, zstd"]);
    for absent in [
        "content-length",
        "content-type",
        "transfer-encoding",
        "last-event-id",
    ] {
        assert_eq!(asked.header(absent), None, "{absent}");
    }
}

#[tokio::test]
async fn a_post_that_was_cut_is_not_sent_twice() {
    let mut server = Server::start(|mut connection| async move {
        connection.send(CHUNKED).await;
        connection.chunk("data: Hel\n\n").await;
    })
    .await;
    let mut source = EventSource::request(Method::POST, server.url("/"))
        .retry(soon())
        .body("hi")
        .build()
        .unwrap();
    assert_eq!(event(&mut source).await, "Hel");
    assert!(matches!(end(&mut source).await, Error::NotRepeatable { .. }));
    server.asked().await;
    assert_eq!(server.waiting(), 0);
}

#[tokio::test]
async fn headers_are_made_anew_for_each_attempt() {
    let mut server = Server::start(|mut connection| async move {
        connection.send(OPEN).await;
        connection.send("data: x\n\n").await;
    })
    .await;
    let made = Arc::new(AtomicU32::new(0));
    let mut source = get(&server.url("/"))
        .bearer("stale")
        .header("x-static", "kept")
        .headers_with(move || {
            let number = made.fetch_add(1, Ordering::Relaxed);
            async move {
                tokio::task::yield_now().await;
                // The second token cannot be had.
                if number == 1 {
                    return Err("the token server is away");
                }
                let value = HeaderValue::try_from(format!("Bearer {number}")).unwrap();
                Ok(HeaderMap::from_iter([(http::header::AUTHORIZATION, value)]))
            }
        })
        .build()
        .unwrap();
    assert_eq!(event(&mut source).await, "x");
    assert!(matches!(cause(&mut source).await, Cause::Ended));
    assert!(matches!(cause(&mut source).await, Cause::Headers(_)));
    assert_eq!(event(&mut source).await, "x");
    for token in ["Bearer 0", "Bearer 2"] {
        let asked = server.asked().await;
        assert_eq!(asked.all("authorization"), [token]);
        assert_eq!(asked.all("x-static"), ["kept"]);
    }
}

#[test]
fn what_cannot_be_asked_is_told_by_build() {
    for url in ["", "nowhere", "ftp://host/", "http://", "/path"] {
        let error = EventSource::get(url).build().unwrap_err();
        assert!(matches!(error, Error::Request { .. }), "{url}: {error}");
    }
    let url = "http://127.0.0.1/";
    for builder in [
        EventSource::get(url).header("a b", "c"),
        EventSource::get(url).header("a", "b\nc"),
        EventSource::get(url).bearer("a\nb"),
        EventSource::get(url).last_event_id("a\nb"),
        EventSource::get(url).json(&std::collections::HashMap::from([((1, 2), 3)])),
    ] {
        let error = builder.build().unwrap_err();
        assert!(matches!(error, Error::Request { .. }), "{error}");
    }
}

#[test]
fn what_is_shown_of_a_builder_holds_no_secret() {
    let builder = EventSource::request(Method::POST, "https://me:secret@a.example/chat?key=secret")
        .header("x-api-key", "secret")
        .body("secret");
    let shown = format!("{builder:?}");
    assert!(
        shown.contains("POST") && shown.contains("https://a.example/chat"),
        "{shown}"
    );
    assert!(!shown.contains("secret"), "{shown}");
}

#[tokio::test]
async fn any_tower_service_is_a_transport() {
    let service = tower::service_fn(|request: Request<Full<Bytes>>| async move {
        let id = request.headers().get("last-event-id").cloned();
        let id = id.map_or(0, |id| id.to_str().unwrap().parse::<u32>().unwrap()) + 1;
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let text = format!("id: {id}\ndata: {id} {}\n\n", String::from_utf8_lossy(&body));
        let mut response = Response::new(Full::new(Bytes::from(text)));
        let kind = HeaderValue::from_static("text/event-stream");
        response.headers_mut().insert("content-type", kind);
        Ok::<_, Infallible>(response)
    });
    let query = Method::from_bytes(b"QUERY").unwrap();
    let mut source = EventSource::request(query, "http://in-process/")
        .retry(soon())
        .body("hi")
        .service(service)
        .build()
        .unwrap();
    assert_eq!(event(&mut source).await, "1 hi");
    assert_eq!(event(&mut source).await, "2 hi");
}

#[tokio::test]
async fn a_client_of_the_callers_is_a_transport() {
    let mut server = Server::start(|mut connection| async move {
        connection.send(OPEN).await;
        connection.send("data: x\n\n").await;
    })
    .await;
    drop(client());
    let client = reqwest::Client::builder()
        .user_agent("mine/1")
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let mut source = get(&server.url("/")).client(client).build().unwrap();
    assert_eq!(event(&mut source).await, "x");
    assert_eq!(server.asked().await.header("user-agent"), Some("mine/1"));
}

/// Set in the process that is to find a proxy in its environment.
const BEHIND_A_PROXY: &str = "TIDEWIRE_TEST_BEHIND_A_PROXY";

#[tokio::test]
async fn a_proxy_is_taken_from_the_environment() {
    if std::env::var_os(BEHIND_A_PROXY).is_some() {
        let mut source = get("http://events.invalid/news").build().unwrap();
        assert_eq!(event(&mut source).await, "by proxy");
        return;
    }
    let mut proxy = Server::start(|mut connection| async move {
        connection.send(OPEN).await;
        connection.send("data: by proxy\n\n").await;
        connection.closed().await;
    })
    .await;
    // A process of its own: the environment belongs to all tests of this one.
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "requests::a_proxy_is_taken_from_the_environment"])
        .env(BEHIND_A_PROXY, "1")
        .env("http_proxy", proxy.url("/"))
        .env_remove("no_proxy")
        .env_remove("NO_PROXY");
    let output = tokio::task::spawn_blocking(move || child.output())
        .await
        .unwrap()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    assert_eq!(proxy.asked().await.target, "http://events.invalid/news");
}

/// An HTTP/2 server on one connection, whose streams are what the test sends.
async fn http2(
    pieces: mpsc::Receiver<Result<Bytes, std::io::Error>>,
) -> (SocketAddr, mpsc::Receiver<String>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let pieces = Arc::new(tokio::sync::Mutex::new(pieces));
    let (tell, asked) = mpsc::channel(100);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        // No second one: what comes back has to come over the same connection.
        drop(listener);
        let service = service_fn(move |request: Request<hyper::body::Incoming>| {
            let (pieces, tell) = (Arc::clone(&pieces), tell.clone());
            async move {
                let id = request.headers().get("last-event-id");
                let id = id.map_or("", |id| id.to_str().unwrap());
                let _ = tell.send(format!("{:?} {id}", request.version())).await;
                let stream = futures_util::stream::unfold(pieces, |pieces| async {
                    let piece = pieces.lock().await.recv().await?;
                    Some((piece.map(Frame::data), pieces))
                });
                let mut response = Response::new(StreamBody::new(Box::pin(stream)));
                let kind = HeaderValue::from_static("text/event-stream");
                response.headers_mut().insert("content-type", kind);
                Ok::<_, Infallible>(response)
            }
        });
        let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(socket), service)
            .await;
    });
    (address, asked, tasks)
}

#[tokio::test]
async fn http_2_streams_are_read_cut_and_opened_again_over_one_connection() {
    let (send, pieces) = mpsc::channel(10);
    let (address, mut asked, _tasks) = http2(pieces).await;
    let url = format!("http://{address}/");
    drop(client());
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .no_proxy()
        .build()
        .unwrap();
    let mut source = get(&url).client(client).build().unwrap();
    send.send(Ok("id: 1\ndata: one\n\n".into())).await.unwrap();
    assert_eq!(event(&mut source).await, "one");
    send.send(Err(std::io::Error::other("reset"))).await.unwrap();
    assert!(matches!(cause(&mut source).await, Cause::Cut(_)));
    send.send(Ok("id: 2\ndata: two\n\n".into())).await.unwrap();
    assert_eq!(event(&mut source).await, "two");
    assert_eq!(asked.recv().await.unwrap(), "HTTP/2.0 ");
    assert_eq!(asked.recv().await.unwrap(), "HTTP/2.0 1");
}

#[tokio::test]
async fn an_http_2_server_that_goes_away_finishes_its_streams_and_is_asked_again_by_a_new_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (send, pieces) = mpsc::channel::<Bytes>(10);
    let pieces = Arc::new(tokio::sync::Mutex::new(pieces));
    let (go, mut going) = mpsc::channel::<()>(1);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let pieces = Arc::clone(&pieces);
            let service = service_fn(move |_: Request<hyper::body::Incoming>| {
                // An empty piece is the end of the stream.
                let stream = futures_util::stream::unfold(Arc::clone(&pieces), |pieces| async {
                    let piece = pieces.lock().await.recv().await?;
                    let frame = (!piece.is_empty()).then(|| Ok::<_, Infallible>(Frame::data(piece)));
                    frame.map(|frame| (frame, pieces))
                });
                let mut response = Response::new(StreamBody::new(Box::pin(stream)));
                let kind = HeaderValue::from_static("text/event-stream");
                response.headers_mut().insert("content-type", kind);
                async { Ok::<_, Infallible>(response) }
            });
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let mut connection = std::pin::pin!(server.serve_connection(TokioIo::new(socket), service));
            tokio::select! {
                _ = connection.as_mut() => continue,
                Some(()) = going.recv() => connection.as_mut().graceful_shutdown(),
            }
            let _ = connection.await;
        }
    });
    drop(client());
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .no_proxy()
        .build()
        .unwrap();
    let mut source = get(&url).client(client).build().unwrap();
    for _ in 0..3 {
        send.send("data: before\n\n".into()).await.unwrap();
        assert_eq!(event(&mut source).await, "before");
        go.send(()).await.unwrap();
        send.send("data: after\n\n".into()).await.unwrap();
        assert_eq!(event(&mut source).await, "after");
        send.send(Bytes::new()).await.unwrap();
        assert!(matches!(cause(&mut source).await, Cause::Ended));
    }
}
