//! S9: one stream in every encoding, from the window and from the archive alike.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]
mod support;

use std::future::poll_fn;

use support::topics;
use tidewire_codec::{Event, EventId, EventName};
use tidewire_hub::{
    Config, Draft, Encoding, Hub, Start, Subscribed, Subscription,
    archive::{Memory, Retention},
};

fn hub() -> Hub {
    support::ordered::start(Config::default(), Memory::new(Retention::default())).unwrap()
}

async fn read(hub: &Hub, names: &str, start: &Start, encoding: Encoding) -> Subscription {
    match hub.subscribe(topics(names), start, encoding).await.unwrap() {
        Subscribed::Open(subscription) => subscription,
        Subscribed::Ended => panic!("ended"),
    }
}

async fn bytes(subscription: &mut Subscription) -> String {
    let chunk = poll_fn(|cx| subscription.poll_chunk(cx)).await.unwrap().unwrap();
    String::from_utf8(chunk.into()).unwrap()
}

async fn publish(hub: &Hub, names: &str, event: Event) {
    hub.append(Draft::event(topics(names), event).unwrap())
        .await
        .unwrap();
}

fn named(id: &str, data: &str) -> Event {
    Event::new(data).with_id(EventId::new(id).unwrap())
}

#[tokio::test]
async fn ndjson_is_an_object_a_line_with_the_data_as_it_was_published() {
    let hub = hub();
    let mut live = read(&hub, "a", &Start::Live, Encoding::Ndjson).await;
    let event = named("1", "\"quoted\"\r\nsecond \u{1f30a}")
        .with_name(EventName::new("tick").unwrap())
        .with_retry(7);
    publish(&hub, "a", event).await;
    let line = "{\"id\":\"1\",\"event\":\"tick\",\"topic\":\"a\",\"retry\":7,\
                \"data\":\"\\\"quoted\\\"\\r\\nsecond \u{1f30a}\"}\n";
    assert_eq!(bytes(&mut live).await, line);
    let mut replayed = read(&hub, "a", &Start::After("earliest".into()), Encoding::Ndjson).await;
    assert_eq!(bytes(&mut replayed).await, line);
}

#[tokio::test]
async fn a_gap_and_a_primed_cursor_have_the_same_envelope_in_ndjson() {
    let hub = hub();
    let mut reader = read(&hub, "a", &Start::After("gone".into()), Encoding::Ndjson).await;
    let at = reader.position();
    let gap = format!(
        "{{\"id\":\"{at}\",\"event\":\"tidewire.gap\",\"data\":\"{{\\\"reason\\\":\\\"unknown\\\",\
         \\\"requested\\\":\\\"gone\\\",\\\"resumed_after\\\":\\\"{at}\\\"}}\"}}\n"
    );
    assert_eq!(bytes(&mut reader).await, gap);
    assert_eq!(
        Encoding::Ndjson.prime(at),
        format!("{{\"id\":\"{at}\"}}\n").into_bytes()
    );
}

#[tokio::test]
async fn a_reader_is_shown_the_topics_that_it_reads_and_no_others() {
    let hub = hub();
    let show = |names| read(&hub, names, &Start::Live, Encoding::EventStreamWithTopics);
    let (mut of_one, mut of_both) = (show("a").await, show("a b").await);
    let mut lines = read(&hub, "a b", &Start::Live, Encoding::Ndjson).await;
    let mut plain = read(&hub, "a b", &Start::Live, Encoding::EventStream).await;
    publish(&hub, "a b secret", named("1", "x")).await;
    let from_one = "topic: a\nid: 1\ndata: x\n\n";
    let from_both = "topic: a\ntopic: b\nid: 1\ndata: x\n\n";
    assert_eq!(bytes(&mut of_one).await, from_one);
    assert_eq!(bytes(&mut of_both).await, from_both);
    assert_eq!(
        bytes(&mut lines).await,
        "{\"id\":\"1\",\"event\":\"message\",\"topic\":\"a\",\"topics\":[\"a\",\"b\"],\"data\":\"x\"}\n"
    );
    assert_eq!(bytes(&mut plain).await, "id: 1\ndata: x\n\n");

    let kept = |names| read(&hub, names, &Start::Last(1), Encoding::EventStreamWithTopics);
    assert_eq!(bytes(&mut kept("a").await).await, from_one);
    assert_eq!(bytes(&mut kept("a b").await).await, from_both);
}

#[tokio::test]
async fn publishes_in_two_steps_keep_their_order() {
    let hub = hub();
    let mut reader = read(&hub, "a", &Start::Live, Encoding::EventStream).await;
    let draft = |id: &str| Draft::event(topics("a"), named(id, "x")).unwrap();
    let first = hub.enqueue(draft("1")).await.unwrap();
    let second = hub.enqueue(draft("2")).await.unwrap();
    assert_eq!(second.await.unwrap().id.as_str(), "2");
    assert_eq!(first.await.unwrap().id.as_str(), "1");
    assert_eq!(bytes(&mut reader).await, "id: 1\ndata: x\n\nid: 2\ndata: x\n\n");
}
