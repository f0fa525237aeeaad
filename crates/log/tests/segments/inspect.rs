//! Looking at a log while it is written: what is half there at one moment is no damage at the next.

use std::{
    io,
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tidewire_log::archive::{
    Reads as _, Retention, Store as _,
    segments::{
        Disk, DiskFile, Segments, Settings,
        inspect::{Finding, Gravity, Import, Origin, ReadOnly, verify},
    },
};
use tidewire_log::{Door, Entry, Record, Seq, Start};

use crate::{
    records::{batch, epoch, event, forget, purge, topics},
    sim::SimDisk,
};

/// A disk that somebody else writes to: what is new comes to light only when it is read again.
struct Late {
    disk: SimDisk,
    /// In segments, what is new begins here.
    from: u64,
    /// It comes to light for all at once. If not, each opened file shows it late again, as if there were always more.
    once: Option<Arc<AtomicBool>>,
}

struct LateFile {
    file: Arc<dyn DiskFile>,
    from: u64,
    is_shown: Arc<AtomicBool>,
}

fn refused() -> io::Error {
    io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "it is only looked at")
}

impl Disk for Late {
    fn create_dir(&self, _: &str) -> io::Result<()> {
        Err(refused())
    }
    fn create(&self, _: &str) -> io::Result<Arc<dyn DiskFile>> {
        Err(refused())
    }
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.disk.open(name)?;
        if !name.ends_with(".seg") {
            return Ok(file);
        }
        Ok(Arc::new(LateFile {
            file,
            from: self.from,
            is_shown: self.once.clone().unwrap_or_default(),
        }))
    }
    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.disk.list(folder)
    }
    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        Err(refused())
    }
    fn remove(&self, _: &str) -> io::Result<()> {
        Err(refused())
    }
    fn sync_dir(&self, _: &str) -> io::Result<()> {
        Err(refused())
    }
}

impl DiskFile for LateFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let read = self.file.read_at(buffer, at)?;
        let hidden = at.max(self.from);
        if hidden < at + read as u64 && !self.is_shown.swap(true, Ordering::Relaxed) {
            buffer[(hidden - at) as usize..read].fill(0);
        }
        Ok(read)
    }
    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        Err(refused())
    }
    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(refused())
    }
    fn allocate(&self, _: u64) -> io::Result<()> {
        Err(refused())
    }
    fn sync(&self) -> io::Result<()> {
        Err(refused())
    }
}

#[test]
fn a_batch_that_is_written_while_it_is_read_is_no_damage() {
    let disk = SimDisk::new(1);
    let log = {
        let settings = Settings {
            segment_bytes: 64 << 10,
            ..Settings::default()
        };
        Segments::open(Arc::new(disk.clone()), settings).unwrap()
    };
    log.append(&batch([epoch(1)])).unwrap();
    for seq in 1..=20 {
        log.append(&batch([event(seq, "a")])).unwrap();
    }
    let held = log.held().bytes as u64;
    for from in (64..held).step_by(13) {
        let late = |once| Late {
            disk: disk.clone(),
            from,
            once,
        };
        let mut damage = Vec::new();
        let mut found = |finding: Finding| {
            if finding.gravity == Gravity::Damage {
                damage.push(finding);
            }
        };
        let verified = verify(&late(None), &mut |_| (), &mut found).unwrap();
        assert_eq!(damage, [], "what is new begins at {from}");
        assert!(verified.records >= 19, "the last batch may come too late: {from}");
        let late: Arc<dyn Disk> = Arc::new(late(Some(Arc::default())));
        let opened = ReadOnly::open(&late).unwrap_or_else(|error| panic!("{from}: {error}"));
        assert!(opened.last().0 >= 19, "{from}");
    }
}

fn open(disk: &SimDisk) -> Segments {
    let settings = Settings {
        segment_bytes: 900,
        ..Settings::default()
    };
    Segments::open(Arc::new(disk.clone()), settings).unwrap()
}

/// Batches of three records in several segments; the 20th is a purge.
fn whole() -> SimDisk {
    let disk = SimDisk::new(1);
    let log = open(&disk);
    log.append(&batch([epoch(1)])).unwrap();
    for first in (1..=42).step_by(3) {
        let record = |seq| match seq {
            20 => purge(seq, "z"),
            _ => event(seq, if seq % 2 == 0 { "a" } else { "b" }),
        };
        log.append(&batch((first..first + 3).map(record))).unwrap();
    }
    log.snapshot(Seq(42), &[]);
    drop(log);
    let disk = disk.kill();
    // Which the machine would read. The list of topics, which is written with it, stays.
    disk.take("snap/00000000000000000042.snap");
    disk
}

