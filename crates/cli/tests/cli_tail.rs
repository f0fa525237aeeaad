//! `tidewire tail` against a scripted server.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::thread;

use serde_json::{Value, json};
use support::process::{Run, Tidewire, finish, tidewire};
use support::server::{Answer, Server};

/// A stream says so first, as Tidewire does; the shortest wait that a reader accepts.
const RETRY: &str = "retry: 100\n";

fn tail(server: &Server, args: &[&str]) -> Tidewire {
    let args = ["tail"]
        .iter()
        .chain(args)
        .copied()
        .chain(["--server", &server.url]);
    tidewire(args)
}

fn json_lines(run: &Run) -> Vec<Value> {
    run.stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn prints_events_until_the_body_finishes() {
    let server = Server::start([Answer::stream(&[
        RETRY,
        "id: 1\ndata: one\n\n:\nevent: de",
        "lta\nid: 2\ndata: two\ndata:\ndata:  lines\n\n",
        "data: unfinished",
    ])]);
    let run = tail(&server, &["a/b"]).run();
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(run.stdout, "1 message one\n2 delta two\n  \n   lines\n");
    assert_eq!(run.stderr, "");
    assert_eq!(server.lines(), ["GET /events/a/b?prime=1"]);
    let request = &server.requests()[0];
    assert_eq!(request.header("accept"), Some("text/event-stream"));
    assert_eq!(request.header("last-event-id"), None);
}

#[test]
fn a_cut_in_mid_event_is_resumed_after_the_last_whole_event() {
    let server = Server::start([
        Answer::cut(&[RETRY, "id: 1\ndata: one\n\nid: 2\ndata: tw"]),
        Answer::stream(&[RETRY, "id: 2\ndata: two\n\n"]),
    ]);
    let run = tail(&server, &["t"]).run();
    assert_eq!(
        (run.code, &*run.stdout),
        (Some(0), "1 message one\n2 message two\n")
    );
    assert!(run.stderr.contains("cut"), "{}", run.stderr);
    assert!(
        run.stderr.contains("connecting again in 0."),
        "it honours retry: {}",
        run.stderr
    );
    assert!(
        run.stderr.ends_with("tidewire: connected again\n"),
        "{}",
        run.stderr
    );
    assert_eq!(server.requests()[1].header("last-event-id"), Some("1"));
}

#[test]
fn a_primed_stream_resumes_though_it_had_no_event() {
    let server = Server::start([
        Answer::cut(&[RETRY, "id: ~abc-7\n\n"]),
        Answer::stream(&["data: x\n\n"]),
    ]);
    let run = tail(&server, &["t"]).run();
    assert_eq!((run.code, &*run.stdout), (Some(0), "~abc-7 message x\n"));
    assert_eq!(server.requests()[1].header("last-event-id"), Some("~abc-7"));
}

#[test]
fn a_204_ends_without_events() {
    let server = Server::start([Answer::no_content()]);
    let run = tail(&server, &["t"]).run();
    assert_eq!((run.code, &*run.stdout, &*run.stderr), (Some(0), "", ""));
}

#[test]
fn a_204_after_a_cut_is_the_end() {
    let server = Server::start([
        Answer::cut(&[RETRY, "id: 1\ndata: one\n\n"]),
        Answer::no_content(),
    ]);
    let run = tail(&server, &["t"]).run();
    assert_eq!((run.code, &*run.stdout), (Some(0), "1 message one\n"));
}

#[test]
fn a_busy_server_is_asked_again() {
    let server = Server::start([
        Answer::full("429 Too Many Requests", "Retry-After: 3\r\n", ""),
        Answer::problem("503 Service Unavailable", "draining: try again"),
        Answer::stream(&["data: x\n\n"]),
    ]);
    let run = tail(&server, &["t"]).run();
    assert_eq!((run.code, &*run.stdout), (Some(0), "- message x\n"));
    let said = |text: &str| {
        let rest = run.stderr.split_once(text);
        rest.unwrap_or_else(|| panic!("{}", run.stderr)).1
    };
    let wait = said("429 Too Many Requests; connecting again in ");
    let seconds: f64 = wait.split_once(" s").unwrap().0.parse().unwrap();
    // As long as the server says, and up to a second more, so that not all come at once.
    assert!((3.0..=4.0).contains(&seconds), "{seconds}");
    said("503 Service Unavailable: draining: try again; connecting again in");
}

#[test]
fn any_other_status_is_final() {
    let server = Server::start([Answer::problem(
        "404 Not Found",
        "no such page: see /events/{topic}",
    )]);
    let run = tail(&server, &["t"]).run();
    assert_eq!((run.code, &*run.stdout), (Some(1), ""));
    assert!(
        run.stderr
            .contains("404 Not Found: no such page: see /events/{topic}"),
        "{}",
        run.stderr
    );
}

#[test]
fn an_answer_that_is_no_stream_is_final() {
    let server = Server::start([Answer::full("200 OK", "Content-Type: text/html\r\n", "<p>")]);
    let run = tail(&server, &["t"]).run();
    assert_eq!(run.code, Some(1));
    assert!(
        run.stderr
            .contains("the answer is no event stream (Content-Type \"text/html\")"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_silent_connection_is_given_up() {
    let server = Server::start([
        Answer::silent(&[RETRY, "id: 1\ndata: one\n\n"]),
        Answer::stream(&["id: 2\ndata: two\n\n"]),
    ]);
    let run = tail(&server, &["t"]).run();
    assert_eq!(
        (run.code, &*run.stdout),
        (Some(0), "1 message one\n2 message two\n")
    );
    assert!(run.stderr.contains("not one byte for 3s"), "{}", run.stderr);
}

#[test]
fn a_gap_cannot_be_overlooked() {
    let gap = r#"{"requested":"~a-1","resumed_after":"~b-9","reason":"expired"}"#;
    let stream = format!("event: tidewire.gap\nid: ~b-9\ndata: {gap}\n\nid: ~b-10\ndata: x\n\n");
    let server = Server::start([Answer::stream(&[&stream]), Answer::stream(&[&stream])]);

    let run = tail(&server, &["t"]).run();
    assert_eq!(
        run.stdout,
        "--- gap (expired): cannot go on right after ~a-1, events may be missing ---\n~b-10 message x\n"
    );

    let run = tail(&server, &["t", "--json"]).run();
    let gap = json!({
        "kind": "gap", "id": "~b-9",
        "requested": "~a-1", "resumed_after": "~b-9", "reason": "expired",
    });
    let event = json!({ "kind": "event", "id": "~b-10", "event": "message", "data": "x" });
    assert_eq!(json_lines(&run), [gap, event]);
}

#[test]
fn json_shows_every_kind() {
    let server = Server::start([Answer::stream(&[
        "retry: 100\n:\n: hi \"you\"\nevent: e\ndata: {\"a\":\ndata: 1}\n\n",
    ])]);
    let run = tail(&server, &["t", "--json", "--comments"]).run();
    assert_eq!(
        json_lines(&run),
        [
            json!({ "kind": "retry", "retry": 100 }),
            json!({ "kind": "comment", "comment": "" }),
            json!({ "kind": "comment", "comment": "hi \"you\"" }),
            json!({ "kind": "event", "id": "", "event": "e", "data": "{\"a\":\n1}" }),
        ]
    );
}

#[test]
fn comments_are_shown_to_people_who_ask() {
    let server = Server::start([Answer::stream(&[": hello\nretry: 5\ndata: x\n\n"])]);
    let run = tail(&server, &["t", "--comments"]).run();
    assert_eq!(run.stdout, ": hello\nretry: 5\n- message x\n");
}

#[test]
fn the_last_events_are_asked_for_until_there_is_a_cursor() {
    let server = Server::start([
        Answer::cut(&[RETRY]),
        Answer::cut(&[RETRY, "id: 4\n\n"]),
        Answer::cut(&[RETRY, "id: 5\ndata: x\n\n"]),
        Answer::no_content(),
    ]);
    let run = tail(&server, &["t", "--last", "3"]).run();
    assert_eq!((run.code, &*run.stdout), (Some(0), "5 message x\n"));
    // The id of the last event counts more than the number.
    let (last, resumed) = ("GET /events/t?last=3&prime=1", "GET /events/t?last=3");
    assert_eq!(server.lines(), [last, last, resumed, resumed]);
    let requests = server.requests();
    let ids: Vec<_> = requests
        .iter()
        .map(|request| request.header("last-event-id"))
        .collect();
    assert_eq!(ids, [None, None, Some("4"), Some("5")]);
}

#[test]
fn a_start_can_be_named_until_there_is_a_cursor() {
    let server = Server::start([
        Answer::cut(&[RETRY]),
        Answer::cut(&[RETRY, "id: ä\ndata: x\n\n"]),
        Answer::cut(&[RETRY, "id: \u{1}\ndata: y\n\n"]),
    ]);
    let run = tail(&server, &["t", "--from", "earliest"]).run();
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("which no header can carry"), "{}", run.stderr);
    let requests = server.requests();
    let ids: Vec<_> = requests
        .iter()
        .map(|request| request.header("last-event-id"))
        .collect();
    assert_eq!(ids, [Some("earliest"), Some("earliest"), Some("ä")]);
}

#[test]
fn stops_after_enough_events() {
    let server = Server::start([Answer::silent(&[
        "id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: c\n\n",
    ])]);
    let run = tail(&server, &["t", "--max", "2"]).run();
    assert_eq!(
        (run.code, &*run.stdout, &*run.stderr),
        (Some(0), "1 message a\n2 message b\n", "")
    );
}

#[test]
fn any_url_can_be_read() {
    let server = Server::start([Answer::stream(&["data: x\n\n"])]);
    let run = tidewire(["tail", &format!("{}/some/stream?key=v&prime=1", server.url)]).run();
    assert_eq!((run.code, &*run.stdout), (Some(0), "- message x\n"));
    assert_eq!(server.lines(), ["GET /some/stream?key=v&prime=1"]);
}

#[test]
fn an_event_is_printed_as_soon_as_it_is_there() {
    let server = Server::start([Answer::silent(&["data: x\n\n"])]);
    let mut child = tail(&server, &["t"]).spawn(Stdio::piped());
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(line, "- message x\n");
}

#[test]
fn a_reader_that_goes_away_is_success() {
    let many = "data: x\n\n".repeat(100_000);
    let server = Server::start([Answer::silent(&[&many])]);
    let mut child = tail(&server, &["t"]).spawn(Stdio::piped());
    drop(child.stdout.take());
    let run = finish(child, thread::spawn(String::new));
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
}

#[test]
fn a_program_gets_the_bytes_as_they_are() {
    let server = Server::start([Answer::stream(&["data: \u{1b}[31mred\u{9b}\n\n"])]);
    let run = tail(&server, &["t"]).run();
    assert_eq!(run.stdout, "- message \u{1b}[31mred\u{9b}\n");
}

#[cfg(unix)]
#[test]
fn a_terminal_gets_no_control_characters() {
    let stream = "id: a\u{7}\nevent: \u{1b}]0;x\ndata: \u{1b}[2J\u{9b}z\tt\u{202e}\u{2066}\u{feff}\n\n: \u{1b}c\u{2028}\n";
    let server = Server::start([(); 2].map(|()| Answer::stream(&[stream])));

    let run = tail(&server, &["t", "--comments"])
        .env("NO_COLOR", "1")
        .run_on_terminal();
    assert_eq!(
        run.stdout,
        "a\\u{7} \\u{1b}]0;x \\u{1b}[2J\\u{9b}z\tt\\u{202e}\\u{2066}\\u{feff}\r\n: \\u{1b}c\\u{2028}\r\n"
    );

    let run = tail(&server, &["t", "--json"]).run_on_terminal();
    let control =
        |c: char| c.is_control() && c != '\r' && c != '\n' || "\u{202e}\u{2066}\u{feff}\u{2028}".contains(c);
    assert!(!run.stdout.contains(control), "{:?}", run.stdout);
    assert_eq!(
        json_lines(&run)[0]["data"],
        "\u{1b}[2J\u{9b}z\tt\u{202e}\u{2066}\u{feff}"
    );

    let stream = "event: \u{9b}\u{202e}\ndata\n\n";
    let server = Server::start([Answer::stream(&[stream])]);
    let run = tail(&server, &["t", "--count", "--json"]).run_on_terminal();
    assert!(!run.stdout.contains(control), "{:?}", run.stdout);
    assert_eq!(json_lines(&run)[0]["types"]["\u{9b}\u{202e}"], 1);
}

#[cfg(unix)]
#[test]
fn only_a_terminal_gets_colours() {
    let server = Server::start([Answer::stream(&["id: 1\ndata: x\n\n"])]);
    let run = tail(&server, &["t"]).run_on_terminal();
    assert_eq!(run.stdout, "\u{1b}[2m1\u{1b}[0m \u{1b}[36mmessage\u{1b}[0m x\r\n");
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    for (args, text) in [
        (&["tail"][..], "<TOPIC-or-URL>"),
        (
            &["tail", "t", "--last", "3", "--from", "x"],
            "cannot be used with",
        ),
        (&["tail", "t", "--max", "0"], "0 is not in 1.."),
        (&["tail", "ftp://h/x"], "give an http or https URL"),
    ] {
        let run = tidewire(args).run();
        assert_eq!(run.code, Some(2), "{args:?}");
        assert!(run.stderr.contains(text), "{args:?}: {}", run.stderr);
    }
}
