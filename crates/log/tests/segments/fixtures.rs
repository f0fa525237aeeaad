//! A small log in each version of the format, written once and kept: `tests/fixtures/format-1/`, `format-2/`. It is served as it was
//! recorded, a second reader that knows only `docs/format.md` reads the same, and what is written today has the same bytes as the
//! last. A log of version 1 goes on in version 2, and an older release says so.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use serde_json::{Map, Value, json};
use tidewire_codec::{Event, EventName};
use tidewire_log::{
    Change, Door, Entry, IdempotencyKey, Namespace, Record, Seq, Topic, TopicSet,
    archive::{
        Reads as _, Retention, Store as _,
        segments::{
            Durability, RealDisk, Segments, Settings,
            inspect::{Gravity, verify},
        },
    },
    machine::Origin,
};

use crate::{
    records::id,
    second::{self, Files, Meta},
    sim::SimDisk,
};

const LOGS: [&[u8; 16]; 2] = [b"fixture format 1", b"fixture format 2"];
const EPOCHS: [(&str, u64); 2] = [("ebb00001", 1), ("ebb00002", 21)];
const SNAPSHOT: &[u8] = b"only the machine reads this";
/// When the log was written; a record comes every second.
const BEGAN: u64 = 1_700_000_000_000;

fn settings() -> Settings {
    Settings {
        durability: Durability::Always,
        segment_bytes: 700,
        retention: Retention {
            // The first segment goes, as it did when the log was written, by a bound that knew no shares.
            max_age: Some(Duration::from_secs(26)),
            ..Retention::default()
        },
    }
}

fn topics(names: &[&str]) -> TopicSet {
    let topic = |name: &&str| match name.strip_prefix("relay:") {
        Some(name) => Topic::new(Namespace::Relay, name).unwrap(),
        None => Topic::new(Namespace::Events, name).unwrap(),
    };
    TopicSet::new(names.iter().map(topic)).unwrap()
}

/// What was recorded in a version, batch by batch. 14 and 15 were never given.
fn batches(version: u64) -> Vec<Vec<Arc<Record>>> {
    let sets = [
        topics(&["a"]),
        topics(&["b"]),
        topics(&["a", "b", "\u{6f6e}/\u{1F30A}"]),
        topics(&["relay:a"]),
        topics(&["\u{e9}t\u{e9} with spaces"]),
    ];
    let record = |seq: u64| {
        let mut event = Event::new(match seq % 5 {
            0 => String::new(),
            1 => format!("line {seq}\nand another\r\nand \u{1F30A}"),
            2 => "x".repeat(150),
            _ => format!("event {seq}"),
        });
        event.id = (seq.is_multiple_of(4)).then(|| id(&format!("id-{}", seq % 12)));
        event.name = (seq % 6 == 1).then(|| EventName::new("\u{6f6e}").unwrap());
        event.retry = (seq % 9 == 1).then_some(seq * 1_000);
        let (event, change) = match seq {
            12 => (Some(event), Some(Change::Ends)),
            23 => (None, Some(Change::Ends)),
            29 => (None, Some(Change::Purges)),
            _ => (Some(event), None),
        };
        let topics = match seq {
            12 | 23 | 29 => sets[4].clone(),
            _ => sets[usize::try_from(seq % 5).unwrap()].clone(),
        };
        let key = (seq % 7 == 3).then(|| (IdempotencyKey::new(&format!("key-{seq}")).unwrap(), seq % 2));
        Arc::new(Record {
            seq: Seq(seq),
            time: BEGAN + seq * 1_000,
            entry: Entry::of_parts(topics, event, change, key).unwrap(),
        })
    };
    let all: Vec<_> = (1..=36)
        .filter(|seq| ![14, 15].contains(seq))
        .map(record)
        .collect();
    let mut batches: Vec<_> = all.chunks(3).map(<[_]>::to_vec).collect();
    if version > 1 {
        others(&mut batches);
    }
    batches
}

