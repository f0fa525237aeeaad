//! A1 to A6, S5: the relay of the real server, in front of an upstream that does what the test says.

use std::thread::scope;

use rustix::process::Signal;
use serde_json::json;

use crate::{
    binary::Server,
    client::{Reader, eventually, request},
    observed::metrics,
    support::process::tidewire,
    upstream::{Call, Upstream},
};

const CHAT: &str = r#"{"id":"hush-chat","stream":true,"messages":[{"content":"hush-prompt"}]}"#;
pub const JSON: (&str, &str) = ("Content-Type", "application/json");

/// A server with these routes.
pub fn with_routes(routes: &str, settings: &[(&str, &str)]) -> Server {
    let mut home = tidewire(["serve", "--listen", "127.0.0.1:0"])
        .file("tidewire.toml", routes)
        .env("TIDEWIRE_MEMORY", "true");
    for (name, value) in settings {
        home = home.env(name, value);
    }
    Server::of(home)
}

pub fn ask(server: &Server, target: &str, headers: &[(&str, &str)]) -> Reader {
    let mut client = server.connect();
    client.send(request("POST", target, &[&[JSON], headers].concat(), CHAT));
    client.reader()
}

/// An answer that has begun, with who answers it.
pub fn begun(server: &Server, upstream: &Upstream, target: &str, headers: &[(&str, &str)]) -> (Reader, Call) {
    scope(|scope| {
        let asked = scope.spawn(|| ask(server, target, headers));
        let mut call = upstream.call();
        call.stream();
        call.event("hush-token");
        let mut reader = asked.join().unwrap();
        reader.until("data: hush-token\n\n");
        (reader, call)
    })
}

pub fn place(reader: &Reader) -> String {
    reader.head.get("tidewire-stream").unwrap().to_owned()
}

#[test]
fn one_flag_puts_the_server_in_front_of_an_upstream() {
    let upstream = Upstream::start();
    let url = format!("http://{}/v1", upstream.address);
    let home = tidewire(["serve", "--listen", "127.0.0.1:0", "--relay", &url]).env("TIDEWIRE_MEMORY", "true");
    let server = Server::of(home);
    let headers = [("Authorization", "Bearer theirs"), ("Idempotency-Key", "k")];
    let (mut reader, mut call) = begun(&server, &upstream, "/v1/chat/completions", &headers);
    assert!(call.head.starts_with("POST /v1/chat/completions "));
    assert_eq!(
        call.header("authorization"),
        Some("Bearer theirs"),
        "passed through"
    );
    let place = place(&reader);
    // Another reader, a twin, the end for all of them.
    let mut other = server.get(&place, &[]);
    other.until("data: hush-token\n\n");
    let mut twin = ask(&server, "/v1/chat/completions", &headers);
    twin.until("data: hush-token\n\n");
    call.event("[DONE]");
    call.end();
    for reader in [&mut reader, &mut other, &mut twin] {
        reader.until("data: [DONE]\n\n");
    }
    reader.finished();

    let (stopped, mut call) = begun(&server, &upstream, "/v1/chat/completions", &[]);
    let stop = stopped.head.get("tidewire-stream").unwrap();
    assert_eq!(server.ask("DELETE", stop, &[], "").status(), 204);
    call.gone();
    assert!(stopped.rest().0.contains("\"code\":\"stopped\""));

    let found = metrics(&server);
    let of = |name: &str| found[&format!("tidewire_relay_{name}{{route=\"/v1\"}}")];
    assert_eq!(of("requests_total"), 3.0);
    assert_eq!(of("upstream_calls_total"), 2.0);
    assert_eq!(of("joined_total"), 1.0);
    assert_eq!(of("streams_total"), 2.0);
    assert_eq!(of("events_total"), 3.0);
    assert_eq!(of("event_bytes_total"), f64::from(2 * 10 + 6));
    assert_eq!(of("first_event_seconds_count"), 2.0);
    let ended = |reason: &str| {
        metrics(&server)[&format!("tidewire_relay_endings_total{{route=\"/v1\",reason=\"{reason}\"}}")]
    };
    eventually(|| ended("done") == 1.0 && ended("stopped") == 1.0);
    assert_eq!(
        (ended("abandoned"), ended("broken"), ended("interrupted")),
        (0.0, 0.0, 0.0)
    );
    eventually(|| metrics(&server)["tidewire_relay_readers{route=\"/v1\"}"] == 0.0);
    let found = metrics(&server);
    assert_eq!(found["tidewire_relay_duration_seconds_count{route=\"/v1\"}"], 2.0);
    assert!(found["tidewire_relay_duration_seconds_sum{route=\"/v1\"}"] > 0.0);
    let last = "tidewire_relay_duration_seconds_bucket{le=\"+Inf\",route=\"/v1\"}";
    assert_eq!(found[last], 2.0, "{found:?}");
    assert_eq!(found["tidewire_relay_running{route=\"/v1\"}"], 0.0);
    assert_eq!(found["tidewire_relay_answers"], 2.0);
    let stream = place.strip_prefix("/relay/").unwrap();
    assert!(found.keys().all(|name| !name.contains(stream)));

    let stats = server.ask("GET", "/stats", &[], "");
    assert!(!stats.body.contains(stream) && !stats.body.contains("hush"));
    let said = stats.json()["relay"].clone();
    assert_eq!((&said["running"], &said["kept"]), (&json!(0), &json!(2)));
    let route = &said["routes"][0];
    assert_eq!(
        (&route["route"], &route["calls_saved"]),
        (&json!("/v1"), &json!(1))
    );
    assert_eq!(route["endings"]["stopped"], 1);
    assert!(route["mean_s"]["first_event"].as_f64().unwrap() > 0.0);
    assert!(route["mean_s"]["duration"].as_f64() >= route["mean_s"]["first_event"].as_f64());
}

