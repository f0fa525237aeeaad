//! What the relay adds to an answer, by its dialect: ids, comments, errors.

use std::{thread::sleep, time::Duration};

use tidewire_relay::Dialect;

use super::{Asked, Call, Relayed, asked, stream_of};
use crate::client::{End, Reader};

fn events(mut call: Call, events: &[&str]) {
    call.stream();
    for event in events {
        call.chunk(event);
    }
    call.end();
}

/// A relay whose heartbeats come often.
fn beating() -> Relayed {
    Relayed::built(|config| config.heartbeat = Duration::from_millis(30))
}

/// Google's parsers take a line without `data:` for JSON; llama.cpp's page counts the bytes of the body.
#[test]
fn clients_that_ids_and_comments_break_get_neither_and_the_answer_can_be_read_again() {
    let relayed = beating();
    let data = r#"{"candidates":[{"content":{"parts":[{"text":"id: x"}]}}]}"#;
    let two = [
        format!("data: {data}\n\n"),
        format!("event: x\ndata: {data}\ndata: id: y\n\n"),
    ];
    let key = |key| [("Authorization", "a"), ("Idempotency-Key", key)];
    for (asked, key) in [(asked::GEMINI, key("k1")), (asked::LLAMA, key("k2"))] {
        let headers = [asked.headers, &key].concat();
        let asked = Asked {
            headers: headers.leak(),
            ..asked
        };
        let reader = relayed.posted(&asked, |mut call| {
            call.stream();
            call.chunk(&two[0]);
            // Long enough for heartbeats, were there any.
            sleep(Duration::from_millis(200));
            call.chunk(&two[1]);
            call.end();
        });
        let stream = stream_of(&reader);
        assert_eq!(reader.head.get("tidewire-heartbeat"), None);
        assert_eq!(reader.rest(), (two.concat(), End::Finished), "{asked:?}");
        // By its key it is the same, at its address it has ids.
        let again = relayed.post(&asked);
        assert_eq!(stream_of(&again), stream);
        assert_eq!(again.rest(), (two.concat(), End::Finished));
        let (text, _) = relayed.get(&format!("/relay/{stream}"), &[]).rest();
        assert!(text.contains(&format!("id: {stream}.2\nevent: x\n")), "{text}");
    }
    relayed.upstream.is_left_alone();
}

/// Its first event says that it is Gemini's: nothing of ours has gone out before.
#[test]
fn a_dialect_that_only_the_first_event_shows_counts_from_the_first_byte_on() {
    let relayed = Relayed::open();
    let event = "data: {\"candidates\":[]}\n\n";
    let reader = relayed.posted(&asked::UNKNOWN, |call| events(call, &[event, event]));
    assert_eq!(reader.rest().0, event.repeat(2));
    let reader = relayed.posted(&asked::UNKNOWN, |call| events(call, &["data: 1\n\n", event]));
    let stream = stream_of(&reader);
    let both = format!("id: {stream}.1\ndata: 1\n\nid: {stream}.2\n{event}");
    assert_eq!(reader.rest().0, both, "it never changes");
}

#[test]
fn a_route_may_say_its_dialect() {
    let relayed = Relayed::with(|route| route.dialect = Some(Dialect::Gemini));
    let event = "data: {\"type\":\"message_start\"}\n\n";
    for asked in [asked::UNKNOWN, asked::ANTHROPIC] {
        let reader = relayed.posted(&asked, |call| events(call, &[event]));
        assert_eq!(reader.rest().0, event, "{asked:?}");
    }
}

#[test]
fn the_name_of_an_event_passes_as_it_came() {
    let relayed = Relayed::open();
    let sent = [
        "event: message\ndata: 1\n\n",
        "data: 2\n\n",
        "event:\ndata: 3\n\n",
    ];
    let reader = relayed.posted(&asked::CHAT, |call| events(call, &sent));
    let stream = stream_of(&reader);
    let got = format!(
        "id: {stream}.1\nevent: message\ndata: 1\n\nid: {stream}.2\ndata: 2\n\nid: {stream}.3\ndata: 3\n\n"
    );
    assert_eq!(reader.rest().0, got);
}

/// What follows the id of the last event, and how the body ends.
fn broken_off(relayed: &Relayed, asked: &Asked, event: &str) -> (String, End) {
    let reader = relayed.posted(asked, |mut call| {
        call.stream();
        call.chunk(event);
    });
    let has_ids = reader.head.get("tidewire-heartbeat").is_some();
    let stream = stream_of(&reader);
    let (text, end) = reader.rest();
    let id = |number: u8| {
        if has_ids {
            format!("id: {stream}.{number}\n")
        } else {
            String::new()
        }
    };
    let rest = text.strip_prefix(&format!("{}{event}", id(1)));
    let rest = rest.unwrap_or_else(|| panic!("{asked:?}: {text}"));
    (rest.strip_prefix(&id(2)).unwrap_or(rest).to_owned(), end)
}

