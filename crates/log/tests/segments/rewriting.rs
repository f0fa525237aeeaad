//! Giving back room: what is read is the same before and after, whatever happens meanwhile.

use std::{
    cell::{Cell, RefCell},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use fastrand::Rng;
use tidewire_log::{
    Entry, Namespace, Seq,
    archive::{
        Reads as _, Retention, Rule, Rules, Store,
        segments::{Disk, Durability, Segments, Settings},
    },
};

use crate::{
    faulty::{Fault, Faulty},
    model::Model,
    records::{at, batch, end, event, event_with_id, forget, id, purge, seqs, topic, topics},
    sim::SimDisk,
};

const ALL: Seq = Seq(u64::MAX);

fn open_on(disk: Arc<dyn Disk>, retention: Retention) -> Segments {
    let settings = Settings {
        durability: Durability::Always,
        segment_bytes: 2_000,
        retention,
    };
    Segments::open(disk, settings).unwrap()
}

fn open(disk: &SimDisk) -> Segments {
    open_on(Arc::new(disk.clone()), Retention::default())
}

/// A log, and what must stand in it.
struct Grown {
    disk: SimDisk,
    log: Segments,
    model: Model,
}

impl Grown {
    /// A log of several segments; most events are of the topic "busy", some of "rare" or both.
    fn new() -> Self {
        let disk = SimDisk::new(1);
        let log = open(&disk);
        let mut grown = Self {
            disk,
            log,
            model: Model::default(),
        };
        for seq in 1..=200 {
            let names = match seq % 10 {
                3 => "rare",
                7 => "busy rare",
                _ => "busy",
            };
            grown.append(event_with_id(seq, names, &format!("id{}", seq % 5)));
        }
        grown
    }

    fn append(&mut self, record: tidewire_log::Record) {
        let batch = batch([record]);
        self.log.append(&batch).unwrap();
        self.model.append(&batch);
        if let Entry::Purge { topics, .. } = &batch[0].entry {
            self.purge(topics, batch[0].seq);
        }
    }

    fn purge(&mut self, topics: &tidewire_log::TopicSet, through: Seq) {
        let purged = self.log.purge(topics, through).unwrap();
        assert_eq!(purged, self.model.purge(topics, through));
    }

    /// The machine needs nothing any more of what there is: both snapshots know of it.
    fn cover(&self) {
        let last = self.model.last;
        (0..2).for_each(|_| self.log.snapshot(last, b"what is remembered"));
    }

    /// Nearly everything is dead, and no machine needs it.
    fn mostly_dead() -> Self {
        let mut grown = Self::new();
        grown.append(purge(201, "busy"));
        (202..=220).for_each(|seq| grown.append(event(seq, "busy")));
        grown.cover();
        grown
    }

    fn check(&self) {
        check(&self.model, &self.log);
    }

    fn kill(self) -> Self {
        let disk = self.disk.kill();
        let log = open(&disk);
        Self { disk, log, ..self }
    }

    /// How many segments have lost records.
    fn holed(&self) -> usize {
        let is_holed = |name: &&String| self.disk.bytes(name)[12] == 1;
        files(&self.disk, ".seg").iter().filter(is_holed).count()
    }

    fn compact(&self) {
        (0..40).for_each(|_| self.log.compact(&|| true));
    }
}

fn check(model: &Model, log: &dyn Store) {
    let ids: Vec<_> = (0..5).map(|number| id(&format!("id{number}"))).collect();
    for seed in 0..20 {
        model.check(log, &mut Rng::with_seed(seed), &ids);
    }
}

fn files(disk: &SimDisk, end: &str) -> Vec<String> {
    let mut files = disk.files();
    files.retain(|name| name.ends_with(end));
    files
}

fn scanned(log: &dyn Store, names: &str) -> Vec<u64> {
    let scan = log.scan(&topics(names), Seq::ZERO, ALL, usize::MAX).unwrap();
    seqs(&scan.records)
}

#[test]
fn a_mostly_dead_segment_is_rewritten_and_reads_the_same() {
    let grown = Grown::mostly_dead();
    let used = |grown: &Grown| {
        let segments = files(&grown.disk, ".seg");
        let bytes = segments.iter().map(|name| grown.disk.bytes(name).len());
        bytes.sum::<usize>()
    };
    let before = used(&grown);
    let segments = files(&grown.disk, ".seg").len();
    grown.compact();
    assert!(grown.holed() > 3, "{} were rewritten", grown.holed());
    assert_eq!(files(&grown.disk, ".seg").len(), segments, "none has gone");
    let after = used(&grown);
    assert!(after < before * 2 / 3, "{after} of {before}");
    assert_eq!(files(&grown.disk, ".tmp"), [""; 0]);
    grown.check();
    grown.compact();
    assert_eq!(used(&grown), after, "there is no more to give back");
    let grown = grown.kill();
    grown.check();
    assert_eq!(grown.log.history().last, Seq(220));
}

#[test]
fn nothing_is_taken_that_a_machine_may_need() {
    let mut grown = Grown::new();
    grown.append(purge(201, "busy"));
    grown.compact();
    assert_eq!(grown.holed(), 0, "there is no snapshot");
    grown.log.snapshot(Seq(201), b"one");
    grown.compact();
    assert_eq!(grown.holed(), 0, "the only snapshot may be damaged one day");
    grown.log.snapshot(Seq(201), b"two");
    grown.compact();
    assert!(grown.holed() > 3);
    let mut kept = Vec::new();
    grown
        .log
        .replay(Seq::ZERO, &mut |record| kept.push(record.seq))
        .unwrap();
    assert!(kept.contains(&Seq(201)), "the purge itself stays");
}

#[test]
fn half_of_it_must_be_dead() {
    let mut grown = Grown::new();
    grown.append(purge(201, "rare"));
    grown.cover();
    grown.compact();
    assert_eq!(grown.holed(), 0);
    grown.check();
}

#[test]
fn an_index_that_is_lost_after_it_is_made_anew() {
    let grown = Grown::mostly_dead();
    grown.compact();
    for index in files(&grown.disk, ".idx") {
        grown.disk.take(&index);
    }
    let grown = grown.kill();
    grown.check();
    // As it is found where the machine went off between the two renames.
    let [first, second, ..] = &files(&grown.disk, ".idx")[..] else {
        panic!("too few indexes");
    };
    grown.disk.put(first, &grown.disk.bytes(second));
    grown.kill().check();
}

#[test]
fn without_the_list_of_topics_holes_are_told_and_nothing_else_is_lost() {
    let grown = Grown::mostly_dead();
    grown.compact();
    grown.disk.take("topics");
    let rare = scanned(&grown.log, "rare");
    let busy = scanned(&grown.log, "busy");
    let grown = grown.kill();
    assert_eq!(scanned(&grown.log, "rare"), rare);
    assert_eq!(scanned(&grown.log, "busy"), busy, "the purge is still there");
    let floors = |log: &Segments| {
        ["rare", "busy", "never seen"].map(|name| {
            let scan = log.scan(&topics(name), Seq::ZERO, ALL, 0).unwrap();
            scan.floors.highest()
        })
    };
    let told = floors(&grown.log);
    for floor in told {
        assert!(floor >= Seq(180), "{floor:?} hides what is gone");
        assert!(floor < Seq(220), "who has read all is told nothing");
    }
    let grown = grown.kill();
    assert_eq!(floors(&grown.log), told, "also after one more start");
    assert_eq!(scanned(&grown.log, "rare"), rare);
}

#[test]
fn a_reader_in_the_midst_of_it_reads_on() {
    let grown = Grown::mostly_dead();
    let (mut read, mut cursor, mut rounds) = (Vec::new(), Seq::ZERO, 0);
    let all = topics("busy rare");
    while cursor < Seq(220) {
        let scan = grown.log.scan(&all, cursor, Seq(220), 300).unwrap();
        read.extend(seqs(&scan.records));
        cursor = scan.through;
        grown.log.compact(&|| true);
        rounds += 1;
    }
    assert!(rounds > 10);
    assert!(grown.holed() > 3);
    assert_eq!(read, scanned(&grown.log, "busy rare"));
}

#[test]
fn readers_and_publishers_beside_it_notice_nothing() {
    let grown = Grown::new();
    let Grown { log, .. } = &grown;
    let rare = scanned(log, "rare");
    let done = &AtomicBool::new(false);
    let is_done = move || done.load(Relaxed);
    std::thread::scope(|scope| {
        for seed in 0..2 {
            let rare = &rare;
            scope.spawn(move || {
                let mut rng = Rng::with_seed(seed);
                while !is_done() {
                    let after = rng.u64(..200);
                    let scan = log
                        .scan(&topics("rare"), Seq(after), Seq(200), rng.usize(..3_000))
                        .unwrap();
                    let expected = rare
                        .iter()
                        .filter(|seq| (after + 1..=scan.through.0).contains(seq));
                    assert!(seqs(&scan.records).iter().eq(expected));
                    assert_eq!(log.find(&topics("rare"), &id("id3")).unwrap(), Some(Seq(3)));
                }
            });
        }
        scope.spawn(move || {
            while !is_done() {
                log.compact(&|| true);
            }
        });
        for seq in 201..=600 {
            let record = if seq % 20 == 0 {
                purge(seq, "busy")
            } else {
                event(seq, "busy")
            };
            let is_purge = record.change().is_some();
            log.append(&batch([record])).unwrap();
            if is_purge {
                log.purge(&topics("busy"), Seq(seq)).unwrap();
            }
            if log.wants_snapshot() || seq % 50 == 0 {
                log.snapshot(Seq(seq), b"");
            }
        }
        // On a busy machine the rewriting may hardly have begun.
        for _ in 0..1000 {
            if grown.holed() > 3 {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        done.store(true, Relaxed);
    });
    assert!(grown.holed() > 3);
    let grown = grown.kill();
    assert_eq!(scanned(&grown.log, "rare"), rare);
    assert_eq!(grown.log.history().last, Seq(600));
}

#[test]
fn a_purge_meanwhile_takes_what_it_takes() {
    let mut grown = Grown::mostly_dead();
    let (log, model) = (&grown.log, &RefCell::new(&mut grown.model));
    let calls = Cell::new(0);
    for round in 0..40 {
        log.compact(&|| {
            calls.set(calls.get() + 1);
            // In the midst of a segment, once in a round or so.
            if calls.get() % 4 == 0 && round % 3 == 0 {
                let seq = Seq(model.borrow().last.0 + 1);
                let names = if seq.0.is_multiple_of(2) { "rare" } else { "busy" };
                let batch = batch([purge(seq.0, names)]);
                log.append(&batch).unwrap();
                model.borrow_mut().append(&batch);
                let purged = log.purge(&topics(names), seq).unwrap();
                assert_eq!(purged, model.borrow_mut().purge(&topics(names), seq));
            }
            true
        });
    }
    assert!(calls.get() > 8);
    assert!(grown.model.last > Seq(221), "it was purged in the midst");
    grown.check();
    grown.cover();
    grown.compact();
    grown.check();
    grown.kill().check();
}

#[test]
fn a_segment_that_goes_meanwhile_stays_gone() {
    let disk = SimDisk::new(1);
    let retention = Retention {
        max_age: Some(Duration::from_secs(1)),
        ..Retention::default()
    };
    let log = open_on(Arc::new(disk.clone()), retention.clone());
    for seq in 1..=100 {
        let names = if seq % 10 == 0 { "rare" } else { "busy" };
        log.append(&batch([at(event(seq, names), 1_000)])).unwrap();
    }
    log.append(&batch([at(purge(101, "busy"), 1_000)])).unwrap();
    log.purge(&topics("busy"), Seq(101)).unwrap();
    (0..2).for_each(|_| log.snapshot(Seq(101), b""));
    let before = files(&disk, ".seg").len();
    let calls = Cell::new(0);
    log.compact(&|| {
        calls.set(calls.get() + 1);
        if calls.get() == 3 {
            log.trim(1_000_000); // Everything.
        }
        true
    });
    assert!(calls.get() > 3, "it went in the midst");
    assert!(before > 3);
    let left = files(&disk, "");
    let of_segments = |name: &&String| name.starts_with("log/") && !name.ends_with(".cut");
    let in_log: Vec<_> = left.iter().filter(of_segments).collect();
    assert_eq!(in_log.len(), 1, "only what is written now: {in_log:?}");
    assert_eq!(scanned(&log, "busy rare"), [0; 0]);
    let log = open_on(Arc::new(disk.kill()), retention);
    assert_eq!(scanned(&log, "busy rare"), [0; 0]);
    assert_eq!(log.history().last, Seq(101));
}

#[test]
fn who_is_told_to_give_up_leaves_nothing_behind() {
    let grown = Grown::mostly_dead();
    for most in 0..8 {
        let calls = Cell::new(0);
        grown.log.compact(&|| {
            calls.set(calls.get() + 1);
            calls.get() <= most
        });
        assert!(calls.get() > 0);
        assert_eq!(files(&grown.disk, ".tmp"), [""; 0]);
    }
    assert_eq!(grown.holed(), 0);
    grown.check();
}

/// A disk has no room for a copy: nothing is lost, and it is done when there is room.
#[test]
fn a_full_disk_stops_it_until_there_is_room() {
    let grown = Grown::mostly_dead();
    grown.disk.set_room(Some(grown.disk.used() + 100));
    grown.compact();
    assert_eq!(grown.holed(), 0);
    assert_eq!(files(&grown.disk, ".tmp"), [""; 0]);
    grown.check();
    grown.disk.set_room(None);
    (0..10).for_each(|_| grown.compact());
    assert!(grown.holed() > 3);
    grown.check();
}

#[test]
fn what_is_dead_and_must_stay_is_not_copied_again_and_again() {
    let mut grown = Grown::new();
    (201..=400).for_each(|seq| grown.append(end(seq, "ended")));
    grown.append(purge(401, "ended"));
    grown.append(purge(402, "busy rare"));
    grown.cover();
    grown.compact();
    let copied = |grown: &Grown| {
        let calls = Cell::new(0);
        (0..40).for_each(|_| {
            grown.log.compact(&|| {
                calls.set(calls.get() + 1);
                true
            });
        });
        calls.get()
    };
    for seq in (403..440).step_by(2) {
        grown.append(event(seq, "other"));
        grown.append(purge(seq + 1, "other"));
        assert_eq!(copied(&grown), 0, "only ends are left");
    }
    grown.check();
}

#[test]
fn files_that_cannot_be_removed_are_tried_again_in_their_order() {
    let disk = SimDisk::new(1);
    let faulty = Arc::new(Faulty::new(Arc::new(disk.clone()), Fault::CannotRemove));
    let retention = Retention {
        max_events: Some(20),
        ..Retention::default()
    };
    let log = open_on(faulty.clone(), retention);
    let put = |seq| log.append(&batch([event(seq, "a")])).unwrap();
    (1..=200).for_each(put);
    (0..2).for_each(|_| log.snapshot(Seq(200), b""));
    let before = files(&disk, ".seg").len();
    log.trim(0);
    assert!(scanned(&log, "a").len() < 60, "nobody reads them any more");
    assert_eq!(files(&disk, ".seg").len(), before);
    // The list of topics is lost as well: then at least no gap is passed over.
    let lost = disk.kill();
    lost.take("topics");
    files(&lost, ".cut").iter().for_each(|name| lost.take(name));
    assert_eq!(scanned(&open(&lost), "a").len(), 200);
}

#[test]
fn what_could_not_be_removed_goes_when_it_can() {
    let disk = SimDisk::new(1);
    let faulty = Arc::new(Faulty::new(Arc::new(disk.clone()), Fault::CannotRemove));
    let retention = Retention {
        max_events: Some(20),
        ..Retention::default()
    };
    let log = open_on(faulty.clone(), retention);
    (1..=200).for_each(|seq| log.append(&batch([event(seq, "a")])).unwrap());
    (0..2).for_each(|_| log.snapshot(Seq(200), b""));
    let before = files(&disk, ".seg");
    log.trim(0);
    assert_eq!(files(&disk, ".seg"), before);
    faulty.mend();
    log.trim(0);
    let after = files(&disk, ".seg");
    assert!(
        before.len() > after.len() + 5 && before.ends_with(&after),
        "{after:?}"
    );
    log.compact(&|| false);
    assert_eq!(files(&disk, ".idx").len(), after.len() - 1);
}

/// Files wait for the machine's memory, and ask for it.
#[test]
fn an_idle_log_asks_for_snapshots_until_its_files_can_go() {
    let disk = SimDisk::new(1);
    let retention = Retention {
        max_age: Some(Duration::from_secs(1)),
        ..Retention::default()
    };
    let log = open_on(Arc::new(disk.clone()), retention);
    log.append(&batch([at(event(1, "a"), 1_000)])).unwrap();
    let mut asked = 0;
    for second in 3..10 {
        log.trim(second * 1_000);
        log.trim_topics(second * 1_000);
        (0..60).for_each(|_| log.compact(&|| true));
        assert_eq!(scanned(&log, "a"), [0; 0]);
        if log.wants_snapshot() {
            log.snapshot(Seq(1), b"what is remembered");
            asked += 1;
        }
    }
    assert_eq!(asked, 2, "one, and one more in case it is damaged");
    assert_eq!(files(&disk, ".seg").len(), 1, "what was written is gone");
    let log = open(&disk.kill());
    let history = log.history();
    assert_eq!(
        (history.last, history.snapshot.map(|(seq, _)| seq)),
        (Seq(1), Some(Seq(1)))
    );
}

#[test]
fn what_was_left_half_made_is_swept_away_at_the_next_start() {
    let grown = Grown::mostly_dead();
    grown.log.compact(&|| false);
    let before = grown.disk.files();
    let orphan = format!("log/{:020}.idx", 5);
    for name in [
        "log/00000000000000000001.seg.tmp",
        "snap/1.snap.tmp",
        "topics.tmp",
        &orphan,
    ] {
        grown.disk.put(name, b"half");
    }
    let grown = grown.kill();
    assert_eq!(grown.disk.files(), before);
    grown.check();
}

#[test]
fn a_forgotten_topic_is_not_known_after_a_restart_either() {
    let disk = SimDisk::new(1);
    let log = open(&disk);
    log.append(&batch([event(1, "a"), event(2, "b"), purge(3, "a")]))
        .unwrap();
    log.purge(&topics("a"), Seq(3)).unwrap();
    assert_eq!(log.idle(9), [topic("a")]);
    log.append(&batch([forget(4, topics("a"), 3)])).unwrap();
    log.forget(&topics("a"), Seq(3));
    log.snapshot(Seq(4), b"");
    let knows = |log: &Segments| [log.knows(&topic("a")), log.knows(&topic("b"))];
    assert_eq!(knows(&log), [false, true]);
    let disk = disk.kill();
    assert_eq!(knows(&open(&disk)), [false, true]);
    let disk = disk.kill();
    disk.take("topics");
    assert_eq!(knows(&open(&disk)), [false, true], "its record says so");
}

#[test]
fn rules_hold_when_a_log_is_opened_before_anybody_reads() {
    let rule = |max_bytes| Rule {
        namespace: Namespace::Events,
        prefix: "b".into(),
        max_events: Some(30),
        max_bytes,
        max_age: None,
    };
    for max_bytes in [None, Some(900)] {
        let retention = Retention {
            rules: Rules::new([rule(max_bytes)]).unwrap(),
            ..Retention::default()
        };
        let mut grown = Grown::new();
        let rare = scanned(&grown.log, "rare");
        grown.disk = grown.disk.kill();
        let log = open_on(Arc::new(grown.disk.clone()), retention.clone());
        let busy = scanned(&log, "busy");
        let most = if max_bytes.is_some() { 900 / 50 } else { 30 };
        assert!((2..=most).contains(&busy.len()), "{}", busy.len());
        assert_eq!(scanned(&log, "rare"), rare);
        let last: Vec<_> = (1..=200)
            .rev()
            .filter(|seq| seq % 10 != 3)
            .take(busy.len())
            .collect();
        assert!(busy.iter().rev().eq(&last), "the last ones");
        // Rewritten, trimmed on and opened again, it is the same.
        (0..2).for_each(|_| log.snapshot(Seq(200), b""));
        (0..40).for_each(|_| log.compact(&|| true));
        log.trim_topics(200);
        assert_eq!(scanned(&log, "busy"), busy);
        (201..=205).for_each(|seq| log.append(&batch([event(seq, "busy")])).unwrap());
        log.trim_topics(205);
        let after = scanned(&log, "busy");
        assert!(
            after.len().abs_diff(busy.len()) <= 2,
            "{} and {}",
            after.len(),
            busy.len()
        );
        let log = open_on(Arc::new(grown.disk.kill()), retention);
        assert_eq!(scanned(&log, "busy"), after);
    }
}

#[test]
fn what_is_gone_is_written_down_before_its_last_trace_goes() {
    let rule = Rule {
        namespace: Namespace::Events,
        prefix: "busy".into(),
        max_events: None,
        max_bytes: None,
        max_age: Some(Duration::from_secs(10)),
    };
    let retention = Retention {
        rules: Rules::new([rule]).unwrap(),
        ..Retention::default()
    };
    let mut grown = Grown::new();
    grown.cover();
    grown.disk = grown.disk.kill();
    let log = open_on(Arc::new(grown.disk.clone()), retention);
    // By the clock they are too old, by the last record's time they are not: opening alone would not let them go.
    log.trim_topics(1_000_000);
    assert_eq!(scanned(&log, "busy"), [0; 0]);
    (0..40).for_each(|_| log.compact(&|| true));
    grown.disk = grown.disk.crash(&mut Rng::with_seed(1));
    let log = open(&grown.disk);
    assert!(grown.holed() > 3);
    let floor = log.scan(&topics("busy"), Seq::ZERO, ALL, 0).unwrap().floors;
    assert_eq!(floor.highest(), Seq(200), "the last one that is gone");
    assert_eq!(scanned(&log, "busy"), [0; 0]);
    assert_eq!(scanned(&log, "rare").len(), 40);
}
