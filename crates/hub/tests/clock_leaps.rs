//! A clock that leaps forward, while the hub runs and between two runs: nothing expires before the leap is believed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod support;

use std::{sync::Arc, time::Duration};

use support::{Reader, draft, publish, topics};
use tidewire_hub::{
    Clock, Config, Hub, IdempotencyKey, Millis, Namespace, Outcome, Seq, Start,
    archive::{
        Memory, Retention, Rule, Rules,
        segments::{RealDisk, Segments, Settings},
    },
};

const HOUR: Millis = 60 * 60 * 1000;
const DAY: Millis = 24 * HOUR;
const NOW: Millis = 1000 * DAY;
const LEAP: i64 = 8 * DAY.cast_signed();

/// All is kept for a week, of the topic `r` a day, of `mark` one event.
fn retention() -> Retention {
    let rule = |prefix: &str, max_events, max_age| Rule {
        namespace: Namespace::Events,
        prefix: prefix.into(),
        max_events,
        max_bytes: None,
        max_age,
    };
    let rules = [
        rule("r", None, Some(Duration::from_millis(DAY))),
        rule("mark", Some(1), None),
    ];
    Retention {
        max_age: Some(Duration::from_millis(7 * DAY)),
        rules: Rules::new(rules).unwrap(),
        ..Retention::default()
    }
}

/// A folder of segments of a few events each, or memory.
struct Place(Option<tempfile::TempDir>);

impl Place {
    fn start(&self, now: Millis) -> (Hub, Clock) {
        let clock = Clock::manual(now);
        let config = Config {
            clock: clock.clone(),
            ..Config::default()
        };
        let hub = match &self.0 {
            None => support::ordered::start(config, Memory::new(retention())),
            Some(folder) => {
                let settings = Settings {
                    segment_bytes: 300,
                    retention: retention(),
                    ..Settings::default()
                };
                let disk = Arc::new(RealDisk::open(folder.path()).unwrap());
                support::ordered::start(config, Segments::open(disk, settings).unwrap())
            }
        };
        (hub.unwrap(), clock)
    }
}

async fn fill(hub: &Hub) {
    for number in 0..20 {
        publish(hub, "a", &number.to_string()).await;
        publish(hub, "r", &number.to_string()).await;
    }
    assert!(!replays_key(hub).await);
}

/// Whether a publish with the key has been before.
async fn replays_key(hub: &Hub) -> bool {
    let keyed = draft("keyed", "x").with_key(IdempotencyKey::new("k").unwrap(), 0);
    hub.append(keyed).await.unwrap().outcome == Outcome::Replayed
}

/// Waits until retention has looked at the clock since, also for single topics.
async fn looked(hub: &Hub) {
    for _ in 0..2 {
        publish(hub, "mark", "x").await;
    }
    until(async || hub.kept(&topics("mark")).await.unwrap().count == 1).await;
}

async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    while !is_so().await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Also of a hub that has been drained.
async fn kept(hub: &Hub) -> [usize; 2] {
    let count = async |topic| {
        let scan = hub.records(&topics(topic), Seq::ZERO, usize::MAX).await;
        scan.unwrap().records.len()
    };
    [count("a").await, count("r").await]
}

async fn expired(hub: &Hub) {
    looked(hub).await;
    until(async || kept(hub).await[0] < 20 && kept(hub).await[1] == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leap_forward_lets_nothing_go_for_an_hour() {
    for place in [Place(None), Place(Some(tempfile::tempdir().unwrap()))] {
        let (hub, clock) = place.start(NOW);
        fill(&hub).await;
        clock.leap(LEAP);
        looked(&hub).await;
        assert!(replays_key(&hub).await, "the key is remembered");
        clock.advance(Duration::from_millis(HOUR - 1));
        looked(&hub).await;
        assert_eq!(kept(&hub).await, [20, 20]);
        clock.advance(Duration::from_millis(1));
        expired(&hub).await;
        let other = draft("keyed", "x").with_key(IdempotencyKey::new("other").unwrap(), 0);
        hub.append(other).await.unwrap();
        assert!(!replays_key(&hub).await, "it is as old as the events");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leap_that_an_operator_confirms_counts_at_once() {
    for place in [Place(None), Place(Some(tempfile::tempdir().unwrap()))] {
        let (hub, clock) = place.start(NOW);
        fill(&hub).await;
        clock.leap(LEAP);
        looked(&hub).await;
        assert_eq!(kept(&hub).await, [20, 20]);
        assert!(hub.confirm_clock());
        expired(&hub).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leap_that_is_taken_back_has_done_nothing() {
    for place in [Place(None), Place(Some(tempfile::tempdir().unwrap()))] {
        let (hub, clock) = place.start(NOW);
        fill(&hub).await;
        clock.leap(LEAP);
        looked(&hub).await;
        clock.leap(-LEAP);
        looked(&hub).await;
        assert!(!hub.confirm_clock(), "it is not in doubt any more");
        looked(&hub).await;
        assert_eq!(kept(&hub).await, [20, 20]);
        assert!(replays_key(&hub).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_far_from_the_newest_record_lets_nothing_go_for_an_hour() {
    let place = Place(Some(tempfile::tempdir().unwrap()));
    let (hub, _) = place.start(NOW);
    fill(&hub).await;
    hub.drain().await;
    drop(hub);
    for start in [NOW + 8 * DAY, NOW - 8 * DAY, 0] {
        let (hub, _) = place.start(start);
        // Nothing is published, so that the newest record stays: retention looks before anything else.
        hub.drain().await;
        assert_eq!(kept(&hub).await, [20, 20], "{start}");
    }
    let (hub, clock) = place.start(NOW + 8 * DAY);
    assert!(replays_key(&hub).await);
    looked(&hub).await;
    assert_eq!(kept(&hub).await, [20, 20]);
    clock.advance(Duration::from_millis(HOUR));
    expired(&hub).await;
    let mut reader = Reader::after(&hub, "mark", Start::EARLIEST).await;
    assert!(
        !reader.available().await.is_empty(),
        "those of this hour are young"
    );
}

/// A wrong clock and a crash come together.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_within_the_hour_of_a_leap_believes_it_no_sooner() {
    let place = Place(Some(tempfile::tempdir().unwrap()));
    let (hub, clock) = place.start(NOW);
    fill(&hub).await;
    clock.leap(LEAP);
    looked(&hub).await;
    hub.drain().await;
    drop(hub);
    let (hub, _) = place.start(clock.now());
    looked(&hub).await;
    assert_eq!(kept(&hub).await, [20, 20]);
    assert!(replays_key(&hub).await);
}
