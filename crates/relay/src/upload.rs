//! The body of a request to an upstream: held whole where it is looked at, else passed on as it comes.
//!
//! JSON says whether a stream is wanted and which chat it belongs to, and a body that is held can be
//! compared with that of another try. Uploads (files, sound, JSON larger than `max_body`) need none of this.
//!
//! Bounds: an upload takes [`IN_FLIGHT`] of the budget of bodies before its upstream is asked, for what
//! the two connections buffer; the next piece is read when the upstream has taken the one before.
//! Its length has no bound but the route's `total`; a client that sends nothing for `body_stall` is
//! given up.

use std::{io, sync::Arc};

use axum::body::{Body, Bytes, HttpBody as _};
use futures_util::stream::{Stream, StreamExt as _, iter, unfold};
use http::{HeaderMap, HeaderValue, Method, header, request::Parts};
use parking_lot::Mutex;
use tidewire_doors::{
    BodyBounds, Problem,
    intake::{Begun, Intake, media_type},
};

use super::config::Route;

/// The room of an upload: hyper buffers up to 400 KiB for a connection, and one piece more.
const IN_FLIGHT: usize = 512 << 10;

/// A body that is no JSON is held if it announces no more than this: a form that asks for a stream can be
/// asked again.
const SMALL: u64 = 64 << 10;

const NOTHING: &str = "the upstream was not asked";

/// A request's body.
pub(super) enum Sent {
    Whole(Bytes),
    Passing(Upload),
}

/// A body that is passed on as it comes.
pub(super) struct Upload {
    /// What has been read of it to find out that it is too large to be held.
    begun: Vec<Bytes>,
    rest: Intake,
    length: Option<u64>,
    failure: Failure,
}

/// Why the client's side of an upload broke, once it has.
#[derive(Clone, Default)]
pub(super) struct Failure(Arc<Mutex<Option<Problem>>>);

impl Sent {
    /// Reads as much of a body as has to be looked at.
    ///
    /// # Errors
    /// 408 for a body that comes too slowly; 413, 429 or 503 if there is no room for it.
    pub(super) async fn read(
        route: &Route,
        parts: &Parts,
        body: Body,
        bounds: &BodyBounds,
    ) -> Result<Self, Problem> {
        let length = body.size_hint().exact();
        let max = route.limits.max_body;
        let is_looked_at = is_json(&parts.headers) || length.is_some_and(|length| length <= SMALL);
        let is_held = is_looked_at && length.is_none_or(|length| length <= max as u64);
        let mut intake = Intake::as_sent(parts, body, bounds);
        let mut begun = Vec::new();
        if is_held {
            match intake.begin(max, NOTHING).await? {
                Begun::Whole(body) => return Ok(Self::Whole(body.into_bytes())),
                Begun::Larger(first, piece, rest) => {
                    begun = vec![first.into_bytes(), piece];
                    intake = rest;
                }
            }
        }
        intake.hold(IN_FLIGHT)?;
        Ok(Self::Passing(Upload {
            begun,
            rest: intake,
            length,
            failure: Failure::default(),
        }))
    }

    /// Makes it the body of a request to the upstream. Should its client's side break, the reason is found in what is given back.
    pub(super) fn put_into(self, request: &mut reqwest::Request) -> Failure {
        let takes_body = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH);
        match self {
            Self::Whole(body) => {
                *request.body_mut() = (takes_body || !body.is_empty()).then(|| body.into());
                Failure::default()
            }
            Self::Passing(upload) => {
                let failure = upload.failure.clone();
                // How it is framed: many upstreams take no chunks.
                if let Some(length) = upload.length {
                    let headers = request.headers_mut();
                    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
                }
                *request.body_mut() = Some(reqwest::Body::wrap_stream(upload.pieces()));
                failure
            }
        }
    }

    /// Its bytes, if it is held.
    pub(super) fn held(&self) -> Option<&[u8]> {
        match self {
            Self::Whole(body) => Some(body),
            Self::Passing(_) => None,
        }
    }
}

/// Whether a body is JSON, as far as its type tells. One without a type may be.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = media_type(headers);
    kind.is_empty() || kind.ends_with("json")
}

impl Upload {
    /// Its pieces, each read when the one before has been taken.
    fn pieces(self) -> impl Stream<Item = io::Result<Bytes>> + Send {
        let Self {
            begun, rest, failure, ..
        } = self;
        let rest = unfold(Some((rest, failure)), |at| async move {
            let (mut rest, failure) = at?;
            match rest.next(None).await {
                Ok(None) => None,
                Ok(Some(piece)) => Some((Ok(piece), Some((rest, failure)))),
                Err(broken) => {
                    let why = "the upstream did not get all of it";
                    *failure.0.lock() = Some(broken.problem(why));
                    Some((Err(io::ErrorKind::BrokenPipe.into()), None))
                }
            }
        });
        iter(begun.into_iter().map(Ok)).chain(rest)
    }
}

impl Failure {
    /// The problem of the client's side if there was one, else that of the upstream's.
    pub(super) fn or(&self, upstream: Problem) -> Problem {
        self.0.lock().take().unwrap_or(upstream)
    }
}
