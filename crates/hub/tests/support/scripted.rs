//! An archive that does as it is told: it waits, it fails, and it keeps its log when the hub is gone.

use std::{
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard},
};

use tidewire_codec::EventId;
use tidewire_hub::{
    Entry, Epoch, Millis, Record, Seq, Topic, TopicSet,
    archive::{AppendError, Back, History, Memory, Reads, Retention, Scan, Store, Urgency},
    stats::Held,
};

/// Clones are the same archive.
#[derive(Clone)]
pub struct Scripted(Arc<Inner>);

struct Inner {
    waits: bool,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// What readers read.
    memory: Arc<Memory>,
    epochs: Vec<(Epoch, Seq)>,
    log: Vec<Arc<Record>>,
    /// The last record that was appended, and its time.
    last: (Seq, Millis),
    snapshot: Option<(Seq, Vec<u8>)>,
    wants_snapshot: bool,
    closed: usize,
    fail: Option<Fail>,
    /// How many appends may pass, if not all.
    passes: Option<usize>,
    /// The sizes of the batches that came, kept or not.
    batches: Vec<usize>,
    /// How many records the last hub was told of.
    replayed: usize,
    /// Whether reads wait.
    holds_reads: bool,
    /// How many reads are under way.
    reading: usize,
}

#[derive(Clone, Copy)]
pub enum Fail {
    Full,
    /// The disk fails.
    Failed,
    Poisoned,
    /// It has a fault.
    Panic,
    /// Full, one time of so many, at random.
    Sometimes(usize),
}

impl Scripted {
    /// `waits`: appends are made where a thread may block.
    pub fn new(waits: bool) -> Self {
        Self::over(Memory::new(Retention::default()), waits)
    }

