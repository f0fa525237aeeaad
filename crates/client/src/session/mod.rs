//! The state of a source: a machine without I/O.
//!
//! What happens comes in (heads, bytes, ends, failures, `now`), and [`Session::poll`] says what to do next. The
//! driver (`source.rs`) owns the sockets and the clock and decides nothing.
//!
//! | file | owns |
//! |---|---|
//! | `mod` | the phases, and what leads from one to the next |
//! | `request` | the request of an attempt: headers, last event id, primed cursor |
//! | `answer` | what an answer's head means |
//! | `stream` | bytes of an open stream as items |
//!
//! Invariants:
//! - What was read is handed out before anything else happens, except after [`Session::close`]: nothing comes
//!   after that.
//! - [`Session::last_event_id`] is the id as of what was handed out, so who stores it loses nothing.
//! - A driver holds a connection only while it is told to [`Action::Await`] or [`Action::Read`].

mod answer;
mod request;
mod stream;

#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, response};
use tidewire_codec::Message;

use self::{
    answer::{Kind, Reject},
    request::Target,
    stream::Inbox,
};
use crate::{
    answer::failure_of_body,
    builder::Config,
    counters::Counters,
    error::{BoxError, Cause, Error, Refusal},
    item::{Item, Open, Reconnecting},
    liveness::Liveness,
    policy::{Attempt, Backoff, Next},
    redirect::Hop,
};

/// How long the body of a refusal may take; what it says is shown without waiting any longer.
const REFUSAL_TIME: Duration = Duration::from_secs(5);

/// How long a body that is an error as JSON may be.
const MAX_BARE: usize = 16 << 10;

/// Whether a source is connected, as `EventSource` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadyState {
    /// There is no stream yet, or again: a request is under way, or waits for its time.
    Connecting,
    /// A stream is open.
    Open,
    /// It is over: nothing comes any more.
    Closed,
}

/// What the driver is to do now. Where it holds a connection that the action does not speak of, it drops it.
#[derive(Debug)]
pub(crate) enum Action {
    /// Hand this out.
    Yield(Result<Item, Error>),
    /// Get the headers of a new attempt, then [`Session::prepared`].
    Prepare,
    /// Send this.
    Send(Box<Request<Bytes>>),
    /// Wait for what is under way: [`Session::prepared`], [`Session::head`] or [`Session::failed`].
    Await { until: Option<Instant> },
    /// Wait for bytes of the body: [`Session::bytes`], [`Session::ended`] or [`Session::cut`].
    Read { until: Option<Instant> },
    /// Wait for this moment.
    Sleep { until: Instant },
    /// Nothing, ever again.
    Done,
}

/// Where the session is.
#[derive(Debug)]
enum Phase {
    /// An attempt may begin.
    Ready,
    /// Its headers are being made.
    Preparing { until: Option<Instant> },
    /// A request is to be sent.
    Sending(Box<Asking>),
    /// It was sent, and its answer's head is awaited.
    Asking(Box<Asking>),
    /// The answer is no stream; its first bytes are read.
    Refused(Box<Refused>),
    /// The stream is open.
    Open(Box<Opened>),
    /// The next attempt has its time.
    Waiting { until: Instant },
    /// It is over.
    Closed,
}

#[derive(Debug)]
struct Asking {
    hop: Hop,
    /// What the caller's function made for this attempt.
    fresh: HeaderMap,
    until: Option<Instant>,
}

#[derive(Debug)]
struct Refused {
    refusal: Refusal,
    reject: Reject,
    until: Instant,
}

/// How long to wait before another attempt.
#[derive(Clone, Copy)]
enum Wait {
    /// As the policy says, and at least as long as `Retry-After`.
    After(Option<Duration>),
    /// Not at all.
    None,
}

