//! What readers meet who stay, who come back, and who stay to the end.

use crate::case::{Case, case};
use crate::faults::{Reply, Request, event, stream, with};

/// A stream with three events; whoever comes back gets what `again` says of the number that it saw last.
fn three(
    name: &'static str,
    found: &[&'static str],
    again: impl Fn(usize) -> Reply + Send + Sync + 'static,
) -> Case {
    case(name, found, move |request| match last(request) {
        None => stream().events(1..=3, 100),
        Some(number) => again(number),
    })
}

fn last(request: &Request) -> Option<usize> {
    request.header("last-event-id").map(|id| id.parse().unwrap())
}

pub(crate) fn cases() -> Vec<Case> {
    let plain = |number: usize| format!("data: {number}\n\n");
    let constant = |number: usize| format!("id: 7\ndata: {number}\n\n");
    vec![
        case("events_without_ids_are_a_warning", &["no-ids?"], move |_| {
            stream().send(plain(1)).wait(200).send(plain(2))
        }),
        case("events_of_a_post_without_ids_are_a_note", &[], move |_| {
            stream()
                .send(plain(1))
                .wait(200)
                .send("data: [DONE]\n\n")
                .finish()
        })
        .args(&["-d", "{}"])
        .also(&["no-ids!", "end"]),
        case(
            "one_id_for_all_events_is_an_error",
            &["constant-ids"],
            move |_| {
                [1, 2, 3]
                    .into_iter()
                    .fold(stream(), |reply, number| reply.send(constant(number)).wait(100))
            },
        ),
        case(
            "an_id_that_is_used_again_is_a_warning",
            &["repeated-ids?"],
            |_| stream().events(1..=3, 50).events(2..=3, 50),
        ),
        three("a_resumption_that_goes_on_is_fine", &[], |number| {
            stream().events(number + 1..=3, 10)
        })
        .also(&["resume", "ids"]),
        three(
            "a_resumption_that_begins_anew_repeats",
            &["resume-repeats"],
            |_| stream().events(1..=3, 10),
        ),
        three(
            "a_resumption_that_gives_the_last_event_again_repeats",
            &["resume-repeats"],
            |number| stream().events(number..=3, 10),
        ),
        three(
            "a_resumption_that_leaves_one_out_loses",
            &["resume-loses"],
            |number| stream().events(number + 2..=3, 10),
        ),
        three(
            "a_resumption_that_leaves_one_out_later_loses",
            &["resume-loses"],
            |number| {
                stream()
                    .events(number + 1..=number + 1, 10)
                    .events(number + 3..=number + 3, 10)
            },
        ),
        three("a_resumption_that_gives_nothing_loses", &["resume-loses"], |_| {
            stream()
        })
        .wait("7s"),
        three(
            "a_resumption_that_gives_something_else_loses",
            &["resume-loses"],
            |_| stream().events(40..=41, 10),
        ),
        three(
            "a_resumption_that_is_refused_is_an_error",
            &["resume-refused"],
            |_| crate::faults::answer("400 Bad Request", "no"),
        ),
        three("a_gap_that_is_told_is_a_note", &[], |_| {
            stream().send("event: tidewire.gap\nid: 2\ndata: {\"reason\":\"expired\"}\n\n")
        })
        .also(&["resume!"]),
        case(
            "events_that_come_while_two_look_are_compared",
            &[],
            |request| match last(request) {
                // Both see 1 to 12, as readers of one topic do; the second one joins in between.
                None => stream().events(1..=12, 200),
                Some(number) => stream().events(number + 1..=6, 0).events(7..=12, 200),
            },
        )
        .also(&["resume"]),
        case(
            "a_heartbeat_that_was_announced_and_does_not_come_is_an_error",
            &["heartbeat-missing"],
            |_| with("Tidewire-Heartbeat: 1").send(event(1)),
        )
        .wait("5s"),
        case("heartbeats_are_fine", &[], |_| {
            stream()
                .send(event(1))
                .wait(1000)
                .send(":\n")
                .wait(1000)
                .send(": ping\n\n")
        })
        .also(&["heartbeat"]),
        case(
            "silence_without_a_heartbeat_is_a_warning",
            &["no-heartbeat?"],
            |_| stream(),
        )
        .wait("18s"),
        case("a_short_silence_says_nothing", &[], |_| stream())
            .wait("6s")
            .also(&["no-heartbeat!"]),
        case("a_cut_after_a_silence_is_a_proxy_s", &["idle-cut"], |_| {
            stream().send(event(1)).wait(2500).cut()
        })
        .wait("6s"),
        case("a_cut_in_the_midst_is_an_error", &["cut"], |_| {
            stream().send(event(1)).wait(100).cut()
        }),
        case(
            "an_end_after_a_long_silence_is_a_warning",
            &["idle-cut?"],
            |request| match last(request) {
                None => stream().send(event(1)).wait(10_500).finish(),
                Some(_) => stream(),
            },
        )
        .wait("14s"),
        case("an_end_that_is_told_by_204_is_fine", &[], |request| {
            match last(request) {
                None => stream().events(1..=3, 100).finish(),
                Some(3) => crate::faults::with_head("HTTP/1.1 204 No Content\r\n").finish(),
                Some(number) => stream().events(number + 1..=3, 100).finish(),
            }
        })
        .also(&["end", "resume"]),
        case(
            "a_stream_that_begins_anew_after_its_end_repeats_for_ever",
            &["repeats-for-ever", "no-ids?"],
            move |_| stream().send(plain(1)).wait(100).send(plain(2)).finish(),
        ),
        case(
            "an_end_that_is_told_by_an_event_is_a_note",
            &["no-ids?"],
            move |_| {
                stream()
                    .send(plain(1))
                    .wait(100)
                    .send("event: end\ndata: bye\n\n")
                    .finish()
            },
        )
        .also(&["ended!"]),
        case(
            "a_stream_that_has_nothing_again_and_again_is_a_warning",
            &["reconnects-for-ever?"],
            |_| stream().send("retry: 1000\n\n").finish(),
        ),
        case(
            "a_stream_that_goes_on_after_its_end_is_fine",
            &[],
            |request| match last(request) {
                None => stream().events(1..=3, 100).finish(),
                Some(number) => stream().events(number + 1..=5, 100),
            },
        )
        .also(&["end"]),
        case("a_post_without_an_event_is_a_warning", &["empty?"], |_| {
            stream().finish()
        })
        .args(&["-X", "POST"]),
        case(
            "the_end_of_a_post_is_not_tried_again",
            &[],
            |request| match request.number {
                0 => stream().events(1..=2, 100).finish(),
                _ => crate::faults::answer("500 Twice", "this was sent twice"),
            },
        )
        .args(&["-X", "POST"])
        .also(&["end"]),
    ]
}
