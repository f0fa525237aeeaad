//! What every archive does, whatever it is made of. An archive may let go later than its bounds say, as long as it lets
//! go the oldest first and its floors say exactly what is gone.

use crate::records::Derived as _;
use std::{sync::Arc, time::Duration};

use fastrand::Rng;
use tidewire_codec::{Event, EventName};
use tidewire_log::{
    Entry, Floors, IdempotencyKey, Record, Seq, TopicSet,
    archive::{
        Memory, Retention, Rules, Store,
        segments::{Disk, Durability, Segments, Settings},
    },
};

use crate::{
    model::Model,
    records::{
        at, batch, end, event, event_of, event_with_id, forget, id, last_event, purge, seqs, topic, topics,
    },
    sim::SimDisk,
    simple::{Flaw, Simple},
};

mod rules;

use rules::*;

const ALL: Seq = Seq(u64::MAX);

/// Makes an empty archive.
type Open<'a> = &'a dyn Fn(Retention) -> Box<dyn Store>;

fn memory(retention: Retention) -> Box<dyn Store> {
    Box::new(Memory::new(retention))
}

fn simple(retention: Retention) -> Box<dyn Store> {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    Box::new(Simple::open(disk, retention, Flaw::None).unwrap())
}

fn segments(retention: Retention) -> Box<dyn Store> {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let settings = Settings {
        durability: Durability::Always,
        segment_bytes: 2_000, // Room for a few events, so that there are many segments.
        retention,
    };
    Box::new(Segments::open(disk, settings).unwrap())
}

