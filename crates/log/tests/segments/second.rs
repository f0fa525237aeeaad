//! A second reader of a log's files, written from `docs/format.md` alone: it uses nothing of the first one. What it cannot read, or
//! finds otherwise than the document says, fails the test.

use std::collections::BTreeMap;

use crc32c::{crc32c, crc32c_append};
use serde_json::{Map, Value, json};
use twox_hash::XxHash3_64;

/// Files by their names, as in the document's first table.
pub type Files = BTreeMap<String, Vec<u8>>;

/// What stands in `meta`.
#[derive(Debug, PartialEq)]
pub struct Meta {
    pub version: u64,
    pub log: [u8; 16],
    pub is_whole: bool,
    pub epochs: Vec<(String, u64)>,
}

/// A line of `topics`: last event, last record, floor, cleared.
pub type Place = [u64; 4];

/// What stands in `topics`.
#[derive(Debug, PartialEq)]
pub struct Topics {
    pub last: u64,
    pub time: u64,
    pub absent_floor: u64,
    pub places: BTreeMap<String, Place>,
}

/// A record, and its place in its segment.
pub struct Stored {
    pub number: u64,
    pub offset: u64,
    pub len: u64,
    pub is_note: bool,
    /// As in the fixture's `records.ndjson`.
    pub record: Value,
}

pub struct Segment {
    pub base: u64,
    pub len: u64,
    pub records: Vec<Stored>,
}

/// Reads numbers and texts from the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken
    }

    fn number(&mut self, bytes: usize) -> u64 {
        let mut all = [0; 8];
        all[..bytes].copy_from_slice(self.take(bytes));
        u64::from_le_bytes(all)
    }

    fn text(&mut self, bytes_of_len: usize) -> &'a str {
        let len = usize::try_from(self.number(bytes_of_len)).unwrap();
        str::from_utf8(self.take(len)).unwrap()
    }

    fn topic(&mut self) -> String {
        let namespace = ["events", "relay"][usize::try_from(self.number(1)).unwrap()];
        format!("{namespace} {}", self.text(2))
    }
}

/// Versions 1 and 2 differ in what the records of a segment may be.
fn version(bytes: &mut Bytes<'_>) -> u64 {
    let version = bytes.number(4);
    assert!((1..=2).contains(&version));
    version
}

fn number_of(name: &str) -> u64 {
    let (_, file) = name.rsplit_once('/').unwrap();
    let (number, _) = file.split_once('.').unwrap();
    assert_eq!(number.len(), 20);
    number.parse().unwrap()
}

/// The content of a file of pages.
fn content(file: &[u8], seed: u32) -> Vec<u8> {
    assert_eq!(file.len() % 4096, 0);
    let pages = file.chunks(4096).enumerate();
    let content = pages.flat_map(|(number, page)| {
        let (content, sum) = page.split_at(4092);
        let of_number = crc32c_append(seed, &(number as u64).to_le_bytes());
        assert_eq!(
            crc32c_append(of_number, content).to_le_bytes(),
            sum,
            "page {number}"
        );
        content.iter().copied()
    });
    content.collect()
}

/// Such a file.
pub fn pages(content: &[u8], seed: u32) -> Vec<u8> {
    let mut file = Vec::new();
    for (number, part) in content.chunks(4092).enumerate() {
        let mut page = part.to_vec();
        page.resize(4092, 0);
        let of_number = crc32c_append(seed, &(number as u64).to_le_bytes());
        let sum = crc32c_append(of_number, &page);
        file.extend(page);
        file.extend(sum.to_le_bytes());
    }
    file
}

const META_SEED: u32 = 0x7469_6465;

pub fn meta(files: &Files) -> Meta {
    let content = content(&files["meta"], META_SEED);
    let mut bytes = Bytes(&content);
    assert_eq!(bytes.take(8), b"TIDEWMET");
    let version = version(&mut bytes);
    let log = bytes.take(16).try_into().unwrap();
    let is_whole = bytes.number(1) == 1;
    let epochs = bytes.number(4);
    let mut epoch = || {
        let name = str::from_utf8(bytes.take(8)).unwrap().to_owned();
        (name, bytes.number(8))
    };
    let epochs = (0..epochs).map(|_| epoch()).collect();
    assert!(bytes.0.iter().all(|byte| *byte == 0));
    Meta {
        version,
        log,
        is_whole,
        epochs,
    }
}