/// What version 2 has besides: notes in front of records, facts, and topics that are forgotten.
fn others(batches: &mut Vec<Vec<Arc<Record>>>) {
    let record = |seq: u64, entry| {
        Arc::new(Record {
            seq: Seq(seq),
            time: BEGAN + seq * 1_000,
            entry,
        })
    };
    let settings = tidewire_log::Settings {
        rules: 1,
        max_topics: 10_000,
        max_keys: 20_000,
        max_key_bytes: 30_000,
        keep_keys: 40_000,
    };
    batches[4].insert(0, record(13, Entry::Settings(settings)));
    let fact = |text: &str| Entry::Fact {
        door: Door::RELAY,
        data: text.as_bytes().into(),
    };
    let before = BEGAN + 20_000;
    let origin = Origin {
        node: 7,
        incarnation: 3,
    };
    let (position, number) = (1_000, 40);
    let forget = Entry::Forget {
        topics: topics(&["\u{e9}t\u{e9} with spaces"]),
        through: Seq(36),
    };
    batches.push(vec![
        record(37, Entry::ForgetKeys { before }),
        record(37, fact("claimed")),
        record(38, forget),
    ]);
    batches.push(vec![
        record(
            39,
            Entry::Batch {
                position,
                origin,
                number,
            },
        ),
        record(40, fact("")),
    ]);
}

fn last_of(version: u64) -> u64 {
    if version > 1 { 40 } else { 36 }
}

/// A record as a line of `records.ndjson`.
fn line(record: &Record) -> Value {
    let mut line = Map::new();
    let mut put = |name: &str, value: Option<Value>| line.extend(value.map(|value| (name.to_owned(), value)));
    put("number", Some(json!(record.seq.0)));
    put("time", Some(json!(record.time)));
    let other = match &record.entry {
        Entry::Forget { through, .. } => Some(("forgets", json!(through.0))),
        Entry::ForgetKeys { before } => Some(("forgets_keys", json!(before))),
        Entry::Settings(settings) => {
            let rules = u64::from(settings.rules);
            let numbers = [
                settings.max_topics,
                settings.max_keys,
                settings.max_key_bytes,
                settings.keep_keys,
            ];
            Some(("settings", json!([&[rules], &numbers[..]].concat())))
        }
        Entry::Fact { door, data } => Some(("fact", json!([door.0, data]))),
        Entry::Batch {
            position,
            origin,
            number,
        } => Some((
            "batch",
            json!([position, origin.node, origin.incarnation, number]),
        )),
        _ => None,
    };
    if let Some((name, value)) = other {
        put(name, Some(value));
    }
    let name = |topic: &Topic| match topic.namespace() {
        Namespace::Events => format!("events {}", topic.name()),
        _ => format!("relay {}", topic.name()),
    };
    put(
        "topics",
        (!record.topics().is_empty()).then(|| record.topics().iter().map(name).collect()),
    );
    put(
        "ends",
        (record.change() == Some(Change::Ends)).then_some(json!(true)),
    );
    put(
        "purges",
        (record.change() == Some(Change::Purges)).then_some(json!(true)),
    );
    let event = record.event();
    put(
        "id",
        event
            .and_then(|event| event.id.as_ref())
            .map(|id| json!(id.as_str())),
    );
    put(
        "name",
        event
            .and_then(|event| event.name.as_ref())
            .map(|name| json!(name.as_str())),
    );
    put(
        "retry",
        event.and_then(|event| event.retry).map(|retry| json!(retry)),
    );
    put(
        "key",
        record.key().map(|(key, number)| json!([key.as_str(), number])),
    );
    put("data", event.map(|event| json!(event.data)));
    line.into()
}

fn log(version: u64) -> &'static [u8; 16] {
    LOGS[usize::try_from(version).unwrap() - 1]
}

fn meta(version: u64, epochs: &[(&str, u64)]) -> Meta {
    let epochs = epochs.iter().map(|(name, first)| ((*name).to_owned(), *first));
    Meta {
        version,
        log: *log(version),
        is_whole: true,
        epochs: epochs.collect(),
    }
}