#[test]
fn a_route_with_our_key_wants_a_token_where_there_are_tokens_whatever_its_owner() {
    let upstream = Upstream::start();
    let address = upstream.address;
    let route = |path: &str, owner: &str| {
        format!(
            "[[relay]]\npath = \"{path}\"\nupstream = \"http://{address}/v1\"\nkey_env = \"UPSTREAM_KEY\"\n\
             allow = [\"POST /chat\", \"GET /models\"]\n{owner}\n"
        )
    };
    let routes = [
        route("/paid", ""),
        route("/owned", "owner = \"header:X-User\""),
        format!("[[relay]]\npath = \"/theirs\"\nupstream = \"http://{address}/v1\"\n"),
    ]
    .concat();
    let tokens = [
        ("UPSTREAM_KEY", "hush-ours"),
        ("TIDEWIRE_PUBLISH_TOKEN", "can-publish"),
        ("TIDEWIRE_READ_TOKEN", "can-read"),
    ];
    let server = with_routes(&routes, &tokens);
    let status = |method: &str, target: &str, headers: &[(&str, &str)]| {
        let mut client = server.connect();
        client.send(request(method, target, headers, ""));
        client.reader().head.status
    };
    for (method, target) in [
        ("POST", "/paid/chat"),
        ("GET", "/paid"),
        ("DELETE", "/paid/x/stream"),
        ("POST", "/paid/other"),
    ] {
        assert_eq!(status(method, target, &[]), 401, "{method} {target}");
        assert_eq!(status(method, target, &[("Authorization", "Bearer wrong")]), 401);
    }
    upstream.is_left_alone();
    for token in ["can-read", "can-publish"] {
        let bearer = format!("Bearer {token}");
        let (reader, call) = begun(&server, &upstream, "/paid/chat", &[("Authorization", &bearer)]);
        assert_eq!(call.header("authorization"), Some("Bearer hush-ours"));
        assert!(!call.head.contains(token));
        call.end();
        assert!(reader.rest().0.is_empty());
    }
    // In the query, too, it is not for the upstream.
    scope(|scope| {
        let target = "/paid/models?a=1&access_token=can-read";
        let models = scope.spawn(|| server.ask("GET", target, &[], ""));
        let call = upstream.call();
        assert!(call.head.starts_with("GET /v1/models?a=1 "), "{}", call.head);
        call.answer("200 OK", "", "[]");
        assert_eq!(models.join().unwrap().body, "[]");
    });
    let bearer = [("Authorization", "Bearer can-read")];
    assert_eq!(status("POST", "/paid/other", &bearer), 404, "not in the list");
    assert_eq!(status("GET", "/paid/chat", &bearer), 405);

    // An owner says whose an answer is, and not that anybody may ask.
    assert_eq!(status("POST", "/owned/chat", &[("X-User", "anna")]), 401);
    assert_eq!(status("POST", "/owned/chat", &bearer), 401, "nobody's");
    let anna = [("X-User", "anna"), ("Authorization", "Bearer can-read")];
    let (_reader, call) = begun(&server, &upstream, "/owned/chat", &anna);
    assert_eq!(call.header("authorization"), Some("Bearer hush-ours"));

    // The upstream's key beside a token of ours.
    let theirs = ("Authorization", "Bearer theirs");
    for (method, target) in [
        ("POST", "/theirs/chat"),
        ("DELETE", "/theirs/models/x"),
        ("TRACE", "/theirs"),
    ] {
        assert_eq!(status(method, target, &[theirs]), 401, "{method} {target}");
    }
    let ours = ("Tidewire-Token", "can-read");
    let (_reader, call) = begun(&server, &upstream, "/theirs/chat", &[theirs, ours]);
    assert_eq!(call.header("authorization"), Some("Bearer theirs"));
    assert!(!call.head.contains("can-read"), "{}", call.head);
}

