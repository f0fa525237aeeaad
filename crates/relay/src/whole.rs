//! An answer that is no stream, and has an idempotency key: its bytes are kept whole, for the twins of its request.
//!
//! Its asker gets the bytes as they come. Twins wait until all of them are there, and get them as one body; later requests
//! with the key get them too, for as long as the answer is kept. A failure is shared by those that wait, and not kept: any
//! status but a success, a body that is an error, and no answer at all.
//!
//! Bounds: `max_answer` of the route for one answer; [`Budget`] for all together, of which the oldest go first. What is too
//! large is passed on to its asker, and its twins ask for themselves. The bytes are in memory: a restart frees the keys.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use axum::body::{Body, Bytes};
use futures_util::stream::{Stream, StreamExt as _, unfold};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use parking_lot::Mutex;
use tidewire_doors::stream::body::WrittenOut;
use tokio::sync::watch;

use super::{answer::Reader, dialect::failure_of_body};

/// What an answer and a piece of it count beside their text: their places in tables, and what is allocated with them.
const ANSWER: usize = 1 << 10;
const PIECE: usize = 128;
const HEADER: usize = 64;

/// No error is larger.
const MAX_ERROR: usize = 64 << 10;

pub(super) const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The bytes of an answer, as they come.
pub(super) type Pieces = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// How many bytes of such answers are held at a time.
#[derive(Debug)]
pub(super) struct Budget {
    max: usize,
    held: AtomicUsize,
}

/// Bytes of the budget, for as long as this lives.
struct Held {
    budget: Arc<Budget>,
    bytes: usize,
}

/// See the module's text.
pub(super) struct Whole {
    status: StatusCode,
    headers: HeaderMap,
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

struct State {
    pieces: Vec<Bytes>,
    held: Held,
    end: End,
}

enum End {
    /// More is to come.
    Due,
    Here,
    /// The upstream broke off, or took too long.
    Cut,
    /// What is to come is for the asker alone.
    Passed(Pieces),
}

impl Budget {
    pub(super) fn new(max: usize) -> Arc<Self> {
        let held = AtomicUsize::new(0);
        Arc::new(Self { max, held })
    }

    pub(super) fn held(&self) -> usize {
        self.held.load(Relaxed)
    }
}

impl Held {
    /// Whether there is room for so many more, which are held then.
    fn grow(&mut self, by: usize) -> bool {
        let budget = &self.budget;
        let grown = |held: usize| held.checked_add(by).filter(|held| *held <= budget.max);
        let has_room = budget.held.fetch_update(Relaxed, Relaxed, grown).is_ok();
        if has_room {
            self.bytes += by;
        }
        has_room
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.bytes, Relaxed);
    }
}

impl Whole {
    /// One of which nothing has come yet. None if there is no room for it; `make_room` lets an older one go, if there is one.
    pub(super) fn begin(
        budget: &Arc<Budget>,
        status: StatusCode,
        headers: HeaderMap,
        make_room: impl Fn() -> bool,
    ) -> Option<Arc<Self>> {
        let budget = Arc::clone(budget);
        let mut held = Held { budget, bytes: 0 };
        let named = headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + HEADER);
        let cost = ANSWER + named.sum::<usize>();
        let state = State {
            pieces: Vec::new(),
            held: grow(&mut held, cost, &make_room).then_some(held)?,
            end: End::Due,
        };
        Some(Arc::new(Self {
            status,
            headers,
            state: Mutex::new(state),
            changed: watch::Sender::new(()),
        }))
    }

    /// Takes the next piece. False if there is no room: nothing of it is held then.
    pub(super) fn take(&self, piece: &Bytes, make_room: impl Fn() -> bool) -> bool {
        let mut state = self.state.lock();
        let has_room = grow(&mut state.held, piece.len() + PIECE, &make_room);
        if has_room {
            // A copy: the piece may be a part of a larger buffer.
            state.pieces.push(Bytes::copy_from_slice(piece));
        }
        drop(state);
        self.changed.send_replace(());
        has_room
    }

    /// All of it has come.
    pub(super) fn finish(&self) {
        self.end(End::Here);
    }

    /// No more of it comes.
    pub(super) fn cut(&self) {
        self.end(End::Cut);
    }

    /// The rest of it is not kept.
    pub(super) fn pass(&self, rest: Pieces) {
        self.end(End::Passed(rest));
    }

    fn end(&self, end: End) {
        self.state.lock().end = end;
        self.changed.send_replace(());
    }

    pub(super) fn is_success(&self) -> bool {
        self.status.is_success()
    }

    /// Whether a later request with its key gets it, now that all of it is here. Some providers report an error with a 200.
    pub(super) fn may_be_replayed(&self) -> bool {
        let pieces = &self.state.lock().pieces;
        let is_error = || {
            let body = pieces.concat();
            failure_of_body(&String::from_utf8_lossy(&body)).is_some()
        };
        let is_small = pieces.iter().map(Bytes::len).sum::<usize>() <= MAX_ERROR;
        self.is_success() && !(is_small && is_error())
    }

    /// For its asker, who reads as long as the body is there.
    pub(super) fn response(self: Arc<Self>, reader: Reader) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        *response.body_mut() = Body::from_stream(WrittenOut::new(self.bytes(reader)));
        response
    }

    /// For a twin. What was meant for the asker alone is not in it.
    pub(super) fn replayed(self: Arc<Self>, reader: Reader) -> Response<Body> {
        let mut response = self.response(reader);
        let headers = response.headers_mut();
        headers.remove(header::SET_COOKIE);
        headers.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
        response
    }

    fn bytes(self: Arc<Self>, reader: Reader) -> impl Stream<Item = io::Result<Bytes>> {
        let from = Reading {
            changed: self.changed.subscribe(),
            whole: self,
            at: 0,
            rest: None,
            _reader: reader,
        };
        unfold(Some(from), |reading| async move {
            let mut reading = reading?;
            match reading.next().await? {
                Ok(piece) => Some((Ok(piece), Some(reading))),
                Err(error) => Some((Err(error), None)),
            }
        })
    }
}

/// Grows, if need be at the cost of older answers.
fn grow(held: &mut Held, by: usize, make_room: impl Fn() -> bool) -> bool {
    // What could never fit drives nobody out.
    if held.bytes.saturating_add(by) > held.budget.max {
        return false;
    }
    while !held.grow(by) {
        if !make_room() {
            return false;
        }
    }
    true
}

/// Somebody who gets the bytes.
struct Reading {
    whole: Arc<Whole>,
    changed: watch::Receiver<()>,
    at: usize,
    rest: Option<Pieces>,
    _reader: Reader,
}

impl Reading {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        loop {
            if let Some(rest) = &mut self.rest {
                return rest.next().await;
            }
            self.changed.mark_unchanged();
            {
                let mut state = self.whole.state.lock();
                if let Some(piece) = state.pieces.get(self.at) {
                    self.at += 1;
                    return Some(Ok(piece.clone()));
                }
                match std::mem::replace(&mut state.end, End::Cut) {
                    End::Cut => return Some(Err(io::ErrorKind::UnexpectedEof.into())),
                    End::Passed(rest) => self.rest = Some(rest),
                    end @ (End::Due | End::Here) => {
                        let is_here = matches!(end, End::Here);
                        state.end = end;
                        if is_here {
                            return None;
                        }
                    }
                }
            }
            if self.rest.is_none() {
                // Its sender is in what is read.
                let _ = self.changed.changed().await;
            }
        }
    }
}