/// Writes the log as it was written: a crash in between, and no end in order. Its id is not random.
fn write() -> Files {
    let mut disk = SimDisk::new(1);
    disk.put("meta", &second::meta_file(&meta(2, &EPOCHS[..1])));
    let mut log = Segments::open(Arc::new(disk.clone()), settings()).unwrap();
    let mut epochs = EPOCHS.into_iter().peekable();
    let mut sealed = 1;
    for mut batch in batches(2) {
        if let Some((name, first)) = epochs.next_if(|(_, first)| batch[0].seq.0 >= *first) {
            if first > 1 {
                drop(log);
                disk = disk.kill();
                log = Segments::open(Arc::new(disk.clone()), settings()).unwrap();
            }
            let entry = Entry::Epoch(name.parse().unwrap());
            let note = Record { entry, ..*batch[0] };
            batch.insert(0, Arc::new(note));
        }
        log.append(&batch).unwrap();
        for record in &batch {
            if let Entry::Purge { topics, .. } = &record.entry {
                log.purge(topics, record.seq).unwrap();
            }
        }
        // Nothing more went with the last batch.
        if batch[0].time < BEGAN + 36_000 {
            log.trim(batch[0].time);
        }
        let segments = disk.files().iter().filter(|name| name.ends_with(".seg")).count();
        if std::mem::replace(&mut sealed, segments) < segments {
            log.snapshot(batch.last().unwrap().seq, SNAPSHOT);
        }
    }
    drop(log);
    let names = disk.files().into_iter();
    let files: Files = names.map(|name| (name.clone(), disk.bytes(&name))).collect();
    assert_eq!(files["meta"], second::meta_file(&meta(2, &EPOCHS)));
    files
}

fn folder(version: u64) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/format-{version}"))
}

fn kept(version: u64) -> Files {
    let mut files = Files::new();
    for within in ["", "log/", "snap/"] {
        for entry in fs::read_dir(folder(version).join("data").join(within)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                let name = format!("{within}{}", entry.file_name().to_str().unwrap());
                files.insert(name, fs::read(entry.path()).unwrap());
            }
        }
    }
    files
}

fn recorded(version: u64) -> Vec<Value> {
    let lines = fs::read_to_string(folder(version).join("records.ndjson")).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
#[ignore = "writes the fixture: only when the format of the version has not been released yet"]
fn write_the_fixture() {
    let version = 2;
    let data = folder(version).join("data");
    fs::remove_dir_all(&data).ok();
    for (name, bytes) in write() {
        fs::create_dir_all(data.join(&name).parent().unwrap()).unwrap();
        fs::write(data.join(name), bytes).unwrap();
    }
    let lines: String = batches(version)
        .iter()
        .flatten()
        .map(|record| format!("{}\n", line(record)))
        .collect();
    fs::write(folder(version).join("records.ndjson"), lines).unwrap();
}

/// The number of the first record that is still there, as the names of the segments say.
fn oldest(files: &Files) -> u64 {
    let first = files.keys().find(|name| name.ends_with(".seg")).unwrap();
    first[4..24].parse().unwrap()
}

fn copy(files: &Files) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::create_dir_all(copy.path().join(name).parent().unwrap()).unwrap();
        fs::write(copy.path().join(name), bytes).unwrap();
    }
    copy
}

#[test]
fn a_log_that_was_written_once_is_served_as_it_was_recorded() {
    (1..=2).for_each(is_served);
}

