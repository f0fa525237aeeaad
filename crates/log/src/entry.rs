//! What is proposed to a log: checked, and impossible to get wrong.
//!
//! An entry has no place yet. The order gives it one, and the [machine](crate::machine) accepts or refuses it there. An accepted one
//! is a [`Record`](crate::Record). Its form on the wire is in `wire`.
//!
//! Some entries are **notes** of the order to itself ([`Entry::is_note`]): they take no number, and stand in front of the entry that
//! gets the next one. To apply a note twice is to apply it once.

use tidewire_codec::Event;

use crate::{
    Epoch, IdempotencyKey, Millis, Seq, Topic, TopicSet, ledger::Door, machine::Origin, settings::Settings,
};

/// A key, and the number of the event in its request, from 0.
pub type Keyed = (IdempotencyKey, u64);

/// See the module's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// An event for its topics.
    Event {
        /// Where it is published.
        topics: TopicSet,
        /// What readers get.
        event: Event,
        /// It is the last: the streams of its topics end with it.
        ends: bool,
        /// By which a retry is known.
        key: Option<Keyed>,
    },
    /// The streams of these topics end, without an event.
    End {
        /// Which.
        topics: TopicSet,
        /// By which a retry is known.
        key: Option<Keyed>,
    },
    /// What was kept of these topics is deleted; streams that had ended begin anew.
    Purge {
        /// Which.
        topics: TopicSet,
        /// By which a retry is known.
        key: Option<Keyed>,
    },
    /// The log forgets these topics, of which nothing is kept where it was proposed. A topic that has got a record after
    /// `through` is not forgotten.
    Forget {
        /// Which: [`Entry::MOST_FORGOTTEN`] at most.
        topics: TopicSet,
        /// The last record of each is not after it.
        through: Seq,
    },
    /// Idempotency keys that were first seen before this time are forgotten. A note.
    ForgetKeys {
        /// In milliseconds since 1970, by the time of records.
        before: Millis,
    },
    /// What the machine accepts and remembers from here on. A note.
    Settings(Settings),
    /// A history of the log begins with the next number. A note.
    Epoch(Epoch),
    /// The batch that the entries in front of it came in, from an order that other nodes follow too. No door proposes it: the node that
    /// applies the batch writes it down last, so that after a restart it knows how far it is. It has a number: notes stand in front of
    /// one in any batch.
    Batch {
        /// Its place in the order.
        position: u64,
        /// Who proposed it.
        origin: Origin,
        /// Its number among the batches of its origin.
        number: u64,
    },
    /// What a door tells itself on other nodes and after restarts: no reader gets it, and no retention lets it go.
    Fact {
        /// Which door.
        door: Door,
        /// What it says. The door's [ledger](crate::ledger::Ledger) reads it.
        data: Box<[u8]>,
    },
}

impl Entry {
    /// The most topics of one [`Entry::Forget`].
    pub const MOST_FORGOTTEN: usize = 1000;

    /// An event that is not the last.
    pub fn event(topics: impl Into<TopicSet>, event: Event) -> Self {
        let (topics, ends, key) = (topics.into(), false, None);
        Self::Event {
            topics,
            event,
            ends,
            key,
        }
    }

    /// The end of streams.
    pub fn end(topics: impl Into<TopicSet>) -> Self {
        let (topics, key) = (topics.into(), None);
        Self::End { topics, key }
    }

    /// The deletion of what is kept.
    pub fn purge(topics: impl Into<TopicSet>) -> Self {
        let (topics, key) = (topics.into(), None);
        Self::Purge { topics, key }
    }

    /// What publishers say, of its parts. `None` if they say nothing, or a purge has an event.
    #[must_use]
    pub fn of_parts(
        topics: TopicSet,
        event: Option<Event>,
        change: Option<Change>,
        key: Option<Keyed>,
    ) -> Option<Self> {
        let entry = match (event, change) {
            (Some(event), None) => Self::event(topics, event),
            (Some(event), Some(Change::Ends)) => Self::event(topics, event).ending(),
            (None, Some(Change::Ends)) => Self::end(topics),
            (None, Some(Change::Purges)) => Self::purge(topics),
            _ => return None,
        };
        Some(entry.with_key(key))
    }

    /// Whether it takes no number: see the module's text.
    #[must_use]
    pub fn is_note(&self) -> bool {
        matches!(self, Self::ForgetKeys { .. } | Self::Settings(_) | Self::Epoch(_))
    }

    /// Whether readers find it in an archive: an event, or the end of streams.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        matches!(self, Self::Event { .. } | Self::End { .. })
    }

    /// Its topics as a set, if it has any.
    #[must_use]
    pub fn topic_set(&self) -> Option<&TopicSet> {
        match self {
            Self::Event { topics, .. }
            | Self::End { topics, .. }
            | Self::Purge { topics, .. }
            | Self::Forget { topics, .. } => Some(topics),
            Self::ForgetKeys { .. }
            | Self::Settings(_)
            | Self::Epoch(_)
            | Self::Batch { .. }
            | Self::Fact { .. } => None,
        }
    }

    /// Its topics in order.
    #[must_use]
    pub fn topics(&self) -> &[Topic] {
        self.topic_set().map_or(&[], TopicSet::as_slice)
    }

    /// What readers get.
    #[must_use]
    pub fn as_event(&self) -> Option<&Event> {
        match self {
            Self::Event { event, .. } => Some(event),
            _ => None,
        }
    }

    /// What it does to its topics, after its event.
    #[must_use]
    pub fn change(&self) -> Option<Change> {
        match self {
            Self::Event { ends: true, .. } | Self::End { .. } => Some(Change::Ends),
            Self::Purge { .. } => Some(Change::Purges),
            Self::Forget { .. } => Some(Change::Forgets),
            _ => None,
        }
    }

    /// By which a retry is known.
    #[must_use]
    pub fn key(&self) -> Option<&Keyed> {
        match self {
            Self::Event { key, .. } | Self::End { key, .. } | Self::Purge { key, .. } => key.as_ref(),
            _ => None,
        }
    }

    /// Gives it a key, if it is of a kind that has one.
    #[must_use]
    pub fn with_key(mut self, keyed: Option<Keyed>) -> Self {
        if let Self::Event { key, .. } | Self::End { key, .. } | Self::Purge { key, .. } = &mut self {
            *key = keyed;
        }
        self
    }

    /// Makes an event the last of its streams.
    #[must_use]
    pub fn ending(mut self) -> Self {
        if let Self::Event { ends, .. } = &mut self {
            *ends = true;
        }
        self
    }
}

/// What a record does to its topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// Their streams end.
    Ends,
    /// What was kept of them is gone; ended streams begin anew.
    Purges,
    /// They are forgotten, and what is still kept of them is gone.
    Forgets,
}
