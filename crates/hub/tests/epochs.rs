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
    Config, Draft, Encoding, Entry, Epoch, GapReason, Hub, IdempotencyKey, Record, Resume, Seq, Start,
    Subscribed,
    archive::{
        AppendError, Reads as _, Store as _,
        segments::{Disk, Segments, Settings, inspect::ReadOnly},
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

/// Appends an event, as the first of an epoch.
fn append_first(log: &Segments, epoch: Epoch, seq: u64) -> Result<(), AppendError> {
    let note = Record {
        seq: Seq(seq),
        time: 0,
        entry: Entry::Epoch(epoch),
    };
    log.append(&batch([note, event(seq, "a")]))
}

#[tokio::test]
async fn each_opening_begins_an_epoch_and_one_without_a_record_is_replaced() {
    let mut disk = SimDisk::new(1);
    let mut kept = Vec::new();
    for count in [0, 2, 0, 0, 1, 3] {
        let hub = Hub::start(Config::default(), open(&disk)).unwrap();
        let ids = publish(&hub, count).await;
        hub.drain().await;
        drop(hub);
        disk = disk.kill();
        let now = epochs(&open(&disk));
        assert_eq!(now[..kept.len()], kept[..]);
        assert_eq!(
            now.len() - kept.len(),
            count.min(1),
            "{now:?} after {count} records"
        );
        if let (Some(first), Some((epoch, seq))) = (ids.first(), now.last()) {
            assert_eq!(*first, format!("~{epoch}-{}", seq.0));
        }
        kept = now;
    }
}

#[test]
fn the_bound_drops_the_oldest_epochs() {
    let mut disk = SimDisk::new(1);
    let mut all = Vec::new();
    for seq in 1..=1_030 {
        let epoch = Epoch::random().unwrap();
        append_first(&open(&disk), epoch, seq).unwrap();
        all.push((epoch, Seq(seq)));
        disk = disk.kill();
    }
    assert_eq!(epochs(&open(&disk)), all[all.len() - 1_024..]);
}

#[test]
fn a_log_on_a_full_disk_is_opened_and_read_and_its_epoch_waits_for_room() {
    let mut disk = SimDisk::new(1);
    let [first, second] = [Epoch::random().unwrap(), Epoch::random().unwrap()];
    append_first(&open(&disk), first, 1).unwrap();
    disk = disk.kill();
    disk.set_room(Some(disk.used()));
    let log = open(&disk);
    let read = || {
        log.scan(&topics("a"), Seq::ZERO, Seq(u64::MAX), usize::MAX)
            .unwrap()
    };
    assert_eq!(seqs(&read().records), [1]);
    let full = append_first(&log, second, 2);
    assert!(matches!(full, Err(AppendError::Full(_))), "{full:?}");
    disk.set_room(None);
    append_first(&log, second, 3).unwrap();
    assert_eq!(seqs(&read().records), [1, 3]);
    let again = epochs(&open(&disk.kill()));
    assert_eq!(again, [(first, Seq(1)), (second, Seq(2))]);
}

async fn publish(hub: &Hub, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let draft = Draft::event(topics("a"), Event::new("x")).unwrap();
        ids.push(hub.append(draft).await.unwrap().id.as_str().to_owned());
    }
    ids
}

async fn resume(hub: &Hub, cursor: &str) -> Result<(), GapReason> {
    let start = Start::After(cursor.into());
    let subscribed = hub.subscribe(topics("a"), &start, Encoding::EventStream).await;
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
        let check = async |hub: &Hub| {
            assert_eq!(resume(hub, &ids[111]).await, Ok(()));
            for lost in [&ids[112], &ids[250], &ids[399]] {
                assert_eq!(resume(hub, lost).await, Err(GapReason::Reset), "{lost}");
            }
        };
        check(&hub).await;
        let new = publish(&hub, 600).await;
        check(&hub).await;
        let given: BTreeSet<_> = ids.iter().chain(&new).collect();
        assert_eq!(given.len(), ids.len() + new.len(), "an id stands for two events");

        // Also where that copy is put back once more.
        drop(hub);
        let hub = start(&copy.kill());
        check(&hub).await;
        assert_eq!(resume(&hub, &new[599]).await, Ok(()));
    }
}

/// An export gave keys ids of the epoch that the last snapshot knew.
#[tokio::test]
async fn what_is_carried_elsewhere_of_a_key_has_the_id_that_was_given() {
    let mut disk = SimDisk::new(1);
    let mut given = Vec::new();
    for number in 0..3 {
        let hub = Hub::start(Config::default(), open(&disk)).unwrap();
        let key = IdempotencyKey::new(&format!("k{number}")).unwrap();
        let draft = Draft::event(topics("a"), Event::new("x")).unwrap();
        given.push(hub.append(draft.with_key(key, 0)).await.unwrap().id);
        if number == 0 {
            hub.drain().await;
        }
        drop(hub);
        disk = disk.kill();
    }
    let disk: Arc<dyn Disk> = Arc::new(disk);
    let memory = ReadOnly::open(&disk).unwrap().memory().unwrap();
    let ids: Vec<_> = memory.keys.into_iter().map(|key| key.first.1).collect();
    assert_eq!(ids, given);
}
