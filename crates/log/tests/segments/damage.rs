//! A log whose files were torn, changed or lost behind its back: what can be made anew is, what cannot is told.

use crate::records::Derived as _;
use std::{sync::Arc, time::Duration};

use fastrand::Rng;
use tidewire_log::{
    Entry, Namespace, Record, Seq, TopicSet,
    archive::{
        Reads as _, Retention, Rule, Rules, Store as _,
        segments::{
            Disk, Durability, OpenError, Segments, Settings,
            inspect::{Gravity, ReadOnly, verify},
        },
    },
};

use crate::{
    model::Model,
    records::{batch, epoch, event, event_with_id, forget, id, purge, seqs, topics},
    second,
    sim::SimDisk,
};

const ALL: Seq = Seq(u64::MAX);

fn open(disk: &SimDisk) -> Result<Segments, OpenError> {
    let settings = Settings {
        durability: Durability::Always,
        segment_bytes: 2_000,
        retention: Retention {
            max_events: Some(100),
            ..Retention::default()
        },
    };
    Segments::open(Arc::new(disk.clone()), settings)
}

fn put(log: &Segments, seq: u64) {
    let names = ["a", "b", "a b"][usize::try_from(seq % 3).unwrap()];
    let given = format!("id{}", seq % 5);
    log.append(&batch([event_with_id(seq, names, &given)])).unwrap();
}

/// A log of several segments, from which something was let go and something was purged.
fn grown() -> (SimDisk, Model) {
    let disk = SimDisk::new(1);
    let log = open(&disk).unwrap();
    for seq in 1..=200 {
        put(&log, seq);
    }
    // Twice: files leave only when both snapshots know what was in them.
    log.snapshot(Seq(200), b"what was remembered");
    log.snapshot(Seq(200), b"what was remembered");
    log.trim(0);
    log.append(&batch([event(201, "c"), purge(202, "c"), event(203, "c")]))
        .unwrap();
    log.purge(&topics("c"), Seq(202)).unwrap();
    log.snapshot(Seq(203), b"what is remembered");
    put(&log, 204);
    log.compact(&|| false);
    let read = |names| {
        log.scan(&topics(names), Seq::ZERO, ALL, usize::MAX)
            .unwrap()
            .records
    };
    let mut model = Model::default();
    model.append(&read("a b c"));
    for (name, topic) in ["a", "b", "c"].map(|name| (name, crate::records::topic(name))) {
        let gone = (1..200).rev().find(|seq| {
            let is_in = [seq % 3 == 0 || seq % 3 == 2, seq % 3 > 0, false];
            let at = usize::from(name.as_bytes()[0] - b'a');
            is_in[at] && *seq < read("a b")[0].seq.0
        });
        model.gone.insert(topic, Seq(gone.unwrap_or(201)));
    }
    let ids: Vec<_> = (0..5).map(|number| id(&format!("id{number}"))).collect();
    model.check(&log, &mut Rng::with_seed(1), &ids);
    (disk.kill(), model)
}

fn check(model: &Model, log: &Segments) {
    let ids: Vec<_> = (0..5).map(|number| id(&format!("id{number}"))).collect();
    for seed in 0..20 {
        model.check(log, &mut Rng::with_seed(seed), &ids);
    }
}

fn files(disk: &SimDisk, end: &str) -> Vec<String> {
    let mut files = disk.files();
    files.retain(|name| name.ends_with(end));
    files
}

fn flip(disk: &SimDisk, name: &str, at: usize) {
    let mut bytes = disk.bytes(name);
    bytes[at] ^= 0x10;
    disk.put(name, &bytes);
}

#[test]
fn an_index_that_is_missing_or_damaged_is_made_anew() {
    let (disk, model) = grown();
    let indexes = files(&disk, ".idx");
    assert!(indexes.len() > 3);
    disk.take(&indexes[0]);
    flip(&disk, &indexes[1], 7);
    disk.put(&indexes[2], &disk.bytes(&indexes[3]));
    check(&model, &open(&disk).unwrap());
    assert_eq!(files(&disk, ".idx"), indexes);
    check(&model, &open(&disk.kill()).unwrap());
}

#[test]
fn without_the_list_of_topics_floors_are_never_too_low() {
    for is_missing in [true, false] {
        let (disk, mut model) = grown();
        match is_missing {
            true => disk.take("topics"),
            false => flip(&disk, "topics", 100),
        }
        model.loose = Some(model.last);
        let log = open(&disk).unwrap();
        check(&model, &log);
        assert_eq!(log.history().last, Seq(204));
        drop(log);
        check(&model, &open(&disk.kill()).unwrap());
    }
}

