//! Upstreams that break off, stall, or write their stream in one of the odd ways that there are.

use std::{io::Cursor, thread::sleep, time::Duration};

use async_compression::{
    Level,
    tokio::write::{BrotliEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder},
};
use tokio::io::AsyncWriteExt as _;

use super::{Call, Relayed, chat, stream_of};
use crate::client::{End, Reader};

/// A short stream with most of what there is, and its events as they arrive.
const STREAM: &str = "id: 7\nevent: delta\ndata: {\"a\":1}\n\n: c\nretry: 5\ndata: zwei\ndata: ü€𝄞\n\nevent\nid\ndata\n\ndata: [DONE]\n\n";
const EVENTS: [&str; 4] = [
    "event: delta\ndata: {\"a\":1}\n\n",
    "data: zwei\ndata: ü€𝄞\n\n",
    "data: \n\n",
    "data: [DONE]\n\n",
];

/// These events as readers of an answer get them.
fn with_ids(stream: &str, events: &[&str]) -> String {
    let numbered = events.iter().zip(1..);
    numbered
        .map(|(event, number)| format!("id: {stream}.{number}\n{event}"))
        .collect()
}

/// The answer is these events and then an error with this code.
#[track_caller]
fn breaks(reader: Reader, events: &[&str], code: &str) {
    let stream = stream_of(&reader);
    let (text, end) = reader.rest();
    let rest = text
        .strip_prefix(&with_ids(&stream, events))
        .unwrap_or_else(|| panic!("{events:?}: {text:?}"));
    let number = events.len() + 1;
    assert!(
        rest.starts_with(&format!(
            "id: {stream}.{number}\nevent: error\ndata: {{\"error\":"
        )),
        "{rest}"
    );
    assert!(rest.contains(&format!("\"code\":\"{code}\"")), "{code}: {rest}");
    assert_eq!(rest.matches("\n\n").count(), 1, "nothing after it: {rest}");
    assert_eq!(end, End::Finished);
}

/// The answer is these events, and whole.
#[track_caller]
fn is_whole(reader: Reader, events: &[&str]) {
    let stream = stream_of(&reader);
    assert_eq!(reader.rest(), (with_ids(&stream, events), End::Finished));
}

#[test]
fn an_upstream_that_breaks_off_at_any_byte_gives_what_was_whole_and_an_error() {
    let relayed = Relayed::open();
    for cut in 0..=STREAM.len() {
        let sent = &STREAM.as_bytes()[..cut];
        let whole = sent.windows(2).filter(|two| two == b"\n\n").count();
        let reader = relayed.answered(|mut call| {
            call.stream();
            if cut > 0 {
                call.chunk(sent);
            }
        });
        match whole == EVENTS.len() {
            true => is_whole(reader, &EVENTS),
            false => breaks(reader, &EVENTS[..whole], "upstream_died"),
        }
    }
}

#[test]
fn a_retry_with_the_same_key_of_an_answer_that_broke_off_is_asked_anew() {
    let relayed = Relayed::open();
    let mine = [("Authorization", "a"), ("Idempotency-Key", "k")];
    let mut last = None;
    for _ in 0..20 {
        let reader = relayed.answered_to("hello", &mine, |mut call| {
            call.stream();
            call.event("half");
        });
        let stream = stream_of(&reader);
        assert_ne!(last.as_ref(), Some(&stream));
        // The moment that it is told it may ask again.
        breaks(reader, &["data: half\n\n"], "upstream_died");
        last = Some(stream);
    }
    // Both halves can still be read, and whole is whole.
    let half = relayed.get(&format!("/relay/{}", last.unwrap()), &[]);
    assert!(half.rest().0.contains("upstream_died"));
    let reader = relayed.answered_to("hello", &mine, |mut call| {
        call.stream();
        call.event("whole");
        call.end();
    });
    let stream = stream_of(&reader);
    is_whole(reader, &["data: whole\n\n"]);
    let again = relayed.ask(&mine);
    assert_eq!(stream_of(&again), stream);
    is_whole(again, &["data: whole\n\n"]);
    relayed.upstream.is_left_alone();
}

