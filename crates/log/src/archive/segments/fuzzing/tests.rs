//! The committed corpus, and how it came to be.

use std::{fs, path::PathBuf, sync::Arc};

use tidewire_codec::{Event, EventId, EventName};

use super::{
    super::{
        Segments, Settings,
        format::{SegmentHeader, encode_record},
        paged,
    },
    mem::MemDisk,
};
use crate::{
    Door, Entry, IdempotencyKey, Namespace, Record, Seq, Topic, TopicSet, archive::Store as _,
    batch::Proposed, machine::Origin, wire,
};

type Check = fn(&[u8]);

const CHECKS: [(&str, Check); 6] = [
    ("log-record", super::record),
    ("log-segment", super::segment),
    ("log-index", super::index),
    ("log-notes", super::notes),
    ("log", super::log),
    ("entry-wire", super::wire),
];

fn corpus(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target)
}

#[test]
fn any_bytes_may_stand_in_the_files_of_a_log() {
    // Miri takes a second for the checksum of a page.
    let quick = CHECKS
        .iter()
        .filter(|(target, _)| !cfg!(miri) || !["log", "log-index"].contains(target));
    for (target, check) in quick {
        let mut inputs = 0;
        for entry in fs::read_dir(corpus(target)).unwrap() {
            check(&fs::read(entry.unwrap().path()).unwrap());
            inputs += 1;
        }
        assert!(inputs >= 3, "{inputs} inputs for {target}");
    }
}

fn records() -> Vec<Record> {
    let topics = |names: &[&str]| {
        TopicSet::new(
            names
                .iter()
                .map(|name| Topic::new(Namespace::Events, name).unwrap()),
        )
        .unwrap()
    };
    let sets = [
        topics(&["a"]),
        topics(&["b"]),
        topics(&["a", "b"]),
        topics(&["\u{1F30A}"]),
    ];
    let record = |seq: u64| {
        let mut event = Event::new(format!("event {seq}"));
        event.id = (seq.is_multiple_of(3)).then(|| EventId::from_static("id"));
        event.name = (seq.is_multiple_of(4)).then(|| EventName::from_static("tide"));
        event.retry = (seq.is_multiple_of(5)).then_some(seq * 1000);
        let topics = sets[usize::try_from(seq % 4).unwrap()].clone();
        let entry = match (seq % 11, seq % 13) {
            (0, _) => Entry::purge(topics),
            (_, 0) => Entry::end(topics),
            _ => Entry::event(topics, event),
        };
        let key = (seq.is_multiple_of(6)).then(|| (IdempotencyKey::new("key").unwrap(), seq));
        Record {
            seq: Seq(seq),
            time: 1_000 + seq,
            entry: entry.with_key(key),
        }
    };
    (1..40).map(record).collect()
}

/// What no publisher says.
fn others() -> [Entry; 5] {
    let topics = TopicSet::from(Topic::new(Namespace::Events, "a").unwrap());
    let through = Seq(3);
    [
        Entry::Forget { topics, through },
        Entry::ForgetKeys { before: 1_000 },
        Entry::Settings(crate::Settings::UNBOUNDED),
        Entry::Epoch("k3m9x2ab".parse().unwrap()),
        Entry::Fact {
            door: Door::RELAY,
            data: b"said".as_slice().into(),
        },
    ]
}

/// The same as a batch of records.
fn last_batch() -> Vec<Record> {
    let [forget, forget_keys, settings, _, fact] = others();
    let of = |seq, entry| Record {
        seq: Seq(seq),
        time: 1_000 + seq,
        entry,
    };
    [(40, settings), (40, forget_keys), (40, fact), (41, forget)]
        .map(|(seq, entry)| of(seq, entry))
        .into()
}

