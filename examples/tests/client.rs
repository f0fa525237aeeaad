//! The client reads the plain door: gaps, primed cursors, ends. The router is the client's transport, in one process.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{Router, body::Body, routing::get};
use futures_util::{StreamExt as _, stream};
use tidewire::{
    Draft, Event, EventId, Hub, Namespace, Sse, Topic,
    archive::{Memory, Retention},
    hub, plain,
};
use tidewire_client::{Builder, Cause, EventSource, Item, Method, Prime, Retry};

struct Server {
    hub: Hub,
    router: Router,
}

impl Server {
    /// It keeps three events.
    fn start() -> Self {
        let retention = Retention {
            max_events: Some(3),
            ..Retention::default()
        };
        let hub = Hub::start(hub::Config::default(), Memory::new(retention)).unwrap();
        let router = plain::router(hub.clone(), plain::Config::default());
        Self { hub, router }
    }

    async fn publish(&self, data: &str, is_last: bool) -> EventId {
        let topic = Topic::new(Namespace::Events, "news").unwrap();
        let draft = Draft::event(topic, Event::new(data)).unwrap();
        let draft = if is_last { draft.and_end() } else { draft };
        self.hub.append(draft).await.unwrap().id.clone()
    }

    fn source(&self, builder: Builder) -> EventSource {
        let retry = Retry {
            base: Duration::from_millis(1),
            floor: Duration::from_millis(1),
            ..Retry::default()
        };
        let builder = builder.retry(retry);
        builder
            .service::<_, Body, _>(self.router.clone())
            .build()
            .unwrap()
    }

    fn get(&self) -> Builder {
        EventSource::get("http://localhost/events/news")
    }
}

async fn next(source: &mut EventSource) -> Item {
    let item = tokio::time::timeout(Duration::from_secs(20), source.next()).await;
    item.expect("nothing came").expect("it ended").expect("it failed")
}

async fn data(source: &mut EventSource) -> String {
    match next(source).await {
        Item::Event(event) => event.data,
        other => panic!("{other:?}"),
    }
}

async fn opens(source: &mut EventSource) {
    let item = next(source).await;
    assert!(matches!(item, Item::Open(_)), "{item:?}");
}

#[tokio::test]
async fn events_come_as_they_are_published_and_an_end_is_the_end() {
    let server = Server::start();
    let mut source = server.source(server.get());
    opens(&mut source).await;
    for data_ in ["one", "two"] {
        server.publish(data_, false).await;
        assert_eq!(data(&mut source).await, data_);
    }
    let last = server.publish("three", true).await;
    assert_eq!(data(&mut source).await, "three");
    // A GET comes back, and 204 says that there is nothing left.
    let item = next(&mut source).await;
    assert!(
        matches!(&item, Item::Reconnecting(again) if matches!(again.cause, Cause::Ended)),
        "{item:?}"
    );
    assert!(source.next().await.is_none());
    assert_eq!(source.last_event_id(), last.as_str());
}

#[tokio::test]
async fn a_finite_stream_of_ones_own_is_read_once() {
    let asked = Arc::new(AtomicUsize::new(0));
    let app = {
        let asked = Arc::clone(&asked);
        let three = move || {
            asked.fetch_add(1, Relaxed);
            let events = ["one", "two", "three"].map(|data| Ok::<_, Infallible>(Event::new(data)));
            async move { Sse::new(stream::iter(events)).finite() }
        };
        Router::new().route("/three", get(three))
    };
    let source = EventSource::get("http://localhost/three").service::<_, Body, _>(app);
    let events = source.build().unwrap().events().map(|event| event.unwrap().data);
    assert_eq!(events.collect::<Vec<_>>().await, ["one", "two", "three", ""]);
    assert_eq!(asked.load(Relaxed), 1);
}

#[tokio::test]
async fn a_subscription_by_post_ends_with_its_topic() {
    let server = Server::start();
    let body = serde_json::json!({ "topics": ["news"] });
    let request = EventSource::request(Method::POST, "http://localhost/subscribe").json(&body);
    let mut source = server.source(request);
    opens(&mut source).await;
    server.publish("last", true).await;
    assert_eq!(data(&mut source).await, "last");
    // Its server resumes, and says at once that there is nothing left.
    let item = next(&mut source).await;
    assert!(
        matches!(&item, Item::Reconnecting(again) if again.delay.is_zero()),
        "{item:?}"
    );
    opens(&mut source).await;
    assert!(source.next().await.is_none());
}

#[tokio::test]
async fn events_that_are_gone_are_a_gap_and_what_is_kept_follows() {
    let server = Server::start();
    let first = server.publish("1", false).await;
    for number in 2..=6 {
        server.publish(&number.to_string(), false).await;
    }
    let mut source = server.source(server.get().last_event_id(first.as_str()));
    opens(&mut source).await;
    let Item::Gap(gap) = next(&mut source).await else {
        panic!("2 and 3 are gone");
    };
    assert_eq!(gap.reason, "expired");
    assert_eq!(gap.requested.as_deref(), Some(first.as_str()));
    for number in 4..=6 {
        assert_eq!(data(&mut source).await, number.to_string());
    }
}

#[tokio::test]
async fn a_primed_cursor_resumes_before_the_first_event() {
    let server = Server::start();
    let mut source = server.source(server.get().prime(Prime::Always));
    opens(&mut source).await;
    // Nothing comes but the cursor, which is no item.
    assert!(futures_util::poll!(source.next()).is_pending());
    assert!(!source.last_event_id().is_empty());
    source.restart();
    server.publish("while it was away", false).await;
    assert!(matches!(next(&mut source).await, Item::Reconnecting(_)));
    opens(&mut source).await;
    assert_eq!(data(&mut source).await, "while it was away");
}
