//! What goes through is not changed, there and back.

use std::io::Write as _;

use super::http::{Answer, ask, get, request};
use super::tap::Tap;
use super::upstream::{Upstream, chunked};

/// The same request to the upstream itself and through the tap.
fn both(upstream: &Upstream, method: &str, target: &str) -> (Answer, Answer) {
    let tap = Tap::of(&upstream.url());
    let asked = |address| {
        ask(
            address,
            request(address, method, target, "Accept: text/event-stream\r\n").as_bytes(),
        )
    };
    (asked(upstream.address), asked(tap.address))
}

#[test]
fn a_request_reaches_the_upstream_as_it_was_sent() {
    let upstream = Upstream::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec());
    let tap = Tap::of(&upstream.url());
    let headers = "Authorization: Bearer hush\r\nCookie: a=b; c=d\r\nLast-Event-ID: 7\r\nX-Twice: 1\r\nX-Twice: 2\r\n\
                   Accept-Encoding: gzip, br\r\nOrigin: http://localhost:5173\r\nReferer: http://other/\r\n";
    for (method, target) in [
        ("GET", "/"),
        ("GET", "/a/../b/./c//d"),
        ("GET", "/%2e%2e/%2F?q='^&access_token=hush&x={y}|z"),
        ("GET", "/events/%E6%BD%AE?"),
        ("DELETE", "/events/a"),
        ("OPTIONS", "/events/a"),
        ("BREW", "/coffee"),
    ] {
        let answer = ask(
            tap.address,
            request(tap.address, method, target, headers).as_bytes(),
        );
        assert_eq!(answer.status, "HTTP/1.1 200 OK", "{method} {target}");
        let asked = upstream.next();
        assert_eq!(asked.line(), format!("{method} {target} HTTP/1.1"));
        let mut sent: Vec<(String, String)> = headers
            .lines()
            .map(|line| line.trim().split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        sent.push(("host".into(), upstream.address.to_string()));
        sent.sort();
        let mut came = asked.headers();
        came.sort();
        assert_eq!(came, sent, "{method} {target}");
    }
}

#[test]
fn a_body_reaches_the_upstream_byte_for_byte() {
    let upstream = Upstream::answering(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec());
    let tap = Tap::of(&upstream.url());
    let body: Vec<u8> = (0..1 << 20)
        .map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    for method in ["POST", "PUT", "QUERY"] {
        let mut sized = request(tap.address, method, "/upload", "Content-Length: 1048576\r\n").into_bytes();
        sized.extend_from_slice(&body);
        assert_eq!(ask(tap.address, &sized).status, "HTTP/1.1 204 No Content");
        let asked = upstream.next();
        assert_eq!(asked.header("content-length"), Some("1048576"));
        assert!(asked.body == body, "{method}: it is another body");
    }
    let mut streamed = request(tap.address, "POST", "/upload", "Transfer-Encoding: chunked\r\n").into_bytes();
    streamed.extend(chunked(&[b"one", b"two"]));
    streamed.extend_from_slice(b"0\r\n\r\n");
    ask(tap.address, &streamed);
    let asked = upstream.next();
    assert_eq!(asked.header("transfer-encoding"), Some("chunked"));
    let text = String::from_utf8(asked.body).unwrap();
    let sent: String = text.lines().skip(1).step_by(2).collect();
    assert_eq!(sent, "onetwo");
}

