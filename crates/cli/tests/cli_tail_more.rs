//! `tidewire tail`: any request, and all that can be made of its answer.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::{fs, process::Stdio};

use serde_json::{Value, json};
use support::process::{finish, read_all, tidewire};
use support::server::{Answer, Server};

const RETRY: &str = "retry: 100\n";

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn any_request_can_be_made() {
    let server = Server::start([
        Answer::stream(&["data: x\n\n"]),
        Answer::stream(&["data: x\n\n"]),
        Answer::stream(&["data: x\n\n"]),
    ]);
    let run = |args: &[&str], input: &[u8]| {
        let url = format!("{}/v1/ask", server.url);
        let run = tidewire(["tail", &url].iter().chain(args))
            .file("ask.json", r#"{"from":"a file"}"#)
            .run_with_input(input);
        assert_eq!(run.code, Some(0), "{run:?}");
        assert!(run.stdout.ends_with(" message x\n"), "{run:?}");
    };
    run(
        &[
            "-d",
            r#"{"a":1}"#,
            "-H",
            "X-Api-Key: k",
            "-H",
            "Accept-Language: de",
        ],
        b"",
    );
    run(
        &["-X", "QUERY", "--data", "@ask.json", "--last-event-id", "ä"],
        b"",
    );
    run(&["-d", "@-", "-H", "Content-Type: text/x-own"], b"from a pipe");

    let asked = server.requests();
    assert_eq!(asked[0].line, "POST /v1/ask");
    assert_eq!(asked[0].body, r#"{"a":1}"#);
    for (name, value) in [
        ("content-type", "application/json"),
        ("x-api-key", "k"),
        ("accept-language", "de"),
        ("accept", "text/event-stream"),
    ] {
        assert_eq!(asked[0].header(name), Some(value), "{name}");
    }
    assert_eq!(
        (&*asked[1].line, &*asked[1].body),
        ("QUERY /v1/ask", r#"{"from":"a file"}"#)
    );
    assert_eq!(asked[1].header("last-event-id"), Some("ä"));
    assert_eq!(
        (&*asked[2].line, &*asked[2].body),
        ("POST /v1/ask", "from a pipe")
    );
    assert_eq!(asked[2].header("content-type"), Some("text/x-own"));
}

#[test]
fn a_post_that_was_cut_is_not_asked_twice_unless_its_server_resumes() {
    let server = Server::start([Answer::cut(&[RETRY, "id: 1\ndata: one\n\n"])]);
    let run = tidewire(["tail", &server.url, "-d", "{}"]).run();
    assert_eq!((run.code, &*run.stdout), (Some(1), "1 message one\n"));
    assert!(run.stderr.contains("is not sent again"), "{}", run.stderr);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn it_stops_after_the_event_that_is_waited_for() {
    let server = Server::start([Answer::silent(&["data: a\n\nevent: end\ndata: b\n\ndata: c\n\n"])]);
    let run = tidewire(["tail", &server.url, "--until", "end"]).run();
    assert_eq!(
        (run.code, &*run.stdout),
        (Some(0), "- message a\n- end b\n"),
        "{run:?}"
    );
}

#[test]
fn what_came_is_counted() {
    let stream = ["data: a\n\nevent: tick\ndata: b\n\n", ": hi\ndata: c\n\n"];
    let answers = || [Answer::stream(&stream)];
    let server = Server::start(answers());
    let run = tidewire(["tail", &server.url, "--count"]).run();
    let start = "         2 message\n         1 tick\n         3 events, 44 bytes in ";
    assert!(run.stdout.starts_with(start), "{}", run.stdout);

    let server = Server::start(answers());
    let run = tidewire(["tail", &server.url, "--count", "--json"]).run();
    let count = &lines(&run.stdout)[0];
    assert_eq!(count["types"], json!({ "message": 2, "tick": 1 }));
    assert_eq!(
        (&count["events"], &count["bytes"], &count["connections"]),
        (&json!(3), &json!(44), &json!(1))
    );
}

#[test]
fn bytes_are_shown_as_they_come_with_time_and_size() {
    let server = Server::start([Answer::stream(&["data: a\r\n\r", "\ndata"])]);
    let run = tidewire(["tail", &server.url, "--raw"]).run();
    let shown: Vec<_> = run.stdout.lines().collect();
    let heads = shown
        .iter()
        .filter(|line| line.starts_with("--- 0.") && line.ends_with(" bytes ---"));
    assert!(heads.count() >= 1, "{}", run.stdout);
    assert!(run.stdout.contains("data: a\\r\n"), "{}", run.stdout);
    assert!(
        run.stdout.ends_with("data\\\n"),
        "an unfinished line is seen: {}",
        run.stdout
    );
    let asked = server.requests();
    assert_eq!(
        asked[0].header("accept-encoding"),
        Some("identity"),
        "nothing is to be packed"
    );
}

#[test]
fn only_the_text_of_an_answer_is_printed() {
    let openai = "data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\ndata: {\"choices\":[{\"delta\":{}}]}\n\n\
                  data: {\"choices\":[{\"delta\":{\"content\":\"lo\"}}]}\n\ndata: [DONE]\n\n";
    let broken = "data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\ndata: {\"error\":{\"message\":\"no more\"}}\n\n";
    let server = Server::start([Answer::stream(&[openai]), Answer::stream(&[broken])]);
    let run = tidewire(["tail", &server.url, "-d", "{}", "--text"]).run();
    assert_eq!((run.code, &*run.stdout), (Some(0), "Hello\n"));
    let run = tidewire(["tail", &server.url, "-d", "{}", "--text"]).run();
    assert_eq!((run.code, &*run.stdout), (Some(1), "Hel\n"));
    assert!(run.stderr.contains("no more"), "{}", run.stderr);
}

#[test]
fn a_saved_stream_is_replayed_byte_for_byte() {
    let chunks = [RETRY, "id: 1\r\ndata: h\u{e4}\r\n\r\n", ": x\n\ndata: unfinished"];
    let server = Server::start([Answer::stream(&chunks)]);
    let url = format!("{}/s?session=secret&a=secret", server.url);
    let tail = tidewire([
        "tail",
        &url,
        "--save",
        "s.ndjson",
        "-H",
        "Authorization: Bearer secret",
        "-H",
        "X-Session: secret",
    ]);
    let folder = tail.path().to_owned();
    let mut tail = tail;
    let mut child = tail.spawn(Stdio::piped());
    let stdout = read_all(child.stdout.take().unwrap());
    let run = finish(child, stdout);
    assert_eq!(
        (run.code, &*run.stdout),
        (Some(0), "1 message h\u{e4}\n"),
        "{run:?}"
    );
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(folder.join("s.ndjson")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600, "nobody else reads it");
    let saved = fs::read_to_string(folder.join("s.ndjson")).unwrap();
    assert!(!saved.contains("secret"), "{saved}");
    let saved = lines(&saved);
    let text: String = saved.iter().filter_map(|line| line["text"].as_str()).collect();
    assert_eq!(text, chunks.concat());
    assert_eq!(saved.last().unwrap()["ending"], "end");
    assert_eq!(saved[0]["response"]["status"], 200);
    assert_eq!(
        saved[0]["request"]["url"],
        format!("{}/s?session=***&a=***", server.url)
    );
    assert_eq!(
        saved[0]["request"]["headers"],
        json!([
            ["authorization", null],
            ["x-session", null],
            ["accept-encoding", "identity"]
        ])
    );
}

#[test]
fn a_recording_keeps_secrets_on_request_and_is_its_owners() {
    let server = Server::start([Answer::stream(&[RETRY, "data: x\n\n"])]);
    let url = format!("{}/s?session=secret", server.url);
    let mut tail = tidewire([
        "tail",
        &url,
        "--save",
        "s",
        "--keep-secrets",
        "-H",
        "X-Session: secret",
    ]);
    let file = tail.path().join("s");
    let mut child = tail.spawn(Stdio::piped());
    let stdout = read_all(child.stdout.take().unwrap());
    assert_eq!(finish(child, stdout).code, Some(0));
    let saved = lines(&fs::read_to_string(&file).unwrap());
    assert_eq!(saved[0]["request"]["url"], url);
    assert_eq!(saved[0]["request"]["headers"][0], json!(["x-session", "secret"]));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn each_connection_is_a_recording_of_its_own_and_none_is_overwritten() {
    let server = Server::start([
        Answer::cut(&[RETRY, "id: 1\ndata: one\n\n"]),
        Answer::stream(&["id: 2\ndata: two\n\n"]),
    ]);
    let mut tail = tidewire(["tail", &server.url, "--save", "s"]);
    let folder = tail.path().to_owned();
    let mut child = tail.spawn(Stdio::piped());
    let stdout = read_all(child.stdout.take().unwrap());
    let run = finish(child, stdout);
    assert_eq!(run.code, Some(0), "{run:?}");
    let saved = |name: &str| lines(&fs::read_to_string(folder.join(name)).unwrap());
    let (first, second) = (saved("s"), saved("s.2"));
    assert_eq!(first.last().unwrap()["ending"], "cut");
    assert_eq!(second.last().unwrap()["ending"], "end");
    assert_eq!(second[1]["text"], "id: 2\ndata: two\n\n");

    let run = tidewire(["tail", &server.url, "--save", "s"])
        .file("s", "mine")
        .run();
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("cannot make the file s"), "{}", run.stderr);
    assert_eq!(server.requests().len(), 2, "nothing was asked in vain");
}

#[cfg(unix)]
#[test]
fn a_signal_leaves_a_recording_and_numbers_that_are_complete() {
    use rustix::process::{Pid, Signal, kill_process};
    use std::io::{BufRead as _, BufReader};

    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let server = Server::start([Answer::silent(&["data: a\n\n"])]);
        let mut tail = tidewire(["tail", &server.url, "--save", "s"]);
        let folder = tail.path().to_owned();
        let mut child = tail.spawn(Stdio::piped());
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut String::new()).unwrap();
        kill_process(Pid::from_child(&child), signal).unwrap();
        let run = finish(child, read_all(stdout));
        assert_eq!(run.code, Some(code), "{run:?}");
        let saved = lines(&fs::read_to_string(folder.join("s")).unwrap());
        assert_eq!(saved.last().unwrap()["ending"], "open");
    }
}

#[test]
fn numbers_are_printed_on_sigterm_too() {
    use rustix::process::{Pid, Signal, kill_process};

    let server = Server::start([Answer::silent(&["data: a\n\n"])]);
    let mut tail = tidewire(["tail", &server.url, "--count", "--save", "s"]);
    let saved = tail.path().join("s");
    let mut child = tail.spawn(Stdio::piped());
    // The event has come once it is saved.
    while !fs::read_to_string(&saved).is_ok_and(|text| text.contains("data: a")) {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let stdout = read_all(child.stdout.take().unwrap());
    let run = finish(child, stdout);
    assert!(run.stdout.contains("1 events, 9 bytes"), "{run:?}");
}

#[test]
fn what_stops_it_comes_first_in_its_help() {
    let help = tidewire(["tail", "--help"]).run().stdout;
    let options: Vec<_> = help
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with('-'))
        .collect();
    assert!(options[0].starts_with("-n, --max <N>"), "{options:?}");
    let server = Server::start([Answer::stream(&["data: a\n\ndata: b\n\n"])]);
    assert_eq!(
        tidewire(["tail", &server.url, "-n", "1"]).run().stdout,
        "- message a\n"
    );
}

#[test]
fn a_path_is_one_on_the_server_and_an_address_without_its_scheme_is_refused() {
    for (path, asked) in [
        ("/events/ml", "GET /events/ml"),
        ("/events?topic=a&last=1", "GET /events?topic=a&last=1"),
        ("/relay/abc", "GET /relay/abc"),
    ] {
        let server = Server::start([Answer::no_content()]);
        let run = tidewire(["tail", path, "--server", &server.url]).run();
        assert_eq!(
            (run.code, server.lines()),
            (Some(0), vec![asked.to_owned()]),
            "{run:?}"
        );
    }
    let run = tidewire(["tail", "localhost:8420/events/ml"]).run();
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(
        run.stderr.contains("give `http://localhost:8420/events/ml`"),
        "{}",
        run.stderr
    );
}

#[test]
fn what_cannot_be_asked_is_told() {
    for (args, code, text) in [
        (&["-H", "nonsense"][..], 2, "give it as `Name: value`"),
        (&["--text", "--json"], 2, "cannot be used with"),
        (&["--raw", "--count"], 2, "cannot be used with"),
        (&["-d", "@nowhere"], 1, "--data @nowhere"),
        (&["--last-event-id", "a\nb"], 1, "the last event id"),
    ] {
        let run = tidewire(["tail", "http://127.0.0.1:1"].iter().chain(args)).run();
        assert_eq!(run.code, Some(code), "{run:?}");
        assert!(run.stderr.contains(text), "{}", run.stderr);
    }
}
