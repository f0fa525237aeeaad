//! Streams of lines, as Ollama sends them: kept, joined and read again as event streams are, and the same bytes for their clients.

use std::{path::Path, sync::Arc, thread::sleep, time::Duration};

use tidewire_hub::archive::segments::{RealDisk, Segments, Settings};
use tokio::runtime::Runtime;

use super::{Call, Relayed, Upstream, stream_of};
use crate::client::{End, Reader, eventually, request};

const TYPE: &str = "application/x-ndjson";
const LINES: &str = "{\"message\":{\"content\":\"a\"},\"done\":false}\n{\"message\":{\"content\":\"ü\"},\"done\":false}\n\
                     {\"message\":{\"content\":\"\"},\"done\":true}\n";
const MINE: (&str, &str) = ("Authorization", "Bearer a");

fn ask_at(path: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let headers = [&[("Content-Type", "application/json")], headers].concat();
    request("POST", path, &headers, body)
}

/// A request as Ollama's clients send it, which streams unless it says that it does not.
fn ask(headers: &[(&str, &str)]) -> Vec<u8> {
    ask_at("/v1/api/chat", headers, "{\"model\":\"m\"}")
}

fn begin(call: &mut Call) {
    call.send(format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {TYPE}\r\nTransfer-Encoding: chunked\r\n\r\n"
    ));
}

/// The response to a request, which the upstream answers so.
fn answered(relayed: &Relayed, bytes: Vec<u8>, act: impl FnOnce(Call)) -> Reader {
    let mut client = relayed.server.connect();
    client.send(bytes);
    act(relayed.upstream.call());
    client.reader()
}

#[test]
fn lines_come_to_their_asker_as_they_were_with_nothing_between_them() {
    let relayed = Relayed::built(|config| config.heartbeat = Duration::from_millis(50));
    let odd = "{\"a\":1}\r\n\n\r\n{\"b\":\r2}\ndata: x\nid: 7\n: c\n";
    for body in [LINES, odd, "{\"a\":1}\n{\"b\":2}", "{\"a\":1}"] {
        for size in [1, 7, body.len()] {
            let reader = answered(&relayed, ask(&[]), |mut call| {
                begin(&mut call);
                for (number, piece) in body.as_bytes().chunks(size).enumerate() {
                    if number == 3 {
                        // Longer than a heartbeat.
                        sleep(Duration::from_millis(150));
                    }
                    call.chunk(piece);
                }
                call.end();
            });
            assert_eq!(reader.head.get("content-type"), Some(TYPE));
            assert_eq!(reader.head.get("tidewire-heartbeat"), None);
            assert!(reader.head.get("tidewire-stream").is_some());
            assert_eq!(reader.rest(), (body.to_owned(), End::Finished), "{size}");
        }
    }
}

#[test]
fn a_line_is_there_as_soon_as_it_has_come() {
    let relayed = Relayed::open();
    let mut client = relayed.server.connect();
    client.send(ask(&[]));
    let mut call = relayed.upstream.call();
    begin(&mut call);
    call.chunk("{\"n\":1}\n{\"n\"");
    let mut reader = client.reader();
    reader.expect("{\"n\":1}\n");
    call.chunk(":2}\n");
    reader.expect("{\"n\":2}\n");
    call.end();
    reader.finished();
}

#[test]
fn lines_are_read_again_as_lines_or_as_events() {
    let relayed = Relayed::open();
    let reader = answered(&relayed, ask(&[]), |mut call| {
        begin(&mut call);
        call.chunk(LINES);
        call.end();
    });
    let stream = stream_of(&reader);
    assert_eq!(reader.rest().0, LINES);
    read_again(&relayed, &stream);
}

/// Reads an answer of [`LINES`] in each way.
fn read_again(relayed: &Relayed, stream: &str) {
    let place = format!("/relay/{stream}");
    let lines: Vec<&str> = LINES.split_inclusive('\n').collect();
    let again = relayed.get(&place, &[("Accept", "*/*")]);
    assert_eq!(again.head.get("content-type"), Some(TYPE));
    assert_eq!(again.rest(), (LINES.to_owned(), End::Finished));
    let first = format!("{stream}.1");
    let after = relayed.get(&place, &[("Last-Event-ID", &first)]);
    assert_eq!(after.rest(), (lines[1..].concat(), End::Finished));

    let events = relayed.get(
        &place,
        &[("Accept", "text/event-stream"), ("Last-Event-ID", &first)],
    );
    assert_eq!(
        events.head.get("content-type"),
        Some("text/event-stream; charset=utf-8")
    );
    let numbered = lines.iter().zip(1..).skip(1);
    let expected: String = numbered
        .map(|(line, number)| format!("id: {stream}.{number}\ndata: {}\n\n", line.trim_end()))
        .collect();
    let text = events.rest().0;
    assert!(text.ends_with(&expected), "{text}");
    let last = format!("{place}?last_event_id={stream}.3");
    assert_eq!(relayed.get(&last, &[]).head.status, 204);
}

