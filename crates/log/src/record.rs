//! What is published ([`Draft`]), what the log holds ([`Record`]), what the publisher gets
//! ([`Receipt`]).
//!
//! A record holds an event, or changes its topics, or both: an event that is the last of its streams.

use tidewire_codec::{Event, EventId};

use crate::{
    Error, Millis, Seq, TopicSet,
    dedup::{IdempotencyKey, Keyed},
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

/// A publish that has been checked but has no place in the order yet.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Where it is published.
    pub topics: TopicSet,
    pub(crate) event: Option<Event>,
    pub(crate) change: Option<Change>,
    pub(crate) keyed: Option<Keyed>,
    /// The most bytes that its event may have, if not the hub's own bound.
    pub max: Option<usize>,
}

/// What a record does to its topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// Their streams end.
    Ends,
    /// What was kept of them is gone; ended streams begin anew.
    Purges,
}

impl Draft {
    /// An event for one or more topics.
    ///
    /// # Errors
    /// [`Error::InvalidId`], [`Error::ReservedName`] or [`Error::RetryTooLong`]: what publishers may not use.
    pub fn event(topics: impl Into<TopicSet>, event: Event) -> Result<Self, Error> {
        check(&event)?;
        Ok(Self {
            event: Some(event),
            ..Self::of(topics)
        })
    }

    /// The end of one or more streams, without an event of its own.
    pub fn end(topics: impl Into<TopicSet>) -> Self {
        Self::of(topics).and_end()
    }

    /// Lets go what is kept of one or more topics. Their streams begin anew if they had ended; a reader that
    /// had not read everything is told of a gap.
    pub fn purge(topics: impl Into<TopicSet>) -> Self {
        Self {
            change: Some(Change::Purges),
            ..Self::of(topics)
        }
    }

    fn of(topics: impl Into<TopicSet>) -> Self {
        Self {
            topics: topics.into(),
            event: None,
            change: None,
            keyed: None,
            max: None,
        }
    }

    /// The event is the last: its streams end with it.
    #[must_use]
    pub fn and_end(mut self) -> Self {
        self.change = Some(Change::Ends);
        self
    }

    /// Its event may have so many bytes, whatever the hub's bound for events is.
    #[must_use]
    pub fn up_to(mut self, max: usize) -> Self {
        self.max = Some(max);
        self
    }

    /// The publish may come again and counts once. `number` is its place in its request, from 0.
    #[must_use]
    pub fn with_key(mut self, key: IdempotencyKey, number: u64) -> Self {
        self.keyed = Some((key, number));
        self
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
    match name == "mercure" || name.starts_with("tidewire.") {
        true => Err(Error::ReservedName { name: name.into() }),
        false => Ok(()),
    }
}

/// A place in the order with what stands there: an event, the end of streams, or both.
#[derive(Debug)]
pub struct Record {
    /// Its place in the order.
    pub seq: Seq,
    /// When it was accepted; never before the record in front of it.
    pub time: Millis,
    /// Where it was published.
    pub topics: TopicSet,
    /// What readers get; `None` for the end of a stream that brought no event.
    pub event: Option<Event>,
    /// What happens to its topics here, after the event.
    pub change: Option<Change>,
    /// Its idempotency key, and its place in its request.
    pub key: Option<(IdempotencyKey, u64)>,
}

impl Record {
    /// About how much memory it takes, in bytes.
    pub fn cost(&self) -> usize {
        let key = self.key.as_ref().map_or(0, |(key, _)| key.as_str().len());
        let names = self.topics.iter().map(|topic| topic.name().len());
        let more_topics = (self.topics.len() - 1) * TOPIC_OVERHEAD;
        OVERHEAD + more_topics + names.sum::<usize>() + self.event.as_ref().map_or(0, text_len) + key
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It was appended.
    Appended,
    /// It had been appended before, under the same idempotency key.
    Replayed,
    /// So many events were let go.
    Purged(usize),
}
