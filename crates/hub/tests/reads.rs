//! Reads that wait for a disk hold nobody up, and readers that are cut from outside.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::{future::poll_fn, task::Poll, time::Duration};

use support::{Reader, draft, ordered, publish, scripted::Scripted, topics};
use tidewire_hub::{
    Config, Cut, Encoding, Hub, Start, Subscribed,
    archive::{
        Memory, Retention,
        segments::{RealDisk, Segments, Settings},
    },
    stats::Departure,
};

/// No window, so that readers read the store.
fn config() -> Config {
    Config {
        window: 0,
        ..Config::default()
    }
}

fn over(archive: &Scripted) -> Hub {
    ordered::start(config(), archive.clone()).unwrap()
}

async fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Polls once.
async fn poll(reader: &mut Reader) -> Poll<Option<Result<(), Cut>>> {
    poll_fn(|cx| Poll::Ready(reader.subscription.poll_chunk(cx).map_ok(drop))).await
}

fn dismissed(hub: &Hub) -> u64 {
    let departures = hub.stats().departures;
    let of = |(why, _): &&(Departure, u64)| *why == Departure::Dismissed;
    departures.iter().find(of).unwrap().1
}

/// A reader of events that only the store has.
async fn behind(hub: &Hub) -> Reader {
    let start = hub.position().to_string();
    let reader = Reader::after(hub, "a", &start).await;
    for number in 0..3 {
        publish(hub, "a", &number.to_string()).await;
    }
    reader
}

#[tokio::test]
async fn while_the_disk_is_slow_all_else_goes_on_on_one_thread() {
    let archive = Scripted::new(true);
    let hub = over(&archive);
    let mut reader = behind(&hub).await;
    archive.hold_reads();
    assert!(poll(&mut reader).await.is_pending());
    until(|| archive.reading() == 1).await;
    // Nothing waits for the read: no publish, no registration, no count of readers.
    publish(&hub, "a", "3").await;
    let live = Reader::live(&hub, "a").await;
    assert_eq!(hub.stats().readers, 2);
    drop(live);
    assert!(poll(&mut reader).await.is_pending());
    assert_eq!(archive.reading(), 1, "a reader has one read at a time");
    archive.let_reads_go();
    assert_eq!(reader.available().await, ["0", "1", "2", "3"]);
}

#[tokio::test]
async fn reads_at_once_are_bounded_and_all_have_their_turn() {
    const READERS: usize = 50;
    const AT_ONCE: usize = 16;
    let archive = Scripted::new(true);
    let hub = over(&archive);
    let mut readers = Vec::new();
    let start = Start::After(hub.position().to_string());
    for _ in 0..READERS {
        readers.push(Reader::open(&hub, "a", &start).await);
    }
    publish(&hub, "a", "x").await;
    archive.hold_reads();
    for reader in &mut readers {
        assert!(poll(reader).await.is_pending());
    }
    until(|| archive.reading() == AT_ONCE).await;
    // Of those that have gone none takes a turn.
    readers.truncate(READERS - 10);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(archive.reading(), AT_ONCE);
    archive.let_reads_go();
    for reader in &mut readers {
        assert_eq!(reader.available().await, ["x"]);
    }
}

/// A client that takes nothing, or an owner that does something else: such a reader is not polled on.
#[tokio::test]
async fn readers_that_are_not_polled_hold_nobody_up() {
    let archive = Scripted::new(true);
    let hub = over(&archive);
    let start = Start::After(hub.position().to_string());
    let mut readers = Vec::new();
    for _ in 0..40 {
        readers.push(Reader::open(&hub, "a", &start).await);
    }
    publish(&hub, "a", "x").await;
    archive.hold_reads();
    for reader in &mut readers {
        assert!(poll(reader).await.is_pending());
    }
    archive.let_reads_go();
    let last = readers.last_mut().unwrap().available();
    let last = tokio::time::timeout(Duration::from_secs(60), last).await;
    assert_eq!(last.expect("it has its turn"), ["x"]);
}

