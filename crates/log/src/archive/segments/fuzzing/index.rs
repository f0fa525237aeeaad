//! Indexes of segments: any content, and those that were made.

use tidewire_codec::EventId;

use super::super::disk::Disk as _;
use super::{
    super::{
        index::{Active, Sealed},
        paged::pages,
    },
    LOG, byte, made,
    mem::{MemDisk, MemFile},
    segment::unreadable,
};
use crate::{Record, Seq, Topic};

const BASE: Seq = Seq(1);

/// How much is asked of an index that claims to be large.
const ASKED: usize = 16;

/// See the [module](super)'s text.
pub fn index(mut input: &[u8]) {
    match byte(&mut input) % 3 {
        0 => drop(open(MemFile::of(input), 0)),
        1 => any(input),
        _ => own(input),
    }
}

fn open(file: std::sync::Arc<dyn super::super::DiskFile>, segment_len: u64) -> std::io::Result<Sealed> {
    Sealed::open(file, &LOG, BASE, segment_len)
}

/// Content that nobody wrote, with right checksums. What is found in it makes no sense perhaps, but is found in bounds.
fn any(input: &[u8]) {
    let mut content = input.to_vec();
    if content.len() < 96 {
        return;
    }
    content[..8].copy_from_slice(b"TIDEWIDX");
    content[8..12].copy_from_slice(&1_u32.to_le_bytes());
    content[16..32].copy_from_slice(&LOG);
    content[32..40].copy_from_slice(&BASE.0.to_le_bytes());
    content[40..48].copy_from_slice(&4096_u64.to_le_bytes());
    let seed = crc32c::crc32c_append(crc32c::crc32c(&LOG), &BASE.0.to_le_bytes());
    let Ok(sealed) = open(MemFile::of(&pages(&content, seed)), 4096) else {
        return;
    };
    for topic in sealed.topics().take(ASKED) {
        let Ok((topic, line)) = topic else { continue };
        let _ = sealed.topic(&topic);
        for delta in [0, 1, line.count, u32::MAX] {
            let _ = sealed.rank(&line, delta);
            let some = sealed.read_postings(&line, delta, 256);
            assert!(some.map_or(0, |some| some.len()) <= content.len() / 8 + 512);
        }
        let _ = sealed.ids(&topic, &EventId::from_static("id"));
    }
}

/// An index that we make says what the records say.
fn own(mut input: &[u8]) {
    let mut active = Active::default();
    let mut records = Vec::new();
    while !input.is_empty() && records.len() < ASKED {
        let seq = Seq(BASE.0 + 3 * records.len() as u64);
        let Some(record) = made(&mut input, seq) else {
            continue;
        };
        let offset = 64 + 100 * records.len() as u32;
        active.add(&record, BASE, offset, 100);
        records.push((record, offset));
    }
    let disk = MemDisk::default();
    let sealed = active
        .seal(&disk, "idx", &LOG, BASE, 4096)
        .and_then(|()| open(disk.open("idx")?, 4096));
    let sealed = sealed.unwrap_or_else(|why| unreadable(&why));
    assert_eq!(sealed.totals, active.totals);
    assert_eq!(sealed.totals.records, records.len() as u64);
    let listed: Vec<Topic> = sealed.topics().filter_map(|topic| Some(topic.ok()?.0)).collect();
    let mut wanted: Vec<Topic> = readable(&records)
        .flat_map(|(record, _)| record.topics().iter().cloned())
        .collect();
    wanted.sort_unstable();
    wanted.dedup();
    assert_eq!(listed.len(), wanted.len());
    wanted
        .iter()
        .for_each(|topic| same(&sealed, &active, &records, topic));
}

fn readable(records: &[(Record, u32)]) -> impl Iterator<Item = &(Record, u32)> {
    records.iter().filter(|(record, _)| record.entry.is_kept())
}

fn same(sealed: &Sealed, active: &Active, records: &[(Record, u32)], topic: &Topic) {
    let of_topic: Vec<_> = readable(records)
        .filter(|(record, _)| record.topics().contains(topic))
        .collect();
    let Ok(Some(line)) = sealed.topic(topic) else {
        unreadable(&"a topic")
    };
    let postings = sealed
        .read_postings(&line, 0, u32::MAX)
        .unwrap_or_else(|why| unreadable(&why));
    assert_eq!(postings, active.postings(topic));
    let wanted = of_topic
        .iter()
        .map(|(record, at)| (record.seq.0 - BASE.0, record.event().is_some(), *at));
    let found = postings
        .iter()
        .map(|posting| (u64::from(posting.delta()), posting.is_event(), posting.offset));
    assert!(wanted.eq(found));
    for (number, posting) in postings.iter().enumerate() {
        let rank = sealed.rank(&line, posting.delta());
        assert_eq!(rank.ok(), u32::try_from(number + 1).ok());
    }
    for (record, at) in &of_topic {
        let Some(id) = record.event().and_then(|event| event.id.as_ref()) else {
            continue;
        };
        let written = sealed.ids(topic, id).unwrap_or_default();
        let written: Vec<u32> = written.filter_map(|number| sealed.place(number).ok()).collect();
        assert_eq!(written[..], active.ids(topic, id)[..]);
        assert!(written.contains(at));
    }
}