fn is_served(version: u64) {
    let files = kept(version);
    let copy = copy(&files);
    let disk = RealDisk::open(copy.path()).unwrap();
    let log = Segments::open(Arc::new(disk), settings()).unwrap();
    let history = log.history();
    let epochs: Vec<_> = history
        .epochs
        .iter()
        .map(|(epoch, first)| (epoch.to_string(), first.0))
        .collect();
    assert_eq!(epochs, meta(version, &EPOCHS).epochs);
    let last = last_of(version);
    assert_eq!((history.last, history.time), (Seq(last), BEGAN + last * 1_000));
    let (after, state) = history.snapshot.unwrap();
    assert!(after > Seq(20) && state == SNAPSHOT);

    let mut told = Vec::new();
    log.replay(Seq::ZERO, &mut |record| told.push(line(record)))
        .unwrap();
    let oldest = oldest(&files);
    let recorded = recorded(version);
    let mut there: Vec<_> = recorded
        .iter()
        .filter(|line| line["number"].as_u64() >= Some(oldest))
        .collect();
    assert!(
        (20..35).contains(&there.len()),
        "something was let go, and much is there"
    );
    assert_eq!(told.iter().collect::<Vec<_>>(), there);

    let names = [
        "a",
        "b",
        "\u{6f6e}/\u{1F30A}",
        "\u{e9}t\u{e9} with spaces",
        "relay:a",
    ];
    let all = topics(&names);
    let read = log.scan(&all, Seq::ZERO, Seq(u64::MAX), usize::MAX).unwrap();
    // Of the purged topic, which version 2 forgets, nothing is served, though it stands in the log.
    let purged = json!(["events \u{e9}t\u{e9} with spaces"]);
    let gone = if version > 1 { 36 } else { 29 };
    there.retain(|line| line["number"].as_u64() > Some(gone) || line["topics"] != purged);
    there.retain(|line| line.get("data").or(line.get("ends")).is_some());
    assert_eq!(
        read.records.iter().map(|record| line(record)).collect::<Vec<_>>(),
        there.into_iter().cloned().collect::<Vec<_>>()
    );
    let found = |name: &str, given: &str| log.find(&topics(&[name]), &id(given)).unwrap().map(|seq| seq.0);
    assert_eq!(found("relay:a", "id-4"), Some(28));
    assert_eq!(found("a", "id-8"), Some(20));
    assert_eq!(found("a", "id-4"), None, "other topics have it");
}

#[test]
fn a_reader_that_knows_only_the_document_reads_the_same() {
    (1..=2).for_each(is_read_twice);
}

fn is_read_twice(version: u64) {
    let (files, log) = (kept(version), log(version));
    assert_eq!(second::meta(&files), meta(version, &EPOCHS));
    let segments = second::segments(&files, log);
    assert!(segments.len() > 3, "several segments");
    let read: Vec<_> = segments
        .iter()
        .flat_map(|segment| &segment.records)
        .map(|stored| &stored.record)
        .collect();
    let recorded = recorded(version);
    let there: Vec<_> = recorded
        .iter()
        .filter(|line| line["number"].as_u64() >= Some(oldest(&files)))
        .collect();
    assert_eq!(read, there);
    let (_, sealed) = segments.split_last().unwrap();
    sealed
        .iter()
        .for_each(|segment| second::check_index(&files, log, segment));
    let snapshots = second::snapshots(&files, log);
    assert!(snapshots.len() == 2 && snapshots.iter().all(|(_, state)| state == SNAPSHOT));
    check_topics(&second::topics(&files, log), &recorded, oldest(&files));
}

/// The list of topics says of each what the records up to its last number say, and what is gone.
fn check_topics(topics: &second::Topics, recorded: &[Value], oldest: u64) {
    let number = |line: &&Value| line["number"].as_u64().unwrap();
    let upto: Vec<_> = recorded
        .iter()
        .filter(|line| number(line) <= topics.last)
        .collect();
    assert_eq!(json!(topics.time), upto.last().unwrap()["time"]);
    for (name, [event, last, floor, cleared]) in &topics.places {
        let of_topic = upto.iter().filter(|line| {
            line["topics"]
                .as_array()
                .is_some_and(|topics| topics.contains(&json!(name)))
        });
        let of_topic: Vec<_> = of_topic
            .copied()
            .filter(|line| line.get("data").or(line.get("ends")).is_some())
            .collect();
        let events: Vec<_> = of_topic
            .iter()
            .copied()
            .filter(|line| line.get("data").is_some())
            .collect();
        assert_eq!(*event, events.iter().map(number).next_back().unwrap());
        assert_eq!(*last, of_topic.iter().map(number).next_back().unwrap());
        let is_purged = name.contains("spaces") && topics.last >= 29;
        let gone = if is_purged { 29 } else { oldest - 1 };
        assert_eq!(
            *floor,
            events
                .iter()
                .map(number)
                .filter(|seq| *seq <= gone)
                .max()
                .unwrap_or(0),
            "{name}"
        );
        assert!(*floor <= *cleared && *cleared <= gone, "{name}: {cleared}");
    }
}

