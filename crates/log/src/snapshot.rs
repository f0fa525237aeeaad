//! What the machine remembers, as bytes: an archive keeps them, so that a restart need not read the whole log.
//!
//! One byte of version, then [`State`] in postcard's encoding. The number of the record after which they were
//! written stands with the archive. Whatever the bytes are, reading them does not panic.

use serde::{Deserialize, Serialize};
use tidewire_codec::EventId;

use crate::{
    IdempotencyKey, Namespace, Seq, Topic, TopicSet,
    dedup::Seen,
    ids::Epochs,
    machine::{Bounds, Machine},
};

/// Other bytes follow than described here: count on.
const VERSION: u8 = 1;

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
    #[serde(borrow)]
    topics: Vec<Known<'a>>,
    /// In the order of their first events.
    keys: Vec<Key<'a>>,
}

/// Its namespace's number, and its name.
type Name<'a> = (u8, &'a str);

#[derive(Serialize, Deserialize)]
struct Known<'a> {
    #[serde(borrow)]
    topic: Name<'a>,
    ended: Option<u64>,
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

impl Machine {
    /// What it remembers. What it was started with (epochs, bounds) is not part of it.
    pub fn snapshot(&self) -> Vec<u8> {
        let topics = self.topics.iter().map(|(topic, ended)| Known {
            topic: name(topic),
            ended: ended.map(|seq| seq.0),
        });
        let keys = self.dedup.iter().map(|(since, (topics, key), seen)| Key {
            since,
            topics: topics.iter().map(name).collect(),
            key: key.as_str(),
            fingerprint: seen.fingerprint,
            first: (seen.first.0.0, seen.first.1.as_str()),
            last: (seen.last.0.0, seen.last.1.as_str()),
            next: seen.next,
        });
        let state = State {
            time: self.time,
            topics: topics.collect(),
            keys: keys.collect(),
        };
        // A vector takes all bytes, and all parts know their lengths: nothing is left that could fail.
        postcard::to_extend(&state, vec![VERSION]).unwrap_or_default()
    }

    /// The machine as it was when the snapshot was taken, right after the record `last`.
    pub fn restore(last: Seq, snapshot: &[u8], epochs: Epochs, bounds: Bounds) -> Result<Self, Unreadable> {
        let (version, bytes) = snapshot.split_first().ok_or(Unreadable::Damaged("empty"))?;
        if *version != VERSION {
            return Err(Unreadable::Version { found: *version });
        }
        let (state, rest) = postcard::take_from_bytes::<State<'_>>(bytes)
            .map_err(|_| Unreadable::Damaged("not the bytes of a snapshot"))?;
        if !rest.is_empty() {
            return Err(Unreadable::Damaged("more bytes than a snapshot has"));
        }
        let mut machine = Self::new(epochs, bounds);
        machine.go_on_after(last, state.time);
        for Known { topic: name, ended } in state.topics {
            machine.topics.insert(topic(name)?, ended.map(Seq));
        }
        for key in state.keys {
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
            machine.dedup.restore(key.since, (topics, key_text), seen);
        }
        Ok(machine)
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
