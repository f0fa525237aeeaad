//! What the machine remembers, as bytes: an archive keeps them, so that a restart need not read the whole log.
//!
//! One byte of version, then `State` in postcard's encoding. The number of the record after which they were
//! written stands with the archive. Whatever the bytes are, reading them does not panic.

use serde::{Deserialize, Serialize};
use tidewire_codec::EventId;

use crate::{
    IdempotencyKey, Namespace, Seq, Topic, TopicSet,
    dedup::Seen,
    ledger::{Absent, Door},
    machine::{self, Machine, Origin},
    settings::{RULES, Settings},
};

/// Other bytes follow than described here: count on.
const VERSION: u8 = 2;

/// A snapshot that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// It comes from another release.
    #[error("it is of version {found}, this release reads version {VERSION}")]
    Version {
        /// The version that it says.
        found: u8,
    },
    /// It is not what was written.
    #[error("it is damaged ({0})")]
    Damaged(&'static str),
}

#[derive(Serialize, Deserialize)]
struct State<'a> {
    time: u64,
    /// Whether an entry has said them, and they.
    settings: (bool, Settings),
    /// Oldest first, with the number with which each begins.
    #[serde(borrow)]
    epochs: Vec<(&'a str, u64)>,
    position: u64,
    /// By run: node, incarnation, number of the last batch.
    numbers: Vec<(u64, u64, u64)>,
    /// In order.
    topics: Vec<Known<'a>>,
    /// In the order of their first events.
    keys: Vec<Key<'a>>,
    /// By door, in order, as its ledger wrote it.
    ledgers: Vec<(Door, Vec<u8>)>,
    /// The books of doors that were not there.
    absent: Vec<(Door, Absent)>,
}

/// As version 1 had it.
#[derive(Deserialize)]
struct First<'a> {
    time: u64,
    #[serde(borrow)]
    topics: Vec<(Name<'a>, Option<u64>)>,
    keys: Vec<Key<'a>>,
}

/// Its namespace's number, and its name.
type Name<'a> = (u8, &'a str);

#[derive(Serialize, Deserialize)]
struct Known<'a> {
    #[serde(borrow)]
    topic: Name<'a>,
    last: u64,
    has_ended: bool,
}

