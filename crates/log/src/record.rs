//! What is published ([`Draft`], [`Proposal`]), what the log holds ([`Record`]), what the publisher gets
//! ([`Receipt`]).
//!
//! A record holds an event, or changes its topics, or both: an event that is the last of its streams.

use tidewire_codec::{Event, EventId, protocol};

use crate::{
    Change, Entry, Error, IdempotencyKey, Millis, Seq, Topic, TopicSet, entry::Keyed, ledger::Verdict,
};

/// The longest id that a publisher may give an event, in bytes.
pub const MAX_ID_LEN: usize = 256;

/// The longest `retry` that a publisher may give an event, and that readers are told, in milliseconds: a reader that
/// waits for longer looks like one that never comes back.
pub const MAX_RETRY: u64 = 60 * 60 * 1000;

/// What a record costs in memory beside its texts: the struct, its postings, its allocations. A
/// round figure on the safe side, so that bounds in bytes also bound many tiny events.
const OVERHEAD: usize = 256;

/// What each topic after the first costs on top of that, beside its name, and with it the place of the event's id.
const TOPIC_OVERHEAD: usize = 128;

/// A publish that has been checked, on its way to the order.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// What is proposed.
    pub entry: Entry,
    /// The most bytes that its event may have, if not the hub's own bound.
    pub max: Option<usize>,
}

impl Proposal {
    /// The publish may come again and counts once. `number` is its place in its request, from 0.
    #[must_use]
    pub fn with_key(mut self, key: IdempotencyKey, number: u64) -> Self {
        self.entry = self.entry.with_key(Some((key, number)));
        self
    }
}

impl From<Entry> for Proposal {
    fn from(entry: Entry) -> Self {
        Self { entry, max: None }
    }
}

/// An event that is going to be proposed; it may still become the last of its streams.
#[derive(Debug, Clone)]
pub struct Draft(Proposal);

impl Draft {
    /// An event for one or more topics.
    ///
    /// # Errors
    /// [`Error::InvalidId`], [`Error::ReservedName`] or [`Error::RetryTooLong`]: what publishers may not use.
    pub fn event(topics: impl Into<TopicSet>, event: Event) -> Result<Self, Error> {
        check(&event)?;
        Ok(Self(Entry::event(topics, event).into()))
    }

    /// The end of one or more streams, without an event of its own.
    pub fn end(topics: impl Into<TopicSet>) -> Proposal {
        Entry::end(topics).into()
    }

    /// Lets go what is kept of one or more topics. Their streams begin anew if they had ended; a reader that
    /// had not read everything is told of a gap.
    pub fn purge(topics: impl Into<TopicSet>) -> Proposal {
        Entry::purge(topics).into()
    }

    /// The event is the last: its streams end with it.
    #[must_use]
    pub fn and_end(mut self) -> Self {
        self.0.entry = self.0.entry.ending();
        self
    }

    /// Its event may have so many bytes, whatever the hub's bound for events is.
    #[must_use]
    pub fn up_to(mut self, max: usize) -> Self {
        self.0.max = Some(max);
        self
    }

    /// The publish may come again and counts once. `number` is its place in its request, from 0.
    #[must_use]
    pub fn with_key(self, key: IdempotencyKey, number: u64) -> Self {
        Self(self.0.with_key(key, number))
    }
}

impl From<Draft> for Proposal {
    fn from(Draft(proposal): Draft) -> Self {
        proposal
    }
}

/// Id, name and data in bytes: what `max_event` limits.
pub fn text_len(event: &Event) -> usize {
    event.data.len()
        + event.id.as_ref().map_or(0, |id| id.as_str().len())
        + event.name.as_ref().map_or(0, |name| name.as_str().len())
}

/// Whether a publisher may say this.
pub fn check(event: &Event) -> Result<(), Error> {
    if let Some(id) = &event.id {
        check_id(id.as_str())?;
    }
    if let Some(millis) = event.retry.filter(|millis| *millis > MAX_RETRY) {
        return Err(Error::RetryTooLong { millis });
    }
    event
        .name
        .as_ref()
        .map_or(Ok(()), |name| check_name(name.as_str()))
}

fn check_id(id: &str) -> Result<(), Error> {
    let why = match id {
        "" => "is empty",
        "earliest" => "is the word `earliest`",
        _ if id.len() > MAX_ID_LEN => "is too long",
        _ if id.starts_with(['~', '#']) => "starts with ~ or #",
        _ if id.chars().any(char::is_control) => "holds a control character",
        _ if id.trim() != id => "starts or ends with a space",
        _ => return Ok(()),
    };
    Err(Error::InvalidId { why })
}

fn check_name(name: &str) -> Result<(), Error> {
    match name == "mercure" || name.starts_with(protocol::RESERVED) {
        true => Err(Error::ReservedName { name: name.into() }),
        false => Ok(()),
    }
}

/// An entry that was accepted, with its place in the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place in the order. A note has the number that the entry behind it gets.
    pub seq: Seq,
    /// When it was accepted; never before the record in front of it.
    pub time: Millis,
    /// What was proposed.
    pub entry: Entry,
}

impl Record {
    /// The last number that is given when it is there: its own, or, of a note, the one in front of it.
    #[must_use]
    pub fn through(&self) -> Seq {
        match self.entry.is_note() {
            true => self.seq.before(),
            false => self.seq,
        }
    }

    /// Its number, if it has one of its own.
    #[must_use]
    pub fn number(&self) -> Option<Seq> {
        (!self.entry.is_note()).then_some(self.seq)
    }

    /// Where it was published, in order; nowhere if it is for no reader.
    #[must_use]
    pub fn topics(&self) -> &[Topic] {
        self.entry.topics()
    }

    /// What readers get; `None` for the end of a stream that brought no event.
    #[must_use]
    pub fn event(&self) -> Option<&Event> {
        self.entry.as_event()
    }

    /// What happens to its topics here, after the event.
    #[must_use]
    pub fn change(&self) -> Option<Change> {
        self.entry.change()
    }

    /// Its idempotency key, and its place in its request.
    #[must_use]
    pub fn key(&self) -> Option<&Keyed> {
        self.entry.key()
    }

    /// About how much memory it takes, in bytes.
    #[must_use]
    pub fn cost(&self) -> usize {
        let key = self.key().map_or(0, |(key, _)| key.as_str().len());
        let names = self.topics().iter().map(|topic| topic.name().len());
        let more_topics = self.topics().len().saturating_sub(1) * TOPIC_OVERHEAD;
        OVERHEAD + more_topics + names.sum::<usize>() + self.event().map_or(0, text_len) + key
    }
}

/// What a publisher is told: the record has been applied, and readers see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Its place in the order.
    pub seq: Seq,
    /// The id that readers see: the publisher's own, or the position.
    pub id: EventId,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a publish that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It was appended.
    Appended,
    /// It had been appended before, under the same idempotency key.
    Replayed,
    /// So many events were let go.
    Purged(usize),
    /// A door's ledger has said this of a fact.
    Told(Verdict),
}