#[derive(Debug)]
struct Opened {
    since: Instant,
    liveness: Liveness,
    /// A new event came, or a gap, or another id.
    is_fruitful: bool,
    /// A new event came.
    has_event: bool,
    /// A `retry` came after the last event.
    ends_with_retry: bool,
    /// Nothing came that a reader goes by: an event, an id, a time.
    is_empty: bool,
    /// Not one byte came.
    is_silent: bool,
    /// The last event says that it is the last.
    is_end: bool,
    /// All of the body, as long as it may be JSON instead of a stream.
    bare: Option<Vec<u8>>,
}

#[derive(Debug)]
pub(crate) struct Session {
    config: Config,
    phase: Phase,
    inbox: Inbox,
    /// Items that are ready, in order.
    ready: VecDeque<Result<Item, Error>>,
    /// The last event id as of what was handed out.
    last_event_id: String,
    /// Where to go on, as the last stream told.
    target: Target,
    backoff: Backoff,
    /// After a 401 the caller's headers are made once more: they were.
    is_renewed: bool,
    counters: Counters,
    /// When the first item was handed out since bytes were last asked for.
    yielded_at: Option<Instant>,
}

impl Session {
    pub(crate) fn new(config: Config, seed: u64) -> Self {
        let inbox = Inbox::new(&config);
        Self {
            last_event_id: inbox.last_event_id().to_owned(),
            inbox,
            phase: Phase::Ready,
            ready: VecDeque::new(),
            target: Target::default(),
            backoff: Backoff::new(config.retry.clone(), seed),
            is_renewed: false,
            counters: Counters::default(),
            yielded_at: None,
            config,
        }
    }

    /// What to do now.
    pub(crate) fn poll(&mut self, now: Instant) -> Action {
        if self.ready.is_empty() {
            self.decode();
        }
        if let Some(item) = self.ready.pop_front() {
            self.given(&item, now);
            return Action::Yield(item);
        }
        self.commit_id();
        match &mut self.phase {
            Phase::Ready => {
                self.inbox.end();
                self.counters.attempts += 1;
                let until = self.head_deadline(now);
                self.phase = Phase::Preparing { until };
                Action::Prepare
            }
            Phase::Preparing { until } => Action::Await { until: *until },
            Phase::Sending(_) => self.send(),
            Phase::Asking(asking) => Action::Await { until: asking.until },
            Phase::Refused(refused) => Action::Read {
                until: Some(refused.until),
            },
            Phase::Open(opened) => {
                if let Some(since) = self.yielded_at.take() {
                    opened.liveness.resume(since, now);
                }
                Action::Read {
                    until: opened.liveness.deadline(),
                }
            }
            Phase::Waiting { until } if now >= *until => {
                self.phase = Phase::Ready;
                self.poll(now)
            }
            Phase::Waiting { until } => Action::Sleep { until: *until },
            Phase::Closed => Action::Done,
        }
    }

    /// The headers of an attempt are there, or could not be made.
    pub(crate) fn prepared(&mut self, fresh: Result<HeaderMap, BoxError>, now: Instant) {
        let Phase::Preparing { until } = self.phase else {
            return;
        };
        match fresh {
            Ok(fresh) => {
                self.target.prepared(&self.config, &fresh);
                let hop = self.target.hop(&self.config, &self.last_event_id);
                self.phase = Phase::Sending(Box::new(Asking { hop, fresh, until }));
            }
            Err(error) => self.fail(Cause::Headers(error), now),
        }
    }

    fn send(&mut self) -> Action {
        let Phase::Sending(asking) = std::mem::replace(&mut self.phase, Phase::Closed) else {
            return Action::Done;
        };
        match request::build(&self.config, &asking.hop, &asking.fresh, &self.last_event_id) {
            Ok(request) => {
                self.phase = Phase::Asking(asking);
                Action::Send(Box::new(request))
            }
            Err(error) => Action::Yield(Err(error)),
        }
    }