fn segments(disk: &SimDisk) -> Vec<String> {
    let mut files = disk.files();
    files.retain(|name| name.ends_with(".seg"));
    files
}

/// What is left of a damaged log: the numbers of its records, and those that are told to be lost.
fn salvaged(disk: &SimDisk) -> (ReadOnly, Vec<u64>, Vec<(u64, u64)>) {
    let under: Arc<dyn Disk> = Arc::new(disk.clone());
    let log = ReadOnly::salvage(&under).unwrap();
    let mut left = Vec::new();
    log.records(&mut |record, _| {
        left.push(record.seq.0);
        ControlFlow::Continue(())
    })
    .unwrap();
    let losses = log.losses().iter().filter_map(|loss| loss.numbers);
    let lost = losses.map(|(first, last)| (first.0, last.0)).collect();
    (log, left, lost)
}

#[test]
fn whatever_byte_is_damaged_all_other_records_are_left_and_the_lost_one_is_named() {
    let disk = whole();
    assert_eq!(salvaged(&disk).1, (1..=42).collect::<Vec<_>>());
    let names = segments(&disk);
    for (name, with_index) in [
        (&names[1], true),
        (&names[1], false),
        (names.last().unwrap(), false),
    ] {
        let bytes = disk.bytes(name);
        let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        // Each place in a batch, and each kind of place, more than once.
        for at in (0..end).step_by(5).chain(0..64 + 40 + 30) {
            let disk = disk.kill();
            if !with_index {
                let index = name.replace(".seg", ".idx");
                if disk.files().contains(&index) {
                    disk.take(&index);
                }
            }
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << (at % 8);
            disk.put(name, &bytes);
            let was = disk
                .files()
                .into_iter()
                .map(|name| disk.bytes(&name))
                .collect::<Vec<_>>();
            let (log, left, lost) = salvaged(&disk);
            let missing: Vec<u64> = (1..=42).filter(|seq| !left.contains(seq)).collect();
            // Where a length or a batch's header is damaged, only the index says where the next record begins. It has no purges.
            let events = missing.iter().filter(|seq| **seq != 20).count();
            let most = if with_index { 1 } else { 3 };
            assert!(events <= most, "{name} at {at}: {missing:?}");
            for seq in &missing {
                assert!(
                    lost.iter().any(|(first, last)| first <= seq && seq <= last),
                    "{name} at {at}: {missing:?} of {lost:?}"
                );
            }
            assert!(!log.losses().is_empty(), "{name} at {at}");
            assert_eq!(log.last(), Seq(42), "{name} at {at}: no number is given again");
            let is = disk
                .files()
                .into_iter()
                .map(|name| disk.bytes(&name))
                .collect::<Vec<_>>();
            assert!(is == was, "{name} at {at}: something was changed");
        }
    }
}

#[test]
fn a_segment_cut_off_between_batches_is_found_and_its_copy_names_what_is_lost() {
    let disk = whole();
    let names = segments(&disk);
    let numbers = [&names[1], &names[2]].map(|name| name[4..24].parse::<u64>().unwrap());
    let bytes = disk.bytes(&names[1]);
    disk.put(&names[1], &bytes[..64]);
    let (log, _, lost) = salvaged(&disk);
    assert_eq!(lost, [(numbers[0], numbers[1] - 1)]);
    assert_eq!(log.losses()[0].file, names[1]);
    let mut found = Vec::new();
    let under: Arc<dyn Disk> = Arc::new(disk.clone());
    verify(&*under, &mut |_| (), &mut |finding| found.push(finding)).unwrap();
    let damage: Vec<_> = found
        .iter()
        .filter(|finding| finding.gravity == Gravity::Damage)
        .collect();
    assert_eq!(damage.len(), 1, "{found:?}");
    assert_eq!(damage[0].file, names[1]);
}