#[test]
fn an_answer_comes_back_as_it_was_sent() {
    let megabyte = vec![0xa5; 1 << 20];
    let answers: Vec<(&str, Vec<u8>)> = vec![
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nX: \xc3\xa4\r\n\r\nok".to_vec()),
        ("GET", b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone".to_vec()),
        ("GET", b"HTTP/1.1 500 Internal Server Error\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbad\r\n0\r\n\r\n".to_vec()),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n".to_vec()),
        ("GET", b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/there?x=1\r\nContent-Length: 0\r\n\r\n".to_vec()),
        ("GET", b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n".to_vec()),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 999\r\n\r\n".to_vec()),
        ("GET", [&b"HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n"[..], &megabyte].concat()),
        ("GET", [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(), chunked(&[&megabyte]), b"0\r\n\r\n".to_vec()].concat()),
    ];
    for (method, bytes) in answers {
        let upstream = Upstream::answering(bytes);
        let (direct, through) = both(&upstream, method, "/x");
        assert_eq!(through, direct);
        assert!(through.is_whole);
    }
}

#[test]
fn an_event_stream_comes_back_byte_for_byte_however_it_is_framed() {
    let bodies: [&[u8]; 6] = [
        b"id: 1\nevent: tick\ndata: one\n\n: note\n\nretry: 5\n\ndata: two\ndata: lines\n\n",
        b"data: crlf\r\n\r\ndata: two\r\n\r\n",
        b"data: cr\r\rdata: two\r\r",
        b"\xef\xbb\xbfdata: bom\n\n\xef\xbb\xbfdata: in the midst\n\n",
        b"data: broken \xff\xfe\n\nid: nul\0\ndata\n\nunknown: x\n\n",
        b"data: no blank line at the end",
    ];
    for body in bodies {
        for cut in [1, 3, body.len()] {
            let parts: Vec<&[u8]> = body.chunks(cut).collect();
            let head = b"HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream; charset=utf-8\r\nX-Accel-Buffering: no\r\nTransfer-Encoding: chunked\r\n\r\n";
            let answer = [head.to_vec(), chunked(&parts), b"0\r\n\r\n".to_vec()].concat();
            let upstream = Upstream::answering(answer);
            let (direct, through) = both(&upstream, "GET", "/x");
            assert_eq!(through, direct);
            assert_eq!(through.body, body);
        }
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let upstream = Upstream::answering([head.as_bytes(), body].concat());
        let (direct, through) = both(&upstream, "GET", "/x");
        assert_eq!(through, direct);
        assert_eq!(through.header("content-length"), Some(&*body.len().to_string()));
    }
}

#[test]
fn what_is_packed_stays_packed_and_is_read_by_the_view() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let mut pieces = Vec::new();
    for event in ["id: 1\ndata: one\n\n", "id: 2\ndata: two\n\n"] {
        encoder.write_all(event.as_bytes()).unwrap();
        encoder.flush().unwrap();
        pieces.push(std::mem::take(encoder.get_mut()));
    }
    pieces.push(encoder.finish().unwrap());
    let parts: Vec<&[u8]> = pieces.iter().map(|piece| &**piece).collect();
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n";
    let upstream = Upstream::answering([head.to_vec(), chunked(&parts), b"0\r\n\r\n".to_vec()].concat());
    let tap = Tap::of(&upstream.url());
    let through = get(tap.address, "/x");
    assert_eq!(through.body, pieces.concat());
    assert_eq!(through.header("content-encoding"), Some("gzip"));
    assert_eq!(
        tap.until_over(1).told(),
        ["event message 1 one", "event message 2 two"]
    );
}

#[test]
fn a_websocket_goes_through() {
    let upstream = Upstream::by_hand();
    let tap = Tap::of(&upstream.url());
    let wants = "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let asked = request(tap.address, "GET", "/socket", wants);
    let mut client = super::http::Conversation::begin(tap.address, asked.as_bytes());
    let mut server = upstream.next();
    assert_eq!(server.header("upgrade"), Some("websocket"));
    assert_eq!(server.header("connection"), Some("upgrade"));
    assert_eq!(
        server.header("sec-websocket-key"),
        Some("dGhlIHNhbXBsZSBub25jZQ==")
    );
    server.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhello");
    client.until("hello");
    let head = client.so_far().to_ascii_lowercase();
    assert!(
        head.starts_with("http/1.1 101 ") && head.contains("sec-websocket-accept: s3pp"),
        "{head}"
    );
    client.send(b"and back");
    let mut back = [0; 8];
    std::io::Read::read_exact(&mut server.socket, &mut back).unwrap();
    assert_eq!(&back, b"and back");
    drop(client);
    server.until_closed();
}

#[test]
fn no_other_protocol_is_agreed_on() {
    let upstream = Upstream::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec());
    let tap = Tap::of(&upstream.url());
    let wants = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
    ask(tap.address, request(tap.address, "GET", "/", wants).as_bytes());
    let asked = upstream.next();
    for name in ["upgrade", "connection", "http2-settings"] {
        assert_eq!(asked.header(name), None);
    }
}
