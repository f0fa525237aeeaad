//! A line that comes in pieces: its beginning, until its end is there.
//!
//! The value of a `data` line goes to the block's data at once, piece by piece; other lines are kept
//! here until they are whole. Limits are checked with every piece, so neither grows beyond them.

use super::block::{Block, Buffers};
use crate::{Limit, Limits};

/// A line that is longer than this gives its buffer back.
const KEPT_CAPACITY: usize = 64 << 10;

/// The line whose end has not come yet.
#[derive(Debug, Default)]
pub(super) struct Tail {
    pub(super) state: State,
    /// The line so far, if it is [`State::Kept`].
    pub(super) kept: String,
    /// Bytes of the line so far, whether kept or not.
    len: usize,
}

/// What is known of that line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum State {
    /// There is none: the next byte begins a line.
    #[default]
    None,
    /// It is kept.
    Kept,
    /// It is a `data` line, and its value is with the block.
    Data {
        /// The next byte is the first after the colon: a space there is not part of the value.
        after_colon: bool,
    },
    /// Nobody asks for it: its bytes are only counted.
    Dropped,
}

impl Tail {
    #[inline]
    pub(super) fn is_none(&self) -> bool {
        self.state == State::None
    }

    /// Whether what comes next is part of a `data` line's value, whatever it is.
    #[inline]
    pub(super) fn in_data(&self) -> bool {
        self.state == State::Data { after_colon: false }
    }

    /// Begins a line; `dropped` if nobody asks for it.
    pub(super) fn begin(&mut self, dropped: bool) {
        self.state = if dropped { State::Dropped } else { State::Kept };
        self.len = 0;
        self.kept.clear();
    }

    /// Adds a piece to the line.
    pub(super) fn append(
        &mut self,
        mut piece: &str,
        block: &mut Block<'_>,
        buffers: &mut Buffers,
        limits: &Limits,
    ) -> Result<(), Limit> {
        if self.state == State::Kept
            && let Some(value) = self.data_value(piece)
        {
            self.state = State::Data { after_colon: true };
            self.len = "data:".len();
            block.join_data(buffers);
            piece = value;
        }
        if self.state == (State::Data { after_colon: true }) && !piece.is_empty() {
            self.state = State::Data { after_colon: false };
            if let Some(value) = piece.strip_prefix(' ') {
                self.len += 1;
                piece = value;
            }
        }
        let line_room = limits.max_line.checked_sub(self.len).ok_or(Limit::Line)?;
        let buffer = match self.state {
            State::Data { .. } => {
                let event_room = limits.max_event.saturating_sub(block.len(buffers));
                if event_room < line_room && piece.len() > event_room {
                    return Err(Limit::Event);
                }
                Some(&mut buffers.data)
            }
            State::Kept => Some(&mut self.kept),
            State::Dropped | State::None => None,
        };
        if piece.len() > line_room {
            return Err(Limit::Line);
        }
        self.len += piece.len();
        if let Some(buffer) = buffer {
            buffer.push_str(piece);
        }
        Ok(())
    }

    /// The short way for a long `data` line in short chunks: takes a chunk that is nothing but more of
    /// it, and whole characters; or does nothing.
    #[inline(never)]
    pub(super) fn append_plain(&mut self, chunk: &[u8], buffers: &mut Buffers, limits: &Limits) -> bool {
        let line_room = limits.max_line.saturating_sub(self.len);
        let event_room = limits.max_event.saturating_sub(buffers.event_len());
        if chunk.len() > line_room.min(event_room) || has_line_end(chunk) {
            return false;
        }
        let Ok(text) = simdutf8::basic::from_utf8(chunk) else {
            return false;
        };
        self.len += text.len();
        buffers.data.push_str(text);
        true
    }

    /// What follows the colon in `piece`, if the piece completes the field name `data`.
    fn data_value<'p>(&self, piece: &'p str) -> Option<&'p str> {
        let missing = "data:".strip_prefix(self.kept.as_str())?;
        piece.strip_prefix(missing)
    }

    /// Gives back what a long line needed.
    pub(super) fn release(&mut self) {
        if self.state != State::Kept && self.kept.capacity() > KEPT_CAPACITY {
            self.kept = String::new();
        }
    }
}

/// [`memchr::memchr2`] without what it costs to begin, which counts for a short chunk.
#[inline]
fn has_line_end(bytes: &[u8]) -> bool {
    // The XOR with a line end is 0 for that only; a minimum is what compilers vectorise.
    let any = |bytes: &[u8]| {
        let low = |low: u8, &byte: &u8| low.min(byte ^ b'\n').min(byte ^ b'\r');
        bytes.iter().fold(u8::MAX, low) == 0
    };
    let (blocks, rest) = bytes.as_chunks::<64>();
    blocks.iter().any(|block| any(block)) || any(rest)
}
