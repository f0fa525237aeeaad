//! Basic parsing, comments, line feeds, byte order marks, payload sizes.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Service, data, event};

/// The pieces, sent one by one, make these events.
async fn makes(service: &Service, pieces: &[&[u8]], expected: &[Value]) {
    let (_server, mut connection, mut client) = service.stream(json!({})).await;
    for piece in pieces {
        connection.chunk(piece).await;
    }
    client.events(expected).await;
}

#[tokio::test]
async fn basic_parsing() {
    let service = Service::start().await;
    let hello = || vec![data("Hello")];
    let cases: Vec<(&[&str], Vec<Value>)> = vec![
        (&["data: Hello\n\n"], hello()),
        (&["data: Hel", "lo\n\n"], hello()),
        (
            &["data: Hello\n\ndata: World\n\n"],
            vec![data("Hello"), data("World")],
        ),
        (
            &["data: test", "test\n\ndata:", "test\n\n"],
            vec![data("testtest"), data("test")],
        ),
        (&["data: Hello\ndata:World\n\n"], vec![data("Hello\nWorld")]),
        (&["data:\n\n"], vec![data("")]),
        (
            &["event: greeting\ndata: Hello\n\n"],
            vec![event("greeting", "", "Hello")],
        ),
        (
            &["id: abc\ndata: Hello\n\n"],
            vec![event("message", "abc", "Hello")],
        ),
        (
            &["event: greeting\nid: abc\ndata: Hello\n\n"],
            vec![event("greeting", "abc", "Hello")],
        ),
        (&["id: a\0bc\ndata: Hello\n\n"], hello()),
        (
            &["id: abc\ndata: first\n\n", "data: second\n\n"],
            vec![
                event("message", "abc", "first"),
                event("message", "abc", "second"),
            ],
        ),
        (
            &["id: abc\ndata: first\n\n", "id: \ndata: second\n\n"],
            vec![event("message", "abc", "first"), data("second")],
        ),
        (
            &["data: Hello\nid: abc\nevent: greeting\n\n"],
            vec![event("greeting", "abc", "Hello")],
        ),
        (
            &["event: greeting\ncolor: blue\ndata: Hello\n\n"],
            vec![event("greeting", "", "Hello")],
        ),
        (
            &["event:greeting\ndata:Hello\n\n"],
            vec![event("greeting", "", "Hello")],
        ),
        (
            &["event:  greeting\ndata:  Hello\n\n"],
            vec![event(" greeting", "", " Hello")],
        ),
        (&["data\n\ndata\ndata\n\n"], vec![data(""), data("\n")]),
        (&["data: €豆腐\n\n"], vec![data("€豆腐")]),
    ];
    for (pieces, expected) in cases {
        let pieces: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
        makes(&service, &pieces, &expected).await;
    }
}

#[tokio::test]
async fn many_messages_in_rapid_succession_come_in_order() {
    let service = Service::start().await;
    let all: String = (0..100)
        .map(|number| format!("data: message {number}\n\n"))
        .collect();
    let expected: Vec<_> = (0..100)
        .map(|number| data(&format!("message {number}")))
        .collect();
    makes(&service, &[all.as_bytes()], &expected).await;
}

/// The suite has 5 s for each of these.
#[tokio::test]
async fn large_messages_in_one_chunk_and_in_two() {
    // As the suite's random bytes are in base64.
    let half = |letter: char| -> String { std::iter::repeat_n(letter, 6_990_508).collect() };
    let (one, two) = (half('+'), half('='));
    let service = Service::start().await;
    for pieces in [vec![&one], vec![&one, &two]] {
        let (_server, mut connection, mut client) = service.stream(json!({})).await;
        connection.chunk("data: ").await;
        for piece in &pieces {
            connection.chunk(piece).await;
        }
        connection.chunk("\n\n").await;
        let event = client.event().await;
        let data = event["data"].as_str().unwrap();
        assert_eq!(data.len(), pieces.len() * one.len());
        assert!(data.starts_with(&one) && data.ends_with(pieces[pieces.len() - 1].as_str()));
    }
}