#[test]
fn what_is_written_today_has_the_bytes_that_were_written_then() {
    let (kept, written) = (kept(2), write());
    assert_eq!(
        kept.keys().collect::<Vec<_>>(),
        written.keys().collect::<Vec<_>>()
    );
    for (name, bytes) in &kept {
        match name.as_str() {
            // Its lines are in no order.
            "topics" => assert_eq!(second::topics(&kept, log(2)), second::topics(&written, log(2))),
            _ => assert!(*bytes == written[name], "{name} is written otherwise"),
        }
    }
    for version in 1..=2 {
        let batches = batches(version);
        let lines: Vec<_> = batches.iter().flatten().map(|record| line(record)).collect();
        assert_eq!(lines, recorded(version));
    }
}

#[test]
fn a_log_of_either_version_is_sound() {
    for version in 1..=2 {
        let copy = copy(&kept(version));
        let disk = RealDisk::read_only(copy.path()).unwrap();
        let verified = verify(&disk, &mut |_| (), &mut |finding| {
            let is_of_machine = finding.file.starts_with("snap");
            assert!(is_of_machine || finding.gravity == Gravity::Note, "{finding:?}");
        });
        let versions = u32::try_from(version).unwrap();
        assert_eq!(verified.unwrap().formats, Some((versions, versions)));
    }
}

/// The version that the header of each segment says, in order.
fn versions(folder: &std::path::Path) -> Vec<u8> {
    let mut names: Vec<_> = fs::read_dir(folder.join("log"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.retain(|name| name.extension().is_some_and(|end| end == "seg"));
    names.sort();
    names.iter().map(|name| fs::read(name).unwrap()[8]).collect()
}

#[test]
fn a_log_of_version_1_goes_on_in_version_2() {
    let entry = Entry::Fact {
        door: Door::GRANTS,
        data: b"granted".as_slice().into(),
    };
    let (seq, time) = (Seq(37), BEGAN + 37_000);
    let record = Record { seq, time, entry };
    // As it was left; and as it is left when a segment has just been begun.
    for is_empty in [false, true] {
        let mut files = kept(1);
        if is_empty {
            let name = files.keys().rfind(|name| name.ends_with(".seg")).unwrap().clone();
            files.get_mut(&name).unwrap().truncate(64);
            files.retain(|name, _| !name.starts_with("snap") && name != "topics");
        }
        let copy = copy(&files);
        let before = versions(copy.path());
        let open = || Segments::open(Arc::new(RealDisk::open(copy.path()).unwrap()), settings()).unwrap();
        let log = open();
        assert_eq!(versions(copy.path()), before, "nothing is written by looking");
        log.append(&[Arc::new(record.clone())]).unwrap();
        drop(log);
        let mut wanted = before;
        if is_empty {
            wanted.pop();
        }
        wanted.push(2);
        assert_eq!(versions(copy.path()), wanted, "one that is empty is made anew");
        assert_eq!(
            fs::read(copy.path().join("meta")).unwrap()[8],
            2,
            "for older releases to see"
        );
        let log = open();
        let mut last = None;
        log.replay(Seq(30), &mut |record| last = Some(record.clone()))
            .unwrap();
        assert_eq!((log.history().last, last), (Seq(37), Some(record.clone())));
    }
}

/// What has the kind of a later version in a segment of version 1 was not written there.
#[test]
fn a_segment_of_version_1_has_only_what_publishers_say() {
    let mut files = kept(2);
    let name = files.keys().rfind(|name| name.ends_with(".seg")).unwrap().clone();
    let bytes = files.get_mut(&name).unwrap();
    bytes[8] = 1;
    let sum = crc32c::crc32c(&bytes[..60]).to_le_bytes();
    bytes[60..64].copy_from_slice(&sum);
    let copy = copy(&files);
    let disk = Arc::new(RealDisk::open(copy.path()).unwrap());
    let opened = Segments::open(disk, settings()).map(|log| log.history().last);
    assert!(
        opened.as_ref().is_ok_and(|last| *last < Seq(37)) || opened.is_err(),
        "{opened:?}"
    );
}
