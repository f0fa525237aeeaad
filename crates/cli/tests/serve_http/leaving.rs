//! The phases of a drain, and what SIGHUP does.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    binary::Server,
    client::{Client, End, eventually, request},
    relay::{ask, begun, place},
    support::process::{terminal, tidewire},
    upstream::Upstream,
};

#[test]
fn a_notice_is_red_and_still_serves() {
    let server = Server::with(&[("TIDEWIRE_TIMEOUTS_DRAIN_NOTICE", "2s")]);
    let mut reader = server.get("/events/a", &[]);
    server.signal(Signal::TERM);
    eventually(|| !server.is_ready());
    assert_eq!(server.ask("GET", "/readyz", &[], "").body, "draining\n");
    // New connections, readers and events are welcome.
    let mut late = server.get("/events/a", &[]);
    server.post("/events/a", "in the notice");
    for reader in [&mut reader, &mut late] {
        assert_eq!(reader.data(), "in the notice");
    }
    for reader in [reader, late] {
        let (text, end) = reader.rest();
        assert!(text.starts_with("retry: ") && end == End::Cut, "{text}");
    }
    let (code, stderr) = server.ended();
    assert_eq!(code, Some(0));
    assert!(stderr.contains("timeouts.drain_notice"), "{stderr}");
}

#[test]
fn a_second_signal_ends_a_notice_too() {
    let server = Server::with(&[("TIDEWIRE_TIMEOUTS_DRAIN_NOTICE", "10m")]);
    server.signal(Signal::TERM);
    eventually(|| !server.is_ready());
    server.signal(Signal::INT);
    let (code, stderr) = server.ended();
    assert_eq!(code, Some(1));
    assert!(stderr.contains("SIGINT while draining"), "{stderr}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long a process takes to end")]
fn a_reader_that_takes_nothing_holds_a_drain_for_a_second() {
    let server = Server::with(&[("TIDEWIRE_TIMEOUTS_DRAIN", "1m")]);
    let mut stuck = server.connect();
    stuck.send(request("GET", "/events/a", &[], ""));
    let event = "x".repeat(1 << 20);
    // More than both sides' sockets take.
    for _ in 0..30 {
        server.post("/events/a", &event);
    }
    let begun = Instant::now();
    server.signal(Signal::TERM);
    let (code, stderr) = server.ended();
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("drained"), "{stderr}");
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
    drop(stuck);
}

#[test]
fn answers_run_on_to_their_end_and_readers_are_moved_last() {
    let upstream = Upstream::start();
    let url = format!("http://{}/v1", upstream.address);
    let server = Server::with(&[("TIDEWIRE_RELAY", &url), ("TIDEWIRE_TIMEOUTS_DRAIN", "2m")]);
    let headers = [("Authorization", "Bearer theirs"), ("Idempotency-Key", "k")];
    let (mut reader, mut call) = begun(&server, &upstream, "/v1/chat", &headers);
    let plain = server.get("/events/a", &[]);
    server.signal(Signal::TERM);
    eventually(|| !server.is_ready());
    // A new request is refused, unless it is one that is answered already.
    let mut refused = None;
    eventually(|| {
        let response = server.ask("POST", "/v1/chat", &[], "new");
        let is_refused = response.status() == 503;
        refused = Some(response);
        is_refused
    });
    let refused = refused.unwrap();
    assert_eq!(refused.json()["code"], "draining");
    assert!(refused.head.get("retry-after").is_some(), "{refused:?}");
    let mut twin = ask(&server, "/v1/chat", &headers);
    let mut other = server.get(&place(&reader), &[]);
    call.event("said in the drain");
    for reader in [&mut reader, &mut twin, &mut other] {
        reader.until("data: said in the drain\n\n");
    }
    call.event("[DONE]");
    call.end();
    for mut reader in [reader, twin, other] {
        reader.until("data: [DONE]\n\n");
        reader.finished();
    }
    let (text, end) = plain.rest();
    assert!(text.starts_with("retry: ") && end == End::Cut, "{text}");
    let (code, stderr) = server.ended();
    assert_eq!(code, Some(0));
    assert!(stderr.contains("drained"), "{stderr}");
}

