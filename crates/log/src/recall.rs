//! The machine of a log that is opened: from what was written down of it, and the records after that.

use std::io;

use crate::{
    Millis, Seq, Unreadable,
    archive::{Archive, History},
    ids::Epochs,
    machine::{self, Machine},
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
    archive: &dyn Archive,
    history: History,
    epochs: Epochs,
    bounds: machine::Bounds,
    expiry: Millis,
) -> Result<Machine, RecallError> {
    let (after, mut machine) = match history.snapshot {
        Some((seq, state)) => (seq, Machine::restore(seq, &state, epochs, bounds)?),
        None => (Seq::ZERO, Machine::new(epochs, bounds)),
    };
    machine.dedup.expire_by(expiry);
    archive.replay(after, &mut |record| machine.replay(record))?;
    machine.go_on_after(history.last, history.time);
    // A snapshot may be older than the moment when a topic was forgotten: nobody would make the machine forget it again.
    machine.topics.retain(|topic, _| archive.knows(topic));
    Ok(machine)
}
