//! More connections than there may be.

use std::{io::Write as _, net::TcpStream, process::Command};

use crate::{
    binary::Server,
    client::{Client, Response, eventually, request},
    support::process::command,
};

const ALL: &str = "TIDEWIRE_LIMITS_MAX_CONNECTIONS";
const PER_ADDRESS: &str = "TIDEWIRE_LIMITS_MAX_CONNECTIONS_PER_ADDRESS";

#[track_caller]
fn assert_full(response: &Response, status: u16, code: &str, setting: &str) {
    assert_eq!(response.status(), status, "{response:?}");
    assert_eq!(response.head.get("retry-after"), Some("5"));
    assert_eq!(response.head.get("connection"), Some("close"));
    assert_eq!(
        response.head.get("content-type"),
        Some("application/problem+json")
    );
    let said = response.json();
    assert_eq!(said["code"], code);
    assert!(said["detail"].as_str().unwrap().contains(setting), "{said}");
}

#[test]
fn one_connection_too_many_is_told_so_and_closed() {
    for (settings, status, code, setting) in [
        (
            [(ALL, "2")],
            503,
            "too_many_connections",
            "limits.max_connections",
        ),
        (
            [(PER_ADDRESS, "2")],
            429,
            "too_many_connections_from_address",
            "limits.max_connections_per_address",
        ),
    ] {
        let server = Server::with(&settings);
        let mut first = server.get("/events/a", &[]);
        let second = server.get("/events/a", &[]);
        for _ in 0..3 {
            let mut client = server.connect();
            assert_full(
                &client.ask(request("GET", "/healthz", &[], "")),
                status,
                code,
                setting,
            );
            assert_eq!(client.rest(), "", "it is closed");
            let large = "x".repeat(1 << 20);
            let response = server.ask("POST", "/events/a", &[], &large);
            assert_full(&response, status, code, setting);
        }
        // Who goes makes room, and who is there notices nothing.
        drop(second);
        eventually(|| server.ask("GET", "/healthz", &[], "").status() == 200);
        eventually(|| server.ask("POST", "/events/a", &[], "on").status() == 200);
        assert_eq!(first.data(), "on");
    }
}

#[test]
fn an_address_reads_so_many_unknown_topics_at_a_time_without_a_token() {
    let max = ("TIDEWIRE_LIMITS_MAX_UNKNOWN_TOPICS_PER_ADDRESS", "3");
    let server = Server::with(&[max]);
    server.post("/events/known", "1");

    let two = server.get("/events?topic=a&topic=b", &[]);
    let refused = server.ask("GET", "/events?topic=c&topic=known&topic=d", &[], "");
    assert_eq!(refused.status(), 429, "{refused:?}");
    assert_eq!(refused.head.get("retry-after"), Some("5"));
    let said = refused.json();
    assert_eq!(said["code"], "too_many_unknown_topics");
    let detail = said["detail"].as_str().unwrap();
    assert!(
        detail.contains("limits.max_unknown_topics_per_address"),
        "{detail}"
    );
    let _third = server.get("/events/c", &[]);
    assert_eq!(server.ask("GET", "/events/d", &[], "").status(), 429);
    let _known = server.get("/events?topic=known", &[]);
    // The end of a stream makes room.
    drop(two);
    eventually(|| {
        let mut client = server.connect();
        client.send(request("GET", "/events?topic=d&topic=e", &[], ""));
        client.reader().head.status == 200
    });

    let server = Server::with(&[max, ("TIDEWIRE_READ_TOKEN", "can-read")]);
    let token = [("Authorization", "Bearer can-read")];
    let _many = server.get("/events?topic=a&topic=b&topic=c&topic=d", &token);
}

#[test]
fn who_is_refused_and_says_nothing_is_closed_and_holds_no_drain() {
    let server = Server::with(&[(ALL, "1")]);
    let reader = server.get("/events/a", &[]);
    let silent: Vec<Client> = (0..300).map(|_| server.connect()).collect();
    server.signal(rustix::process::Signal::TERM);
    drop(reader.rest());
    for client in silent {
        assert_eq!(client.rest(), "");
    }
    assert_eq!(server.ended().0, Some(0));
}

