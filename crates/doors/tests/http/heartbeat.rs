//! S3: a silent stream gets a comment line, a busy one none. The clock is paused, so no test waits.

use std::{convert::Infallible, time::Duration};

use axum::{body::Body, response::IntoResponse as _};
use futures_util::{StreamExt as _, stream};
use http::Request;
use http_body_util::BodyExt as _;
use tidewire_codec::Event;
use tidewire_doors::{Sse, plain};
use tidewire_hub::{Config, Draft, Hub, Namespace, Topic, archive::Memory};
use tokio::time::{Instant, sleep};
use tower::ServiceExt as _;

const INTERVAL: Duration = Duration::from_secs(15);

async fn next(body: &mut Body) -> String {
    let frame = body.frame().await.expect("a frame").expect("no error");
    String::from_utf8(frame.into_data().unwrap().into()).unwrap()
}

async fn subscribe(hub: &Hub) -> Body {
    let router = plain::router(hub.clone(), plain::Config::default());
    let request = Request::get("/events/a").body(Body::empty()).unwrap();
    router.oneshot(request).await.unwrap().into_body()
}

async fn publish(hub: &Hub) {
    let topic = Topic::new(Namespace::Events, "a").unwrap();
    hub.append(Draft::event(topic, Event::new("x")).unwrap())
        .await
        .unwrap();
}

/// Exact on a paused clock, but for the millisecond that timers are rounded up to.
#[track_caller]
fn assert_after(start: Instant, wait: Duration) {
    let elapsed = start.elapsed();
    assert!(
        elapsed >= wait && elapsed <= wait + Duration::from_millis(2),
        "{elapsed:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn s3_a_stream_that_is_silent_from_its_start_gets_a_line_each_interval() {
    let hub = Hub::start(Config::default(), Memory::new(Default::default())).unwrap();
    let mut body = subscribe(&hub).await;
    assert!(next(&mut body).await.starts_with("retry: "));
    for _ in 0..3 {
        let start = Instant::now();
        assert_eq!(next(&mut body).await, ":\n");
        assert_after(start, INTERVAL);
    }
}

#[tokio::test(start_paused = true)]
async fn s3_a_stream_that_is_never_silent_for_an_interval_gets_none() {
    let hub = Hub::start(Config::default(), Memory::new(Default::default())).unwrap();
    let mut body = subscribe(&hub).await;
    assert!(next(&mut body).await.starts_with("retry: "));
    for _ in 0..10 {
        let publisher = async {
            sleep(INTERVAL - Duration::from_secs(1)).await;
            publish(&hub).await;
        };
        let ((), chunk) = tokio::join!(publisher, next(&mut body));
        assert!(chunk.ends_with("data: x\n\n"), "{chunk}");
    }
    let start = Instant::now();
    assert_eq!(next(&mut body).await, ":\n");
    assert_after(start, INTERVAL);
}

#[tokio::test(start_paused = true)]
async fn s3_the_responder_has_an_interval_of_its_own() {
    let silent = stream::pending::<Result<Event, Infallible>>();
    let response = Sse::new(silent).heartbeat(Duration::from_secs(2)).into_response();
    assert_eq!(response.headers()["tidewire-heartbeat"], "2");
    let mut body = response.into_body();
    let start = Instant::now();
    assert_eq!(next(&mut body).await, ":\n");
    assert_after(start, Duration::from_secs(2));
    assert_eq!(next(&mut body).await, ":\n");
    assert_after(start, Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn s3_a_heartbeat_delays_no_event() {
    let events = stream::unfold(0, |number| async move {
        sleep(Duration::from_secs(40)).await;
        Some((Ok::<_, Infallible>(Event::new(number.to_string())), number + 1))
    });
    let mut body = Sse::new(events.take(2)).into_response().into_body();
    let start = Instant::now();
    for number in 0..2 {
        assert_eq!([next(&mut body).await, next(&mut body).await], [":\n", ":\n"]);
        assert_eq!(next(&mut body).await, format!("data: {number}\n\n"));
        assert_after(start, Duration::from_secs(40 * (number + 1)));
    }
    assert!(body.frame().await.is_none());
}
