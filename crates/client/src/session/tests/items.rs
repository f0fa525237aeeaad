//! What comes of bytes.

use std::time::Duration;

use bytes::Bytes;

use super::{Rig, SECOND};
use crate::session::Action;
use crate::{EventSource, Item};

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
