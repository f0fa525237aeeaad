//! Every byte of every file of a small log, changed: what can be made anew is, what cannot is told with file and offset, and whatever is served is
//! what was written. And ends of a log that hold what other writes left there.

use crate::records::Derived as _;
use std::{collections::BTreeMap, io, sync::Arc};

use tidewire_codec::Event;
use tidewire_log::{
    Record, Seq, TopicSet,
    archive::{
        Reads as _, Store as _,
        segments::{OpenError, Segments, Settings},
    },
};

use crate::{
    records::{batch, event, event_of, event_with_id, id, seqs, topic, topics},
    sim::SimDisk,
};

const ALL: Seq = Seq(u64::MAX);

fn open(disk: &SimDisk) -> Result<Segments, OpenError> {
    let settings = Settings {
        segment_bytes: 900,
        ..Settings::default()
    };
    Segments::open(Arc::new(disk.clone()), settings)
}

/// A log of some segments, as a killed process leaves it.
fn small() -> SimDisk {
    let disk = unproven();
    let log = open(&disk).unwrap();
    log.snapshot(Seq(30), b"what is remembered");
    drop(log);
    disk.kill()
}

/// The same, of which nothing beside the segments knows where it ends.
fn unproven() -> SimDisk {
    let disk = SimDisk::new(1);
    let log = open(&disk).unwrap();
    for first in (1..=30).step_by(3) {
        let records = (first..first + 3).map(|seq| match seq % 2 {
            0 => event(seq, "a b"),
            _ => event_with_id(seq, "a", "an id"),
        });
        log.append(&batch(records)).unwrap();
    }
    drop(log);
    disk.kill()
}

fn files(disk: &SimDisk, end: &str) -> Vec<String> {
    let files = disk.files().into_iter();
    files.filter(|name| name.ends_with(end)).collect()
}

/// The disk with a byte of a file changed.
fn flipped(disk: &SimDisk, name: &str, at: usize, mask: u8) -> SimDisk {
    let disk = disk.kill();
    let mut bytes = disk.bytes(name);
    bytes[at] ^= mask;
    disk.put(name, &bytes);
    disk
}

