//! Where a hub may start, and what its end leaves behind.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod support;

use std::{path::Path, sync::Arc};

use support::{Reader, publish, topics};
use tidewire_hub::{
    Config, Encoding, Hub, Start, StartError, Subscribed,
    archive::{
        Memory, Retention,
        segments::{RealDisk, Segments, Settings},
    },
};
use tokio::{runtime, task::LocalSet};

fn open(folder: &Path) -> Segments {
    Segments::open(Arc::new(RealDisk::open(folder).unwrap()), Settings::default()).unwrap()
}

/// The case of the field (C11): refused 25 of 50 times.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_may_be_opened_again_when_the_last_handle_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    for round in 1..=50 {
        let hub = Hub::start(Config::default(), open(folder.path())).unwrap();
        let position = publish(&hub, "a", "x").await;
        assert_eq!(position.0, round);
        let start = Start::After(Start::EARLIEST.into());
        let reading = hub.subscribe(topics("a"), &start, Encoding::EventStream).await;
        let Ok(Subscribed::Open(reading)) = reading else {
            panic!("{reading:?}");
        };
        // A handle, a clone and a reader, in either order; the log is drained or not.
        let clone = hub.clone();
        match round % 3 {
            0 => drop((hub, clone, reading)),
            1 => drop((reading, clone, hub)),
            _ => {
                hub.drain().await;
                drop((clone, reading, hub));
            }
        }
    }
}

/// What was enqueued when the last handle goes is kept, also if nobody waits for it.
#[tokio::test]
async fn the_end_of_a_hub_keeps_what_was_on_its_way() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::start(Config::default(), open(folder.path())).unwrap();
    let mut pending = Vec::new();
    for number in 0..100 {
        pending.push(
            hub.enqueue(support::draft("a", &number.to_string()))
                .await
                .unwrap(),
        );
    }
    drop(hub);
    for answer in pending {
        answer.await.unwrap();
    }
    let hub = Hub::start(Config::default(), open(folder.path())).unwrap();
    assert_eq!(hub.kept(&topics("a")).await.unwrap().count, 100);
}

async fn published_and_read(hub: Hub) {
    let mut live = Reader::live(&hub, "a").await;
    publish(&hub, "a", "1").await;
    assert_eq!(live.next().await.unwrap().unwrap().data, "1");
    let mut back = Reader::after(&hub, "a", Start::EARLIEST).await;
    assert_eq!(back.next().await.unwrap().unwrap().data, "1");
    hub.drain().await;
}

/// The case of the field (C12): it panicked.
#[test]
fn a_hub_works_in_a_local_set_on_either_runtime() {
    let runtimes = [
        runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap(),
        runtime::Builder::new_multi_thread().enable_all().build().unwrap(),
    ];
    for runtime in runtimes {
        let folder = tempfile::tempdir().unwrap();
        let local = LocalSet::new();
        local.block_on(&runtime, async {
            published_and_read(Hub::start(Config::default(), open(folder.path())).unwrap()).await;
            published_and_read(Hub::start(Config::default(), Memory::new(Retention::default())).unwrap())
                .await;
        });
    }
}

#[test]
fn outside_a_runtime_a_hub_says_so() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let started = Hub::start(Config::default(), open(folder.path()));
        assert!(matches!(started, Err(StartError::NoRuntime)));
    }
    let started = Hub::start(Config::default(), Memory::new(Retention::default()));
    assert!(matches!(started, Err(StartError::NoRuntime)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_open_says_that_this_process_has_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::start(Config::default(), open(folder.path())).unwrap();
    let disk = RealDisk::open(folder.path());
    let said = disk.err().unwrap().to_string();
    assert!(said.contains("this process"), "{said}");
    drop(hub);
}