#[test]
fn our_token_never_reaches_an_upstream_wherever_it_stands() {
    let upstream = Upstream::start();
    let route = |path: &str, more: &str| {
        format!(
            "[[relay]]\npath = \"{path}\"\nupstream = \"http://{}/v1\"\npass_cookies = true\n{more}\n",
            upstream.address
        )
    };
    let routes = [route("/ours", ""), route("/theirs", "auth = \"upstream\"")].concat();
    let server = with_routes(&routes, &[("TIDEWIRE_READ_TOKEN", "can-read")]);
    let bearer = ("Authorization", "Bearer can-read");
    for (target, headers) in [
        ("/models?a=1", &[bearer][..]),
        ("/models?a=1", &[("Tidewire-Token", "can-read")]),
        ("/models?access_token=can-read&a=1", &[]),
        ("/models?a=1&access%5Ftoken=can-read", &[]),
        (
            "/models?a=1",
            &[("Cookie", "tidewire_token=can-read; theme=dark")],
        ),
        (
            "/models?a=1",
            &[bearer, ("Cookie", "__Host-tidewire=can-read;theme=dark")],
        ),
        (
            "/models?a=1&%61ccess_token=can-read",
            &[("Tidewire-Token", "can-read"), bearer],
        ),
    ] {
        for route in ["/ours", "/theirs"] {
            scope(|scope| {
                let asked = scope.spawn(|| server.ask("GET", &format!("{route}{target}"), headers, ""));
                let call = upstream.call();
                assert!(call.head.starts_with("GET /v1/models?a=1 "), "{}", call.head);
                assert!(!call.head.contains("can-read"), "{}", call.head);
                let cookie = headers.iter().any(|(name, _)| *name == "Cookie");
                assert_eq!(call.header("cookie"), cookie.then_some("theme=dark"));
                call.answer("200 OK", "", "[]");
                assert_eq!(asked.join().unwrap().body, "[]");
            });
        }
    }
    // A route whose upstream checks its callers passes on what it does not know.
    scope(|scope| {
        let theirs = [("Authorization", "Bearer sk-theirs")];
        let asked = scope.spawn(move || server.ask("GET", "/theirs/models", &theirs, ""));
        let call = upstream.call();
        assert_eq!(call.header("authorization"), Some("Bearer sk-theirs"));
        call.answer("200 OK", "", "[]");
        asked.join().unwrap();
    });
}

