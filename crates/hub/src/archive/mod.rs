//! What is kept for replay, behind one trait.
//!
//! An archive keeps records in order, answers reads, and lets the oldest go when its retention says
//! so. It gives no order (the sequencer does) and knows no readers.

mod memory;
pub mod segments;

use std::sync::Arc;

use tidewire_codec::EventId;

use crate::{Floors, Millis, Record, Seq, Topic, TopicSet, stats::Held};

pub use memory::{Memory, Retention};

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

/// Where records are kept. Calls come from many readers and one writer at once.
///
/// Reads are called on the readers' tasks: they must be short, which is what the budget is for.
pub trait Archive: Send + Sync + 'static {
    /// Keeps a batch, in order. When this returns, the batch is as durable as this archive promises.
    /// Nothing is let go here: what no reader could see yet must not be missing.
    fn append(&self, batch: &[Arc<Record>]);

    /// Reads the records of these topics in `(after, through]`, oldest first: at least one if there
    /// is one, and not many more than `budget` bytes.
    fn scan(&self, topics: &TopicSet, after: Seq, through: Seq, budget: usize) -> Scan;

    /// The first of the last `count` events up to `through`, or of all there are.
    fn nth_last(&self, topics: &TopicSet, count: usize, through: Seq) -> Option<Seq>;

    /// How many events of these topics are kept, up to `through`.
    fn count(&self, topics: &TopicSet, through: Seq) -> usize;

    /// The earliest event of these topics that its publisher gave this id.
    fn find(&self, topics: &TopicSet, id: &EventId) -> Option<Seq>;

    /// Lets go what retention no longer keeps at this time: called when a batch has become visible,
    /// and once a second.
    fn trim(&self, now: Millis);

    /// Lets go all of these topics up to `through`: called when the purge has become visible. An event that
    /// was published to other topics as well stays for them. Returns how many events there were.
    fn purge(&self, topics: &TopicSet, through: Seq) -> usize;

    /// What is kept in all.
    fn held(&self) -> Held;

    /// Forgets topics of which nothing is kept, and names them. From then on a cursor in such a topic
    /// may be answered with a gap although nothing was missed, never the other way round.
    fn forget_idle(&self) -> Vec<Topic>;
}
