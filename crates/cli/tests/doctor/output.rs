//! How the findings are printed, and how it exits.

use libtest_mimic::Trial;

use crate::faults::{Server, answer, event, stream, with_head};
use crate::support::process::tidewire;

fn text() {
    let server = Server::start(|_| stream().send("data: x\n\n"));
    let run = tidewire(["doctor", &server.url, "--wait", "1s"]).run();
    assert_eq!(
        (run.code, &*run.stderr),
        (Some(3), ""),
        "warnings, and no bar where there is no terminal"
    );
    for line in [
        "warning   None of 1 event has an id. [no-ids]",
        "          → the server: give each event an id of its own",
        "fine      status: 200",
        "200 by HTTP/1.1, head after ",
        "1 event, the first after ",
        "1 warning, 1 note",
    ] {
        assert!(run.stdout.contains(line), "{line:?} is missing:\n{}", run.stdout);
    }
}

fn errors() {
    let server = Server::start(|_| answer("404 Not Found", "nothing here"));
    let run = tidewire(["doctor", &server.url]).run();
    assert_eq!(run.code, Some(1));
    assert!(run.stdout.contains("It says “nothing here”."), "{}", run.stdout);
    drop(server);
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let run = tidewire(["doctor", &url]).run();
    assert_eq!(run.code, Some(1));
    assert!(run.stdout.contains("[unreachable]"), "{}", run.stdout);
}

fn secrets() {
    let server = Server::start(|request| match request.target.starts_with("/old") {
        true => with_head("HTTP/1.1 302 Found\r\nLocation: /new?code=hush#hush\r\n").finish(),
        false => stream().send("data: x\n\n"),
    });
    let url = format!("{}/old?session=hush", server.url).replace("http://", "http://u:hush@");
    for args in [&["--wait", "1s"][..], &["--wait", "1s", "--json"]] {
        let run = tidewire([&["doctor", &url][..], args].concat()).run();
        assert!(
            !run.stdout.contains("hush") && run.stdout.contains("/new?code=***"),
            "{run:?}"
        );
        let run = tidewire([&["doctor", &url, "--keep-secrets"][..], args].concat()).run();
        assert!(
            run.stdout.contains("?session=hush") && run.stdout.contains("/new?code=hush"),
            "{run:?}"
        );
    }
}

fn usage() {
    for (args, text) in [
        (&["doctor"][..], "<URL>"),
        (&["doctor", "ftp://h"], "give an http or https URL"),
        (
            &["doctor", "http://h", "-H", "nothing"],
            "give it as `Name: value`",
        ),
        (
            &["doctor", "http://h", "--origin", "https://a/b"],
            "an origin has no path",
        ),
        (&["doctor", "http://h", "--wait", "0s"], "is out of bounds"),
    ] {
        let run = tidewire(args).run();
        assert_eq!(run.code, Some(2), "{args:?}");
        assert!(run.stderr.contains(text), "{args:?}: {}", run.stderr);
    }
}

/// It asks as a browser does, and shows the headers of its user to the server, but to nobody else.
fn asks() {
    let server = Server::start(|request| {
        assert_eq!(request.header("accept"), Some("text/event-stream"));
        assert_eq!(
            request.header("cache-control"),
            Some("max-age=0"),
            "its user's header goes first"
        );
        assert_eq!(request.headers("x-tag"), ["a", "b"]);
        match (
            request.method.as_str(),
            request.header("authorization"),
            request.header("content-type"),
        ) {
            ("POST", Some("Bearer geheim"), Some("application/json")) => stream().send(event(1)),
            _ => answer("400 Bad Request", "no"),
        }
    });
    let args = [
        "doctor",
        &server.url,
        "--wait",
        "1s",
        "-d",
        "{}",
        "-H",
        "authorization: Bearer geheim",
        "-H",
        "x-tag: a",
        "-H",
        "X-Tag: b",
        "-H",
        "cache-control: max-age=0",
    ];
    let run = tidewire(args).run();
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(!run.stdout.contains("geheim"));
}

#[cfg(unix)]
fn terminal() {
    let server = Server::start(|_| {
        stream().send("event: \u{1b}[2J\u{202e}\nid: \u{1b}]0;x\u{7}\u{2066}\ndata: \u{9b}\n\n")
    });
    let run = tidewire(["doctor", &server.url, "--wait", "1s"]).run_on_terminal();
    let naked = run.stdout.replace("\u{1b}[0m", "");
    assert!(naked.contains("\u{1b}[36mnote"), "colours: {naked:?}");
    assert!(
        !naked.contains("\u{1b}[2J")
            && !naked.contains("\u{1b}]")
            && !naked.contains(['\u{7}', '\u{9b}', '\u{202e}', '\u{2066}']),
        "{naked:?}"
    );
    let run = tidewire(["doctor", &server.url, "--wait", "1s", "--json"]).run_on_terminal();
    let control = |c: char| c.is_control() && c != '\r' && c != '\n' || "\u{202e}\u{2066}".contains(c);
    assert!(!run.stdout.contains(control), "{:?}", run.stdout);
}

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, test: fn()| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    vec![
        trial("text_says_what_is_wrong_and_how_to_mend_it", text),
        trial("errors_and_no_answer_are_exit_code_1", errors),
        trial("urls_are_printed_without_secrets_unless_asked", secrets),
        trial("a_wrong_command_line_is_exit_code_2", usage),
        trial("it_asks_as_a_browser_does", asks),
        #[cfg(unix)]
        trial("a_terminal_gets_colours_and_no_control_characters", terminal),
    ]
}
