//! The body of a request, as it comes: whole up to a limit, or frame by frame.
//!
//! Of every body something must come at least every `stall`. Time in which we do not ask for more
//! (because the hub is busy) does not count. A body that is held whole must be complete within `total`, and
//! takes the room of its buffer from the budget of [`Bodies`] before it is allocated; one that is unpacked takes that of its
//! decoder too.

use std::{fmt, io, time::Duration};

use axum::body::{Body, Bytes};
use futures_util::{StreamExt as _, TryStreamExt};
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use http_body_util::BodyExt as _;
use tidewire_codec::content_type;
use tidewire_unpack::{ACCEPTED, Bomb, Packing, Unpacked};
use tokio::time::{Instant, timeout_at};

use crate::{
    Problem,
    bodies::{Bodies, Held},
    guard::Principal,
    problem::shorten,
};

/// The first room of a body whose length is not known, in bytes.
const FIRST: usize = 16 << 10;

/// The first room of a body of known length: a client that announces much and sends nothing holds no more.
const FIRST_OF_KNOWN: usize = 64 << 10;

/// The media type of a body, in lower case and without parameters, as Fetch reads it. Empty if the request has none; a
/// text that is no media type is as it was sent.
#[must_use]
pub fn media_type(headers: &HeaderMap) -> String {
    let lines = headers.get_all(header::CONTENT_TYPE).iter();
    let essence = content_type::essence(lines.map(HeaderValue::as_bytes));
    essence.unwrap_or_else(|| {
        let sent = headers
            .get(header::CONTENT_TYPE)
            .map_or(&b""[..], HeaderValue::as_bytes);
        String::from_utf8_lossy(sent).into_owned()
    })
}

/// Refuses a text that is not UTF-8 by its own word: it would be kept as another text than was meant.
fn check_charset(headers: &HeaderMap) -> Result<(), Problem> {
    let value = headers.get(header::CONTENT_TYPE);
    let value = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let parameters = value.split(';').skip(1).filter_map(|pair| pair.split_once('='));
    let mut charsets = parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    let charset = charsets
        .next()
        .map_or("utf-8", |(_, charset)| charset.trim().trim_matches('"'));
    // ASCII is UTF-8.
    let is_right = |name: &&str| name.eq_ignore_ascii_case(charset);
    match ["utf-8", "utf8", "us-ascii"].iter().any(is_right) {
        true => Ok(()),
        false => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_charset",
            format!(
                "the body is said to be {}, and only UTF-8 is read: send it as UTF-8",
                shorten(charset)
            ),
        )),
    }
}

fn packing(headers: &HeaderMap) -> Result<Packing, Problem> {
    Packing::of(headers).map_err(|other| {
        let other = shorten(&other);
        let detail =
            format!("a body that is packed as {other} cannot be unpacked: send {ACCEPTED}, or it as it is");
        Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding", detail)
            .with_header(header::ACCEPT_ENCODING, HeaderValue::from_static(ACCEPTED))
    })
}

/// The bounds of all bodies.
#[derive(Debug, Clone)]
pub struct BodyBounds {
    /// A request of whose body nothing comes for this long is given up (408).
    pub stall: Duration,
    /// A body that is held whole, or one event of a body that holds many, is given up after this time (408).
    pub total: Duration,
    /// The bytes that all bodies may hold at a time.
    pub budget: Bodies,
}

impl Default for BodyBounds {
    fn default() -> Self {
        Self {
            stall: Duration::from_secs(30),
            total: Duration::from_secs(5 * 60),
            budget: Bodies::default(),
        }
    }
}

/// A body that has not been read yet.
pub struct Intake {
    source: Source,
    announced: Option<u64>,
    stall: Duration,
    total: Duration,
    held: Held,
    packing: Packing,
    /// The bytes that came of a packed body.
    unpacked: usize,
}

/// Where the bytes come from.
enum Source {
    AsSent(Body),
    Unpacked(Unpacked),
}

/// A body that has come whole. Its bytes count until it is dropped, or the [`Bytes`] that it becomes.
pub struct Whole<T> {
    /// The body.
    pub content: T,
    /// Its share of the budget.
    pub held: Held,
}

