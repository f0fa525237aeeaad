//! Records for tests.

use std::{io, sync::Arc};

use tidewire_codec::{Event, EventId};
use tidewire_log::{
    Entry, Epoch, Millis, Namespace, Record, Seq, Topic, TopicSet,
    archive::{self, Reads},
};

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

fn record(seq: u64, entry: Entry) -> Record {
    Record {
        seq: Seq(seq),
        time: seq,
        entry,
    }
}

/// An event; its time is its number.
pub fn event(seq: u64, names: &str) -> Record {
    event_of(seq, topics(names), Event::new(format!("event {seq}")))
}

pub fn event_of(seq: u64, topics: impl Into<TopicSet>, event: Event) -> Record {
    record(seq, Entry::event(topics, event))
}

pub fn event_with_id(seq: u64, names: &str, given: &str) -> Record {
    let event = Event::new(format!("event {seq}")).with_id(id(given));
    event_of(seq, topics(names), event)
}

/// An event that ends its streams.
pub fn last_event(seq: u64, names: &str) -> Record {
    let Record { entry, .. } = event(seq, names);
    record(seq, entry.ending())
}

/// The end of streams that brings no event.
pub fn end(seq: u64, names: &str) -> Record {
    record(seq, Entry::end(topics(names)))
}

pub fn purge(seq: u64, names: &str) -> Record {
    record(seq, Entry::purge(topics(names)))
}

/// Topics are forgotten that have got nothing after `through`.
pub fn forget(seq: u64, topics: TopicSet, through: u64) -> Record {
    let through = Seq(through);
    record(seq, Entry::Forget { topics, through })
}

/// An epoch begins in front of this number: the log says so of itself, as the hub does before its first record.
pub fn epoch(seq: u64) -> Record {
    record(seq, Entry::Epoch(Epoch::random().unwrap()))
}

pub fn at(mut record: Record, time: Millis) -> Record {
    record.time = time;
    record
}

pub fn batch(records: impl IntoIterator<Item = Record>) -> Vec<Arc<Record>> {
    records.into_iter().map(Arc::new).collect()
}

pub fn seqs<'a>(records: impl IntoIterator<Item = &'a Arc<Record>>) -> Vec<u64> {
    records.into_iter().map(|record| record.seq.0).collect()
}

/// Reads that are made of others.
pub trait Derived: Reads {
    fn count(&self, topics: &TopicSet, through: Seq) -> io::Result<usize> {
        archive::count(self, topics, through)
    }
    fn nth_last(&self, topics: &TopicSet, count: usize, through: Seq) -> io::Result<Option<Seq>> {
        archive::nth_last(self, topics, count, through)
    }
}

impl<R: Reads + ?Sized> Derived for R {}
