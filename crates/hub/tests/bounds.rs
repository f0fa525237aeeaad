//! What can grow and what happens at the bound: slow readers, many channels, many topics.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod support;

use support::{Reader, draft, publish, topics};
use tidewire_codec::{Event, EventId};
use tidewire_hub::{
    Config, Draft, Encoding, Error, Hub, Resume, Start,
    archive::{Memory, Retention},
};

const WINDOW: usize = 256 << 10;

fn small() -> Hub {
    let config = Config {
        window: WINDOW,
        ..Config::default()
    };
    support::ordered::start(
        config,
        Memory::new(Retention {
            max_bytes: WINDOW,
            ..Retention::default()
        }),
    )
    .unwrap()
}

#[tokio::test]
async fn a_reader_that_never_reads_costs_bounded_memory_and_harms_nobody() {
    let hub = small();
    let mut stuck = Reader::live(&hub, "a").await;
    let mut healthy = Reader::live(&hub, "a").await;
    for n in 0..5_000 {
        publish(&hub, "a", &n.to_string()).await;
        assert_eq!(healthy.data().await, n.to_string());
        assert!(hub.stats().window_bytes <= WINDOW);
    }
    // It is told what it missed, and then gets what is kept, to the last.
    let notice = stuck.next().await.unwrap().unwrap();
    assert_eq!(notice.name, "tidewire.gap");
    assert!(notice.data.contains("lagged"), "{}", notice.data);
    let rest = stuck.available().await;
    let first: usize = rest[0].parse().unwrap();
    assert!(first > 0);
    assert_eq!(rest, (first..5_000).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn ten_thousand_channels_on_one_busy_topic_encode_each_event_once() {
    let hub = support::ordered::start(Config::default(), Memory::new(Retention::default())).unwrap();
    let mut readers = Vec::new();
    for n in 0..10_000 {
        readers.push(Reader::live(&hub, &format!("busy own-{n}")).await);
    }
    assert_eq!(hub.stats().channels, 10_000);
    for n in 0..3 {
        publish(&hub, "busy", &n.to_string()).await;
    }
    publish(&hub, "own-77", "mine").await;
    for (n, reader) in readers.iter_mut().enumerate() {
        let own = (n == 77).then_some("mine");
        let expected: Vec<_> = ["0", "1", "2"].into_iter().chain(own).collect();
        assert_eq!(reader.available().await, expected);
    }
    assert_eq!(hub.stats().encoded, 4);
    drop(readers);
    let stats = hub.stats();
    assert_eq!((stats.channels, stats.readers), (0, 0), "nothing stays behind");
}

#[tokio::test]
async fn an_event_for_two_topics_reaches_a_reader_of_both_once() {
    let hub = small();
    let mut both = Reader::live(&hub, "a b").await;
    let mut kept = Vec::new();
    for names in ["a b", "b", "a", "b a"] {
        publish(&hub, names, names).await;
        kept.push(names);
    }
    assert_eq!(both.available().await, kept);
    assert_eq!(
        Reader::after(&hub, "a b", "earliest").await.available().await,
        kept
    );
}

#[tokio::test]
async fn topics_in_one_request_are_bounded() {
    let config = Config {
        max_topics_per_subscription: 2,
        ..Config::default()
    };
    let hub = support::ordered::start(config, Memory::new(Retention::default())).unwrap();
    let refused = hub
        .subscribe(topics("a b c"), &Start::Live, Encoding::EventStream)
        .await
        .unwrap_err();
    assert_eq!(refused, Error::TooManyTopics { count: 3, max: 2 });
    assert_eq!(hub.append(draft("a b c", "x")).await.unwrap_err(), refused);
}

#[tokio::test]
async fn topics_that_are_read_are_bounded_in_all() {
    let config = Config {
        max_topics: 3,
        ..Config::default()
    };
    let hub = support::ordered::start(config, Memory::new(Retention::default())).unwrap();
    let first = Reader::live(&hub, "a b").await;
    let second = Reader::live(&hub, "b c").await;
    let subscribe = |names| hub.subscribe(topics(names), &Start::Live, Encoding::EventStream);
    assert_eq!(subscribe("c d").await.unwrap_err(), Error::WatchedFull { max: 3 });
    let third = Reader::live(&hub, "a c").await;
    drop(first);
    drop(third);
    subscribe("d").await.unwrap();
    drop(second);
}

#[tokio::test(start_paused = true)]
async fn a_full_hub_refuses_new_topics_until_it_may_forget_old_ones() {
    let config = Config {
        max_topics: 2,
        ..Config::default()
    };
    let hub = support::ordered::start(
        config,
        Memory::new(Retention {
            max_events: Some(1),
            ..Retention::default()
        }),
    )
    .unwrap();
    let cursor = hub.position().to_string();
    publish(&hub, "a", "1").await;
    publish(&hub, "b", "2").await;
    assert_eq!(
        hub.append(draft("c", "3")).await.unwrap_err(),
        Error::TopicsFull { max: 2 }
    );
    publish(&hub, "b", "known topics go on").await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    publish(&hub, "c", "3").await;
    // Nothing of `a` is remembered, so a cursor in it is answered on the safe side.
    assert!(matches!(
        Reader::after(&hub, "a", &cursor).await.resume(),
        Resume::Gap(_)
    ));
}

/// Letting go of an event must not take a look at all others that have its id.
/// Dead topics stayed in memory until `max_topics` of them were known.
#[tokio::test]
async fn topics_of_which_nothing_is_kept_are_forgotten_where_very_many_are_known() {
    let retention = Retention {
        max_events: Some(100),
        ..Retention::default()
    };
    let hub = support::ordered::start(Config::default(), Memory::new(retention)).unwrap();
    let ended = draft("ended", "x").and_end();
    hub.append(ended).await.unwrap();
    let mut kept = Reader::live(&hub, "t-11999").await;
    for number in 0..12_000 {
        publish(&hub, &format!("t-{number}"), "x").await;
    }
    while hub.stats().topics > 10_000 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(hub.stats().topics > 8_000, "a few are remembered");
    publish(&hub, "ended", "it begins anew").await;
    publish(&hub, "t-11999", "y").await;
    assert_eq!((kept.data().await, kept.data().await), ("x".into(), "y".into()));
}

#[tokio::test]
async fn an_id_that_very_many_events_have_is_let_go_one_by_one() {
    const KEPT: usize = 20_000;
    const ALL: usize = 50_000;
    let retention = Retention {
        max_events: Some(KEPT),
        ..Retention::default()
    };
    let hub = support::ordered::start(Config::default(), Memory::new(retention)).unwrap();
    for n in 0..ALL {
        let event = Event::new(n.to_string()).with_id(EventId::from_static("1"));
        hub.append(Draft::event(topics("a"), event).unwrap())
            .await
            .unwrap();
    }
    assert_eq!(hub.kept(&topics("a")).await.unwrap().count, KEPT);
    let mut after_the_earliest = Reader::after(&hub, "a", "1").await;
    let next = after_the_earliest.next().await.unwrap().unwrap();
    assert_eq!(next.data, (ALL - KEPT + 1).to_string());
}

/// The names of an event's topics are kept with it, and so is its place in each of them.
#[tokio::test]
async fn topics_count_for_the_bound_in_bytes() {
    const MAX: usize = 1 << 20;
    let hub = || {
        let retention = Retention {
            max_bytes: MAX,
            ..Retention::default()
        };
        support::ordered::start(Config::default(), Memory::new(retention)).unwrap()
    };
    let long = hub();
    let name = "x".repeat(1024);
    for _ in 0..2000 {
        publish(&long, &name, "1").await;
    }
    assert!(long.kept(&topics(&name)).await.unwrap().count < MAX / 1024);
    let many = hub();
    let names: Vec<_> = (0..256).map(|n| n.to_string()).collect();
    let names = names.join(" ");
    for _ in 0..200 {
        publish(&many, &names, "1").await;
    }
    assert!(many.kept(&topics("1")).await.unwrap().count < MAX / (256 * 32));
}