/// `meta` as a file: a log that is to have a certain id begins with it.
pub fn meta_file(meta: &Meta) -> Vec<u8> {
    let mut content = b"TIDEWMET".to_vec();
    content.extend(u32::try_from(meta.version).unwrap().to_le_bytes());
    content.extend(meta.log);
    content.push(u8::from(meta.is_whole));
    content.extend(u32::try_from(meta.epochs.len()).unwrap().to_le_bytes());
    for (name, first) in &meta.epochs {
        content.extend(name.as_bytes());
        content.extend(first.to_le_bytes());
    }
    pages(&content, META_SEED)
}

pub fn topics(files: &Files, log: &[u8; 16]) -> Topics {
    let content = content(&files["topics"], crc32c(log));
    let mut bytes = Bytes(&content);
    assert_eq!(bytes.take(8), b"TIDEWTOP");
    version(&mut bytes);
    let count = bytes.number(4);
    let [last, time, absent_floor] = [(); 3].map(|()| bytes.number(8));
    let mut place = || (bytes.topic(), [(); 4].map(|()| bytes.number(8)));
    let places: BTreeMap<_, _> = (0..count).map(|_| place()).collect();
    assert_eq!(places.len() as u64, count, "no topic is there twice");
    assert!(bytes.0.iter().all(|byte| *byte == 0));
    Topics {
        last,
        time,
        absent_floor,
        places,
    }
}

/// The numbers after which snapshots were taken, and what they hold.
pub fn snapshots(files: &Files, log: &[u8; 16]) -> Vec<(u64, Vec<u8>)> {
    let files = files.iter().filter(|(name, _)| name.ends_with(".snap"));
    let read = files.map(|(name, file)| {
        let content = content(file, crc32c(log));
        let mut bytes = Bytes(&content);
        assert_eq!(bytes.take(8), b"TIDEWSNP");
        version(&mut bytes);
        let seq = bytes.number(8);
        assert_eq!(seq, number_of(name));
        let len = usize::try_from(bytes.number(4)).unwrap();
        (seq, bytes.take(len).to_vec())
    });
    read.collect()
}

/// All segments, in order.
pub fn segments(files: &Files, log: &[u8; 16]) -> Vec<Segment> {
    let names: Vec<_> = files.keys().filter(|name| name.ends_with(".seg")).collect();
    let mut last = 0;
    let mut all = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let is_sealed = number + 1 < names.len();
        let segment = segment(&files[*name], log, number_of(name), is_sealed);
        for stored in &segment.records {
            assert!(last < stored.number, "numbers grow over all segments");
            // A note has the number of the record behind it.
            last = stored.number - u64::from(stored.is_note);
        }
        all.push(segment);
    }
    all
}

fn segment(file: &[u8], log: &[u8; 16], base: u64, is_sealed: bool) -> Segment {
    let mut head = Bytes(&file[..64]);
    assert_eq!(head.take(8), b"TIDEWSEG");
    let version = version(&mut head);
    assert_eq!(head.number(4), 0);
    assert_eq!(head.take(16), log);
    assert_eq!(head.number(8), base);
    assert_eq!(head.take(20), [0; 20]);
    assert_eq!(head.number(4), u64::from(crc32c(&file[..60])));
    let mut at = 64;
    let mut records = Vec::new();
    while let Some(len) = batch(file, at, log, (version, base), &mut records) {
        at += len;
    }
    match is_sealed {
        true => assert_eq!(at, file.len(), "a sealed file ends where its records do"),
        false => assert!(
            file[at..].iter().all(|byte| *byte == 0),
            "room that was taken in advance"
        ),
    }
    Segment {
        base,
        len: at as u64,
        records,
    }
}