fn may_publish(server: &Server, token: &str) -> bool {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", &*bearer)];
    match server.ask("POST", "/events/a", &headers, "x").status() {
        200 => true,
        401 => false,
        other => panic!("{other}"),
    }
}

#[test]
fn a_hangup_reads_the_token_files_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let write = |text: &str| fs::write(&file, text).unwrap();
    write("first\n");
    let server = Server::with(&[("TIDEWIRE_PUBLISH_TOKEN_FILE", file.to_str().unwrap())]);
    assert!(may_publish(&server, "first") && !may_publish(&server, "second"));
    let mut reader = server.get("/events/a", &[]);
    write("first\nsecond\n");
    server.signal(Signal::HUP);
    eventually(|| may_publish(&server, "second"));
    assert!(may_publish(&server, "first"));
    // What cannot be is not taken, and what there is stays.
    write("# none\n");
    server.signal(Signal::HUP);
    write("second\n");
    server.signal(Signal::HUP);
    eventually(|| !may_publish(&server, "first"));
    assert!(may_publish(&server, "second"));
    assert_eq!(reader.data(), "x", "streams stay open");
    server.signal(Signal::TERM);
    let (code, stderr) = server.ended();
    assert_eq!(code, Some(0));
    assert!(
        stderr.contains("read again") && !stderr.contains("second"),
        "{stderr}"
    );
}

#[test]
fn a_hangup_with_a_file_that_is_wrong_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    fs::write(&file, "first\n").unwrap();
    let server = Server::with(&[("TIDEWIRE_PUBLISH_TOKEN_FILE", file.to_str().unwrap())]);
    fs::remove_file(&file).unwrap();
    server.signal(Signal::HUP);
    assert!(may_publish(&server, "first"));
    server.signal(Signal::TERM);
    let (code, stderr) = server.ended();
    assert_eq!(code, Some(0));
    assert!(stderr.contains("the tokens stay that there are"), "{stderr}");
    assert!(stderr.contains("tokens: No such file"), "{stderr}");
}

/// A server with a terminal of its own.
fn on_terminal(program: &[&str]) -> (fs::File, std::process::Child, Client) {
    let (ours, theirs) = terminal();
    let server = tidewire(["serve"]);
    let mut child = Command::new("setsid")
        .arg("--ctty")
        .args(program)
        .args([
            env!("CARGO_BIN_EXE_tidewire"),
            "serve",
            "--memory",
            "--listen",
            "127.0.0.1:0",
        ])
        .current_dir(server.path())
        .stdin(theirs.try_clone().unwrap())
        .stdout(Stdio::piped())
        // `nohup` would have it written to standard output.
        .stderr(match program {
            [] => theirs.into(),
            _ => Stdio::null(),
        })
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = line.trim_end().strip_prefix("Tidewire is listening on http://");
    let client = Client::connect(address.unwrap().parse().unwrap());
    (ours, child, client)
}

#[test]
fn a_server_whose_terminal_has_gone_stops_in_good_order() {
    let (terminal, mut child, mut client) = on_terminal(&[]);
    client.send(request("GET", "/events/a", &[], ""));
    let mut reader = client.reader();
    reader.expect_retry(1000);
    drop(terminal);
    let (text, end) = reader.rest();
    assert!(text.starts_with("retry: ") && end == End::Cut, "{text}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
#[cfg(target_os = "linux")]
fn a_server_that_is_to_ignore_hangups_outlives_its_terminal() {
    let (terminal, mut child, mut client) = on_terminal(&["nohup"]);
    drop(terminal);
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::HUP).unwrap();
    for _ in 0..3 {
        assert_eq!(client.ask(request("GET", "/readyz", &[], "")).status(), 200);
    }
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_signal_confirms_the_clock_and_ends_nothing() {
    let server = Server::start();
    server.signal(Signal::USR1);
    server.post("/events/a", "still served");
    server.signal(Signal::TERM);
    let (code, stderr) = server.ended();
    assert_eq!(code, Some(0), "{stderr}");
}
