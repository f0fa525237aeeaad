//! What publishers send: batches of random records.

use std::sync::Arc;

use fastrand::Rng;
use tidewire_codec::{Event, EventId, EventName};
use tidewire_log::{
    Change, Door, Entry, Epoch, IdempotencyKey, Millis, Namespace, Record, Seq, Settings, Topic, TopicSet,
    machine::Origin,
};

use crate::records::{id, topic};

pub(super) fn all_topics() -> Vec<Topic> {
    [
        "a",
        "b",
        "c",
        "d",
        "\u{1F30A}/long name of a topic that is used like any other",
        "rare",
    ]
    .map(topic)
    .into()
}

/// An epoch's name.
pub(super) fn epoch(rng: &mut Rng) -> Epoch {
    let letters =
        std::iter::repeat_with(|| char::from(rng.choice(*b"0123456789abcdefghjkmnpqrstvwxyz").unwrap()));
    letters.take(8).collect::<String>().parse().unwrap()
}

pub(super) fn all_ids() -> Vec<EventId> {
    (0..6).map(|number| id(&format!("id {number}"))).collect()
}

/// The next batch: its first number is `next`, now and then a higher one.
pub(super) fn batch(
    rng: &mut Rng,
    mut next: Seq,
    now: Millis,
    largest: usize,
    has_relay: bool,
) -> Vec<Arc<Record>> {
    let count = if rng.u8(..8) == 0 {
        rng.usize(5..40)
    } else {
        rng.usize(1..5)
    };
    let mut records = Vec::new();
    for _ in 0..count {
        if rng.u8(..30) == 0 {
            next = Seq(next.0 + rng.u64(1..20));
        }
        if has_relay && rng.u8(..10) == 0 {
            let (seq, time, entry) = (next, now, note(rng));
            records.push(Arc::new(Record { seq, time, entry }));
        }
        records.push(Arc::new(record(rng, next, now, largest, has_relay)));
        next = next.next();
    }
    records
}

/// What the log says of itself in front of a record.
fn note(rng: &mut Rng) -> Entry {
    let mut number = || rng.u64(..) >> 20;
    match number() % 2 {
        0 => Entry::ForgetKeys { before: number() },
        _ => Entry::Settings(Settings {
            max_topics: number(),
            ..Settings::UNBOUNDED
        }),
    }
}

fn record(rng: &mut Rng, seq: Seq, time: Millis, largest: usize, has_relay: bool) -> Record {
    if has_relay && rng.u8(..16) == 0 {
        let mut number = || rng.u64(..) >> 20;
        let entry = Entry::Batch {
            position: number(),
            origin: Origin {
                node: number(),
                incarnation: number(),
            },
            number: number(),
        };
        return Record { seq, time, entry };
    }
    if has_relay && rng.u8(..12) == 0 {
        let door = Door(rng.u8(..));
        let mut data = vec![0; rng.usize(..200)];
        rng.fill(&mut data);
        let data = data.into();
        let entry = Entry::Fact { door, data };
        return Record { seq, time, entry };
    }
    let (event, change) = match rng.u8(..24) {
        0 => (None, Some(Change::Purges)),
        1 => (None, Some(Change::Ends)),
        2 => (Some(event(rng, largest)), Some(Change::Ends)),
        _ => (Some(event(rng, largest)), None),
    };
    let keyed = rng.u8(..6) == 0;
    let key = keyed.then(|| {
        let key = IdempotencyKey::new(&format!("key-{}", rng.u8(..))).unwrap();
        (key, rng.u64(..) >> rng.u32(..64))
    });
    let entry = Entry::of_parts(topics(rng, has_relay), event, change, key).unwrap();
    Record { seq, time, entry }
}

fn topics(rng: &mut Rng, has_relay: bool) -> TopicSet {
    let count = if rng.u8(..5) == 0 { rng.usize(2..4) } else { 1 };
    let all = match has_relay && rng.u8(..4) == 0 {
        true => ["a", "answer"]
            .map(|name| Topic::new(Namespace::Relay, name).unwrap())
            .into(),
        false => all_topics(),
    };
    let some = rng.choose_multiple(all, count);
    TopicSet::new(some).unwrap()
}

fn event(rng: &mut Rng, largest: usize) -> Event {
    let len = match rng.u8(..6) {
        0 => rng.usize(..=largest),
        _ => rng.usize(..=largest.min(60)),
    };
    let mut event = Event::new("");
    event.data = std::iter::repeat_with(|| rng.alphanumeric()).take(len).collect();
    if rng.u8(..3) == 0 {
        event.id = rng.choice(all_ids());
    }
    if rng.u8(..5) == 0 {
        event.name = Some(EventName::new("tide").unwrap());
    }
    if rng.u8(..5) == 0 {
        event.retry = Some(rng.u64(..));
    }
    event
}
