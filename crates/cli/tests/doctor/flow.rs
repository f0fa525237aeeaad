//! Events that are held back, and events that are not though it may look so.

use std::io::Write as _;
use std::time::{Duration, SystemTime};

use flate2::{Compression, write::GzEncoder};

use crate::case::{Case, case};
use crate::faults::{Reply, event, next, stream, with};

/// An event that says when it was made: so many milliseconds after a moment.
fn made(number: usize, after: u64) -> String {
    let moment = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_269_600_000 + after);
    let time = humantime::format_rfc3339_millis(moment);
    format!("id: {number}\ndata: {{\"time\": \"{time}\"}}\n\n")
}

/// Pieces as gzip has them, flushed after each or not at all; the last one ends it.
fn gzip<const N: usize>(pieces: [String; N], flushed: bool) -> [Vec<u8>; N] {
    let mut encoder = Some(GzEncoder::new(Vec::new(), Compression::default()));
    let mut left = N;
    pieces.map(|piece| {
        left -= 1;
        let mut packer = encoder.take().unwrap();
        packer.write_all(piece.as_bytes()).unwrap();
        if left == 0 {
            return packer.finish().unwrap();
        }
        if flushed {
            packer.flush().unwrap();
        }
        let bytes = std::mem::take(packer.get_mut());
        encoder = Some(packer);
        bytes
    })
}

/// Text that hardly packs.
fn noise(number: usize, length: usize) -> String {
    let mut state = number as u32 + 1;
    let text = (0..length).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'!' + (state >> 24) as u8 % 90)
    });
    format!("id: {number}\ndata: {}\n\n", text.collect::<String>())
}

/// What a compressor writes at once: nothing of an event is in it.
const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];

fn packed() -> Reply {
    with("Content-Encoding: gzip")
}

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case(
            "a_full_buffer_that_cuts_a_line_is_seen",
            &["buffered"],
            |request| {
                let text: String = (next(request)..=80).map(event).collect();
                if next(request) > 1 {
                    return stream().send(text);
                }
                let (first, rest) = text.split_at(500);
                let (second, third) = rest.split_at(500);
                stream().send(first).wait(1100).send(second).wait(400).send(third)
            },
        )
        .wait("4s"),
        case("two_heartbeats_in_one_go_are_seen", &["buffered"], |_| {
            stream()
                .send(event(1))
                .wait(1500)
                .send(":\n:\n:\n")
                .send("data: x\n\n")
        }),
        case(
            "events_whose_own_times_fill_the_silence_are_seen",
            &["buffered"],
            |request| {
                let heap = made(2, 500) + &made(3, 1200) + &made(4, 1900);
                match request.header("last-event-id") {
                    None => stream().send(made(1, 0)).wait(2000).send(heap),
                    Some(_) => stream().send(heap),
                }
            },
        ),
        case(
            "an_answer_that_comes_with_its_end_is_seen",
            &["buffered"],
            |request| match request.header("last-event-id") {
                None => stream()
                    .late_head()
                    .wait(1500)
                    .send([1, 2, 3].map(event).concat())
                    .finish(),
                Some("3") => stream().send(event(4)),
                Some(_) => stream().send([2, 3].map(event).concat()).finish(),
            },
        ),
        case("a_short_answer_to_a_post_may_come_at_once", &["bunched?"], |_| {
            stream()
                .late_head()
                .wait(1500)
                .send([1, 2, 3].map(event).concat())
                .finish()
        })
        .args(&["-X", "POST"])
        .also(&["late-head!"]),
        case(
            "a_long_answer_to_a_post_that_comes_at_once_is_seen",
            &["buffered"],
            |_| {
                stream()
                    .late_head()
                    .wait(1500)
                    .send((1..=20).map(event).collect::<String>())
                    .finish()
            },
        )
        .args(&["-X", "POST"]),
        case(
            "all_events_with_the_end_are_a_warning",
            &["bunched?"],
            |request| match request.header("last-event-id") {
                None => stream().wait(1500).send([1, 2, 3].map(event).concat()).finish(),
                Some("3") => stream().send(event(4)),
                Some(_) => stream().send([2, 3].map(event).concat()).finish(),
            },
        ),
        case(
            "packed_bytes_that_cannot_be_read_yet_are_seen",
            &["compression-delays"],
            |request| {
                let identity = request.header("accept-encoding") == Some("identity");
                let events = [noise(1, 60_000), noise(2, 60_000), noise(3, 100)];
                match identity {
                    true => stream().send(&events[0]).wait(500).send(&events[1]),
                    false => {
                        let [first, _, _] = gzip(events, false);
                        let head = &first[..first.len().min(100)];
                        packed().send(head).wait(60_000)
                    }
                }
            },
        )
        .wait("5s"),
        case(
            "what_comes_sooner_without_compression_is_seen",
            &["compression-delays"],
            |request| {
                let identity = request.header("accept-encoding") == Some("identity");
                match (identity, request.header("last-event-id")) {
                    (true, None) => stream().events(1..=3, 100),
                    (true, Some(_)) => stream().events(2..=3, 100),
                    (false, _) => packed().send(GZIP_HEAD),
                }
            },
        )
        .wait("4s"),
        case(
            "compression_of_which_nothing_can_be_read_is_a_warning",
            &["compression?"],
            |_| packed().send(GZIP_HEAD),
        )
        .wait("4s"),
        case("compression_without_an_event_is_a_note", &[], |_| {
            packed().send(&gzip([":\n".to_owned(), event(1)], true)[0])
        })
        .also(&["compression!"]),
        case("compression_that_is_flushed_is_fine", &[], |request| {
            let identity = request.header("accept-encoding") == Some("identity");
            let begin = next(request);
            match identity {
                true => stream().events(begin..=4, 300),
                false => {
                    let pieces = [event(1), event(2), event(3), event(4), String::new()];
                    let flushed = gzip(pieces, true);
                    let [events @ .., _] = flushed;
                    events
                        .iter()
                        .fold(packed(), |reply, bytes| reply.send(bytes).wait(300))
                }
            }
        })
        .also(&["compression"]),
        case(
            "a_body_that_is_not_packed_as_it_says_is_an_error",
            &["encoding"],
            |_| packed().send(event(1)),
        ),
        case("three_events_at_once_now_and_then_are_no_fault", &[], |request| {
            let tick = |from| [from, from + 1, from + 2].map(event).concat();
            match request.header("last-event-id") {
                None => stream()
                    .send(tick(1))
                    .wait(1100)
                    .send(tick(4))
                    .wait(1100)
                    .send(tick(7)),
                Some(_) => stream().send(tick(2)).send(tick(5)),
            }
        })
        .also(&["bunched!"]),
        case("a_history_at_the_start_is_no_fault", &[], |request| {
            let events = (next(request)..=100).map(|n| made(n, n as u64 * 100));
            stream().send(events.collect::<String>())
        }),
        case("a_history_after_a_slow_question_is_no_fault", &[], |request| {
            let events = (next(request)..=50)
                .map(|n| made(n, n as u64 * 60_000))
                .collect::<String>();
            stream().wait(1300).send(events)
        }),
        case("a_large_event_in_many_pieces_is_no_fault", &[], |_| {
            let large = noise(1, 4000);
            let pieces = large.as_bytes().chunks(200);
            pieces.fold(stream(), |reply, piece| reply.send(piece).wait(20))
        }),
    ]
}