/// Writes the first inputs: real encodings.
#[test]
#[ignore = "writes the seeds of the corpus: run it when the format has changed"]
fn seeds() {
    let put = |target: &str, name: &str, parts: &[&[u8]]| {
        fs::create_dir_all(corpus(target)).unwrap();
        fs::write(corpus(target).join(name), parts.concat()).unwrap();
    };
    let base = [1, 0, 0, 0, 0, 0, 0, 0].map(|byte: u8| byte << 2);
    for record in &records() {
        let mut bytes = Vec::new();
        encode_record(record, &SegmentHeader::new(super::LOG, Seq(1), false), &mut bytes).unwrap();
        let name = format!("record-{:02}", record.seq.0);
        if record.seq.0 <= 13 {
            put("log-record", &name, &[&[0], &base, &bytes]);
            put(
                "log-record",
                &format!("body-{:02}", record.seq.0),
                &[&[1], &base, &bytes[8..]],
            );
        }
    }
    for (number, record) in last_batch().iter().enumerate() {
        let mut bytes = Vec::new();
        encode_record(record, &SegmentHeader::new(super::LOG, Seq(1), false), &mut bytes).unwrap();
        put("log-record", &format!("other-{number}"), &[&[0], &base, &bytes]);
        put(
            "log-record",
            &format!("other-body-{number}"),
            &[&[1], &base, &bytes[8..]],
        );
    }
    put(
        "log-record",
        "made",
        &[
            &[2],
            &base,
            b"\x4f\x01a\x02bc\x02id\x04name\x05hello\x03key12345678",
        ],
    );

    let entries: Vec<_> = records()
        .into_iter()
        .map(|record| record.entry)
        .take(14)
        .collect();
    for (number, entry) in entries.iter().chain(&others()).enumerate() {
        let bytes = wire::encode(entry).unwrap();
        put("entry-wire", &format!("entry-{number:02}"), &[&[0], &bytes]);
    }
    let origin = Origin {
        node: 5,
        incarnation: 6,
    };
    let batch = wire::Batch {
        origin,
        number: 7,
        entries: entries
            .into_iter()
            .map(|entry| Proposed { entry, session: 3 })
            .collect(),
    };
    put("entry-wire", "batch", &[&[1], &batch.encode().unwrap()]);
    put(
        "entry-wire",
        "made",
        &[&[2], b"\x4f\x01a\x02bc\x02id\x04name\x05hello\x03key12345678"],
    );

    let disk = MemDisk::default();
    let settings = Settings {
        segment_bytes: 600,
        ..Settings::default()
    };
    let log = Segments::open(Arc::new(disk.clone()), settings).unwrap();
    let records: Vec<_> = records().into_iter().map(Arc::new).collect();
    records.chunks(4).for_each(|batch| log.append(batch).unwrap());
    let last: Vec<_> = last_batch().into_iter().map(Arc::new).collect();
    log.append(&last).unwrap();
    log.snapshot(Seq(39), b"what is remembered");
    let (id, meta_seed) = (log.log.id, super::super::meta::SEED);
    drop(log);
    let content = |name: &str, seed| paged::read(&disk, name, seed).unwrap();
    let trimmed = |mut content: Vec<u8>| {
        let end = content.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
        content.truncate(end + 8);
        content
    };
    let log_seed = paged::log_seed(&id);
    let mut whole = Vec::new();
    for (name, bytes) in disk.files() {
        let (kind, content) = match () {
            () if name == "meta" => (0, trimmed(content(&name, meta_seed))),
            () if name == "topics" => (1, trimmed(content(&name, log_seed))),
            () if name.ends_with(".snap") => (2, trimmed(content(&name, log_seed))),
            () if name.ends_with(".idx") => {
                let base: u64 = name[4..24].parse().unwrap();
                (
                    3,
                    trimmed(content(
                        &name,
                        crc32c::crc32c_append(log_seed, &base.to_le_bytes()),
                    )),
                )
            }
            () => (5, trimmed(bytes)),
        };
        let base: u8 = name
            .get(5..25)
            .filter(|_| kind == 2)
            .or(name.get(4..24))
            .map_or(0, |base| base.parse().unwrap());
        match kind {
            0 => put("log-notes", "meta", &[&[1], &content]),
            1 => put("log-notes", "topics", &[&[0], &content]),
            2 => put(
                "log-notes",
                "snapshot",
                &[&[2, base << 2, 0, 0, 0, 0, 0, 0, 0], &content],
            ),
            3 => put("log-index", &format!("index-{base:02}"), &[&[1], &content]),
            _ => put(
                "log-segment",
                &format!("segment-{base:02}"),
                &[&[0, base], &content],
            ),
        }
        let len = u32::try_from(content.len()).unwrap().to_le_bytes();
        whole.push([&[kind, base], &len[..3], &content].concat());
    }
    put(
        "log-index",
        "own",
        &[
            &[2],
            b"\x01\x01a\x02bc\x02id\x05hello\x03key12345678",
            b"\x03\x01a\x02bc\x02id\x02na\x05hello\x03key12345678",
            b"\x10\x01a\x02bc\x00\x00\x00\x00\x00\x00\x00\x00\x00",
        ],
    );
    put("log", "whole", &[&whole.concat()]);
    let without = |kind: u8| {
        whole
            .iter()
            .filter(|file| file[0] != kind)
            .flatten()
            .copied()
            .collect::<Vec<u8>>()
    };
    put("log", "without-indexes", &[&without(3)]);
    put("log", "without-topics", &[&without(1)]);
    put("log", "without-segments", &[&without(5)]);
    let segments: Vec<_> = whole.iter().filter(|file| file[0] == 5).collect();
    for (name, missing) in [
        ("a-segment-is-missing", segments[2]),
        ("the-last-segment-is-missing", segments[segments.len() - 1]),
    ] {
        let left = whole.iter().filter(|file| *file != missing).flatten();
        put("log", name, &[&left.copied().collect::<Vec<u8>>()]);
    }
}
