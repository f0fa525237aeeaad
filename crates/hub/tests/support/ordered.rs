//! A store in front of another, which holds the hub to the order of calls that [`Store`] promises.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard},
};

use tidewire_codec::EventId;
use tidewire_hub::{
    Config, Epoch, Hub, Millis, Record, Seq, StartError, Topic, TopicSet,
    archive::{AppendError, Back, History, Reads, Scan, Store, Urgency},
    stats::Held,
};

use super::shared;

/// A hub over this store, whose calls are watched. With `TIDEWIRE_ORDER=shared` it follows an order that others could follow too.
pub fn start(config: Config, store: impl Store) -> Result<Hub, StartError> {
    match std::env::var("TIDEWIRE_ORDER").as_deref() {
        Ok("shared") => shared::start(config, store),
        _ => start_alone(config, store),
    }
}

/// The same for tests of what only the order of a single node does: numbers without holes, an epoch at each start, batches that are
/// taken back.
pub fn start_alone(config: Config, store: impl Store) -> Result<Hub, StartError> {
    Hub::start(config, Ordered::new(store))
}

/// A call in another order ends the process: a panic on a thread of the hub would only be taken for a fault of the store.
pub struct Ordered<S> {
    store: S,
    /// With which a log begins that is new.
    epoch: Option<Epoch>,
    calls: Mutex<Calls>,
}

#[derive(Default)]
struct Calls {
    history: bool,
    replay: bool,
    /// Something was called that comes after the replay.
    written: bool,
    /// The last record.
    last: Seq,
    appending: bool,
    compacting: bool,
    poisoned: bool,
    closed: bool,
}

impl<S> Ordered<S> {
    pub fn new(store: S) -> Self {
        Self {
            store,
            epoch: None,
            calls: Mutex::default(),
        }
    }

    /// A new log has this epoch before its first record, as if it had been in the order for long.
    pub fn beginning_with(store: S, epoch: Epoch) -> Self {
        Self {
            epoch: Some(epoch),
            ..Self::new(store)
        }
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap()
    }

    /// A call of the writer that comes after the replay and before the end, and beside no append.
    fn write(&self, call: &str) -> MutexGuard<'_, Calls> {
        let mut calls = self.calls();
        check(calls.history, call, "before history");
        check(!calls.appending, call, "while an append is under way");
        check(!calls.closed, call, "after close");
        calls.written = true;
        calls
    }

    /// A call that may be made beside all others, one at a time.
    fn beside(&self, call: &str, make: impl FnOnce()) {
        let mut calls = self.calls();
        check(
            calls.history && !calls.closed,
            call,
            "before history or after close",
        );
        check(!calls.compacting, call, "twice at once");
        (calls.compacting, calls.written) = (true, true);
        drop(calls);
        make();
        self.calls().compacting = false;
    }

    fn write_up_to(&self, call: &str, through: Seq) {
        let calls = self.write(call);
        check(through <= calls.last, call, "before its record was appended");
    }
}

#[allow(clippy::print_stderr, reason = "why the test ends")]
fn check(is_right: bool, call: &str, when: &str) {
    if !is_right {
        eprintln!("the store's order of calls: {call} {when}");
        std::process::abort();
    }
}

/// An append under way.
struct Appending<'a>(&'a Mutex<Calls>);

impl Drop for Appending<'_> {
    fn drop(&mut self) {
        let mut calls = self.0.lock().unwrap();
        calls.appending = false;
        calls.poisoned |= std::thread::panicking();
    }
}