#[test]
fn a_repaired_copy_tells_readers_in_front_of_what_is_lost_and_no_others() {
    let disk = whole();
    let names = segments(&disk);
    let base = |name: &String| name[4..24].parse::<u64>().unwrap();
    let last = disk.bytes(&names[1]).len() - 1;
    // The first record of a segment, and its last.
    for (at, lost) in [(64 + 40 + 8, base(&names[1])), (last, base(&names[2]) - 1)] {
        copy_tells(&disk.kill(), &names[1], at, lost);
    }
}

/// Makes a log of the parts of another.
fn carry(log: &ReadOnly, to: &SimDisk) {
    let known = log.memory().unwrap();
    let mut import = Import::begin(Arc::new(to.clone()), log.head(&known)).unwrap();
    known
        .topics
        .into_iter()
        .for_each(|topic| import.topic(topic).unwrap());
    known.keys.into_iter().for_each(|key| import.key(key).unwrap());
    known
        .books
        .into_iter()
        .for_each(|book| import.book(book).unwrap());
    log.records(&mut |record: Record, _| {
        import.record(record).unwrap();
        ControlFlow::Continue(())
    })
    .unwrap();
    import.finish().unwrap();
}

/// What is no event, end or purge is known of the log, of its topics and of doors, and comes along that way.
#[test]
fn a_copy_remembers_what_the_log_says_of_itself() {
    let disk = SimDisk::new(1);
    let log = open(&disk);
    let of = |seq: u64, entry| {
        let (seq, time) = (Seq(seq), seq);
        Record { seq, time, entry }
    };
    let settings = tidewire_log::Settings {
        max_topics: 77,
        ..tidewire_log::Settings::UNBOUNDED
    };
    let origin = Origin {
        node: 1 << 60,
        incarnation: 2,
    };
    let (position, number) = (9, 1);
    let fact = |door, data: &[u8]| Entry::Fact {
        door,
        data: data.into(),
    };
    log.append(&batch([
        epoch(1),
        of(1, Entry::Settings(settings)),
        event(1, "a"),
        event(2, "b"),
    ]))
    .unwrap();
    log.append(&batch([
        of(3, fact(Door::RELAY, b"claimed")),
        event(4, "c"),
        purge(5, "a"),
    ]))
    .unwrap();
    log.purge(&topics("a"), Seq(5)).unwrap();
    log.append(&batch([purge(6, "c"), forget(7, topics("c"), 6)]))
        .unwrap();
    log.forget(&topics("c"), Seq(6));
    let place = of(
        8,
        Entry::Batch {
            position,
            origin,
            number,
        },
    );
    log.append(&batch([place, of(9, fact(Door::GRANTS, &[0, 255]))]))
        .unwrap();
    drop(log);
    let look = |disk: &SimDisk| {
        let disk: Arc<dyn Disk> = Arc::new(disk.copy());
        let verified = verify(&*disk, &mut |_| (), &mut |finding| {
            assert_eq!(finding.gravity, Gravity::Note, "{finding:?}");
        });
        assert_eq!(verified.unwrap().formats, Some((2, 2)));
        ReadOnly::salvage(&disk).unwrap()
    };
    let log = look(&disk);
    let known = log.memory().unwrap();
    let copy = SimDisk::new(2);
    carry(&log, &copy);
    let again = look(&copy);
    assert_eq!(again.memory().unwrap(), known);
    let (was, is) = (log.head(&known), again.head(&known));
    assert_eq!((is.last, is.time, is.floor), (Seq(9), 9, was.floor));
    assert_eq!((is.settings, is.reached.position), (Some(settings), 9));
    assert_eq!(is.reached.numbers, [(origin, 1)].into());
    assert_eq!(is.epochs[..1], was.epochs);
    let names: Vec<_> = known.topics.iter().map(|known| known.topic.name()).collect();
    assert_eq!(names, ["a", "b"], "and c is forgotten");
    assert_eq!(known.topics[0].changed, Seq(5), "by its purge");
    let facts = known
        .books
        .iter()
        .map(|book| (book.door, book.facts[0].0, &*book.facts[0].2));
    let wanted: [(_, _, &[u8]); 2] = [
        (Door::RELAY, Seq(3), b"claimed"),
        (Door::GRANTS, Seq(9), &[0, 255]),
    ];
    assert!(facts.eq(wanted), "{:?}", known.books);
    let mut left = Vec::new();
    let mut each = |record: Record, _| {
        left.push(record.seq.0);
        ControlFlow::Continue(())
    };
    again.records(&mut each).unwrap();
    assert_eq!(left, [2, 5, 6], "an event, and purges");
}

