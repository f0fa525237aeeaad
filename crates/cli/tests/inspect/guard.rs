//! Who may talk to the tap and to its page, and where they may be.

use super::http::{ask, get};
use super::support::process::tidewire;
use super::tap::Tap;
use super::upstream::Upstream;

const FINE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn a_name_that_was_pointed_at_this_machine_is_refused() {
    let upstream = Upstream::answering(FINE.to_vec());
    let tap = Tap::of(&upstream.url());
    for (address, target) in [(tap.address, "/"), (tap.page, "/"), (tap.page, "/api/feed")] {
        for host in ["evil.example", "127.0.0.1.evil.example:8421", "10.0.0.1"] {
            let answer = ask(
                address,
                format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes(),
            );
            assert_eq!(answer.status, "HTTP/1.1 421 Misdirected Request", "{host}");
            assert!(answer.text().contains("only for localhost"), "{}", answer.text());
        }
        let absolute = format!("GET http://evil.example{target} HTTP/1.1\r\nHost: evil.example\r\n\r\n");
        assert_eq!(
            ask(address, absolute.as_bytes()).status,
            "HTTP/1.1 421 Misdirected Request"
        );
    }
    for host in ["localhost:1", "[::1]", "127.0.0.1"] {
        let answer = ask(
            tap.address,
            format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes(),
        );
        assert_eq!(answer.text(), "ok", "{host}");
    }
}

#[test]
fn what_pages_of_other_origins_may_is_the_upstreams_to_say() {
    let upstream = Upstream::answering(FINE.to_vec());
    let tap = Tap::of(&upstream.url());
    let post = |host: &str, origin: &str| {
        let text =
            format!("POST /a HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(ask(tap.address, text.as_bytes()).text(), "ok");
        upstream.next().header("origin").unwrap().to_owned()
    };
    let tap_host = tap.address.to_string();
    assert_eq!(post(&tap_host, "https://app.example"), "https://app.example");
    assert_eq!(post(&tap_host, "null"), "null");
    // A page that came through the tap is one of the upstream's.
    assert_eq!(post(&tap_host, &format!("http://{tap_host}")), upstream.url());
}

#[test]
fn pages_of_other_origins_get_nothing_of_the_page() {
    let upstream = Upstream::answering(FINE.to_vec());
    let tap = Tap::of(&upstream.url());
    let foreign = |method: &str, target: &str| {
        let text = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nOrigin: https://evil.example\r\nContent-Length: 0\r\n\r\n",
            tap.page
        );
        ask(tap.page, text.as_bytes())
    };
    assert_eq!(
        foreign("POST", "/api/streams/1/recording").status,
        "HTTP/1.1 403 Forbidden"
    );
    let read = foreign("GET", "/api/about");
    assert_eq!(
        read.header("access-control-allow-origin"),
        None,
        "the browser does not show it"
    );
    assert_eq!(
        get(tap.page, "/api/streams/1/recording").status,
        "HTTP/1.1 404 Not Found"
    );
    assert_eq!(
        get(tap.page, "/api/streams/x/recording").status,
        "HTTP/1.1 400 Bad Request"
    );
    let page = get(tap.page, "/");
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self'") && policy.contains("trusted-types"),
        "{policy}"
    );
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
}

#[test]
fn only_loopback_is_listened_on() {
    for flag in ["--listen", "--page"] {
        for address in [
            "0.0.0.0:8421",
            "192.0.2.1:8421",
            "[::]:8421",
            "[2001:db8::1]:8421",
        ] {
            let run = tidewire(["inspect", "--upstream", "http://127.0.0.1:1", flag, address]).run();
            assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{}", run.stderr);
            for text in [address, "other machines could reach", "127.0.0.1:8421"] {
                assert!(run.stderr.contains(text), "{text:?} is missing: {}", run.stderr);
            }
        }
    }
}

#[test]
fn what_cannot_be_is_told() {
    for (args, code, text) in [
        (vec![], 2, "--upstream"),
        (
            vec!["--upstream", "http://127.0.0.1:1/api"],
            2,
            "the path comes from each request",
        ),
        (vec!["--upstream", "127.0.0.1:1"], 2, "give for example"),
        (
            vec!["--upstream", "http://h", "--keep-bytes", "0"],
            2,
            "no size with a unit",
        ),
        (
            vec!["--upstream", "http://h", "--listen", "nowhere"],
            2,
            "is no address",
        ),
    ] {
        let run = tidewire([&["inspect"][..], &args].concat()).run();
        assert_eq!(run.code, Some(code), "{args:?} {}", run.stderr);
        assert!(run.stderr.contains(text), "{args:?} {}", run.stderr);
    }
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    for (listen, page, flag) in [
        (&*taken, "127.0.0.1:0", "--listen"),
        ("127.0.0.1:0", &*taken, "--page"),
    ] {
        let run = tidewire([
            "inspect",
            "--upstream",
            "http://127.0.0.1:1",
            "--listen",
            listen,
            "--page",
            page,
        ])
        .run();
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        assert!(
            run.stderr.contains("is another program there?") && run.stderr.contains(flag),
            "{}",
            run.stderr
        );
    }
    drop(holder);
    let url = format!("http://{taken}");
    let run = tidewire([
        "inspect",
        "--upstream",
        &url,
        "--listen",
        &taken,
        "--page",
        "127.0.0.1:0",
    ])
    .run();
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("is the tap itself"), "{}", run.stderr);
}
