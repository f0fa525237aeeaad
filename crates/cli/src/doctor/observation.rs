//! What was seen of one response, with its times. Whoever saw it: the doctor's own connection, or a tap.
//!
//! All times count from the moment when the request was sent.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AsHeaderName, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode, Url, Version};
use tidewire_codec::{content_type, protocol};

/// One request, and what came back.
#[derive(Debug, Clone)]
pub(crate) struct Observation {
    pub(crate) method: Method,
    /// Where the response came from: after redirects.
    pub(crate) url: Url,
    /// The `Origin` that the request carried, for what is said about CORS.
    pub(crate) origin: Option<String>,
    /// Where the request was sent on to, in this order.
    pub(crate) redirects: Vec<Redirect>,
    pub(crate) head: Option<Head>,
    /// The body as it came: not unpacked, without HTTP's own chunks.
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) end: End,
}

#[derive(Debug, Clone)]
pub(crate) struct Redirect {
    pub(crate) status: StatusCode,
    pub(crate) from: Url,
    pub(crate) to: Url,
    /// `to` as it may be printed.
    pub(crate) shown: String,
}

/// The head of a response.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) at: Duration,
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
}

#[derive(Debug, Clone)]
pub(crate) struct Chunk {
    pub(crate) at: Duration,
    pub(crate) bytes: Bytes,
}

/// How it ended, or why nobody looks any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// It goes on; we looked until then.
    Open(Duration),
    /// The body is complete.
    Finished(Duration),
    /// The connection broke, or could not be made (then there is no head).
    Cut(Duration, String),
}

impl Observation {
    /// How long it was looked at.
    pub(crate) fn lasted(&self) -> Duration {
        match self.end {
            End::Open(at) | End::Finished(at) | End::Cut(at, _) => at,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.end, End::Open(_))
    }

    pub(crate) fn is_finished(&self) -> bool {
        matches!(self.end, End::Finished(_))
    }

    /// Whether `EventSource` could have sent this request; it comes again by itself.
    pub(crate) fn is_get(&self) -> bool {
        self.method == Method::GET
    }
}

impl Head {
    /// A header as text; what is no ASCII is replaced.
    pub(crate) fn text(&self, name: impl AsHeaderName) -> Option<String> {
        self.headers.get(name).map(lossy)
    }

    /// All values of a header that is a list, in lower case.
    pub(crate) fn list(&self, name: impl AsHeaderName) -> Vec<String> {
        let values = self.headers.get_all(name).iter().map(lossy);
        values
            .flat_map(|value| {
                let items = value.split(',').map(|item| item.trim().to_ascii_lowercase());
                items.collect::<Vec<_>>()
            })
            .filter(|item| !item.is_empty())
            .collect()
    }

    /// The type without its parameters, in lower case; if it is none, as it stands there.
    pub(crate) fn essence(&self) -> Option<String> {
        let lines = self.headers.get_all(CONTENT_TYPE);
        let essence = content_type::essence(lines.iter().map(HeaderValue::as_bytes));
        essence.or_else(|| self.text(CONTENT_TYPE))
    }

    pub(crate) fn is_event_stream(&self) -> bool {
        self.status == StatusCode::OK && self.essence().as_deref() == Some(protocol::EVENT_STREAM)
    }
}

fn lossy(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).trim().to_owned()
}
