//! Who reads a topic: how many, under which names, and a watch on both.
//!
//! A reader is a connection. The name is what it gave itself; nothing proves it. Readers are counted where they are,
//! in the channels, so that presence costs nothing until somebody asks.
//!
//! Bounds: [`MEMBERS`] names are listed; a watcher that is 256 changes behind gets the whole state instead.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
};

use tokio::sync::broadcast::{self, error::RecvError};

use crate::{Cut, Error, Topic, hub::Inner};

/// How many names a state lists.
pub const MEMBERS: usize = 1000;

/// How many changes a watcher may be behind.
const CHANGES: usize = 256;

/// The name that a reader gives itself: 1 to [`ReaderName::MAX_LEN`] bytes without control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReaderName(Arc<str>);

impl ReaderName {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 128;

    /// Takes a name.
    ///
    /// # Errors
    /// [`Error::InvalidReaderName`].
    pub fn new(name: &str) -> Result<Self, Error> {
        let why = match name {
            "" => "is empty",
            _ if name.len() > Self::MAX_LEN => "is too long",
            _ if name.chars().any(char::is_control) => "holds a control character",
            _ => return Ok(Self(name.into())),
        };
        Err(Error::InvalidReaderName { why })
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who reads a topic right now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Presence {
    /// How many readers there are, with and without names.
    pub readers: usize,
    /// The names in order, at most [`MEMBERS`].
    pub members: Vec<Member>,
    /// How many more names there are.
    pub more: usize,
}

/// A name, and how many readers have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The name.
    pub name: ReaderName,
    /// Its readers.
    pub readers: usize,
}

impl Presence {
    pub(crate) fn new(readers: usize, names: impl IntoIterator<Item = ReaderName>) -> Self {
        let mut counts = BTreeMap::<ReaderName, usize>::new();
        for name in names {
            *counts.entry(name).or_default() += 1;
        }
        let more = counts.len().saturating_sub(MEMBERS);
        let members = counts.into_iter().take(MEMBERS);
        Self {
            readers,
            members: members.map(|(name, readers)| Member { name, readers }).collect(),
            more,
        }
    }
}

/// What a watcher is told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PresenceChange {
    /// All there is: at first, and when changes were missed.
    State(Presence),
    /// A reader has come.
    Join {
        /// Its name, if it gave one.
        name: Option<ReaderName>,
        /// How many there are now.
        readers: usize,
    },
    /// A reader has gone.
    Leave {
        /// Its name, if it gave one.
        name: Option<ReaderName>,
        /// How many there are now.
        readers: usize,
    },
}

/// The topics that are watched, as the tail keeps them.
#[derive(Default)]
pub(crate) struct Watches(HashMap<Topic, Watched>);

struct Watched {
    readers: usize,
    watchers: usize,
    changes: broadcast::Sender<PresenceChange>,
}

impl Watches {
    /// `readers` counts them if nobody has so far.
    pub(crate) fn watch(&mut self, topic: &Topic, readers: usize) -> broadcast::Receiver<PresenceChange> {
        let watched = self.0.entry(topic.clone()).or_insert_with(|| Watched {
            readers,
            watchers: 0,
            changes: broadcast::Sender::new(CHANGES),
        });
        watched.watchers += 1;
        watched.changes.subscribe()
    }

    pub(crate) fn unwatch(&mut self, topic: &Topic) {
        if let Some(watched) = self.0.get_mut(topic) {
            watched.watchers -= 1;
            if watched.watchers == 0 {
                self.0.remove(topic);
            }
        }
    }

    /// No watcher hears more.
    pub(crate) fn close(&mut self) {
        self.0.clear();
    }

    pub(crate) fn joined<'a>(
        &mut self,
        topics: impl IntoIterator<Item = &'a Topic>,
        name: Option<&ReaderName>,
    ) {
        self.changed(topics, |watched| {
            watched.readers += 1;
            PresenceChange::Join {
                name: name.cloned(),
                readers: watched.readers,
            }
        });
    }

    pub(crate) fn left<'a>(
        &mut self,
        topics: impl IntoIterator<Item = &'a Topic>,
        name: Option<&ReaderName>,
    ) {
        self.changed(topics, |watched| {
            watched.readers = watched.readers.saturating_sub(1);
            PresenceChange::Leave {
                name: name.cloned(),
                readers: watched.readers,
            }
        });
    }

    fn changed<'a>(
        &mut self,
        topics: impl IntoIterator<Item = &'a Topic>,
        change: impl Fn(&mut Watched) -> PresenceChange,
    ) {
        if self.0.is_empty() {
            return;
        }
        for topic in topics {
            if let Some(watched) = self.0.get_mut(topic) {
                let change = change(watched);
                // Fails only if nobody listens any more.
                drop(watched.changes.send(change));
            }
        }
    }
}

/// A watch on a topic's readers. It is no reader itself. Dropping it ends it.
pub struct PresenceWatch {
    hub: Arc<Inner>,
    topic: Topic,
    /// What is to be told first.
    state: Option<Presence>,
    changes: broadcast::Receiver<PresenceChange>,
}

impl PresenceWatch {
    pub(crate) fn new(hub: Arc<Inner>, topic: Topic) -> Self {
        let (state, changes) = hub.tail.watch_presence(&topic);
        Self {
            hub,
            topic,
            state: Some(state),
            changes,
        }
    }

    /// The next change; the first one is the state. May be dropped without loss.
    ///
    /// # Errors
    /// [`Cut::Draining`] when the hub is drained.
    pub async fn next(&mut self) -> Result<PresenceChange, Cut> {
        loop {
            if let Some(state) = self.state.take() {
                return Ok(PresenceChange::State(state));
            }
            // Whoever begins to watch when the watches have been closed already sees this.
            if self.hub.is_draining() {
                return Err(Cut::Draining);
            }
            match self.changes.recv().await {
                Ok(change) => return Ok(change),
                Err(RecvError::Closed) => return Err(Cut::Draining),
                // The next look begins with the whole state.
                Err(RecvError::Lagged(_)) => *self = Self::new(Arc::clone(&self.hub), self.topic.clone()),
            }
        }
    }
}

impl Drop for PresenceWatch {
    fn drop(&mut self) {
        self.hub.tail.unwatch_presence(&self.topic);
    }
}

impl fmt::Debug for PresenceWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresenceWatch")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}
