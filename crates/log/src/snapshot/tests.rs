//! Batches that are taken back and machines that are recalled, against one that simply went on: random publishes,
//! random cuts. A failure names its seed.

use std::collections::BTreeMap;

use tidewire_codec::{Event, EventId};

use super::*;
use crate::{
    Draft, Epoch, Error, Millis, Receipt, Record,
    dedup::{self, Place},
    machine::Applied,
};

const BOUNDS: Bounds = Bounds {
    max_topics: 5,
    max_event: 10,
    keys: dedup::Bounds {
        max_keys: 4,
        max_bytes: usize::MAX,
        keep: 300,
    },
};

fn machine() -> (Epochs, Machine) {
    let epochs = Epochs::new(Epoch::random().unwrap());
    (epochs.clone(), Machine::new(epochs, BOUNDS))
}

/// All that decides about answers, but for numbers.
#[derive(Debug, PartialEq)]
struct Remembered {
    time: Millis,
    topics: BTreeMap<Topic, Option<Seq>>,
    keys: Vec<(Millis, Place, Seen)>,
}

fn remembered(machine: &Machine) -> Remembered {
    let keys = machine.dedup.iter();
    Remembered {
        time: machine.time,
        topics: machine.topics.clone().into_iter().collect(),
        keys: keys
            .map(|(since, place, seen)| (since, place.clone(), seen.clone()))
            .collect(),
    }
}

fn random_draft(rng: &mut fastrand::Rng) -> Draft {
    let mut topic = || Topic::new(Namespace::Events, &rng.usize(..7).to_string()).unwrap();
    let topics = TopicSet::new([topic(), topic()]).unwrap();
    let event = |event| Draft::event(topics.clone(), event).unwrap();
    let draft = match rng.u8(..16) {
        0 => Draft::end(topics.clone()),
        1 => event(Event::new("the last")).and_end(),
        2 | 3 => Draft::purge(topics.clone()),
        4 => event(Event::new("too large for this")),
        5 => event(Event::new("x").with_id(EventId::new("given").unwrap())),
        _ => event(Event::new("x".repeat(rng.usize(..3)))),
    };
    match rng.bool() {
        true => {
            let key = IdempotencyKey::new(&format!("k{}", rng.usize(..3))).unwrap();
            draft.with_key(key, rng.u64(..3))
        }
        false => draft,
    }
}

/// A batch; what was accepted is added to the records.
fn apply(
    machine: &mut Machine,
    drafts: Vec<(Draft, Millis)>,
    records: &mut Vec<Record>,
) -> Vec<Result<Receipt, Error>> {
    machine.begin();
    let apply = |(draft, now)| {
        machine.apply(draft, now).map(|applied| match applied {
            Applied::Record(record, receipt) => {
                records.push(record);
                receipt
            }
            Applied::Replayed(receipt) => receipt,
        })
    };
    drafts.into_iter().map(apply).collect()
}

#[test]
fn a_machine_that_is_recalled_answers_as_the_one_that_went_on() {
    let (mut accepted, mut taken_back, mut kept_keys) = (0, 0, 0);
    for seed in 0..400 {
        println!("seed {seed}");
        let mut rng = fastrand::Rng::with_seed(seed);
        let (epochs, mut lived) = machine();
        let mut records = Vec::new();
        let mut now = 0;
        let mut drafts = |rng: &mut fastrand::Rng| -> Vec<_> {
            let mut time = |rng: &mut fastrand::Rng| {
                now += rng.u64(..20);
                now.saturating_sub(rng.u64(..30)) // Clocks go back now and then.
            };
            (0..rng.usize(1..6))
                .map(|_| (random_draft(rng), time(rng)))
                .collect()
        };
        let mut snapshot = None;
        let batches = rng.usize(1..40);
        let cut = rng.usize(..batches);
        for n in 0..batches {
            if n == cut && rng.u8(..8) > 0 {
                snapshot = Some((lived.last(), lived.snapshot()));
            }
            let batch = drafts(&mut rng);
            if rng.u8(..4) == 0 {
                let before = remembered(&lived);
                apply(&mut lived, batch, &mut Vec::new());
                lived.undo();
                assert_eq!(remembered(&lived), before);
                taken_back += 1;
            } else {
                apply(&mut lived, batch, &mut records);
            }
        }

        let (after, mut recalled) = match snapshot {
            Some((seq, bytes)) => (
                seq,
                Machine::restore(seq, &bytes, epochs.clone(), BOUNDS).unwrap(),
            ),
            None => (Seq::ZERO, Machine::new(epochs, BOUNDS)),
        };
        for record in records.iter().filter(|record| record.seq > after) {
            recalled.replay(record);
        }
        assert_eq!(remembered(&recalled), remembered(&lived));
        // Numbers that were taken back are in no record.
        recalled.go_on_after(lived.last(), 0);
        let rest: Vec<_> = (0..10).flat_map(|_| drafts(&mut rng)).collect();
        let answers = apply(&mut lived, rest.clone(), &mut Vec::new());
        assert_eq!(apply(&mut recalled, rest, &mut Vec::new()), answers);
        accepted += records.len();
        kept_keys += lived.dedup.count();
    }
    assert!(accepted > 1000 && taken_back > 100 && kept_keys > 100);
}

#[test]
fn bytes_that_are_no_snapshot_are_an_error_and_never_a_panic() {
    let mut rng = fastrand::Rng::with_seed(1);
    let (epochs, mut machine) = machine();
    let drafts = (0..100).map(|now| (random_draft(&mut rng), now)).collect();
    apply(&mut machine, drafts, &mut Vec::new());
    let snapshot = machine.snapshot();
    let restore = |bytes: &[u8]| Machine::restore(Seq(9), bytes, epochs.clone(), BOUNDS).map(drop);
    assert_eq!(restore(&snapshot), Ok(()));
    for len in 0..snapshot.len() {
        assert!(matches!(restore(&snapshot[..len]), Err(Unreadable::Damaged(_))));
    }
    let longer = [&snapshot[..], b"x"].concat();
    assert!(matches!(restore(&longer), Err(Unreadable::Damaged(_))));
    let mut newer = snapshot.clone();
    newer[0] += 1;
    assert_eq!(restore(&newer), Err(Unreadable::Version { found: 2 }));
    for at in 1..snapshot.len() {
        for flip in [1, 0x80, 0xff] {
            let mut damaged = snapshot.clone();
            damaged[at] ^= flip;
            // Checksums are the archive's part: some of these are snapshots of something else.
            drop(restore(&damaged));
        }
    }
}
