//! A recording: one answer of a server as it came, byte for byte and with its times, as lines of JSON.
//!
//! The format is the same for `tidewire inspect`, `tidewire tail --save` and `tidewire replay`; `docs/recording.md`
//! describes it. Lines in, lines out: nothing here opens a file or reads a clock.
//!
//! | open | for |
//! |---|---|
//! | [`head`] | the first line: what was asked, and how the answer began |
//! | [`line`](mod@line) | the lines after it: a chunk each, and how it ended |
//! | [`writer`] | a recording being made, within a bound |
//! | [`reader`] | a recording read again, line by line |
//!
//! Invariants: the chunks' bytes, one after another, are the body's first bytes, exactly; times never go back; what
//! was written is read again as the same. A recording that breaks off is good up to its last whole line.

mod head;
mod line;
mod reader;
mod writer;

pub(crate) use head::{Head, Headers, Request, Response};
pub(crate) use line::{Chunk, Ending};
pub(crate) use reader::{Fault, Reader};
pub(crate) use writer::{Taken, Writer};

/// The version of the format that is written; others are not read.
const FORMAT: u32 = 1;

/// The most bytes of a chunk that one line holds. What came in a larger one stands in several lines of the same time.
const MAX_PIECE: usize = 1 << 20;

/// The most bytes of a line. A byte of text takes six at most, as an escape (`\u0000`).
const MAX_LINE: usize = 6 * MAX_PIECE + (256 << 10);

#[cfg(test)]
mod tests;