#[test]
fn a_damaged_snapshot_is_passed_over() {
    let (disk, model) = grown();
    let log = open(&disk).unwrap();
    assert_eq!(
        log.history().snapshot,
        Some((Seq(203), b"what is remembered".to_vec()))
    );
    drop(log);
    let disk = disk.kill();
    for name in files(&disk, ".snap") {
        flip(&disk, &name, 20);
    }
    let older = open(&disk).unwrap().history().snapshot;
    assert_eq!(older, Some((Seq(200), b"what was remembered".to_vec())));
    let disk = disk.kill();
    for name in files(&disk, ".copy") {
        flip(&disk, &name, 20);
    }
    let log = open(&disk).unwrap();
    assert_eq!(log.history().snapshot, None);
    check(&model, &log);
    let mut told = Vec::new();
    log.replay(Seq(200), &mut |record| told.push(record.seq.0))
        .unwrap();
    assert_eq!(told, [201, 202, 203, 204]);
}

#[test]
fn a_flipped_bit_in_a_sealed_segment_is_told_and_never_passed_over() {
    let (disk, _) = grown();
    let name = files(&disk, ".seg").remove(1);
    for at in (64..disk.bytes(&name).len()).step_by(37) {
        let disk = disk.kill();
        flip(&disk, &name, at);
        for index in files(&disk, ".idx") {
            disk.take(&index); // So that the whole segment is read.
        }
        let Err(OpenError::Damaged(why)) = open(&disk).map(drop) else {
            panic!("a flipped bit at {at} was not found");
        };
        assert!(why.contains(&name) && why.contains("at byte"), "{why}");
    }
}

