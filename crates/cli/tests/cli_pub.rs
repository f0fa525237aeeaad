//! `tidewire pub` against a scripted server.

mod support;

use support::process::{Run, tidewire};
use support::server::{Answer, Server};

fn publish(server: &Server, args: &[&str]) -> Run {
    publish_lines(server, args, b"")
}

fn publish_lines(server: &Server, args: &[&str], input: &[u8]) -> Run {
    let args = ["pub"]
        .iter()
        .chain(args)
        .copied()
        .chain(["--server", &server.url]);
    tidewire(args).run_with_input(input)
}

#[test]
fn one_event_is_posted_and_its_id_printed() {
    let server = Server::start([Answer::published("~abc-1")]);
    let run = publish(&server, &["news/to day", "Hello, 潮"]);
    assert_eq!((run.code, &*run.stdout, &*run.stderr), (Some(0), "~abc-1\n", ""));
    let request = &server.requests()[0];
    assert_eq!(request.line, "POST /events/news/to%20day");
    assert_eq!(request.body, "Hello, 潮");
    assert_eq!(request.header("content-type"), Some("text/plain; charset=utf-8"));
}

#[test]
fn every_field_of_an_event_goes_along() {
    let server = Server::start([Answer::published("a b")]);
    let fields = [
        "--event",
        "tick&tock",
        "--id",
        "a b",
        "--retry",
        "2s",
        "--end",
        "-q",
    ];
    let run = publish(&server, &[&["t", "x"], &fields[..]].concat());
    assert_eq!((run.code, &*run.stdout), (Some(0), ""));
    assert_eq!(
        server.lines(),
        ["POST /events/t?event=tick%26tock&id=a+b&retry=2000&end=true"]
    );
}

#[test]
fn lines_are_events_over_one_connection() {
    let server = Server::start(["1", "2", "3", "4"].map(Answer::published));
    let run = publish_lines(&server, &["t"], "one\r\ntwo\n\nfour".as_bytes());
    assert_eq!((run.code, &*run.stdout), (Some(0), "1\n2\n3\n4\n"));
    let requests = server.requests();
    let bodies: Vec<_> = requests.iter().map(|request| &*request.body).collect();
    assert_eq!(bodies, ["one", "two", "", "four"]);
    assert!(
        requests.iter().all(|request| request.connection == 0),
        "{requests:?}"
    );
}

#[test]
fn a_dash_reads_lines_and_the_last_one_ends_the_stream() {
    let server = Server::start(["1", "2"].map(Answer::published));
    let run = publish_lines(&server, &["t", "-", "--end"], b"one\ntwo\n");
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(server.lines(), ["POST /events/t", "POST /events/t?end=true"]);
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_event() {
    let server = Server::start(["1", "2"].map(Answer::published));
    let run = publish_lines(&server, &["t", "-"], "\u{feff}one\n\u{feff}two\n".as_bytes());
    assert_eq!(run.code, Some(0), "{run:?}");
    let bodies: Vec<_> = server
        .requests()
        .into_iter()
        .map(|request| request.body)
        .collect();
    assert_eq!(bodies, ["one", "\u{feff}two"]);
}

#[test]
fn a_path_is_understood_and_an_address_is_refused() {
    let server = Server::start([Answer::published("1")]);
    let run = publish(&server, &["/events/news/today", "x"]);
    assert_eq!(
        (run.code, server.lines()),
        (Some(0), vec!["POST /events/news/today".to_owned()])
    );
    for wrong in [
        "localhost:8420/events/x",
        "http://localhost:8420/events/x",
        "/relay/x",
    ] {
        let run = tidewire(["pub", wrong, "y"]).run();
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.stderr.contains("give the topic's name"), "{}", run.stderr);
    }
}

#[test]
fn nothing_cannot_end_a_stream() {
    let server = Server::start([]);
    let run = publish_lines(&server, &["t", "--end"], b"");
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("standard input is empty"), "{}", run.stderr);
}

#[test]
fn no_lines_are_no_failure() {
    let server = Server::start([]);
    let run = publish_lines(&server, &["t"], b"");
    assert_eq!((run.code, &*run.stdout, &*run.stderr), (Some(0), "", ""));
}

#[test]
fn an_error_shows_the_problem_and_its_line() {
    let ended = Answer::problem("409 Conflict", "topic `t` has ended: publish to another");
    let server = Server::start([Answer::published("1"), ended]);
    let run = publish_lines(&server, &["t"], b"one\ntwo\nthree\n");
    assert_eq!((run.code, &*run.stdout), (Some(1), "1\n"));
    assert_eq!(
        run.stderr,
        "tidewire: error: line 2 (those before it are published): the server refused it: \
         409 Conflict: topic `t` has ended: publish to another\n"
    );
    assert_eq!(server.requests().len(), 2, "nothing is published after an error");
}

#[test]
fn an_error_that_is_no_problem_document_shows_its_first_line() {
    let server = Server::start([Answer::full(
        "502 Bad Gateway",
        "",
        "upstream\u{1b}[31m died\n<html>",
    )]);
    let run = publish(&server, &["t", "x"]);
    assert_eq!(run.code, Some(1));
    assert!(
        run.stderr
            .ends_with("502 Bad Gateway: upstream\\u{1b}[31m died\n"),
        "{}",
        run.stderr
    );
}

#[test]
fn lines_that_are_no_text_are_refused() {
    let server = Server::start([Answer::published("1")]);
    let run = publish_lines(&server, &["t"], b"one\n\xff\n");
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("line 2 is no UTF-8 text"), "{}", run.stderr);
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let server = Server::start([]);
    let run = publish(&server, &["t", "x"]);
    assert_eq!(run.code, Some(1));
    assert!(
        run.stderr
            .contains(&format!("no answer from {}/events/t", server.url)),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("refused"), "{}", run.stderr);

    let url = server.url.replace("http://", "http://user:hush@");
    let run = tidewire(["pub", "t", "x", "--server", &url]).run();
    assert!(
        !run.stderr.contains("hush") && run.stderr.contains("http://***@"),
        "{}",
        run.stderr
    );
}

#[test]
fn https_is_spoken() {
    let server = Server::start([Answer::published("1")]);
    let url = server.url.replace("http:", "https:");
    let run = tidewire(["pub", "t", "x", "--server", &url]).run();
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("no answer from https://"), "{}", run.stderr);
    assert_eq!(server.lines(), [""; 0], "no request goes out in the clear");
}

#[test]
fn an_answer_without_an_id_is_no_success() {
    let server = Server::start([Answer::full("200 OK", "", "<html>")]);
    let run = publish(&server, &["t", "x"]);
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("is no Tidewire server"), "{}", run.stderr);
}

#[test]
fn the_server_can_come_from_the_environment() {
    let server = Server::start([Answer::published("1")]);
    let run = tidewire(["pub", "t", "x"]).env("TIDEWIRE_URL", &server.url).run();
    assert_eq!((run.code, &*run.stdout), (Some(0), "1\n"), "{run:?}");
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    for (args, text) in [
        (&["pub"][..], "<TOPIC>"),
        (&["pub", "t", "--id", "x", "-"], "--id names one event"),
        (
            &["pub", "t", "x", "--retry", "soon"],
            "`soon` is no length of time",
        ),
        (
            &["pub", "t", "x", "--server", "127.0.0.1:1"],
            "give for example `http://127.0.0.1:8420`",
        ),
    ] {
        let run = tidewire(args).run();
        assert_eq!(run.code, Some(2), "{args:?}");
        assert!(run.stderr.contains(text), "{args:?}: {}", run.stderr);
    }
}