    /// With this retention.
    pub fn over(memory: Memory, waits: bool) -> Self {
        let state = State {
            memory: Arc::new(memory),
            epochs: Vec::new(),
            log: Vec::new(),
            last: (Seq::ZERO, 0),
            snapshot: None,
            wants_snapshot: false,
            closed: 0,
            fail: None,
            passes: None,
            batches: Vec::new(),
            replayed: 0,
            holds_reads: false,
            reading: 0,
        };
        Self(Arc::new(Inner {
            waits,
            state: Mutex::new(state),
            changed: Condvar::new(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    fn memory(&self) -> Arc<Memory> {
        Arc::clone(&self.state().memory)
    }

    /// What becomes of the appends that come, and of one that waits.
    pub fn fail(&self, fail: impl Into<Option<Fail>>) {
        self.state().fail = fail.into();
    }

    /// Appends wait.
    pub fn shut(&self) {
        self.state().passes = Some(0);
    }

    /// One append that waits, or the next one, goes on.
    pub fn let_one_pass(&self) {
        self.state().passes = Some(1);
        self.0.changed.notify_all();
    }

    pub fn open(&self) {
        self.state().passes = None;
        self.0.changed.notify_all();
    }

    /// How many have it: one more for each hub that is there.
    pub fn handles(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// Reads wait.
    pub fn hold_reads(&self) {
        self.state().holds_reads = true;
    }

    pub fn let_reads_go(&self) {
        self.state().holds_reads = false;
        self.0.changed.notify_all();
    }

    /// How many reads are under way.
    pub fn reading(&self) -> usize {
        self.state().reading
    }

    /// Reads, as soon as it may.
    fn read<T>(&self, read: impl FnOnce(&Memory) -> T) -> T {
        let mut state = self.state();
        state.reading += 1;
        let state = self.0.changed.wait_while(state, |state| state.holds_reads);
        let memory = Arc::clone(&state.unwrap().memory);
        let read = read(&memory);
        self.state().reading -= 1;
        read
    }

    /// Waits until so many batches have come.
    pub async fn arrived(&self, batches: usize) {
        let this = self.clone();
        let wait = move || {
            let few = |state: &mut State| state.batches.len() < batches;
            drop(this.0.changed.wait_while(this.state(), few).unwrap());
        };
        tokio::task::spawn_blocking(wait).await.unwrap();
    }

    pub fn batches(&self) -> Vec<usize> {
        self.state().batches.clone()
    }

    pub fn want_snapshot(&self) {
        self.state().wants_snapshot = true;
    }

    pub fn snapshot_at(&self) -> Option<Seq> {
        self.state().snapshot.as_ref().map(|(seq, _)| *seq)
    }

    /// All that was appended, whatever has become of it for readers.
    pub fn log(&self) -> Vec<Arc<Record>> {
        self.state().log.clone()
    }

    pub fn last_snapshot(&self) -> Option<(Seq, Vec<u8>)> {
        self.state().snapshot.clone()
    }

    pub fn set_snapshot(&self, snapshot: Option<(Seq, Vec<u8>)>) {
        self.state().snapshot = snapshot;
    }

    pub fn times_closed(&self) -> usize {
        self.state().closed
    }

    pub fn replayed(&self) -> usize {
        self.state().replayed
    }

    /// Retention lets all go.
    pub fn let_all_go(&self) {
        let mut state = self.state();
        state.log.clear();
        state.memory = Arc::new(Memory::new(Retention::default()));
    }

    /// The process crashes, and what was appended after `last` is lost.
    pub fn lose_after(&self, last: Seq) {
        let mut state = self.state();
        state.log.retain(|record| record.seq <= last);
        if state.snapshot.as_ref().is_some_and(|(seq, _)| *seq > last) {
            state.snapshot = None;
        }
        state.last.0 = last;
        state.memory = Arc::new(Memory::new(Retention::default()));
        state.memory.append(&state.log).unwrap();
    }
}

/// The log says it of itself.
fn is_of_order(record: &Record) -> bool {
    record.entry.is_note() || matches!(record.entry, Entry::Batch { .. })
}

impl Store for Scripted {
    fn urgency(&self) -> Urgency {
        Urgency::Idle
    }
    fn history(&self) -> History {
        let mut state = self.state();
        state.replayed = 0;
        let (last, time) = state.last;
        state.epochs.retain(|(_, first)| *first <= last);
        History {
            epochs: state.epochs.clone(),
            last,
            time,
            believed: time,
            snapshot: state.snapshot.clone(),
        }
    }
    fn replay(&self, after: Seq, each: &mut dyn FnMut(&Record)) -> io::Result<()> {
        let log = self.state().log.clone();
        for record in log.iter().filter(|record| record.seq > after) {
            self.state().replayed += usize::from(!is_of_order(record));
            each(record);
        }
        Ok(())
    }
    fn begin_behind(&self, history: &History, topics: Vec<(Topic, Seq)>) -> io::Result<()> {
        let mut state = self.state();
        state.last = (history.last, history.time);
        state.epochs.clone_from(&history.epochs);
        state.snapshot.clone_from(&history.snapshot);
        state.memory.begin_behind(history, topics)
    }
    fn append(&self, batch: &[Arc<Record>]) -> Result<(), AppendError> {
        let mut state = self.state();
        let records = batch.iter().filter(|record| !is_of_order(record));
        state.batches.push(records.clone().count());
        self.0.changed.notify_all();
        let mut state = self
            .0
            .changed
            .wait_while(state, |state| state.passes == Some(0))
            .unwrap();
        state.passes = state.passes.map(|passes| passes - 1);
        let full = || Err(AppendError::Full(io::ErrorKind::StorageFull.into()));
        match state.fail {
            Some(Fail::Full) => full(),
            Some(Fail::Sometimes(times)) if fastrand::usize(..times) == 0 => full(),
            Some(Fail::Panic) => {
                drop(state);
                panic!("as the test wants it")
            }
            Some(Fail::Failed) => Err(AppendError::Failed(io::Error::other("EIO"))),
            Some(Fail::Poisoned) => Err(AppendError::Poisoned("fsync failed".into())),
            _ => {
                for record in batch {
                    if let Entry::Epoch(epoch) = record.entry {
                        state.epochs.push((epoch, record.seq));
                    }
                }
                state.log.extend(batch.iter().cloned());
                state.last = batch
                    .last()
                    .map_or(state.last, |last| (last.through(), last.time));
                state.memory.append(batch)
            }
        }
    }
    fn trim(&self, now: Millis) {
        self.memory().trim(now);
    }
    fn purge(&self, topics: &TopicSet, through: Seq) -> io::Result<usize> {
        self.memory().purge(topics, through)
    }
    fn idle(&self, most: usize) -> Vec<Topic> {
        self.memory().idle(most)
    }
    fn forget(&self, topics: &TopicSet, through: Seq) {
        self.memory().forget(topics, through);
    }
    fn wants_snapshot(&self) -> bool {
        self.state().wants_snapshot
    }
    fn snapshot(&self, seq: Seq, snapshot: &[u8]) {
        let mut state = self.state();
        state.wants_snapshot = false;
        state.snapshot = Some((seq, snapshot.to_vec()));
    }
    fn close(&self) {
        self.state().closed += 1;
    }
    fn poisoned(&self) -> Option<String> {
        None
    }
    fn trim_topics(&self, now: Millis) -> Vec<(Topic, Seq)> {
        self.memory().trim_topics(now)
    }
    fn knows(&self, topic: &Topic) -> bool {
        self.memory().knows(topic)
    }
    fn compact(&self, _go_on: &dyn Fn() -> bool) {}
}

impl Reads for Scripted {
    fn may_block(&self) -> bool {
        self.0.waits
    }
    fn scan(&self, topics: &TopicSet, after: Seq, through: Seq, budget: usize) -> io::Result<Scan> {
        self.read(|memory| memory.scan(topics, after, through, budget))
    }
    fn back(&self, topics: &TopicSet, through: Seq, count: usize) -> io::Result<Back> {
        self.read(|memory| memory.back(topics, through, count))
    }
    fn find(&self, topics: &TopicSet, id: &EventId) -> io::Result<Option<Seq>> {
        self.read(|memory| memory.find(topics, id))
    }
    fn held(&self) -> Held {
        self.memory().held()
    }
    fn last_event(&self, topics: &TopicSet, through: Seq) -> io::Result<Option<Seq>> {
        self.read(|memory| memory.last_event(topics, through))
    }
    fn damaged(&self) -> usize {
        0
    }
}
