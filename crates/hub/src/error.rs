//! Why a hub does not start.

use std::io;

use tidewire_log::{clock::Before1970, recall::RecallError};

use crate::order::JoinError;

/// Why a hub does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A hub needs a runtime: for its tasks, and for reads that wait for a disk.
    #[error("there is no tokio runtime here: start the hub on one")]
    NoRuntime,
    /// The system has no random bits, which name the log's epoch.
    #[error("the system gives no randomness")]
    Randomness(#[from] getrandom::Error),
    /// What the log remembers cannot be told.
    #[error(transparent)]
    Recall(#[from] RecallError),
    /// It cannot follow its order.
    #[error("cannot follow the order of the log")]
    Join(#[from] JoinError),
    /// The clock says a time that no record can have.
    #[error(transparent)]
    Clock(#[from] Before1970),
    /// What the order begins with cannot be written down.
    #[error("the log cannot begin with the order's checkpoint")]
    Checkpoint(#[source] io::Error),
    /// There can be no thread for the log.
    #[error("the system gives no thread to write the log: raise the limit of threads or processes")]
    Thread(#[source] io::Error),
}