/// The length of the batch that stands there, if one does.
fn batch(
    file: &[u8],
    at: usize,
    log: &[u8; 16],
    (version, base): (u64, u64),
    records: &mut Vec<Stored>,
) -> Option<usize> {
    let head = file.get(at..at + 40)?;
    let mut fields = Bytes(head);
    if fields.take(4) != b"TWBA" {
        return None;
    }
    let len = usize::try_from(fields.number(4)).unwrap();
    let count = fields.number(4);
    assert_eq!(fields.number(4), 0);
    let (first, synced_through) = (fields.number(8), fields.number(8));
    let place = [&log[..], &base.to_le_bytes(), &(at as u64).to_le_bytes()].concat();
    assert_eq!(place.len(), 32);
    assert_eq!(
        fields.number(4),
        u64::from(crc32c_append(crc32c(&place), &head[..32]))
    );
    assert_eq!(fields.number(4), 0);
    assert!(
        synced_through < first,
        "a batch does not know that it is safe itself"
    );
    let from = records.len();
    let mut bytes = Bytes(&file[at + 40..at + 40 + len]);
    while !bytes.0.is_empty() {
        let offset = at + 40 + len - bytes.0.len();
        let stored = record(&mut bytes, version, base, offset as u64);
        records.push(stored);
    }
    assert_eq!(records.len() - from, usize::try_from(count).unwrap());
    assert_eq!(records[from].number, first);
    Some(40 + len)
}

fn record(bytes: &mut Bytes<'_>, version: u64, base: u64, offset: u64) -> Stored {
    let len = bytes.number(4);
    assert!((1..=83_886_080).contains(&len));
    let sum = bytes.number(4);
    let body = bytes.take(usize::try_from(len).unwrap());
    assert_eq!(sum, u64::from(crc32c(body)));
    let mut body = Bytes(body);
    let delta = body.number(4);
    assert!(delta < 1 << 31);
    let kind = body.number(1);
    assert!(kind < 128);
    let mut record = Map::new();
    record.insert("number".into(), json!(base + delta));
    if kind == 6 {
        assert_eq!(version, 2, "version 1 has no such records");
        let is_note = other(&mut body, &mut record);
        assert!(body.0.is_empty(), "nothing follows");
        return Stored {
            number: base + delta,
            offset,
            len: 8 + len,
            is_note,
            record: record.into(),
        };
    }
    record.insert("time".into(), json!(body.number(8)));
    record.insert("topics".into(), topics_of(&mut body));
    let mut field = |bit: u64, name: &str, read: &mut dyn FnMut() -> Value| {
        if kind & bit != 0 {
            record.insert(name.into(), read());
        }
    };
    field(2, "ends", &mut || json!(true));
    field(4, "purges", &mut || json!(true));
    field(8, "id", &mut || json!(body.text(4)));
    field(16, "name", &mut || json!(body.text(4)));
    field(32, "retry", &mut || json!(body.number(8)));
    field(64, "key", &mut || json!([body.text(2), body.number(8)]));
    field(1, "data", &mut || json!(body.text(4)));
    assert!(body.0.is_empty(), "nothing follows");
    Stored {
        number: base + delta,
        offset,
        len: 8 + len,
        is_note: false,
        record: record.into(),
    }
}

fn topics_of(body: &mut Bytes<'_>) -> Value {
    let count = body.number(2);
    let topics: Vec<_> = (0..count).map(|_| body.topic()).collect();
    assert!(!topics.is_empty() && topics.is_sorted());
    json!(topics)
}

/// What no publisher says. Whether it is a note.
fn other(body: &mut Bytes<'_>, record: &mut Map<String, Value>) -> bool {
    let what = body.number(1);
    record.insert("time".into(), json!(body.number(8)));
    let (name, value, is_note) = match what {
        1 => {
            let through = body.number(8);
            record.insert("topics".into(), topics_of(body));
            ("forgets", json!(through), false)
        }
        2 => ("forgets_keys", json!(body.number(8)), true),
        3 => {
            let numbers = [4, 8, 8, 8, 8].map(|bytes| body.number(bytes));
            ("settings", json!(numbers), true)
        }
        5 => {
            let door = body.number(1);
            let data = body.take(body.0.len());
            ("fact", json!([door, data]), false)
        }
        6 => ("batch", json!([(); 4].map(|()| body.number(8))), false),
        _ => panic!("a kind that is not described: {what}"),
    };
    record.insert(name.into(), value);
    is_note
}

