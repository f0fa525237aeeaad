//! Which id is sent, and which one is shown.

use bytes::Bytes;

use super::{Rig, last_event_id};
use crate::session::Action;
use crate::{Error, EventSource};

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
