//! What doors must agree on with themselves, on other nodes and after restarts: claims, stops, notes.
//!
//! A door proposes facts ([`crate::Entry::Fact`]) and owns a [`Ledger`], which the machine gives them in the order of the log. What
//! a ledger says to a fact goes back to its proposer. Facts live in the machine's snapshots; retention does not touch them.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::{Millis, Seq, Unreadable};

/// The number of a door, which never changes. They stand in one list, here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Door(pub u8);

impl Door {
    /// The relay.
    pub const RELAY: Self = Self(1);
    /// Grants and their revocations.
    pub const GRANTS: Self = Self(2);
}

/// What a ledger makes of a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it changes anything. If not, the log does not keep it.
    pub is_taken: bool,
    /// What the proposer is told. Only its door reads it.
    pub answer: Box<[u8]>,
}

/// The book of one door. Pure: it reads no clock and draws nothing at random, so that the same facts make the same book everywhere.
pub trait Ledger: Send + Sync + 'static {
    /// A batch begins: what was applied until now is not taken back any more.
    fn begin(&mut self);

    /// Takes a fact, which stands at this place.
    fn apply(&mut self, seq: Seq, time: Millis, data: &[u8]) -> Verdict;

    /// Takes back what was applied since [`Ledger::begin`].
    fn undo(&mut self);

    /// All of it as bytes; the same for the same book.
    fn snapshot(&self) -> Vec<u8>;

    /// Becomes what these bytes say.
    ///
    /// # Errors
    /// [`Unreadable`]. Then it is as it was.
    fn restore(&mut self, snapshot: &[u8]) -> Result<(), Unreadable>;
}

/// A door keeps one handle, the machine another.
impl<L: Ledger> Ledger for Arc<Mutex<L>> {
    fn begin(&mut self) {
        self.lock().begin();
    }
    fn apply(&mut self, seq: Seq, time: Millis, data: &[u8]) -> Verdict {
        self.lock().apply(seq, time, data)
    }
    fn undo(&mut self) {
        self.lock().undo();
    }
    fn snapshot(&self) -> Vec<u8> {
        self.lock().snapshot()
    }
    fn restore(&mut self, snapshot: &[u8]) -> Result<(), Unreadable> {
        self.lock().restore(snapshot)
    }
}

/// The ledgers of a log, by door.
pub type Ledgers = BTreeMap<Door, Box<dyn Ledger>>;

/// The book of a door that is not there: what it had, and what has come since. The door gets both when it is there again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Absent {
    /// As its ledger wrote it.
    pub(crate) snapshot: Option<Vec<u8>>,
    /// The facts after that.
    pub(crate) facts: Vec<(u64, Millis, Box<[u8]>)>,
    /// How many of them are of the batches before.
    #[serde(skip)]
    before: usize,
}

impl Absent {
    pub(crate) fn of(snapshot: Option<Vec<u8>>, facts: Vec<(u64, Millis, Box<[u8]>)>) -> Self {
        Self {
            snapshot,
            facts,
            before: 0,
        }
    }

    pub(crate) fn begin(&mut self) {
        self.before = self.facts.len();
    }

    /// Every fact is taken: whether it changes anything cannot be told here.
    pub(crate) fn apply(&mut self, seq: Seq, time: Millis, data: &[u8]) -> Verdict {
        self.facts.push((seq.0, time, data.into()));
        Verdict {
            is_taken: true,
            answer: Box::default(),
        }
    }

    /// Whether anything is left.
    pub(crate) fn undo(&mut self) -> bool {
        self.facts.truncate(self.before);
        self.snapshot.is_some() || !self.facts.is_empty()
    }
}
