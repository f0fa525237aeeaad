//! What answers lead to.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;

use super::{Rig, SECOND};
use crate::{Cause, Error};

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
    for status in [205, 206, 304, 400, 401, 403, 404, 410, 422] {
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
