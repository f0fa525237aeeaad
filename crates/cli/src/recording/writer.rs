//! A recording being made.
//!
//! Each line goes out as one write, so that a file that breaks off breaks off after a whole line. Bound: `max` bytes of the
//! body; what comes after them is not recorded, and the last line says so.

use std::io::{self, Write};

use super::{
    MAX_PIECE,
    head::Head,
    line::{Ending, Last, write_chunk},
};

/// Whether a chunk is in the recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Taken {
    Yes,
    /// The recording is as large as it may be: neither this chunk nor any later one is in it.
    Full,
}

pub(crate) struct Writer<W> {
    out: W,
    /// The line that is being made.
    line: Vec<u8>,
    max: u64,
    at: u64,
    chunks: u64,
    bytes: u64,
    is_full: bool,
}

impl<W: Write> Writer<W> {
    /// Begins a recording of at most `max` bytes of a body.
    pub(crate) fn begin(out: W, head: &Head, max: u64) -> io::Result<Self> {
        let mut writer = Self {
            out,
            line: Vec::new(),
            max,
            at: 0,
            chunks: 0,
            bytes: 0,
            is_full: false,
        };
        serde_json::to_writer(&mut writer.line, head)?;
        writer.end_line()?;
        Ok(writer)
    }

    /// Writes a chunk that came `at` milliseconds after the head. A clock that went back is taken for one that stood.
    pub(crate) fn chunk(&mut self, at: u64, bytes: &[u8]) -> io::Result<Taken> {
        self.is_full |= self.bytes + bytes.len() as u64 > self.max;
        if self.is_full {
            return Ok(Taken::Full);
        }
        self.at = self.at.max(at);
        for piece in bytes.chunks(MAX_PIECE) {
            write_chunk(&mut self.line, self.at, piece)?;
            self.end_line()?;
            self.chunks += 1;
            self.bytes += piece.len() as u64;
        }
        Ok(Taken::Yes)
    }

    /// Writes how it ended. What is not whole because it was too large has not ended for its readers.
    pub(crate) fn finish(mut self, at: u64, ending: Ending, why: Option<String>) -> io::Result<W> {
        let (ending, why) = match self.is_full {
            true => {
                let why = format!("a recording holds at most {} bytes of a body", self.max);
                (Ending::Open, Some(why))
            }
            false => (ending, why),
        };
        let last = Last {
            at: self.at.max(at),
            ending,
            why,
            chunks: self.chunks,
            bytes: self.bytes,
        };
        serde_json::to_writer(&mut self.line, &last)?;
        self.end_line()?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn end_line(&mut self) -> io::Result<()> {
        self.line.push(b'\n');
        self.out.write_all(&self.line)?;
        self.line.clear();
        Ok(())
    }
}
