//! nginx between a server and the doctor, with settings that people have.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;

use libtest_mimic::Trial;

use crate::case::{Report, doctor, tidewire_with};
use crate::faults::{Reply, Request, Server, with_head};

/// Another process may take the port before nginx does.
const TRIES: usize = 5;

/// nginx in the foreground, without workers; killed when this is dropped.
struct Nginx {
    child: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl Nginx {
    /// Before a server, with these lines in its `location`.
    fn before(upstream: &str, settings: &str) -> Self {
        let started = (0..TRIES).find_map(|_| Self::start(upstream, settings));
        started.expect("nginx starts")
    }

    fn start(upstream: &str, settings: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {}/{name};", folder.path().display()))
            .join(" ");
        let file = folder.path().join("nginx.conf");
        let text = format!(
            "daemon off; master_process off; pid {}/pid; error_log stderr notice; events {{}}\n\
             http {{ access_log off; {temporary}\n\
               server {{ listen {address}; location / {{ proxy_pass {upstream}; {settings} }} }} }}",
            folder.path().display()
        );
        std::fs::write(&file, text).unwrap();
        let mut child = Command::new("nginx")
            .args(["-e", "stderr", "-p"])
            .arg(folder.path())
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It says this once it listens.
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let listens = lines.by_ref().map_while(Result::ok).any(|line| {
            said.push(line);
            said.last().is_some_and(|line| line.contains("event method"))
        });
        if !listens {
            child.wait().unwrap();
            let text = said.join("\n");
            assert!(text.contains("Address already in use"), "{text}");
            return None;
        }
        thread::spawn(move || lines.for_each(drop));
        Some(Self {
            child,
            url: format!("http://{address}/events/x"),
            _folder: folder,
        })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server that resumes, and knows nothing of proxies.
fn naive(request: &Request, last: usize, length: usize) -> Reply {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n";
    let seen = request
        .header("last-event-id")
        .map_or(0, |id| id.parse::<usize>().unwrap());
    if seen >= last {
        return with_head("HTTP/1.1 204 No Content\r\n").finish();
    }
    let padding = "x".repeat(length);
    (seen + 1..=last).fold(with_head(head), |reply, number| {
        reply
            .send(format!(
                "id: {number}\ndata: {{\"n\": {number}, \"text\": \"{padding}\"}}\n\n"
            ))
            .wait(if number <= seen + 1 { 1200 } else { 300 })
    })
}

/// The doctor before nginx before that server.
fn look(settings: &str, last: usize, length: usize, wait: &str) -> Report {
    let server = Server::start(move |request| match last {
        0 => naive(request, 1000, length),
        last => naive(request, last, length).finish(),
    });
    let nginx = Nginx::before(&server.url, settings);
    doctor(&nginx.url, &["--wait", wait])
}

const GZIP: &str = "gzip on; gzip_types text/event-stream; gzip_min_length 0;";
const OPEN: &str = "proxy_buffering off; proxy_http_version 1.1;";

fn by_default() {
    look("", 5, 10, "6s").is(&["buffered"]);
}

fn endless() {
    look("", 0, 10, "3s").is(&["no-head"]);
}

fn endless_and_large() {
    let report = look("", 0, 2100, "7s");
    let what = report.json["findings"][0]["what"].as_str().unwrap();
    assert!(what.contains("in the midst of a line"), "{:#}", report.json);
    report.is(&["buffered"]);
}

fn gzip_and_buffer() {
    look(GZIP, 5, 10, "6s").is(&["compression-delays"]);
}

fn gzip_alone() {
    let report = look(&format!("{GZIP}{OPEN}"), 0, 10, "4s");
    report.is(&[]);
    report.has(&["compression", "resume"]);
}

fn no_buffer() {
    let report = look(OPEN, 0, 10, "4s");
    report.is(&[]);
    report.has(&["resume", "ids", "flow"]);
}

fn read_timeout() {
    let server = Server::start(|_| {
        with_head("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n")
    });
    let nginx = Nginx::before(&server.url, &format!("{OPEN} proxy_read_timeout 3s;"));
    let report = doctor(&nginx.url, &["--wait", "8s"]);
    report.is(&["idle-cut"]);
    let what = report.json["findings"][0]["what"].as_str().unwrap();
    assert!(what.contains("after 3."), "{what}");
}

/// As `docs/security.md` has it, without TLS.
fn tidewire() {
    let server = tidewire_with(&["--heartbeat", "1s"]);
    assert_eq!(server.publish(&["x", "-"], "one\ntwo\nthree\n").code, Some(0));
    let settings =
        "proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host $http_host;";
    let nginx = Nginx::before(&server.url, settings);
    let report = doctor(&format!("{}?last=3", nginx.url), &["--wait", "5s"]);
    report.is(&[]);
    report.has(&["heartbeat", "ids", "resume"]);
}

pub(crate) fn trials() -> Vec<Trial> {
    let is_missing = Command::new("nginx")
        .arg("-v")
        .stderr(Stdio::null())
        .status()
        .is_err();
    let trial = |name: &str, test: fn()| {
        let trial = Trial::test(name, move || {
            test();
            Ok(())
        });
        trial.with_ignored_flag(is_missing)
    };
    vec![
        trial("nginx_that_buffers_a_stream_that_ends_is_found", by_default),
        trial("nginx_that_buffers_small_events_is_found", endless),
        trial("nginx_that_buffers_large_events_is_found", endless_and_large),
        trial("nginx_that_buffers_and_packs_is_found", gzip_and_buffer),
        trial("nginx_that_packs_without_a_buffer_is_fine", gzip_alone),
        trial("nginx_without_a_buffer_is_fine", no_buffer),
        trial("nginx_that_cuts_what_is_quiet_is_found", read_timeout),
        trial("tidewire_behind_nginx_is_healthy", tidewire),
    ]
}
