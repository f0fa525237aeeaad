//! Where readers start and what they are told: rows S4 and W4, and the end of streams (S2).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Wake, Waker},
};
use support::{Reader, draft, publish, topics};
use tidewire_codec::{Event, EventId};
use tidewire_hub::{
    Clock, Config, Draft, Encoding, Error, GapReason, Hub, Resume, Start, Subscribed,
    archive::{Memory, Retention},
};

fn hub() -> Hub {
    hub_keeping(Retention::default())
}

fn hub_keeping(retention: Retention) -> Hub {
    support::ordered::start(Config::default(), Memory::new(retention)).unwrap()
}

fn keeping(events: usize) -> Hub {
    hub_keeping(Retention {
        max_events: Some(events),
        ..Retention::default()
    })
}

fn reason(reader: &Reader) -> GapReason {
    match reader.resume() {
        Resume::Gap(gap) => gap.reason,
        other => panic!("no gap but {other:?}"),
    }
}

async fn publish_with_id(hub: &Hub, names: &str, id: &str, data: &str) {
    let event = Event::new(data).with_id(EventId::new(id).unwrap());
    hub.append(Draft::event(topics(names), event).unwrap())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_live_reader_gets_what_comes_and_nothing_before() {
    let hub = hub();
    publish(&hub, "a", "before").await;
    let mut reader = Reader::live(&hub, "a").await;
    assert_eq!(reader.resume(), &Resume::Live);
    publish(&hub, "b", "elsewhere").await;
    publish(&hub, "a", "now").await;
    assert_eq!(reader.available().await, ["now"]);
}

#[tokio::test]
async fn a_cursor_replays_exactly_what_was_missed_and_goes_live() {
    let hub = hub();
    let mut first = Reader::live(&hub, "a").await;
    publish(&hub, "a", "1").await;
    let id = first.next().await.unwrap().unwrap().id;
    drop(first);
    for data in ["2", "3"] {
        publish(&hub, "a", data).await;
    }
    let mut reader = Reader::after(&hub, "a", &id).await;
    assert_eq!(reader.resume(), &Resume::Resumed);
    publish(&hub, "a", "4").await;
    assert_eq!(reader.available().await, ["2", "3", "4"]);
}

#[tokio::test]
async fn one_position_stands_for_any_number_of_topics() {
    let hub = hub();
    let mut reader = Reader::live(&hub, "a b c").await;
    for (names, data) in [("a", "1"), ("b", "2"), ("a b", "3"), ("d", "-"), ("c", "4")] {
        publish(&hub, names, data).await;
    }
    let mut reads = Vec::new();
    while reads.len() < 4 {
        reads.push(reader.next().await.unwrap().unwrap());
    }
    assert_eq!(
        reads.iter().map(|read| &*read.data).collect::<Vec<_>>(),
        ["1", "2", "3", "4"]
    );
    let mut again = Reader::after(&hub, "a b c", &reads[1].id).await;
    assert_eq!(again.available().await, ["3", "4"]);
}

#[tokio::test]
async fn a_primed_position_resumes_before_the_first_event() {
    let hub = hub();
    publish(&hub, "a", "before").await;
    let position = Reader::live(&hub, "a").await.subscription.position().to_string();
    publish(&hub, "a", "missed").await;
    assert_eq!(
        Reader::after(&hub, "a", &position).await.available().await,
        ["missed"]
    );
}

#[tokio::test]
async fn a_publishers_id_is_found_in_its_topic_and_the_earliest_counts() {
    let hub = hub();
    publish_with_id(&hub, "other", "x", "0").await;
    for (id, data) in [("x", "1"), ("y", "2"), ("x", "3"), ("z", "4")] {
        publish_with_id(&hub, "a", id, data).await;
    }
    assert_eq!(
        Reader::after(&hub, "a", "x").await.available().await,
        ["2", "3", "4"]
    );
    assert_eq!(Reader::after(&hub, "a", "z").await.available().await, [""; 0]);
    assert_eq!(reason(&Reader::after(&hub, "b", "x").await), GapReason::Unknown);
}

#[tokio::test]
async fn an_id_whose_event_is_gone_is_no_longer_found_but_its_later_twin_is() {
    let hub = keeping(2);
    for (id, data) in [("x", "1"), ("x", "2"), ("y", "3")] {
        publish_with_id(&hub, "a", id, data).await;
    }
    assert_eq!(Reader::after(&hub, "a", "x").await.available().await, ["3"]);
    publish_with_id(&hub, "a", "z", "4").await;
    assert_eq!(reason(&Reader::after(&hub, "a", "x").await), GapReason::Unknown);
}

#[tokio::test]
async fn earliest_and_last_ask_for_what_is_kept() {
    let hub = keeping(3);
    for data in ["1", "2", "3", "4"] {
        publish(&hub, "a", data).await;
    }
    let mut earliest = Reader::after(&hub, "a", Start::EARLIEST).await;
    assert_eq!(
        earliest.resume(),
        &Resume::Resumed,
        "nobody said that it had the first"
    );
    assert_eq!(earliest.available().await, ["2", "3", "4"]);
    assert_eq!(
        Reader::open(&hub, "a", &Start::Last(2)).await.available().await,
        ["3", "4"]
    );
    assert_eq!(
        Reader::open(&hub, "a", &Start::Last(9)).await.available().await,
        ["2", "3", "4"]
    );
    assert_eq!(
        Reader::open(&hub, "a", &Start::Last(0)).await.available().await,
        [""; 0]
    );
}

#[tokio::test]
async fn an_event_that_is_gone_is_a_gap_and_reading_goes_on_with_the_oldest() {
    let hub = keeping(2);
    let cursor = hub.position().to_string();
    for data in ["1", "2", "3"] {
        publish(&hub, "a", data).await;
    }
    let mut reader = Reader::after(&hub, "a", &cursor).await;
    assert_eq!(reason(&reader), GapReason::Expired);
    let notice = reader.next().await.unwrap().unwrap();
    assert_eq!(notice.name, "tidewire.gap");
    let json: serde_json::Value = serde_json::from_str(&notice.data).unwrap();
    assert_eq!(json["requested"], cursor);
    assert_eq!(json["resumed_after"], notice.id);
    assert_eq!(json["reason"], "expired");
    assert_eq!(reader.available().await, ["2", "3"]);
    let mut again = Reader::after(&hub, "a", &notice.id).await;
    assert_eq!(
        again.resume(),
        &Resume::Resumed,
        "the notice's id is a good cursor"
    );
    assert_eq!(again.available().await, ["2", "3"]);
}

#[tokio::test]
async fn events_of_other_topics_that_are_gone_are_no_gap() {
    let hub = keeping(1);
    publish(&hub, "a", "1").await;
    let cursor = hub.position().to_string();
    publish(&hub, "b", "2").await;
    publish(&hub, "b", "3").await;
    assert_eq!(Reader::after(&hub, "a", &cursor).await.resume(), &Resume::Resumed);
    assert_eq!(
        reason(&Reader::after(&hub, "b", &cursor).await),
        GapReason::Expired
    );
    assert_eq!(
        reason(&Reader::after(&hub, "a b", &cursor).await),
        GapReason::Expired
    );
}

#[tokio::test]
async fn what_cannot_be_placed_is_told_and_never_silently_live() {
    let hub = hub();
    publish(&hub, "a", "kept").await;
    for (id, expected) in [
        ("", GapReason::Unknown),
        ("nobody-has-this", GapReason::Unknown),
        ("~nonsense", GapReason::Unknown),
        ("a\nb", GapReason::Unknown),
        ("~00000000-1", GapReason::Reset),
    ] {
        let mut reader = Reader::after(&hub, "a", id).await;
        assert_eq!(reason(&reader), expected, "{id}");
        let read = reader.available().await;
        assert!(read[0].contains(expected.as_str()), "{read:?}");
        assert_eq!(read[1..], ["kept"]);
    }
}

#[tokio::test]
async fn a_cursor_ahead_of_the_log_comes_from_another_copy_of_it_and_is_told_so_at_once() {
    let hub = hub();
    let ahead = |number: u64| format!("~{}-{number}", hub.position().epoch);
    let mut reader = Reader::after(&hub, "a", &ahead(1)).await;
    assert_eq!(reason(&reader), GapReason::Reset);
    let notice = reader.next().await.unwrap().unwrap();
    assert_eq!(notice.name, "tidewire.gap");
    for data in ["1", "2", "3"] {
        publish(&hub, "a", data).await;
    }
    assert_eq!(reader.available().await, ["1", "2", "3"]);
    assert_eq!(
        Reader::after(&hub, "a", &ahead(3)).await.resume(),
        &Resume::Resumed
    );
    let mut reader = Reader::after(&hub, "a", &ahead(4)).await;
    assert_eq!(reason(&reader), GapReason::Reset);
    reader.next().await.unwrap().unwrap();
    assert_eq!(reader.available().await, ["1", "2", "3"], "all that is kept");

    // Also where the topic has ended: "nothing more to come" would be a lie.
    hub.append(draft("a", "4").and_end()).await.unwrap();
    assert_eq!(
        reason(&Reader::after(&hub, "a", &ahead(9)).await),
        GapReason::Reset
    );
}

#[tokio::test]
async fn age_lets_events_go() {
    let clock = Clock::manual(1_000_000);
    let config = Config {
        clock: clock.clone(),
        ..Config::default()
    };
    let max_age = Some(std::time::Duration::from_secs(60));
    let hub = support::ordered::start(
        config,
        Memory::new(Retention {
            max_age,
            ..Retention::default()
        }),
    )
    .unwrap();
    publish(&hub, "a", "1").await;
    clock.advance(std::time::Duration::from_secs(59));
    publish(&hub, "a", "2").await;
    assert_eq!(
        Reader::after(&hub, "a", "earliest").await.available().await,
        ["1", "2"]
    );
    clock.advance(std::time::Duration::from_secs(2));
    publish(&hub, "b", "any").await;
    assert_eq!(
        Reader::after(&hub, "a", "earliest").await.available().await,
        ["2"]
    );
}

#[tokio::test]
async fn an_ended_stream_gives_its_last_event_and_ends_and_takes_no_more() {
    let hub = hub();
    let mut reader = Reader::live(&hub, "a").await;
    publish(&hub, "a", "1").await;
    hub.append(draft("a", "last").and_end()).await.unwrap();
    assert_eq!(reader.read_to_end().await, ["1", "last"]);
    let refused = hub.append(draft("a", "late")).await.unwrap_err();
    assert!(matches!(refused, Error::Ended { .. }));

    let mut first_time = Reader::live(&hub, "a").await;
    assert_eq!(
        first_time.read_to_end().await,
        ["1", "last"],
        "replayed to who asks without a cursor"
    );
    let position = hub.position().to_string();
    let again = hub
        .subscribe(topics("a"), &Start::After(position), Encoding::EventStream)
        .await;
    assert!(matches!(again, Ok(Subscribed::Ended)), "nothing left to read");
}

#[tokio::test]
async fn a_stream_of_several_topics_ends_with_the_last_of_them() {
    let hub = hub();
    let mut reader = Reader::live(&hub, "a b").await;
    hub.append(Draft::end(topics("a"))).await.unwrap();
    publish(&hub, "b", "1").await;
    assert_eq!(reader.available().await, ["1"]);
    let mut late = Reader::live(&hub, "a b").await;
    assert_eq!(late.resume(), &Resume::Live, "b goes on");
    hub.append(Draft::end(topics("b"))).await.unwrap();
    assert_eq!(reader.next().await, None);
    assert_eq!(late.next().await, None);
}

#[tokio::test]
async fn an_end_that_is_gone_is_no_gap() {
    let hub = keeping(1);
    publish(&hub, "a", "1").await;
    let cursor = hub.position().to_string();
    hub.append(Draft::end(topics("a"))).await.unwrap();
    publish(&hub, "b", "2").await;
    publish(&hub, "b", "3").await;
    let again = hub
        .subscribe(topics("a"), &Start::After(cursor), Encoding::EventStream)
        .await;
    assert!(
        matches!(again, Ok(Subscribed::Ended)),
        "it had everything: {again:?}"
    );
}

#[tokio::test]
async fn a_drained_hub_commits_what_waits_and_cuts_readers_after_their_last_event() {
    let hub = hub();
    let mut reader = Reader::live(&hub, "a").await;
    publish(&hub, "a", "1").await;
    hub.drain().await;
    assert_eq!(reader.data().await, "1");
    assert!(reader.next().await.unwrap().is_err(), "a cut, not an end");
    assert_eq!(hub.append(draft("a", "2")).await.unwrap_err(), Error::Closed);
    assert!(
        hub.subscribe(topics("a"), &Start::Live, Encoding::EventStream)
            .await
            .is_err()
    );
}

/// Many look for the first time while the hub drains: none may be left waiting.
#[tokio::test]
async fn a_reader_that_looks_just_as_the_drain_begins_is_cut_too() {
    const ROUNDS: usize = 2000;
    const READERS: usize = 64;
    for round in 0..ROUNDS {
        let hub = hub();
        let mut readers = Vec::new();
        for _ in 0..READERS {
            readers.push(Reader::live(&hub, "a").await.subscription);
        }
        let (begin, begun) = std::sync::mpsc::sync_channel(1);
        let looking = std::thread::spawn(move || {
            begin.send(()).unwrap();
            let mut wakers = Vec::new();
            for reader in &mut readers {
                let woken = Arc::new(Woken::default());
                let waker = Waker::from(Arc::clone(&woken));
                let looked = reader.poll_chunk(&mut Context::from_waker(&waker));
                wakers.push((looked.is_pending(), woken));
            }
            (readers, wakers)
        });
        begun.recv().unwrap();
        hub.drain().await;
        let (_readers, wakers) = looking.join().unwrap();
        for (waits, woken) in wakers {
            assert!(
                !waits || woken.0.load(Ordering::SeqCst),
                "round {round}: a reader waits for ever"
            );
        }
    }
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}
