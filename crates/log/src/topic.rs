//! Topics: what events are published to and subscribed by.
//!
//! Invariant: a [`Topic`] has a valid name, and a [`TopicSet`] is sorted, without repetition and not
//! empty. Matchers never cross namespaces, so one door cannot read, inject into or purge another's.

use std::{fmt, sync::Arc};

use crate::Error;

/// The door that a topic belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Namespace {
    /// Topics of the plain door, `/events/…`.
    Events,
    /// Answers of the relay door, `/relay/…`.
    Relay,
}

impl Namespace {
    pub(crate) const ALL: [Self; 2] = [Self::Events, Self::Relay];

    /// The number that stands for it on disk. It never changes.
    pub fn code(self) -> u8 {
        match self {
            Self::Events => 0,
            Self::Relay => 1,
        }
    }

    pub(crate) fn of_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|namespace| namespace.code() == code)
    }
}

/// A name within a namespace. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Topic {
    namespace: Namespace,
    name: Arc<str>,
}

impl Topic {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 1024;

    /// Takes a name of 1 to [`Topic::MAX_LEN`] bytes without control characters.
    ///
    /// # Errors
    /// [`Error::TopicEmpty`], [`Error::TopicTooLong`] or [`Error::TopicControl`].
    pub fn new(namespace: Namespace, name: &str) -> Result<Self, Error> {
        if name.is_empty() {
            return Err(Error::TopicEmpty);
        }
        if name.len() > Self::MAX_LEN {
            return Err(Error::TopicTooLong { len: name.len() });
        }
        if let Some((at, found)) = name.char_indices().find(|(_, c)| c.is_control()) {
            return Err(Error::TopicControl { found, at });
        }
        Ok(Self {
            namespace,
            name: name.into(),
        })
    }

    /// The door that it belongs to.
    #[must_use]
    pub fn namespace(&self) -> Namespace {
        self.namespace
    }

    /// The name, without the namespace.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}:{}", self.namespace, self.name)
    }
}

/// One or more topics, sorted and without repetition. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TopicSet(Arc<[Topic]>);

impl TopicSet {
    /// Sorts the topics and drops repetitions.
    ///
    /// # Errors
    /// [`Error::NoTopic`] if there are none.
    pub fn new(topics: impl IntoIterator<Item = Topic>) -> Result<Self, Error> {
        let mut topics: Vec<Topic> = topics.into_iter().collect();
        topics.sort_unstable();
        topics.dedup();
        if topics.is_empty() {
            return Err(Error::NoTopic);
        }
        Ok(Self(topics.into()))
    }

    /// The topics in order.
    #[must_use]
    pub fn as_slice(&self) -> &[Topic] {
        &self.0
    }

    /// The topics in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Topic> {
        self.0.iter()
    }

    /// Whether the topic is one of them.
    #[must_use]
    pub fn contains(&self, topic: &Topic) -> bool {
        self.0.binary_search(topic).is_ok()
    }

    /// How many there are: at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a set is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl From<Topic> for TopicSet {
    fn from(topic: Topic) -> Self {
        Self(Arc::from([topic]))
    }
}

impl<'a> IntoIterator for &'a TopicSet {
    type Item = &'a Topic;
    type IntoIter = std::slice::Iter<'a, Topic>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for TopicSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
