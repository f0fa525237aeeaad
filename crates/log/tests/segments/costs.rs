//! What reads cost, counted in reads of the disk: what an answer holds, not what the log does.

use crate::records::Derived as _;
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use tidewire_log::{
    Entry, Record, Seq, TopicSet,
    archive::{
        Reads as _, Retention, Store as _,
        segments::{Disk, DiskFile, Segments, Settings},
    },
};

use crate::{
    records::{batch, end, epoch, event, event_with_id, id, seqs, topic, topics},
    sim::SimDisk,
};

const TOPICS: u64 = 256;
const EVENTS: u64 = 40_000;
const ALL: Seq = Seq(u64::MAX);

/// A disk that counts how often it is read, and the bytes that are written.
struct Counting(SimDisk, Arc<AtomicUsize>, Arc<AtomicUsize>);

struct CountingFile(Arc<dyn DiskFile>, Arc<AtomicUsize>, Arc<AtomicUsize>);

impl Counting {
    #[expect(clippy::unnecessary_wraps, reason = "as the disk says it")]
    fn file(&self, file: Arc<dyn DiskFile>) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(CountingFile(
            file,
            Arc::clone(&self.1),
            Arc::clone(&self.2),
        )))
    }
}

impl Disk for Counting {
    fn create_dir(&self, folder: &str) -> io::Result<()> {
        self.0.create_dir(folder)
    }
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.file(self.0.create(name)?)
    }
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.file(self.0.open(name)?)
    }
    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.0.list(folder)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }
    fn sync_dir(&self, folder: &str) -> io::Result<()> {
        self.0.sync_dir(folder)
    }
}

impl DiskFile for CountingFile {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        self.1.fetch_add(1, Relaxed);
        self.0.read_at(buffer, at)
    }
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.2.fetch_add(bytes.len(), Relaxed);
        self.0.write_at(bytes, at)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
    fn allocate(&self, len: u64) -> io::Result<()> {
        self.0.allocate(len)
    }
    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
}

/// A log that counts.
struct Log {
    segments: Segments,
    reads: Arc<AtomicUsize>,
}

impl Log {
    fn of(segment_bytes: u64, records: impl IntoIterator<Item = Record>) -> Self {
        let reads = Arc::new(AtomicUsize::new(0));
        let settings = Settings {
            segment_bytes,
            ..Settings::default()
        };
        let disk = Counting(SimDisk::new(1), Arc::clone(&reads), Arc::default());
        let segments = Segments::open(Arc::new(disk), settings).unwrap();
        for records in batch(records).chunks(500) {
            segments.append(records).unwrap();
        }
        Self { segments, reads }
    }

    /// What a read answers, which reads the disk at most so often.
    #[track_caller]
    fn at_most<T>(&self, most: usize, read: impl FnOnce(&Segments) -> io::Result<T>) -> T {
        let before = self.reads.load(Relaxed);
        let answer = read(&self.segments).unwrap();
        let reads = self.reads.load(Relaxed) - before;
        assert!(reads <= most, "{reads} reads of the disk, not {most}");
        answer
    }
}

fn name(number: u64) -> String {
    format!("t{}", number % TOPICS)
}

fn all() -> TopicSet {
    TopicSet::new((0..TOPICS).map(|number| topic(&name(number)))).unwrap()
}

#[test]
fn what_is_kept_is_counted_without_a_look_at_each_event() {
    let one = |seq| event(seq, &name(seq));
    let two = |seq| event(seq, &format!("{} {}", name(seq), name(seq + 1)));
    for in_two in [false, true] {
        let events = (1..=EVENTS).map(|seq| if in_two { two(seq) } else { one(seq) });
        let ends = (1..=TOPICS).map(|number| end(EVENTS + number, &name(number)));
        let log = Log::of(512 << 10, events.chain(ends));
        // A topic's line in an index of so many is found by 10 reads. As many reads as events, or more, were needed before.
        let few = 20_000;
        assert_eq!(log.at_most(few, |log| log.count(&all(), ALL)), 40_000);
        assert_eq!(
            log.at_most(0, |log| log.last_event(&all(), ALL)),
            Some(Seq(EVENTS))
        );
        for count in [1, 300, 20_000, 39_999, 40_000, 50_000] {
            let found = log.at_most(2 * few, |log| log.nth_last(&all(), count, ALL));
            let first = (EVENTS + 1).saturating_sub(count as u64).max(1);
            assert_eq!(found, Some(Seq(first)), "{count}");
        }
        let events_of_one = if in_two { 2 } else { 1 } * EVENTS / TOPICS;
        let count = log.at_most(500, |log| log.count(&topics("t1"), ALL));
        assert_eq!(count as u64, events_of_one + 1, "{in_two}");
    }
}

