//! The lines after the first: a chunk each, and how it ended.

use std::borrow::Cow;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};

/// Bytes that came together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// Milliseconds since the head.
    pub(crate) at: u64,
    pub(crate) bytes: Vec<u8>,
}

/// How a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ending {
    /// The server finished it.
    End,
    /// The connection broke.
    Cut,
    /// Nothing came any more, and who recorded it stopped waiting.
    Stalled,
    /// It had not ended: the recording did.
    Open,
}

/// The last line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Last {
    /// Milliseconds since the head.
    pub(crate) at: u64,
    pub(crate) ending: Ending,
    /// In words, for people.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) why: Option<String>,
    /// How many lines with chunks come before this one, and how many bytes they hold.
    pub(crate) chunks: u64,
    pub(crate) bytes: u64,
}

/// A chunk as it stands in a line: as text where it is text.
#[derive(Serialize)]
struct Written<'a> {
    at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

/// Any line after the first, before it is known which.
#[derive(Deserialize)]
struct Read<'a> {
    at: u64,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    base64: Option<Cow<'a, str>>,
    ending: Option<Ending>,
    why: Option<String>,
    chunks: Option<u64>,
    bytes: Option<u64>,
}

/// A line after the first.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Chunk(Chunk),
    Last(Last),
}

/// The line of a chunk, without its line end.
pub(super) fn write_chunk(out: &mut Vec<u8>, at: u64, bytes: &[u8]) -> serde_json::Result<()> {
    let text = std::str::from_utf8(bytes).ok();
    let base64 = text.is_none().then(|| BASE64_STANDARD.encode(bytes));
    serde_json::to_writer(out, &Written { at, text, base64 })
}

/// Reads a line, or says what is wrong with it.
pub(super) fn read(line: &[u8]) -> Result<Line, String> {
    let read: Read<'_> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let chunk = |bytes| Line::Chunk(Chunk { at: read.at, bytes });
    match (read.text, read.base64, read.ending) {
        (Some(text), None, None) => Ok(chunk(text.into_owned().into_bytes())),
        (None, Some(packed), None) => {
            let bytes = BASE64_STANDARD.decode(packed.as_bytes());
            bytes.map(chunk).map_err(|error| format!("`base64`: {error}"))
        }
        (None, None, Some(ending)) => {
            let (Some(chunks), Some(bytes)) = (read.chunks, read.bytes) else {
                return Err("the last line needs `chunks` and `bytes`".into());
            };
            Ok(Line::Last(Last {
                at: read.at,
                ending,
                why: read.why,
                chunks,
                bytes,
            }))
        }
        _ => Err("a line has one of `text`, `base64` and `ending`".into()),
    }
}
