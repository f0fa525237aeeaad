//! The body of a request, as it comes: whole up to a limit, or frame by frame.
//!
//! Of every body something must come at least every `body_stall`. Time in which we do not ask for more
//! (because the hub is busy) does not count.

use std::{fmt, time::Duration};

use axum::body::{Body, Bytes};
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use crate::Problem;

/// The type of a body, without its parameters; empty if there is none.
pub(super) fn media_type(headers: &HeaderMap) -> &str {
    let value = headers.get(header::CONTENT_TYPE);
    let value = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}

/// A body that has not been read yet.
pub(super) struct Intake {
    body: Body,
    announced: Option<u64>,
    stall: Duration,
}

/// What a body is read for: how much it may be, and what becomes of it if it does not come whole.
pub(super) struct Purpose {
    pub(super) max: usize,
    /// What that is the most of, and the name of its setting.
    pub(super) bound: &'static str,
    /// What has come of the request if its body has not come whole.
    pub(super) nothing: &'static str,
}

/// Why no more of a body comes.
pub(super) enum Broken {
    Stalled(Duration),
    Cut(axum::Error),
}

impl Intake {
    pub(super) fn new(headers: &HeaderMap, body: Body, stall: Duration) -> Self {
        let announced = headers.get(header::CONTENT_LENGTH);
        Self {
            body,
            announced: announced.and_then(|value| value.to_str().ok()?.parse().ok()),
            stall,
        }
    }

    /// The next piece; none when the body is complete.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Broken> {
        loop {
            let frame = timeout(self.stall, self.body.frame()).await;
            match frame.map_err(|_| Broken::Stalled(self.stall))? {
                None => return Ok(None),
                Some(Err(error)) => return Err(Broken::Cut(error)),
                // A frame that is no data holds trailers.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => return Ok(Some(data)),
                    Err(_) => continue,
                },
            }
        }
    }

    /// The whole body as text.
    pub(super) async fn text(self, purpose: &Purpose) -> Result<String, Problem> {
        String::from_utf8(self.bytes(purpose).await?).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let detail =
                format!("the body is no UTF-8 at byte {at}: send text, binary as base64 or as a data URL");
            Problem::bad_request("not_utf8", detail)
        })
    }

    /// The whole body.
    pub(super) async fn bytes(mut self, purpose: &Purpose) -> Result<Vec<u8>, Problem> {
        let max = purpose.max;
        // Said before the body is asked for, so that a client that waits for `100 Continue` sends none.
        if self.announced.is_some_and(|len| len > max as u64) {
            return Err(purpose.too_large());
        }
        let mut bytes = Vec::new();
        let next = async |intake: &mut Self| {
            intake
                .next()
                .await
                .map_err(|broken| broken.problem(purpose.nothing))
        };
        while let Some(piece) = next(&mut self).await? {
            if piece.len() > max - bytes.len() {
                return Err(purpose.too_large());
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }
}

impl Purpose {
    fn too_large(&self) -> Problem {
        let Self { max, bound, .. } = self;
        let detail = format!("the body is larger than {max} bytes, the most that {bound}");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
    }
}

impl Broken {
    /// With what has come of the request.
    pub(super) fn problem(&self, outcome: impl fmt::Display) -> Problem {
        match self {
            Self::Stalled(stall) => {
                let detail = format!("nothing of the body came for {stall:?}: {outcome}");
                Problem::new(StatusCode::REQUEST_TIMEOUT, "body_stalled", detail)
            }
            Self::Cut(error) => {
                Problem::bad_request("body_cut", format!("the body broke off ({error}): {outcome}"))
            }
        }
    }
}
