//! Records for tests, and when two are the same.

use std::sync::Arc;

use tidewire_codec::{Event, EventId};
use tidewire_log::{Change, Millis, Namespace, Record, Seq, Topic, TopicSet};

pub fn topic(name: &str) -> Topic {
    Topic::new(Namespace::Events, name).unwrap()
}

/// `"a b"` is the set of the topics a and b.
pub fn topics(names: &str) -> TopicSet {
    TopicSet::new(names.split(' ').map(topic)).unwrap()
}

pub fn id(text: &str) -> EventId {
    EventId::new(text).unwrap()
}

fn record(seq: u64, names: &str) -> Record {
    Record {
        seq: Seq(seq),
        time: seq,
        topics: topics(names),
        event: None,
        change: None,
        key: None,
    }
}

/// An event; its time is its number.
pub fn event(seq: u64, names: &str) -> Record {
    Record {
        event: Some(Event::new(format!("event {seq}"))),
        ..record(seq, names)
    }
}

pub fn event_with_id(seq: u64, names: &str, given: &str) -> Record {
    Record {
        event: Some(Event::new(format!("event {seq}")).with_id(id(given))),
        ..record(seq, names)
    }
}

/// The end of streams that brings no event.
pub fn end(seq: u64, names: &str) -> Record {
    Record {
        change: Some(Change::Ends),
        ..record(seq, names)
    }
}

pub fn purge(seq: u64, names: &str) -> Record {
    Record {
        change: Some(Change::Purges),
        ..record(seq, names)
    }
}

pub fn at(mut record: Record, time: Millis) -> Record {
    record.time = time;
    record
}

pub fn batch(records: impl IntoIterator<Item = Record>) -> Vec<Arc<Record>> {
    records.into_iter().map(Arc::new).collect()
}

/// Whether they are the same, to the byte.
pub fn same(a: &Record, b: &Record) -> bool {
    (a.seq, a.time, &a.topics, &a.event, a.change, &a.key)
        == (b.seq, b.time, &b.topics, &b.event, b.change, &b.key)
}

pub fn seqs<'a>(records: impl IntoIterator<Item = &'a Arc<Record>>) -> Vec<u64> {
    records.into_iter().map(|record| record.seq.0).collect()
}