/// Checks the index of a sealed segment against its records: every field of it.
pub fn check_index(files: &Files, log: &[u8; 16], segment: &Segment) {
    let seed = crc32c_append(crc32c(log), &segment.base.to_le_bytes());
    let content = content(&files[&format!("log/{:020}.idx", segment.base)], seed);
    let mut bytes = Bytes(&content);
    assert_eq!(bytes.take(8), b"TIDEWIDX");
    version(&mut bytes);
    let topics = bytes.number(4);
    assert_eq!(bytes.take(16), log);
    assert_eq!((bytes.number(8), bytes.number(8)), (segment.base, segment.len));
    let numbered: Vec<_> = segment.records.iter().filter(|stored| !stored.is_note).collect();
    let last = numbered.last().unwrap();
    assert_eq!(
        (bytes.number(8), json!(bytes.number(8))),
        (last.number, last.record["time"].clone())
    );
    let is_event = |stored: &&Stored| stored.record.get("data").is_some();
    assert_eq!(bytes.number(8), numbered.len() as u64);
    assert_eq!(
        bytes.number(8),
        segment.records.iter().filter(is_event).count() as u64
    );
    let (postings, ids) = (bytes.number(8), bytes.number(8));
    let mut lines = Bytes(bytes.take(usize::try_from(topics * 40).unwrap()));
    let stored_postings = bytes.take(usize::try_from(postings * 8).unwrap());
    let stored_ids = bytes.take(usize::try_from(ids * 12).unwrap());
    let names = bytes.0;

    // As it must be.
    let mut of_topics = BTreeMap::<(u64, u64, String), Vec<&Stored>>::new();
    let mut wanted_ids = Vec::new();
    let is_readable = |stored: &&Stored| is_event(stored) || stored.record.get("ends").is_some();
    for stored in numbered.iter().copied().filter(is_readable) {
        for topic in stored.record["topics"].as_array().unwrap() {
            let (namespace, name) = topic.as_str().unwrap().split_once(' ').unwrap();
            let namespace = u64::from(namespace == "relay");
            let hash = XxHash3_64::oneshot_with_seed(namespace, name.as_bytes());
            of_topics
                .entry((hash, namespace, name.into()))
                .or_default()
                .push(stored);
            if let Some(id) = stored.record.get("id") {
                let id = id.as_str().unwrap().as_bytes();
                wanted_ids.push((XxHash3_64::oneshot_with_seed(hash, id), stored.offset));
            }
        }
    }
    wanted_ids.sort_unstable();

    assert_eq!(of_topics.len() as u64, topics);
    let (mut start, mut name_at) = (0, 0);
    for ((hash, namespace, name), all) in of_topics {
        assert_eq!(lines.number(8), hash, "{name}");
        assert_eq!((lines.number(4), lines.number(4)), (start, all.len() as u64));
        let events: Vec<_> = all.iter().copied().filter(is_event).collect();
        let last_event = events
            .last()
            .map_or(0xffff_ffff, |last| last.number - segment.base);
        assert_eq!(
            (lines.number(4), lines.number(4)),
            (events.len() as u64, last_event)
        );
        assert_eq!(lines.number(8), all.iter().map(|stored| stored.len).sum::<u64>());
        assert_eq!((lines.number(4), lines.number(2)), (name_at, name.len() as u64));
        assert_eq!((lines.number(1), lines.number(1)), (namespace, 0));
        let at = usize::try_from(name_at).unwrap();
        assert_eq!(&names[at..at + name.len()], name.as_bytes());
        for (number, stored) in all.iter().enumerate() {
            let at = usize::try_from(start).unwrap() + number;
            let mut posting = Bytes(&stored_postings[at * 8..]);
            let mark = if is_event(stored) { 0 } else { 1 << 31 };
            assert_eq!(
                (posting.number(4), posting.number(4)),
                ((stored.number - segment.base) | mark, stored.offset)
            );
        }
        start += all.len() as u64;
        name_at += name.len() as u64;
    }
    assert_eq!(start, postings);
    let found = stored_ids.chunks(12).map(|id| {
        let mut id = Bytes(id);
        (id.number(8), id.number(4))
    });
    assert_eq!(found.collect::<Vec<_>>(), wanted_ids);
}