#[test]
fn lines_are_joined_by_their_key_and_by_their_cursor() {
    let relayed = Relayed::open();
    let keyed = [MINE, ("Idempotency-Key", "k")];
    let mut first = relayed.server.connect();
    first.send(ask(&keyed));
    let mut call = relayed.upstream.call();
    let mut twin = relayed.server.connect();
    twin.send(ask(&keyed));
    begin(&mut call);
    call.chunk("{\"n\":1}\n");
    let (mut first, mut twin) = (first.reader(), twin.reader());
    let stream = stream_of(&first);
    assert_eq!(stream_of(&twin), stream);
    assert_eq!(twin.head.get("idempotency-replayed"), Some("true"));
    for reader in [&mut first, &mut twin] {
        reader.expect("{\"n\":1}\n");
    }
    let seen = format!("{stream}.1");
    let mut cut = relayed.server.connect();
    cut.send(ask(&[MINE, ("Last-Event-ID", &seen)]));
    call.chunk("{\"done\":true}\n");
    call.end();
    for reader in [&mut first, &mut twin] {
        reader.expect("{\"done\":true}\n");
    }
    assert_eq!(cut.reader().rest(), ("{\"done\":true}\n".into(), End::Finished));
    let mut later = relayed.server.connect();
    later.send(ask(&keyed));
    assert_eq!(later.reader().rest().0, "{\"n\":1}\n{\"done\":true}\n");
    assert_eq!(relayed.relay.stats()[0].upstream_calls, 1);
}

#[test]
fn lines_that_break_off_end_with_the_error_of_their_dialect_or_without_an_end() {
    let relayed = Relayed::with(|route| route.limits.max_event = 100);
    let half = |mut call: Call| {
        begin(&mut call);
        call.chunk("{\"done\":false}\n{\"do");
    };
    let keyed = [MINE, ("Idempotency-Key", "k")];
    for _ in 0..2 {
        // Its key is free again.
        let (text, end) = answered(&relayed, ask(&keyed), half).rest();
        let error = text
            .strip_prefix("{\"done\":false}\n{\"error\":\"")
            .unwrap_or_default();
        assert!(error.ends_with("\"}\n") && !error.contains("\n{"), "{text}");
        assert_eq!(end, End::Finished);
    }
    // A body that asks for a stream of no shape that is known.
    let other = ask_at("/v1/run", &[], "{\"stream\":true}");
    let broken = answered(&relayed, other, half).rest();
    assert_eq!(broken, ("{\"done\":false}\n".into(), End::Cut));
    let long = answered(&relayed, ask(&[]), |mut call| {
        begin(&mut call);
        call.chunk(format!("{}\n", "x".repeat(101)));
    });
    let (text, _) = long.rest();
    assert!(
        text.starts_with("{\"error\":\"the upstream sent a line of more than 100 bytes"),
        "{text}"
    );
}

#[test]
fn an_answer_in_lines_that_fails_in_band_frees_its_key() {
    let relayed = Relayed::open();
    let keyed = [MINE, ("Idempotency-Key", "k")];
    for body in ["{\"error\":\"no such model\"}\n", "{\"done\":false}\n", LINES] {
        let reader = answered(&relayed, ask(&keyed), |mut call| {
            begin(&mut call);
            call.chunk(body);
            call.end();
        });
        // As it was: nothing of ours is added to an end that was clean.
        assert_eq!(reader.rest(), (body.to_owned(), End::Finished));
    }
    let mut later = relayed.server.connect();
    later.send(ask(&keyed));
    assert_eq!(later.reader().rest().0, LINES);
    relayed.upstream.is_left_alone();
}

#[test]
fn lines_that_nobody_asked_to_stream_are_a_document() {
    let relayed = Relayed::open();
    let whole = format!("Content-Type: {TYPE}\r\n");
    for (bytes, has_length) in [
        (ask(&[]), true),
        (request("GET", "/v1/files/1/content", &[], ""), false),
        (ask_at("/v1/query", &[], "{}"), false),
    ] {
        let reader = answered(&relayed, bytes, |mut call| match has_length {
            true => call.answer("200 OK", &whole, LINES),
            false => {
                begin(&mut call);
                call.chunk(LINES);
                call.end();
            }
        });
        assert_eq!(reader.head.get("tidewire-stream"), None);
        assert_eq!(reader.rest(), (LINES.to_owned(), End::Finished));
    }
    // Asked for by their name.
    let named = ask_at("/v1/query", &[("Accept", TYPE)], "{}");
    let reader = answered(&relayed, named, |mut call| {
        begin(&mut call);
        call.chunk(LINES);
        call.end();
    });
    assert!(reader.head.get("tidewire-stream").is_some());
    assert_eq!(reader.rest().0, LINES);
}

#[test]
fn lines_are_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let before = at(folder.path(), Upstream::start());
    let reader = answered(&before, ask(&[]), |mut call| {
        begin(&mut call);
        call.chunk(LINES);
        call.end();
    });
    let stream = stream_of(&reader);
    reader.rest();
    let mut cut = before.server.connect();
    cut.send(ask(&[]));
    let mut call = before.upstream.call();
    begin(&mut call);
    call.chunk("{\"n\":1}\n");
    let mut cut = cut.reader();
    let half = stream_of(&cut);
    cut.expect("{\"n\":1}\n");
    eventually(|| before.relay.stats()[0].endings[0] == 1);
    let after = at(folder.path(), before.stop());
    // Only now: the relay before would have seen that its upstream broke off.
    drop(call);
    read_again(&after, &stream);
    let (text, _) = after.get(&format!("/relay/{half}"), &[]).rest();
    assert!(
        text.starts_with("{\"n\":1}\n{\"error\":\"the server was restarted"),
        "{text}"
    );
    after.upstream.is_left_alone();
}

/// A relay whose log is in this folder.
fn at(folder: &Path, upstream: Upstream) -> Relayed {
    let runtime = Runtime::new().unwrap();
    let archive = {
        let _inside = runtime.enter();
        // The one before lets go of it in a thread of its own.
        let mut disk = None;
        eventually(|| {
            disk = RealDisk::open(folder).ok();
            disk.is_some()
        });
        Segments::open(Arc::new(disk.unwrap()), Settings::default()).unwrap()
    };
    Relayed::over(runtime, upstream, archive, |_| {})
}
