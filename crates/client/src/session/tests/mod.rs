//! The session with a virtual clock: no socket, no runtime.

mod answers;
mod chaos;
mod ids;
mod items;
mod life;
mod requests;
mod retry;
mod vectors;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};

use super::{Action, ReadyState, Session};
use crate::{Builder, Cause, Error, EventSource, Item};

const SECOND: Duration = Duration::from_secs(1);
const STREAM: (&str, &str) = ("content-type", "text/event-stream");

/// A session, and the time it is.
struct Rig {
    session: Session,
    now: Instant,
    wall: SystemTime,
}

impl Rig {
    #[expect(clippy::disallowed_methods, reason = "any moment will do: time is passed in")]
    fn new(builder: Builder) -> Self {
        Self {
            session: Session::new(builder.config.unwrap(), 7),
            now: Instant::now(),
            wall: UNIX_EPOCH,
        }
    }

    fn get() -> Self {
        Self::new(EventSource::get("https://a.example/events"))
    }

    fn poll(&mut self) -> Action {
        self.session.poll(self.now)
    }

    /// The next item.
    fn item(&mut self) -> Result<Item, Error> {
        match self.poll() {
            Action::Yield(item) => item,
            other => panic!("{other:?}"),
        }
    }

    /// The request of the next attempt, or of a redirect.
    fn request(&mut self) -> Request<Bytes> {
        loop {
            match self.poll() {
                Action::Prepare => self.session.prepared(Ok(http::HeaderMap::new()), self.now),
                Action::Send(request) => return *request,
                other => panic!("{other:?}"),
            }
        }
    }

    fn head(&mut self, status: u16, headers: &[(&'static str, &'static str)]) {
        assert!(matches!(self.poll(), Action::Await { .. }));
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        for &(name, value) in headers {
            let value = HeaderValue::from_static(value);
            response
                .headers_mut()
                .append(HeaderName::from_static(name), value);
        }
        let head = response.into_parts().0;
        self.session.head(head, None, self.now, self.wall);
    }

    /// Asks, and gets a stream.
    fn open_with(&mut self, headers: &[(&'static str, &'static str)]) -> Request<Bytes> {
        let request = self.request();
        self.head(200, &[&[STREAM], headers].concat());
        assert!(matches!(self.item(), Ok(Item::Open(_))));
        assert_eq!(self.session.ready_state(), ReadyState::Open);
        assert!(matches!(self.poll(), Action::Read { .. }));
        request
    }

    fn open(&mut self) -> Request<Bytes> {
        self.open_with(&[])
    }

    /// Bytes come; what they make.
    fn feed(&mut self, bytes: &'static str) -> Vec<String> {
        self.session.bytes(Bytes::from_static(bytes.as_bytes()), self.now);
        let mut items = Vec::new();
        loop {
            match self.poll() {
                Action::Yield(Ok(Item::Event(event))) => items.push(event.data),
                Action::Yield(Ok(other)) => items.push(format!("{other:?}")),
                Action::Yield(Err(error)) => items.push(error.to_string()),
                Action::Read { .. } => return items,
                other => panic!("{other:?}"),
            }
        }
    }

    /// It comes again: why, and the number of the attempt; then it is time.
    fn again(&mut self) -> (Cause, u32) {
        let again = match self.item() {
            Ok(Item::Reconnecting(again)) => again,
            other => panic!("{other:?}"),
        };
        assert_eq!(self.session.ready_state(), ReadyState::Connecting);
        let until = match self.poll() {
            Action::Sleep { until } => until,
            other => panic!("{other:?}"),
        };
        assert_eq!(until, self.now + again.delay);
        self.now = until;
        (again.cause, again.attempt)
    }

    fn cut(&mut self) {
        self.session.cut("cut".into(), self.now);
    }

    fn ended(&mut self) {
        self.session.ended(self.now);
    }

    /// Lets time pass until the next deadline.
    fn expire(&mut self) {
        let until = match self.poll() {
            Action::Await { until } | Action::Read { until } => until.expect("a deadline"),
            other => panic!("{other:?}"),
        };
        self.now = until;
        self.session.timed_out(self.now);
    }

    fn is_done(&mut self) -> bool {
        matches!(self.poll(), Action::Done) && self.session.ready_state() == ReadyState::Closed
    }
}

fn post() -> Builder {
    EventSource::request(Method::POST, "https://a.example/chat").json(&serde_json::json!({"prompt": "hi"}))
}

fn last_event_id(request: &Request<Bytes>) -> Option<&[u8]> {
    request.headers().get("last-event-id").map(HeaderValue::as_bytes)
}
