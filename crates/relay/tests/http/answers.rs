//! What comes through, what is kept, and who gets it.

use std::time::Duration;

use super::{Relayed, stream_of};
use crate::client::End;

#[test]
fn an_answer_comes_event_by_event_with_our_ids_and_ends_with_its_upstream() {
    let relayed = Relayed::open();
    let asking = std::thread::scope(|scope| {
        let reader = scope.spawn(|| relayed.ask(&[("Authorization", "Bearer secret"), ("Cookie", "a=b")]));
        let mut call = relayed.upstream.call();
        assert!(
            call.head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"),
            "{}",
            call.head
        );
        assert_eq!(call.header("authorization"), Some("Bearer secret"));
        assert_eq!(call.header("cookie"), None);
        assert_eq!(call.header("accept-encoding"), Some("identity"));
        assert!(call.body.contains("hello"));
        call.stream_with("X-Request-Id: r1\r\nSet-Cookie: s=1\r\n");
        call.event("{\"n\":1}");
        let mut reader = reader.join().unwrap();
        let stream = stream_of(&reader);
        assert_eq!(reader.head.status, 200);
        assert_eq!(
            reader.head.get("content-type"),
            Some("text/event-stream; charset=utf-8")
        );
        assert_eq!(reader.head.get("x-request-id"), Some("r1"));
        reader.expect(&format!("id: {stream}.1\ndata: {{\"n\":1}}\n\n"));
        call.chunk("event: delta\ndata: a\ndata: b\n\ndata: [DO");
        reader.expect(&format!("id: {stream}.2\nevent: delta\ndata: a\ndata: b\n\n"));
        call.chunk("NE]\n\n");
        call.end();
        reader.expect(&format!("id: {stream}.3\ndata: [DONE]\n\n"));
        reader.finished();
        stream
    });
    // Read again, by its name: the same, and nothing that was meant for the first reader alone.
    let mut again = relayed.get(&format!("/relay/{asking}"), &[]);
    assert_eq!(
        (again.head.get("x-request-id"), again.head.get("set-cookie")),
        (Some("r1"), None)
    );
    again.until("data: [DONE]\n\n");
    again.finished();
    let rest = relayed.get(
        &format!("/relay/{asking}"),
        &[("Last-Event-ID", &format!("{asking}.2"))],
    );
    assert!(
        rest.rest()
            .0
            .ends_with(&format!("id: {asking}.3\ndata: [DONE]\n\n"))
    );
    let nothing = relayed.request(
        "GET",
        &format!("/relay/{asking}?last_event_id={asking}.3"),
        &[],
        "",
    );
    assert_eq!(nothing.head.status, 204, "so that EventSource stops");
}

#[test]
fn what_is_no_stream_passes_untouched() {
    let relayed = Relayed::open();
    std::thread::scope(|scope| {
        let asked = scope
            .spawn(|| relayed.request("POST", "/v1/embeddings?x=1", &[("Accept-Encoding", "gzip")], "{}"));
        let call = relayed.upstream.call();
        assert!(call.head.starts_with("POST /v1/embeddings?x=1 "));
        assert_eq!(call.header("accept-encoding"), Some("gzip"));
        call.answer(
            "429 Too Many Requests",
            "Retry-After: 7\r\nX-Own: 1\r\nContent-Type: application/json\r\n",
            "{\"error\":{}}",
        );
        let answer = asked.join().unwrap();
        assert_eq!((answer.head.status, &*answer.body), (429, "{\"error\":{}}"));
        assert_eq!(
            (answer.head.get("retry-after"), answer.head.get("x-own")),
            (Some("7"), Some("1"))
        );
        assert_eq!(answer.head.get("tidewire-stream"), None);
    });
}

#[test]
fn a_retry_with_the_same_key_joins_the_answer_and_another_prompt_gets_another() {
    let relayed = Relayed::open();
    let mine = [("Authorization", "Bearer a"), ("Idempotency-Key", "1")];
    let quoted = [mine[0], ("Idempotency-Key", "\"1\"")];
    std::thread::scope(|scope| {
        let first = scope.spawn(|| relayed.ask(&mine));
        let mut call = relayed.upstream.call();
        // A twin comes before the upstream has answered.
        let twin = scope.spawn(|| relayed.ask(&quoted));
        relayed.upstream.is_left_alone();
        call.stream();
        call.event("1");
        let (mut first, mut twin) = (first.join().unwrap(), twin.join().unwrap());
        let stream = stream_of(&first);
        assert_eq!(stream_of(&twin), stream);
        for reader in [&mut first, &mut twin] {
            reader.expect(&format!("id: {stream}.1\ndata: 1\n\n"));
        }
        // The same request, cut and come again.
        let mut same = relayed.ask(&[mine[0], ("Last-Event-ID", &format!("{stream}.1"))]);
        call.event("2");
        same.expect(&format!("id: {stream}.2\ndata: 2\n\n"));

        let other = relayed.request("POST", "/v1/chat/completions", &mine, "another");
        assert_eq!(other.head.status, 422, "another body");
        // Somebody else with the same key, and a new prompt with an old id.
        let old = format!("{stream}.1");
        for (prompt, headers) in [
            ("hello", [("Authorization", "Bearer b"), ("Idempotency-Key", "1")]),
            ("else", [mine[0], ("Last-Event-ID", &old)]),
            ("hello", [("Authorization", "Bearer b"), ("Last-Event-ID", &old)]),
        ] {
            let mut reader = std::thread::scope(|scope| {
                let asked = scope.spawn(|| relayed.ask_for(prompt, &headers));
                let mut call = relayed.upstream.call();
                call.stream();
                call.event("own");
                call.end();
                asked.join().unwrap()
            });
            assert_ne!(stream_of(&reader), stream);
            assert!(reader.block().contains("own"));
        }
        call.end();
        first.until("data: 2\n\n");
        first.finished();
    });
    let stats = &relayed.relay.stats()[0];
    assert_eq!((stats.upstream_calls, stats.joined), (4, 2));
}

