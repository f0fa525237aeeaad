//! A log as its parts: what is known of it, of its topics, of idempotency keys and of doors, and its records.
//!
//! Left out is what no reader could get any more, for all its topics: it was purged or let go. Purges themselves stay, and so does
//! the last event or end, which says where the log ends. What the log says of itself, topics that were forgotten and facts are no
//! records of an export: what they came to is known of the log, of topics and of doors.

use std::{io, ops::ControlFlow};

use tidewire_codec::EventId;

use super::{FORMAT, LookError, ReadOnly, hex};
use crate::{
    Door, Entry, Epoch, IdempotencyKey, Millis, Record, Seq, Settings, Topic, TopicSet,
    archive::{
        Reads as _, Store as _,
        segments::{
            format::SEGMENT_HEADER,
            segment::Window,
            topics::{Place, Topics},
        },
    },
    dedup,
    ledger::{Absent, Ledgers},
    machine::{Known, Reached},
    recall::recall,
};

/// A log as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// [`super::FORMAT`].
    pub format: u32,
    /// Its id, as hexadecimal digits.
    pub log: String,
    /// Its histories, oldest first, each with its first number.
    pub epochs: Vec<(Epoch, Seq)>,
    /// The last record, whether it is kept or not.
    pub last: Seq,
    /// Its time.
    pub time: Millis,
    /// Events of topics that are not known are gone up to here.
    pub floor: Seq,
    /// The settings in force, if the log has said them.
    pub settings: Option<Settings>,
    /// How far an order that comes from elsewhere has been applied.
    pub reached: Reached,
}

/// What a log remembers of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownTopic {
    /// Which.
    pub topic: Topic,
    /// Its last event, whether it is kept or not.
    pub last_event: Seq,
    /// Its last record: an event, or the end.
    pub last: Seq,
    /// Events up to here are gone: a reader before it has missed one.
    pub floor: Seq,
    /// Everything up to here is gone. Nobody misses the end of a stream.
    pub cleared: Seq,
    /// The record that ended its stream.
    pub ended: Option<Seq>,
    /// The last record that changed it: also a purge.
    pub changed: Seq,
}

/// What a log remembers of an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownKey {
    /// Which.
    pub key: IdempotencyKey,
    /// The topics that it counts for.
    pub topics: TopicSet,
    /// When it was first seen.
    pub since: Millis,
    /// Of its first event.
    pub fingerprint: u128,
    /// Its first event: number and id.
    pub first: (Seq, EventId),
    /// Its last event: number and id.
    pub last: (Seq, EventId),
    /// How many of its request were accepted.
    pub next: u64,
}

/// What a door has said to itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownBook {
    /// Which.
    pub door: Door,
    /// Its ledger, as the door wrote it down.
    pub snapshot: Option<Vec<u8>>,
    /// The facts after that, with their numbers and times.
    pub facts: Vec<(Seq, Millis, Box<[u8]>)>,
}

/// What a log remembers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Memory {
    /// By name.
    pub topics: Vec<KnownTopic>,
    /// The oldest first.
    pub keys: Vec<KnownKey>,
    /// By door.
    pub books: Vec<KnownBook>,
    settings: Option<Settings>,
    reached: Reached,
}

impl ReadOnly {
    /// The log as a whole.
    #[must_use]
    pub fn head(&self, memory: &Memory) -> Head {
        Head {
            format: FORMAT,
            log: hex(&self.meta.log),
            epochs: self.meta.epochs.clone(),
            last: self.last(),
            time: self.log.history.time,
            floor: self.log.log.state.read().topics.absent_floor(),
            settings: memory.settings,
            reached: memory.reached.clone(),
        }
    }

    /// What it remembers.
    ///
    /// # Errors
    /// [`LookError`], when that cannot be read.
    pub fn memory(&self) -> Result<Memory, LookError> {
        // Ids of keys are of the epochs in which they were given.
        let machine = recall(&self.log, self.log.history(), Settings::UNBOUNDED, Ledgers::new())?;
        let state = self.log.log.state.read();
        let known = |topic: &Topic, known: &Known| {
            // Of what the list does not know, nothing is left.
            let place = state.topics.place(topic).unwrap_or(Place {
                floor: state.topics.absent_floor(),
                cleared: state.topics.absent_floor(),
                ..Place::default()
            });
            KnownTopic {
                topic: topic.clone(),
                last_event: place.event,
                last: place.last,
                floor: place.floor,
                cleared: place.cleared,
                ended: known.has_ended.then_some(known.last),
                changed: known.last,
            }
        };
        let mut topics: Vec<_> = machine
            .topics
            .iter()
            .map(|(topic, of_topic)| known(topic, of_topic))
            .collect();
        // The floor of one that only the list knows is told to readers all the same.
        let rest = state.topics.all().filter(|(topic, _)| !machine.knows(topic));
        topics.extend(rest.map(|(topic, Place { last, .. })| {
            known(
                topic,
                &Known {
                    last,
                    has_ended: false,
                },
            )
        }));
        topics.sort_unstable_by(|a, b| a.topic.cmp(&b.topic));
        let key = |(since, (topics, key), seen): (Millis, &dedup::Place, &dedup::Seen)| KnownKey {
            key: key.clone(),
            topics: topics.clone(),
            since,
            fingerprint: seen.fingerprint,
            first: seen.first.clone(),
            last: seen.last.clone(),
            next: seen.next,
        };
        let book = |(door, absent): (&Door, &Absent)| KnownBook {
            door: *door,
            snapshot: absent.snapshot.clone(),
            facts: absent
                .facts
                .iter()
                .map(|(seq, time, data)| (Seq(*seq), *time, data.clone()))
                .collect(),
        };
        Ok(Memory {
            topics,
            keys: machine.keys.iter().map(key).collect(),
            books: machine.absent.iter().map(book).collect(),
            settings: machine.noted_settings(),
            reached: machine.reached().clone(),
        })
    }

    /// The bytes of its segments, up to where records stand.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.log.held().bytes as u64
    }

    /// Gives every record that is left, in order, with the bytes of segments read so far, until `each` says that it is enough.
    ///
    /// # Errors
    /// When they cannot be read; `InvalidData` if a file is damaged.
    pub fn records(&self, each: &mut dyn FnMut(Record, u64) -> ControlFlow<()>) -> io::Result<()> {
        let state = self.log.log.state.read();
        let bodies = state.sealed.iter().map(|segment| &segment.body);
        let (mut read, mut last) = (0, None);
        let mut records = Vec::new();
        for body in bodies.chain([&state.active]) {
            let mut window = Window::default();
            let mut at = SEGMENT_HEADER;
            while at < body.len {
                (at, _) = body.batch(&mut window, at, last, &mut records)?;
                for (record, _, _) in records.drain(..) {
                    last = record.number().or(last);
                    let is_left = is_left(&record, &state.topics);
                    if is_left && each(record, read + at).is_break() {
                        return Ok(());
                    }
                }
            }
            read += body.len;
        }
        Ok(())
    }
}

fn is_left(record: &Record, topics: &Topics) -> bool {
    match record.entry {
        Entry::Purge { .. } => true,
        Entry::Event { .. } | Entry::End { .. } => {
            let is_read = |topic| topics.start(topic) < record.seq;
            record.seq == topics.last || record.topics().iter().any(is_read)
        }
        _ => false,
    }
}