#[test]
fn the_limit_on_open_files_is_raised_as_far_as_it_goes() {
    // The shell sets the limits, which the server then has; no machine has the address (RFC 5737).
    let run = |limits: &str, connections: &str| {
        let script = format!("ulimit {limits} && exec \"$0\" \"$@\"");
        let args = [
            "--listen",
            "192.0.2.1:1",
            "--publish-token",
            "0f6ad0b7a8c5d2e1",
            "--public-read",
            "--memory",
        ];
        let output = Command::new("sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_tidewire")])
            .args(args)
            .args(["--max-connections", connections])
            .output()
            .unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    let raised = run("-Sn 80", "500");
    assert!(
        raised.contains("cannot listen on") && !raised.contains("open files"),
        "{raised}"
    );
    let none = run("-n 40", "500");
    assert!(
        none.contains("allows 40 open files") && none.contains("needs 128"),
        "{none}"
    );
    let low = run("-n 300", "500");
    assert!(
        low.contains("allows 300 open files") && low.contains("LimitNOFILE"),
        "{low}"
    );
    let fits = run("-n 300", "150");
    assert!(!fits.contains("open files"), "{fits}");
}

#[test]
fn a_page_that_may_reads_why_its_connection_is_refused_and_when_to_come_again() {
    let page = ("Origin", "https://app.example");
    for (name, status) in [(ALL, 503), (PER_ADDRESS, 429)] {
        let server = Server::with(&[(name, "1"), ("TIDEWIRE_CORS_ORIGINS", "https://app.example")]);
        let _first = server.get("/events/a", &[]);
        let refused = server.ask("GET", "/events/a", &[page], "");
        assert_eq!(refused.status(), status);
        assert_eq!(refused.head.get("access-control-allow-origin"), Some(page.1));
        let exposed = refused.head.get("access-control-expose-headers").unwrap();
        assert!(exposed.contains("Retry-After"), "{exposed}");
        assert_eq!(refused.head.get("retry-after"), Some("5"));
        // Of a request whose preflight is refused a page sees nothing.
        let asked = [page, ("Access-Control-Request-Method", "POST")];
        assert_eq!(server.ask("OPTIONS", "/events/a", &asked, "").status(), 204);
        for stranger in [&[][..], &[("Origin", "https://evil.example")]] {
            let refused = server.ask("GET", "/events/a", stranger, "");
            assert_eq!(refused.status(), status);
            assert_eq!(refused.head.get("access-control-allow-origin"), None);
        }
    }
}

#[test]
fn one_address_leaves_connections_where_open_files_are_few() {
    let script = "ulimit -n 300 && exec \"$0\" serve --listen 127.0.0.1:0 --memory";
    let mut command = command("sh", ["-c", script, env!("CARGO_BIN_EXE_tidewire")]);
    command = command.env(PER_ADDRESS, "1000");
    let server = Server::of(command);
    let streams: Vec<TcpStream> = (0..200)
        .map(|_| TcpStream::connect(server.address).unwrap())
        .collect();
    // Those over the bound are told so, which is not what those hear that are too many in all.
    let refused = server.ask("GET", "/events/a", &[], "");
    assert_eq!(refused.status(), 429, "{refused:?}");
    drop(streams);
    eventually(|| server.ask("GET", "/healthz", &[], "").status() == 200);
}

#[test]
fn readers_that_take_every_descriptor_do_not_stop_the_log() {
    let home = tempfile::tempdir().unwrap();
    let script =
        "ulimit -n 300 && exec \"$0\" serve --listen 127.0.0.1:0 --data data --archive-max-bytes 8MiB";
    let server =
        Server::of(command("sh", ["-c", script, env!("CARGO_BIN_EXE_tidewire")]).within(home.path()));
    let mut publisher = server.connect();
    let publish = |publisher: &mut Client, body: &str| publisher.ask(request("POST", "/events/a", &[], body));
    assert_eq!(publish(&mut publisher, "first").status(), 200);
    // As many as there can be, and more.
    let readers: Vec<TcpStream> = (0..400)
        .map(|_| {
            let mut reader = TcpStream::connect(server.address).unwrap();
            // It may be closed already.
            let _ = reader.write_all(&request("GET", "/events/other", &[], ""));
            reader
        })
        .collect();
    let large = "x".repeat(500_000);
    // More than the archive holds: segments are sealed, snapshots written, and the oldest go.
    for number in 0..40 {
        let response = publish(&mut publisher, &large);
        assert_eq!(response.status(), 200, "publish {number}: {response:?}");
    }
    let ready = publisher.ask(request("GET", "/readyz", &[], ""));
    assert_eq!((ready.status(), &*ready.body), (200, "ready\n"));
    drop(readers);
}
