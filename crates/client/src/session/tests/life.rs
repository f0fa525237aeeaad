//! Close, restart, and time that passes.

use std::time::Duration;

use bytes::Bytes;

use super::{Rig, SECOND, last_event_id};
use crate::session::Action;
use crate::{Cause, EventSource, Item};

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
    assert!(matches!(rig.item(), Ok(Item::Reconnecting(again)) if again.attempt == 2));
    rig.request();
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
fn a_reader_that_is_slow_itself_does_not_blame_the_server() {
    let mut rig = Rig::new(EventSource::get("https://a.example/").idle_timeout(SECOND * 3));
    rig.open();
    rig.session.bytes(Bytes::from_static(b"data: a\n\n"), rig.now);
    assert!(rig.item().is_ok());
    // So long it takes to make something of the event.
    rig.now += SECOND * 60;
    let Action::Read { until } = rig.poll() else {
        panic!("it reads on");
    };
    assert_eq!(until, Some(rig.now + SECOND * 3));
}

#[test]
fn heartbeats_that_are_shown_are_no_progress() {
    let builder = EventSource::get("https://a.example/")
        .progress_timeout(SECOND * 5)
        .comments(true)
        .chunks(true);
    let mut rig = Rig::new(builder);
    rig.open();
    let before = rig.now;
    for _ in 0..4 {
        rig.now += SECOND;
        assert_eq!(rig.feed(": still here\n").len(), 2);
    }
    rig.expire();
    assert_eq!(rig.now - before, SECOND * 5);
    assert!(matches!(rig.again().0, Cause::NoProgress(_)));
}

#[test]
fn the_time_that_a_slow_reader_takes_is_nobodys_standstill() {
    let mut rig = Rig::new(EventSource::get("https://a.example/").progress_timeout(SECOND * 5));
    rig.open();
    rig.now += SECOND * 2;
    rig.session
        .bytes(Bytes::from_static(b"data: a\n\ndata: b\n\n"), rig.now);
    for _ in 0..2 {
        assert!(rig.item().is_ok());
        rig.now += SECOND * 60;
    }
    let Action::Read { until } = rig.poll() else {
        panic!("it reads on");
    };
    assert_eq!(until, Some(rig.now + SECOND * 5));
}

#[test]
fn a_limit_longer_than_any_clock_counts_is_none() {
    const EVER: Duration = Duration::MAX;
    let retry = crate::Retry {
        base: EVER,
        cap: EVER,
        max_wait: EVER,
        stable_after: EVER,
        ..crate::Retry::default()
    };
    let builder = EventSource::get("https://a.example/")
        .head_timeout(EVER)
        .idle_timeout(EVER)
        .progress_timeout(EVER)
        .retry(retry);
    let mut rig = Rig::new(builder);
    rig.request();
    assert!(matches!(rig.poll(), Action::Await { until: None }));
    rig.head(503, &[("retry-after", "18446744073709551615")]);
    rig.ended();
    assert!(matches!(rig.item(), Ok(Item::Reconnecting(_))));
    assert!(matches!(rig.poll(), Action::Sleep { .. }));
    rig.session.restart(rig.now);
    assert!(matches!(rig.item(), Ok(Item::Reconnecting(_))));
    rig.request();
    rig.head(
        200,
        &[("content-type", "text/event-stream"), ("tidewire-heartbeat", "1")],
    );
    assert!(rig.item().is_ok());
    assert!(
        matches!(rig.poll(), Action::Read { until: None }),
        "what the server announces does not count either"
    );
    rig.cut();
    assert!(matches!(rig.item(), Ok(Item::Reconnecting(_))));
    assert!(matches!(rig.poll(), Action::Sleep { .. }));
}

#[test]
fn restarts_that_are_asked_for_at_once_are_one() {
    let mut rig = Rig::get();
    rig.open();
    rig.session.bytes(Bytes::from_static(b"data: a\n\n"), rig.now);
    for _ in 0..1000 {
        rig.session.restart(rig.now);
    }
    assert_eq!(rig.session.counters().waiting, 2);
    assert!(matches!(rig.item(), Ok(Item::Event(_))));
    rig.session.restart(rig.now);
    assert!(matches!(rig.item(), Ok(Item::Reconnecting(_))));
    rig.open();
}
