//! A disk that has less room than a segment: what there is is used.

use std::sync::Arc;

use tidewire_codec::Event;
use tidewire_log::{
    Record, Seq,
    archive::{
        AppendError, Reads as _, Store as _,
        segments::{Segments, Settings},
    },
};

use crate::{
    records::{self, batch, topic},
    sim::SimDisk,
};

const SEGMENT: u64 = 64 << 10;

fn open(disk: &SimDisk) -> Segments {
    let settings = Settings {
        segment_bytes: SEGMENT,
        ..Settings::default()
    };
    Segments::open(Arc::new(disk.clone()), settings).unwrap()
}

fn event_of(seq: u64, bytes: usize) -> Record {
    records::event_of(seq, topic("a"), Event::new("x".repeat(bytes)))
}

/// Publishes from this number on until the disk is full; the number that was refused.
fn fill(log: &Segments, from: u64) -> u64 {
    (from..)
        .find(|seq| match log.append(&batch([event_of(*seq, 500)])) {
            Ok(()) => false,
            Err(AppendError::Full(_)) => true,
            Err(error) => panic!("{error}"),
        })
        .unwrap()
}

#[test]
fn a_disk_that_is_smaller_than_a_segment_holds_a_log() {
    let disk = SimDisk::new(1);
    disk.set_room(Some(SEGMENT / 2));
    let log = open(&disk);
    let full = fill(&log, 1);
    assert!(full > 50, "{full} events of 500 bytes in 32 KiB");
    drop(log);
    // And it is opened again, full as it is; no more is there than was acknowledged.
    let disk = disk.kill();
    let log = open(&disk);
    assert_eq!(log.history().last.0, full - 1);
    disk.set_room(None);
    log.append(&batch([event_of(full + 1, 500)])).unwrap();
}

#[test]
fn a_full_disk_opens_without_its_indexes_and_has_them_again_when_there_is_room() {
    let disk = SimDisk::new(1);
    let log = open(&disk);
    let last = 4 * SEGMENT / 600;
    for seq in 1..=last {
        log.append(&batch([event_of(seq, 500)])).unwrap();
    }
    drop(log);
    let disk = disk.kill();
    let indexes = || disk.files().into_iter().filter(|name| name.ends_with(".idx"));
    let had: Vec<_> = indexes().collect();
    assert!(had.len() >= 3, "{had:?}");
    had.iter().for_each(|name| disk.take(name));
    disk.set_room(Some(disk.used()));
    let log = open(&disk);
    let read = log
        .scan(&topic("a").into(), Seq::ZERO, Seq(last), usize::MAX)
        .unwrap();
    assert_eq!(read.records.len() as u64, last);
    log.compact(&|| true);
    assert_eq!(indexes().count(), 0, "there is no room yet");
    disk.set_room(None);
    log.compact(&|| true);
    assert_eq!(indexes().collect::<Vec<_>>(), had);
}

#[test]
fn the_last_room_of_a_disk_is_used_although_a_segment_has_none() {
    let disk = SimDisk::new(1);
    let log = open(&disk);
    // Close to the end of the first segment.
    let sealed_after = SEGMENT / 600;
    for seq in 1..=sealed_after {
        log.append(&batch([event_of(seq, 500)])).unwrap();
    }
    let left = SEGMENT * 41 / 64;
    disk.set_room(Some(disk.used() + left));
    let full = fill(&log, sealed_after + 1);
    let written = (full - sealed_after) * 500;
    assert!(written > left / 2, "{written} of {left} bytes");
}

#[test]
fn room_is_taken_ahead_in_steps() {
    let disk = SimDisk::new(1);
    let log = open(&disk);
    let first = disk.used();
    assert!(first < SEGMENT / 4, "{first}");
    let mut grown = 0;
    let mut before = first;
    for seq in 1..200 {
        log.append(&batch([event_of(seq, 10)])).unwrap();
        grown += u64::from(disk.used() != before);
        before = disk.used();
    }
    assert!((1..20).contains(&grown), "{grown} steps for 200 events");
}
