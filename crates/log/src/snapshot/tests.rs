//! Batches that are taken back and machines that are recalled, against one that simply went on: random entries,
//! random cuts. A failure names its seed.

use tidewire_codec::{Event, EventId};

use super::*;
use crate::{
    Entry, Epoch, Error, Ledger, Millis, Receipt, Record, Verdict, ids::Epochs, ledger::Ledgers,
    machine::Applied,
};

const SETTINGS: Settings = Settings {
    rules: RULES,
    max_topics: 5,
    max_keys: 4,
    max_key_bytes: u64::MAX,
    keep_keys: 300,
};

/// The sum of what it was told; an odd number it does not take.
#[derive(Default)]
struct Sum {
    sum: u64,
    before: u64,
}

impl Ledger for Sum {
    fn begin(&mut self) {
        self.before = self.sum;
    }
    fn apply(&mut self, _: Seq, _: Millis, data: &[u8]) -> Verdict {
        let is_taken = data[0].is_multiple_of(2);
        self.sum += if is_taken { u64::from(data[0]) } else { 0 };
        Verdict {
            is_taken,
            answer: self.sum.to_le_bytes().into(),
        }
    }
    fn undo(&mut self) {
        self.sum = self.before;
    }
    fn snapshot(&self) -> Vec<u8> {
        self.sum.to_le_bytes().into()
    }
    fn restore(&mut self, snapshot: &[u8]) -> Result<(), Unreadable> {
        self.sum = u64::from_le_bytes(snapshot.try_into().map_err(|_| NOT_OURS)?);
        Ok(())
    }
}

fn machine() -> Machine {
    let epochs = Epochs::of_log(vec![("aaaaaaaa".parse::<Epoch>().unwrap(), Seq(1))]);
    let ledgers: Ledgers = [(Door::RELAY, Box::new(Sum::default()) as _)].into();
    Machine::new(epochs, SETTINGS, ledgers)
}

fn random_entry(rng: &mut fastrand::Rng, last: Seq, now: Millis) -> Entry {
    let mut topic = || Topic::new(Namespace::Events, &rng.usize(..7).to_string()).unwrap();
    let topics = TopicSet::new([topic(), topic()]).unwrap();
    let entry = match rng.u8(..24) {
        0 => Entry::end(topics),
        1 => Entry::event(topics, Event::new("the last")).ending(),
        2 | 3 => Entry::purge(topics),
        4 => Entry::event(topics, Event::new("x").with_id(EventId::new("given").unwrap())),
        5 | 6 => Entry::Forget {
            topics,
            through: Seq(rng.u64(..=last.0)),
        },
        7 => Entry::ForgetKeys {
            before: now.saturating_sub(rng.u64(..200)),
        },
        8 => Entry::Settings(Settings {
            max_topics: rng.u64(3..6),
            max_keys: rng.u64(1..5),
            ..SETTINGS
        }),
        9 | 10 => Entry::Fact {
            door: if rng.bool() { Door::RELAY } else { Door::GRANTS },
            data: [rng.u8(..)].into(),
        },
        11 => Entry::Batch {
            position: last.0,
            origin: Origin {
                node: rng.u64(..2),
                incarnation: 1,
            },
            number: rng.u64(1..4),
        },
        _ => Entry::event(topics, Event::new("x".repeat(rng.usize(..3)))),
    };
    let key = rng.bool().then(|| {
        let key = IdempotencyKey::new(&format!("k{}", rng.usize(..3))).unwrap();
        (key, rng.u64(..3))
    });
    entry.with_key(key)
}

/// A batch; what was accepted is added to the records.
fn apply(
    machine: &mut Machine,
    entries: Vec<(Entry, Millis)>,
    records: &mut Vec<Record>,
) -> Vec<Result<Receipt, Error>> {
    machine.begin();
    let apply = |(entry, now)| {
        let seq = machine.last().next();
        machine.apply(seq, now, entry).map(|applied| match applied {
            Applied::Record(record, receipt) => {
                records.push(record);
                receipt
            }
            Applied::Answered(receipt) => receipt,
        })
    };
    entries.into_iter().map(apply).collect()
}