fn copy_tells(disk: &SimDisk, name: &str, at: usize, lost: u64) {
    let mut bytes = disk.bytes(name);
    bytes[at] ^= 1;
    disk.put(name, &bytes);
    let (log, left, _) = salvaged(disk);
    assert_eq!(left, (1..=42).filter(|seq| *seq != lost).collect::<Vec<_>>());
    let copy = SimDisk::new(2);
    carry(&log, &copy);
    let under: Arc<dyn Disk> = Arc::new(copy.clone());
    let verified = verify(&*under, &mut |_| (), &mut |finding| {
        assert_eq!(finding.gravity, Gravity::Note, "{finding:?}");
    });
    assert_eq!(verified.unwrap().records, 41);
    let copy = open(&copy);
    let (hit, other) = if lost.is_multiple_of(2) {
        ("a", "b")
    } else {
        ("b", "a")
    };
    let floor = |names| {
        copy.scan(&topics(names), Seq::ZERO, Seq(42), usize::MAX)
            .unwrap()
            .floors
            .highest()
    };
    assert_eq!(floor(hit), Seq(lost));
    assert_eq!(floor(other), Seq::ZERO);
    let first = copy.scan(&topics(hit), Seq::ZERO, Seq(42), 1).unwrap().records[0].seq;
    assert!(first.0 < lost, "what stands in front of it is read");
}

#[test]
fn an_end_that_is_lost_is_told_and_its_numbers_are_not_given_again() {
    let disk = whole();
    let active = segments(&disk).pop().unwrap();
    let base: u64 = active[4..24].parse().unwrap();
    for is_gone in [false, true] {
        let disk = disk.kill();
        match is_gone {
            true => disk.take(&active),
            false => disk.put(&active, &disk.bytes(&active)[..200]),
        }
        let (log, left, lost) = salvaged(&disk);
        assert!(left.iter().all(|seq| *seq < base + 3), "{left:?}");
        assert_eq!(lost.last().map(|(_, last)| *last), Some(42), "{lost:?}");
        assert_eq!(log.last(), Seq(42));
        let start = Start::After(log.position(Seq(*left.last().unwrap())).to_string());
        let mut told = false;
        log.dump(&topics("a b"), &start, &mut |_| {
            told = true;
            ControlFlow::Continue(())
        })
        .unwrap();
        assert!(told, "who has read all that is left has still missed something");
    }
}

#[test]
fn a_log_without_any_of_its_segments_has_lost_them_all() {
    let disk = whole();
    let mut gone = disk.files();
    gone.retain(|name| name.starts_with("log/"));
    gone.iter().for_each(|name| disk.take(name));
    let (log, left, lost) = salvaged(&disk);
    assert_eq!((left, lost), (vec![], vec![(1, 42)]));
    assert_eq!(log.last(), Seq(42), "no number is given again");
}

/// What the machine remembered of them stands nowhere else.
#[test]
fn snapshots_that_are_gone_are_missed_once_records_were_let_go() {
    let disk = SimDisk::new(1);
    let settings = Settings {
        segment_bytes: 900,
        retention: Retention {
            max_events: Some(20),
            ..Retention::default()
        },
        ..Settings::default()
    };
    let log = Segments::open(Arc::new(disk.clone()), settings).unwrap();
    let damage = || {
        let under: Arc<dyn Disk> = Arc::new(disk.copy());
        let mut files = Vec::new();
        verify(&*under, &mut |_| (), &mut |finding| {
            files.extend((finding.gravity == Gravity::Damage).then_some(finding.file));
        })
        .unwrap();
        files
    };
    let snapshots = || {
        let mut files = disk.files();
        files.retain(|name| name.starts_with("snap/"));
        files
    };
    log.append(&batch([epoch(1)])).unwrap();
    for seq in 1..=60 {
        log.append(&batch([event(seq, "a")])).unwrap();
    }
    snapshots().iter().for_each(|name| disk.take(name));
    assert_eq!(damage(), [""; 0], "all records are there");
    for _ in 0..2 {
        log.snapshot(Seq(60), &[]);
    }
    log.trim(0);
    assert!(
        !segments(&disk)[0].ends_with("/00000000000000000001.seg"),
        "something was let go"
    );
    snapshots().iter().for_each(|name| disk.take(name));
    assert_eq!(damage(), ["snap"]);
}
