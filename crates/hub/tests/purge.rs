//! Purging: what is kept of a topic goes, readers are told, and the stream begins anew.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod support;

use support::{Reader, draft, publish, topic, topics};
use tidewire_codec::{Event, EventId};
use tidewire_hub::{
    Config, Draft, Encoding, Error, GapReason, Hub, IdempotencyKey, Outcome, Resume, Start, Subscribed,
    archive::{Memory, Retention},
};

fn hub() -> Hub {
    support::ordered::start(Config::default(), Memory::new(Retention::default())).unwrap()
}

async fn purge(hub: &Hub, names: &str) -> usize {
    match hub.append(Draft::purge(topics(names))).await.unwrap().outcome {
        Outcome::Purged(count) => count,
        other => panic!("{other:?}"),
    }
}

fn reason(reader: &Reader) -> GapReason {
    match reader.resume() {
        Resume::Gap(gap) => gap.reason,
        other => panic!("no gap but {other:?}"),
    }
}

#[tokio::test]
async fn what_was_purged_is_gone_and_who_had_not_read_it_is_told() {
    let hub = hub();
    let start = hub.position().to_string();
    publish(&hub, "a", "1").await;
    publish(&hub, "a", "2").await;
    let all_read = hub.position().to_string();
    assert_eq!(hub.kept(&topics("a")).await.unwrap().count, 2);
    assert_eq!(purge(&hub, "a").await, 2);
    let kept = hub.kept(&topics("a")).await.unwrap();
    assert_eq!((kept.count, kept.last), (0, None));
    assert_eq!(purge(&hub, "a").await, 0, "nothing is left");

    publish(&hub, "a", "3").await;
    let mut behind = Reader::after(&hub, "a", &start).await;
    assert_eq!(reason(&behind), GapReason::Expired);
    assert_eq!(behind.next().await.unwrap().unwrap().name, "tidewire.gap");
    assert_eq!(behind.available().await, ["3"]);
    let mut up_to_date = Reader::after(&hub, "a", &all_read).await;
    assert_eq!(up_to_date.resume(), &Resume::Resumed);
    assert_eq!(up_to_date.available().await, ["3"]);
}

#[tokio::test]
async fn a_connected_reader_that_had_read_all_notices_nothing_and_one_that_had_not_is_told() {
    let hub = hub();
    let mut quick = Reader::live(&hub, "a").await;
    let mut slow = Reader::live(&hub, "a").await;
    publish(&hub, "a", "1").await;
    assert_eq!(quick.available().await, ["1"]);
    purge(&hub, "a").await;
    publish(&hub, "a", "2").await;
    assert_eq!(quick.available().await, ["2"]);
    let gap = slow.next().await.unwrap().unwrap();
    assert!(
        gap.name == "tidewire.gap" && gap.data.contains("lagged"),
        "{gap:?}"
    );
    assert_eq!(slow.available().await, ["2"]);
}

#[tokio::test]
async fn an_event_of_two_topics_stays_for_the_other_one() {
    let hub = hub();
    let event = |id: &str| Event::new(id).with_id(EventId::new(id).unwrap());
    let draft = |names, id| Draft::event(topics(names), event(id)).unwrap();
    hub.append(draft("a b", "both")).await.unwrap();
    hub.append(draft("b", "one")).await.unwrap();
    assert_eq!(purge(&hub, "a").await, 1);
    let mut reader = Reader::after(&hub, "b", "earliest").await;
    assert_eq!(reader.available().await, ["both", "one"]);
    assert_eq!(Reader::after(&hub, "b", "both").await.available().await, ["one"]);
    assert_eq!(
        reason(&Reader::after(&hub, "a", "both").await),
        GapReason::Unknown,
        "its id is gone there"
    );
    assert_eq!(purge(&hub, "a b").await, 2);
    assert_eq!(hub.kept(&topics("a b")).await.unwrap().count, 0);
}

#[tokio::test]
async fn an_ended_stream_begins_anew() {
    let hub = hub();
    let mut until_the_end = Reader::live(&hub, "a").await;
    hub.append(draft("a", "last").and_end()).await.unwrap();
    assert_eq!(until_the_end.available().await, ["last"]);
    purge(&hub, "a").await;
    publish(&hub, "a", "first again").await;
    let mut reader = Reader::after(&hub, "a", "earliest").await;
    assert_eq!(reader.available().await, ["first again"]);
    hub.append(Draft::end(topic("a"))).await.unwrap();
    assert_eq!(reader.read_to_end().await, [""; 0]);
}

#[tokio::test]
async fn a_channel_that_is_still_held_at_its_end_opens_again() {
    let hub = hub();
    let held = Reader::live(&hub, "a").await;
    hub.append(draft("a", "last").and_end()).await.unwrap();
    purge(&hub, "a").await;
    let live = hub
        .subscribe(topics("a"), &Start::Live, Encoding::EventStream)
        .await
        .unwrap();
    assert!(matches!(live, Subscribed::Open(_)));
    drop(held);
}

#[tokio::test]
async fn a_retried_publish_is_one_publish() {
    let hub = hub();
    let keyed = |data: &str, number| {
        let key = IdempotencyKey::new("k").unwrap();
        draft("a", data).with_key(key, number)
    };
    let (first, twin) = tokio::join!(hub.append(keyed("1", 0)), hub.append(keyed("1", 0)));
    let (first, twin) = (first.unwrap(), twin.unwrap());
    assert_eq!(
        (first.outcome, twin.outcome),
        (Outcome::Appended, Outcome::Replayed)
    );
    assert_eq!(first.id, twin.id);
    hub.append(keyed("2", 1)).await.unwrap();
    assert_eq!(
        hub.append(keyed("2", 1)).await.unwrap().outcome,
        Outcome::Replayed
    );
    assert_eq!(hub.append(keyed("other", 0)).await.unwrap_err(), Error::KeyReused);
    assert_eq!(
        Reader::after(&hub, "a", "earliest").await.available().await,
        ["1", "2"]
    );
}
