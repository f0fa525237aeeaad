//! Streams as they run: at once, to their end, or cut.

use super::http::{Conversation, request};
use super::tap::Tap;
use super::upstream::Upstream;

fn ask_for_events(tap: &Tap, target: &str) -> Conversation {
    let asked = request(tap.address, "GET", target, "Accept: text/event-stream\r\n");
    Conversation::begin(tap.address, asked.as_bytes())
}

#[test]
fn each_piece_comes_through_before_the_next_is_sent() {
    let upstream = Upstream::by_hand();
    let tap = Tap::of(&upstream.url());
    let mut client = ask_for_events(&tap, "/a");
    let mut server = upstream.next();
    server.stream();
    client.until("\r\n\r\n");
    for n in 0..20 {
        server.chunk(format!("data: {n}").as_bytes());
        client.until(&format!("data: {n}"));
        server.chunk(b"\n\n");
    }
    let seen = tap.until(1, false, |seen| seen.items.len() == 20);
    assert!(seen.stream["ending"].is_null(), "it is open");
    assert_eq!(seen.told()[19], "event message 19");
    assert_eq!(seen.stream["counts"]["events"], 20);
}

#[test]
fn a_cut_is_a_cut_for_the_client_after_all_that_came_before() {
    let upstream = Upstream::by_hand();
    let tap = Tap::of(&upstream.url());
    let client = ask_for_events(&tap, "/a");
    let mut server = upstream.next();
    server.stream();
    server.chunk(b"id: 1\ndata: one\n\ndata: hal");
    drop(server);
    let answer = client.answer("GET");
    assert!(!answer.is_whole, "a cut is no end");
    assert_eq!(answer.text(), "id: 1\ndata: one\n\ndata: hal");
    let seen = tap.until_over(1);
    assert_eq!(seen.stream["ending"], "cut");
    assert_eq!(seen.told(), ["event message 1 one", "fault unfinished"]);
    let recording = tap.recording(1);
    assert!(
        recording.text().contains(r#""ending":"cut""#),
        "{}",
        recording.text()
    );
}

#[test]
fn an_end_is_an_end() {
    let upstream = Upstream::by_hand();
    let tap = Tap::of(&upstream.url());
    let client = ask_for_events(&tap, "/a");
    let mut server = upstream.next();
    server.stream();
    server.chunk(b"data: [DONE]\n\n");
    server.write(b"0\r\n\r\n");
    let answer = client.answer("GET");
    assert!(answer.is_whole);
    assert_eq!(tap.until_over(1).stream["ending"], "end");
}

#[test]
fn a_client_that_leaves_leaves_the_upstream() {
    let upstream = Upstream::by_hand();
    let tap = Tap::of(&upstream.url());
    let mut client = ask_for_events(&tap, "/a");
    let mut server = upstream.next();
    server.stream();
    server.chunk(b"data: one\n\n");
    client.until("data: one");
    drop(client);
    server.until_closed();
    let seen = tap.until_over(1);
    assert_eq!(seen.stream["ending"], "left");

    // Also before there is an answer.
    let client = ask_for_events(&tap, "/b");
    let mut server = upstream.next();
    drop(client);
    server.until_closed();
}

#[test]
fn an_upstream_that_is_not_there_is_told_and_shown() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let tap = Tap::of(&url);
    let answer = ask_for_events(&tap, "/a").answer("GET");
    assert_eq!(answer.status, "HTTP/1.1 502 Bad Gateway");
    assert!(
        answer.text().contains(&format!("the tap cannot ask {url}")),
        "{}",
        answer.text()
    );
    let seen = tap.until_over(1);
    assert_eq!(
        (&seen.stream["ending"], &seen.stream["response"]["status"]),
        (&"cut".into(), &502.into())
    );
    assert!(
        seen.stream["why"].as_str().unwrap().contains("refused"),
        "{:?}",
        seen.stream
    );
}

#[test]
fn an_upstream_that_says_nothing_http_like_is_told() {
    let upstream = Upstream::answering(b"SSH-2.0-OpenSSH\r\n".to_vec());
    let tap = Tap::of(&upstream.url());
    let answer = ask_for_events(&tap, "/a").answer("GET");
    assert_eq!(answer.status, "HTTP/1.1 502 Bad Gateway");
}
