//! The session with a virtual clock: no socket, no runtime.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};

use super::{Action, ReadyState, Session};
use crate::{Builder, Cause, Error, EventSource, Item, Prime, Repeat, Retry};

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

#[test]
fn a_request_says_what_it_wants_and_no_id_that_there_is_not() {
    let request = Rig::get().request();
    assert_eq!(request.method(), Method::GET);
    assert_eq!(request.uri(), "https://a.example/events");
    assert_eq!(request.headers()["accept"], "text/event-stream");
    let cache: Vec<_> = request.headers().get_all("cache-control").iter().collect();
    assert_eq!(cache, ["no-cache", "no-store"]);
    assert_eq!(last_event_id(&request), None);
}

#[test]
fn the_last_event_id_is_sent_as_utf_8_and_kept_over_streams_without_events() {
    let mut rig = Rig::get();
    rig.open();
    assert_eq!(rig.feed("id: é→\ndata: 1\n\nid: unfinished\ndata: 2\n"), ["1"]);
    for _ in 0..3 {
        rig.cut();
        rig.again();
        let request = rig.open();
        assert_eq!(last_event_id(&request), Some("é→".as_bytes()));
    }
}

#[test]
fn a_block_without_data_commits_its_id_and_an_empty_id_takes_it_back() {
    let mut rig = Rig::get();
    rig.open();
    assert_eq!(rig.feed("id: 7\n\n"), [""; 0]);
    assert_eq!(rig.session.last_event_id(), "7");
    rig.cut();
    rig.again();
    assert_eq!(last_event_id(&rig.open()), Some(&b"7"[..]));
    assert_eq!(rig.feed("id:\ndata: x\n\n"), ["x"]);
    rig.cut();
    rig.again();
    assert_eq!(last_event_id(&rig.open()), None);
}

#[test]
fn a_stored_id_is_sent_with_the_first_request() {
    let mut rig = Rig::new(EventSource::get("https://a.example/").last_event_id("42"));
    assert_eq!(rig.session.last_event_id(), "42");
    assert_eq!(last_event_id(&rig.request()), Some(&b"42"[..]));
}

#[test]
fn an_id_that_no_header_can_carry_is_an_error_and_not_a_stream_from_somewhere_else() {
    let mut rig = Rig::get();
    rig.open();
    rig.feed("id: a\u{1}b\ndata: 1\n\n");
    rig.cut();
    rig.again();
    assert!(matches!(rig.poll(), Action::Prepare));
    rig.session.prepared(Ok(http::HeaderMap::new()), rig.now);
    assert!(matches!(rig.item(), Err(Error::LastEventId { .. })));
    assert!(rig.is_done());
}

#[test]
fn the_id_is_that_of_what_was_handed_out_not_of_what_was_read() {
    let mut rig = Rig::get();
    rig.open();
    let bytes = Bytes::from_static(b"id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\n\n");
    rig.session.bytes(bytes, rig.now);
    assert!(rig.item().is_ok());
    assert_eq!(rig.session.last_event_id(), "1");
    assert_eq!(rig.session.counters().waiting, 1);
    rig.session.close();
    assert!(rig.is_done());
    assert_eq!(rig.session.last_event_id(), "1", "2 was never handed out");
}

#[test]
fn nothing_comes_after_close() {
    let mut rig = Rig::get();
    rig.open();
    rig.session.bytes(Bytes::from_static(b"data: a\n\n"), rig.now);
    rig.session.close();
    assert!(rig.is_done());
    rig.session.bytes(Bytes::from_static(b"data: b\n\n"), rig.now);
    rig.ended();
    rig.session.restart(rig.now);
    assert!(rig.is_done());
}

