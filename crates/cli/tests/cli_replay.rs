//! `tidewire replay`: a recording is served again, over real sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;
use support::process::{Tidewire, tidewire};

const EVENTS: [(u64, &str); 4] = [
    (0, "retry: 50\n"),
    (0, "id: a\ndata: one\n\n"),
    (300, "id: b\ndata: two\n\nid: c\nda"),
    (301, "ta: thr\u{e9}e\n\n"),
];

/// A recording of these chunks.
fn recording(chunks: &[(u64, &str)], ending: &str, headers: &[(&str, &str)]) -> String {
    let bytes: usize = chunks.iter().map(|(_, text)| text.len()).sum();
    let request = json!({ "method": "GET", "url": "http://h/s", "headers": [["authorization", null]] });
    let mut all = vec![
        ("content-type", "text/event-stream"),
        ("transfer-encoding", "chunked"),
    ];
    all.extend(headers);
    let response = json!({ "after": 0, "version": "HTTP/1.1", "status": 200, "headers": all });
    let mut lines = vec![
        json!({ "recording": "tidewire", "format": 1, "time": 0, "request": request, "response": response }),
    ];
    lines.extend(chunks.iter().map(|(at, text)| json!({ "at": at, "text": text })));
    let at = chunks.last().map_or(0, |(at, _)| *at);
    lines.push(json!({ "at": at, "ending": ending, "chunks": chunks.len(), "bytes": bytes }));
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// `tidewire replay`, until this is dropped.
struct Replay {
    address: String,
    child: Child,
    /// Its directory, with the recording.
    _command: Tidewire,
}

impl Replay {
    fn start(recording: &str, args: &[&str]) -> Self {
        let all = ["replay", "r.ndjson", "--listen", "127.0.0.1:0"]
            .iter()
            .chain(args);
        let mut command = tidewire(all).file("r.ndjson", recording);
        let mut child = command.spawn(Stdio::piped());
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).unwrap().split(',').next().unwrap();
        Self {
            address: address.to_owned(),
            child,
            _command: command,
        }
    }

    /// Asks, and reads head and body as far as they come.
    fn ask(&self, headers: &str) -> (String, String, bool) {
        let mut answer = self.send(headers);
        let mut line = String::new();
        let mut head = String::new();
        while answer.read_line(&mut line).unwrap() > 2 {
            head += &std::mem::take(&mut line);
        }
        let (mut body, mut is_whole) = (String::new(), false);
        loop {
            let mut length = String::new();
            if answer.read_line(&mut length).unwrap_or(0) == 0 {
                break;
            }
            let length = usize::from_str_radix(length.trim(), 16).unwrap();
            let mut chunk = vec![0; length + 2];
            if answer.read_exact(&mut chunk).is_err() {
                break;
            }
            if length == 0 {
                is_whole = true;
                break;
            }
            body += std::str::from_utf8(&chunk[..length]).unwrap();
        }
        (head, body, is_whole)
    }

    fn send(&self, headers: &str) -> BufReader<TcpStream> {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        let request = format!("GET /any HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", self.address);
        socket.write_all(request.as_bytes()).unwrap();
        BufReader::new(socket)
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn whole() -> String {
    EVENTS.iter().map(|(_, text)| *text).collect()
}

#[test]
fn a_recording_is_served_byte_for_byte_at_its_pace() {
    let replay = Replay::start(&recording(&EVENTS, "end", &[("x-own", "yes")]), &[]);
    #[expect(clippy::disallowed_methods, reason = "a pace is of the real clock")]
    let began = Instant::now();
    let (head, body, is_whole) = replay.ask("");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let head = head.to_lowercase();
    assert!(
        head.contains("content-type: text/event-stream\r\n") && head.contains("x-own: yes\r\n"),
        "{head}"
    );
    assert!(!head.contains("authorization"), "{head}");
    assert_eq!((body, is_whole), (whole(), true));
    assert!(
        began.elapsed() >= Duration::from_millis(301),
        "never sooner than it was"
    );
}

#[test]
fn who_comes_back_gets_what_follows_its_last_event_and_in_the_end_nothing() {
    let replay = Replay::start(&recording(&EVENTS, "end", &[]), &["--speed", "max"]);
    for (id, rest) in [
        ("a", "id: b\ndata: two\n\nid: c\ndata: thr\u{e9}e\n\n"),
        ("b", "id: c\ndata: thr\u{e9}e\n\n"),
        ("nobody's", &whole()),
    ] {
        let (_, body, is_whole) = replay.ask(&format!("Last-Event-ID: {id}\r\n"));
        assert_eq!((&*body, is_whole), (rest, true), "after {id}");
    }
    let mut answer = replay.send("Last-Event-ID: c\r\n");
    let mut line = String::new();
    answer.read_line(&mut line).unwrap();
    assert_eq!(line, "HTTP/1.1 204 No Content\r\n");
}

#[test]
fn the_first_fault_is_for_the_first_body_and_the_next_for_the_next() {
    let text = recording(&EVENTS, "end", &[]);
    let replay = Replay::start(
        &text,
        &["--speed", "max", "--fault", "cut@30", "--fault", "cut@0"],
    );
    let (_, body, is_whole) = replay.ask("");
    assert_eq!((&*body, is_whole), (&whole()[..30], false));
    let (head, body, is_whole) = replay.ask("");
    assert_eq!((head.is_empty(), &*body, is_whole), (false, "", false));
    assert_eq!(replay.ask("").1, whole(), "no more faults");
}

#[test]
fn a_stalled_body_stays_open_and_silent() {
    for (ending, args) in [
        ("end", &["--fault", "stall@12"][..]),
        ("stalled", &[]),
        ("open", &[]),
    ] {
        let replay = Replay::start(&recording(&EVENTS[..2], ending, &[]), args);
        let mut answer = replay.send("");
        answer
            .get_ref()
            .set_read_timeout(Some(Duration::from_millis(300)))
            .unwrap();
        let mut got = Vec::new();
        let error = answer.read_to_end(&mut got).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "{ending}");
        let got = String::from_utf8(got).unwrap();
        assert!(got.contains("retry: 50\n"), "{got}");
        assert_eq!(got.contains("data: one"), ending != "end", "{got}");
    }
}

#[test]
fn a_recorded_cut_is_a_cut() {
    let replay = Replay::start(&recording(&EVENTS[..2], "cut", &[]), &[]);
    let (_, body, is_whole) = replay.ask("");
    assert_eq!((&*body, is_whole), ("retry: 50\nid: a\ndata: one\n\n", false));
}

#[test]
fn a_page_of_another_name_gets_nothing() {
    let replay = Replay::start(&recording(&EVENTS, "end", &[]), &[]);
    let mut socket = TcpStream::connect(&replay.address).unwrap();
    socket
        .write_all(b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        .unwrap();
    let mut line = String::new();
    BufReader::new(socket).read_line(&mut line).unwrap();
    assert!(line.starts_with("HTTP/1.1 421 "), "{line}");
}

#[test]
fn what_cannot_be_replayed_is_told_before_anybody_asks() {
    let good = recording(&EVENTS, "end", &[]);
    for (file, args, code, text) in [
        ("data: x\n\n", &[][..], 1, "this is no recording of Tidewire"),
        (
            &*good.replace("\"format\":1", "\"format\":7"),
            &[],
            1,
            "the recording has format 7",
        ),
        (
            &good,
            &["--listen", "0.0.0.0:0"],
            2,
            "other machines could reach 0.0.0.0:0",
        ),
        (&good, &["--fault", "burn@3"], 2, "give `cut@N` or `stall@N`"),
        (&good, &["--speed", "0"], 2, "give a number from 0.001 to 1000"),
    ] {
        let all = ["replay", "r.ndjson"].iter().chain(args);
        let run = tidewire(all).file("r.ndjson", file).run();
        assert_eq!(run.code, Some(code), "{run:?}");
        assert!(run.stderr.contains(text), "{}", run.stderr);
    }
    let run = tidewire(["replay", "nowhere.ndjson"]).run();
    assert!(run.stderr.contains("nowhere.ndjson"), "{}", run.stderr);
}
