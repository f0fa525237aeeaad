//! What can be wrong with a publish or a subscription, and what to do about it.

use std::io;

use crate::{
    IdempotencyKey, Topic,
    archive::shortage::is_shortage,
    record::{MAX_ID_LEN, MAX_RETRY},
};

/// The longest name of a reader, in bytes.
pub const MAX_READER_NAME: usize = 128;

/// Every error of a log and its hub. Doors map each variant to a status once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A topic's name is empty.
    #[error("the topic is empty: give it a name, such as /events/greeting")]
    TopicEmpty,
    /// A topic's name is too long.
    #[error("the topic has {len} bytes: the longest has {}", Topic::MAX_LEN)]
    TopicTooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// A topic's name holds a control character.
    #[error("the topic has the control character {found:?} at byte {at}: remove it")]
    TopicControl {
        /// The character.
        found: char,
        /// Its byte offset.
        at: usize,
    },
    /// No topic was given.
    #[error("no topic: name at least one")]
    NoTopic,
    /// More topics in one request than allowed.
    #[error("{count} topics in one request: at most {max} are allowed, so split it")]
    TooManyTopics {
        /// How many were asked for.
        count: usize,
        /// How many are allowed.
        max: usize,
    },
    /// A publisher's event id breaks the rules.
    #[error(
        "the event id {why}: ids have 1 to {MAX_ID_LEN} bytes, no control characters or spaces at the \
         edges, do not start with ~ or # and are not `earliest`; without one the server gives it"
    )]
    InvalidId {
        /// Which rule.
        why: &'static str,
    },
    /// An event name that only the server may use.
    #[error("the event name {name:?} is reserved for the server: choose another")]
    ReservedName {
        /// The name.
        name: String,
    },
    /// A `retry` after which no reader would come back.
    #[error(
        "`retry` is {millis} ms: at most {MAX_RETRY} (an hour) are allowed, or readers that are cut seem never to come back"
    )]
    RetryTooLong {
        /// What was given, in milliseconds.
        millis: u64,
    },
    /// A reader's name breaks the rules.
    #[error("the reader's name {why}: give 1 to {MAX_READER_NAME} bytes without control characters")]
    InvalidReaderName {
        /// Which rule.
        why: &'static str,
    },
    /// An idempotency key breaks the rules.
    #[error(
        "the idempotency key {why}: give 1 to {} characters of visible ASCII",
        IdempotencyKey::MAX_LEN
    )]
    InvalidKey {
        /// Which rule.
        why: &'static str,
    },
    /// An idempotency key came again with another event.
    #[error("this idempotency key came with another event before: give each publish a key of its own")]
    KeyReused,
    /// An event with more data than allowed.
    #[error("the event has {len} bytes: at most {max} are allowed (limits.max_event)")]
    EventTooLarge {
        /// Data, id and name together, in bytes.
        len: usize,
        /// How many are allowed.
        max: usize,
    },
    /// A publish in front of this one, in the same append session, was refused.
    #[error("a publish in front of this one was refused: mend that, and send both again")]
    SessionBroken,
    /// The topic's stream has ended.
    #[error("the stream {:?} has ended and takes no more events: publish to another topic", .topic.name())]
    Ended {
        /// The topic.
        topic: Topic,
    },
    /// The hub knows as many topics as it may, and all of them still hold events.
    #[error(
        "the server holds its limit of {max} topics (limits.max_topics): try again when older events have expired"
    )]
    TopicsFull {
        /// The limit.
        max: usize,
    },
    /// The archive has no room.
    #[error(
        "the server's log is full and this publish is not kept ({why}): free some space, or keep less \
         (archive.max_bytes), and send it again"
    )]
    Full {
        /// What the system said.
        why: String,
    },
    /// The system is short of what a publish or a read needs.
    #[error(
        "the server is short of file descriptors or memory at the moment ({why}): try again in a few seconds; if it goes on, \
         raise the limit of open files or lower limits.max_connections"
    )]
    Short {
        /// What the system said.
        why: String,
    },
    /// The archive could not be written.
    #[error(
        "the server's log cannot be written and this publish is not kept ({why}): send it again; if it goes on, look at the server's disk"
    )]
    Unwritten {
        /// What the system said.
        why: String,
    },
    /// The archive can no longer be written.
    #[error(
        "the server's log can no longer be written and takes no publish until the server is restarted ({why}): \
         look at its disk"
    )]
    Poisoned {
        /// What happened.
        why: String,
    },
    /// What is kept cannot be read. Nothing is passed over.
    #[error("the log cannot be read: {why}")]
    Damaged {
        /// Which file, where, and what is wrong.
        why: String,
    },
    /// As many topics are read as may be.
    #[error(
        "readers have as many topics open as the server may hold, {max} (limits.max_topics): try again when some have gone"
    )]
    WatchedFull {
        /// The limit.
        max: usize,
    },
    /// The order does not take the publish: it certainly is not published.
    #[error(
        "the publish was not taken, as the order of the log cannot be reached: try again in a few seconds"
    )]
    Unordered,
    /// The publish was handed over, and nothing was heard of it.
    #[error(
        "whether the publish was accepted is not known, as the order of the log did not answer: send it again with the same          Idempotency-Key, and it counts once"
    )]
    OutcomeUnknown,
    /// The hub is shutting down.
    #[error("the server is shutting down: try again in a moment")]
    Closed,
}

impl Error {
    /// Whether another publish can be the cause, so that it would not be refused had the other not been there.
    pub fn is_due_to_another(&self) -> bool {
        matches!(
            self,
            Self::Ended { .. } | Self::TopicsFull { .. } | Self::KeyReused
        )
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        let why = error.to_string();
        if is_shortage(&error) {
            tracing::warn!("the log cannot be read for now: {why}");
            return Self::Short { why };
        }
        tracing::error!("the log cannot be read: {why}");
        Self::Damaged { why }
    }
}
