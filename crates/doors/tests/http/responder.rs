//! S2, S5: `Sse`, any stream of events as a response.

use std::{
    convert::Infallible,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::Duration,
};

use axum::{Router, routing};
use futures_core::Stream;
use futures_util::{StreamExt as _, stream};
use tidewire_codec::{Event, EventId, EventName};
use tidewire_doors::Sse;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use crate::{
    client::{End, PATIENCE, Reader, eventually, request},
    server::Server,
};

/// One event with all fields, then the end.
async fn finite() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let named = Event::new("{\"n\":1}")
        .with_name(EventName::new("tick").unwrap())
        .with_id(EventId::new("1").unwrap())
        .with_retry(3000);
    Sse::new(stream::iter([Ok(named), Ok(Event::new("two\nlines"))]))
        .retry(Duration::from_millis(1500))
        .end(Event::new("").with_name(EventName::new("end").unwrap()))
}

#[test]
fn s2_a_finite_stream_has_its_head_its_events_and_its_end() {
    let server = Server::start(Router::new().route("/", routing::get(finite)));
    let mut reader = server.get("/", &[]);
    let mut headers = reader.head.headers.clone();
    headers.retain(|(name, _)| name != "date");
    headers.sort();
    let wanted = [
        ("cache-control", "no-cache, no-transform"),
        ("connection", "keep-alive"),
        ("content-type", "text/event-stream; charset=utf-8"),
        ("tidewire-heartbeat", "15"),
        ("transfer-encoding", "chunked"),
        ("x-accel-buffering", "no"),
    ];
    assert_eq!(headers, wanted.map(|(name, value)| (name.into(), value.into())));
    reader.expect_retry(1500);
    reader.expect("id: 1\nevent: tick\nretry: 3000\ndata: {\"n\":1}\n\n");
    reader.expect("data: two\ndata: lines\n\n");
    reader.expect("event: end\ndata: \n\n");
    reader.finished();
}

#[test]
fn s1_the_head_goes_out_before_any_event() {
    let silent = || async { Sse::new(stream::pending::<Result<Event, Infallible>>()) };
    let server = Server::start(Router::new().route("/", routing::get(silent)));
    assert_eq!(server.get("/", &[]).head.status, 200);
}

#[test]
fn s2_an_error_cuts_the_body_without_the_end_event() {
    let failing = || async {
        let events = [Ok(Event::new("1")), Err(io::Error::other("lost"))];
        Sse::new(stream::iter(events)).end(Event::new("end"))
    };
    let server = Server::start(Router::new().route("/", routing::get(failing)));
    assert_eq!(server.get("/", &[]).rest(), ("data: 1\n\n".into(), End::Cut));
}

/// Says when it is dropped.
struct Dropped(SyncSender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

/// One event, then silence; the receiver hears when the stream is dropped.
fn one_then_silence() -> (Router, Receiver<()>) {
    let (dropped, heard) = sync_channel(1);
    let handler = move || {
        let guard = Dropped(dropped.clone());
        async move {
            let events = stream::iter([Ok::<_, Infallible>(Event::new("1"))]).chain(stream::pending());
            Sse::new(events.inspect(move |_| {
                let _ = &guard;
            }))
        }
    };
    (Router::new().route("/", routing::any(handler)), heard)
}

#[test]
fn s5_the_producer_stops_when_the_client_goes_also_while_it_is_silent() {
    let (router, heard) = one_then_silence();
    let server = Server::start(router);
    let mut reader = server.get("/", &[]);
    reader.expect("data: 1\n\n");
    assert!(heard.try_recv().is_err(), "the client is still there");
    drop(reader);
    heard.recv_timeout(PATIENCE).expect("the stream is dropped");
}

#[test]
fn s5_a_client_that_sent_a_body_nobody_read_is_missed_too() {
    let (router, heard) = one_then_silence();
    let server = Server::start(router);
    let mut client = server.connect();
    client.send(request("POST", "/", &[], "a body"));
    let mut reader = client.reader();
    reader.expect("data: 1\n\n");
    drop(reader);
    heard.recv_timeout(PATIENCE).expect("the stream is dropped");
}

/// A step of a stream a permit of the notify.
fn steps(go: Arc<Notify>, done: Arc<AtomicUsize>) -> impl Stream<Item = Result<Event, io::Error>> {
    stream::unfold(0, move |number| {
        let (go, done) = (Arc::clone(&go), Arc::clone(&done));
        async move {
            go.notified().await;
            done.fetch_add(1, Ordering::SeqCst);
            (number < 5).then(|| (Ok(Event::new(number.to_string())), number + 1))
        }
    })
}

#[test]
fn s5_a_detached_stream_runs_to_its_end_without_its_client() {
    let (go, done, tracker) = (
        Arc::new(Notify::new()),
        Arc::new(AtomicUsize::new(0)),
        TaskTracker::new(),
    );
    let handler = {
        let (go, done, tracker) = (Arc::clone(&go), Arc::clone(&done), tracker.clone());
        move || async move { Sse::new(steps(go, done)).finish_in(tracker) }
    };
    let server = Server::start(Router::new().route("/", routing::get(handler)));
    let mut reader = server.get("/", &[]);
    go.notify_one();
    assert_eq!(reader.data(), "0");
    assert_eq!(
        tracker.len(),
        0,
        "while the client is there, it drives the stream"
    );
    drop(reader);
    eventually(|| tracker.len() == 1);
    while done.load(Ordering::SeqCst) < 6 {
        go.notify_one();
    }
    tracker.close();
    server.block_on(async { tokio::time::timeout(PATIENCE, tracker.wait()).await.unwrap() });
}

#[test]
fn s5_a_stream_that_failed_is_not_run_on() {
    let polled = Arc::new(AtomicUsize::new(0));
    let tracker = TaskTracker::new();
    let handler = {
        let (polled, tracker) = (Arc::clone(&polled), tracker.clone());
        move || async move {
            let events = stream::iter([Err(io::Error::other("lost")), Ok(Event::new("never asked for"))]);
            let counted = events.inspect(move |_| {
                polled.fetch_add(1, Ordering::SeqCst);
            });
            Sse::new(counted).finish_in(tracker)
        }
    };
    let server = Server::start(Router::new().route("/", routing::get(handler)));
    assert_eq!(server.get("/", &[]).rest().1, End::Cut);
    tracker.close();
    server.block_on(async { tokio::time::timeout(PATIENCE, tracker.wait()).await.unwrap() });
    assert_eq!(polled.load(Ordering::SeqCst), 1);
}

#[test]
fn s5_a_request_body_that_has_been_read_to_its_end_ends_nothing() {
    let go = Arc::new(Notify::new());
    let echo = {
        let go = Arc::clone(&go);
        move |body: String| async move {
            let events = stream::unfold((0, body), move |(number, body)| {
                let go = Arc::clone(&go);
                async move {
                    go.notified().await;
                    let event = Event::new(format!("{number} {body}"));
                    (number < 3).then(|| (Ok::<_, Infallible>(event), (number + 1, body)))
                }
            });
            Sse::new(events)
        }
    };
    let server = Server::start(Router::new().route("/", routing::post(echo)));
    let mut client = server.connect();
    client.send(request("POST", "/", &[], "{\"a\":1}"));
    let mut reader: Reader = client.reader();
    for number in 0..3 {
        go.notify_one();
        assert_eq!(reader.data(), format!("{number} {{\"a\":1}}"));
    }
    go.notify_one();
    reader.finished();
}
