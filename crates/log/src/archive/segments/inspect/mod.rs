//! Looking at a log without changing one byte of it, and carrying one elsewhere.
//!
//! | open | for |
//! |---|---|
//! | `overlay` | a disk whose changes stay in memory |
//! | `read` | [`ReadOnly`]: a log as its readers would see it after a start |
//! | `salvage` | what is good of a log that is damaged |
//! | `info` | [`info`]: what there is, in figures |
//! | `verify`, `walk`, `beside` | [`verify`]: everything read and compared |
//! | `export`, `import` | a log as its parts, and a log made of them |
//!
//! All of it works while a server writes to the log, on media that cannot be written, and on what a crash has left. What is
//! good at the moment of looking counts. Only [`Import`] writes, into a folder of its own.

mod beside;
mod export;
mod import;
mod info;
mod overlay;
mod read;
mod salvage;
mod verify;
mod walk;

use std::io;

pub use crate::{
    Settings,
    machine::{Origin, Reached},
};
pub use export::{Head, KnownBook, KnownKey, KnownTopic, Memory};
pub use import::{Import, ImportError};
pub use info::{IndexState, Info, SegmentInfo, SnapshotInfo, TopicInfo, info};
pub use read::{Dumped, ReadOnly};
pub use salvage::Loss;
pub use verify::{Finding, Gravity, Verified, bytes_to_verify, verify};

use super::{OpenError, disk::Disk, format::LogId, meta::Meta, segment::bases};
use crate::recall::RecallError;

/// The format of logs that this release reads and writes.
pub const FORMAT: u32 = super::format::VERSION;

/// Why a log cannot be looked at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LookError {
    /// There is none.
    #[error("there is no log: no file `meta`, and no segments")]
    NoLog,
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// What it remembers cannot be read.
    #[error(transparent)]
    Recall(#[from] RecallError),
    /// A file cannot be read, or is damaged.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl LookError {
    /// Whether what was safe is damaged. Otherwise it could not be read at all.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        let is_invalid = |error: &io::Error| error.kind() == io::ErrorKind::InvalidData;
        match self {
            Self::NoLog => false,
            Self::Open(OpenError::Damaged(_)) | Self::Recall(RecallError::Snapshot(_)) => true,
            Self::Open(OpenError::Io(error)) | Self::Recall(RecallError::Replay(error)) | Self::Io(error) => {
                is_invalid(error)
            }
            Self::Open(_) => false,
        }
    }
}

/// Whether there is no log at all on this disk.
fn is_nothing(disk: &dyn Disk) -> io::Result<bool> {
    if disk.list("")?.iter().any(|name| name == "meta") {
        return Ok(false);
    }
    match bases(disk) {
        Ok(bases) => Ok(bases.is_empty()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// The `meta` of a log; what is wrong with it is an error of the kind `InvalidData`.
fn meta(disk: &dyn Disk) -> Result<Meta, LookError> {
    if is_nothing(disk)? {
        return Err(LookError::NoLog);
    }
    let missing = || {
        let text = "meta: it is missing, and nothing else says whose the segments are";
        io::Error::new(io::ErrorKind::InvalidData, text)
    };
    Ok(Meta::load(disk)?.ok_or_else(missing)?)
}

/// A log's id as people see it.
fn hex(log: &LogId) -> String {
    format!("{:032x}", u128::from_be_bytes(*log))
}
