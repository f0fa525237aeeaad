//! When it comes again, and when it gives up.

use std::time::Duration;

use super::{Rig, SECOND};
use crate::session::Action;
use crate::{Cause, Error, EventSource, Retry};

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
fn streams_that_open_and_end_at_once_are_bounded_where_the_caller_says_so() {
    let retry = Retry {
        max_fruitless: Some(10),
        ..Retry::default()
    };
    let mut rig = Rig::new(EventSource::get("https://a.example/").retry(retry));
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
    assert!(rig.now - before >= SECOND * 20 && rig.now - before <= SECOND * 30);
    rig.open();
    rig.feed("retry: 0\ndata: x\n\n");
    rig.cut();
    let before = rig.now;
    rig.again();
    let waited = rig.now - before;
    assert!(waited >= Duration::from_millis(100) && waited <= Duration::from_millis(200));
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
