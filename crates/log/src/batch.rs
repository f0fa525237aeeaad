//! What a log makes of a batch: every node that applies it gives the same numbers and refuses the same entries.

use std::sync::Arc;

use crate::{Entry, Error, Receipt, Record, Seq, machine::Applied};

/// An entry of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposed {
    /// What is proposed.
    pub entry: Entry,
    /// The append session that it belongs to, counted within the batch from 1; 0 is none. The first entry of a session that is
    /// refused refuses the rest of it: a rule that depends on nothing but the batch.
    pub session: u16,
}

/// The records and answers of a batch.
#[derive(Debug)]
pub struct Made {
    /// In order.
    pub records: Vec<Arc<Record>>,
    /// The answer to each entry.
    pub outcomes: Vec<Result<Receipt, Error>>,
}

/// Applies entries from the number `first` on, and then the `note` that says which batch it was. `apply` is the
/// [machine](crate::machine::Machine::apply) that the entries have their numbers of.
pub fn apply(
    first: Seq,
    entries: Vec<Proposed>,
    note: Option<Entry>,
    mut apply: impl FnMut(Seq, Entry) -> Result<Applied, Error>,
) -> Made {
    let mut next = first;
    let mut records = Vec::with_capacity(entries.len() + 1);
    let mut broken: Vec<u16> = Vec::new();
    let mut apply = |entry: Entry| {
        apply(next, entry).map(|applied| match applied {
            Applied::Record(record, receipt) => {
                next = record.through().next();
                records.push(Arc::new(record));
                receipt
            }
            Applied::Answered(receipt) => {
                // A fact that its ledger has no use for: a node without the door keeps it under this number.
                next = next.max(receipt.seq.next());
                receipt
            }
        })
    };
    let mut outcomes = Vec::with_capacity(entries.len());
    for Proposed { entry, session } in entries {
        let outcome = match session != 0 && broken.contains(&session) {
            true => Err(Error::SessionBroken),
            false => apply(entry),
        };
        if session != 0 && outcome.is_err() {
            broken.push(session);
        }
        outcomes.push(outcome);
    }
    if let Some(note) = note {
        drop(apply(note));
    }
    Made { records, outcomes }
}
