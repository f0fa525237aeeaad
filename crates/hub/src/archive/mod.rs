//! What is kept for replay, behind one trait.
//!
//! An archive keeps records in order, answers reads, and lets the oldest go when its retention says
//! so. It gives no order (the sequencer does) and knows no readers.
//!
//! An archive that outlives the process also tells the hub what there was, and keeps what the machine remembers: a
//! snapshot now and then, and the records after it.

mod memory;
mod ruled;
pub mod rules;
pub mod segments;
mod shares;
pub(crate) mod shortage;

use std::{io, sync::Arc};

use tidewire_codec::EventId;
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::{Epoch, Floors, Millis, Record, Seq, Topic, TopicSet, stats::Held};

pub use memory::{Memory, Retention};
pub use rules::{Rule, Rules};

/// Records read from an archive.
#[derive(Debug)]
pub struct Scan {
    /// In order, each once.
    pub records: Vec<Arc<Record>>,
    /// Everything of these topics up to here has been read.
    pub through: Seq,
    /// What is gone of each topic: a reader whose cursor is before one of them has missed an event.
    pub floors: Floors,
}

/// What there was when an archive was opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// The histories that the log has had, oldest first, each with its first number; the last goes on. None: the log
    /// is new.
    pub epochs: Vec<(Epoch, Seq)>,
    /// The last record that was appended, whether it is still kept or not.
    pub last: Seq,
    /// Its time.
    pub time: Millis,
    /// What the machine remembered after a record, as [`Archive::snapshot`] was given it.
    pub snapshot: Option<(Seq, Vec<u8>)>,
}

/// Why a batch could not be kept. Nothing of it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
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
    /// What is kept can no longer be trusted to last: nothing is appended until the archive is opened anew.
    #[error("{0}")]
    Poisoned(String),
}

/// Where records are kept. Calls come from many readers and one writer at once.
///
/// Reads are called on the readers' tasks: they must be short, which is what the budget is for. A read that fails says which file
/// is damaged and where; nothing is passed over.
pub trait Archive: Send + Sync + 'static {
    /// What there was when the archive was opened. Asked once, before anything is appended.
    fn history(&self) -> History;

    /// Calls `each` with the records after `after` that are kept, in order: what the machine is told after its
    /// snapshot.
    ///
    /// # Errors
    /// When they cannot be read.
    fn replay(&self, after: Seq, each: &mut dyn FnMut(&Record)) -> io::Result<()>;

    /// Whether calls may wait for a disk: then they are made where a thread may block.
    fn waits(&self) -> bool {
        false
    }

    /// Keeps a batch, in order. When this returns, the batch is as durable as this archive promises.
    /// Nothing is let go here: what no reader could see yet must not be missing.
    ///
    /// # Errors
    /// [`AppendError`]: nothing of the batch is kept, and its numbers are not used again.
    fn append(&self, batch: &[Arc<Record>]) -> Result<(), AppendError>;

    /// Reads the records of these topics in `(after, through]`, oldest first: at least one if there
    /// is one, and not many more than `budget` bytes.
    fn scan(&self, topics: &TopicSet, after: Seq, through: Seq, budget: usize) -> io::Result<Scan>;

    /// The first of the last `count` events up to `through`, or of all there are.
    fn nth_last(&self, topics: &TopicSet, count: usize, through: Seq) -> io::Result<Option<Seq>>;

    /// How many events of these topics are kept, up to `through`.
    fn count(&self, topics: &TopicSet, through: Seq) -> io::Result<usize>;

    /// The earliest event of these topics that its publisher gave this id.
    fn find(&self, topics: &TopicSet, id: &EventId) -> io::Result<Option<Seq>>;

    /// Lets go what retention no longer keeps at this time: called when a batch has become visible,
    /// and once a second.
    fn trim(&self, now: Millis);

    /// Lets go what the rules for single topics no longer keep at this time: called once a second, when all that was
    /// appended is visible.
    fn trim_topics(&self, now: Millis) {
        let _ = now;
    }

    /// Lets go all of these topics up to `through`: called when the purge has become visible. An event that
    /// was published to other topics as well stays for them. Returns how many events there were.
    fn purge(&self, topics: &TopicSet, through: Seq) -> io::Result<usize>;

    /// What is kept in all.
    fn held(&self) -> Held;

    /// Forgets topics of which nothing is kept, and names them. From then on a cursor in such a topic
    /// may be answered with a gap although nothing was missed, never the other way round.
    fn forget_idle(&self) -> Vec<Topic>;

    /// Whether the archive has a place for a topic. The machine need not remember one that has none: all of it is gone,
    /// and it was forgotten.
    fn knows(&self, topic: &Topic) -> bool {
        let _ = topic;
        true
    }

    /// Gives back room on the disk that is taken by what has been let go. May take long, beside all other calls, one at a
    /// time; gives up when `go_on` says no.
    fn compact(&self, go_on: &dyn Fn() -> bool) {
        let _ = go_on;
    }

    /// Whether it is time to write down what the machine remembers. Asked after every batch, and once a second.
    fn wants_snapshot(&self) -> bool {
        false
    }

    /// Writes down what the machine remembers after the record `seq`.
    fn snapshot(&self, seq: Seq, state: &[u8]) {
        let _ = (seq, state);
    }

    /// Nothing more will be appended: makes all of it safe, and notes that the end was clean. Not called when an
    /// append has failed for good.
    fn close(&self) {}
}

impl dyn Archive {
    /// Reads where the thread may block, if the archive waits for a disk and the runtime has other threads.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Self) -> T) -> T {
        let has_threads = || Handle::try_current().map(|runtime| runtime.runtime_flavor());
        match self.waits() && matches!(has_threads(), Ok(RuntimeFlavor::MultiThread)) {
            true => tokio::task::block_in_place(|| read(self)),
            false => read(self),
        }
    }
}