#[test]
fn an_answer_that_a_token_opened_is_kept_by_no_shared_cache_and_takes_the_token_nowhere() {
    let upstream = Upstream::start();
    let route = |path: &str, more: &str| {
        format!(
            "[[relay]]\npath = \"{path}\"\nupstream = \"http://{}/v1\"\n{more}\n",
            upstream.address
        )
    };
    let routes = [route("/ours", ""), route("/theirs", "auth = \"upstream\"")].concat();
    let server = with_routes(&routes, &[("TIDEWIRE_READ_TOKEN", "can-read")]);
    let head = |target: &str, shown: (&str, &str), status: &str, answer: &str| {
        scope(|scope| {
            let asked = scope.spawn(|| server.ask("GET", target, &[shown], ""));
            upstream.call().answer(status, answer, "[]");
            asked.join().unwrap().head
        })
    };
    let bearer = ("Authorization", "Bearer can-read");
    let own = ("Tidewire-Token", "can-read");
    for (said, passed) in [
        ("", Some("private")),
        (
            "Cache-Control: public, max-age=9, s-maxage=9\r\n",
            Some("max-age=9, private"),
        ),
        (
            "Cache-Control: max-age=9\r\nCache-Control: private=\"x\"\r\n",
            Some("max-age=9, private=\"x\", private"),
        ),
        ("Cache-Control: no-store\r\n", Some("no-store")),
        (
            "Cache-Control: Private, max-age=9\r\n",
            Some("Private, max-age=9"),
        ),
    ] {
        for shown in [bearer, own, ("Cookie", "tidewire_token=can-read")] {
            let head = head("/ours/models", shown, "200 OK", said);
            assert_eq!(head.get("cache-control"), passed, "{shown:?}");
        }
    }
    let public = "Cache-Control: public\r\n";
    let head_of_theirs = head("/theirs/models", ("X-Own", "1"), "200 OK", public);
    assert_eq!(
        head_of_theirs.get("cache-control"),
        Some("public"),
        "no token opened it"
    );

    // Programs send our header again wherever a redirect leads; of `Authorization` they know better.
    for (to, stays) in [
        ("http://evil.example/", false),
        ("//evil.example/", false),
        ("/\t/evil.example/", false),
        ("/\\evil.example/", false),
        ("https:evil.example", false),
        ("/ours/other", true),
        ("other?x", true),
    ] {
        let location = format!("Location: {to}\r\n");
        for (shown, stays) in [(own, stays), (bearer, true)] {
            for route in ["/ours/models", "/theirs/models"] {
                let head = head(route, shown, "307 Temporary Redirect", &location);
                assert_eq!((head.status, head.get("location")), (307, stays.then_some(to)));
            }
        }
    }
    let here = "http://localhost/ours/other";
    let location = format!("Location: {here}\r\n");
    let head = head("/ours/models", own, "307 Temporary Redirect", &location);
    assert_eq!(head.get("location"), Some(here));
}

#[test]
fn what_a_stranger_says_of_forwarding_reaches_no_upstream_and_is_warned_of_once() {
    let upstream = Upstream::start();
    let settings = [
        ("TIDEWIRE_RELAY", &*format!("http://{}/v1", upstream.address)),
        ("TIDEWIRE_TRUSTED_PROXIES", "10.0.0.7, fd00::/8"),
    ];
    let server = Server::with(&settings);
    for header in [
        ("Forwarded", "for=hush-client"),
        ("X-Forwarded-For", "hush-client"),
        ("X-Forwarded-Anything", "hush-client"),
        ("X-Real-IP", "hush-client"),
    ] {
        let headers = [header];
        scope(|scope| {
            let asked = scope.spawn(|| server.ask("GET", "/v1/models", &headers, ""));
            let call = upstream.call();
            assert!(!call.head.contains("hush"), "{}", call.head);
            call.answer("200 OK", "", "[]");
            asked.join().unwrap();
        });
    }
    server.signal(Signal::TERM);
    let (_, log) = server.ended();
    assert_eq!(log.matches("which is no trusted proxy").count(), 1, "{log}");
    assert!(log.contains("127.0.0.1") && !log.contains("hush"), "{log}");
}

