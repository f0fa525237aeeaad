//! What is sent where, and what is sent again.

use http::Method;

use super::{Rig, STREAM, last_event_id, post};
use crate::{Error, EventSource, Item, Prime, Repeat};

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
fn what_describes_a_body_goes_where_the_body_goes() {
    let describes = [
        "content-type",
        "content-encoding",
        "content-language",
        "content-length",
    ];
    for (status, location, goes) in [
        (303, "/y", false),
        (301, "/y", false),
        (308, "/y", true),
        (307, "https://b.example/", true),
    ] {
        let builder = EventSource::request(Method::POST, "https://a.example/x")
            .header("content-type", "application/json")
            .header("content-encoding", "gzip")
            .header("content-language", "de")
            .header("content-length", "6")
            .body("packed");
        let mut rig = Rig::new(builder);
        rig.request();
        rig.head(status, &[("location", location)]);
        let request = rig.request();
        assert_eq!(!request.body().is_empty(), goes, "{status} {location}");
        for name in describes {
            assert_eq!(
                request.headers().contains_key(name),
                goes,
                "{status} {location} {name}"
            );
        }
    }
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
    for headers in [
        ("tidewire-stream", "https://elsewhere.example/x"),
        ("tidewire-resume", "live"),
    ] {
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
    // A server that resumes says at once whether anything is left.
    rig.ended();
    assert!(matches!(rig.item(), Ok(Item::Reconnecting(again)) if again.delay.is_zero()));
    assert_eq!(last_event_id(&rig.request()), Some(&b"x.1"[..]));
    rig.head(204, &[]);
    assert!(rig.is_done());
}

#[test]
fn an_answers_name_is_not_taken_from_another_origin_nor_the_headers_to_it() {
    let mut rig = Rig::new(post().bearer("t"));
    rig.open_with(&[("tidewire-stream", "https://evil.example/x")]);
    rig.cut();
    assert!(matches!(rig.item(), Err(Error::NotRepeatable { .. })));

    let mut rig = Rig::new(post().bearer("t"));
    rig.request();
    rig.head(307, &[("location", "https://b.example/chat")]);
    rig.request();
    rig.head(200, &[STREAM, ("tidewire-stream", "/relay/x")]);
    assert!(rig.item().is_ok());
    rig.feed("id: x.1\ndata: Hel\n\n");
    rig.cut();
    rig.again();
    assert_eq!(rig.request().uri(), "https://a.example/chat");
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
