//! The way to the network: a request goes out, a head and a body come back. Nothing is decided here.
//!
//! | file | owns |
//! |---|---|
//! | `http` | the default: a `reqwest::Client`, ours or the caller's (feature `reqwest`) |
//! | `service` | any `tower` service of the caller's |
//! | `unpack` | gzip, br, zstd and deflate bodies, unpacked as they stream |
//!
//! Dropping a [`Sending`] or a body closes what it stands for: with HTTP/1.1 the connection, with HTTP/2 the
//! stream.

#[cfg(feature = "reqwest")]
pub(crate) mod http;
pub(crate) mod service;
pub(crate) mod unpack;

use std::pin::Pin;

use ::http::{Request, response::Parts};
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use url::Url;

use crate::error::BoxError;

/// A body of whichever transport.
pub(crate) type Body = UnsyncBoxBody<Bytes, BoxError>;

/// An answer whose body is still to come.
pub(crate) struct Answer {
    pub(crate) head: Parts,
    /// Who answered, if that may be another than who was asked.
    pub(crate) url: Option<Url>,
    pub(crate) body: Body,
}

/// A request under way.
pub(crate) type Sending = Pin<Box<dyn Future<Output = Result<Answer, BoxError>> + Send>>;

/// Sends requests.
pub(crate) type Transport = Box<dyn FnMut(Request<Bytes>) -> Sending + Send>;