#[test]
fn the_log_has_no_name_of_an_answer_no_chat_no_key_and_no_word_of_it() {
    let upstream = Upstream::start();
    let routes = format!(
        "[[relay]]\npath = \"/v1\"\nupstream = \"http://{}/hush-base\"\nkey_env = \"UPSTREAM_KEY\"\n\
         allow = [\"POST /chat\"]\nowner = \"cookie:user\"\nchat_key = \"/id\"\nidle = \"1s\"\n",
        upstream.address
    );
    let server = with_routes(
        &routes,
        &[
            ("UPSTREAM_KEY", "hush-key"),
            ("TIDEWIRE_LOG", "trace"),
            ("TIDEWIRE_LOG_FORMAT", "json"),
        ],
    );
    let user = ("Cookie", "user=hush-user");
    let headers = [
        user,
        ("Idempotency-Key", "hush-idempotency"),
        ("X-User", "hush-other"),
    ];
    let (reader, call) = begun(&server, &upstream, "/v1/chat?q=hush-query", &headers);
    let place = place(&reader);
    let stream = place.strip_prefix("/relay/").unwrap();
    for (method, target) in [
        ("GET", &*place),
        ("GET", "/v1/hush-chat/stream"),
        ("GET", "/v1/hush-nothing/stream"),
        ("POST", "/v1/hush-path"),
        ("GET", "/relay/hush-no-name"),
    ] {
        let mut client = server.connect();
        client.send(request(method, target, &[user], ""));
        client.reader();
    }
    // It stalls.
    assert!(reader.rest().0.contains("upstream_stalled"));
    drop(call);
    // It breaks off, and cannot be reached.
    let (reader, call) = begun(&server, &upstream, "/v1/chat", &[user]);
    drop(call);
    reader.rest();
    let (reader, _call) = begun(&server, &upstream, "/v1/chat", &[user]);
    let stop = reader.head.get("tidewire-stream").unwrap();
    assert_eq!(server.ask("DELETE", stop, &[user], "").status(), 204);
    reader.rest();
    server.signal(Signal::TERM);
    let (code, log) = server.ended();
    assert_eq!(code, Some(0));
    assert!(log.contains("\"route\":\"/relay/{stream}\""), "{log}");
    assert!(log.contains("\"route\":\"/v1/{*rest}\""), "{log}");
    assert!(
        log.contains("upstream_stalled") && log.contains("upstream_died"),
        "{log}"
    );
    assert!(!log.contains(stream), "{log}");
    assert!(!log.to_lowercase().contains("hush"), "{log}");
}

#[test]
fn a_drain_tells_readers_to_come_again_and_takes_no_cut_for_an_end() {
    let upstream = Upstream::start();
    let url = format!("http://{}/v1", upstream.address);
    let server = Server::with(&[("TIDEWIRE_RELAY", &url), ("TIDEWIRE_TIMEOUTS_DRAIN", "1s")]);
    let (reader, mut call) = begun(&server, &upstream, "/v1/chat", &[]);
    let mut other = server.get(&place(&reader), &[]);
    other.until("data: hush-token\n\n");
    server.signal(Signal::TERM);
    call.gone();
    let (text, end) = reader.rest();
    assert_eq!((&*text, end), ("", crate::client::End::Cut));
    let (text, end) = other.rest();
    assert!(
        text.starts_with("retry: ") && end == crate::client::End::Cut,
        "{text}"
    );
    assert_eq!(server.ended().0, Some(0));
}
