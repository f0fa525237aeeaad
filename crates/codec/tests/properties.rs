//! Fast equals oracle, and what is written is read, for whatever proptest comes up with.

mod support;

use proptest::collection::vec;
use proptest::prelude::*;
use support::{Setup, check};
use tidewire_codec::{Event, EventId, EventName, Limits, Unfinished};

/// Streams out of pieces that matter, most of them well formed.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop_oneof![Just("\n"), Just("\r"), Just("\r\n"), Just("\n\n")]
            .prop_map(|text| text.as_bytes().to_vec()),
        4 => prop_oneof![
            Just("data"), Just("data:"), Just("data: "), Just("event:"), Just("event: x"),
            Just("id:"), Just("id: 1"), Just("id: \0"), Just("retry: 5"), Just("retry"),
            Just(": c"), Just(":"), Just(" "), Just("foo: bar"), Just("\u{FEFF}"),
        ]
        .prop_map(|text| text.as_bytes().to_vec()),
        2 => "[a-z :é世🌊]{0,12}".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..5),
        1 => prop_oneof![
            Just(&b"\xE4\xBD"[..]), Just(&b"\xF0\x9F\x8C"[..]), Just(&b"\x80"[..]), Just(&b"\xFF"[..]),
        ]
        .prop_map(<[u8]>::to_vec),
    ];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn setup() -> impl Strategy<Value = Setup> {
    let limits = prop_oneof![
        Just(Limits::default()),
        (0..24usize, 0..16usize, 0..4usize).prop_map(|(max_line, max_event, max_id)| Limits {
            max_line,
            max_event,
            max_id,
        }),
    ];
    let unfinished = prop_oneof![Just(Unfinished::Drop), Just(Unfinished::Keep)];
    (limits, any::<bool>(), unfinished).prop_map(|(limits, all, unfinished)| Setup {
        limits,
        all,
        unfinished,
    })
}

/// Text with what a writer must take care of.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ \r\n:a]{0,12}",
        "(data: |id: |event: |: |\r|\n|\r\n|x|\0|\u{FEFF}| |你){0,12}",
        any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn w1_to_w6_fast_equals_oracle(
        stream in stream(),
        cuts in vec(0..300usize, 0..8),
        setup in setup(),
    ) {
        check::agree(&stream, &cuts, &setup);
    }

    #[test]
    fn w1_w4_what_is_written_is_read_and_nothing_more(
        id in proptest::option::of(text()),
        name in proptest::option::of(text()),
        retry in any::<Option<u64>>(),
        data in text(),
        comment in text(),
    ) {
        let event = Event {
            id: id.and_then(|id| EventId::new(id).ok()),
            name: name.and_then(|name| EventName::new(name).ok()),
            retry,
            data,
        };
        check::survives(&event, &comment);
    }

    #[test]
    fn w4_ids_and_names_cannot_hold_what_breaks_a_stream(text in text()) {
        let harmful = text.contains(['\r', '\n', '\0']);
        prop_assert_eq!(EventId::new(text.as_str()).is_err(), harmful);
        prop_assert_eq!(EventName::new(text.as_str()).is_err(), harmful);
    }
}
