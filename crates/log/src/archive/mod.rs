//! What is kept for replay, behind two traits: a [`Store`] has one writer, and its [`Reads`] many readers.
//!
//! A store keeps records in order, answers reads, and lets the oldest go when its retention says
//! so. It gives no order (the hub's order does) and knows no readers.
//!
//! A store that outlives the process also tells the hub what there was, and keeps what the machine remembers: a
//! snapshot now and then, and the records after it.

mod memory;
mod ruled;
pub mod rules;
#[cfg(feature = "disk")]
pub mod segments;
mod shares;
pub mod shortage;

use std::{io, sync::Arc};

use tidewire_codec::EventId;

use crate::{Epoch, Floors, Millis, Record, Seq, Topic, TopicSet};

pub use memory::{Memory, Retention};
pub use rules::{Rule, Rules};

/// Records read from a store.
#[derive(Debug)]
pub struct Scan {
    /// In order, each once.
    pub records: Vec<Arc<Record>>,
    /// Everything of these topics up to here has been read.
    pub through: Seq,
    /// What is gone of each topic: a reader whose cursor is before one of them has missed an event.
    pub floors: Floors,
    /// Something of these topics between the cursor and the first of the records, or [`Scan::through`] where there are none, is damaged
    /// and was passed over.
    pub is_damaged: bool,
}

impl Scan {
    /// The cursor from which a reader goes on: just before the first record.
    #[must_use]
    pub fn goes_on_after(&self) -> Seq {
        self.records
            .first()
            .map_or(self.through, |record| record.seq.before())
    }
}

/// What a store keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Records: events, and ends of streams.
    pub records: usize,
    /// What they take, in bytes.
    pub bytes: usize,
}

/// A step back: see [`Reads::back`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Back {
    /// How many events were passed.
    pub events: usize,
    /// Everything after it has been passed. 0: nothing is left.
    pub through: Seq,
}

/// Goes back from the end in steps, over so many events.
pub struct Walk {
    /// How many events were passed.
    pub events: usize,
    /// How many are still to be passed.
    pub left: usize,
    /// Everything after it has been passed.
    pub through: Seq,
}

impl Walk {
    /// Over `count` events up to `through`.
    pub fn new(through: Seq, count: usize) -> Self {
        Self {
            events: 0,
            left: count,
            through,
        }
    }

    /// Over all events up to `through`.
    pub fn all(through: Seq) -> Self {
        Self::new(through, usize::MAX)
    }

    /// Whether there is more to pass.
    pub fn goes_on(&self) -> bool {
        self.left > 0 && self.through > Seq::ZERO
    }

    /// Takes a step that was made.
    pub fn step(&mut self, back: Back) {
        self.events += back.events;
        self.left -= back.events;
        self.through = back.through;
    }

    /// Makes all steps.
    ///
    /// # Errors
    /// Those of `back`.
    pub fn run(mut self, back: impl Fn(Seq, usize) -> io::Result<Back>) -> io::Result<Self> {
        while self.goes_on() {
            self.step(back(self.through, self.left)?);
        }
        Ok(self)
    }
}

/// What there was when a store was opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// The histories that the log has had, oldest first, each with its first number; the last goes on. None: the log
    /// is new.
    pub epochs: Vec<(Epoch, Seq)>,
    /// The last record that was appended, whether it is still kept or not.
    pub last: Seq,
    /// Its time.
    pub time: Millis,
    /// The same, or what was believed instead if the clock had leapt by more than a day within the hour before it.
    pub believed: Millis,
    /// What the machine remembered after a record, as [`Store::snapshot`] was given it.
    pub snapshot: Option<(Seq, Vec<u8>)>,
}

