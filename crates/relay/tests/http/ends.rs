//! When an answer is whole: its last word, its provider's errors, its upstream's end.

use std::time::Duration;

use super::{Asked, Call, Relayed, asked, stream_of};
use crate::client::{End, eventually};

const MINE: &[(&str, &str)] = &[("Authorization", "a"), ("Idempotency-Key", "k")];

const CHUNK: &str = r#"{"choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":null}]}"#;
const LAST: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;

fn data(mut call: Call, events: &[&str]) {
    call.stream();
    for data in events {
        call.event(data);
    }
    call.end();
}

fn mine(asked: Asked) -> Asked {
    let headers = [asked.headers, MINE].concat();
    Asked {
        headers: headers.leak(),
        ..asked
    }
}

fn ended(relayed: &Relayed, how: &str) -> u64 {
    use tidewire_relay::Ending;
    let which = Ending::ALL.iter().position(|ending| ending.as_str() == how);
    let which = which.unwrap_or_else(|| panic!("no ending is {how}"));
    relayed.relay.stats()[0].endings[which]
}

/// The asker gets what the upstream sent and its clean end; with the same key the upstream is asked anew.
#[test]
fn an_answer_that_failed_or_lost_its_end_is_asked_anew_and_one_that_is_whole_is_not() {
    let mine_failed = [
        (
            asked::CHAT,
            vec![CHUNK, r#"{"error":{"message":"overloaded","code":503}}"#],
            "failed",
        ),
        (asked::CHAT, vec![CHUNK], "truncated"),
        (
            asked::ANTHROPIC,
            vec![r#"{"type":"message_start","message":{}}"#],
            "truncated",
        ),
        (
            asked::ANTHROPIC,
            vec![r#"{"type":"error","error":{"message":"x"}}"#],
            "failed",
        ),
        (
            asked::RESPONSES,
            vec![r#"{"type":"response.failed","response":{}}"#],
            "failed",
        ),
        (
            asked::GEMINI,
            vec![r#"{"error":{"code":503,"message":"x"}}"#],
            "failed",
        ),
        (
            asked::UNKNOWN,
            vec![r#"{"type":"message_start","message":{}}"#],
            "truncated",
        ),
        (asked::UNKNOWN, vec!["1", r#"{"error":"x"}"#], "failed"),
    ];
    for (asked, events, how) in mine_failed {
        let relayed = Relayed::open();
        let asked = mine(asked);
        let reader = relayed.posted(&asked, |call| data(call, &events));
        let stream = stream_of(&reader);
        let (text, end) = reader.rest();
        let got: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .collect();
        assert_eq!((got, end), (events.clone(), End::Finished), "{asked:?}");
        eventually(|| ended(&relayed, how) == 1);
        let place = format!("/relay/{stream}");
        let again = relayed.get(&place, &[]);
        assert_eq!(again.head.get("tidewire-ending"), Some(how), "{asked:?}");
        assert_eq!(again.rest().1, End::Finished);
        // Another call, with the same key.
        let reader = relayed.posted(&asked, |call| data(call, &["1"]));
        assert_ne!(stream_of(&reader), stream);
        reader.rest();
    }
}

#[test]
fn an_answer_that_may_have_ended_keeps_its_key() {
    for (asked, events) in [
        (asked::CHAT, vec![CHUNK, LAST, "[DONE]"]),
        (asked::CHAT, vec![CHUNK, LAST]),
        (asked::CHAT, vec![CHUNK, "[DONE]"]),
        // Choices that never say how they finish promise no last word.
        (asked::CHAT, vec![r#"{"choices":[{"delta":{"content":"x"}}]}"#]),
        (asked::GEMINI, vec![r#"{"candidates":[{"index":0}]}"#]),
        (asked::UNKNOWN, vec!["x"]),
        (asked::ANTHROPIC, vec![r#"{"type":"message_stop"}"#]),
    ] {
        let relayed = Relayed::open();
        let asked = mine(asked);
        let reader = relayed.posted(&asked, |call| data(call, &events));
        let stream = stream_of(&reader);
        reader.rest();
        eventually(|| ended(&relayed, "done") == 1);
        let again = relayed.post(&asked);
        assert_eq!(stream_of(&again), stream, "{asked:?} {events:?}");
        let place = format!("/relay/{stream}");
        assert_eq!(relayed.get(&place, &[]).head.get("tidewire-ending"), Some("done"));
        relayed.upstream.is_left_alone();
    }
}

#[test]
fn what_comes_after_a_last_word_is_part_of_the_answer() {
    let relayed = Relayed::open();
    for (asked, last) in [
        (asked::CHAT, "[DONE]"),
        (asked::RESPONSES, r#"{"type":"response.completed","response":{}}"#),
    ] {
        let mut call = None;
        let mut reader = relayed.posted(&asked, |mut asked| {
            asked.stream();
            asked.event(last);
            call = Some(asked);
        });
        let mut call = call.unwrap();
        assert_eq!(reader.data(), last);
        assert!(call.stays_for(Duration::from_millis(200)), "a tool may run now");
        call.event("more");
        call.end();
        assert_eq!(reader.data(), "more");
        reader.finished();
    }
}

/// The end of the upstream is the end; after a last word it needs to be neither polite nor in time.
#[test]
fn after_its_last_word_an_upstream_may_fall_silent_or_break_off() {
    let relayed = Relayed::with(|route| route.times.idle = Duration::from_millis(200));
    for (asked, last) in [
        (asked::CHAT, "[DONE]"),
        (asked::CHAT, LAST),
        (asked::ANTHROPIC, r#"{"type":"message_stop"}"#),
        (
            asked::RESPONSES,
            r#"{"type":"response.incomplete","response":{}}"#,
        ),
        (asked::CHAT, r#"{"error":{"message":"overloaded"}}"#),
    ] {
        for stays in [false, true] {
            let mut calls = Vec::new();
            let mut reader = relayed.posted(&asked, |mut call| {
                call.stream();
                call.event(last);
                calls.extend(stays.then_some(call));
            });
            assert_eq!(reader.data(), last);
            reader.finished();
            if let Some(call) = calls.first_mut() {
                call.gone();
            }
        }
    }
    eventually(|| (ended(&relayed, "done"), ended(&relayed, "failed")) == (8, 2));
}

/// A client goes at the last word, before its upstream has closed: the answer is whole, and nothing is paid for twice.
#[test]
fn an_answer_whose_reader_goes_after_the_last_word_is_whole() {
    use tidewire_relay::config::OnDisconnect;
    let relayed = Relayed::with(|route| route.on_disconnect = OnDisconnect::Cancel);
    let asked = mine(asked::CHAT);
    let mut call = None;
    let mut reader = relayed.posted(&asked, |mut asked| {
        asked.stream();
        asked.event(LAST);
        asked.event("[DONE]");
        call = Some(asked);
    });
    reader.data();
    assert_eq!(reader.data(), "[DONE]");
    let stream = stream_of(&reader);
    drop(reader);
    call.unwrap().gone();
    eventually(|| ended(&relayed, "done") == 1);
    // A stop that comes then stops nothing.
    let mut kept = None;
    let mut reader = relayed.answered(|mut asked| {
        asked.stream();
        asked.event("[DONE]");
        kept = Some(asked);
    });
    assert_eq!(reader.data(), "[DONE]");
    let place = format!("/relay/{}", stream_of(&reader));
    assert_eq!(relayed.request("DELETE", &place, &[], "").head.status, 204);
    kept.unwrap().gone();
    reader.finished();
    let again = relayed.post(&asked);
    assert_eq!(stream_of(&again), stream);
    let (text, end) = again.rest();
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    assert_eq!(end, End::Finished);
}

/// A clean end stays as it is, and no key stands for an answer without events.
#[test]
fn a_stream_without_any_event_ends_as_its_upstream_ended_it() {
    for sent in ["", "\u{feff}: nothing\n\n", "id: 7\nretry: 10\n\n"] {
        let relayed = Relayed::open();
        let asked = mine(asked::CHAT);
        let mut last = None;
        for _ in 0..2 {
            let reader = relayed.posted(&asked, |mut call| {
                call.stream();
                if !sent.is_empty() {
                    call.chunk(sent);
                }
                call.end();
            });
            let stream = stream_of(&reader);
            assert_eq!(reader.rest(), (String::new(), End::Finished));
            assert_ne!(last.replace(stream.clone()), Some(stream));
        }
        eventually(|| ended(&relayed, "truncated") == 2);
    }
}