    /// The head of the answer is there. `url` is who answered, if the transport followed redirects itself.
    pub(crate) fn head(
        &mut self,
        head: response::Parts,
        url: Option<url::Url>,
        now: Instant,
        wall: SystemTime,
    ) {
        let Phase::Asking(asking) = std::mem::replace(&mut self.phase, Phase::Closed) else {
            return;
        };
        let url = url.unwrap_or_else(|| asking.hop.url.clone());
        match Kind::of(&head, &self.config.retry, wall) {
            Kind::Stream => self.open(head, url, now),
            Kind::Stop => {}
            Kind::Redirect => {
                match asking
                    .hop
                    .follow(head.status, &head.headers, self.config.max_redirects)
                {
                    Ok(hop) => {
                        let until = self.head_deadline(now);
                        let fresh = asking.fresh;
                        self.phase = Phase::Sending(Box::new(Asking { hop, fresh, until }));
                    }
                    Err(error) => self.end_with(error),
                }
            }
            Kind::Packed(encoding) => self.end_with(Error::Encoding { encoding }),
            Kind::Refused(reject) => {
                self.phase = Phase::Refused(Box::new(Refused {
                    refusal: Refusal {
                        url,
                        status: head.status,
                        headers: head.headers,
                        body: Bytes::new(),
                    },
                    reject,
                    until: now + REFUSAL_TIME,
                }));
            }
        }
    }

    /// Until when an answer may take to begin. Later than any clock counts is never.
    fn head_deadline(&self, now: Instant) -> Option<Instant> {
        self.config.head_timeout.and_then(|limit| now.checked_add(limit))
    }

    fn open(&mut self, head: response::Parts, url: url::Url, now: Instant) {
        let config = &self.config;
        self.counters.opens += 1;
        self.target.opened(config, &head.headers, &url);
        self.is_renewed = false;
        self.phase = Phase::Open(Box::new(Opened {
            since: now,
            liveness: Liveness::new(config.idle_timeout, config.progress_timeout, &head.headers, now),
            is_fruitful: false,
            has_event: false,
            ends_with_retry: false,
            is_empty: true,
            is_silent: true,
            is_end: false,
            bare: Some(Vec::new()),
        }));
        self.ready.push_back(Ok(Item::Open(Open {
            status: head.status,
            version: head.version,
            headers: head.headers,
            url,
        })));
    }

    /// No answer could be had.
    pub(crate) fn failed(&mut self, error: BoxError, now: Instant) {
        if matches!(self.phase, Phase::Asking(_)) {
            self.fail(Cause::Unreachable(error), now);
        }
    }

    /// Bytes of the body are there.
    pub(crate) fn bytes(&mut self, bytes: Bytes, now: Instant) {
        match &mut self.phase {
            Phase::Open(opened) => {
                opened.liveness.byte(now);
                self.counters.bytes += bytes.len() as u64;
                if self.config.chunks && !bytes.is_empty() {
                    self.ready.push_back(Ok(Item::Chunk(bytes.clone())));
                }
                opened.is_silent &= bytes.is_empty();
                opened.look(&bytes);
                self.inbox.put(bytes, now);
            }
            Phase::Refused(refused) => {
                let room = Refusal::MAX_BODY - refused.refusal.body.len();
                let more = &bytes[..room.min(bytes.len())];
                refused.refusal.body = [&refused.refusal.body, more].concat().into();
                if refused.refusal.body.len() == Refusal::MAX_BODY {
                    self.conclude(now);
                }
            }
            _ => {}
        }
    }

    /// Bytes came that are no text yet, because they are packed.
    pub(crate) fn alive(&mut self, now: Instant) {
        if let Phase::Open(opened) = &mut self.phase {
            opened.liveness.byte(now);
        }
    }

    /// The body is complete.
    pub(crate) fn ended(&mut self, now: Instant) {
        match &self.phase {
            Phase::Open(opened) => match opened.failure() {
                Some(error) => self.end_with(error),
                None => self.fail(Cause::Ended, now),
            },
            Phase::Refused(_) => self.conclude(now),
            _ => {}
        }
    }

    /// The body broke off.
    pub(crate) fn cut(&mut self, error: BoxError, now: Instant) {
        match self.phase {
            Phase::Open(_) => self.fail(Cause::Cut(error), now),
            Phase::Refused(_) => self.conclude(now),
            _ => {}
        }
    }