macro_rules! contract {
    ($($archive:ident)* : $tests:tt) => { $(contract!(@ $archive $tests);)* };
    (@ $archive:ident { $($test:ident)* }) => {
        mod $archive {
            $(#[test] fn $test() { super::$test(&super::$archive); })*
        }
    };
}

contract!(memory segments simple: {
    an_empty_archive_has_nothing_and_nothing_is_gone
    records_are_read_in_order_by_topic
    an_empty_batch_changes_nothing
    a_budget_stops_a_scan_after_at_least_one_record
    what_is_read_is_what_was_appended
    the_last_events_are_counted_without_ends
    the_earliest_event_of_an_id_is_found_as_long_as_it_is_there
    a_purge_takes_a_topic_and_leaves_the_others
    a_purge_leaves_what_came_after_it_in_its_batch
    nothing_goes_before_the_purge_is_done
    ends_are_read_but_nobody_misses_them
    trimming_lets_the_oldest_go_and_floors_say_so
    nothing_young_is_let_go_and_the_old_goes_in_the_end
    the_newest_event_is_kept_whatever_the_bound
    held_counts_what_is_kept
    forgotten_topics_have_nothing_and_floors_stay_high
    a_rule_bounds_each_topic_of_its_prefix_and_no_other
    a_rule_in_bytes_keeps_the_newest_event
    a_rule_in_time_lets_the_old_go_with_its_ends
    a_topic_that_is_cut_and_purged_is_counted_right
    a_topic_that_is_used_anew_in_the_batch_that_forgets_it_is_counted
    what_all_lose_is_counted_where_a_rule_is_too
    everything_agrees_with_a_model
});

fn open(archive: Open<'_>) -> Box<dyn Store> {
    archive(Retention::default())
}

fn append(archive: &dyn Store, records: impl IntoIterator<Item = Record>) {
    archive.append(&batch(records)).unwrap();
}

fn scanned(archive: &dyn Store, names: &str) -> Vec<u64> {
    seqs(
        &archive
            .scan(&topics(names), Seq::ZERO, ALL, usize::MAX)
            .unwrap()
            .records,
    )
}

fn floors(archive: &dyn Store, names: &str) -> Floors {
    archive.scan(&topics(names), Seq::ZERO, ALL, 0).unwrap().floors
}

fn of<const N: usize>(floors: [u64; N]) -> Floors {
    floors.into_iter().map(Seq).collect()
}

/// Appends a purge and does it, as the hub does.
fn purge_now(archive: &dyn Store, seq: u64, names: &str) -> usize {
    append(archive, [purge(seq, names)]);
    archive.purge(&topics(names), Seq(seq)).unwrap()
}

fn an_empty_archive_has_nothing_and_nothing_is_gone(archive: Open<'_>) {
    let archive = open(archive);
    let scan = archive.scan(&topics("a b"), Seq(3), Seq(7), 100).unwrap();
    assert_eq!((scan.records.len(), scan.through), (0, Seq(7)));
    assert_eq!(scan.floors, of([0, 0]));
    assert_eq!(archive.nth_last(&topics("a"), 5, ALL).unwrap(), None);
    assert_eq!(archive.count(&topics("a"), ALL).unwrap(), 0);
    assert_eq!(archive.find(&topics("a"), &id("x")).unwrap(), None);
    assert_eq!(archive.purge(&topics("a"), ALL).unwrap(), 0);
    assert_eq!((archive.held().records, archive.idle(9).len()), (0, 0));
    archive.trim(1 << 40);
    let history = archive.history();
    assert_eq!(
        (history.last, history.time, history.snapshot),
        (Seq::ZERO, 0, None)
    );
    archive
        .replay(Seq::ZERO, &mut |record| panic!("{record:?}"))
        .unwrap();
}

fn records_are_read_in_order_by_topic(archive: Open<'_>) {
    let archive = open(archive);
    append(&*archive, [event(1, "a"), event(2, "b"), event(3, "a b")]);
    append(&*archive, [event(5, "c")]);
    append(&*archive, [event(6, "a"), event(9, "b c")]);
    assert_eq!(scanned(&*archive, "a"), [1, 3, 6]);
    assert_eq!(scanned(&*archive, "b"), [2, 3, 9]);
    assert_eq!(scanned(&*archive, "a b"), [1, 2, 3, 6, 9], "each once");
    assert_eq!(scanned(&*archive, "a b c d"), [1, 2, 3, 5, 6, 9]);
    let part = archive.scan(&topics("a b"), Seq(1), Seq(6), usize::MAX).unwrap();
    assert_eq!((seqs(&part.records), part.through), (vec![2, 3, 6], Seq(6)));
    let between = archive.scan(&topics("a b"), Seq(6), Seq(8), usize::MAX).unwrap();
    assert_eq!((between.records.len(), between.through), (0, Seq(8)));
    let ahead = archive.scan(&topics("a b"), Seq(20), Seq(9), usize::MAX).unwrap();
    assert_eq!((ahead.records.len(), ahead.through), (0, Seq(20)), "never back");
}

fn an_empty_batch_changes_nothing(archive: Open<'_>) {
    let archive = open(archive);
    append(&*archive, []);
    append(&*archive, [event(1, "a")]);
    append(&*archive, []);
    append(&*archive, [event(2, "a")]);
    assert_eq!(scanned(&*archive, "a"), [1, 2]);
}

fn a_budget_stops_a_scan_after_at_least_one_record(archive: Open<'_>) {
    let archive = open(archive);
    for seq in 1..=40 {
        let names = if seq % 3 == 0 { "a b" } else { "a" };
        append(
            &*archive,
            [event_of(seq, topics(names), Event::new("x".repeat(1000)))],
        );
    }
    for budget in [0, 1, 5000] {
        let (mut read, mut cursor, mut calls) = (Vec::new(), Seq::ZERO, 0);
        while cursor < Seq(40) {
            let scan = archive.scan(&topics("a b"), cursor, Seq(40), budget).unwrap();
            assert!(scan.through > cursor, "progress");
            assert!(
                scan.records.len() <= budget / 1000 + 1,
                "{} records for {budget} bytes",
                scan.records.len()
            );
            read.extend(seqs(&scan.records));
            (cursor, calls) = (scan.through, calls + 1);
        }
        assert_eq!(read, (1..=40).collect::<Vec<_>>());
        assert!(calls > 1);
    }
}

fn what_is_read_is_what_was_appended(archive: Open<'_>) {
    let archive = open(archive);
    let mut inner = Event::new("line\n\u{1F30A} \0 end\n").with_id(id("my id"));
    inner.name = Some(EventName::new("tide").unwrap());
    inner.retry = Some(0);
    let key = IdempotencyKey::new("k-1").unwrap();
    let mut whole = event_of(7, topics("a b"), inner);
    whole.entry = whole
        .entry
        .ending()
        .with_key(Some((key, u64::from(u32::MAX) + 1)));
    let empty = event_of(8, topics("c"), Event::new(""));
    let large = event_of(900_000, topics("a"), Event::new("0123456789".repeat(200_000)));
    let batch = batch([whole, empty, large]);
    archive.append(&batch).unwrap();
    let read = archive
        .scan(&topics("a b c"), Seq::ZERO, ALL, usize::MAX)
        .unwrap()
        .records;
    assert_eq!(seqs(&read), [7, 8, 900_000]);
    for (read, appended) in read.iter().zip(&batch) {
        assert!(read == appended, "{:?}", read.seq);
    }
}

fn the_last_events_are_counted_without_ends(archive: Open<'_>) {
    let archive = open(archive);
    let ended = last_event(6, "a");
    append(
        &*archive,
        [
            event(1, "a"),
            event(2, "b"),
            event(3, "a b"),
            end(4, "b"),
            event(5, "a"),
            ended,
        ],
    );
    let nth = |names, count, through| archive.nth_last(&topics(names), count, Seq(through)).unwrap();
    assert_eq!(nth("a", 1, 9), Some(Seq(6)), "an event that ends counts");
    assert_eq!(nth("a", 2, 9), Some(Seq(5)));
    assert_eq!(nth("a b", 4, 9), Some(Seq(2)), "each once");
    assert_eq!(nth("b", 1, 9), Some(Seq(3)), "an end does not count");
    assert_eq!(nth("a", 99, 9), Some(Seq(1)), "all there are");
    assert_eq!(nth("a", 1, 5), Some(Seq(5)));
    assert_eq!(nth("a", 0, 9), None);
    assert_eq!(nth("nobody", 1, 9), None);
    let count = |names, through| archive.count(&topics(names), Seq(through)).unwrap();
    assert_eq!((count("a", 9), count("b", 9), count("a b", 9)), (4, 2, 5));
    assert_eq!((count("a", 3), count("a", 0), count("nobody", 9)), (2, 0, 0));
}

fn the_earliest_event_of_an_id_is_found_as_long_as_it_is_there(archive: Open<'_>) {
    let archive = open(archive);
    append(
        &*archive,
        [
            event_with_id(1, "a", "x"),
            event_with_id(2, "a b", "x"),
            event(3, "a"),
        ],
    );
    append(
        &*archive,
        [event_with_id(4, "c", "x"), event_with_id(5, "a", "y")],
    );
    let find = |names, given| archive.find(&topics(names), &id(given)).unwrap().map(|seq| seq.0);
    assert_eq!(
        (find("a", "x"), find("b", "x"), find("c", "x")),
        (Some(1), Some(2), Some(4))
    );
    assert_eq!(
        (find("b c", "x"), find("b c", "y"), find("a", "z")),
        (Some(2), None, None)
    );
    purge_now(&*archive, 6, "a");
    assert_eq!(
        (find("a", "x"), find("a", "y")),
        (None, None),
        "gone with its event"
    );
    assert_eq!(
        (find("b", "x"), find("a b", "x")),
        (Some(2), Some(2)),
        "another topic has it"
    );
    append(&*archive, [event_with_id(7, "a", "x")]);
    assert_eq!(find("a", "x"), Some(7));
}

fn a_purge_takes_a_topic_and_leaves_the_others(archive: Open<'_>) {
    let archive = open(archive);
    append(
        &*archive,
        [
            event(1, "a"),
            event(2, "a b"),
            event(3, "b"),
            event(4, "a"),
            end(5, "a"),
        ],
    );
    assert_eq!(purge_now(&*archive, 6, "a"), 3, "an end is no event");
    assert_eq!(scanned(&*archive, "a"), [0; 0], "neither events nor the end");
    assert_eq!(scanned(&*archive, "b"), [2, 3]);
    assert_eq!(scanned(&*archive, "a b"), [2, 3]);
    assert_eq!(
        (floors(&*archive, "a b"), floors(&*archive, "b")),
        (of([4, 0]), of([0]))
    );
    assert_eq!(
        (
            archive.count(&topics("a"), ALL).unwrap(),
            archive.count(&topics("a b"), ALL).unwrap()
        ),
        (0, 2)
    );
    assert_eq!(purge_now(&*archive, 7, "a"), 0, "nothing is left");
    assert_eq!(
        floors(&*archive, "a"),
        of([4]),
        "a purge of nothing is missed by nobody"
    );
    append(&*archive, [event(8, "a b")]);
    assert_eq!(
        (scanned(&*archive, "a"), scanned(&*archive, "a b")),
        (vec![8], vec![2, 3, 8])
    );
    assert_eq!(purge_now(&*archive, 9, "a b"), 3, "an event of both counts once");
    assert_eq!(floors(&*archive, "a b"), of([8, 8]));
    assert_eq!(purge_now(&*archive, 10, "unknown"), 0);
    assert_eq!(floors(&*archive, "unknown"), of([0]));
}

fn a_purge_leaves_what_came_after_it_in_its_batch(archive: Open<'_>) {
    let archive = open(archive);
    append(
        &*archive,
        [event(1, "a"), purge(2, "a"), event(3, "a"), event(4, "b")],
    );
    append(&*archive, [event(5, "a")]);
    assert_eq!(archive.purge(&topics("a"), Seq(2)).unwrap(), 1);
    assert_eq!(scanned(&*archive, "a b"), [3, 4, 5]);
    assert_eq!(floors(&*archive, "a b"), of([1, 0]));
}

fn nothing_goes_before_the_purge_is_done(archive: Open<'_>) {
    let archive = open(archive);
    append(&*archive, [event(1, "a"), event_with_id(2, "a", "x")]);
    append(&*archive, [purge(3, "a")]);
    assert_eq!(scanned(&*archive, "a"), [1, 2], "no reader could know yet");
    assert_eq!(floors(&*archive, "a"), of([0]));
    assert_eq!(archive.count(&topics("a"), ALL).unwrap(), 2);
    assert_eq!(archive.find(&topics("a"), &id("x")).unwrap(), Some(Seq(2)));
    assert_eq!(archive.purge(&topics("a"), Seq(3)).unwrap(), 2);
}

fn ends_are_read_but_nobody_misses_them(archive: Open<'_>) {
    let archive = open(archive);
    append(&*archive, [event(1, "a"), end(2, "a b"), end(3, "c")]);
    assert_eq!(scanned(&*archive, "a b c"), [1, 2, 3]);
    assert_eq!(purge_now(&*archive, 4, "c"), 0);
    assert_eq!(purge_now(&*archive, 5, "a"), 1);
    assert_eq!(floors(&*archive, "a b c"), of([1, 0, 0]));
    assert_eq!(scanned(&*archive, "a b c"), [2], "the end stands for b");
}

/// Whether the floors say exactly what is gone of `1..=last`, which were events of "a" where odd and of "b" where even.
fn agrees_with_its_floors(archive: &dyn Store, last: u64) -> Vec<u64> {
    let kept = scanned(archive, "a b");
    let first = kept.first().copied().unwrap_or(last + 1);
    assert_eq!(kept, (first..=last).collect::<Vec<_>>(), "the oldest first");
    let gone = |odd: u64| (1..first).rev().find(|seq| seq % 2 == odd).unwrap_or(0);
    assert_eq!(floors(archive, "a b"), of([gone(1), gone(0)]));
    assert_eq!(floors(archive, "b"), of([gone(0)]));
    kept
}

fn alternating(archive: &dyn Store, seqs: std::ops::RangeInclusive<u64>) {
    for seq in seqs {
        append(archive, [event(seq, if seq % 2 == 1 { "a" } else { "b" })]);
    }
}

fn trimming_lets_the_oldest_go_and_floors_say_so(archive: Open<'_>) {
    let archive = archive(Retention {
        max_events: Some(20),
        ..Retention::default()
    });
    alternating(&*archive, 1..=15);
    archive.trim(15);
    assert_eq!(
        agrees_with_its_floors(&*archive, 15).len(),
        15,
        "not over the bound"
    );
    alternating(&*archive, 16..=400);
    assert_eq!(
        agrees_with_its_floors(&*archive, 400).len(),
        400,
        "only `trim` lets go"
    );
    archive.trim(400);
    let kept = agrees_with_its_floors(&*archive, 400);
    assert!((1..200).contains(&kept.len()), "{} are kept", kept.len());
    assert_eq!(archive.count(&topics("a b"), ALL).unwrap(), kept.len());
    assert_eq!(
        archive.nth_last(&topics("a b"), 1000, ALL).unwrap(),
        Some(Seq(kept[0]))
    );
}

fn nothing_young_is_let_go_and_the_old_goes_in_the_end(archive: Open<'_>) {
    let archive = archive(Retention {
        max_age: Some(Duration::from_secs(1)),
        ..Retention::default()
    });
    let put = |seq, time| {
        append(
            &*archive,
            [at(event(seq, if seq % 2 == 1 { "a" } else { "b" }), time)],
        );
    };
    (1..=50).for_each(|seq| put(seq, 10_000));
    (51..=100).for_each(|seq| put(seq, 20_000));
    archive.trim(11_000);
    assert_eq!(agrees_with_its_floors(&*archive, 100).len(), 100);
    archive.trim(21_000);
    assert!(agrees_with_its_floors(&*archive, 100).len() >= 50);
    (101..=300).for_each(|seq| put(seq, 30_000));
    archive.trim(31_000);
    let kept = agrees_with_its_floors(&*archive, 300).len();
    assert!((200..300).contains(&kept), "{kept} are kept");
}

fn the_newest_event_is_kept_whatever_the_bound(archive: Open<'_>) {
    let archive = archive(Retention {
        max_bytes: 1,
        ..Retention::default()
    });
    for seq in 1..=100 {
        append(&*archive, [event(seq, if seq % 2 == 1 { "a" } else { "b" })]);
        archive.trim(seq);
        let kept = agrees_with_its_floors(&*archive, seq);
        assert_eq!(kept.last(), Some(&seq));
    }
}

fn held_counts_what_is_kept(archive: Open<'_>) {
    let archive = open(archive);
    append(&*archive, [event(1, "a"), event(2, "a b"), end(3, "b")]);
    let before = archive.held();
    assert_eq!(before.records, 3);
    assert!(before.bytes > 0);
    append(&*archive, [event(4, "a")]);
    let after = archive.held();
    assert_eq!(after.records, 4);
    assert!(after.bytes > before.bytes);
}

fn forgotten_topics_have_nothing_and_floors_stay_high(archive: Open<'_>) {
    let archive = open(archive);
    append(&*archive, [event(1, "a"), event(2, "b"), event(3, "c")]);
    assert_eq!(archive.idle(9), [], "something is kept of each");
    purge_now(&*archive, 4, "a b");
    assert_eq!(archive.idle(1).len(), 1, "as many as are asked for");
    let mut idle = archive.idle(9);
    idle.sort();
    assert_eq!(idle, [topic("a"), topic("b")]);
    archive.forget(&topics("a b"), Seq(4));
    assert_eq!(archive.idle(9), []);
    for name in ["a", "b"] {
        assert!(
            floors(&*archive, name).highest() >= Seq(1 + u64::from(name == "b")),
            "never too low"
        );
    }
    assert_eq!(floors(&*archive, "c"), of([0]), "exact");
    append(&*archive, [event(5, "a")]);
    assert_eq!(scanned(&*archive, "a"), [5], "used anew");
    assert!(floors(&*archive, "a").highest() < Seq(5));
}

fn everything_agrees_with_a_model(archive: Open<'_>) {
    for seed in 0..20 {
        let mut rng = Rng::with_seed(seed);
        let mut retention = Retention {
            max_events: Some(60),
            ..Retention::default()
        };
        if seed % 2 == 1 {
            let rules = [
                rule("", Some(12), None, None),
                rule("b", Some(4), Some(900), Some(20)),
            ];
            retention.rules = Rules::new(rules).unwrap();
        }
        let archive = archive(retention);
        let mut model = Model::default();
        let ids: Vec<_> = (0..4).map(|n| id(&format!("id{n}"))).collect();
        let mut seq = 0;
        for _ in 0..120 {
            let mut records = Vec::new();
            for _ in 0..rng.usize(..4) {
                seq += rng.u64(1..3);
                let names = ["a", "b", "c", "a b", "b c", "d"][rng.usize(..6)];
                records.push(match rng.u8(..12) {
                    0 => end(seq, names),
                    1 => purge(seq, names),
                    2..5 => event_with_id(seq, names, rng.choice(&ids).unwrap().as_str()),
                    _ => event(seq, names),
                });
            }
            let records = batch(records);
            archive.append(&records).unwrap();
            model.append(&records);
            for record in &records {
                if let Entry::Purge { topics, .. } = &record.entry {
                    let purged = archive.purge(topics, record.seq).unwrap();
                    let expected = model.purge(topics, record.seq);
                    assert_eq!(purged, expected, "seed {seed}: purge {record:?}");
                }
            }
            match rng.u8(..10) {
                0..3 => {
                    archive.trim(seq);
                    archive.trim_topics(seq);
                    archive.snapshot(Seq(seq), b"");
                    archive.compact(&|| true);
                    model.adopt(&*archive, |_, _, _| true);
                }
                3 => {
                    if let Ok(idle) = TopicSet::new(archive.idle(2)) {
                        seq += 1;
                        append(&*archive, [forget(seq, idle.clone(), seq - 1)]);
                        archive.forget(&idle, Seq(seq - 1));
                        model.last = Seq(seq);
                        model.forget(&idle, Seq(seq - 1));
                    }
                }
                _ => {}
            }
            model.check(&*archive, &mut rng, &ids);
        }
    }
}
