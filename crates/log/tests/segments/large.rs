//! Records and batches as large as they may be, larger than they may be, and more topics than anybody has.

use std::sync::Arc;

use tidewire_codec::{Event, EventId, EventName};
use tidewire_log::{
    Entry, IdempotencyKey, Namespace, Record, Seq, Topic, TopicSet,
    archive::{
        AppendError, Reads as _, Store as _,
        segments::{RealDisk, Segments, Settings},
    },
};

use crate::{
    records::{batch, event, seqs, topics},
    sim::SimDisk,
};

const ALL: Seq = Seq(u64::MAX);

fn open_small(disk: &SimDisk, segment_bytes: u64) -> Segments {
    let settings = Settings {
        segment_bytes,
        ..Settings::default()
    };
    Segments::open(Arc::new(disk.clone()), settings).unwrap()
}

/// An event of so many bytes, with as many topics as a server lets one publish to, each text as long as it may be.
fn largest(seq: u64, len: usize) -> Record {
    let names = (0..256).map(|number| format!("{number:03}{}", "t".repeat(Topic::MAX_LEN - 3)));
    let topics = names.map(|name| Topic::new(Namespace::Events, &name).unwrap());
    let mut event = Event::new("\u{1F30A}".repeat(len / 4));
    event.id = Some(EventId::new("i".repeat(256)).unwrap());
    event.name = Some(EventName::new("n".repeat(256)).unwrap());
    event.retry = Some(u64::MAX);
    Record {
        seq: Seq(seq),
        time: seq,
        entry: Entry::event(TopicSet::new(topics).unwrap(), event).with_key(Some((
            IdempotencyKey::new(&"k".repeat(IdempotencyKey::MAX_LEN)).unwrap(),
            u64::MAX,
        ))),
    }
}

/// 64 MiB is the bound. Without optimisation they take a minute.
const LARGEST: usize = if cfg!(debug_assertions) { 4 << 20 } else { 64 << 20 };

#[test]
fn a_record_as_large_as_the_bound_is_kept_over_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let disk = RealDisk::open(folder.path()).unwrap();
        Segments::open(
            Arc::new(disk),
            Settings {
                segment_bytes: 1 << 20,
                ..Settings::default()
            },
        )
        .unwrap()
    };
    let record = largest(2, LARGEST);
    let set = TopicSet::from(record.topics().iter().last().unwrap().clone());
    let id = record.event().unwrap().id.clone().unwrap();
    let log = open();
    log.append(&batch([event(1, "a")])).unwrap();
    let record = batch([record]);
    log.append(&record).unwrap();
    let check = |log: &Segments| {
        let scan = log.scan(&set, Seq::ZERO, ALL, 1).unwrap();
        assert!(scan.records.len() == 1 && scan.records[0] == record[0]);
        assert_eq!(log.find(&set, &id).unwrap(), Some(Seq(2)));
    };
    check(&log);
    drop(log); // As the one that is written.
    let log = open();
    check(&log);
    log.append(&batch([event(3, "a")])).unwrap();
    drop(log); // And as a sealed one.
    let log = open();
    check(&log);
    assert_eq!(
        seqs(&log.scan(&topics("a"), Seq::ZERO, ALL, 1 << 20).unwrap().records),
        [1, 3]
    );
}

#[test]
fn a_record_beyond_the_bound_is_refused_and_the_log_goes_on() {
    let disk = SimDisk::new(1);
    let open = |disk: &SimDisk| open_small(disk, 2_000);
    let log = open(&disk);
    for seq in [1, 10, 20] {
        for again in 0..2 {
            let refused = log.append(&batch([
                event(seq + again, "a"),
                largest(seq + again + 1, 80 << 20),
            ]));
            let Err(AppendError::Failed(why)) = refused else {
                panic!("{refused:?}");
            };
            assert!(why.to_string().contains("longer than a record may be"), "{why}");
        }
        log.append(&batch([event(seq + 5, "a")])).unwrap();
    }
    let check = |log: &Segments| {
        assert_eq!(
            seqs(
                &log.scan(&topics("a"), Seq::ZERO, ALL, usize::MAX)
                    .unwrap()
                    .records
            ),
            [6, 15, 25]
        );
    };
    check(&log);
    drop(log);
    check(&open(&disk.kill()));
}

#[test]
fn a_batch_longer_than_a_segment_has_one_of_its_own() {
    let disk = SimDisk::new(1);
    let open = |disk: &SimDisk| open_small(disk, 500);
    let log = open(&disk);
    log.append(&batch([event(1, "a")])).unwrap();
    log.append(&batch((2..=60).map(|seq| event(seq, "a b")))).unwrap();
    log.append(&batch([event(61, "b")])).unwrap();
    let check = |log: &Segments| {
        assert_eq!(
            seqs(
                &log.scan(&topics("a b"), Seq::ZERO, ALL, usize::MAX)
                    .unwrap()
                    .records
            ),
            (1..=61).collect::<Vec<_>>()
        );
    };
    check(&log);
    drop(log);
    let disk = disk.kill();
    let bases = disk
        .files()
        .into_iter()
        .filter(|name| name.ends_with(".seg"))
        .collect::<Vec<_>>();
    assert_eq!(bases, [1, 2, 61].map(|base| format!("log/{base:020}.seg")));
    check(&open(&disk));
}

#[test]
fn numbers_that_leap_further_than_a_segment_reaches_begin_another() {
    let disk = SimDisk::new(1);
    let open = |disk: &SimDisk| open_small(disk, 2_000);
    let leap = 1 << 31;
    let mut disk_now = disk;
    let mut wanted = Vec::new();
    // The first leap is one of an empty segment, and each comes after a restart as well.
    for number in 1..=3 {
        let log = open(&disk_now);
        for seq in [
            2 * number * leap,
            (2 * number + 1) * leap,
            (2 * number + 1) * leap + 1,
        ] {
            log.append(&batch([event(seq, "a")])).unwrap();
            wanted.push(seq);
            assert_eq!(
                seqs(
                    &log.scan(&topics("a"), Seq::ZERO, ALL, usize::MAX)
                        .unwrap()
                        .records
                ),
                wanted
            );
        }
        drop(log);
        disk_now = disk_now.kill();
    }
    let log = open(&disk_now);
    assert_eq!(
        seqs(
            &log.scan(&topics("a"), Seq::ZERO, ALL, usize::MAX)
                .unwrap()
                .records
        ),
        wanted
    );
    assert_eq!(log.history().last.0, *wanted.last().unwrap());
}
