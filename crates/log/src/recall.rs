//! The machine of a log that is opened: from what was written down of it, and the records after that.

use std::io;

use crate::{
    Seq, Settings, Unreadable,
    archive::{History, Store},
    ids::Epochs,
    ledger::Ledgers,
    machine::Machine,
};

/// Why what a log remembers cannot be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecallError {
    /// What was written down of the log's state cannot be read.
    #[error(
        "the snapshot of the log's state cannot be read: remove it, and the state comes from the log alone"
    )]
    Snapshot(#[from] Unreadable),
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Replay(#[from] io::Error),
}

/// The machine as the records of the log have made it.
///
/// # Errors
/// [`RecallError`].
pub fn recall(
    archive: &dyn Store,
    history: History,
    settings: Settings,
    ledgers: Ledgers,
) -> Result<Machine, RecallError> {
    let has_epochs = !history.epochs.is_empty();
    let epochs = Epochs::of_log(history.epochs.clone());
    let machine = Machine::new(epochs, settings, ledgers);
    let (after, mut machine) = match history.snapshot {
        Some((seq, state)) => (seq, machine.restore(seq, &state)?),
        None => (Seq::ZERO, machine),
    };
    if has_epochs {
        // The archive's own list has also those that a snapshot does not know, or that were lost with it. What is replayed has ids of them.
        machine.epochs.set(history.epochs);
    }
    archive.replay(after, &mut |record| machine.replay(record))?;
    machine.go_on_after(history.last, history.time);
    if machine.noted_settings().is_none() {
        // A log of version 1 did not say when a topic was forgotten: a snapshot may be older than that.
        machine.topics.retain(|topic, _| archive.knows(topic));
    }
    Ok(machine)
}
