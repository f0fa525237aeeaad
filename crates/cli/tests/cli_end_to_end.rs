//! `tidewire pub` and `tidewire tail` with the real `tidewire serve` between them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;
use support::process::{finish, read_all};
use support::serve::Serve;

#[test]
fn what_is_published_is_read_to_the_end() {
    let serve = Serve::start();
    let published = serve.publish(
        &["news/today", "--event", "line", "--end"],
        "one\n潮 \"two\"\n\nfour\n",
    );
    assert_eq!(published.code, Some(0), "{published:?}");
    let ids: Vec<_> = published.stdout.lines().collect();
    assert_eq!(ids.len(), 4);

    let events = whole_stream(&serve, "news/today");
    let field = |name: &str| -> Vec<_> { events.iter().map(|event| event[name].as_str().unwrap()).collect() };
    assert_eq!(field("data"), ["one", "潮 \"two\"", "", "four"]);
    assert_eq!(field("event"), ["line"; 4]);
    assert_eq!(field("id"), ids);

    let last = serve.command(&["tail", "news/today", "--last", "1"]).run();
    assert_eq!(last.stdout, format!("{} line four\n", ids[3]));
    let rest = serve
        .command(&["tail", "news/today", "--from", ids[1], "--max", "1"])
        .run();
    assert_eq!(rest.stdout, format!("{} line \n", ids[2]));
    let none = serve.command(&["tail", "news/today", "--from", ids[3]]).run();
    assert_eq!(
        (none.code, &*none.stdout),
        (Some(0), ""),
        "204: the stream has ended"
    );
}

#[test]
fn publishers_ids_are_kept() {
    let serve = Serve::start();
    let published = serve.publish(&["t", "data", "--id", "my id/ä", "--retry", "300ms", "--end"], "");
    assert_eq!(
        (published.code, &*published.stdout),
        (Some(0), "my id/ä\n"),
        "{published:?}"
    );
    let tail = serve.command(&["tail", "t", "--from", "earliest"]).run();
    assert_eq!(tail.stdout, "my id/ä message data\n");
}

#[test]
fn names_that_a_path_would_change_are_topics_too() {
    let serve = Serve::start();
    for topic in ["a b/ä%2F?#", "plain/slash"] {
        let published = serve.publish(&[topic, topic, "--end"], "");
        assert_eq!(published.code, Some(0), "{published:?}");
        let tail = serve.command(&["tail", topic, "--last", "1"]).run();
        assert!(tail.stdout.ends_with(&format!(" message {topic}\n")), "{tail:?}");
    }
}

#[test]
fn a_server_that_was_killed_is_found_again_and_the_gap_is_shown() {
    let serve = Serve::start();
    let mut child = serve.command(&["tail", "t", "--comments"]).spawn(Stdio::piped());
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    // The stream's first line: the reader is there.
    stdout.read_line(&mut line).unwrap();
    assert!(line.starts_with("retry: 1"), "{line}");
    assert_eq!(serve.publish(&["t", "before"], "").code, Some(0));
    line.clear();
    stdout.read_line(&mut line).unwrap();
    assert!(line.ends_with(" message before\n"), "{line}");

    let address = serve.address().to_owned();
    drop(serve);
    let serve = Serve::start_at(&address);
    let published = serve.publish(&["t", "after", "--end"], "");
    assert_eq!(published.code, Some(0), "{published:?}");

    let run = finish(child, read_all(stdout));
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stderr.contains("connecting again in"), "{}", run.stderr);
    assert!(
        run.stdout.contains("--- gap (reset): cannot go on right after ~"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.ends_with(" message after\n"), "{}", run.stdout);
}

#[test]
fn the_servers_own_words_are_shown() {
    let serve = Serve::start();
    assert_eq!(serve.publish(&["t", "x", "--end"], "").code, Some(0));
    for (args, text) in [
        (&["pub", "t", "more"][..], "409 Conflict: "),
        (&["pub", "other", "x", "--id", "~mine"], "400 Bad Request: "),
        (
            &["pub", "other", "x", "--event", "tidewire.x"],
            "400 Bad Request: ",
        ),
        (
            &["tail", &format!("{}/nothing/here", serve.url)],
            "404 Not Found: ",
        ),
    ] {
        let run = serve.command(args).run();
        assert_eq!(run.code, Some(1), "{args:?}");
        let detail = run.stderr.split(text).nth(1).unwrap_or_default();
        assert!(detail.len() > 10, "{args:?}: {}", run.stderr);
    }
}

#[cfg(unix)]
#[test]
fn log_lines_are_for_people_or_for_machines() {
    let listen = ["serve", "--listen", "127.0.0.1:0"];
    let (code, log) = Serve::start_with(&listen).terminate();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains(" INFO ") && log.contains("SIGTERM"), "{log}");
    assert!(
        !log.contains('\u{1b}'),
        "no colours where no terminal is: {log:?}"
    );

    let (code, log) = Serve::start_with(&[&listen[..], &["--log-format", "json"]].concat()).terminate();
    assert_eq!(code, Some(0), "{log}");
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(lines.iter().any(|line| line["level"] == "INFO"), "{log}");

    let (code, log) = Serve::start_with(&[&listen[..], &["--log", "error"]].concat()).terminate();
    assert_eq!((code, &*log), (Some(0), ""));
}

#[test]
fn the_demo_answer_types_itself_out() {
    let serve = Serve::start();
    // The demo is asked for with a bare request, as its page does.
    let answer = post(serve.address(), "/demo/answers?lang=en&cps=1000");
    let body = answer.split("\r\n\r\n").nth(1).unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    let events = whole_stream(&serve, body["topic"].as_str().unwrap());
    let (end, letters) = events.split_last().unwrap();
    assert_eq!(end["event"], "end");
    let end: Value = serde_json::from_str(end["data"].as_str().unwrap()).unwrap();
    assert_eq!(end["characters"], letters.len());
}

fn post(address: &str, target: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// All events of a stream that has ended or will, as `tail --json` prints them.
fn whole_stream(serve: &Serve, topic: &str) -> Vec<Value> {
    let tail = serve
        .command(&["tail", topic, "--json", "--from", "earliest"])
        .run();
    assert_eq!((tail.code, &*tail.stderr), (Some(0), ""));
    let lines = tail.stdout.lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}
