//! What is said of routes of the relay that cannot be; and that those of `docs/relay.md` can be.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]
#![allow(unreachable_pub, reason = "nobody can reach into a test anyway")]

mod support;

use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
};

use support::{
    process::{Run, tidewire},
    serve::Serve,
};

const GOOD: &str = "path = \"/v1\"\nupstream = \"http://127.0.0.1:1/v1\"\n";

/// Both who checks the file and who starts with it are told, with 2.
#[track_caller]
fn is_refused(file: &str, texts: &[&str]) {
    for args in [
        &["config", "--check", "tidewire.toml"][..],
        &["serve", "--listen", "127.0.0.1:0"],
    ] {
        let run = tidewire(args).file("tidewire.toml", file).run();
        said(&run, file, texts);
    }
}

#[track_caller]
fn said(run: &Run, file: &str, texts: &[&str]) {
    assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{file}\n{}", run.stderr);
    for text in texts {
        assert!(
            run.stderr.contains(text),
            "{text:?} is missing:\n{file}\n{}",
            run.stderr
        );
    }
    assert!(
        !run.stderr.contains("hush") && !run.stderr.contains("panicked"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_route_that_is_right_is_fine() {
    let file = format!("[[relay]]\n{GOOD}");
    let run = tidewire(["config", "--check", "tidewire.toml"])
        .file("tidewire.toml", &file)
        .run();
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
}

#[test]
fn each_route_that_cannot_be_is_refused_with_what_to_write_instead() {
    let keyed = "key_env = \"TEST_KEY\"\nallow = [\"POST /chat\"]\n";
    for (settings, texts) in [
        (
            "owner = \"anna\"",
            &["\"anna\" is no owner", "\"header:NAME\""][..],
        ),
        ("owner = \"header:\"", &["is no name of a header"]),
        ("owner = \"cookie:\"", &["is no owner"]),
        ("owner = \"cookie: sid\"", &["is no name of a cookie"]),
        ("owner = \"cookie:a=b\"", &["is no name of a cookie"]),
        ("owner = \"header:X User\"", &["is no name of a header"]),
        ("chat_key = \"/id\"", &["/v1", "chat keys need an owner"]),
        (
            "chat_key = \"/id\"\nowner = \"cookie:user\"\nresume = \"off\"",
            &["/v1", "chat_key finds answers that the relay keeps", "resume"],
        ),
        (
            "chat_key = \"/id\"\nowner = \"cookie:user\"\ndialect = \"langgraph\"",
            &["/v1", "chat_key finds answers that the relay keeps", "dialect"],
        ),
        (
            "chat_key = \"id\"\nowner = \"cookie:user\"",
            &["chat_key is a JSON pointer"],
        ),
        (
            "allow = [\"post /chat\"]",
            &["\"post /chat\" is no method and path", "POST /chat/completions"],
        ),
        ("allow = [\"POST chat\"]", &["is no method and path"]),
        ("allow = [\"\"]", &["is no method and path"]),
        ("on_disconnect = \"grace\"", &["is no policy", "grace(30s)"]),
        ("on_disconnect = \"grace(soon)\"", &["is no policy"]),
        ("key_env = \"TEST_KEY\"", &["/v1", "allow ="]),
        (
            "key_header = \"x-api-key\"",
            &["key_header is there and key_env is not"],
        ),
        (
            "set_headers = { Authorization = \"Bearer hush\" }",
            &["set_headers", "key_env"],
        ),
        (
            "set_headers = { X-Goog-Api-Key = \"hush\" }",
            &["set_headers has x-goog-api-key", "key_env"],
        ),
        ("set_headers = { Cookie = \"hush\" }", &["set_headers has cookie"]),
        (
            "set_headers = { X-House = \"hush\" }\ncredential_headers = [\"X-House\"]",
            &["set_headers has x-house"],
        ),
        (
            "set_headers = { Content-Length = \"5\" }",
            &["content-length is written for each connection", "set_headers"],
        ),
        (
            "set_headers = { Transfer-Encoding = \"chunked\" }",
            &["transfer-encoding is written for each connection"],
        ),
        (
            "key_env = \"TEST_KEY\"\nallow = [\"POST /chat\"]\nkey_header = \"Content-Length\"",
            &["content-length is written for each connection", "key_header"],
        ),
        ("credential_headers = [\"X House\"]", &["is no name of a header"]),
        ("auth = \"nobody\"", &["\"nobody\" is nobody who", "\"upstream\""]),
        (
            "auth = \"upstream\"\nkey_env = \"TEST_KEY\"\nallow = [\"POST /chat\"]",
            &["/v1", "auth = \"upstream\"", "key_env"],
        ),
        (
            "allow = [\"TRACE /chat\"]",
            &["the method TRACE", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"],
        ),
        (
            "owner = \"cookie:tidewire_token\"",
            &["the cookie tidewire_token carries a token of the server"],
        ),
        ("content = \"html\"", &["\"html\" is no content", "\"app\""]),
        (
            "dialect = \"openai\"",
            &["\"openai\" is no dialect", "openai-chat, openai-responses"],
        ),
        ("resume = \"me\"", &["\"me\" is nobody who", "\"upstream\""]),
        ("keep = \"never\"", &["keep"]),
        ("colour = \"red\"", &["colour"]),
    ] {
        is_refused(&format!("[[relay]]\n{GOOD}{settings}\n"), texts);
    }
    // Which cookies carry a token is a setting.
    let cookies = "access.cookies = [\"sid\"]\n";
    is_refused(
        &format!("{cookies}[[relay]]\n{GOOD}owner = \"cookie:sid\"\n"),
        &["the cookie sid carries a token of the server"],
    );
    let run = tidewire(["config", "--check", "tidewire.toml"])
        .file(
            "tidewire.toml",
            &format!("{cookies}[[relay]]\n{GOOD}owner = \"cookie:tidewire_token\"\n"),
        )
        .run();
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    // The key itself is looked for when the server starts.
    let file = format!("[[relay]]\n{GOOD}{keyed}");
    for (value, texts) in [
        (None, &["/v1", "TEST_KEY"][..]),
        (Some(" "), &["/v1", "TEST_KEY"]),
        (Some("hush\nhush"), &["/v1", "TEST_KEY", "no header can carry"]),
    ] {
        let mut serve =
            tidewire(["serve", "--listen", "127.0.0.1:0", "--memory"]).file("tidewire.toml", &file);
        if let Some(value) = value {
            serve = serve.env("TEST_KEY", value);
        }
        said(&serve.run(), &file, texts);
    }
}

#[test]
fn paths_that_are_taken_or_stand_twice_are_refused() {
    for (path, texts) in [
        ("/events", &["/events is the server's own"][..]),
        ("/relay/x", &["/relay is the server's own"]),
        ("/metrics", &["/metrics is the server's own"]),
        ("/demo/v1", &["/demo is the server's own"]),
        ("/chat", &["/chat is the server's own"]),
        ("v1", &["must begin with /"]),
        ("/", &["must have a name"]),
        ("/v1/", &["no slash at its end"]),
        ("/v1/{x}", &["single slashes"]),
        ("/v1/../x", &["single slashes"]),
        ("/a//b", &["single slashes"]),
    ] {
        let file = format!("[[relay]]\npath = \"{path}\"\nupstream = \"http://127.0.0.1:1\"\n");
        is_refused(&file, texts);
    }
    is_refused(&format!("[[relay]]\n{GOOD}[[relay]]\n{GOOD}"), &["/v1 twice"]);
}

#[test]
fn addresses_that_cannot_be_upstreams_are_refused_without_their_passwords() {
    for (upstream, text) in [
        ("ftp://127.0.0.1/v1", "must be an http or https address"),
        ("127.0.0.1/v1", "https://api.openai.com/v1"),
        ("http://127.0.0.1/v1?key=hush", "must have no ? and no #"),
        ("http://anna:hush@127.0.0.1/v1", "no name and no password"),
        ("http://hush@127.0.0.1/v1", "no name and no password"),
        ("http://127.0.0.1:x/v1", "https://api.openai.com/v1"),
    ] {
        is_refused(
            &format!("[[relay]]\npath = \"/v1\"\nupstream = \"{upstream}\"\n"),
            &[text],
        );
        let serve = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--memory",
            "--relay",
            upstream,
        ];
        let run = tidewire(serve).run();
        assert_eq!(
            (run.code, &*run.stdout),
            (Some(2), ""),
            "{upstream}: {}",
            run.stderr
        );
        assert!(run.stderr.contains("--relay"), "{}", run.stderr);
    }
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn document() -> String {
    fs::read_to_string(root().join("docs/relay.md")).unwrap()
}

#[test]
fn what_the_document_writes_into_tidewire_toml_is_right() {
    let document = document();
    let snippets: Vec<&str> = document
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert!(snippets.len() >= 2);
    for snippet in snippets {
        let run = tidewire(["config", "--check", "tidewire.toml"])
            .env("OPENAI_API_KEY", "key")
            .file("tidewire.toml", snippet)
            .run();
        assert_eq!((run.code, &*run.stderr), (Some(0), ""), "{snippet}");
    }
}

#[test]
fn every_upstream_in_the_document_can_be_relayed_to() {
    let document = document();
    let urls = document.split("--relay ").skip(1).filter_map(|rest| {
        let url = rest.split([' ', '`', '\n']).next()?;
        url.starts_with("http").then_some(url)
    });
    let urls: BTreeSet<&str> = urls.collect();
    assert!(urls.len() >= 5, "{urls:?}");
    for url in urls {
        let server = Serve::start_with(&["serve", "--listen", "127.0.0.1:0", "--relay", url, "--log", "off"]);
        // Where official clients look, which the document says of all of them.
        let mut socket = TcpStream::connect(server.address()).unwrap();
        socket
            .write_all(b"GET /stats HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut stats = String::new();
        socket.read_to_string(&mut stats).unwrap();
        assert!(stats.contains("\"route\":\"/v1\""), "{url}: {stats}");
    }
}

#[test]
fn the_settings_in_the_document_are_those_that_there_are() {
    let run = tidewire(["config", "--check", "tidewire.toml"])
        .file("tidewire.toml", &format!("[[relay]]\n{GOOD}nothing = 1\n"))
        .run();
    let known = run.stderr.split("expected one of").nth(1).unwrap();
    let known: BTreeSet<&str> = known.split('`').skip(1).step_by(2).collect();
    let document = document();
    let table = document.split("| setting | default | |").nth(1).unwrap();
    let table = table.split("\n\n").next().unwrap();
    let first = |row: &str| row.split('|').nth(1).unwrap_or_default().to_owned();
    let cells: Vec<String> = table.lines().map(first).collect();
    let named: BTreeSet<&str> = cells
        .iter()
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    assert_eq!(named, known);
}

#[test]
fn every_test_that_the_document_names_is_there() {
    let mut sources = String::new();
    for folder in [
        "crates/relay/tests/http",
        "crates/relay/src",
        "crates/relay/src/dialect",
        "crates/cli/tests",
        "crates/cli/tests/serve_http",
    ] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "rs") {
                sources += &fs::read_to_string(path).unwrap();
            }
        }
    }
    let document = document();
    let comments = document.split("<!-- tested").skip(1);
    let names: Vec<&str> = comments
        .filter_map(|rest| rest.split_once(':')?.1.split("-->").next())
        .flat_map(|names| names.split([',', '|', '\n']))
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect();
    assert!(names.len() > 40);
    for name in names {
        let is_there = match name.strip_prefix("web/") {
            Some(_) => root().join(name).is_file(),
            None => sources.contains(&format!("fn {name}(")),
        };
        assert!(is_there, "{name}");
    }
}