#[derive(Serialize, Deserialize)]
struct Key<'a> {
    since: u64,
    #[serde(borrow)]
    topics: Vec<Name<'a>>,
    key: &'a str,
    fingerprint: u128,
    first: (u64, &'a str),
    last: (u64, &'a str),
    next: u64,
}

const NOT_OURS: Unreadable = Unreadable::Damaged("not the bytes of a snapshot");

impl Machine {
    /// All that it remembers. The same state gives the same bytes, on every node.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let mut topics: Vec<_> = self.topics.iter().collect();
        topics.sort_unstable_by(|a, b| a.0.cmp(b.0));
        let topics = topics.into_iter().map(|(topic, known)| Known {
            topic: name(topic),
            last: known.last.0,
            has_ended: known.has_ended,
        });
        let keys = self.keys.iter().map(|(since, (topics, key), seen)| Key {
            since,
            topics: topics.iter().map(name).collect(),
            key: key.as_str(),
            fingerprint: seen.fingerprint,
            first: (seen.first.0.0, seen.first.1.as_str()),
            last: (seen.last.0.0, seen.last.1.as_str()),
            next: seen.next,
        });
        let epochs = self.epochs.list();
        // One that has no record yet may be replaced.
        let epochs = epochs.iter().filter(|(_, first)| *first <= self.kept);
        let numbers = self.reached.numbers.iter();
        let state = State {
            time: self.time,
            settings: (self.are_noted, self.settings),
            epochs: epochs.map(|(epoch, first)| (epoch.as_str(), first.0)).collect(),
            position: self.reached.position,
            numbers: numbers
                .map(|(origin, number)| (origin.node, origin.incarnation, *number))
                .collect(),
            topics: topics.collect(),
            keys: keys.collect(),
            ledgers: self
                .ledgers
                .iter()
                .map(|(door, ledger)| (*door, ledger.snapshot()))
                .collect(),
            absent: self
                .absent
                .iter()
                .map(|(door, absent)| (*door, absent.clone()))
                .collect(),
        };
        // A vector takes all bytes, and all parts know their lengths: nothing is left that could fail.
        postcard::to_extend(&state, vec![VERSION]).unwrap_or_default()
    }

    /// Becomes the machine that it was when the snapshot was taken, right after the record `last`. This one has seen nothing.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn restore(mut self, last: Seq, snapshot: &[u8]) -> Result<Self, Unreadable> {
        let (version, bytes) = snapshot.split_first().ok_or(Unreadable::Damaged("empty"))?;
        match version {
            1 => self.restore_first(last, whole(bytes)?)?,
            &VERSION => self.restore_state(last, whole(bytes)?)?,
            found => return Err(Unreadable::Version { found: *found }),
        }
        Ok(self)
    }

    fn restore_first(&mut self, last: Seq, state: First<'_>) -> Result<(), Unreadable> {
        self.go_on_after(last, state.time);
        for (name, ended) in state.topics {
            let known = machine::Known {
                last: ended.map_or(last, Seq),
                has_ended: ended.is_some(),
            };
            self.topics.insert(topic(name)?, known);
        }
        self.restore_keys(state.keys)
    }

    fn restore_state(&mut self, last: Seq, state: State<'_>) -> Result<(), Unreadable> {
        self.go_on_after(last, state.time);
        if state.settings.1.rules > RULES {
            return Err(Unreadable::Damaged(
                "it follows rules that a newer Tidewire knows: use that",
            ));
        }
        if state.settings.0 {
            self.hold(state.settings.1);
        }
        let epoch = |(name, first): (&str, u64)| Ok((name.parse().map_err(|_| NOT_OURS)?, Seq(first)));
        let epochs: Vec<_> = state
            .epochs
            .into_iter()
            .map(epoch)
            .collect::<Result<_, Unreadable>>()?;
        if !epochs.is_empty() {
            self.epochs.set(epochs);
        }
        self.reached.position = state.position;
        for (node, incarnation, number) in state.numbers {
            let origin = Origin { node, incarnation };
            self.reached.numbers.insert(origin, number);
        }
        for known in state.topics {
            let (last, has_ended) = (Seq(known.last), known.has_ended);
            self.topics
                .insert(topic(known.topic)?, machine::Known { last, has_ended });
        }
        self.restore_keys(state.keys)?;
        for (door, snapshot) in state.ledgers {
            let snapshot = Some(snapshot);
            let facts = Vec::new();
            self.open_book(door, Absent::of(snapshot, facts))?;
        }
        for (door, absent) in state.absent {
            self.open_book(door, absent)?;
        }
        Ok(())
    }

    /// Gives a door's ledger what was written down of it; where the door is not there, keeps it.
    fn open_book(&mut self, door: Door, book: Absent) -> Result<(), Unreadable> {
        let Some(ledger) = self.ledgers.get_mut(&door) else {
            self.absent.insert(door, book);
            return Ok(());
        };
        if let Some(snapshot) = &book.snapshot {
            ledger.restore(snapshot)?;
        }
        for (seq, time, data) in &book.facts {
            ledger.apply(Seq(*seq), *time, data);
        }
        Ok(())
    }

    fn restore_keys(&mut self, keys: Vec<Key<'_>>) -> Result<(), Unreadable> {
        for key in keys {
            let topics = key.topics.into_iter().map(topic);
            let topics = TopicSet::new(topics.collect::<Result<Vec<_>, _>>()?);
            let topics = topics.map_err(|_| Unreadable::Damaged("a key without topics"))?;
            let seen = Seen {
                fingerprint: key.fingerprint,
                first: place(key.first)?,
                last: place(key.last)?,
                next: key.next,
            };
            let key_text = IdempotencyKey::new(key.key).map_err(|_| Unreadable::Damaged("a key"))?;
            self.keys.restore(key.since, (topics, key_text), seen);
        }
        Ok(())
    }
}

fn whole<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Unreadable> {
    match postcard::take_from_bytes(bytes) {
        Ok((state, [])) => Ok(state),
        Ok(_) => Err(Unreadable::Damaged("more bytes than a snapshot has")),
        Err(_) => Err(NOT_OURS),
    }
}

fn name(topic: &Topic) -> Name<'_> {
    (topic.namespace().code(), topic.name())
}

fn topic((namespace, name): Name<'_>) -> Result<Topic, Unreadable> {
    let namespace = Namespace::of_code(namespace).ok_or(Unreadable::Damaged("a namespace"))?;
    Topic::new(namespace, name).map_err(|_| Unreadable::Damaged("a topic"))
}

fn place((seq, id): (u64, &str)) -> Result<(Seq, EventId), Unreadable> {
    let id = EventId::new(id).map_err(|_| Unreadable::Damaged("an id"))?;
    Ok((Seq(seq), id))
}

#[cfg(test)]
mod tests;
