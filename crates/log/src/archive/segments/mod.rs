//! The archive on disk: an append-only log in segments.
//!
//! | open | for |
//! |---|---|
//! | `disk`, `real_disk` | the files below, behind a trait |
//! | `format` | the bytes of a segment: batches, records |
//! | `segment` | a segment's file: its records, one by one or in passing |
//! | `index`, `paged` | where a topic's records stand; files that verify page by page |
//! | `topics`, `snapshot`, `meta` | what is known beside the records, written down |
//! | `cuts` | what was let go of a segment, written down |
//! | `state` | what a log is made of while it is open |
//! | `recover` | opening: torn tails, damage, rebuilding |
//! | `missing` | segments whose files are gone though nothing let them go |
//! | `good` | what is good of a segment that is damaged |
//! | `mend` | damaged indexes, made anew |
//! | `damage` | damaged places that were met |
//! | `writer` | appending, syncing, rolling |
//! | `reads` | reading by topic, cursor and id |
//! | `back` | going back from the end, and counting |
//! | `retain`, `by_topic` | letting go: the oldest of all; of single topics |
//! | `leap` | leaps of the clock that the log tells of |
//! | `base` | writing down the machine's memory and the list of topics |
//! | `books` | what is written down later, beside appending |
//! | `rewrite` | giving back the room of what is gone |
//! | [`inspect`] | looking without changing, checking, carrying elsewhere |
//! | `fuzzing` | what fuzzers check |
//!
//! Invariants:
//! - What was acknowledged under [`Durability::Always`] is there after any crash, once, in order.
//! - A bad place in what was safe is never passed over without a word: who reads over it is told, and the log names file and offset.
//! - Memory does not grow with the log: the newest segment's index and the topics' names are in it, the rest is read where
//!   it is needed.

mod back;
mod base;
mod books;
mod by_topic;
mod cuts;
mod damage;
mod disk;
mod format;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod good;
mod index;
pub mod inspect;
mod leap;
mod mend;
mod meta;
mod missing;
mod paged;
mod reads;
mod real_disk;
mod recover;
mod retain;
mod rewrite;
mod segment;
mod snapshot;
mod state;
mod topics;
mod writer;

use std::{
    fmt::Display,
    io,
    sync::{Arc, mpsc::RecvTimeoutError},
    thread::JoinHandle,
    time::Duration,
};

use parking_lot::{Mutex, RwLock};
use tidewire_codec::EventId;

use super::{AppendError, Back, History, Reads, Retention, Scan, Store, Urgency, ruled::Ruled};
use crate::{Millis, Record, Seq, Topic, TopicSet, archive::Held};
pub use disk::{Disk, DiskFile};
pub use real_disk::RealDisk;
pub use recover::OpenError;
use recover::Opened;
use topics::Place;
use writer::{Log, Troubles, Writer};

/// When what is published is safe from a crash of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Before it is acknowledged and visible.
    #[default]
    Always,
    /// So long after, at most. A crash of the machine may take what came last.
    Interval(Duration),
    /// When the system writes it. A crash of the machine may take what came last.
    Never,
}

/// How a log is kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// When it is safe.
    pub durability: Durability,
    /// A segment is sealed when the next batch would make it longer, in bytes.
    pub segment_bytes: u64,
    /// How much is kept: whole segments go, when all of what is kept without them is within the bounds.
    pub retention: Retention,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            durability: Durability::Always,
            segment_bytes: 64 << 20,
            retention: Retention {
                max_bytes: 1 << 30,
                max_events: None,
                max_age: Some(Duration::from_secs(7 * 24 * 60 * 60)),
                ..Retention::default()
            },
        }
    }
}

/// See the module's text.
pub struct Segments {
    log: Arc<Log>,
    history: History,
    /// Held for its end.
    _syncer: Option<Syncer>,
}