impl<S: Store> Store for Ordered<S> {
    fn history(&self) -> History {
        let mut calls = self.calls();
        check(!calls.history, "history", "twice");
        calls.history = true;
        let mut history = self.store.history();
        if let Some(epoch) = self.epoch.filter(|_| history.epochs.is_empty()) {
            history.epochs.push((epoch, Seq(1)));
        }
        calls.last = history.last;
        history
    }
    fn replay(&self, after: Seq, each: &mut dyn FnMut(&Record)) -> io::Result<()> {
        let mut calls = self.calls();
        check(calls.history, "replay", "before history");
        check(!calls.replay, "replay", "twice");
        check(!calls.written, "replay", "after it was written");
        calls.replay = true;
        drop(calls);
        self.store.replay(after, each)
    }
    fn begin_behind(&self, history: &History, topics: Vec<(Topic, Seq)>) -> io::Result<()> {
        let mut calls = self.calls();
        check(calls.replay, "begin_behind", "before replay");
        check(
            !calls.written && calls.last == Seq::ZERO,
            "begin_behind",
            "of a log that is not new",
        );
        calls.last = history.last;
        drop(calls);
        self.store.begin_behind(history, topics)
    }
    fn append(&self, batch: &[Arc<Record>]) -> Result<(), AppendError> {
        let mut calls = self.write("append");
        check(!calls.poisoned, "append", "after it was poisoned");
        let mut last = calls.last;
        for record in batch.iter().filter(|record| !record.entry.is_note()) {
            check(record.seq > last, "append", "of a number that was given");
            last = record.seq;
        }
        calls.appending = true;
        drop(calls);
        let appending = Appending(&self.calls);
        let appended = self.store.append(batch);
        drop(appending);
        let mut calls = self.calls();
        match &appended {
            Ok(()) => calls.last = last,
            Err(AppendError::Poisoned(_)) => calls.poisoned = true,
            Err(_) => {}
        }
        appended
    }
    fn poisoned(&self) -> Option<String> {
        let mut calls = self.write("poisoned");
        let poisoned = self.store.poisoned();
        calls.poisoned |= poisoned.is_some();
        poisoned
    }
    fn urgency(&self) -> Urgency {
        self.store.urgency()
    }
    fn trim(&self, now: Millis) {
        self.beside("trim", || self.store.trim(now));
    }
    fn trim_topics(&self, now: Millis) -> Vec<(Topic, Seq)> {
        drop(self.write("trim_topics"));
        self.store.trim_topics(now)
    }
    fn purge(&self, topics: &TopicSet, through: Seq) -> io::Result<usize> {
        self.write_up_to("purge", through);
        self.store.purge(topics, through)
    }
    fn idle(&self, most: usize) -> Vec<Topic> {
        drop(self.write("idle"));
        self.store.idle(most)
    }
    fn forget(&self, topics: &TopicSet, through: Seq) {
        self.write_up_to("forget", through);
        self.store.forget(topics, through);
    }
    fn knows(&self, topic: &Topic) -> bool {
        check(self.calls().history, "knows", "before history");
        self.store.knows(topic)
    }
    fn compact(&self, go_on: &dyn Fn() -> bool) {
        self.beside("compact", || self.store.compact(go_on));
    }
    fn wants_snapshot(&self) -> bool {
        drop(self.write("wants_snapshot"));
        self.store.wants_snapshot()
    }
    fn snapshot(&self, seq: Seq, state: &[u8]) {
        self.write_up_to("snapshot", seq);
        check(!self.calls().poisoned, "snapshot", "after it was poisoned");
        self.store.snapshot(seq, state);
    }
    fn close(&self) {
        let mut calls = self.write("close");
        check(!calls.compacting, "close", "while it is compacted");
        check(!calls.poisoned, "close", "after it was poisoned");
        calls.closed = true;
        drop(calls);
        self.store.close();
    }
}

impl<S: Reads> Reads for Ordered<S> {
    fn may_block(&self) -> bool {
        self.store.may_block()
    }
    fn scan(&self, topics: &TopicSet, after: Seq, through: Seq, budget: usize) -> io::Result<Scan> {
        check(self.calls().history, "scan", "before history");
        self.store.scan(topics, after, through, budget)
    }
    fn back(&self, topics: &TopicSet, through: Seq, count: usize) -> io::Result<Back> {
        check(self.calls().history, "back", "before history");
        self.store.back(topics, through, count)
    }
    fn last_event(&self, topics: &TopicSet, through: Seq) -> io::Result<Option<Seq>> {
        self.store.last_event(topics, through)
    }
    fn find(&self, topics: &TopicSet, id: &EventId) -> io::Result<Option<Seq>> {
        self.store.find(topics, id)
    }
    fn held(&self) -> Held {
        self.store.held()
    }
    fn damaged(&self) -> usize {
        self.store.damaged()
    }
}