    /// What was awaited has not come until the moment that [`Action`] named.
    pub(crate) fn timed_out(&mut self, now: Instant) {
        match &self.phase {
            Phase::Preparing { .. } | Phase::Asking(_) => {
                let limit = self.config.head_timeout.unwrap_or_default();
                self.fail(Cause::NoAnswer(limit), now);
            }
            Phase::Refused(_) => self.conclude(now),
            Phase::Open(opened) => {
                if let Some(cause) = opened.liveness.expired(now) {
                    self.fail(cause, now);
                }
            }
            _ => {}
        }
    }

    /// Connects anew as soon as possible. Nothing happens if it is over.
    pub(crate) fn restart(&mut self, now: Instant) {
        let is_under_way = matches!(self.phase, Phase::Ready)
            && matches!(self.ready.back(), Some(Ok(Item::Reconnecting(_))));
        if is_under_way || matches!(self.phase, Phase::Closed) {
            return;
        }
        while self.decode() {}
        if let Phase::Open(opened) = &self.phase
            && opened.judge(&Cause::Restarted, self.backoff.retry().stable_after, now) == Attempt::Success
        {
            self.backoff.succeeded();
        }
        self.ready.push_back(Ok(Item::Reconnecting(Reconnecting {
            attempt: self.backoff.number(),
            delay: Duration::ZERO,
            cause: Cause::Restarted,
        })));
        self.phase = Phase::Ready;
    }

    /// Ends it. What has not been handed out never will be.
    pub(crate) fn close(&mut self) {
        self.ready.clear();
        self.inbox.clear();
        self.phase = Phase::Closed;
    }

    /// Whether something may be under way. If not, the driver drops what it holds.
    pub(crate) fn holds_connection(&self) -> bool {
        match self.phase {
            Phase::Preparing { .. }
            | Phase::Sending(_)
            | Phase::Asking(_)
            | Phase::Refused(_)
            | Phase::Open(_) => true,
            Phase::Ready | Phase::Waiting { .. } | Phase::Closed => false,
        }
    }

    pub(crate) fn ready_state(&self) -> ReadyState {
        match self.phase {
            Phase::Open(_) => ReadyState::Open,
            Phase::Closed if self.ready.is_empty() => ReadyState::Closed,
            _ => ReadyState::Connecting,
        }
    }

    /// The id to resume after, as of the item that was handed out last.
    pub(crate) fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    pub(crate) fn counters(&self) -> Counters {
        Counters {
            waiting: self.ready.len() as u64,
            ..self.counters
        }
    }

    /// The answer was no stream, and what it says is known.
    fn conclude(&mut self, now: Instant) {
        let Phase::Refused(refused) = std::mem::replace(&mut self.phase, Phase::Closed) else {
            return;
        };
        let Refused { refusal, reject, .. } = *refused;
        let refusal = Box::new(refusal);
        let status = refusal.status;
        match reject {
            Reject::ContentType => self.end_with(Error::ContentType(refusal)),
            Reject::Status { .. } if self.may_renew(status) => {
                self.is_renewed = true;
                self.again(Attempt::InVain, Cause::Status(refusal), Wait::None, now);
            }
            Reject::Status { again: true, after } if self.may_ask_after(status) => {
                self.is_renewed = false;
                self.again(Attempt::InVain, Cause::Status(refusal), Wait::After(after), now);
            }
            Reject::Status { .. } => self.end_with(Error::Status(refusal)),
        }
    }

    /// Whether new headers may be what is missing.
    fn may_renew(&self, status: StatusCode) -> bool {
        status == StatusCode::UNAUTHORIZED && self.config.renews && !self.is_renewed
    }

    /// Whether a request may go out again that was refused so. Only a 5xx leaves open what became of it, but for 503.
    fn may_ask_after(&self, status: StatusCode) -> bool {
        let is_undone = !status.is_server_error() || status == StatusCode::SERVICE_UNAVAILABLE;
        is_undone || self.may_repeat()
    }

