//! What one namespace publishes does not crowd out the history of another.

use std::sync::Arc;

use tidewire_codec::Event;
use tidewire_log::{
    Namespace, Seq, Topic, TopicSet,
    archive::{
        Memory, Reads as _, Retention, Store,
        segments::{Durability, Segments, Settings},
    },
};

use crate::{
    records::{batch, event_of, seqs},
    sim::SimDisk,
};

const MAX: usize = 40_000;
const SEGMENT: u64 = 2_000;

fn retention(max_events: Option<usize>) -> Retention {
    Retention {
        max_bytes: MAX,
        max_events,
        ..Retention::default()
    }
}

fn open(disk: &SimDisk, retention: &Retention) -> Box<dyn Store> {
    let settings = Settings {
        durability: Durability::Always,
        segment_bytes: SEGMENT,
        retention: retention.clone(),
    };
    Box::new(Segments::open(Arc::new(disk.clone()), settings).unwrap())
}

fn topics(namespace: Namespace, name: &str) -> TopicSet {
    Topic::new(namespace, name).unwrap().into()
}

/// Appends an event of so many bytes, as the hub does.
fn put(archive: &dyn Store, seq: u64, namespace: Namespace, bytes: usize) {
    let record = event_of(seq, topics(namespace, "a"), Event::new("x".repeat(bytes)));
    archive.append(&batch([record])).unwrap();
    if archive.wants_snapshot() {
        archive.snapshot(Seq(seq), b"state");
    }
    archive.trim(seq);
}

fn kept(archive: &dyn Store, namespace: Namespace) -> Vec<u64> {
    let scan = archive.scan(&topics(namespace, "a"), Seq::ZERO, Seq(u64::MAX), usize::MAX);
    seqs(&scan.unwrap().records)
}

fn other(namespace: Namespace) -> Namespace {
    match namespace {
        Namespace::Events => Namespace::Relay,
        _ => Namespace::Events,
    }
}

/// Ten events of `quiet`, then much of the other: the ten stay, and the last of the others.
fn flood(archive: &dyn Store, quiet: Namespace, count: u64) {
    (1..=10).for_each(|seq| put(archive, seq, quiet, 100));
    (11..11 + count).for_each(|seq| put(archive, seq, other(quiet), 1_000));
}

#[track_caller]
fn assert_fair(archive: &dyn Store, quiet: Namespace, count: u64) {
    assert_eq!(kept(archive, quiet), (1..=10).collect::<Vec<_>>(), "{quiet:?}");
    let loud = kept(archive, other(quiet));
    let last: Vec<_> = (11 + count - loud.len() as u64..11 + count).collect();
    assert_eq!(loud, last, "the oldest go first");
    assert!((5..40).contains(&loud.len()), "{} are kept", loud.len());
    let floor = archive
        .scan(&topics(other(quiet), "a"), Seq::ZERO, Seq(0), 0)
        .unwrap()
        .floors;
    assert_eq!(
        floor,
        [Seq(loud[0] - 1)].into_iter().collect(),
        "who needs them is told"
    );
}

#[test]
fn neither_crowds_out_the_other_in_memory() {
    for quiet in [Namespace::Events, Namespace::Relay] {
        for max_events in [None, Some(30)] {
            let archive = Memory::new(retention(max_events));
            flood(&archive, quiet, 300);
            assert_fair(&archive, quiet, 300);
            assert!(archive.held().bytes <= MAX);
        }
    }
}

#[test]
fn neither_crowds_out_the_other_on_disk_nor_over_restarts() {
    for quiet in [Namespace::Events, Namespace::Relay] {
        for max_events in [None, Some(30)] {
            let retention = retention(max_events);
            let mut disk = SimDisk::new(1);
            let archive = open(&disk, &retention);
            flood(&*archive, quiet, 150);
            assert_fair(&*archive, quiet, 150);
            disk = disk.kill();
            let archive = open(&disk, &retention);
            assert_fair(&*archive, quiet, 150);
            (161..311).for_each(|seq| put(&*archive, seq, other(quiet), 1_000));
            assert_fair(&*archive, quiet, 300);
        }
    }
}

#[test]
fn the_room_of_what_is_gone_in_the_midst_comes_back() {
    let disk = SimDisk::new(1);
    let archive = open(&disk, &retention(None));
    flood(&*archive, Namespace::Events, 300);
    for seq in 311..400 {
        put(&*archive, seq, Namespace::Relay, 1_000);
        (0..3).for_each(|_| archive.compact(&|| true));
    }
    assert_fair(&*archive, Namespace::Events, 389);
    let (held, segments) = (
        archive.held().bytes,
        disk.files().iter().filter(|name| name.ends_with(".seg")).count(),
    );
    assert!(held < MAX * 5 / 4, "{held} bytes are on the disk");
    assert!(segments < 2 * MAX / 1_000, "{segments} segments are on the disk");
    let archive = open(&disk.kill(), &retention(None));
    assert_fair(&*archive, Namespace::Events, 389);
}

#[test]
fn what_one_does_not_use_the_other_may() {
    let archive = Memory::new(retention(None));
    (1..=300).for_each(|seq| put(&archive, seq, Namespace::Relay, 1_000));
    assert!(archive.held().bytes > MAX * 9 / 10);
    // When it is needed, it is given back.
    (301..=600).for_each(|seq| put(&archive, seq, Namespace::Events, 1_000));
    let counts = [Namespace::Events, Namespace::Relay].map(|namespace| kept(&archive, namespace).len());
    assert!(counts[0].abs_diff(counts[1]) <= 1, "{counts:?}");
}