#[test]
fn damage_in_the_last_segment_is_told_where_it_was_safe() {
    let disk = SimDisk::new(1);
    let log = open(&disk).unwrap();
    (1..=5).for_each(|seq| put(&log, seq));
    let disk = disk.kill();
    let name = files(&disk, ".seg").remove(0);
    let bytes = disk.bytes(&name);
    let flipped = |at| {
        let disk = disk.kill();
        flip(&disk, &name, at);
        let opened = open(&disk).map(|log| log.history().last.0);
        (opened, disk.bytes(&name))
    };
    let (opened, left) = flipped(120);
    let why = opened.unwrap_err().to_string();
    assert!(why.contains(&name) && why.contains("at byte 104"), "{why}");
    let changed = left.iter().zip(&bytes).filter(|(a, b)| a != b).count();
    assert_eq!((changed, left.len()), (1, bytes.len()), "nothing was changed");
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    assert_eq!(
        flipped(end).0.unwrap(),
        4,
        "what stands last may just as well be torn"
    );
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_off_and_the_log_goes_on() {
    let disk = SimDisk::new(1);
    let log = open(&disk).unwrap();
    (1..=3).for_each(|seq| put(&log, seq));
    let disk = disk.kill();
    let name = files(&disk, ".seg").remove(0);
    let before = disk.bytes(&name);
    let start = before.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let log = open(&disk).unwrap();
    put(&log, 4);
    drop(log);
    let disk = disk.kill();
    let whole = disk.bytes(&name);
    let end = whole.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let fills: [fn(usize) -> u8; 3] = [|_| 0, |_| 0xff, |at| u8::try_from(at * 37 % 251).unwrap()];
    for torn in start..end {
        for (number, fill) in fills.iter().enumerate() {
            let disk = disk.kill();
            let mut bytes = whole.clone();
            bytes[torn..end]
                .iter_mut()
                .enumerate()
                .for_each(|(at, byte)| *byte = fill(at));
            if number == 0 && torn % 2 == 0 {
                bytes.truncate(torn);
            }
            let is_whole = bytes.get(..end) == Some(&whole[..end]);
            disk.put(&name, &bytes);
            let log = open(&disk).unwrap();
            let last = log.history().last;
            assert_eq!(last, Seq(if is_whole { 4 } else { 3 }), "torn at {torn}");
            put(&log, last.next().0);
            let read = log
                .scan(&topics("a b"), Seq::ZERO, ALL, usize::MAX)
                .unwrap()
                .records;
            assert_eq!(seqs(&read), (1..=last.next().0).collect::<Vec<_>>());
        }
    }
}

#[test]
fn segments_without_meta_or_of_another_log_are_refused() {
    let (disk, _) = grown();
    let without = disk.kill();
    without.take("meta");
    let why = open(&without).map(drop).unwrap_err().to_string();
    assert!(why.contains("meta"), "{why}");

    let (other, _) = grown();
    let disk = without.kill();
    disk.put("meta", &other.bytes("meta"));
    let why = open(&disk).map(drop).unwrap_err().to_string();
    assert!(why.contains("another log"), "{why}");
}

#[test]
fn a_log_that_could_not_be_synced_is_not_closed_as_whole() {
    for durability in [Durability::Never, Durability::Interval(Duration::from_secs(3600))] {
        let open = |disk: &SimDisk| {
            let settings = Settings {
                durability,
                ..Settings::default()
            };
            Segments::open(Arc::new(disk.clone()), settings).unwrap()
        };
        let disk = SimDisk::new(1);
        let log = open(&disk);
        put(&log, 1);
        disk.fail_sync(1);
        // No append has failed, so whoever ends the server closes the log.
        log.snapshot(Seq(1), b"what is remembered");
        assert!(disk.has_failed());
        log.close();
        let meta = second::meta(&[("meta".into(), disk.bytes("meta"))].into());
        assert!(!meta.is_whole, "what was acknowledged may be lost");
    }
}

/// Linux shows what it could not write until somebody needs the memory; it never tries again by itself.
#[test]
fn what_a_failed_sync_has_lost_is_written_again_also_if_the_disk_was_full() {
    for seed in 0..20 {
        let open = |disk: &SimDisk| {
            let settings = Settings {
                durability: Durability::Never,
                ..Settings::default()
            };
            Segments::open(Arc::new(disk.clone()), settings).unwrap()
        };
        let disk = SimDisk::new(seed);
        let log = open(&disk);
        put(&log, 1);
        disk.set_room(Some(disk.used()));
        disk.fail_sync(1);
        log.snapshot(Seq(1), b"what is remembered");
        drop(log);
        let disk = disk.kill();
        disk.set_room(None);
        let log = open(&disk);
        let last = log.history().last.next();
        put(&log, last.0);
        log.snapshot(last, b"what is remembered"); // Which syncs.
        assert!(!disk.has_failed());
        drop(log);
        let log = open(&disk.crash(&mut Rng::with_seed(seed)));
        assert_eq!(log.history().last, last, "under seed {seed}");
        let read = log
            .scan(&topics("a b"), Seq::ZERO, ALL, usize::MAX)
            .unwrap()
            .records;
        assert_eq!(seqs(&read), (1..=last.0).collect::<Vec<_>>());
    }
}

#[test]
fn a_snapshot_that_was_found_once_is_found_again() {
    for seed in 0..20 {
        let disk = SimDisk::new(seed);
        let log = open(&disk).unwrap();
        put(&log, 1);
        log.snapshot(Seq(1), b"first");
        put(&log, 2);
        disk.fail_sync(2); // That of the folder, after the file's.
        log.snapshot(Seq(2), b"second");
        assert!(disk.has_failed());
        drop(log);
        let disk = disk.kill();
        let found = open(&disk).unwrap().history().snapshot;
        assert_eq!(found, Some((Seq(2), b"second".to_vec())));
        let disk = disk.crash(&mut Rng::with_seed(seed));
        assert_eq!(
            open(&disk).unwrap().history().snapshot,
            found,
            "under seed {seed}"
        );
    }
}

/// What a reader gets from the beginning, and before which records it is told of damage.
fn read_told(log: &Segments, names: &str) -> (Vec<u64>, Vec<u64>) {
    let (mut records, mut told, mut after) = (Vec::new(), Vec::new(), Seq::ZERO);
    while after < log.history().last {
        let scan = log.scan(&topics(names), after, log.history().last, 1).unwrap();
        if scan.is_damaged {
            told.extend(scan.records.first().map(|record| record.seq.0));
        }
        records.extend(seqs(&scan.records));
        after = scan.through;
    }
    (records, told)
}

/// A log of three topics: `a` and `b` in turn, and `c` only now and then. Nothing is let go.
fn three_topics() -> SimDisk {
    let disk = SimDisk::new(1);
    let log = open_all(&disk).unwrap();
    for seq in 1..=90 {
        let name = match seq {
            10 | 80 => "c",
            _ if seq % 2 == 0 => "a",
            _ => "b",
        };
        log.append(&batch([event(seq, name)])).unwrap();
    }
    log.snapshot(Seq(90), b"what is remembered");
    drop(log);
    disk.kill()
}

fn open_all(disk: &SimDisk) -> Result<Segments, OpenError> {
    let settings = Settings {
        segment_bytes: 2_000,
        ..Settings::default()
    };
    Segments::open(Arc::new(disk.clone()), settings)
}

/// The numbers of a segment's records.
fn numbers(disk: &SimDisk, name: &str) -> std::ops::RangeInclusive<u64> {
    let base = |name: &String| name[4..24].parse::<u64>().unwrap();
    let segments = files(disk, ".seg");
    let at = segments.iter().position(|other| other == name).unwrap();
    base(&segments[at])..=base(&segments[at + 1]) - 1
}

#[test]
fn readers_over_a_missing_segment_are_told_and_others_are_not() {
    let disk = three_topics();
    let segment = files(&disk, ".seg").remove(1);
    let lost = numbers(&disk, &segment);
    assert!(!lost.contains(&10) && lost.end() < &80, "{lost:?}");
    let of = |name: &str| {
        let all = (1..=90).filter(|seq| match name {
            "c" => [10, 80].contains(seq),
            "a" => seq % 2 == 0 && ![10, 80].contains(seq),
            _ => seq % 2 == 1,
        });
        all.collect::<Vec<u64>>()
    };
    disk.take(&segment);
    for round in 0..2 {
        let log = open_all(&disk).unwrap();
        assert_eq!(log.damaged(), 1, "round {round}");
        for name in ["a", "b"] {
            let (records, told) = read_told(&log, name);
            let left: Vec<_> = of(name).into_iter().filter(|seq| !lost.contains(seq)).collect();
            let behind = left.iter().find(|seq| *seq > lost.end()).unwrap();
            assert_eq!(
                (records, told),
                (left.clone(), vec![*behind]),
                "round {round}: {name}"
            );
        }
        assert_eq!(read_told(&log, "c"), (of("c"), vec![]));
        assert!(log.count(&topics("a b c"), ALL).is_ok());
        drop(log);
    }
}

#[test]
fn a_missing_segment_without_its_index_is_a_gap_for_all_who_come_over_it() {
    let disk = three_topics();
    let segment = files(&disk, ".seg").remove(1);
    let lost = numbers(&disk, &segment);
    disk.take(&segment);
    disk.take(&segment.replace(".seg", ".idx"));
    let log = open_all(&disk).unwrap();
    assert_eq!(log.damaged(), 1);
    let scan = log.scan(&topics("a b"), Seq::ZERO, ALL, usize::MAX).unwrap();
    let left: Vec<u64> = (1..=90)
        .filter(|seq| ![10, 80].contains(seq) && !lost.contains(seq))
        .collect();
    assert_eq!(seqs(&scan.records), left);
    assert_eq!(
        scan.floors.highest(),
        Seq(*lost.end()),
        "who was in front of it has missed something"
    );
}

#[test]
fn a_missing_first_segment_is_missed_where_retention_did_not_let_it_go() {
    let disk = three_topics();
    for name in [".seg", ".idx"].map(|end| files(&disk, end).remove(0)) {
        disk.take(&name);
    }
    let first: u64 = files(&disk, ".seg")[0][4..24].parse().unwrap();
    for _ in 0..2 {
        let log = open_all(&disk).unwrap();
        assert_eq!(log.damaged(), 1);
        let scan = log.scan(&topics("a b"), Seq::ZERO, ALL, usize::MAX).unwrap();
        assert_eq!(seqs(&scan.records)[0], first);
        assert_eq!(scan.floors.highest(), Seq(first - 1));
    }
}

/// Topics that are forgotten do not say any more how far a purge went that was let go with them.
#[test]
fn purges_that_were_let_go_are_not_missed() {
    let disk = SimDisk::new(1);
    let log = open(&disk).unwrap();
    let forget_idle = |seq: u64| {
        if let Ok(idle) = TopicSet::new(log.idle(9)) {
            log.append(&batch([forget(seq, idle.clone(), seq - 1)])).unwrap();
            log.forget(&idle, Seq(seq - 1));
        }
    };
    for seq in (1..=397).step_by(3) {
        log.append(&batch([event(seq, "z")])).unwrap();
        log.append(&batch([purge(seq + 1, "z")])).unwrap();
        log.purge(&topics("z"), Seq(seq + 1)).unwrap();
        forget_idle(seq + 2);
    }
    for seq in (400..=800).step_by(2) {
        log.append(&batch([event(seq, "a")])).unwrap();
        log.snapshot(Seq(seq), b"what is remembered");
        log.snapshot(Seq(seq), b"what is remembered");
        log.trim(0);
        forget_idle(seq + 1);
        let first: u64 = files(&disk, ".seg")[0][4..24].parse().unwrap();
        if first > 1 {
            let again = open(&disk.copy()).unwrap();
            assert_eq!(again.damaged(), 0, "{seq}: {first}");
        }
    }
}

#[test]
fn a_segment_that_has_lost_its_end_is_told_to_readers_of_what_stood_there() {
    let disk = three_topics();
    let segment = files(&disk, ".seg").remove(1);
    let lost = numbers(&disk, &segment);
    let bytes = disk.bytes(&segment);
    // In the midst of a batch, and behind the header, where no batch is cut off.
    for len in [bytes.len() / 2, 64] {
        let disk = disk.kill();
        disk.put(&segment, &bytes[..len]);
        for _ in 0..2 {
            let log = open_all(&disk).unwrap();
            for name in ["a", "b"] {
                let (records, told) = read_told(&log, name);
                let behind = records.iter().find(|seq| *seq > lost.end()).unwrap();
                assert_eq!(told, [*behind], "{len}: {name}");
            }
            assert_eq!(
                read_told(&log, "c"),
                (vec![10, 80], vec![]),
                "{len}: it has lost nothing"
            );
            assert_eq!(
                log.scan(&topics("c"), Seq::ZERO, ALL, 1)
                    .unwrap()
                    .floors
                    .highest(),
                Seq::ZERO
            );
        }
    }
}

#[test]
fn a_log_without_any_of_its_segments_is_not_opened_as_an_empty_one() {
    for is_index_there in [true, false] {
        let disk = three_topics();
        for name in files(&disk, ".seg") {
            disk.take(&name);
        }
        if !is_index_there {
            files(&disk, ".idx").iter().for_each(|name| disk.take(name));
        }
        let refused = open_all(&disk).map(drop).unwrap_err();
        assert!(matches!(refused, OpenError::Damaged(_)), "{refused}");
        let disk = disk.kill();
        let refused = open_all(&disk).map(drop).unwrap_err();
        assert!(matches!(refused, OpenError::Damaged(_)), "{refused}");
    }
}

#[test]
fn a_hole_that_retention_has_made_is_no_damage() {
    let retention = Retention {
        rules: Rules::new([Rule {
            namespace: Namespace::Events,
            prefix: "a".into(),
            max_events: Some(1),
            max_bytes: None,
            max_age: None,
        }])
        .unwrap(),
        ..Retention::default()
    };
    let settings = Settings {
        segment_bytes: 2_000,
        retention,
        ..Settings::default()
    };
    let open = |disk: &SimDisk| Segments::open(Arc::new(disk.clone()), settings.clone()).unwrap();
    let disk = SimDisk::new(1);
    let log = open(&disk);
    // The oldest segment stays for what is kept of `b`; those behind it go.
    for seq in 1..=200 {
        log.append(&batch([event(seq, if seq == 1 { "b" } else { "a" })]))
            .unwrap();
    }
    log.compact(&|| false);
    let indexes = files(&disk, ".idx").into_iter();
    let before: Vec<_> = indexes.map(|name| (name.clone(), disk.bytes(&name))).collect();
    for last in (201..=300).map(Seq) {
        log.append(&batch([event(last.0, "a")])).unwrap();
        log.snapshot(last, b"what is remembered");
        log.snapshot(last, b"what is remembered");
        log.trim_topics(0);
        log.compact(&|| true);
        log.trim(0);
    }
    let segments = files(&disk, ".seg");
    assert!(segments.len() < before.len() / 2, "{segments:?}");
    drop(log);
    let disk = disk.kill();
    // A crash has left the index of one.
    let gone = before
        .iter()
        .find(|(name, _)| !disk.files().contains(name))
        .unwrap();
    disk.put(&gone.0, &gone.1);
    let log = open(&disk);
    assert_eq!(log.damaged(), 0);
    assert!(!disk.files().contains(&gone.0), "it is of no use");
    assert_eq!(read_told(&log, "b"), (vec![1], vec![]));
}

#[test]
fn numbers_that_were_not_given_are_no_hole() {
    let disk = SimDisk::new(1);
    let log = open_all(&disk).unwrap();
    for seq in (1..=300).filter(|seq| seq % 7 > 2) {
        log.append(&batch([event(seq, "a")])).unwrap();
    }
    assert!(files(&disk, ".seg").len() > 3);
    drop(log);
    let log = open_all(&disk.kill()).unwrap();
    assert_eq!(log.damaged(), 0);
    assert_eq!(
        log.scan(&topics("a"), Seq::ZERO, ALL, usize::MAX)
            .unwrap()
            .floors
            .highest(),
        Seq::ZERO
    );
}

/// Retention and rules read indexes; one that is damaged must not keep them from letting go for ever.
#[test]
fn a_damaged_index_keeps_neither_rules_nor_retention_from_letting_go() {
    let settings = Settings {
        segment_bytes: 20_000,
        retention: Retention {
            max_bytes: 60_000,
            rules: Rules::new([Rule {
                namespace: Namespace::Events,
                prefix: "topic-1".into(),
                max_events: Some(1),
                max_bytes: None,
                max_age: None,
            }])
            .unwrap(),
            ..Retention::default()
        },
        ..Settings::default()
    };
    let open = |disk: &SimDisk| Segments::open(Arc::new(disk.clone()), settings.clone()).unwrap();
    let disk = SimDisk::new(1);
    let log = open(&disk);
    let put = |log: &Segments, seq| {
        log.append(&batch([event(seq, &format!("topic-{}", seq % 120))]))
            .unwrap();
    };
    (1..=900).for_each(|seq| put(&log, seq));
    drop(log);
    let disk = disk.kill();
    let indexes = files(&disk, ".idx");
    assert!(indexes.len() > 2 && disk.bytes(&indexes[0]).len() > 4096);
    for index in &indexes {
        flip(&disk, index, 4096 + 50);
    }
    let log = open(&disk);
    assert_eq!(log.damaged(), 0, "no record is");
    // Damaged once more, while it is open.
    for index in &indexes {
        flip(&disk, index, 4096 + 50);
    }
    for seq in 901..=2_000 {
        put(&log, seq);
        if seq % 50 == 0 {
            log.snapshot(Seq(seq), b"what is remembered");
            log.snapshot(Seq(seq), b"what is remembered");
            log.trim(0);
            log.trim_topics(0);
        }
    }
    assert!(log.held().bytes < 100_000, "{:?}", log.held());
    let kept = log.scan(&topics("topic-1"), Seq::ZERO, ALL, usize::MAX).unwrap();
    assert_eq!(kept.records.len(), 1, "the rule holds");
}

/// Where the record behind a note is lost, or was let go, the note stands alone. It is no record, whatever number would have come next.
#[test]
fn notes_without_a_record_are_in_nobodys_way() {
    let disk = SimDisk::new(1);
    let log = open(&disk).unwrap();
    let note = |seq: u64, time| Record {
        seq: Seq(seq),
        time,
        entry: Entry::ForgetKeys { before: seq },
    };
    log.append(&batch([epoch(1), event(1, "a")])).unwrap();
    for before in [2, 7, 9] {
        log.append(&batch([note(before, 1)])).unwrap();
    }
    let disk = disk.kill();
    let log = open(&disk).unwrap();
    let mut told = Vec::new();
    log.replay(Seq::ZERO, &mut |record| {
        told.push((record.seq.0, record.entry.is_note()));
    })
    .unwrap();
    assert_eq!(told, [(1, false), (2, true), (7, true), (9, true)]);
    assert_eq!(log.history().last, Seq(1));
    // Its numbers are given all the same, and the segment is sealed with notes at its end.
    for seq in 2..=40 {
        log.append(&batch([event(seq, "a")])).unwrap();
        log.append(&batch([note(seq + 3, seq)])).unwrap();
    }
    assert!(files(&disk, ".seg").len() > 1);
    let under: Arc<dyn Disk> = Arc::new(disk.kill());
    let verified = verify(&*under, &mut |_| (), &mut |finding| {
        assert_eq!(finding.gravity, Gravity::Note, "{finding:?}");
    });
    assert_eq!(verified.unwrap().records, 40);
    let salvaged = ReadOnly::salvage(&under).unwrap();
    assert!(salvaged.losses().is_empty(), "{:?}", salvaged.losses());
    let log = Segments::open(under, Settings::default()).unwrap();
    let mut records = 0;
    log.replay(Seq::ZERO, &mut |record| {
        records += u32::from(!record.entry.is_note());
    })
    .unwrap();
    assert_eq!((records, log.history().last), (40, Seq(40)));
}
