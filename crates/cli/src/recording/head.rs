//! The first line of a recording: what was asked, and how the answer began.

use serde::{Deserialize, Serialize};

use super::FORMAT;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// Says what the file is.
    recording: Name,
    /// [`FORMAT`].
    pub(super) format: u32,
    /// When the request was sent: milliseconds since 1970.
    pub(crate) time: u64,
    pub(crate) request: Request,
    pub(crate) response: Response,
}

/// A word that a file of another kind does not begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Name {
    Tidewire,
}

/// What was asked, without the request's body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Masked (`crate::secrets`), unless secrets were to be kept.
    pub(crate) url: String,
    pub(crate) headers: Headers,
}

/// How the answer began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Response {
    /// How long the head took, in milliseconds. The times of chunks count from there.
    pub(crate) after: u64,
    pub(crate) version: String,
    pub(crate) status: u16,
    pub(crate) headers: Headers,
}

/// Names and values in their order. No value: it may be a secret, and is left out.
pub(crate) type Headers = Vec<(String, Option<String>)>;

impl Head {
    pub(crate) fn new(time: u64, request: Request, response: Response) -> Self {
        Self {
            recording: Name::Tidewire,
            format: FORMAT,
            time,
            request,
            response,
        }
    }
}