impl Segments {
    /// Opens the log on this disk, or makes one.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(disk: Arc<dyn Disk>, settings: Settings) -> Result<Self, OpenError> {
        let Opened {
            meta,
            state,
            snapshot,
            snapshots,
            torn,
        } = recover::open(&*disk, &settings)?;
        if torn > 0 {
            tracing::info!(
                bytes = torn,
                "cut off what was being written when the power went; nobody had been told of it"
            );
        }
        let last = state.last();
        let listed = state.topics.listed;
        let believed = leap::believed(&state);
        let history = History {
            epochs: meta.epochs.clone(),
            last,
            time: state.topics.time,
            believed,
            snapshot,
        };
        let log = Log {
            disk,
            id: meta.log,
            settings,
            state: RwLock::new(state),
            writer: Mutex::new(Writer::new(last, listed, snapshots, meta)),
            rewriting: Mutex::default(),
            cutting: Mutex::default(),
            troubles: Troubles::default(),
        };
        log.mending(|| {
            log.state.write().ruled = Ruled::new(log.settings.retention.rules.clone());
            log.begin_rules(believed)
        })?;
        let log = Arc::new(log);
        Ok(Self {
            _syncer: Syncer::start(&log)?,
            log,
            history,
        })
    }
}

impl Store for Segments {
    fn urgency(&self) -> Urgency {
        self.log.urgency()
    }

    fn history(&self) -> History {
        self.history.clone()
    }

    fn replay(&self, after: Seq, each: &mut dyn FnMut(&Record)) -> io::Result<()> {
        recover::replay(&self.log.state.read(), after, each)
    }

    fn begin_behind(&self, history: &History, topics: Vec<(Topic, Seq)>) -> io::Result<()> {
        self.log.begin_behind(history, topics)
    }

    fn append(&self, batch: &[Arc<Record>]) -> Result<(), AppendError> {
        self.log.append(batch)
    }

    fn poisoned(&self) -> Option<String> {
        self.log.poisoned()
    }

    fn trim(&self, now: Millis) {
        self.log.trim(now);
        self.log.mend_if_asked();
    }

    fn trim_topics(&self, now: Millis) -> Vec<(Topic, Seq)> {
        let gone = self.log.trim_topics(now);
        self.log.mend_if_asked();
        gone
    }

    fn purge(&self, topics: &TopicSet, through: Seq) -> io::Result<usize> {
        self.log.mending(|| self.log.purge(topics, through))
    }

    fn idle(&self, most: usize) -> Vec<Topic> {
        self.log.state.write().topics.idle(most)
    }

    fn forget(&self, topics: &TopicSet, through: Seq) {
        if let Err(error) = self.log.mending(|| self.log.purge(topics, through)) {
            // What is left of them is read as long as it is there.
            tracing::error!(%error, "topics cannot be forgotten");
            return;
        }
        let mut state = self.log.state.write();
        for topic in topics {
            state.topics.forget(topic, through);
            if !state.topics.knows(topic) {
                state.ruled.forget(topic);
            }
        }
    }

    fn knows(&self, topic: &Topic) -> bool {
        self.log.state.read().topics.knows(topic)
    }

    fn compact(&self, go_on: &dyn Fn() -> bool) {
        self.log.compact(go_on);
    }

    fn wants_snapshot(&self) -> bool {
        self.log.writer.lock().wants_snapshot
    }

    fn snapshot(&self, seq: Seq, state: &[u8]) {
        let written = self.log.write_down(seq, state);
        self.log.writer.lock().owes_snapshot = written.is_err();
        let trouble = &self.log.troubles.snapshot;
        trouble.note("write down what is remembered of topics", cause(&written));
    }

    fn close(&self) {
        self.log.end_books();
        if let Err(error) = self.log.end() {
            tracing::error!(%error, "cannot close the log in order");
        }
    }
}

impl Reads for Segments {
    fn may_block(&self) -> bool {
        true
    }

