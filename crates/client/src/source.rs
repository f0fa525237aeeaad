//! The source: it drives a session with a transport and the clock, and decides nothing itself.
//!
//! There is no task behind it. All that happens happens while it is polled, so nothing outlives it: dropping it
//! drops the connection.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Instant, SystemTime},
};

use futures_core::{Stream, stream::FusedStream};
use http::{HeaderMap, Method};
use serde::de::DeserializeOwned;
use tokio::{task::coop, time::Sleep};

use crate::{
    builder::{Builder, Config, Headers},
    counters::Counters,
    error::{BoxError, Error},
    events::Events,
    item::Item,
    json::Json,
    session::{Action, ReadyState, Session},
    text::Text,
    transport::{Sending, Transport, unpack::Reader},
};

/// An event stream that comes back: a `Stream` of [`Item`]s. The crate's text has an example.
///
/// It may be dropped, or not polled, at any moment (`select!`): nothing is lost.
#[must_use = "nothing happens until it is polled"]
pub struct EventSource {
    session: Session,
    fresh: Option<Headers>,
    transport: Transport,
    io: Io,
    timer: Option<Pin<Box<Sleep>>>,
}

/// What is under way.
enum Io {
    Nothing,
    Headers(Pin<Box<dyn Future<Output = Result<HeaderMap, BoxError>> + Send>>),
    Sending(Sending),
    Body(Reader),
}

impl EventSource {
    /// Begins a source that reads with GET.
    pub fn get(url: impl AsRef<str>) -> Builder {
        Self::request(Method::GET, url)
    }

    /// Begins a source that sends any request: POST with a prompt, QUERY with parameters.
    pub fn request(method: Method, url: impl AsRef<str>) -> Builder {
        Builder::new(method, url.as_ref())
    }

    pub(crate) fn new(config: Config, fresh: Option<Headers>, transport: Transport) -> Self {
        Self {
            session: Session::new(config, fastrand::u64(..)),
            fresh,
            transport,
            io: Io::Nothing,
            timer: None,
        }
    }

    /// Whether it is connected.
    #[must_use]
    pub fn ready_state(&self) -> ReadyState {
        self.session.ready_state()
    }

    /// The id to resume after, as of the item that came last: who stores it, and begins there another time
    /// ([`Builder::last_event_id`]), misses nothing. Empty if there is none.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        self.session.last_event_id()
    }

    /// What it has done so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.session.counters()
    }

    /// Leaves the connection and makes a new one at once, whatever it waits for. Items that were read already still
    /// come. Nothing happens to a source that is closed.
    pub fn restart(&mut self) {
        self.session.restart(now());
        self.io = Io::Nothing;
    }

    /// Closes it. Nothing comes after this, not even what was read already.
    pub fn close(&mut self) {
        self.session.close();
        self.io = Io::Nothing;
    }

    /// Only the events. See [`Events`].
    pub fn events(self) -> Events {
        Events::new(self)
    }

    /// The events' data, as JSON. See [`Json`].
    pub fn json<T: DeserializeOwned>(self) -> Json<T> {
        Json::new(self)
    }

    /// The growing text of an AI's answer, piece by piece. See [`Text`].
    pub fn text(self) -> Text {
        Text::new(self)
    }

    /// Waits for a moment. Ready: it is there.
    fn poll_timer(&mut self, until: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(until) = until else {
            return Poll::Pending;
        };
        let until = tokio::time::Instant::from_std(until);
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if timer.deadline() != until {
            timer.as_mut().reset(until);
        }
        timer.as_mut().poll(cx)
    }

    /// Waits for headers or an answer.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.io {
            Io::Headers(headers) => {
                let headers = ready!(headers.as_mut().poll(cx));
                self.io = Io::Nothing;
                self.session.prepared(headers, now());
            }
            Io::Sending(sending) => {
                let answer = ready!(sending.as_mut().poll(cx));
                self.io = Io::Nothing;
                match answer {
                    Ok(answer) => {
                        self.io = Io::Body(Reader::new(answer.body, &answer.head.headers));
                        self.session.head(answer.head, answer.url, now(), wall());
                    }
                    Err(error) => self.session.failed(error, now()),
                }
            }
            Io::Nothing | Io::Body(_) => return Poll::Pending,
        }
        Poll::Ready(())
    }

    /// Waits for bytes.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Io::Body(reader) = &mut self.io else {
            return Poll::Pending;
        };
        match reader.poll(cx) {
            Poll::Ready(Some(Ok(bytes))) => self.session.bytes(bytes, now()),
            Poll::Ready(Some(Err(error))) => self.session.cut(error, now()),
            Poll::Ready(None) => self.session.ended(now()),
            Poll::Pending if reader.is_alive() => self.session.alive(now()),
            Poll::Pending => return Poll::Pending,
        }
        Poll::Ready(())
    }
}

impl Stream for EventSource {
    type Item = Result<Item, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            // A body may have bytes without end and no item in them (packed, from a service in the same process):
            // other tasks get their turn, too.
            ready!(coop::poll_proceed(cx)).made_progress();
            let action = this.session.poll(now());
            if !this.session.holds_connection() {
                this.io = Io::Nothing;
            }
            let (progress, until) = match action {
                Action::Yield(item) => return Poll::Ready(Some(item)),
                Action::Done => return Poll::Ready(None),
                Action::Prepare => {
                    match &mut this.fresh {
                        Some(make) => this.io = Io::Headers(make()),
                        None => this.session.prepared(Ok(HeaderMap::new()), now()),
                    }
                    continue;
                }
                Action::Send(request) => {
                    this.io = Io::Sending((this.transport)(*request));
                    continue;
                }
                Action::Await { until } => (this.poll_head(cx), until),
                Action::Read { until } => (this.poll_body(cx), until),
                Action::Sleep { until } => {
                    ready!(this.poll_timer(Some(until), cx));
                    continue;
                }
            };
            // What came counts, even if its time was over: only then is the clock looked at.
            if progress.is_pending() {
                ready!(this.poll_timer(until, cx));
                this.session.timed_out(now());
            }
        }
    }
}

impl FusedStream for EventSource {
    fn is_terminated(&self) -> bool {
        self.ready_state() == ReadyState::Closed
    }
}

impl fmt::Debug for EventSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSource")
            .field("ready_state", &self.ready_state())
            .field("last_event_id", &self.last_event_id())
            .field("counters", &self.counters())
            .finish_non_exhaustive()
    }
}

/// The runtime's clock, which tests can pause.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place of this crate: `Retry-After` may be a date"
)]
fn wall() -> SystemTime {
    SystemTime::now()
}
