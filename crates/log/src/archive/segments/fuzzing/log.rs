//! Whole logs: opened, read, written on, opened again.

use std::{ops::ControlFlow, sync::Arc};

use tidewire_codec::{Event, EventId};

use super::{
    super::{
        Disk, Durability, Segments, Settings,
        inspect::ReadOnly,
        meta,
        paged::{log_seed, pages},
        segment::{index_name, segment_name},
    },
    LOG, byte,
    mem::MemDisk,
    mend, take,
};
use crate::{
    Entry, Namespace, Record, Seq, Topic, TopicSet,
    archive::{Reads as _, Store as _, count, nth_last},
};

/// Bits of a file's kind.
const AS_IT_IS: u8 = 128;

/// The topics that the corpus uses.
const TOPICS: [&str; 3] = ["a", "b", "\u{1F30A}"];

/// See the [module](super)'s text.
pub fn log(mut input: &[u8]) {
    let disk = MemDisk::default();
    let mut files = 0;
    while !input.is_empty() && files < 16 {
        file(&disk, &mut input);
        files += 1;
    }
    salvaged(&disk);
    let Ok(log) = open(&disk) else { return };
    let (last, time) = (log.history().last, log.history().time);
    log.trim(time);
    let is_whole = in_order(&log, last);
    let topic =
        Topic::new(Namespace::Events, TOPICS[0]).unwrap_or_else(|why| super::segment::unreadable(&why));
    let record = Record {
        seq: last.next(),
        time,
        entry: Entry::event(topic, Event::new("more").with_id(EventId::from_static("more"))),
    };
    if log.append(&[Arc::new(record)]).is_err() {
        return;
    }
    assert_eq!(in_order(&log, last.next()), is_whole, "reading is as it was");
    drop(log);
    // Also what was made anew is good.
    match open(&disk) {
        Ok(log) => assert_eq!(log.history().last, last.next()),
        Err(why) => super::segment::unreadable(&why),
    }
}

fn open(disk: &MemDisk) -> Result<Segments, super::super::OpenError> {
    let settings = Settings {
        durability: Durability::Always,
        segment_bytes: 2_000,
        ..Settings::default()
    };
    Segments::open(Arc::new(disk.clone()), settings)
}

/// What is left of a log that may be damaged is in order, and can be read.
fn salvaged(disk: &MemDisk) {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let Ok(log) = ReadOnly::salvage(&disk) else {
        return;
    };
    let mut told = Seq::ZERO;
    let read = log.records(&mut |record, _| {
        assert!(
            told < record.seq && record.seq <= log.last(),
            "{told:?}, then {:?}",
            record.seq
        );
        told = record.seq;
        ControlFlow::Continue(())
    });
    read.unwrap_or_else(|why| super::segment::unreadable(&why));
}

/// Puts a file of the input on the disk.
fn file(disk: &MemDisk, input: &mut &[u8]) {
    let kind = byte(input);
    let base = u64::from(byte(input));
    let len = [byte(input), byte(input), byte(input), 0];
    let mut content = take(input, u32::from_le_bytes(len) as usize).to_vec();
    let base_seed = crc32c::crc32c_append(log_seed(&LOG), &base.to_le_bytes());
    let is_mended = kind & AS_IT_IS == 0;
    let mut own = |at: usize| {
        if let Some(id) = content.get_mut(at..at + 16).filter(|_| is_mended) {
            id.copy_from_slice(&LOG);
        }
    };
    let (name, seed) = match kind & !AS_IT_IS {
        0 => {
            own(12);
            ("meta".to_owned(), meta::SEED)
        }
        1 => ("topics".to_owned(), log_seed(&LOG)),
        2 => (format!("snap/{base:020}.snap"), log_seed(&LOG)),
        3 => {
            own(16);
            (index_name(Seq(base)), base_seed)
        }
        4 => ("unsynced".to_owned(), 0),
        _ => {
            if is_mended {
                mend::segment(&mut content, &LOG, base);
            }
            return disk.put(&segment_name(Seq(base)), &content);
        }
    };
    match is_mended {
        true => disk.put(&name, &pages(&content, seed)),
        false => disk.put(&name, &content),
    }
}

/// Reads all there is in every way. Whatever is given is in order and within bounds; whether there was no error.
fn in_order(log: &Segments, last: Seq) -> bool {
    let mut is_whole = true;
    let mut told = Seq::ZERO;
    let replayed = log.replay(Seq::ZERO, &mut |record| {
        assert!(
            told < record.seq && record.number() <= Some(last),
            "{told:?}, then {:?} of {last:?}",
            record.seq
        );
        told = told.max(record.number().unwrap_or_default());
    });
    is_whole &= replayed.is_ok();
    let topics = TOPICS
        .iter()
        .filter_map(|name| Topic::new(Namespace::Events, name).ok());
    let Ok(all) = TopicSet::new(topics) else {
        return false;
    };
    for topics in all.iter().cloned().map(TopicSet::from).chain([all.clone()]) {
        let mut cursor = Seq::ZERO;
        while cursor < last {
            let Ok(scan) = log.scan(&topics, cursor, last, 1_000) else {
                is_whole = false;
                break;
            };
            assert!(cursor < scan.through, "reading goes on");
            for record in &scan.records {
                assert!(cursor < record.seq && record.seq <= scan.through);
                assert!(record.topics().iter().any(|topic| topics.contains(topic)));
                cursor = record.seq;
            }
            cursor = scan.through;
        }
        for id in ["more", "id"] {
            is_whole &= log.find(&topics, &EventId::from_static(id)).is_ok();
        }
        is_whole &= count(log, &topics, last).is_ok() && nth_last(log, &topics, 3, last).is_ok();
    }
    is_whole
}