#[test]
fn an_upstream_with_a_length_that_breaks_off_is_no_end_and_one_that_closes_is() {
    let relayed = Relayed::open();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
    let reader = relayed.answered(|mut call| {
        call.send(format!("{head}Content-Length: 100\r\n\r\ndata: 1\n\n"));
    });
    breaks(reader, &["data: 1\n\n"], "upstream_died");
    // Without a length and without chunks the end of the connection is the end of the answer.
    let reader = relayed.answered(|mut call| {
        call.send(format!("{head}Connection: close\r\n\r\ndata: 1\n\ndata: 2"));
    });
    is_whole(reader, &["data: 1\n\n", "data: 2\n\n"]);
}

#[test]
fn lines_may_end_in_any_of_the_three_ways_and_packets_anywhere() {
    let relayed = Relayed::open();
    for end in ["\n", "\r\n", "\r"] {
        for bom in ["", "\u{feff}"] {
            let text = format!("{bom}{}", STREAM.replace('\n', end));
            for size in [1, 3, 7, text.len()] {
                let reader = relayed.answered(|mut call| {
                    call.stream();
                    for piece in text.as_bytes().chunks(size) {
                        call.chunk(piece);
                    }
                    call.end();
                });
                is_whole(reader, &EVENTS);
            }
        }
    }
}

/// The pieces packed as one stream, each so that it can be unpacked when it has come.
fn packed(relayed: &Relayed, encoding: &str, pieces: &[&str]) -> Vec<Vec<u8>> {
    macro_rules! packed {
        ($encoder:ident) => {{
            let mut packing = $encoder::new(Cursor::new(Vec::new()));
            let mut ends = Vec::new();
            for piece in pieces {
                packing.write_all(piece.as_bytes()).await.unwrap();
                packing.flush().await.unwrap();
                ends.push(packing.get_ref().get_ref().len());
            }
            packing.shutdown().await.unwrap();
            (packing.into_inner().into_inner(), ends)
        }};
    }
    let (mut bytes, ends) = relayed.server.block_on(async {
        match encoding {
            "gzip" => packed!(GzipEncoder),
            "br" => packed!(BrotliEncoder),
            "zstd" => packed!(ZstdEncoder),
            _ => packed!(ZlibEncoder),
        }
    });
    let mut found: Vec<_> = ends.iter().rev().map(|end| bytes.split_off(*end)).collect();
    found.push(bytes);
    found.reverse();
    found
}

#[test]
fn an_answer_that_is_packed_though_nobody_asked_is_unpacked_as_it_comes() {
    let relayed = Relayed::open();
    for encoding in ["gzip", "br", "zstd", "deflate"] {
        let pieces = packed(&relayed, encoding, &["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"]);
        let header = format!("Content-Encoding: {encoding}\r\n");
        let open = |mut call: Call| {
            call.stream_with(&header);
            call.chunk(&pieces[0]);
            call
        };
        let mut call = None;
        let mut reader = relayed.answered(|asked| call = Some(open(asked)));
        let mut call = call.unwrap();
        let stream = stream_of(&reader);
        assert_eq!(reader.head.get("content-encoding"), None);
        // Before the next one is even sent.
        reader.expect(&format!("id: {stream}.1\ndata: 1\n\n"));
        for piece in &pieces[1..] {
            if !piece.is_empty() {
                call.chunk(piece);
            }
        }
        call.end();
        reader.expect(&format!("id: {stream}.2\ndata: 2\n\nid: {stream}.3\ndata: 3\n\n"));
        reader.finished();

        // Cut in the middle: the connection, and what is packed within a body that is whole.
        for is_clean in [false, true] {
            let reader = relayed.answered(|asked| {
                let mut call = open(asked);
                call.chunk(&pieces[1][..pieces[1].len() / 2]);
                if is_clean {
                    call.end();
                }
            });
            breaks(reader, &["data: 1\n\n"], "upstream_died");
        }
    }
    let reader = relayed.answered(|mut call| {
        call.stream_with("Content-Encoding: rot13\r\n");
        call.event("1");
    });
    breaks(reader, &[], "upstream_encoding");
}

#[test]
fn a_large_event_and_many_small_ones_come_whole_in_order_and_once() {
    let relayed = Relayed::open();
    let large = "x".repeat(1 << 20);
    let reader = relayed.answered(|mut call| {
        call.stream();
        call.event(&large);
        call.end();
    });
    is_whole(reader, &[&format!("data: {large}\n\n")]);

    let tokens: Vec<String> = (0..50_000).map(|number| format!("data: {number}\n\n")).collect();
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let reader = relayed.answered(|mut call| {
        call.stream();
        for some in tokens.chunks(100) {
            call.chunk(some.concat());
        }
        call.end();
    });
    is_whole(reader, &tokens);
}

