//! Whose numbers a log gives out: each opening begins an epoch, and a cursor counts as far as its epoch goes in this log.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]
#![allow(dead_code, unreachable_pub, reason = "it uses a part of what judges archives")]

#[path = "../../log/tests/segments/records.rs"]
mod records;
#[path = "../../log/tests/segments/sim/mod.rs"]
mod sim;

use std::{collections::BTreeSet, sync::Arc};

use tidewire_codec::Event;
use tidewire_hub::{
    Config, Draft, Encoding, Epoch, GapReason, Hub, Resume, Seq, Start, Subscribed,
    archive::{
        AppendError, Archive as _,
        segments::{Segments, Settings},
    },
};

use crate::{
    records::{batch, event, seqs, topics},
    sim::SimDisk,
};

fn open(disk: &SimDisk) -> Segments {
    let settings = Settings {
        segment_bytes: 16_000,
        ..Settings::default()
    };
    Segments::open(Arc::new(disk.clone()), settings).unwrap()
}

fn epochs(log: &Segments) -> Vec<(Epoch, Seq)> {
    log.history().epochs
}

fn append(log: &Segments, seq: u64) {
    log.append(&batch([event(seq, "a")])).unwrap();
}

#[test]
fn each_opening_begins_an_epoch_and_one_without_a_record_is_replaced() {
    let mut disk = SimDisk::new(1);
    let first = epochs(&open(&disk));
    disk = disk.kill();
    let log = open(&disk);
    let second = epochs(&log);
    assert_ne!(first, second, "nobody published in the first");
    append(&log, 1);
    append(&log, 2);
    log.close();
    disk = disk.kill();
    let log = open(&disk);
    let [kept, new] = epochs(&log)[..] else {
        panic!("{:?}", epochs(&log));
    };
    assert_eq!(
        (kept, new.1),
        (second[0], Seq(3)),
        "it was closed in order, and yet"
    );
    disk = disk.kill();
    let [still, newer] = epochs(&open(&disk))[..] else {
        panic!("not two");
    };
    assert_eq!((still, newer.1), (kept, Seq(3)));
    assert_ne!(newer.0, new.0, "it is never used again");
}

#[test]
fn only_epochs_with_records_count_against_the_bound_and_the_oldest_go() {
    let mut disk = SimDisk::new(1);
    append(&open(&disk), 1);
    let mut unused = BTreeSet::new();
    for _ in 0..1_100 {
        disk = disk.kill();
        let log = open(&disk);
        assert_eq!(epochs(&log).len(), 2);
        unused.insert(epochs(&log)[1].0.to_string());
    }
    assert_eq!(unused.len(), 1_100, "each has a name of its own");
    let mut names = vec![epochs(&open(&disk.kill()))[0]];
    for seq in 2..=1_030 {
        disk = disk.kill();
        let log = open(&disk);
        names.push(*epochs(&log).last().unwrap());
        append(&log, seq);
    }
    let kept = epochs(&open(&disk.kill()));
    assert_eq!(kept.len(), 1_024);
    assert_eq!(kept[..1_023], names[names.len() - 1_023..]);
}

#[test]
fn a_log_on_a_full_disk_is_opened_and_read_and_its_epoch_waits_for_room() {
    let mut disk = SimDisk::new(1);
    append(&open(&disk), 1);
    disk = disk.kill();
    disk.set_room(Some(disk.used()));
    let log = open(&disk);
    let read = || {
        log.scan(&topics("a"), Seq::ZERO, Seq(u64::MAX), usize::MAX)
            .unwrap()
    };
    assert_eq!(seqs(&read().records), [1]);
    let full = log.append(&batch([event(2, "a")]));
    assert!(matches!(full, Err(AppendError::Full(_))), "{full:?}");
    disk.set_room(None);
    append(&log, 3);
    let given = epochs(&log);
    assert_eq!(seqs(&read().records), [1, 3]);
    let again = epochs(&open(&disk.kill()));
    assert_eq!(again[..2], given[..]);
}

async fn publish(hub: &Hub, count: u64) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let draft = Draft::event(topics("a"), Event::new("x")).unwrap();
        ids.push(hub.append(draft).await.unwrap().id.as_str().to_owned());
    }
    ids
}

fn resume(hub: &Hub, cursor: &str) -> Result<(), GapReason> {
    let start = Start::After(cursor.into());
    let subscribed = hub.subscribe(topics("a"), &start, Encoding::EventStream);
    let Ok(Subscribed::Open(subscription)) = subscribed else {
        panic!("{subscribed:?}");
    };
    match subscription.resume() {
        Resume::Gap(gap) => Err(gap.reason),
        _ => Ok(()),
    }
}

/// The case of the field: what came after the copy was made is told to be lost, and no id is given twice.
#[tokio::test]
async fn an_older_copy_that_was_put_back_gives_no_number_out_again() {
    for was_closed in [true, false] {
        let disk = SimDisk::new(1);
        let start = |disk: &SimDisk| Hub::start(Config::default(), open(disk)).unwrap();
        let hub = start(&disk);
        let mut ids = publish(&hub, 112).await;
        let (copy, hub, disk) = match was_closed {
            true => {
                hub.drain().await;
                drop(hub);
                let disk = disk.kill();
                (disk.copy(), start(&disk), disk)
            }
            false => (disk.copy(), hub, disk),
        };
        ids.extend(publish(&hub, 288).await);
        drop((hub, disk));

        let hub = start(&copy);
        let check = |hub: &Hub| {
            assert_eq!(resume(hub, &ids[111]), Ok(()));
            for lost in [&ids[112], &ids[250], &ids[399]] {
                assert_eq!(resume(hub, lost), Err(GapReason::Reset), "{lost}");
            }
        };
        check(&hub);
        let new = publish(&hub, 600).await;
        check(&hub);
        let given: BTreeSet<_> = ids.iter().chain(&new).collect();
        assert_eq!(given.len(), ids.len() + new.len(), "an id stands for two events");

        // Also where that copy is put back once more.
        drop(hub);
        let hub = start(&copy.kill());
        check(&hub);
        assert_eq!(resume(&hub, &new[599]), Ok(()));
    }
}
