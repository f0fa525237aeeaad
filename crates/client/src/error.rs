//! What can go wrong, and what to do about it.
//!
//! An [`Error`] is an item of the stream: most end it, some tell of one event that is not there and the stream
//! goes on ([`Error::is_final`]). A [`Cause`] ends an attempt, not the stream: it comes with
//! [`Item::Reconnecting`](crate::Item::Reconnecting), and in the end inside [`Error::GaveUp`].

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use tidewire_codec::{Message, Overlong};
use url::Url;

use crate::item::Gap;

/// An error of a transport, or of a function of the caller's.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a stream ended, or which event of it cannot be shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The request cannot be made: correct what the text names. Final.
    #[error("the request cannot be made: {what}")]
    Request {
        /// What is wrong.
        what: String,
        /// The error below, if there is one.
        source: Option<BoxError>,
    },

    /// The server refuses, with a status that is not worth another attempt. Its answer says why. Final.
    #[error("the server refuses: {0}")]
    Status(Box<Refusal>),

    /// The answer is no event stream: is it the right URL? The answer's first bytes show what it is. Final.
    #[error("the answer is no event stream (Content-Type {found}): {0}", found = content_type(.0))]
    ContentType(Box<Refusal>),

    /// The body is packed in a way that was not asked for: take the encoding off at the server. Final.
    #[error("the stream is packed as {encoding:?}, which nobody asked for")]
    Encoding {
        /// The `Content-Encoding`.
        encoding: String,
    },

    /// A redirect leads nowhere: mend the server's `Location`. Final.
    #[error("the redirect {} from {} leads nowhere: {reason}", .status.as_u16(), Shown(.from))]
    Redirect {
        /// The answer's status.
        status: StatusCode,
        /// Who answered it.
        from: Box<Url>,
        /// What is wrong.
        reason: &'static str,
    },

    /// Redirects in a circle, or more than `max_redirects`. Final.
    #[error("more than {max} redirects, the last one from {}", Shown(.at))]
    TooManyRedirects {
        /// The limit.
        max: u32,
        /// Who answered with one too many.
        at: Box<Url>,
    },

    /// The last event id cannot be sent, so the next stream would not begin where this one broke. Final.
    #[error("the last event id {id:?} holds a control character, which no header can carry")]
    LastEventId {
        /// The id.
        id: String,
    },

    /// As many attempts as the policy allows were in vain. Final.
    #[error("gave up after {attempts} attempts in a row")]
    GaveUp {
        /// How many.
        attempts: u32,
        /// How the last one ended.
        #[source]
        cause: Cause,
    },

    /// The server opens streams that hold nothing and end at once. Final. If this is how it means to be
    /// polled, raise or unset `Retry::max_fruitless`.
    #[error("{answers} streams in a row opened, held nothing and ended at once")]
    Fruitless {
        /// How many.
        answers: u32,
    },

    /// No answer came, or its stream broke, and its request is one that may do something twice if it is sent again. Final.
    /// If it may be repeated, say so with `Repeat::Always`.
    #[error("the connection broke, and its {method} is not sent again unless the caller allows it")]
    NotRepeatable {
        /// The request's method.
        method: http::Method,
        /// How it broke.
        #[source]
        cause: Cause,
    },

    /// The server no longer has some events that belong here. The stream goes on behind them.
    /// (A source shows this as [`Item::Gap`](crate::Item::Gap); streams of events and texts as this error.)
    #[error("{0}")]
    Gap(Gap),

    /// An event was over a limit and is not shown. The stream goes on at the next one.
    #[error(transparent)]
    Overlong(#[from] Overlong),

    /// An event's data is not the JSON that was asked for. The stream goes on at the next one.
    #[error("an event's data is not the JSON that was asked for: {source}")]
    Json {
        /// The event.
        event: Box<Message>,
        /// What is wrong with it.
        source: serde_json::Error,
    },

    /// An AI provider reported an error in the stream. What it says is what to mend; the text ends here.
    #[error("the provider reports: {message}")]
    Provider {
        /// Its message.
        message: String,
        /// The event that said so; or, in `data`, the whole body, where it was JSON instead of a stream.
        event: Box<Message>,
    },

    /// An AI's answer ended before its last word, which its provider always sends, so a part of it is missing.
    /// Only after [`Text::require_whole`](crate::Text::require_whole). Final.
    #[error("the answer ended before its last word: a part of it is missing")]
    Truncated,

    /// Events came, but none in a form of which the text is known. Read the events themselves (`events`, `json`).
    /// Final.
    #[error("events came, but none in a form whose text is known: read them with `events` or `json`")]
    NoText,
}

impl Error {
    /// Whether this is the stream's last item. If not, it tells of an event that is not there.
    #[must_use]
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Gap(_) | Self::Overlong(_) | Self::Json { .. })
    }

    pub(crate) fn request(what: impl Into<String>) -> Self {
        Self::Request {
            what: what.into(),
            source: None,
        }
    }
}

/// Why an attempt ended, and another one may follow.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// No answer could be had: no connection, no TLS, no HTTP.
    #[error("no answer: {}", Chain(&**.0))]
    Unreachable(#[source] BoxError),
    /// The head of an answer did not come in time.
    #[error("no answer for {0:?}")]
    NoAnswer(Duration),
    /// The function that makes the headers failed.
    #[error("the headers could not be had: {}", Chain(&**.0))]
    Headers(#[source] BoxError),
    /// The server answered with a status that is worth another attempt.
    #[error("the server answered {0}")]
    Status(Box<Refusal>),
    /// The stream ended, as a response ends.
    #[error("the stream ended")]
    Ended,
    /// The stream was cut.
    #[error("the stream was cut: {}", Chain(&**.0))]
    Cut(#[source] BoxError),
    /// Not one byte came for so long (idle timeout).
    #[error("not one byte for {0:?}")]
    Silent(Duration),
    /// Bytes came, but no event for so long (progress timeout).
    #[error("no event for {0:?}")]
    NoProgress(Duration),
    /// The caller asked for it.
    #[error("restarted by the caller")]
    Restarted,
}

/// An answer that is not the stream that was asked for.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// Who answered.
    pub url: Url,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body's first bytes, at most [`MAX_BODY`](Self::MAX_BODY).
    pub body: Bytes,
}

impl Refusal {
    /// How much of the body is kept.
    pub const MAX_BODY: usize = 8 << 10;

    /// The body's first bytes as text.
    #[must_use]
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {}", self.status, Shown(&self.url))?;
        let text = self.text();
        let first = text.lines().map(str::trim).find(|line| !line.is_empty());
        match first {
            Some(line) => write!(f, ": {}", line.chars().take(200).collect::<String>()),
            None => Ok(()),
        }
    }
}

fn content_type(refusal: &Refusal) -> String {
    match refusal.headers.get(http::header::CONTENT_TYPE) {
        Some(value) => format!("{value:?}"),
        None => "missing".to_owned(),
    }
}

/// A URL without what may be secret: its user, query and fragment.
pub(crate) struct Shown<'a>(pub(crate) &'a Url);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0.origin().ascii_serialization(), self.0.path())
    }
}

/// The error at the bottom of a chain: transports wrap what happened several times.
struct Chain<'a>(&'a (dyn std::error::Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut error = self.0;
        while let Some(below) = error.source() {
            error = below;
        }
        write!(f, "{error}")
    }
}