/// Everything that is asked of a log, under the names of the topics and the place of the question, and whether the reader was told of
/// damage.
type Answers = BTreeMap<(&'static str, u64), (Vec<Arc<Record>>, bool)>;

/// What a reader gets, and whether it is told of damage.
fn read(log: &Segments, names: &str, after: u64) -> io::Result<(Vec<Arc<Record>>, bool)> {
    let (mut records, mut is_damaged, mut after) = (Vec::new(), false, Seq(after));
    while after < log.history().last {
        let scan = log.scan(&topics(names), after, log.history().last, usize::MAX)?;
        is_damaged |= scan.is_damaged;
        records.extend(scan.records);
        after = scan.through;
    }
    Ok((records, is_damaged))
}

/// Asks everything: the answers, and the errors.
fn ask(log: &Segments) -> (Answers, Vec<io::Error>) {
    let (mut answers, mut errors) = (Answers::new(), Vec::new());
    for names in ["a", "b", "a b"] {
        for after in (0..30).step_by(5) {
            match read(log, names, after) {
                Ok(read) => drop(answers.insert((names, after), read)),
                Err(why) => errors.push(why),
            }
        }
        errors.extend(log.count(&topics(names), ALL).err());
        errors.extend(log.find(&topics(names), &id("an id")).err());
    }
    errors.extend(log.replay(Seq::ZERO, &mut |_| {}).err());
    (answers, errors)
}

/// What is answered is what was written; what is not is told with a place in the file.
fn check(disk: &SimDisk, name: &str, true_answers: &Answers, what: &str) -> bool {
    let log = match open(disk) {
        Ok(log) => log,
        Err(OpenError::Damaged(why)) => {
            assert!(why.contains(name) && why.contains("at byte"), "{what}: {why}");
            return false;
        }
        Err(why) => panic!("{what}: {why}"),
    };
    let (answers, errors) = ask(&log);
    let mut is_told = false;
    for (question, (records, is_damaged)) in answers {
        let (wanted, _) = &true_answers[&question];
        let mut rest = wanted.iter();
        let are_true = records.iter().all(|record| rest.any(|wanted| record == wanted));
        assert!(
            are_true && is_damaged == (records.len() < wanted.len()),
            "{what}: {question:?} is answered with {:?}",
            seqs(&records)
        );
        assert!(
            wanted.len() - records.len() <= 1,
            "{what}: one bit is of one record"
        );
        is_told |= is_damaged;
    }
    assert_eq!(is_told, log.damaged() > 0, "{what}");
    for why in &errors {
        let why = why.to_string();
        assert!(why.contains(name) && why.contains("at byte"), "{what}: {why}");
    }
    errors.is_empty() && !is_told
}

#[test]
fn a_flipped_bit_anywhere_in_a_sealed_segment_is_told_and_never_passed_over() {
    let disk = small();
    let (answers, errors) = ask(&open(&disk).unwrap());
    assert!(errors.is_empty());
    let disk = disk.kill();
    let name = &files(&disk, ".seg")[1];
    for at in 0..disk.bytes(name).len() {
        let what = format!("byte {at}");
        let harmless = check(&flipped(&disk, name, at, 1 << (at % 8)), name, &answers, &what);
        assert!(
            !harmless,
            "{what} is part of something that is read, and was not found"
        );
    }
}

#[test]
fn a_flipped_bit_anywhere_in_the_last_segment_loses_nothing_that_was_known_to_be_safe() {
    let disk = unproven();
    let name = files(&disk, ".seg").pop().unwrap();
    let bytes = disk.bytes(&name);
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let starts: Vec<_> = (0..end).filter(|at| bytes[*at..].starts_with(b"TWBA")).collect();
    let last_batch = *starts.last().unwrap();
    assert!(starts.len() > 1);
    for at in 0..bytes.len() {
        let disk = flipped(&disk, &name, at, 1 << (at % 8));
        match open(&disk) {
            Err(OpenError::Damaged(why)) => {
                assert!(at < last_batch, "byte {at} is of a batch that may be torn: {why}");
                assert!(why.contains(&name) && why.contains("at byte"), "byte {at}: {why}");
            }
            Err(why) => panic!("byte {at}: {why}"),
            Ok(log) => {
                assert!(at >= last_batch, "byte {at} was safe");
                let last = if at < end { 27 } else { 30 };
                assert_eq!(log.history().last, Seq(last), "byte {at}");
                let read = log
                    .scan(&topics("a"), Seq::ZERO, ALL, usize::MAX)
                    .unwrap()
                    .records;
                assert_eq!(seqs(&read), (1..=last).collect::<Vec<_>>());
            }
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_beside_the_segments_does_no_harm_or_is_told() {
    let disk = small();
    let (answers, _) = ask(&open(&disk).unwrap());
    let disk = disk.kill();
    let (index, snapshot) = (files(&disk, ".idx").remove(1), files(&disk, ".snap").remove(0));
    for at in (0..4096).step_by(13) {
        let what = |name: &str| format!("{name}, byte {at}");
        let flipped = |name: &str| flipped(&disk, name, at, 1 << (at % 8));
        for name in [&index, &snapshot, "topics"] {
            assert!(
                check(&flipped(name), name, &answers, &what(name)),
                "{}",
                what(name)
            );
        }
        // Which log it is stands nowhere else.
        assert!(!check(&flipped("meta"), "meta", &answers, &what("meta")));
    }
}

#[test]
fn a_damaged_page_of_a_large_index_is_made_anew_when_a_reader_comes_there() {
    let disk = SimDisk::new(1);
    let settings = Settings {
        segment_bytes: 40_000,
        ..Settings::default()
    };
    let open = |disk: &SimDisk| Segments::open(Arc::new(disk.clone()), settings.clone());
    let log = open(&disk).unwrap();
    let name = |seq: u64| topic(&format!("topic {}", seq % 300));
    let put = |seq: u64| event_of(seq, name(seq), Event::new(format!("event {seq}")));
    for first in (1..=900).step_by(10) {
        log.append(&batch((first..first + 10).map(put))).unwrap();
    }
    drop(log);
    let disk = disk.kill();
    let index = &files(&disk, ".idx")[0];
    let right = disk.bytes(index);
    let pages = right.len() / 4096;
    assert!(pages > 4);
    let asked = |log: &Segments, seq: u64| {
        let scan = log.scan(&TopicSet::from(name(seq)), Seq::ZERO, ALL, usize::MAX)?;
        assert!(!scan.is_damaged);
        assert_eq!(seqs(&scan.records), [seq, seq + 300, seq + 600]);
        Ok::<_, io::Error>(())
    };
    for page in 1..pages {
        let disk = flipped(&disk, index, page * 4096 + 99, 1);
        let was = disk.bytes(index);
        let log = open(&disk).unwrap();
        (1..=300).for_each(|seq| asked(&log, seq).unwrap());
        assert_eq!(log.damaged(), 0, "nothing is lost");
        assert_ne!(disk.bytes(index), was, "page {page} was in the way");
        drop(log);
        assert_eq!(disk.bytes(index), right, "page {page} is as it was");
    }
}

/// A torn last batch, and behind the tear what other writes left on the disk: earlier and later batches of this segment, and
/// batches of other segments and other logs that stood at the same place.
#[test]
fn a_tail_of_recycled_batches_is_never_taken_for_this_log() {
    let disk = unproven();
    let name = files(&disk, ".seg").pop().unwrap();
    let whole = disk.bytes(&name);
    let end = whole.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let starts: Vec<_> = (0..end).filter(|at| whole[*at..].starts_with(b"TWBA")).collect();
    let last = *starts.last().unwrap();
    let other_segment = disk.bytes(&files(&disk, ".seg")[0]);
    let other_log = unproven();
    let other_log = other_log.bytes(&name);
    let left = [
        ("an earlier batch", &whole[starts[0]..last]),
        ("the same batch again", &whole[last..end]),
        ("another segment", &other_segment[last..]),
        ("another segment's start", &other_segment[64..]),
        ("another log", &other_log[last..end]),
    ];
    for (what, left) in left {
        for torn in last..end {
            let disk = disk.kill();
            let mut bytes = whole[..torn].to_vec();
            bytes.extend(match what {
                // As if only the tail of a write had come.
                "another segment" | "another log" => left.get(torn - last..).unwrap_or_default(),
                _ => left,
            });
            bytes.resize(whole.len().max(bytes.len()), 0);
            // By chance the bytes may go on as they were.
            let is_whole = bytes[..end] == whole[..end];
            disk.put(&name, &bytes);
            let log = open(&disk).unwrap();
            let there = log.history().last;
            assert_eq!(there, Seq(if is_whole { 30 } else { 27 }), "{what} at {torn}");
            log.append(&batch([event(31, "a")])).unwrap();
            let read = log
                .scan(&topics("a"), Seq::ZERO, ALL, usize::MAX)
                .unwrap()
                .records;
            assert_eq!(seqs(&read), (1..=there.0).chain([31]).collect::<Vec<_>>());
        }
    }
}

#[test]
fn an_index_and_a_list_of_topics_of_another_log_are_not_believed() {
    let (disk, other) = (small(), small());
    let index = files(&disk, ".idx").remove(0);
    disk.put(&index, &other.bytes(&index));
    disk.put("topics", &other.bytes("topics"));
    let log = open(&disk).unwrap();
    let read = log
        .scan(&topics("a"), Seq::ZERO, ALL, usize::MAX)
        .unwrap()
        .records;
    assert_eq!(seqs(&read), (1..=30).collect::<Vec<_>>());
}

#[test]
fn a_segment_that_was_being_made_may_hold_what_another_has_left() {
    let disk = small();
    let names = files(&disk, ".seg");
    let (first, last) = (disk.bytes(&names[0]), disk.bytes(names.last().unwrap()));
    let being_made = format!("log/{:020}.seg", 31);
    let with = |bytes: &[u8]| {
        let disk = disk.kill();
        disk.put(&being_made, bytes);
        // The segment before it had been sealed.
        let sealed = last.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        disk.put(names.last().unwrap(), &last[..sealed]);
        disk
    };
    let filled = |bytes: &[u8]| [bytes, &[0; 500]].concat();
    // It holds nothing of its own: another's header, or another's batches.
    let noise = [&first[64..200], &first[..64], &last[64..200]].concat();
    for bytes in [
        &[][..],
        &first[..40],
        &filled(&first[..64]),
        &filled(&last[..64]),
        &noise,
    ] {
        let disk = with(bytes);
        let log = open(&disk).unwrap();
        assert_eq!(log.history().last, Seq(30));
        log.append(&batch([event(31, "a")])).unwrap();
        drop(log);
        assert_eq!(open(&disk.kill()).unwrap().history().last, Seq(31));
    }
    // But a segment under a wrong name is one.
    let why = open(&with(&first)).map(drop).unwrap_err().to_string();
    assert!(
        why.contains(&being_made) && why.contains("another's name"),
        "{why}"
    );
}

/// What stands last may be torn, unless something says that it was safe: a snapshot, the list of topics, or an index.
#[test]
fn an_end_that_something_knows_to_have_been_safe_is_never_cut_off() {
    let whole = small();
    let name = files(&whole, ".seg").pop().unwrap();
    let bytes = whole.bytes(&name);
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let last_batch = (0..end).rfind(|at| bytes[*at..].starts_with(b"TWBA")).unwrap();
    let sealed = files(&whole, ".idx");
    let proofs: [(&str, Vec<String>); 2] = [
        ("topics", files(&whole, ".snap")),
        ("snap/", vec!["topics".into()]),
    ];
    for (proof, without) in proofs {
        let whole = whole.kill();
        without.iter().for_each(|name| whole.take(name));
        let refused = |disk: &SimDisk, what: &str| {
            let was = disk.bytes(&name);
            let why = open(disk).map(drop).unwrap_err().to_string();
            assert!(
                why.contains(&name) && why.contains("at byte") && why.contains(proof),
                "{what}: {why}"
            );
            assert!(why.contains("log repair"), "{why}");
            assert!(disk.bytes(&name) == was, "{what}: nothing is changed");
        };
        for at in last_batch..end {
            refused(&flipped(&whole, &name, at, 1 << (at % 8)), &format!("byte {at}"));
        }
        for cut in [last_batch, last_batch + 7, end - 1] {
            let disk = whole.kill();
            disk.put(&name, &bytes[..cut]);
            refused(&disk, &format!("cut at {cut}"));
        }
    }
    // The segment behind a sealed one is gone, and with it all that said what was in it.
    let disk = whole.kill();
    let beside = files(&disk, ".snap");
    beside
        .iter()
        .chain([&name, &"topics".to_owned()])
        .for_each(|name| disk.take(name));
    let last_sealed = sealed.last().unwrap().replace(".idx", ".seg");
    let mut torn = disk.bytes(&last_sealed);
    torn.truncate(torn.len() - 3);
    disk.put(&last_sealed, &torn);
    let why = open(&disk).map(drop).unwrap_err().to_string();
    assert!(
        why.contains(&last_sealed) && why.contains(sealed.last().unwrap()),
        "{why}"
    );
}

/// Files of each kind that say they have the format of a later release.
#[test]
fn a_file_of_a_newer_release_is_named_and_left_as_it_is() {
    let disk = small();
    let segments = files(&disk, ".seg");
    let id = {
        let bytes = disk.bytes(&segments[0]);
        bytes[16..32].to_vec()
    };
    let base: u64 = segments[0][4..24].parse().unwrap();
    let of_log = crc32c::crc32c(&id);
    let paged = |name: &str| match name {
        "meta" => 0x7469_6465,
        name if name.ends_with(".idx") => crc32c::crc32c_append(of_log, &base.to_le_bytes()),
        _ => of_log,
    };
    let names = [
        segments[0].clone(),
        segments.last().unwrap().clone(),
        files(&disk, ".idx").remove(0),
        files(&disk, ".snap").remove(0),
        "topics".into(),
        "meta".into(),
    ];
    for name in &names {
        let disk = disk.kill();
        let mut bytes = disk.bytes(name);
        bytes[8..12].copy_from_slice(&3_u32.to_le_bytes());
        if name.ends_with(".seg") {
            let sum = crc32c::crc32c(&bytes[..60]);
            bytes[60..64].copy_from_slice(&sum.to_le_bytes());
        } else {
            let sum = crc32c::crc32c_append(paged(name), &0_u64.to_le_bytes());
            let sum = crc32c::crc32c_append(sum, &bytes[..4092]);
            bytes[4092..4096].copy_from_slice(&sum.to_le_bytes());
        }
        disk.put(name, &bytes);
        let Err(OpenError::Newer(why)) = open(&disk).map(drop) else {
            panic!("{name} was opened, or is said to be damaged");
        };
        assert!(
            why.contains(name.as_str()) && why.contains("written by a newer Tidewire: use that"),
            "{why}"
        );
        let whole = OpenError::Newer(why).to_string();
        assert!(
            !whole.contains("move it away") && !whole.contains("damaged"),
            "{whole}"
        );
        assert!(disk.bytes(name) == bytes, "{name} was changed");
    }
}
