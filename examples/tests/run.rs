//! Every example runs, and does what its text says.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]
#![allow(unreachable_pub, reason = "nobody can reach into a test anyway")]

#[path = "../../crates/doors/tests/http/client.rs"]
mod client;

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdout, Command, Stdio},
};

use client::{Client, End, Reader, Response, field, request};
use rustix::process::{Pid, Signal, kill_process};

/// A running example, which ends with its test.
struct Example {
    child: Child,
    stdout: BufReader<ChildStdout>,
    address: std::net::SocketAddr,
}

impl Example {
    fn start(binary: &str) -> Self {
        Self::start_with(binary, &[])
    }

    fn start_with(binary: &str, more: &[&OsStr]) -> Self {
        let mut child = Command::new(binary)
            .arg("127.0.0.1:0")
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let (_, url) = line.split_once("http://").expect("an address");
        let address = url.split('/').next().unwrap().parse().unwrap();
        Self {
            child,
            stdout,
            address,
        }
    }

    /// The next line that it prints.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Response {
        Client::connect(self.address).ask(request(method, target, headers, body))
    }

    fn read(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Reader {
        let mut client = Client::connect(self.address);
        client.send(request(method, target, headers, body));
        client.reader()
    }

    fn get(&self, target: &str, headers: &[(&str, &str)]) -> Reader {
        self.read("GET", target, headers, "")
    }

    fn post(&self, target: &str) -> String {
        let response = self.ask("POST", target, &[], "");
        assert_eq!(response.status(), 200);
        response.body.trim_end().to_owned()
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_ticker_ticks_ten_times_and_ends() {
    let ticker = Example::start(env!("CARGO_BIN_EXE_ticker"));
    let mut reader = ticker.get("/ticks?currency=EUR&b=%26", &[]);
    reader.expect_retry(2000);
    for number in 1..=10 {
        let json = format!(r#"{{"parameters":{{"b":"&","currency":"EUR"}},"tick":{number}}}"#);
        reader.expect(&format!("id: {number}\nevent: tick\ndata: {json}\n\n"));
    }
    reader.expect("event: end\ndata: \n\n");
    reader.finished();
    let mut again = ticker.get("/ticks", &[("Last-Event-ID", "9")]);
    again.expect_retry(2000);
    assert_eq!(field(&again.block(), "id").as_deref(), Some("10"));
    assert_eq!(ticker.get("/ticks", &[("Last-Event-ID", "10")]).head.status, 204);
}

#[test]
fn the_embedded_hub_resumes_and_drains() {
    let mut app = Example::start(env!("CARGO_BIN_EXE_embedded"));
    let mut reader = app.get("/events/clicks", &[]);
    reader.expect_retry(1000);
    let left = app.post("/click/left");
    reader.expect(&format!("id: {left}\ndata: left\n\n"));
    drop(reader);
    let right = app.post("/click/right");

    let mut reader = app.get("/events/clicks", &[("Last-Event-ID", &left)]);
    assert_eq!(reader.head.get("tidewire-resume"), Some("resumed"));
    reader.expect_retry(1000);
    reader.expect(&format!("id: {right}\ndata: right\n\n"));
    kill_process(Pid::from_raw(app.child.id().cast_signed()).unwrap(), Signal::INT).unwrap();
    let (text, end) = reader.rest();
    assert!(text.starts_with("retry: "), "{text}");
    assert_eq!(end, End::Cut);
    assert_eq!(app.child.wait().unwrap().code(), Some(0));
}

#[test]
fn members_read_their_own_topics_and_no_others_wherever_the_topics_stand() {
    let app = Example::start(env!("CARGO_BIN_EXE_members"));
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let sign_in = |body| app.ask("POST", "/sign-in", &[form], body);
    assert_eq!(sign_in("name=alice&password=builder").status(), 401);
    let welcome = sign_in("name=alice&password=wonderland");
    let cookie = welcome.head.get("set-cookie").unwrap();
    let session = ("Cookie", cookie.split(';').next().unwrap());
    let json = ("Content-Type", "application/json");

    let mut lobby = app.get("/events?topic=users/alice/inbox&topic=rooms/lobby", &[session]);
    assert_eq!(lobby.head.status, 200);
    lobby.expect_retry(1000);
    let said = app.ask("POST", "/events/rooms/lobby", &[session], "Hello, all");
    lobby.expect(&format!("id: {}\ndata: Hello, all\n\n", said.id()));

    for (method, target, body) in [
        ("GET", "/events/users/bob/inbox", ""),
        ("GET", "/events?topic=users/bob/inbox", ""),
        ("GET", "/events?topic=users/alice/inbox&topic=users/bob/inbox", ""),
        (
            "POST",
            "/subscribe",
            r#"{"topics":["users/alice/inbox","users/bob/inbox"]}"#,
        ),
        ("POST", "/events/users/alice/inbox", "not hers to write"),
        ("DELETE", "/events/rooms/lobby", ""),
    ] {
        assert_eq!(
            app.ask(method, target, &[session, json], body).status(),
            403,
            "{method} {target}"
        );
        assert_eq!(
            app.ask(method, target, &[json], body).status(),
            401,
            "{method} {target}"
        );
    }
    let foreign = [session, ("Origin", "https://evil.example")];
    assert_eq!(
        app.ask("POST", "/events/rooms/lobby", &foreign, "x").status(),
        403
    );
}

#[test]
fn s6_the_echo_reads_json_whatever_the_body_is_called_and_refuses_what_is_none() {
    let echo = Example::start(env!("CARGO_BIN_EXE_echo"));
    for kind in [
        "application/json",
        "text/plain;charset=UTF-8",
        "application/x-www-form-urlencoded",
    ] {
        let mut reader = echo.read(
            "POST",
            "/echo?every=10",
            &[("Content-Type", kind)],
            r#"{ "say": "hello" }"#,
        );
        for _ in 0..3 {
            reader.expect("data: {\"say\":\"hello\"}\n\n");
        }
    }
    let refused = echo.ask("POST", "/echo", &[], "{\"say\":");
    assert_eq!(refused.status(), 400);
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.starts_with("the body is no JSON (EOF while parsing a value at line 1 column 7)"),
        "{detail}"
    );
    assert_eq!(echo.ask("POST", "/echo?every=0", &[], "1").status(), 400);
}

#[test]
fn s5_the_echo_goes_on_after_the_requests_body_and_stops_when_its_client_goes() {
    let mut echo = Example::start(env!("CARGO_BIN_EXE_echo"));
    let mut reader = echo.read("POST", "/echo?every=10", &[], "[1]");
    for _ in 0..20 {
        reader.expect("data: [1]\n\n");
    }
    drop(reader);
    assert_eq!(echo.line(), "A client has gone, and its echo with it\n");
}

#[test]
fn the_typewriters_text_grows_until_it_is_whole() {
    let typewriter = Example::start(env!("CARGO_BIN_EXE_typewriter"));
    for (method, body) in [("GET", ""), ("POST", "Why is the sky blue?")] {
        let mut reader = typewriter.read(method, "/text", &[], body);
        let mut text = String::new();
        loop {
            let block = reader.block();
            if block.starts_with("event: end\n") {
                break;
            }
            assert!(block.starts_with("event: text\n"), "{block}");
            let longer = field(&block, "data").unwrap();
            let new = longer.strip_prefix(&text).unwrap();
            assert_eq!(new.chars().count(), 1, "{longer}");
            text = longer;
        }
        assert_eq!(text, "A stream is a log;\na subscriber is a cursor on it. 🌊");
        reader.finished();
    }
}

#[test]
fn the_chat_answers_word_by_word_and_says_when_it_is_done() {
    let chat = Example::start(env!("CARGO_BIN_EXE_chat"));
    let mut reader = chat.get("/chat?prompt=Hello+there,+%26+you", &[]);
    let (mut answer, mut words) = (String::new(), 0);
    loop {
        let block = reader.block();
        if block.starts_with("event: end\n") {
            break;
        }
        answer += &field(&block, "data").unwrap();
        words += 1;
    }
    reader.finished();
    assert_eq!(
        answer,
        "You said “Hello there, & you”. That is 4 words; from the end it reads “you & there, Hello”."
    );
    assert_eq!(words, answer.split(' ').count());
    for target in ["/chat", "/chat?prompt=", "/chat?prompt=%20"] {
        let refused = chat.ask("GET", target, &[], "");
        assert_eq!(refused.status(), 400);
        assert_eq!(
            refused.json()["detail"],
            "there is no prompt: ask with /chat?prompt=Hello"
        );
    }
}

/// A file that somebody writes to.
struct Log {
    folder: tempfile::TempDir,
    file: File,
}

impl Log {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Self {
            file: File::create(folder.path().join("log")).unwrap(),
            folder,
        };
        log.write(text);
        log
    }

    fn write(&mut self, text: &str) {
        self.file.write_all(text.as_bytes()).unwrap();
    }

    /// As logrotate does it: the old file gets another name, a new one takes its place.
    fn rotate(&mut self) {
        let path = self.folder.path().join("log");
        fs::rename(&path, path.with_extension("1")).unwrap();
        self.file = File::create(path).unwrap();
    }

    fn followed(&self) -> Example {
        let path = self.folder.path().join("log");
        Example::start_with(env!("CARGO_BIN_EXE_logtail"), &[path.as_ref()])
    }
}

/// Everything that the log tail has published, from its first line on.
fn all_lines(tail: &Example) -> Reader {
    tail.get("/events/lines?last_event_id=earliest", &[])
}

#[test]
fn the_log_tail_sends_each_line_when_it_is_whole() {
    let mut log = Log::new("one\ntwo\r\n\nunfin");
    let tail = log.followed();
    let mut reader = all_lines(&tail);
    let lines = [reader.data(), reader.data(), reader.data()];
    assert_eq!(lines, ["one", "two", ""]);
    log.write("ished\nnext\n");
    assert_eq!(reader.data(), "unfinished");
    let next = reader.block();
    assert_eq!(field(&next, "data").as_deref(), Some("next"));

    assert_eq!(tail.get("/events/lines?last=2", &[]).data(), "unfinished");
    let mut again = tail.get(
        "/events/lines",
        &[("Last-Event-ID", &field(&next, "id").unwrap())],
    );
    log.write("later\n");
    assert_eq!(again.data(), "later");
}

#[test]
fn the_log_tail_goes_on_with_the_file_that_takes_the_name() {
    let mut log = Log::new("a line of some length\n");
    let tail = log.followed();
    let mut reader = all_lines(&tail);
    assert_eq!(reader.data(), "a line of some length");
    log.rotate();
    log.write("new\n");
    assert_eq!(field(&reader.block(), "event").as_deref(), Some("rotated"));
    assert_eq!(reader.data(), "new");
}

#[test]
fn the_log_tails_lines_are_bounded() {
    let log = Log::new(&format!("{}\nshort\n", "x".repeat(100_000)));
    let tail = log.followed();
    let mut reader = all_lines(&tail);
    let lengths = [reader.data().len(), reader.data().len()];
    assert_eq!(lengths, [65_536, 100_000 - 65_536]);
    assert_eq!(reader.data(), "short");
}

#[test]
fn s11_the_room_shows_what_is_said_and_how_many_are_there() {
    let room = Example::start(env!("CARGO_BIN_EXE_room"));
    let page = room.ask("GET", "/", &[], "");
    assert_eq!(page.head.get("content-type"), Some("text/html; charset=utf-8"));
    for path in ["/events/room?", "'/presence/room'", "fetch('/events/room', "] {
        assert!(page.body.contains(path), "{path}");
    }

    let mut presence = room.get("/presence/room", &[("Accept", "text/event-stream")]);
    let mut next = || {
        let block = presence.block();
        let readers = serde_json::from_str::<serde_json::Value>(&field(&block, "data").unwrap()).unwrap();
        (
            field(&block, "event").unwrap(),
            readers["readers"].as_u64().unwrap(),
        )
    };
    assert_eq!(next(), ("presence".into(), 0));
    let mut alice = room.get("/events/room?last=20&as=alice", &[]);
    assert_eq!(next(), ("join".into(), 1));
    let bob = room.get("/events/room?last=20&as=bob", &[]);
    assert_eq!(next(), ("join".into(), 2));
    let who = room.ask("GET", "/presence/room", &[], "").json();
    let names: Vec<_> = who["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| &member["name"])
        .collect();
    assert_eq!(names, ["alice", "bob"]);

    let said = r#"{"from":"bob","text":"hello"}"#;
    assert_eq!(room.ask("POST", "/events/room", &[], said).status(), 200);
    assert_eq!(alice.data(), said);
    drop(bob);
    assert_eq!(next(), ("leave".into(), 1));
    let mut late = room.get("/events/room?last=20&as=carol", &[]);
    assert_eq!(late.data(), said, "who comes later sees what was said");

    let origin = [("Origin", "http://elsewhere.example")];
    assert_eq!(room.ask("POST", "/events/room", &origin, said).status(), 403);
}