    fn scan(&self, topics: &TopicSet, after: Seq, through: Seq, budget: usize) -> io::Result<Scan> {
        self.log
            .mending(|| reads::scan(&self.log.state, topics, after, through, budget))
    }

    fn back(&self, topics: &TopicSet, through: Seq, count: usize) -> io::Result<Back> {
        self.log
            .mending(|| back::back(&self.log.state, topics, through, count))
    }

    fn last_event(&self, topics: &TopicSet, through: Seq) -> io::Result<Option<Seq>> {
        let mut last = None;
        for topic in topics {
            let found = self
                .log
                .mending(|| back::last_event(&self.log.state, topic, through));
            last = last.max(found?);
        }
        Ok(last)
    }

    fn find(&self, topics: &TopicSet, id: &EventId) -> io::Result<Option<Seq>> {
        self.log.mending(|| reads::find(&self.log.state, topics, id))
    }

    fn held(&self) -> Held {
        self.log.held()
    }

    fn damaged(&self) -> usize {
        self.log.state.read().damage.places()
    }
}

impl Drop for Segments {
    fn drop(&mut self) {
        self.log.end_books();
    }
}

/// Of what failed, for those who log it.
fn cause<T>(done: &io::Result<T>) -> Option<&dyn Display> {
    done.as_ref().err().map(|error| error as &dyn Display)
}

impl Log {
    fn begin_behind(&self, history: &History, topics: Vec<(Topic, Seq)>) -> io::Result<()> {
        let mut writer = self.writer.lock();
        writer.meta.epochs.clone_from(&history.epochs);
        let saved = self.save_meta(&mut writer).and_then(|()| {
            let mut state = self.state.write();
            for (topic, last) in topics {
                let (event, floor, cleared) = (last, last, last);
                state.topics.learn(
                    topic,
                    Place {
                        event,
                        last,
                        floor,
                        cleared,
                    },
                );
            }
            state.topics.raise_absent(history.last);
            (state.topics.last, state.topics.time) = (history.last, history.time);
            drop(state);
            self.roll(&mut writer, history.last.next())
        });
        drop(writer);
        saved.map_err(io::Error::other)?;
        match &history.snapshot {
            Some((seq, state)) => self.write_down(*seq, state),
            None => Ok(()),
        }
    }

    fn write_down(&self, seq: Seq, state: &[u8]) -> io::Result<()> {
        let _cutting = self.cutting.lock();
        let mut writer = self.writer.lock();
        writer.wants_snapshot = false;
        if let Some(why) = writer.poisoned() {
            return Err(io::Error::other(why.to_owned()));
        }
        // What is written down must not know of records that a crash may take.
        self.sync_written(&mut writer).map_err(io::Error::other)?;
        writer.snapshots.save(&*self.disk, &self.id, seq, state)?;
        // After it: a topic that was forgotten may be on the list and unknown to the machine, but the other way round
        // nobody would ever make the machine forget it.
        let topics = self.state.read().topics.clone();
        topics.save(&*self.disk, &self.id)?;
        writer.listed = topics.last;
        Ok(())
    }
}

/// Syncs the log from time to time, on a thread that ends with this.
struct Syncer {
    stop: Option<std::sync::mpsc::SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    /// None where nothing is synced from time to time.
    fn start(log: &Arc<Log>) -> io::Result<Option<Self>> {
        let Durability::Interval(interval) = log.settings.durability else {
            return Ok(None);
        };
        let (stop, stopped) = std::sync::mpsc::sync_channel(1);
        let log = Arc::clone(log);
        let run = move || {
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                // A failure poisons the log, and is told to whoever appends.
                drop(log.sync());
            }
        };
        let thread = std::thread::Builder::new()
            .name("tidewire-sync".into())
            .spawn(run)?;
        Ok(Some(Self {
            stop: Some(stop),
            thread: Some(thread),
        }))
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
