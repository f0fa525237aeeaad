//! Names and ids that share a hash, as real ones can: XXH3 is quick, not secret. What shares a hash is told apart all the same.

use crate::records::Derived as _;
use std::sync::Arc;

use tidewire_codec::{Event, EventId};
use tidewire_log::{
    Seq, TopicSet,
    archive::{
        Reads as _, Store as _,
        segments::{Segments, Settings},
    },
};
use twox_hash::XxHash3_64;

use crate::{
    records::{batch, event, event_of, id, seqs, topic, topics},
    sim::SimDisk,
};

fn open(disk: &SimDisk) -> Segments {
    let settings = Settings {
        segment_bytes: 4_000,
        ..Settings::default()
    };
    Segments::open(Arc::new(disk.clone()), settings).unwrap()
}

/// XXH3 multiplies the halves of 8 bytes with a key on them. Where a half is the key's own, the product is nothing, whatever the other half is,
/// and what is added to the other half in one such place can be taken from it in another.
fn topics_with_one_hash() -> [String; 2] {
    let mut name = vec![b'-'; 640];
    name[60..64].copy_from_slice(b"\x81:&L");
    name[59] = 0xc3; // Makes a letter of the byte behind it.
    name[508..512].copy_from_slice(b"\xcd\xb4Y1");
    let mut other = name.clone();
    other[56] += 3;
    other[504] -= 3;
    [name, other].map(|name| String::from_utf8(name).unwrap())
}

fn topic_hash(name: &str) -> u64 {
    XxHash3_64::oneshot_with_seed(0, name.as_bytes())
}

/// A topic and two ids that have one hash in it: the first 8 bytes are the key, which the topic's hash moves to where it is text.
fn ids_with_one_hash() -> (String, [EventId; 2]) {
    const KEY: u64 = u64::from_le_bytes([0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe]);
    let key = |name: &String| KEY.wrapping_add(topic_hash(name)).to_le_bytes();
    let is_text = |key: [u8; 8]| key.iter().all(u8::is_ascii_graphic);
    let name = (0..1_000_000)
        .map(|number| format!("topic {number}"))
        .find(|name| is_text(key(name)));
    let name = name.expect("one in 4,000 will do");
    let start = String::from_utf8(key(&name).to_vec()).unwrap();
    let ids = ["any text", "or other"].map(|between| id(&format!("{start}{between}a common end, 16")));
    (name, ids)
}

#[test]
fn topics_that_share_a_hash_are_told_apart() {
    let names = topics_with_one_hash();
    assert_ne!(names[0], names[1]);
    assert_eq!(topic_hash(&names[0]), topic_hash(&names[1]));
    let sets = names.each_ref().map(|name| TopicSet::from(topic(name)));
    let disk = SimDisk::new(1);
    let log = open(&disk);
    for seq in 1..=20 {
        let set = sets.get(usize::try_from(seq % 4).unwrap());
        let event = Event::new(format!("event {seq}")).with_id(id("the same"));
        let set = set.cloned().unwrap_or_else(|| topics("a"));
        log.append(&batch([event_of(seq, set, event)])).unwrap();
    }
    let check = |log: &Segments| {
        for (number, set) in sets.iter().enumerate() {
            let read = log.scan(set, Seq::ZERO, Seq(u64::MAX), usize::MAX).unwrap();
            let own = (1..=20).filter(|seq| seq % 4 == number as u64);
            assert_eq!(seqs(&read.records), own.collect::<Vec<_>>());
            assert_eq!(log.count(set, Seq(20)).unwrap(), 5);
            // Their ids share a hash too, for they hang on the topic's.
            let first = Seq(if number == 0 { 4 } else { 1 });
            assert_eq!(log.find(set, &id("the same")).unwrap(), Some(first));
        }
    };
    check(&log);
    drop(log);
    let disk = disk.kill();
    let indexes = disk.files().iter().filter(|name| name.ends_with(".idx")).count();
    assert!(indexes > 1, "sealed segments too");
    check(&open(&disk));
}

#[test]
fn ids_that_share_a_hash_are_told_apart() {
    let (name, ids) = ids_with_one_hash();
    let hash = |id: &EventId| XxHash3_64::oneshot_with_seed(topic_hash(&name), id.as_str().as_bytes());
    assert_ne!(ids[0], ids[1]);
    assert_eq!(hash(&ids[0]), hash(&ids[1]));
    let set = TopicSet::from(topic(&name));
    let disk = SimDisk::new(1);
    let log = open(&disk);
    let put = |log: &Segments, seq, given: &EventId| {
        let event = Event::new(format!("event {seq}")).with_id(given.clone());
        log.append(&batch([event_of(seq, set.clone(), event)])).unwrap();
    };
    put(&log, 1, &ids[1]);
    assert_eq!(log.find(&set, &ids[0]).unwrap(), None, "only the other is there");
    put(&log, 2, &ids[0]);
    put(&log, 3, &ids[1]);
    let check = |log: &Segments| {
        let found = ids.each_ref().map(|id| log.find(&set, id).unwrap());
        assert_eq!(found, [Some(Seq(2)), Some(Seq(1))]);
    };
    check(&log);
    (4..=100).for_each(|seq| log.append(&batch([event(seq, "a")])).unwrap());
    check(&log);
    drop(log);
    let disk = disk.kill();
    assert!(
        disk.files().iter().any(|name| name.ends_with(".idx")),
        "in a sealed segment"
    );
    check(&open(&disk));
}
