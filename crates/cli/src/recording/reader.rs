//! A recording read again, line by line: a long one takes no more memory than a short one.

use std::io::{self, BufRead, Read as _};

use serde::Deserialize;

use super::{
    FORMAT, MAX_LINE,
    head::Head,
    line::{self, Chunk, Ending, Last, Line},
};

/// Why a file cannot be read as a recording.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Fault {
    #[error("cannot read the recording: {0}")]
    Io(#[from] io::Error),
    #[error(
        "this is no recording of Tidewire: its first line is not {{\"recording\":\"tidewire\",…}} ({0}). `tidewire tail URL --save FILE` makes one"
    )]
    NoRecording(String),
    #[error(
        "the recording has format {found}, this tidewire reads {FORMAT}: take the version that wrote it, or record anew"
    )]
    OtherFormat { found: u32 },
    #[error("line {line}: {why}; the recording is damaged from here on")]
    Line { line: u64, why: String },
}

#[derive(Debug)]
pub(crate) struct Reader<R> {
    lines: R,
    /// Of the line that was read last; the first is 1.
    number: u64,
    line: Vec<u8>,
    at: u64,
    chunks: u64,
    bytes: u64,
    last: Option<Last>,
}

/// What of a first line tells which reader it needs.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

impl<R: BufRead> Reader<R> {
    /// Reads the first line.
    pub(crate) fn open(lines: R) -> Result<(Head, Self), Fault> {
        let mut reader = Self {
            lines,
            number: 0,
            line: Vec::new(),
            at: 0,
            chunks: 0,
            bytes: 0,
            last: None,
        };
        if reader.next_line()? == Whole::No {
            return Err(Fault::NoRecording("it has no whole line".into()));
        }
        let no_recording = |error: serde_json::Error| Fault::NoRecording(error.to_string());
        let Version { format } = serde_json::from_slice(&reader.line).map_err(no_recording)?;
        if format != FORMAT {
            return Err(Fault::OtherFormat { found: format });
        }
        let head = serde_json::from_slice(&reader.line).map_err(no_recording)?;
        Ok((head, reader))
    }

    /// The next chunk; none when there are no more: then [`Reader::last`] says how it ended.
    pub(crate) fn next(&mut self) -> Result<Option<Chunk>, Fault> {
        if self.last.is_some() {
            return Ok(None);
        }
        if self.next_line()? == Whole::No {
            self.last = Some(Last {
                at: self.at,
                ending: Ending::Open,
                why: Some("the recording breaks off".into()),
                chunks: self.chunks,
                bytes: self.bytes,
            });
            return Ok(None);
        }
        match line::read(&self.line).map_err(|why| self.fault(why))? {
            Line::Chunk(chunk) => {
                self.goes_on(chunk.at)?;
                self.chunks += 1;
                self.bytes += chunk.bytes.len() as u64;
                Ok(Some(chunk))
            }
            Line::Last(last) => {
                self.goes_on(last.at)?;
                if (last.chunks, last.bytes) != (self.chunks, self.bytes) {
                    let Self { chunks, bytes, .. } = self;
                    let why = format!(
                        "it should follow {} chunks of {} bytes, but {chunks} of {bytes} bytes are there",
                        last.chunks, last.bytes
                    );
                    return Err(self.fault(why));
                }
                if self.next_line()? == Whole::Yes || !self.line.is_empty() {
                    return Err(self.fault("it stands behind the last one".into()));
                }
                self.last = Some(last);
                Ok(None)
            }
        }
    }

    /// How it ended, once there are no more chunks.
    pub(crate) fn last(&self) -> Option<&Last> {
        self.last.as_ref()
    }

    fn goes_on(&mut self, at: u64) -> Result<(), Fault> {
        if at < self.at {
            return Err(self.fault(format!("its time is {at} ms, after {} ms", self.at)));
        }
        self.at = at;
        Ok(())
    }

    fn next_line(&mut self) -> Result<Whole, Fault> {
        self.line.clear();
        self.number += 1;
        let mut limited = self.lines.by_ref().take(MAX_LINE as u64 + 1);
        limited.read_until(b'\n', &mut self.line)?;
        if self.line.pop_if(|last| *last == b'\n').is_some() {
            return Ok(Whole::Yes);
        }
        if self.line.len() > MAX_LINE {
            return Err(self.fault(format!("it has more than {MAX_LINE} bytes")));
        }
        Ok(Whole::No)
    }

    fn fault(&self, why: String) -> Fault {
        let line = self.number;
        Fault::Line { line, why }
    }
}

/// Whether a line has its end.
#[derive(PartialEq, Eq)]
enum Whole {
    Yes,
    No,
}
