//! A chunk as text, line by line.
//!
//! Text is validated in one go, as much of the chunk as there is; lines are then slices of it.
//! What the end of a chunk may cut (a character, CRLF, the byte order mark) is kept in the [`Seam`].

use memchr::memchr2;

use super::utf8::{self, Carry};

const BOM: char = '\u{FEFF}';

/// What must be known of the bytes so far to read the next chunk as text.
#[derive(Debug)]
pub(super) struct Seam {
    /// Nothing but a part of a byte order mark has come yet.
    at_start: bool,
    /// The text ended with CR: an LF that comes next belongs to it.
    after_cr: bool,
    carry: Carry,
}

impl Default for Seam {
    fn default() -> Self {
        Self {
            at_start: true,
            after_cr: false,
            carry: Carry::default(),
        }
    }
}

impl Seam {
    /// Whether no character is cut where the next chunk begins.
    #[inline]
    pub(super) fn is_whole(&self) -> bool {
        self.carry.is_empty()
    }

    /// At the end of the stream: what an unfinished character becomes.
    pub(super) fn flush(&mut self) -> Option<char> {
        let cut = !self.carry.is_empty();
        *self = Self::default();
        cut.then_some(char::REPLACEMENT_CHARACTER)
    }

    /// Passes a character on, unless it is the byte order mark.
    fn pass<'i>(&mut self, character: char) -> Option<Piece<'i>> {
        self.after_cr = false;
        let dropped = std::mem::take(&mut self.at_start) && character == BOM;
        (!dropped).then_some(Piece::Character(character))
    }
}

/// A chunk that is being read.
#[derive(Debug)]
pub(super) struct Chunk<'i> {
    /// The part of it that is text already.
    text: &'i str,
    /// How far `text` has been read.
    at: usize,
    /// An invalid sequence stood behind `text`.
    broken: bool,
    /// The bytes behind that.
    rest: &'i [u8],
}

/// What comes next in a chunk.
#[derive(Clone, Copy)]
pub(super) enum Piece<'i> {
    /// Text up to a line end: a line, or the end of one that began before.
    Line(&'i str),
    /// Text without a line end; not empty.
    Part(&'i str),
    /// A part that does not stand in the chunk as it is; never a line end.
    Character(char),
    /// The chunk is used up.
    End,
}

impl<'i> Chunk<'i> {
    pub(super) fn new(bytes: &'i [u8]) -> Self {
        Self {
            text: "",
            at: 0,
            broken: false,
            rest: bytes,
        }
    }

    #[inline]
    pub(super) fn next(&mut self, seam: &mut Seam) -> Piece<'i> {
        loop {
            let bytes = &self.text.as_bytes()[self.at..];
            match bytes.first() {
                // The blank line after nearly every `data` line: no search is started for it.
                Some(b'\n') => {
                    self.at += 1;
                    return Piece::Line("");
                }
                Some(_) => {
                    let start = self.at;
                    let Some(len) = memchr2(b'\n', b'\r', bytes) else {
                        self.at = self.text.len();
                        return Piece::Part(&self.text[start..]);
                    };
                    let end_len = if bytes[len..].starts_with(b"\r\n") { 2 } else { 1 };
                    self.at += len + end_len;
                    return Piece::Line(&self.text[start..start + len]);
                }
                None => {
                    if let Some(piece) = self.refill(seam) {
                        return piece;
                    }
                }
            }
        }
    }

    /// Makes text of what follows, or hands out what is no text of the chunk.
    #[inline(never)]
    fn refill(&mut self, seam: &mut Seam) -> Option<Piece<'i>> {
        if std::mem::take(&mut self.broken) {
            return seam.pass(char::REPLACEMENT_CHARACTER);
        }
        if self.rest.is_empty() {
            return Some(Piece::End);
        }
        if !seam.carry.is_empty() {
            let character = seam.carry.complete(&mut self.rest)?;
            return seam.pass(character);
        }
        let taken = utf8::take(self.rest);
        seam.carry = taken.carry;
        self.rest = taken.rest;
        self.broken = taken.broken;
        self.text = taken.text;
        self.at = 0;
        if !self.text.is_empty() {
            if std::mem::take(&mut seam.at_start) {
                self.text = self.text.strip_prefix(BOM).unwrap_or(self.text);
            }
            if seam.after_cr && self.text.starts_with('\n') {
                self.at = 1;
            }
            seam.after_cr = self.text.ends_with('\r');
        }
        None
    }
}