#[test]
fn stop_closes_the_upstream_and_tells_every_reader() {
    let relayed = Relayed::open();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| relayed.ask(&[]));
        let mut call = relayed.upstream.call();
        call.stream();
        call.event("1");
        let mut first = first.join().unwrap();
        let place = format!("/relay/{}", stream_of(&first));
        let other = relayed.get(&place, &[]);
        first.until("data: 1\n\n");
        assert_eq!(relayed.request("DELETE", &place, &[], "").head.status, 204);
        assert!(call.gone() < Duration::from_millis(500));
        for reader in [first, other] {
            let (text, end) = reader.rest();
            assert!(
                text.contains("event: error\n") && text.contains("\"code\":\"stopped\""),
                "{text}"
            );
            assert_eq!(end, End::Finished);
        }
        assert_eq!(
            relayed.request("DELETE", &place, &[], "").head.status,
            204,
            "again"
        );
    });
    assert_eq!(
        relayed
            .request("GET", "/relay/aaaaaaaaaaaaaaaaaaaaaaaaaa", &[], "")
            .head
            .status,
        404
    );
}

#[test]
fn an_upstream_that_dies_or_says_nothing_becomes_an_error_in_band() {
    let relayed = Relayed::with(|route| {
        route.times.commit_after = Duration::from_millis(100);
        route.times.first_event = Duration::from_millis(600);
        route.times.idle = Duration::from_millis(300);
        route.limits.max_event = 1000;
    });
    let told = |code: &str, act: &dyn Fn(super::Call)| {
        let reader = std::thread::scope(|scope| {
            let asked = scope.spawn(|| relayed.ask(&[]));
            act(relayed.upstream.call());
            asked.join().unwrap()
        });
        assert_eq!(reader.head.status, 200);
        let (text, end) = reader.rest();
        assert!(text.contains("event: error\n"), "{code}: {text}");
        assert!(text.contains(code), "{code}: {text}");
        assert_eq!(end, End::Finished);
    };
    told("upstream_died", &|mut call| {
        call.stream();
        call.event("1");
    });
    told("upstream_stalled", &|mut call| {
        call.stream();
        call.event("1");
        std::thread::sleep(Duration::from_secs(1));
    });
    told("upstream_timeout", &|_call| {
        std::thread::sleep(Duration::from_secs(1));
    });
    told("no such model", &|call| {
        std::thread::sleep(Duration::from_millis(300));
        call.answer("404 Not Found", "", "{\"error\":{\"message\":\"no such model\"}}");
    });
    told("upstream_empty", &|mut call| {
        call.stream();
        call.chunk("<html>garbage</html>");
        call.end();
    });
    told("event_too_large", &|mut call| {
        call.stream();
        call.event(&"x".repeat(2000));
        std::thread::sleep(Duration::from_millis(100));
    });
}

/// Fetch, "extract a MIME type": the last type that can be one counts.
#[test]
fn a_stream_is_known_by_its_type_as_browsers_read_it() {
    let relayed = Relayed::open();
    let one = "Content-Type: text/event-stream\r\n";
    for (status, headers, is_stream) in [
        (
            "200 OK",
            "Content-Type: application/json, text/event-stream\r\n",
            true,
        ),
        (
            "200 OK",
            &format!("Content-Type: application/json\r\n{one}"),
            true,
        ),
        (
            "200 OK",
            "Content-Type: text/event-stream;charset=utf-8, */*, x\r\n",
            true,
        ),
        (
            "200 OK",
            "Content-Type: text/event-stream, application/json\r\n",
            false,
        ),
        (
            "200 OK",
            "Content-Type: text/plain;x=\"a,text/event-stream\"\r\n",
            false,
        ),
        ("201 Created", one, true),
        ("206 Partial Content", one, false),
    ] {
        let reader = relayed.answered(|call| call.answer(status, headers, "data: x\n\n"));
        let is_one = reader.head.get("tidewire-stream").is_some();
        assert_eq!(is_one, is_stream, "{status} {headers}");
    }
}