    fn may_repeat(&self) -> bool {
        self.target.may_repeat(&self.config, &self.last_event_id)
    }

    /// An attempt broke off, or its stream ended: another one, or the end.
    fn fail(&mut self, cause: Cause, now: Instant) {
        let phase = std::mem::replace(&mut self.phase, Phase::Closed);
        let is_ended = matches!(cause, Cause::Ended);
        let (mut attempt, mut wait) = (Attempt::InVain, Wait::After(None));
        // Headers that could not be made went nowhere.
        let was_sent = !matches!(phase, Phase::Preparing { .. });
        if let Phase::Open(opened) = phase {
            attempt = opened.judge(&cause, self.backoff.retry().stable_after, now);
            let (config, cursor) = (&self.config, &self.last_event_id);
            if is_ended && (opened.is_end || self.target.ends_when_ended(config, cursor, opened.is_silent)) {
                return;
            }
            // The server has more, or says at once that nothing is left. An end without an event or after a `retry` may be a
            // cut, which an HTTP/1.0 hop passes on as an end.
            let has_more = opened.has_event && !opened.ends_with_retry;
            if is_ended && has_more && self.target.goes_on(cursor) {
                wait = Wait::None;
            }
        }
        self.is_renewed = false;
        if was_sent && !self.may_repeat() {
            let method = self.config.method.clone();
            return self.end_with(Error::NotRepeatable { method, cause });
        }
        self.again(attempt, cause, wait, now);
    }

    /// Another attempt, unless there were too many.
    fn again(&mut self, attempt: Attempt, cause: Cause, wait: Wait, now: Instant) {
        let after = match wait {
            Wait::After(after) => after,
            Wait::None => None,
        };
        match self.backoff.next(attempt, after) {
            Next::Wait { number, delay } => {
                let delay = match wait {
                    Wait::After(_) => delay,
                    Wait::None => Duration::ZERO,
                };
                self.ready.push_back(Ok(Item::Reconnecting(Reconnecting {
                    attempt: number,
                    delay,
                    cause,
                })));
                self.phase = Phase::Waiting { until: now + delay };
            }
            Next::GiveUp { attempts } => self.end_with(Error::GaveUp { attempts, cause }),
            Next::Fruitless { answers } => self.end_with(Error::Fruitless { answers }),
        }
    }

    fn end_with(&mut self, error: Error) {
        self.ready.push_back(Err(error));
        self.phase = Phase::Closed;
    }
}

impl Opened {
    /// Keeps the body's bytes while they may be JSON.
    fn look(&mut self, bytes: &[u8]) {
        let Some(bare) = &mut self.bare else { return };
        bare.extend_from_slice(&bytes[..bytes.len().min(MAX_BARE + 1)]);
        let text = bare
            .strip_prefix(b"\xef\xbb\xbf")
            .unwrap_or(bare)
            .trim_ascii_start();
        if bare.len() > MAX_BARE || !matches!(text.first(), None | Some(b'{' | b'[' | 0xef)) {
            self.bare = None;
        }
    }

    /// The error that came as JSON, where a stream was promised.
    fn failure(&self) -> Option<Error> {
        let body = self.bare.as_deref().filter(|_| self.is_empty)?;
        let body = str::from_utf8(body).ok()?;
        let message = failure_of_body(body)?;
        let event = Box::new(Message {
            name: "message".into(),
            data: body.to_owned(),
            last_event_id: String::new(),
            has_id: false,
        });
        Some(Error::Provider { message, event })
    }

    fn judge(&self, cause: &Cause, stable_after: Duration, now: Instant) -> Attempt {
        if self.is_fruitful || now.saturating_duration_since(self.since) >= stable_after {
            Attempt::Success
        } else if self.is_empty && matches!(cause, Cause::Ended) {
            Attempt::Fruitless
        } else {
            Attempt::InVain
        }
    }
}
