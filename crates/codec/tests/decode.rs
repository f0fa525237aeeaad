//! The decoder by example, one test a row of the wire format.

#![allow(clippy::unwrap_used, reason = "tests/ lies outside `allow-unwrap-in-tests`")]

use tidewire_codec::{Decoder, Event, EventId, EventName, Item, Limit, Limits, Overlong, Unfinished};

/// Every item of `chunks`, in a short form.
fn read<const N: usize>(decoder: &mut Decoder, chunks: [&str; N]) -> Vec<String> {
    let mut seen = Vec::new();
    for chunk in chunks {
        let mut items = decoder.feed(chunk.as_bytes());
        while let Some(item) = items.next() {
            seen.push(match item {
                Item::Event(event) => format!("{}={}", event.name, event.data),
                Item::Comment(text) => format!(":{text}"),
                Item::Retry(millis) => format!("retry {millis}"),
                Item::Overlong(overlong) => format!("over {:?}", overlong.limit),
            });
        }
    }
    seen
}

fn events<const N: usize>(chunks: [&str; N]) -> Vec<String> {
    read(&mut Decoder::new(), chunks)
}

#[test]
fn w1_every_line_end_ends_a_line() {
    for text in [
        "data: a\n\ndata: b\n\n",
        "data: a\r\rdata: b\r\r",
        "data: a\r\n\r\ndata: b\n\r",
    ] {
        assert_eq!(events([text]), ["message=a", "message=b"], "{text:?}");
    }
}

#[test]
fn w1_a_cr_completes_its_line_at_once_and_owns_the_next_lf() {
    let mut decoder = Decoder::new();
    assert_eq!(read(&mut decoder, ["data: a\r", "\n\r"]), ["message=a"]);
    // This LF belongs to the CR before: it is no second blank line, and `b` begins a line.
    assert_eq!(read(&mut decoder, ["", "\ndata: b\n\n"]), ["message=b"]);
}

#[test]
fn w1_a_byte_order_mark_is_dropped_at_the_start_only() {
    assert_eq!(events(["\u{FEFF}data: a\n\n\u{FEFF}data: b\n\n"]), ["message=a"]);
    assert_eq!(events(["\u{FEFF}\u{FEFF}data: a\n\n"]), [""; 0]);
    let mut decoder = Decoder::new();
    let mut seen = 0;
    for byte in "\u{FEFF}data: a\n\n".bytes() {
        seen += decoder.feed(&[byte]).messages().count();
    }
    assert_eq!(seen, 1);
}

#[test]
fn w2_data_lines_are_joined_by_lf() {
    assert_eq!(
        events(["data: a\ndata:\ndata\ndata:  b\n\n"]),
        ["message=a\n\n\n b"]
    );
    assert_eq!(
        events(["data: a\nda", "ta:", " ", "b\nid: 1\n", "data: c\n", "\n"]),
        ["message=a\nb\nc"]
    );
}

#[test]
fn w2_an_event_needs_a_data_field_which_may_be_empty() {
    assert_eq!(events(["data\n\n"]), ["message="]);
    assert_eq!(events(["event: a\n\n", "data: b\n\n"]), ["message=b"]);
}

#[test]
fn w3_comments_are_shown_to_those_who_ask() {
    let chunks = [": one\n:two\ndata: a\n:\n\n", ": th", "ree\n", "unknown: x\n"];
    assert_eq!(events(chunks), ["message=a"]);
    let shown = read(&mut Decoder::new().with_comments(), chunks);
    assert_eq!(shown, [":one", ":two", ":", "message=a", ":three"]);
}

#[test]
fn w4_ids_are_committed_at_the_blank_line() {
    let mut decoder = Decoder::new();
    assert_eq!(read(&mut decoder, ["id: 1\n"]), [""; 0]);
    assert_eq!(decoder.last_event_id(), "");
    assert_eq!(read(&mut decoder, ["\n"]), [""; 0]);
    assert_eq!(decoder.last_event_id(), "1", "without data, too");
    read(&mut decoder, ["id: 2\0\ndata\n\n"]);
    assert_eq!(decoder.last_event_id(), "1", "an id with NUL is ignored");
    read(&mut decoder, ["id\n\n"]);
    assert_eq!(decoder.last_event_id(), "", "an empty id resets");
}

#[test]
fn w4_an_event_knows_whether_the_id_is_its_own() {
    let id = EventId::new("41").unwrap();
    let mut decoder = Decoder::new().with_last_event_id(&id);
    let text = b"data: a\n\nid: 42\ndata: b\n\nid:\ndata: c\n\n";
    let seen: Vec<_> = decoder
        .feed(text)
        .messages()
        .map(|message| message.unwrap())
        .map(|message| (message.last_event_id.clone(), message.id().map(str::to_owned)))
        .collect();
    let own = |id: &str| Some(id.to_owned());
    assert_eq!(
        seen,
        [
            ("41".into(), None),
            ("42".into(), own("42")),
            (String::new(), own(""))
        ]
    );
}