/// A body as far as it may be held.
pub enum Begun {
    /// All of it.
    Whole(Whole<Vec<u8>>),
    /// There is more: what came before, the piece that was too much, and the rest.
    Larger(Whole<Vec<u8>>, Bytes, Intake),
}

/// What a body is read for: how much it may be, and what becomes of it if it does not come whole.
pub struct Purpose {
    /// The most bytes.
    pub max: usize,
    /// What that is the most of, and the name of its setting.
    pub bound: &'static str,
    /// What has come of the request if its body has not come whole.
    pub nothing: &'static str,
}

/// Why no more of a body comes.
pub enum Broken {
    /// No byte came for so long.
    Stalled(Duration),
    /// It was not complete after so long.
    TooSlow(Duration),
    /// The connection failed.
    Cut(axum::Error),
    /// It unpacks to more than its bounds.
    TooPacked(Bomb),
    /// It is not packed as it is said to be.
    NotPacked(io::Error),
}

impl Intake {
    /// A body as it was sent: its bytes go on.
    pub fn as_sent(parts: &Parts, body: Body, bounds: &BodyBounds) -> Self {
        let announced = parts.headers.get(header::CONTENT_LENGTH);
        Self {
            source: Source::AsSent(body),
            announced: announced.and_then(|value| value.to_str().ok()?.parse().ok()),
            stall: bounds.stall,
            total: bounds.total,
            held: bounds.budget.hold(&Principal::of(&parts.extensions)),
            packing: Packing::None,
            unpacked: 0,
        }
    }

    /// A text, unpacked if it is packed (`Content-Encoding`).
    ///
    /// # Errors
    /// 415: its charset or its packing is another than we read. 413, 429 or 503: there is no room for its decoder.
    pub fn text_of(parts: &Parts, body: Body, bounds: &BodyBounds) -> Result<Self, Problem> {
        check_charset(&parts.headers)?;
        let packing = packing(&parts.headers)?;
        let mut intake = Self::as_sent(parts, body, bounds);
        if packing == Packing::None {
            return Ok(intake);
        }
        intake.packing = packing;
        intake.hold(0)?;
        // How long it is unpacked nobody has said.
        intake.announced = None;
        if let Source::AsSent(body) = intake.source {
            let pieces = TryStreamExt::map_err(body.into_data_stream(), io::Error::other);
            let pieces = pieces.try_filter(|piece| std::future::ready(!piece.is_empty()));
            intake.source = Source::Unpacked(Unpacked::new(packing, pieces));
        }
        Ok(intake)
    }

    /// When what begins now must be complete.
    pub fn due(&self) -> Instant {
        Instant::now() + self.total
    }

    /// Holds so many bytes of the body from now on, beside what its decoder does.
    ///
    /// # Errors
    /// There is no room for more: 413, 429 or 503.
    pub fn hold(&mut self, bytes: usize) -> Result<(), Problem> {
        self.held.set(bytes + self.packing.memory(self.unpacked))
    }

