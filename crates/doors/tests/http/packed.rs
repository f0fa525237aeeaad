//! S10, S6: bodies that are packed (`Content-Encoding`), within bounds, and texts that are not UTF-8.

use async_compression::tokio::write::{BrotliEncoder, GzipEncoder, ZstdEncoder};
use tidewire_doors::{
    BodyBounds,
    bodies::{Bodies, Shares},
};
use tokio::{io::AsyncWriteExt as _, runtime::Runtime};

use crate::{
    bodies::door,
    bulk::{EVENT_STREAM, NDJSON},
    client::{Response, field, request},
    refused::assert_problem,
    server::{Door, Server},
};

/// As this encoding says.
fn packed(encoding: &str, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    macro_rules! pack {
        ($encoder:ident) => {{
            let mut encoder = $encoder::new(Vec::new());
            encoder.write_all(bytes).await.unwrap();
            encoder.shutdown().await.unwrap();
            encoder.into_inner()
        }};
    }
    Runtime::new().unwrap().block_on(async {
        match encoding {
            "gzip" => pack!(GzipEncoder),
            "br" => pack!(BrotliEncoder),
            "zstd" => pack!(ZstdEncoder),
            other => panic!("{other}"),
        }
    })
}

fn send(server: &Server, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
    server.connect().ask(request("POST", target, headers, body))
}

/// A refusal that may have the members that a bulk adds.
#[track_caller]
fn assert_refused(response: &Response, status: u16, code: &str, hint: &str) {
    let said = response.json();
    assert_eq!(
        (response.status(), &said["code"]),
        (status, &code.into()),
        "{said}"
    );
    assert!(said["detail"].as_str().unwrap().contains(hint), "{said}");
}

#[test]
fn s10_a_packed_body_is_published_as_what_it_holds() {
    let door = Door::open();
    let mut reader = door.get("/events/a");
    for encoding in ["gzip", "br", "zstd", "x-gzip"] {
        let header = ("Content-Encoding", encoding);
        let pack = |text: &str| packed(encoding.trim_start_matches("x-"), text);
        let one = send(&door.server, "/events/a", &[header], &pack("packed"));
        one.id();
        assert_eq!(reader.data(), "packed", "{encoding}");
        for (kind, text) in [
            (NDJSON[0], "{\"data\":\"1\"}\n{\"data\":\"2\"}\n"),
            (EVENT_STREAM[0], "data: 1\n\ndata: 2\n\n"),
        ] {
            let many = send(&door.server, "/events/a", &[header, kind], &pack(text));
            assert_eq!(many.json()["count"], 2, "{many:?}");
            assert_eq!([reader.data(), reader.data()], ["1", "2"], "{encoding}");
        }
        let headers = [header, ("Content-Type", "application/json")];
        let mut client = door.connect();
        let body = pack(r#"{"topic":"a","last":1}"#);
        client.send(request("POST", "/subscribe", &headers, body));
        let block = client.reader().block();
        assert_eq!(field(&block, "data").as_deref(), Some("2"), "{encoding}");
    }
    let plain = send(
        &door.server,
        "/events/a",
        &[("Content-Encoding", "identity")],
        b"plain",
    );
    plain.id();
    assert_eq!(reader.data(), "plain");
}

#[test]
fn s10_what_cannot_be_unpacked_is_refused() {
    let door = Door::open();
    for encoding in ["compress", "gzip, br", "nonsense"] {
        let headers = [("Content-Encoding", encoding)];
        let response = send(&door.server, "/events/a", &headers, b"x");
        assert_problem(&response, 415, "unsupported_encoding", encoding);
        assert_eq!(response.head.get("accept-encoding"), Some("gzip, br, zstd"));
    }
    for kind in ["text/plain", "application/x-ndjson"] {
        let headers = [("Content-Encoding", "gzip"), ("Content-Type", kind)];
        let response = send(&door.server, "/events/a", &headers, b"it is not packed at all");
        assert_refused(&response, 400, "bad_packing", "Content-Encoding");
        let whole = packed("gzip", "x".repeat(1000));
        let half = &whole[..whole.len() / 2];
        let response = send(&door.server, "/events/a", &headers, half);
        assert_refused(&response, 400, "bad_packing", "Content-Encoding");
    }
    let mut client = door.connect();
    client.send(
        "POST /events/a HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n\
         1\r\n\x1f\r\nno size\r\n",
    );
    assert_problem(&client.response(), 400, "body_cut", "nothing was published");
    assert_eq!(door.post("/events/a", "the first"), door.at(1));
}

#[test]
fn s10_a_packed_body_is_bounded_by_what_it_holds() {
    let door = Door::open();
    for encoding in ["gzip", "br", "zstd"] {
        let headers = [("Content-Encoding", encoding)];
        let most = packed(encoding, "x".repeat(1 << 20));
        send(&door.server, "/events/a", &headers, &most).id();
        let bomb = packed(encoding, "x".repeat((1 << 20) + 1));
        let response = send(&door.server, "/events/a", &headers, &bomb);
        assert_problem(&response, 413, "too_large", "limits.max_event");
    }
    // Of lines that hold nothing there may be many, but not so many.
    let headers = [("Content-Encoding", "gzip"), NDJSON[0]];
    let bomb = packed("gzip", format!("{}\n", " ".repeat(65_535)).repeat(300));
    let response = send(&door.server, "/events/a", &headers, &bomb);
    assert_refused(&response, 413, "too_large", "packed bytes");
}

#[test]
fn s10_a_decoder_has_room_in_the_budget_of_bodies() {
    let budget = Bodies::new(Shares {
        max: 4 << 20,
        max_without_token: None,
        max_per_network: None,
    });
    let bounds = BodyBounds {
        budget: budget.clone(),
        ..BodyBounds::default()
    };
    let (server, _hub) = door(&bounds);
    let publish = |encoding| {
        let headers = [("Content-Encoding", encoding)];
        send(&server, "/events/a", &headers, &packed(encoding, "x"))
    };
    publish("gzip").id();
    publish("zstd").id();
    assert_eq!(publish("br").status(), 413, "its tables alone are as large");
    assert_eq!((budget.held(), budget.refused()), (0, 1));
}

#[test]
fn s10_a_text_that_is_not_utf_8_by_its_own_word_is_415() {
    let door = Door::open();
    for charset in ["utf-16", "iso-8859-1", "\"windows-1252\""] {
        for kind in ["text/plain", "application/x-ndjson", "text/event-stream"] {
            let kind = format!("{kind}; charset={charset}");
            let headers = [("Content-Type", &*kind)];
            let response = send(&door.server, "/events/a", &headers, b"x");
            assert_problem(&response, 415, "unsupported_charset", charset.trim_matches('"'));
        }
        let kind = format!("application/json;charset={charset}");
        let response = send(
            &door.server,
            "/subscribe?topic=a",
            &[("Content-Type", &*kind)],
            b"{}",
        );
        assert_problem(&response, 415, "unsupported_charset", "UTF-8");
    }
    for charset in ["utf-8", "UTF8", "\"UTF-8\"", "us-ascii"] {
        let kind = format!("text/plain; format=flowed; Charset={charset}");
        send(&door.server, "/events/a", &[("Content-Type", &*kind)], b"x").id();
    }
}
