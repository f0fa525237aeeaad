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
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use client::{Client, End, Reader, field, request};
use rustix::process::{Pid, Signal, kill_process};

/// A running example, which ends with its test.
struct Example {
    child: Child,
    address: std::net::SocketAddr,
}

impl Example {
    fn start(binary: &str) -> Self {
        let mut child = Command::new(binary)
            .arg("127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let (_, url) = line.split_once("http://").expect("an address");
        let address = url.split('/').next().unwrap().parse().unwrap();
        Self { child, address }
    }

    fn get(&self, target: &str, headers: &[(&str, &str)]) -> Reader {
        let mut client = Client::connect(self.address);
        client.send(request("GET", target, headers, ""));
        client.reader()
    }

    fn post(&self, target: &str) -> String {
        let mut client = Client::connect(self.address);
        let response = client.ask(request("POST", target, &[], ""));
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
    reader.expect("retry: 2000\n");
    for number in 1..=10 {
        let json = format!(r#"{{"parameters":{{"b":"&","currency":"EUR"}},"tick":{number}}}"#);
        reader.expect(&format!("id: {number}\nevent: tick\ndata: {json}\n\n"));
    }
    reader.expect("event: end\ndata: \n\n");
    reader.finished();
    let mut again = ticker.get("/ticks", &[("Last-Event-ID", "9")]);
    again.expect("retry: 2000\n");
    assert_eq!(field(&again.block(), "id").as_deref(), Some("10"));
    assert_eq!(ticker.get("/ticks", &[("Last-Event-ID", "10")]).head.status, 204);
}

#[test]
fn the_embedded_hub_resumes_and_drains() {
    let mut app = Example::start(env!("CARGO_BIN_EXE_embedded"));
    let mut reader = app.get("/events/clicks", &[]);
    reader.expect("retry: 1000\n");
    let left = app.post("/click/left");
    reader.expect(&format!("id: {left}\ndata: left\n\n"));
    drop(reader);
    let right = app.post("/click/right");

    let mut reader = app.get("/events/clicks", &[("Last-Event-ID", &left)]);
    assert_eq!(reader.head.get("tidewire-resume"), Some("resumed"));
    reader.expect(&format!("retry: 1000\nid: {right}\ndata: right\n\n"));
    kill_process(Pid::from_raw(app.child.id().cast_signed()).unwrap(), Signal::INT).unwrap();
    let (text, end) = reader.rest();
    assert!(text.starts_with("retry: "), "{text}");
    assert_eq!(end, End::Cut);
    assert_eq!(app.child.wait().unwrap().code(), Some(0));
}
