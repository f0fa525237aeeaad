//! How much of a stream a reader is ready to hold, and what it is told when a stream wants more.
//!
//! Sizes are bytes of the decoded text, so U+FFFD for a broken byte counts three.

use std::fmt;

/// Bounds of a [`Decoder`](crate::Decoder). An event over one of them is skipped and reported as an
/// [`Overlong`]; reading goes on at the next event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A line, without its line end. Default: 16 MiB.
    pub max_line: usize,
    /// The data of an event, its lines joined, together with its name. Default: 16 MiB.
    pub max_event: usize,
    /// An event id. It must fit into a `Last-Event-ID` header one day. Default: 4 KiB.
    pub max_id: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_line: 16 << 20,
            max_event: 16 << 20,
            max_id: 4 << 10,
        }
    }
}

impl Limits {
    pub(crate) fn of(&self, limit: Limit) -> usize {
        match limit {
            Limit::Line => self.max_line,
            Limit::Event => self.max_event,
            Limit::Id => self.max_id,
        }
    }
}

/// Which of the [`Limits`] was hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// [`Limits::max_line`].
    Line,
    /// [`Limits::max_event`].
    Event,
    /// [`Limits::max_id`].
    Id,
}

/// An event was over a limit. It is skipped whole, up to its blank line, and its id is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlong {
    /// Which limit.
    pub limit: Limit,
    /// Its value in bytes.
    pub max: usize,
}

impl fmt::Display for Overlong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, setting) = match self.limit {
            Limit::Line => ("a line", "max_line"),
            Limit::Event => ("its data and name", "max_event"),
            Limit::Id => ("its id", "max_id"),
        };
        let max = self.max;
        write!(
            f,
            "an event was skipped: {what} took more than {max} bytes (raise `{setting}` to read it)"
        )
    }
}

impl std::error::Error for Overlong {}
