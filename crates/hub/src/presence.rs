//! Who reads a topic: how many, under which names, and a watch on both.
//!
//! A reader is a connection. The name is what it gave itself; nothing proves it. Readers are counted as they come and go, by
//! topic and name, so that an answer costs what it lists, however many readers there are.
//!
//! Lock order: the lock of `Readers` is never held while another is taken, nor taken while another is held.
//!
//! Bounds: a count a topic that is read and a name in it; [`MEMBERS`] names are listed; a watcher that is 256 changes behind gets the whole state instead.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::broadcast::{self, error::RecvError};

use tidewire_log::error::MAX_READER_NAME;

use crate::{Cut, Error, Topic, TopicSet, hub::Inner};

/// How many names a state lists.
pub const MEMBERS: usize = 1000;

/// How many changes a watcher may be behind.
const CHANGES: usize = 256;

/// The name that a reader gives itself: 1 to [`ReaderName::MAX_LEN`] bytes without control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReaderName(Arc<str>);

impl ReaderName {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = MAX_READER_NAME;

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

/// The readers of each topic. It has a lock of its own, which nothing that publishes takes.
#[derive(Default)]
pub(crate) struct Readers(Mutex<HashMap<Topic, Roll>>);

/// The readers of a topic, and who watches them.
#[derive(Default)]
struct Roll {
    readers: usize,
    /// How many readers have each name.
    names: BTreeMap<ReaderName, usize>,
    watch: Option<Watch>,
}

struct Watch {
    watchers: usize,
    changes: broadcast::Sender<PresenceChange>,
}

impl Readers {
    pub(crate) fn of(&self, topic: &Topic) -> Presence {
        self.0.lock().get(topic).map(Roll::state).unwrap_or_default()
    }

    /// Who reads the topic, and every change from then on.
    fn watch(&self, topic: &Topic) -> (Presence, broadcast::Receiver<PresenceChange>) {
        let mut rolls = self.0.lock();
        let roll = rolls.entry(topic.clone()).or_default();
        let watch = roll.watch.get_or_insert_with(|| Watch {
            watchers: 0,
            changes: broadcast::Sender::new(CHANGES),
        });
        watch.watchers += 1;
        let changes = watch.changes.subscribe();
        (roll.state(), changes)
    }

    fn unwatch(&self, topic: &Topic) {
        self.change(topic, |roll| {
            let Some(watch) = &mut roll.watch else { return };
            watch.watchers -= 1;
            if watch.watchers == 0 {
                roll.watch = None;
            }
        });
    }

    /// No watcher hears more.
    pub(crate) fn close(&self) {
        self.0.lock().values_mut().for_each(|roll| roll.watch = None);
    }

    pub(crate) fn joined(&self, topics: &TopicSet, name: Option<&ReaderName>) {
        let mut rolls = self.0.lock();
        for topic in topics {
            // Two look-ups for a known topic cost less than a clone of its name.
            if !rolls.contains_key(topic) {
                rolls.insert(topic.clone(), Roll::default());
            }
            let Some(roll) = rolls.get_mut(topic) else {
                continue;
            };
            roll.readers += 1;
            if let Some(name) = name {
                *roll.names.entry(name.clone()).or_default() += 1;
            }
            let readers = roll.readers;
            roll.tell(|| PresenceChange::Join {
                name: name.cloned(),
                readers,
            });
        }
    }

    pub(crate) fn left(&self, topics: &TopicSet, name: Option<&ReaderName>) {
        for topic in topics {
            self.change(topic, |roll| {
                roll.readers -= 1;
                if let Some(name) = name
                    && let Some(count) = roll.names.get_mut(name)
                {
                    *count -= 1;
                    if *count == 0 {
                        roll.names.remove(name);
                    }
                }
                let readers = roll.readers;
                roll.tell(|| PresenceChange::Leave {
                    name: name.cloned(),
                    readers,
                });
            });
        }
    }

    /// Changes a topic's roll, and forgets it when nobody is on it.
    fn change(&self, topic: &Topic, change: impl FnOnce(&mut Roll)) {
        let mut rolls = self.0.lock();
        let Some(roll) = rolls.get_mut(topic) else { return };
        change(roll);
        if roll.readers == 0 && roll.watch.is_none() {
            rolls.remove(topic);
        }
    }
}

impl Roll {
    fn state(&self) -> Presence {
        let member = |(name, readers): (&ReaderName, &usize)| Member {
            name: name.clone(),
            readers: *readers,
        };
        Presence {
            readers: self.readers,
            members: self.names.iter().take(MEMBERS).map(member).collect(),
            more: self.names.len().saturating_sub(MEMBERS),
        }
    }

    fn tell(&self, change: impl FnOnce() -> PresenceChange) {
        if let Some(watch) = &self.watch {
            // Fails only if nobody listens any more.
            drop(watch.changes.send(change()));
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
        let (state, changes) = hub.readers.watch(&topic);
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
        self.hub.readers.unwatch(&self.topic);
    }
}

impl fmt::Debug for PresenceWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresenceWatch")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tidewire_codec::Event;

    use super::*;
    use crate::{
        Config, Draft, Encoding, Hub, Namespace, Start,
        archive::{Memory, Retention},
    };

    #[tokio::test(flavor = "multi_thread")]
    #[expect(
        clippy::await_holding_lock,
        reason = "readers are being counted all the while"
    )]
    async fn a_publish_does_not_wait_while_readers_are_counted() {
        let hub = Hub::start(Config::default(), Memory::new(Retention::default())).unwrap();
        let topic = Topic::new(Namespace::Events, "room").unwrap();
        let name = ReaderName::new("bob").unwrap();
        let reader = hub
            .subscribe_as(topic.clone(), &Start::Live, Encoding::EventStream, Some(name))
            .await;
        let counting = hub.inner.readers.0.lock();
        let draft = Draft::event(topic.clone(), Event::new("1")).unwrap();
        let published = tokio::time::timeout(Duration::from_secs(60), hub.append(draft)).await;
        published.expect("not held up").unwrap();
        drop(counting);
        assert_eq!(hub.presence(&topic).readers, 1);
        drop(reader);
        assert!(
            hub.inner.readers.0.lock().is_empty(),
            "nothing is remembered of who has gone"
        );
    }
}
