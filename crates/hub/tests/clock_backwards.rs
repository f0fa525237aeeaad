//! A clock that is set back, while the hub runs and between two runs: the times of records never go back, what is young is kept, and what is old
//! goes when the clock has come as far again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod support;

use std::{sync::Arc, time::Duration};

use support::{Reader, publish, topics};
use tidewire_hub::{
    Clock, Config, Hub, Millis, Seq, Start,
    archive::{
        Reads as _, Retention, Store as _,
        segments::{RealDisk, Segments, Settings},
    },
};

const HOUR: Millis = 60 * 60 * 1000;
const DAY: Millis = 24 * HOUR;

/// Events are kept for an hour, in segments of a few events each.
fn open(folder: &tempfile::TempDir) -> Segments {
    let settings = Settings {
        segment_bytes: 300,
        retention: Retention {
            max_age: Some(Duration::from_millis(HOUR)),
            ..Retention::default()
        },
        ..Settings::default()
    };
    Segments::open(Arc::new(RealDisk::open(folder.path()).unwrap()), settings).unwrap()
}

fn start(folder: &tempfile::TempDir, now: Millis) -> (Hub, Clock) {
    let clock = Clock::manual(now);
    let config = Config {
        clock: clock.clone(),
        ..Config::default()
    };
    (support::ordered::start(config, open(folder)).unwrap(), clock)
}

fn set_back(clock: &Clock, by: Millis) {
    clock.leap(-by.cast_signed());
}

async fn kept(hub: &Hub) -> Vec<String> {
    let mut reader = Reader::after(hub, "a", Start::EARLIEST).await;
    reader.available().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_loses_nothing_and_brings_no_time_back() {
    let folder = tempfile::tempdir().unwrap();
    let began = 100 * DAY;
    let (hub, clock) = start(&folder, began);
    let mut wanted = Vec::new();
    let mut put = async |hub: &Hub, count| {
        for _ in 0..count {
            wanted.push(wanted.len().to_string());
            publish(hub, "a", wanted.last().unwrap()).await;
        }
        assert_eq!(kept(hub).await, wanted);
    };
    put(&hub, 20).await;
    set_back(&clock, 50 * DAY);
    assert_eq!(clock.now(), 50 * DAY);
    put(&hub, 20).await;
    hub.drain().await;
    drop(hub);

    // And further back while it was not running.
    let (hub, clock) = start(&folder, 10 * DAY);
    put(&hub, 20).await;
    hub.drain().await;
    drop(hub);
    let log = open(&folder);
    let read = log
        .scan(&topics("a"), Seq::ZERO, Seq(u64::MAX), usize::MAX)
        .unwrap();
    assert_eq!(read.records.len(), 60);
    assert!(
        read.records.iter().all(|record| record.time == began),
        "time stood still"
    );
    assert_eq!(log.history().time, began);
    drop(log);

    // It is set right, and time goes on: what came meanwhile is as old as what came before.
    let (hub, _) = start(&folder, began + HOUR / 2);
    put(&hub, 1).await;
    hub.drain().await;
    drop((hub, clock));
    let (hub, clock) = start(&folder, began + HOUR + 1);
    publish(&hub, "a", "last").await;
    let left = kept(&hub).await;
    assert!(
        left.len() < 20 && left.ends_with(&["60".into(), "last".into()]),
        "{left:?}"
    );
    drop(clock);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_far_ahead_lets_go_late_and_never_early() {
    let folder = tempfile::tempdir().unwrap();
    let (hub, _clock) = start(&folder, 1_000 * DAY);
    for data in ["1", "2", "3"] {
        publish(&hub, "a", data).await;
    }
    hub.drain().await;
    drop(hub);
    for day in [10, 20, 30] {
        let (hub, clock) = start(&folder, day * DAY);
        publish(&hub, "a", "more").await;
        clock.advance(Duration::from_millis(5 * DAY));
        publish(&hub, "a", "more").await;
        assert_eq!(kept(&hub).await.len() as u64, 3 + day / 5);
        hub.drain().await;
    }
}