#[test]
fn an_event_with_a_name_of_ours_ends_the_answer_in_order() {
    let relayed = Relayed::open();
    for name in ["tidewire.gap", "tidewire.x", "mercure"] {
        let reader = relayed.answered(|mut call| {
            call.stream();
            call.event("1");
            call.chunk(format!("event: {name}\ndata: {{}}\n\n"));
            call.event("2");
            sleep(Duration::from_millis(50));
        });
        let place = format!("/relay/{}", stream_of(&reader));
        breaks(reader, &["data: 1\n\n"], "reserved_event");
        assert!(
            relayed.get(&place, &[]).rest().0.contains("reserved_event"),
            "it is kept"
        );
    }
}

#[test]
fn comments_keep_an_answer_alive_but_are_no_first_event() {
    let relayed = Relayed::with(|route| {
        route.times.first_event = Duration::from_millis(600);
        route.times.idle = Duration::from_millis(400);
    });
    let reader = relayed.answered(|mut call| {
        call.stream();
        call.event("1");
        for _ in 0..4 {
            sleep(Duration::from_millis(200));
            call.chunk(": still there\n");
        }
        call.event("2");
        call.end();
    });
    is_whole(reader, &["data: 1\n\n", "data: 2\n\n"]);
    let mut left = None;
    let reader = relayed.answered(|mut call| {
        call.stream();
        left = Some(std::thread::spawn(move || {
            for _ in 0..10 {
                sleep(Duration::from_millis(200));
                if call.try_chunk(": still there\n").is_err() {
                    break;
                }
            }
        }));
    });
    breaks(reader, &[], "upstream_timeout");
    left.unwrap().join().unwrap();
}

#[test]
fn events_without_text_have_a_bound_too() {
    let relayed = Relayed::with(|route| route.limits.max_answer = 10_000);
    let reader = relayed.answered(|mut call| {
        call.stream();
        let _ = call.try_chunk("data:\n\n".repeat(1000));
    });
    let (text, _) = reader.rest();
    assert!(text.contains("answer_too_large"), "{text}");
    assert!(text.matches("\n\n").count() < 200);
}

#[test]
fn headers_that_come_late_are_answered_in_band_whatever_they_say() {
    let relayed = Relayed::with(|route| route.times.commit_after = Duration::from_millis(50));
    let late = |act: &dyn Fn(Call)| {
        relayed.answered(|call| {
            sleep(Duration::from_millis(200));
            act(call);
        })
    };
    is_whole(
        late(&|mut call| {
            call.stream();
            call.event("1");
            call.end();
        }),
        &["data: 1\n\n"],
    );
    breaks(late(&drop), &[], "upstream_unreachable");
    for (status, headers, body, told) in [
        ("500 Internal Server Error", "", "<html>", "500"),
        (
            "429 Too Many Requests",
            "Retry-After: 1\r\n",
            "{\"error\":{\"message\":\"slow down\"}}",
            "slow down",
        ),
        (
            "200 OK",
            "Content-Type: application/json\r\n",
            "{\"error\":{\"message\":\"odd\"}}",
            "odd",
        ),
        ("302 Found", "Location: http://elsewhere/\r\n", "", "302"),
    ] {
        let reader = late(&|call| call.answer(status, headers, body));
        let (text, end) = reader.rest();
        assert!(
            text.contains("event: error\n") && text.contains(told),
            "{status}: {text}"
        );
        assert_eq!(end, End::Finished);
    }
}

#[test]
fn an_error_that_comes_late_and_packed_is_told_unpacked() {
    let relayed = Relayed::with(|route| route.times.commit_after = Duration::from_millis(50));
    for encoding in ["gzip", "br", "zstd", "deflate"] {
        let error = "{\"error\":{\"message\":\"slow down\"}}";
        let packed = packed(&relayed, encoding, &[error]).concat();
        let reader = relayed.answered(|mut call| {
            sleep(Duration::from_millis(200));
            let length = packed.len();
            call.send(format!(
                "HTTP/1.1 429 Too Many Requests\r\nContent-Encoding: {encoding}\r\nContent-Length: {length}\r\n\r\n"
            ));
            call.send(&packed);
        });
        let (text, _) = reader.rest();
        assert!(text.contains("slow down"), "{encoding}: {text}");
    }
}