#[tokio::test]
async fn characters_of_several_bytes_may_come_byte_by_byte() {
    let service = Service::start().await;
    let (_server, mut connection, mut client) = service.stream(json!({})).await;
    for byte in "data: €豆腐\n\n".as_bytes() {
        connection.chunk([*byte]).await;
        // Not waited for: it makes each byte a read of its own, which is what this is about.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    client.events(&[data("€豆腐")]).await;
}

#[tokio::test]
async fn comments() {
    let service = Service::start().await;
    let (_server, mut connection, mut client) = service.stream(json!({})).await;
    connection.chunk(":Hello\n").await;
    assert_eq!(client.comment().await, "Hello");
    connection.chunk(":World\n").await;
    assert_eq!(client.comment().await, "World");

    connection.chunk(":before\n").await;
    connection.chunk("data: Hello\n\n").await;
    connection.chunk(":after\n").await;
    assert_eq!(client.comment().await, "before");
    client.events(&[data("Hello")]).await;
    assert_eq!(client.comment().await, "after");
}

#[tokio::test]
async fn line_feeds() {
    let service = Service::start().await;
    for end in ["\n", "\r\n", "\r"] {
        for (input, expected) in [
            ("data: event 1↵↵", vec!["event 1"]),
            (
                "data: event 1↵↵data: event 2 line 1↵data: event 2 line 2↵↵",
                vec!["event 1", "event 2 line 1\nevent 2 line 2"],
            ),
            ("data:↵data: line2↵data: line3↵↵", vec!["\nline2\nline3"]),
            ("data: line1↵data:↵data: line3↵↵", vec!["line1\n\nline3"]),
            ("data: event 1↵↵↵data: event 2↵↵", vec!["event 1", "event 2"]),
            ("data: event 1↵↵↵↵data: event 2↵↵", vec!["event 1", "event 2"]),
        ] {
            let input = input.replace('↵', end);
            let expected: Vec<_> = expected.into_iter().map(data).collect();
            for size in [input.len(), 1, 2] {
                let pieces: Vec<_> = input.as_bytes().chunks(size).collect();
                makes(&service, &pieces, &expected).await;
            }
        }
    }
    let pieces: [&[u8]; 6] = [
        b"data: Hello\r",
        b"\ndata: World\r",
        b"\n\r\ndata: OK\r",
        b"\n",
        b"\r",
        b"\n",
    ];
    makes(&service, &pieces, &[data("Hello\nWorld"), data("OK")]).await;
}

#[tokio::test]
async fn byte_order_marks() {
    let service = Service::start().await;
    let cases: [(&[&[u8]], Vec<Value>); 10] = [
        (&[b"\xEF\xBB\xBFdata: Hello\n\n"], vec![data("Hello")]),
        (
            &[b"\xEF\xBB\xBFevent: greeting\nid: abc\ndata: Hello\n\n"],
            vec![event("greeting", "abc", "Hello")],
        ),
        (
            &[b"\xEF\xBB\xBFdata: First\n\ndata: Second\n\n"],
            vec![data("First"), data("Second")],
        ),
        (
            &[b"data: First\n\n", b"data: \xEF\xBB\xBFSecond\n\n"],
            vec![data("First"), data("\u{FEFF}Second")],
        ),
        (&[b"\xEF\xBB", b"\xBFdata: Hello\n\n"], vec![data("Hello")]),
        (
            &[b"\xEF", b"\xBB", b"\xBF", b"data: Hello\n\n"],
            vec![data("Hello")],
        ),
        (
            &[b"\xEF\xBB\xBFdata: \xEF\xBB\xBFHello\n\n"],
            vec![data("\u{FEFF}Hello")],
        ),
        (&[b"data: Hello\n\n"], vec![data("Hello")]),
        (
            &[b"\xEF\xBB\xBFdata: Line1\ndata: Line2\n\n"],
            vec![data("Line1\nLine2")],
        ),
        (&[b"\xEF\xBB\xBFdata:\n\n"], vec![data("")]),
    ];
    for (pieces, expected) in cases {
        makes(&service, pieces, &expected).await;
    }
    let (_server, mut connection, mut client) = service.stream(json!({})).await;
    connection.chunk(b"\xEF\xBB\xBF:comment\ndata: Hello\n\n").await;
    assert_eq!(client.comment().await, "comment");
    client.events(&[data("Hello")]).await;
}

#[tokio::test]
async fn payloads_of_any_size() {
    let service = Service::start().await;
    for size in [
        1, 128, 512, 1023, 1024, 1025, 2048, 3999, 4094, 4096, 4098, 6144, 8189, 8192, 8195, 12288, 16384,
        32768, 65536, 262_144, 1_048_576, 33_554_432,
    ] {
        let (_server, mut connection, mut client) = service.stream(json!({})).await;
        connection.chunk(format!("data: {}\n\n", "x".repeat(size))).await;
        let event = client.event().await;
        assert_eq!(event["data"].as_str().unwrap().len(), size);
    }
}