#[test]
fn a_restart_hands_out_what_was_read_and_connects_at_once() {
    let mut rig = Rig::get();
    rig.open();
    rig.session.bytes(
        Bytes::from_static(b"id: 1\ndata: a\n\nid: 2\ndata: b\n\nda"),
        rig.now,
    );
    assert!(rig.item().is_ok());
    rig.session.restart(rig.now);
    assert!(!rig.session.holds_connection());
    assert!(matches!(rig.item(), Ok(Item::Event(event)) if event.data == "b"));
    let Ok(Item::Reconnecting(again)) = rig.item() else {
        panic!("it says so");
    };
    assert!(matches!(again.cause, Cause::Restarted) && again.delay.is_zero());
    assert_eq!(last_event_id(&rig.open()), Some(&b"2"[..]));
    assert_eq!(
        rig.feed("ta: c\n\n"),
        [""; 0],
        "the unfinished line went with its stream"
    );
}

#[test]
fn a_restart_does_not_wait_for_a_delay() {
    let mut rig = Rig::get();
    rig.request();
    rig.session.failed("refused".into(), rig.now);
    assert!(matches!(rig.item(), Ok(Item::Reconnecting(_))));
    assert!(matches!(rig.poll(), Action::Sleep { .. }));
    rig.session.restart(rig.now);
    assert!(matches!(rig.item(), Ok(Item::Reconnecting(_))));
    rig.request();
}

#[test]
fn attempts_are_counted_from_the_last_success() {
    let mut rig = Rig::get();
    for number in 2..5 {
        rig.request();
        rig.session.failed("refused".into(), rig.now);
        let (cause, attempt) = rig.again();
        assert!(matches!(cause, Cause::Unreachable(_)));
        assert_eq!(attempt, number);
    }
    rig.open();
    rig.cut();
    assert_eq!(rig.again().1, 5, "it opened, but brought nothing");
    rig.open();
    rig.feed("data: new\n\n");
    rig.cut();
    assert_eq!(rig.again().1, 1, "it brought something");
}

#[test]
fn an_event_that_was_known_is_no_success_and_a_stable_time_is() {
    let mut rig = Rig::new(EventSource::get("https://a.example/").last_event_id("1"));
    rig.open();
    rig.feed("id: 1\ndata: again the same\n\n");
    rig.cut();
    assert_eq!(rig.again().1, 2);
    rig.open();
    rig.now += SECOND * 10;
    rig.cut();
    assert_eq!(rig.again().1, 1);
}

#[test]
fn it_gives_up_after_as_many_attempts_as_it_may_make() {
    let retry = Retry {
        max_attempts: Some(2),
        ..Retry::default()
    };
    let mut rig = Rig::new(EventSource::get("https://a.example/").retry(retry));
    rig.request();
    rig.session.failed("refused".into(), rig.now);
    rig.again();
    rig.request();
    rig.session.failed("refused".into(), rig.now);
    let Err(error @ Error::GaveUp { attempts: 2, .. }) = rig.item() else {
        panic!("it gives up");
    };
    assert!(error.is_final());
    assert_eq!(
        std::error::Error::source(&error).unwrap().to_string(),
        "no answer: refused"
    );
    assert!(rig.is_done());
}

#[test]
fn streams_that_open_and_end_at_once_are_not_asked_for_for_ever() {
    let mut rig = Rig::get();
    for _ in 1..10 {
        rig.open();
        rig.feed(": hello\n\n");
        rig.ended();
        assert!(matches!(rig.again().0, Cause::Ended));
    }
    rig.open();
    rig.ended();
    assert!(matches!(rig.item(), Err(Error::Fruitless { answers: 10 })));
    assert!(rig.is_done());
}

#[test]
fn a_server_that_means_to_be_polled_says_so_with_retry_or_an_id() {
    for says in ["retry: 5000\n", "id: 1\n\nid: 2\n\n"] {
        let mut rig = Rig::get();
        for _ in 0..30 {
            rig.open();
            rig.feed(says);
            if rig.session.last_event_id() == "2" {
                rig.feed("id: 3\n\n");
            }
            rig.ended();
            rig.again();
        }
    }
}

#[test]
fn the_servers_retry_is_kept_to_with_a_floor() {
    let mut rig = Rig::get();
    rig.open();
    rig.feed("retry: 20000\nretry: 1e3\nretry: \ndata: x\n\n");
    rig.cut();
    let before = rig.now;
    rig.again();
    assert!(rig.now - before <= SECOND * 20);
    rig.open();
    rig.feed("retry: 0\ndata: x\n\n");
    rig.cut();
    let before = rig.now;
    rig.again();
    assert_eq!(rig.now - before, Duration::from_millis(100));
}