    /// The next piece; none when the body is complete.
    pub async fn next(&mut self, due: Option<Instant>) -> Result<Option<Bytes>, Broken> {
        loop {
            let stalled = Instant::now() + self.stall;
            let (until, late) = match due {
                Some(due) if due < stalled => (due, Broken::TooSlow(self.total)),
                _ => (stalled, Broken::Stalled(self.stall)),
            };
            match &mut self.source {
                Source::AsSent(body) => match timeout_at(until, body.frame()).await.map_err(|_| late)? {
                    None => return Ok(None),
                    Some(Err(error)) => return Err(Broken::Cut(error)),
                    // A frame that is no data holds trailers.
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(data) => return Ok(Some(data)),
                        Err(_) => continue,
                    },
                },
                Source::Unpacked(body) => {
                    let before = body.packed();
                    let piece = match timeout_at(until, body.next()).await {
                        Ok(piece) => piece.transpose().map_err(Broken::of_packed)?,
                        // Something came, and nothing can be unpacked of it yet.
                        Err(_) if body.packed() > before && due.is_none_or(|due| until < due) => continue,
                        Err(_) => return Err(late),
                    };
                    self.unpacked += piece.as_ref().map_or(0, Bytes::len);
                    return Ok(piece);
                }
            }
        }
    }

    /// The whole body as text.
    pub async fn text(self, purpose: &Purpose) -> Result<Whole<String>, Problem> {
        let Whole { content, held } = self.bytes(purpose).await?;
        match String::from_utf8(content) {
            Ok(content) => Ok(Whole { content, held }),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let detail = format!(
                    "the body is no UTF-8 at byte {at}: send text, binary as base64 or as a data URL"
                );
                Err(Problem::bad_request("not_utf8", detail))
            }
        }
    }

    /// The whole body.
    pub async fn bytes(self, purpose: &Purpose) -> Result<Whole<Vec<u8>>, Problem> {
        // Said before the body is asked for, so that a client that waits for `100 Continue` sends none.
        if self.announced.is_some_and(|len| len > purpose.max as u64) {
            return Err(purpose.too_large());
        }
        match self.begin(purpose.max, purpose.nothing).await? {
            Begun::Whole(body) => Ok(body),
            Begun::Larger(..) => Err(purpose.too_large()),
        }
    }

    /// The body as far as so many bytes hold it.
    pub async fn begin(mut self, max: usize, nothing: &str) -> Result<Begun, Problem> {
        let due = self.due();
        let announced = self.announced.and_then(|len| usize::try_from(len).ok());
        let largest = announced.unwrap_or(max);
        if announced.is_some() {
            self.held.check(largest)?;
        }
        let mut bytes = Vec::new();
        let next = async |intake: &mut Self| {
            let piece = intake.next(Some(due)).await;
            piece.map_err(|broken| broken.problem(nothing))
        };
        while let Some(piece) = next(&mut self).await? {
            if piece.len() > max - bytes.len() {
                let held = self.held.split();
                return Ok(Begun::Larger(Whole { content: bytes, held }, piece, self));
            }
            self.make_room(&mut bytes, piece.len(), largest)?;
            bytes.extend_from_slice(&piece);
        }
        // What is published is kept as it is.
        bytes.shrink_to_fit();
        // The decoder goes.
        self.held.set(bytes.capacity())?;
        Ok(Begun::Whole(Whole {
            content: bytes,
            held: self.held,
        }))
    }

    /// Has room for so many bytes more, which the budget has before there is.
    fn make_room(&mut self, bytes: &mut Vec<u8>, more: usize, largest: usize) -> Result<(), Problem> {
        let (len, capacity) = (bytes.len(), bytes.capacity());
        let needed = len + more;
        if needed <= capacity {
            return Ok(());
        }
        let first = match self.announced {
            Some(_) => FIRST_OF_KNOWN,
            None => FIRST,
        };
        let room = (2 * capacity).max(first).min(largest).max(needed);
        self.hold(room)?;
        bytes.reserve_exact(room - len);
        Ok(())
    }
}

impl Whole<Vec<u8>> {
    /// Its bytes as they are passed around. They count until the last of them is dropped.
    pub fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Whole<Vec<u8>> {
    fn as_ref(&self) -> &[u8] {
        &self.content
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
    /// Why no more comes of a packed body.
    fn of_packed(error: io::Error) -> Self {
        let is_bomb = error.get_ref().and_then(|inner| inner.downcast_ref::<Bomb>());
        if let Some(bomb) = is_bomb {
            return Self::TooPacked(*bomb);
        }
        match error.downcast::<axum::Error>() {
            Ok(cut) => Self::Cut(cut),
            Err(error) => Self::NotPacked(error),
        }
    }

    /// With what has come of the request.
    pub fn problem(&self, outcome: impl fmt::Display) -> Problem {
        match self {
            Self::Stalled(stall) => {
                let detail = format!("nothing of the body came for {stall:?}: {outcome}");
                Problem::new(StatusCode::REQUEST_TIMEOUT, "body_stalled", detail)
            }
            Self::TooSlow(total) => {
                let detail =
                    format!("the body did not come whole within {total:?} (timeouts.body_total): {outcome}");
                Problem::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", detail)
            }
            Self::Cut(error) => {
                Problem::bad_request("body_cut", format!("the body broke off ({error}): {outcome}"))
            }
            Self::TooPacked(bomb) => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                format!("{bomb}: {outcome}"),
            ),
            Self::NotPacked(error) => Problem::bad_request(
                "bad_packing",
                format!("the body is not packed as Content-Encoding says ({error}): {outcome}"),
            ),
        }
    }
}