#[test]
fn a_machine_that_is_recalled_answers_as_the_one_that_went_on() {
    let (mut accepted, mut taken_back, mut kept_keys) = (0, 0, 0);
    for seed in 0..400 {
        println!("seed {seed}");
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut lived = machine();
        let mut records = Vec::new();
        let mut now = 0;
        let mut entries = |rng: &mut fastrand::Rng, last| -> Vec<_> {
            let mut entry = |rng: &mut fastrand::Rng| {
                now += rng.u64(..20);
                // Clocks go back now and then.
                (random_entry(rng, last, now), now.saturating_sub(rng.u64(..30)))
            };
            (0..rng.usize(1..6)).map(|_| entry(rng)).collect()
        };
        let mut snapshot = None;
        let batches = rng.usize(1..40);
        let cut = rng.usize(..batches);
        for n in 0..batches {
            if n == cut && rng.u8(..8) > 0 {
                snapshot = Some((lived.last(), lived.snapshot()));
            }
            let mut batch = entries(&mut rng, lived.last());
            if rng.u8(..4) == 0 {
                // Only what this node's own order has decided is taken back.
                batch.retain(|(entry, _)| !matches!(entry, Entry::Batch { .. }));
                let before = lived.snapshot();
                apply(&mut lived, batch, &mut Vec::new());
                lived.undo();
                assert_eq!(lived.snapshot(), before);
                taken_back += 1;
            } else {
                apply(&mut lived, batch, &mut records);
            }
        }

        let (after, mut recalled) = match snapshot {
            Some((seq, bytes)) => (seq, machine().restore(seq, &bytes).unwrap()),
            None => (Seq::ZERO, machine()),
        };
        for record in records.iter().filter(|record| record.seq > after) {
            recalled.replay(record);
        }
        assert_eq!(recalled.snapshot(), lived.snapshot());
        // Numbers that were taken back are in no record.
        recalled.go_on_after(lived.last(), 0);
        let rest: Vec<_> = (0..10).flat_map(|_| entries(&mut rng, lived.last())).collect();
        let answers = apply(&mut lived, rest.clone(), &mut Vec::new());
        assert_eq!(apply(&mut recalled, rest, &mut Vec::new()), answers);
        assert_eq!(recalled.snapshot(), lived.snapshot());
        accepted += records.len();
        kept_keys += lived.keys.count();
    }
    assert!(accepted > 1000 && taken_back > 100 && kept_keys > 100);
}

#[test]
fn the_book_of_a_door_that_is_away_waits_for_it() {
    let fact = |data: u8| Entry::Fact {
        door: Door::RELAY,
        data: [data].into(),
    };
    let mut here = machine();
    apply(&mut here, vec![(fact(2), 0)], &mut Vec::new());
    let without = || Machine::new(Epochs::default(), SETTINGS, Ledgers::new());
    let mut away = without().restore(Seq(1), &here.snapshot()).unwrap();
    apply(&mut away, vec![(fact(4), 0)], &mut Vec::new());
    let away = without().restore(Seq(2), &away.snapshot()).unwrap();
    apply(&mut here, vec![(fact(4), 0)], &mut Vec::new());
    let back = machine().restore(Seq(2), &away.snapshot()).unwrap();
    assert_eq!(back.snapshot(), here.snapshot());
}

#[test]
fn bytes_that_are_no_snapshot_are_an_error_and_never_a_panic() {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut full = machine();
    let entries = (0..100)
        .map(|now| (random_entry(&mut rng, Seq(now), now), now))
        .collect();
    apply(&mut full, entries, &mut Vec::new());
    let snapshot = full.snapshot();
    let restore = |bytes: &[u8]| machine().restore(Seq(9), bytes).map(drop);
    assert_eq!(restore(&snapshot), Ok(()));
    for len in 0..snapshot.len() {
        assert!(matches!(restore(&snapshot[..len]), Err(Unreadable::Damaged(_))));
    }
    let longer = [&snapshot[..], b"x"].concat();
    assert!(matches!(restore(&longer), Err(Unreadable::Damaged(_))));
    let mut newer = snapshot.clone();
    newer[0] += 1;
    assert_eq!(restore(&newer), Err(Unreadable::Version { found: 3 }));
    for at in 1..snapshot.len() {
        for flip in [1, 0x80, 0xff] {
            let mut damaged = snapshot.clone();
            damaged[at] ^= flip;
            // Checksums are the archive's part: some of these are snapshots of something else.
            drop(restore(&damaged));
        }
    }
}