#[tokio::test]
async fn a_hub_over_a_disk_works_inside_a_local_set() {
    let folder = tempfile::tempdir().unwrap();
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            let disk = std::sync::Arc::new(RealDisk::open(folder.path()).unwrap());
            let log = Segments::open(disk, Settings::default()).unwrap();
            let hub = ordered::start(config(), log).unwrap();
            let mut reader = behind(&hub).await;
            assert_eq!(reader.available().await, ["0", "1", "2"]);
            assert_eq!(hub.kept(&topics("a")).await.unwrap().count, 3);
            assert_eq!(
                Reader::open(&hub, "a", &Start::Last(2)).await.available().await,
                ["1", "2"]
            );
            hub.drain().await;
        })
        .await;
}

#[tokio::test]
async fn a_reader_that_waits_is_woken_and_cut_and_no_other() {
    let hub = ordered::start(config(), Memory::new(Retention::default())).unwrap();
    let (mut cut, mut other) = (Reader::live(&hub, "a").await, Reader::live(&hub, "a").await);
    let cutter = cut.subscription.cutter();
    let mut waiting = tokio::task::JoinSet::new();
    waiting.spawn(async move {
        let next = cut.next().await;
        (next, cut)
    });
    tokio::task::yield_now().await;
    cutter.cut();
    cutter.clone().cut();
    let (next, mut cut) = waiting.join_next().await.unwrap().unwrap();
    assert_eq!(next, Some(Err(Cut::Dismissed)));
    publish(&hub, "a", "1").await;
    assert_eq!(
        cut.next().await,
        Some(Err(Cut::Dismissed)),
        "it gets nothing more"
    );
    assert_eq!(other.data().await, "1");
    drop(cut);
    assert_eq!(dismissed(&hub), 1);
    // Its slot has another reader now.
    let mut next = Reader::live(&hub, "a").await;
    cutter.cut();
    publish(&hub, "a", "2").await;
    assert_eq!(next.data().await, "2");
}

#[tokio::test]
async fn a_reader_in_the_midst_of_a_read_is_cut() {
    let archive = Scripted::new(true);
    let hub = over(&archive);
    let mut reader = behind(&hub).await;
    let cutter = reader.subscription.cutter();
    archive.hold_reads();
    let mut waiting = tokio::task::JoinSet::new();
    waiting.spawn(async move { reader.next().await });
    until(|| archive.reading() == 1).await;
    cutter.cut();
    // The read is held all the while.
    let next = waiting.join_next().await.unwrap().unwrap();
    assert_eq!(next, Some(Err(Cut::Dismissed)));
    archive.let_reads_go();
    assert_eq!(hub.stats().readers, 0);
}

#[tokio::test]
async fn one_that_is_cut_before_it_begins_gets_no_notice_of_a_gap_either() {
    let hub = ordered::start(config(), Memory::new(Retention::default())).unwrap();
    publish(&hub, "a", "1").await;
    let mut reader = Reader::after(&hub, "a", "unknown").await;
    reader.subscription.cutter().cut();
    assert_eq!(reader.next().await, Some(Err(Cut::Dismissed)));
}

#[tokio::test]
async fn one_that_has_read_its_end_has_ended_and_what_is_gone_is_not_cut() {
    let hub = ordered::start(config(), Memory::new(Retention::default())).unwrap();
    let mut reader = Reader::live(&hub, "a").await;
    let cutter = reader.subscription.cutter();
    hub.append(draft("a", "last").and_end()).await.unwrap();
    assert_eq!(reader.read_to_end().await, ["last"]);
    cutter.cut();
    assert_eq!(reader.next().await, None, "an end stays an end");
    drop(reader);
    cutter.cut();
    assert_eq!(dismissed(&hub), 0);
}

#[tokio::test]
async fn a_cutter_keeps_no_hub() {
    let archive = Scripted::new(false);
    let hub = over(&archive);
    let subscribed = hub
        .subscribe(topics("a"), &Start::Live, Encoding::EventStream)
        .await;
    let Subscribed::Open(subscription) = subscribed.unwrap() else {
        panic!("ended");
    };
    let cutter = subscription.cutter();
    drop((subscription, hub));
    until(|| archive.handles() == 1).await;
    cutter.cut();
}