#[test]
fn the_first_event_with_an_id_is_found_although_all_have_it() {
    let events = (1..=EVENTS).map(|seq| event_with_id(seq, "a", "same"));
    let log = Log::of(1 << 20, events);
    let found = log.at_most(500, |log| log.find(&topics("a"), &id("same")));
    assert_eq!(found, Some(Seq(1)));
    log.segments.purge(&topics("a"), Seq(EVENTS / 2)).unwrap();
    let found = log.at_most(500, |log| log.find(&topics("a"), &id("same")));
    assert_eq!(found, Some(Seq(EVENTS / 2 + 1)));
}

#[test]
fn a_long_way_to_the_next_event_is_gone_in_steps() {
    let quiet = |from: u64| (0..TOPICS).map(move |number| event(from + number, &name(number)));
    let busy = (1000..9000).map(|seq| event(seq, "busy"));
    let log = Log::of(16 << 10, quiet(1).chain(busy).chain(quiet(9000)));
    let (mut after, mut steps, mut found) = (Seq(TOPICS), 0, Vec::new());
    while found.len() < TOPICS as usize {
        let scan = log.at_most(150_000, |log| log.scan(&all(), after, ALL, usize::MAX));
        assert!(scan.through > after, "it gets on");
        (after, steps) = (scan.through, steps + 1);
        found.extend(seqs(&scan.records));
    }
    assert_eq!(found, (9000..9000 + TOPICS).collect::<Vec<_>>());
    assert!(steps > 1, "{steps}");
}

#[test]
fn many_topics_are_replayed_with_fewer_reads_than_they_have_events() {
    let events = (1..=EVENTS).map(|seq| event_with_id(seq, &name(seq), &format!("id {seq}")));
    let log = Log::of(512 << 10, events);
    let count = log.at_most(EVENTS as usize, |log| {
        let (mut after, mut count) = (Seq::ZERO, 0);
        while after < Seq(EVENTS) {
            let scan = log.scan(&all(), after, Seq(EVENTS), 64 << 10)?;
            count += scan.records.len() as u64;
            after = scan.through;
        }
        Ok(count)
    });
    assert_eq!(count, EVENTS);
    // Each topic's ids stand elsewhere in each of the indexes.
    let found = log.at_most(EVENTS as usize, |log| log.find(&all(), &id("never given")));
    assert_eq!(found, None);
}

/// What is written while a hundred segments of 16 KiB are sealed, the same topics in each, in a log that knows so many others: by the
/// thread that appends, and by the one that keeps the books.
fn written_at_seals(known: u64, retention: Retention) -> [usize; 2] {
    let written = Arc::new(AtomicUsize::new(0));
    let disk = SimDisk::new(1);
    let settings = Settings {
        segment_bytes: 16 << 10,
        retention,
        ..Settings::default()
    };
    let counting = Counting(disk.clone(), Arc::default(), Arc::clone(&written));
    let log = Segments::open(Arc::new(counting), settings).unwrap();
    let settings = Record {
        seq: Seq(1),
        time: 1,
        entry: Entry::Settings(tidewire_log::Settings::UNBOUNDED),
    };
    let many = (1..=known).map(|number| event(number, &format!("known {number}")));
    for records in batch([epoch(1), settings].into_iter().chain(many)).chunks(100) {
        log.append(records).unwrap();
        log.compact(&|| false);
    }
    let newest_segment = || {
        disk.files()
            .into_iter()
            .filter(|name| name.ends_with(".seg"))
            .max()
    };
    let (mut by, mut seq, mut sealed) = ([0; 2], known, 0);
    let mut newest = newest_segment();
    while sealed < 100 {
        let before = written.load(Relaxed);
        log.append(&batch((1..=10).map(|number| event(seq + number, &name(number)))))
            .unwrap();
        let appended = written.load(Relaxed);
        log.trim(0);
        log.compact(&|| false);
        by[0] += appended - before;
        by[1] += written.load(Relaxed) - appended;
        seq += 10;
        let now = newest_segment();
        sealed += usize::from(now != newest);
        newest = now;
    }
    by
}

#[test]
fn what_is_written_at_a_seal_and_when_segments_go_does_not_grow_with_the_topics_that_are_known() {
    for max_bytes in [usize::MAX, 100 << 10] {
        let retention = Retention {
            max_bytes,
            ..Retention::default()
        };
        let [few, few_beside] = written_at_seals(20, retention.clone());
        let [many, many_beside] = written_at_seals(20_000, retention);
        assert!(many.abs_diff(few) < few / 4, "appending: {many} beside {few}");
        // Beside it, what is known of all is written when that has half the bytes that were appended since the last time, or files wait
        // for it: a part of what was appended.
        let appended = many.max(few);
        assert!(
            few_beside < 4 * appended,
            "beside it: {few_beside} and {appended} appended"
        );
        assert!(
            many_beside < 4 * appended,
            "beside it: {many_beside} and {appended} appended"
        );
    }
}