/// Official clients raise the error, or at least do not take half of an answer for the whole.
#[test]
fn an_upstream_that_dies_is_told_as_the_clients_of_its_dialect_understand() {
    let relayed = Relayed::open();
    let start = r#"data: {"type":"response.created","sequence_number":6,"response":{}}"#;
    for (asked, event, is_clean, wanted) in [
        (
            asked::CHAT,
            "data: {}",
            true,
            vec!["event: error\ndata: {\"error\":{", "\"code\":\"upstream_died\""],
        ),
        (
            asked::RESPONSES,
            start,
            true,
            vec![
                "event: error\ndata: {",
                "\"sequence_number\":7",
                "\"type\":\"error\"",
                "\"error\":{",
            ],
        ),
        (
            asked::ANTHROPIC,
            "event: ping\ndata: {}",
            true,
            vec![
                "event: error\ndata: {",
                "\"type\":\"error\"",
                "\"type\":\"api_error\"",
                "upstream_died",
            ],
        ),
        (
            asked::GEMINI,
            "data: {}",
            true,
            vec!["data: {\"error\":{", "\"status\":\"UNAVAILABLE\""],
        ),
        (
            asked::AG_UI,
            "data: {}",
            true,
            vec!["data: {", "\"type\":\"RUN_ERROR\"", "\"code\":\"upstream_died\""],
        ),
        (
            asked::COHERE,
            "data: {\"type\":\"message-start\"}",
            false,
            vec![
                "event: message-end\ndata: {",
                "\"finish_reason\":\"ERROR\"",
                "\"input_tokens\":0",
            ],
        ),
        (asked::MISTRAL, "data: {}", false, vec![]),
        (
            asked::UNKNOWN,
            "data: x",
            false,
            vec![
                "event: error\ndata: {",
                "\"code\":\"upstream_died\"",
                "\"status\":502",
            ],
        ),
    ] {
        let (rest, end) = broken_off(&relayed, &asked, &format!("{event}\n\n"));
        let is_begun = wanted.first().is_none_or(|start| rest.starts_with(start));
        let has_all = wanted.iter().all(|part| rest.contains(part));
        assert!(is_begun && has_all, "{asked:?}: {rest}");
        assert_eq!(
            rest.matches("\n\n").count(),
            usize::from(!wanted.is_empty()),
            "{rest}"
        );
        let wanted = if is_clean { End::Finished } else { End::Cut };
        assert_eq!(end, wanted, "{asked:?}");
    }
}

#[test]
fn a_reader_of_an_unknown_answer_that_broke_off_sees_a_cut_and_then_that_nothing_is_left() {
    let relayed = Relayed::open();
    let reader = relayed.posted(&asked::UNKNOWN, |mut call| {
        call.stream();
        call.chunk("data: x\n\n");
    });
    let place = format!("/relay/{}", stream_of(&reader));
    let (text, end) = reader.rest();
    assert_eq!(end, End::Cut);
    let (again, end) = relayed.get(&place, &[]).rest();
    assert!(again.ends_with(&text), "{again}");
    assert_eq!(end, End::Cut);
    let last = format!("{}.2", place.trim_start_matches("/relay/"));
    assert_eq!(relayed.get(&place, &[("Last-Event-ID", &last)]).head.status, 204);
}

fn message_of(reader: Reader) -> (String, End) {
    let (text, end) = reader.rest();
    let data = text.lines().find_map(|line| line.strip_prefix("data: "));
    (data.unwrap_or_default().to_owned(), end)
}

/// Clients that read the stream of such a body see no event at all.
#[test]
fn a_bare_error_where_a_stream_was_promised_is_told_as_an_error_with_its_own_words() {
    let relayed = Relayed::open();
    let body = "\n{\n  \"error\": {\"message\": \"overloaded\", \"type\": \"server_error\"}\n}\n";
    for (asked, body, end) in [
        (asked::CHAT, body, End::Finished),
        (asked::ANTHROPIC, "{\"error\":\"overloaded\"}", End::Finished),
        (
            asked::GEMINI,
            "[{\"error\":{\"code\":503,\"message\":\"overloaded\"}}]",
            End::Finished,
        ),
        (
            asked::CHAT,
            "{\"object\":\"error\",\"message\":\"overloaded\"}",
            End::Finished,
        ),
        (asked::UNKNOWN, body, End::Cut),
    ] {
        let reader = relayed.posted(&asked, |call| {
            call.answer("200 OK", "Content-Type: text/event-stream\r\n", body);
        });
        assert!(reader.head.get("tidewire-stream").is_some());
        let (message, ended) = message_of(reader);
        assert!(message.contains("overloaded"), "{asked:?}: {message}");
        if asked.target == asked::CHAT.target && body.contains("\"error\": {") {
            assert_eq!(message, body.trim().replace('\n', " "), "its own words");
        }
        assert_eq!(ended, end, "{asked:?}");
    }
}

#[test]
fn an_encoding_that_is_none_is_none() {
    let relayed = Relayed::open();
    let reader = relayed.posted(&asked::CHAT, |mut call| {
        call.stream_with("Content-Encoding: none\r\n");
        call.event("1");
        call.end();
    });
    let stream = stream_of(&reader);
    assert_eq!(reader.head.get("content-encoding"), None);
    assert_eq!(reader.rest().0, format!("id: {stream}.1\ndata: 1\n\n"));
}