/// Why a batch could not be kept. Nothing of it is.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// There is no room. The next batch is tried again.
    #[error("there is no room: {0}")]
    Full(#[source] io::Error),
    /// The process or the system has too few descriptors or too little memory at the moment. The next batch is tried again.
    #[error("the system is short of something at the moment: {0}")]
    Short(#[source] io::Error),
    /// It cannot be written, for another reason. The next batch is tried again.
    #[error("it cannot be written: {0}")]
    Failed(#[source] io::Error),
    /// What is kept can no longer be trusted to last: nothing is appended until the store is opened anew.
    #[error("{0}")]
    Poisoned(String),
}

/// How urgent it is that a store lets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// Once a second is enough.
    Idle,
    /// [`Store::trim`] and [`Store::compact`] are to be called now, beside appending.
    Due,
    /// The store is so far over its bound that appending must wait for them.
    Overdue,
}

/// Where records are kept: what its one writer calls, and, as every store is read too, [`Reads`].
///
/// The order of calls: [`history`](Store::history) once, [`replay`](Store::replay) at most once,
/// [`begin_behind`](Store::begin_behind) at most once, and then the rest. Batches are appended
/// in the order of their numbers. A purge, a forgetting and a snapshot come after the append of the record up to which they go, and none
/// while an append is under way; the rules of topics ([`trim_topics`](Store::trim_topics)) have their turn between appends too,
/// and may come before the first. After an append that was [poisoned](AppendError::Poisoned) nothing is appended or written down.
/// [`close`](Store::close) is the last of these calls, and comes once at most: not where an append was poisoned, nor when the process
/// crashes. Only [`trim`](Store::trim) and [`compact`](Store::compact) run beside the others, one of them at a time, and none is under way at
/// `close`. Reads come at any
/// time after `history`, from many threads at once, also while the store is written and after it is closed.
pub trait Store: Reads {
    /// What there was when the store was opened.
    fn history(&self) -> History;

    /// Calls `each` with the records after `after` that are kept, in order: what the machine is told after its
    /// snapshot.
    ///
    /// # Errors
    /// When they cannot be read.
    fn replay(&self, after: Seq, each: &mut dyn FnMut(&Record)) -> io::Result<()>;

    /// A new log gets a history, of which nothing is kept: it begins behind it, and has its snapshot. `topics` are those of the
    /// machine, each with its last record: all of them is gone up to there. Called once at most, after the replay and before anything is written.
    ///
    /// # Errors
    /// When it cannot be written down.
    fn begin_behind(&self, history: &History, topics: Vec<(Topic, Seq)>) -> io::Result<()>;

    /// Keeps a batch, in order. When this returns, the batch is as durable as this store promises.
    /// Nothing is let go here: what no reader could see yet must not be missing. A note stands in front of a record: one at the end
    /// of a batch may be forgotten with the next restart.
    ///
    /// # Errors
    /// [`AppendError`]: nothing of the batch is kept, and its numbers are not used again.
    fn append(&self, batch: &[Arc<Record>]) -> Result<(), AppendError>;

    /// Why nothing more can be appended ([`AppendError::Poisoned`]), if so. Asked once a second, so that it is known without
    /// an append too.
    fn poisoned(&self) -> Option<String>;

    /// Lets go what retention no longer keeps at this time: called once a second, and, where reads do not block, when a batch has become
    /// visible. May take long.
    fn trim(&self, now: Millis);

    /// How urgent it is to let go, since it was asked last. Asked after each batch.
    fn urgency(&self) -> Urgency;

    /// Lets go what the rules for single topics no longer keep at this time: called once a second, when all that was
    /// appended is visible. Names the topics that lost something, each with the last record that it lost.
    fn trim_topics(&self, now: Millis) -> Vec<(Topic, Seq)>;

    /// Lets go all of these topics up to `through`: called when the purge has become visible. An event that
    /// was published to other topics as well stays for them. Returns how many events there were.
    ///
    /// # Errors
    /// When it cannot be told how many there were.
    fn purge(&self, topics: &TopicSet, through: Seq) -> io::Result<usize>;

    /// At most so many topics of which nothing is kept.
    fn idle(&self, most: usize) -> Vec<Topic>;

    /// Forgets topics, and lets go all of them up to `through`: called when that has become visible. From then on a cursor in such a
    /// topic may be answered with a gap although nothing was missed, never the other way round. A topic that has got a record after
    /// `through` is known on.
    fn forget(&self, topics: &TopicSet, through: Seq);

    /// Whether the store has a place for a topic. The machine need not remember one that has none: all of it is gone,
    /// and it was forgotten.
    fn knows(&self, topic: &Topic) -> bool;

    /// Writes down what is not urgent, and gives back room on the disk that is taken by what has been let go: called once a second. May
    /// take long; gives up when `go_on` says no.
    fn compact(&self, go_on: &dyn Fn() -> bool);

    /// Whether the store cannot tell by itself what the machine remembers, and it is time to write that down. Asked
    /// after every batch, and once a second.
    fn wants_snapshot(&self) -> bool;

    /// Writes down what the machine remembers after the record `seq`.
    fn snapshot(&self, seq: Seq, state: &[u8]);

    /// Nothing more will be appended: makes all of it safe, and notes that the end was clean.
    fn close(&self);
}

/// What is kept, for many readers at once.
///
/// A read is short, which is what budgets and steps are for. A damaged place is passed over only by [`Reads::scan`], which says so, and
/// where records are looked for or counted; any other read that meets one fails, and says which file is damaged and where.
pub trait Reads: Send + Sync + 'static {
    /// Whether calls, those of [`Store`] too, may wait for a disk: then they are made where a thread may block.
    fn may_block(&self) -> bool;

    /// Reads the records of these topics in `(after, through]`, oldest first, and not many more than `budget` bytes: at least
    /// one if there is one, unless it lies behind a part of the log that is long to look through. Then nothing is read, and
    /// [`Scan::through`] says how far it has looked.
    ///
    /// # Errors
    /// When they cannot be read.
    fn scan(&self, topics: &TopicSet, after: Seq, through: Seq, budget: usize) -> io::Result<Scan>;

    /// Goes back from `through` over at most `count` events of these topics: a step, whose work is bounded however many events
    /// there are. At least one record is passed, or a part of the log that has none; where `count` events have been passed, the
    /// last of them comes right after [`Back::through`].
    ///
    /// # Errors
    /// When they cannot be read.
    fn back(&self, topics: &TopicSet, through: Seq, count: usize) -> io::Result<Back>;

    /// The last event of these topics up to `through`.
    ///
    /// # Errors
    /// When it cannot be read.
    fn last_event(&self, topics: &TopicSet, through: Seq) -> io::Result<Option<Seq>>;

    /// The earliest event of these topics that its publisher gave this id.
    ///
    /// # Errors
    /// When it cannot be read.
    fn find(&self, topics: &TopicSet, id: &EventId) -> io::Result<Option<Seq>>;

    /// What is kept in all.
    fn held(&self) -> Held;

    /// How many damaged places are known: those that were met since the store was opened and whose records are not gone anyway.
    fn damaged(&self) -> usize;
}

/// The first of the last `count` events up to `through`, or of all there are.
///
/// # Errors
/// Those of [`Reads::back`].
pub fn nth_last(
    reads: &(impl Reads + ?Sized),
    topics: &TopicSet,
    count: usize,
    through: Seq,
) -> io::Result<Option<Seq>> {
    let back = |through, count| reads.back(topics, through, count);
    let mut walk = Walk::new(through, count).run(back)?;
    if walk.left > 0 {
        // There are fewer: now it is known how many.
        walk = Walk::new(through, walk.events).run(back)?;
    }
    Ok((walk.events > 0).then(|| walk.through.next()))
}

/// How many events of these topics are kept, up to `through`.
///
/// # Errors
/// Those of [`Reads::back`].
pub fn count(reads: &(impl Reads + ?Sized), topics: &TopicSet, through: Seq) -> io::Result<usize> {
    let back = |through, count| reads.back(topics, through, count);
    Ok(Walk::all(through).run(back)?.events)
}