#[test]
fn statuses_that_may_change_are_asked_again_after_the_time_they_name() {
    for status in [429, 500, 502, 503, 504] {
        let mut rig = Rig::get();
        rig.request();
        rig.head(status, &[("retry-after", "7")]);
        rig.session.bytes(Bytes::from_static(b"busy"), rig.now);
        rig.ended();
        let before = rig.now;
        let Cause::Status(refusal) = rig.again().0 else {
            panic!("{status}");
        };
        assert_eq!((refusal.status.as_u16(), &*refusal.text()), (status, "busy"));
        assert!(rig.now - before >= SECOND * 7);
    }
}

#[test]
fn a_retry_after_that_is_a_date_is_counted_from_the_wall_clock() {
    let mut rig = Rig::get();
    rig.wall = UNIX_EPOCH + Duration::from_secs(784_111_747);
    rig.request();
    rig.head(503, &[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")]);
    rig.ended();
    let before = rig.now;
    rig.again();
    let waited = rig.now - before;
    assert!(waited >= SECOND * 30 && waited <= SECOND * 31, "{waited:?}");
}

#[test]
fn other_statuses_end_it_with_what_they_say() {
    for status in [201, 206, 304, 400, 401, 403, 404, 410, 422] {
        let mut rig = Rig::get();
        rig.request();
        rig.head(status, &[("x-reason", "none")]);
        rig.session.bytes(Bytes::from_static(b"no such "), rig.now);
        rig.session.bytes(Bytes::from_static(b"topic"), rig.now);
        rig.ended();
        let Err(Error::Status(refusal)) = rig.item() else {
            panic!("{status}");
        };
        assert_eq!(refusal.status.as_u16(), status);
        assert_eq!(refusal.headers["x-reason"], "none");
        assert_eq!(refusal.text(), "no such topic");
        assert!(rig.is_done());
    }
}

#[test]
fn a_refusal_without_end_is_cut_by_size_and_by_time() {
    let mut rig = Rig::get();
    rig.request();
    rig.head(404, &[]);
    rig.session.bytes(Bytes::from(vec![b'x'; 6000]), rig.now);
    rig.session.bytes(Bytes::from(vec![b'x'; 6000]), rig.now);
    let Err(Error::Status(refusal)) = rig.item() else {
        panic!("enough was read");
    };
    assert_eq!(refusal.body.len(), crate::Refusal::MAX_BODY);

    let mut rig = Rig::get();
    rig.request();
    rig.head(404, &[]);
    rig.session.bytes(Bytes::from_static(b"wait"), rig.now);
    rig.expire();
    assert!(matches!(rig.item(), Err(Error::Status(refusal)) if refusal.text() == "wait"));
}

#[test]
fn what_is_no_event_stream_is_shown() {
    let mut rig = Rig::get();
    rig.request();
    rig.head(200, &[("content-type", "text/html; charset=utf-8")]);
    rig.session
        .bytes(Bytes::from_static(b"<!doctype html>\n<p>Log in"), rig.now);
    rig.ended();
    let error = rig.item().unwrap_err();
    assert!(matches!(error, Error::ContentType(_)));
    let text = error.to_string();
    assert!(
        text.contains("text/html") && text.contains("<!doctype html>"),
        "{text}"
    );
}

#[test]
fn no_content_stops_for_good() {
    let mut rig = Rig::get();
    rig.request();
    rig.head(204, &[]);
    assert!(rig.is_done());
}

#[test]
fn silence_and_standstill_are_told_apart() {
    let builder = EventSource::get("https://a.example/")
        .idle_timeout(SECOND * 3)
        .progress_timeout(SECOND * 5);
    let mut rig = Rig::new(builder);
    rig.open();
    for _ in 0..2 {
        rig.now += SECOND * 2;
        rig.feed(":\n");
    }
    rig.expire();
    assert!(matches!(rig.again().0, Cause::NoProgress(_)));
    rig.open();
    rig.expire();
    assert!(matches!(rig.again().0, Cause::Silent(_)));
}

#[test]
fn bytes_that_make_no_text_yet_are_signs_of_life() {
    let mut rig = Rig::new(EventSource::get("https://a.example/").idle_timeout(SECOND * 3));
    rig.open();
    rig.now += SECOND * 2;
    rig.session.alive(rig.now);
    let Action::Read { until } = rig.poll() else {
        panic!("it reads on");
    };
    assert_eq!(until, Some(rig.now + SECOND * 3));
}

#[test]
fn an_announced_heartbeat_is_waited_for_three_times() {
    let mut rig = Rig::get();
    rig.open_with(&[("tidewire-heartbeat", "15")]);
    let before = rig.now;
    rig.expire();
    assert_eq!(rig.now - before, SECOND * 45);
    assert!(matches!(rig.again().0, Cause::Silent(_)));
}

#[test]
fn a_head_that_does_not_come_is_not_waited_for() {
    let mut rig = Rig::new(EventSource::get("https://a.example/").head_timeout(SECOND));
    rig.request();
    rig.expire();
    assert!(matches!(rig.again().0, Cause::NoAnswer(SECOND)));
    assert!(matches!(rig.poll(), Action::Prepare));
    rig.expire();
    assert!(
        matches!(rig.again().0, Cause::NoAnswer(_)),
        "nor are headers that are not made"
    );
}

#[test]
fn headers_that_cannot_be_made_are_an_attempt_in_vain() {
    let mut rig = Rig::get();
    assert!(matches!(rig.poll(), Action::Prepare));
    rig.session.prepared(Err("no token".into()), rig.now);
    let (cause, attempt) = rig.again();
    assert_eq!(cause.to_string(), "the headers could not be had: no token");
    assert_eq!(attempt, 2);
}

#[test]
fn the_callers_headers_stay_with_their_origin() {
    let builder = EventSource::request(Method::POST, "https://me:pass@a.example/x")
        .header("x-key", "secret")
        .header("cookie", "a=b")
        .header("content-type", "application/json")
        .last_event_id("7")
        .body("{}");
    let mut rig = Rig::new(builder);
    let request = rig.request();
    assert_eq!(request.uri(), "https://a.example/x");
    assert_eq!(request.headers()["authorization"], "Basic bWU6cGFzcw==");
    rig.head(307, &[("location", "/y")]);
    let request = rig.request();
    assert_eq!(request.uri(), "https://a.example/y");
    assert_eq!(request.headers()["authorization"], "Basic bWU6cGFzcw==");
    assert_eq!(request.headers()["x-key"], "secret");
    rig.head(308, &[("location", "https://u:p@b.example/z")]);
    let request = rig.request();
    assert_eq!(request.uri(), "https://b.example/z");
    for kept_back in ["authorization", "x-key", "cookie"] {
        assert!(!request.headers().contains_key(kept_back), "{kept_back}");
    }
    assert_eq!(request.headers()["content-type"], "application/json");
    assert_eq!(
        (request.body().as_ref(), last_event_id(&request)),
        (&b"{}"[..], Some(&b"7"[..]))
    );
    rig.head(200, &[STREAM]);
    assert!(matches!(rig.item(), Ok(Item::Open(open)) if open.url.as_str() == "https://u:p@b.example/z"));
    rig.session.restart(rig.now);
    assert!(rig.item().is_ok());
    let request = rig.request();
    assert_eq!(
        request.uri(),
        "https://a.example/x",
        "the next attempt begins where the first one did"
    );
    assert_eq!(request.headers()["x-key"], "secret");
}

#[test]
fn redirects_without_end_or_goal_are_errors() {
    let mut rig = Rig::new(EventSource::get("https://a.example/").max_redirects(3));
    rig.request();
    for _ in 0..3 {
        rig.head(302, &[("location", "/")]);
        rig.request();
    }
    rig.head(302, &[("location", "/")]);
    assert!(matches!(rig.item(), Err(Error::TooManyRedirects { max: 3, .. })));
    assert!(rig.is_done());
    for location in [&[("location", "")][..], &[]] {
        let mut rig = Rig::get();
        rig.request();
        rig.head(301, location);
        assert!(matches!(rig.item(), Err(Error::Redirect { .. })));
        assert!(rig.is_done());
    }
}

#[test]
fn a_post_that_has_opened_is_not_sent_again() {
    let mut rig = Rig::new(post());
    rig.request();
    rig.session.failed("refused".into(), rig.now);
    rig.again();
    rig.open();
    rig.feed("data: Hel\n\n");
    rig.cut();
    assert!(matches!(rig.item(), Err(Error::NotRepeatable { .. })));
    assert!(rig.is_done());
}

#[test]
fn a_post_whose_answer_has_ended_is_complete() {
    for headers in [
        &[][..],
        &[("tidewire-stream", "/relay/x")],
        &[("tidewire-resume", "live")],
    ] {
        let mut rig = Rig::new(post());
        rig.open_with(headers);
        rig.feed("data: Hello\n\n");
        rig.ended();
        assert!(rig.is_done());
    }
}

#[test]
fn a_post_to_a_server_that_resumes_is_sent_again_with_the_last_event_id() {
    for headers in [("tidewire-stream", "/relay/x"), ("tidewire-resume", "live")] {
        let mut rig = Rig::new(post());
        rig.open_with(&[headers]);
        rig.feed("id: x.1\ndata: Hel\n\n");
        rig.cut();
        rig.again();
        let request = rig.request();
        assert_eq!((request.method(), request.uri().path()), (&Method::POST, "/chat"));
        assert_eq!(request.body().as_ref(), br#"{"prompt":"hi"}"#);
        assert_eq!(last_event_id(&request), Some(&b"x.1"[..]));
    }
}

#[test]
fn an_answer_that_was_cut_before_its_first_event_is_read_by_its_name() {
    let mut rig = Rig::new(post().bearer("t"));
    rig.open_with(&[("tidewire-stream", "/relay/x")]);
    rig.cut();
    rig.again();
    let request = rig.request();
    assert_eq!(
        request.method(),
        Method::GET,
        "the same POST would ask the upstream again"
    );
    assert_eq!(request.uri(), "https://a.example/relay/x");
    assert_eq!(request.headers()["authorization"], "Bearer t");
    assert!(request.body().is_empty());
    rig.head(200, &[STREAM]);
    assert!(rig.item().is_ok());
    rig.feed("id: x.1\ndata: Hello\n\n");
    rig.ended();
    assert!(rig.is_done());
}

#[test]
fn an_answers_name_is_not_taken_from_another_origin_nor_the_headers_to_it() {
    let mut rig = Rig::new(post().bearer("t"));
    rig.open_with(&[("tidewire-stream", "https://evil.example/x")]);
    rig.cut();
    rig.again();
    assert_eq!(rig.request().uri(), "https://a.example/chat");

    let mut rig = Rig::new(post().bearer("t"));
    rig.request();
    rig.head(307, &[("location", "https://b.example/chat")]);
    rig.request();
    rig.head(200, &[STREAM, ("tidewire-stream", "/relay/x")]);
    assert!(rig.item().is_ok());
    rig.cut();
    rig.again();
    let request = rig.request();
    assert_eq!(request.uri(), "https://b.example/relay/x");
    assert!(!request.headers().contains_key("authorization"));
}

#[test]
fn a_caller_may_allow_or_forbid_repetition() {
    let mut rig = Rig::new(post().repeat(Repeat::Always));
    for _ in 0..3 {
        rig.open();
        rig.feed("data: x\n\n");
        rig.ended();
        rig.again();
    }
    let mut rig = Rig::new(EventSource::get("https://a.example/").repeat(Repeat::Never));
    rig.open();
    rig.ended();
    assert!(rig.is_done());
    let mut rig = Rig::new(EventSource::get("https://a.example/").repeat(Repeat::Never));
    rig.open();
    rig.cut();
    assert!(matches!(rig.item(), Err(Error::NotRepeatable { .. })));
}

#[test]
fn requests_that_only_read_are_repeated_whatever_their_method() {
    for method in ["GET", "QUERY", "REPORT", "SEARCH"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut rig = Rig::new(EventSource::request(method.clone(), "https://a.example/").body("q"));
        rig.open();
        rig.ended();
        rig.again();
        assert_eq!(*rig.request().method(), method);
    }
}

#[test]
fn a_primed_cursor_is_asked_for_where_the_server_has_shown_that_it_knows_it() {
    let mut rig = Rig::new(EventSource::get("https://a.example/events?topic=a"));
    assert_eq!(rig.open().uri().query(), Some("topic=a"));
    rig.cut();
    rig.again();
    assert_eq!(
        rig.open_with(&[("tidewire-resume", "live")]).uri().query(),
        Some("topic=a")
    );
    rig.cut();
    rig.again();
    assert_eq!(rig.open().uri().query(), Some("topic=a&prime=1"));
    rig.feed("id: ~x-1\n\n");
    rig.cut();
    rig.again();
    let request = rig.open();
    assert_eq!(request.uri().query(), Some("topic=a"), "it has one");
    assert_eq!(last_event_id(&request), Some(&b"~x-1"[..]));

    let always = EventSource::get("https://a.example/").prime(Prime::Always);
    assert_eq!(Rig::new(always).request().uri().query(), Some("prime=1"));
}

#[test]
fn a_gap_is_an_item_and_goes_into_the_last_event_id() {
    let mut rig = Rig::get();
    rig.open();
    let data = "id: ~e-12\nevent: tidewire.gap\ndata: {\"reason\":\"expired\",\"requested\":\"~e-1\",\"resumed_after\":\"~e-12\"}\n\n";
    rig.session.bytes(Bytes::from_static(data.as_bytes()), rig.now);
    let Ok(Item::Gap(gap)) = rig.item() else {
        panic!("a gap");
    };
    assert_eq!(gap.to_string(), "events are missing (expired) after \"~e-1\"");
    assert_eq!(gap.resumed_after.as_deref(), Some("~e-12"));
    assert_eq!(rig.session.last_event_id(), "~e-12");
    assert_eq!(rig.session.counters().gaps, 1);
    assert_eq!(
        rig.feed("event: tidewire.gap\ndata: nothing of ours\n\n"),
        ["nothing of ours"]
    );
}

#[test]
fn an_event_over_a_limit_is_an_error_in_its_place() {
    let limits = crate::Limits {
        max_event: 10,
        ..crate::Limits::default()
    };
    let mut rig = Rig::new(EventSource::get("https://a.example/").limits(limits));
    rig.open();
    let items = rig.feed("data: one\n\ndata: much too long\n\ndata: three\n\n");
    assert_eq!((items.len(), &*items[0], &*items[2]), (3, "one", "three"));
    assert!(items[1].contains("more than 10 bytes"), "{}", items[1]);
    assert_eq!(rig.session.counters().overlong, 1);
}

#[test]
fn a_chunk_is_shown_before_what_it_completes_and_comments_on_request() {
    let mut rig = Rig::new(EventSource::get("https://a.example/").chunks(true).comments(true));
    rig.open();
    let items = rig.feed(": hi\ndata: x\n\n");
    assert_eq!(items, [r#"Chunk(b": hi\ndata: x\n\n")"#, "Comment(\"hi\")", "x"]);
    assert_eq!(rig.session.counters().bytes, 14);
}

#[test]
fn lag_is_the_time_between_read_and_taken() {
    let mut rig = Rig::get();
    rig.open();
    rig.session
        .bytes(Bytes::from_static(b"data: a\n\ndata: b\n\n"), rig.now);
    assert!(rig.item().is_ok());
    assert_eq!(rig.session.counters().lag, Duration::ZERO);
    rig.now += SECOND * 3;
    assert!(rig.item().is_ok());
    assert_eq!(rig.session.counters().lag, SECOND * 3);
}

#[test]
fn what_waits_is_little_however_large_a_chunk_is() {
    let mut rig = Rig::get();
    rig.open();
    rig.session
        .bytes(Bytes::from("data\n\n".repeat(100_000)), rig.now);
    for _ in 0..100_000 {
        assert!(rig.item().is_ok());
        assert!(rig.session.counters().waiting < 1000);
    }
    assert!(matches!(rig.poll(), Action::Read { .. }));
}