#[test]
fn an_answer_is_not_begun_for_an_upstream_whose_time_is_over() {
    let relayed = Relayed::with(|route| {
        route.times.first_event = Duration::from_millis(100);
        route.times.commit_after = Duration::from_secs(600);
    });
    let mut client = relayed.server.connect();
    client.send(chat("hello", &[]));
    let _silent = relayed.upstream.call();
    let response = client.response();
    assert_eq!(response.status(), 504, "{response:?}");
    assert!(response.body.contains("first_event"), "{response:?}");
}

#[test]
fn statuses_errors_and_redirects_that_come_in_time_pass_untouched() {
    let relayed = Relayed::open();
    for (status, headers, body) in [
        ("429 Too Many Requests", "Retry-After: 7\r\n", "{}"),
        (
            "500 Internal Server Error",
            "Content-Type: text/event-stream\r\n",
            "data: no\n\n",
        ),
        ("200 OK", "Content-Type: application/json\r\n", "{\"error\":{}}"),
        ("307 Temporary Redirect", "Location: http://elsewhere/\r\n", ""),
        ("204 No Content", "Content-Type: text/event-stream\r\n", ""),
    ] {
        let mut reader = relayed.answered(|call| call.answer(status, headers, body));
        assert!(reader.head.line.contains(status), "{:?}", reader.head);
        assert_eq!(reader.head.get("tidewire-stream"), None);
        for header in headers.lines() {
            let (name, value) = header.split_once(": ").unwrap();
            assert_eq!(reader.head.get(name), Some(value));
        }
        reader.expect(body);
    }
    // No twin of what was no stream is there.
    assert_eq!(relayed.relay.answers(), (0, 0));
}

#[test]
fn comments_count_and_a_bomb_of_them_is_unpacked_no_further_than_the_bounds() {
    // What the answer may have, how many comments there are, and what it ends with.
    for (max, count, hint) in [
        (
            64 << 10,
            10_000,
            "more than 65536 bytes, comments included (max_answer)",
        ),
        (1 << 30, 2_000_000, "packed bytes hold"),
    ] {
        let comments = ": nothing\n".repeat(count);
        let relayed = Relayed::with(|route| route.limits.max_answer = max);
        for encoding in ["", "gzip", "br", "zstd", "deflate"] {
            let pieces = match encoding {
                // Packing so much takes long in a test.
                encoding if count > 10_000 && encoding != "gzip" => continue,
                "" => vec![comments.clone().into_bytes()],
                _ => packed(&relayed, encoding, &["data: 1\n\n", &comments]),
            };
            let header = format!("Content-Encoding: {encoding}\r\n");
            let mut call = None;
            let reader = relayed.answered(|mut asked| {
                asked.stream_with(&header);
                for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
                    // It may have been let go before.
                    let _ = asked.try_chunk(piece);
                }
                call = Some(asked);
            });
            // It is let go, though it has not ended.
            call.unwrap().gone();
            let text = reader.rest().0;
            assert!(
                text.contains("answer_too_large") && text.contains(hint),
                "{encoding}: {text}"
            );
        }
    }
}

/// RFC 9659: no window over 8 MiB in a body.
#[test]
fn a_packed_answer_that_wants_more_memory_than_any_may_is_not_read() {
    let relayed = Relayed::open();
    let packed = relayed.server.block_on(async {
        let window = async_compression::zstd::CParameter::window_log(27);
        let mut encoder =
            ZstdEncoder::with_quality_and_params(Cursor::new(Vec::new()), Level::Fastest, &[window]);
        // More than a small window holds, else the frame asks for no more than that.
        for number in 0..200_000 {
            let event = format!(": {number} {}\n", "x".repeat(50));
            encoder.write_all(event.as_bytes()).await.unwrap();
        }
        encoder.shutdown().await.unwrap();
        encoder.into_inner().into_inner()
    });
    let reader = relayed.answered(|mut call| {
        call.stream_with("Content-Encoding: zstd\r\n");
        let _ = call.try_chunk(packed);
    });
    breaks(reader, &[], "upstream_died");
}