#[test]
fn w4_retry_takes_digits_only() {
    let mut decoder = Decoder::new().with_retry();
    let chunks = [
        "retry: 10\nretry: -1\nretry\nretry: 99999999999999999999\nre",
        "try:2",
        "0\n",
    ];
    assert_eq!(read(&mut decoder, chunks), ["retry 10", "retry 20"]);
}

#[test]
fn w4_the_type_is_message_unless_named() {
    assert_eq!(
        events([
            "event: a\ndata: 1\n\ndata: 2\n\nevent: b\nevent:\ndata: 3\n\nev",
            "ent: c\ndata: 4\n\n"
        ]),
        ["a=1", "message=2", "message=3", "c=4"]
    );
}

#[test]
fn w6_an_unfinished_event_is_dropped_or_kept() {
    let whole = "id: 1\ndata: a\n\n";
    for (tail, kept) in [
        ("", None),
        ("data: b\n", Some("b")),
        ("data: b\r", Some("b")),
        ("data: b", Some("b")),
        ("data: b\ndata", Some("b\n")),
        ("data: b\nid: 2", Some("b")),
        (": only a comment\n", None),
    ] {
        let mut decoder = Decoder::new();
        read(&mut decoder, [whole, tail]);
        assert_eq!(decoder.finish(Unfinished::Drop), None, "{tail:?}");

        read(&mut decoder, [whole, tail]);
        let seen = decoder.finish(Unfinished::Keep).map(|item| match item {
            Item::Event(event) => event.data.to_owned(),
            other => panic!("{other:?}"),
        });
        assert_eq!(seen.as_deref(), kept, "{tail:?}");
        assert_eq!(
            decoder.last_event_id(),
            "1",
            "{tail:?}: a cut id is not committed"
        );
    }
}

#[test]
fn w6_another_stream_begins_anew_but_keeps_the_last_event_id() {
    let mut decoder = Decoder::new();
    read(&mut decoder, ["id: 1\ndata: a\n\nid: 2\ndata: b\r"]);
    assert_eq!(decoder.finish(Unfinished::Drop), None);
    assert_eq!(read(&mut decoder, ["\u{FEFF}data: c\n\n"]), ["message=c"]);
    assert_eq!(decoder.last_event_id(), "1");
}

#[test]
fn over_a_limit_it_says_so_and_goes_on_at_the_next_event() {
    let limits = Limits {
        max_line: 20,
        max_event: 10,
        max_id: 3,
    };
    for (text, limit) in [
        ("id: 9\ndata: 12345678901\n", Limit::Event),
        ("id: 9\ndata: 12345\ndata: 12345\n", Limit::Event),
        ("id: 9\nevent: abc\ndata: 12345678\n", Limit::Event),
        ("id: 9\ndata: 12345678901234567890", Limit::Event),
        ("id: 9\nevent: 123456789012345\n", Limit::Line),
        ("id: 9\n: a comment is a line, too\n", Limit::Line),
        ("id: 1234\n", Limit::Id),
    ] {
        let text = format!("id: 1\ndata: a\n\n{text}\nid: 2\nretry: 1\n\ndata: b\n\n");
        let (mut whole, mut bytewise) = (Decoder::new(), Vec::new());
        whole = whole.with_limits(limits);
        let expected = [
            "message=a".to_owned(),
            format!("over {limit:?}"),
            "message=b".to_owned(),
        ];
        // The last case has a further line in the block that is skipped.
        assert_eq!(read(&mut whole, [&text]), expected, "{text:?}");
        let mut decoder = Decoder::new().with_limits(limits);
        for byte in text.bytes() {
            bytewise.extend(read(&mut decoder, [std::str::from_utf8(&[byte]).unwrap()]));
        }
        assert_eq!(bytewise, expected, "{text:?}");
        assert_eq!(whole.last_event_id(), decoder.last_event_id());
    }
    let overlong = Overlong {
        limit: Limit::Id,
        max: 3,
    };
    assert!(overlong.to_string().contains("max_id"));
}

#[test]
fn what_is_encoded_is_decoded() {
    let event = Event::new(" a\n\nb \n")
        .with_id(EventId::new("é 1").unwrap())
        .with_name(EventName::new(" x").unwrap());
    let mut bytes = Vec::new();
    event.encode(&mut bytes);
    let mut decoder = Decoder::new();
    let message = decoder.feed(&bytes).messages().next().unwrap().unwrap();
    assert_eq!(message.id(), Some("é 1"));
    assert_eq!(message.name, " x");
    assert_eq!(message.data, " a\n\nb \n");
}
