//! Tokens as settings, and an address that other machines can reach.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]
#![allow(unreachable_pub, reason = "nobody can reach into a test anyway")]

mod support;

use support::process::{Run, tidewire};

const LONG: &str = "0f6ad0b7a8c5d2e1";
/// No machine has this address (RFC 5737), so the server gets past its checks and then cannot listen.
const OPEN: &str = "192.0.2.1:8420";

#[track_caller]
fn assert_refused(run: &Run, texts: &[&str]) {
    assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{}", run.stderr);
    for text in texts {
        assert!(run.stderr.contains(text), "{text:?} is missing:\n{}", run.stderr);
    }
}

/// Past all checks.
#[track_caller]
fn assert_accepted(run: &Run) {
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("cannot listen on"), "{}", run.stderr);
}

#[test]
fn an_open_server_does_not_start_without_what_guards_it() {
    let publish = ["--publish-token", LONG];
    let read = ["--read-token", "a-read-token-of-length"];
    let host = ["--host", "tide.example"];
    for (args, missing) in [
        (vec![], &["a publish token", "a read token"][..]),
        (publish.to_vec(), &["a read token"]),
        (read.to_vec(), &["a publish token"]),
        (vec!["--public-read"], &["a publish token"]),
        (host.to_vec(), &["a publish token", "a read token"]),
    ] {
        for listen in [OPEN, "0.0.0.0:8420", "[::]:8420", "[2001:db8::1]:8420"] {
            let run = tidewire([&["--listen", listen], &*args].concat()).run();
            assert_refused(
                &run,
                &[
                    listen,
                    "can be reached from other machines",
                    "openssl",
                    "127.0.0.1:8420",
                ],
            );
            assert_refused(&run, missing);
            for present in ["a publish token", "a read token"] {
                let named = run.stderr.contains(present);
                assert_eq!(named, missing.contains(&present), "{args:?}\n{}", run.stderr);
            }
        }
    }
}

#[test]
fn an_open_server_on_all_addresses_needs_a_name() {
    for listen in ["0.0.0.0:8420", "[::]:8420"] {
        let run = tidewire(["--listen", listen, "--publish-token", LONG, "--public-read"]).run();
        assert_refused(&run, &["the name or address that clients use: --host NAME"]);
    }
}

#[test]
fn an_open_server_with_what_guards_it_starts() {
    let args = ["--listen", OPEN, "--publish-token", LONG];
    let public = tidewire([&args[..], &["--public-read"]].concat()).run();
    assert_accepted(&public);
    assert!(!public.stderr.contains("16 characters"), "{}", public.stderr);
    assert_accepted(&tidewire([&args[..], &["--read-token", "another-long-token"]].concat()).run());
    let environment = tidewire(["serve"])
        .env("TIDEWIRE_LISTEN", OPEN)
        .env(
            "TIDEWIRE_PUBLISH_TOKEN",
            "0f6ad0b7a8c5d2e1, the-next-one-0f6ad0b7",
        )
        .env("TIDEWIRE_PUBLIC_READ", "true");
    assert_accepted(&environment.run());
    let files = tidewire([
        "--listen",
        OPEN,
        "--publish-token-file",
        "publish",
        "--read-token-file",
        "read",
    ])
    .file(
        "publish",
        &format!("# ours\n\n  {LONG}\r\n# the next\nthe-next-one-0f6ad0b7\n"),
    )
    .file("read", "a-read-token-of-length");
    assert_accepted(&files.run());
}

#[test]
fn a_short_token_is_warned_of_where_others_can_try_it() {
    let short = ["--publish-token", "fifteen-letters", "--public-read"];
    let run = tidewire([&["--listen", OPEN][..], &short].concat()).run();
    assert_accepted(&run);
    assert!(run.stderr.contains("fewer than 16 characters"), "{}", run.stderr);
    assert!(!run.stderr.contains("fifteen-letters"), "{}", run.stderr);
}

#[test]
fn a_wrong_token_file_is_told_by_line_and_not_quoted() {
    for (text, texts) in [
        (
            "# none\n\n",
            &["publish_token_file: tokens has no token", "one a line"][..],
        ),
        ("", &["has no token"]),
        ("fine\n# so\nhush hush\n", &["tokens, line 3", "letters, digits"]),
    ] {
        let run = tidewire(["--publish-token-file", "tokens"])
            .file("tokens", text)
            .run();
        assert_refused(&run, texts);
        assert!(!run.stderr.contains("hush"), "{}", run.stderr);
    }
    let run = tidewire(["--read-token-file", "none"]).run();
    assert_refused(&run, &["read_token_file: cannot read none"]);
}

#[test]
fn a_token_file_of_an_editor_on_windows_is_read() {
    let serve = ["serve", "--memory", "--listen", OPEN, "--public-read"];
    let serve = [&serve[..], &["--publish-token-file", "tokens"]].concat();
    let marked = |text: &str| {
        let run = tidewire(&serve).file("tokens", text);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(run.path().join("tokens"), mode).unwrap();
        run.run()
    };
    assert_accepted(&marked(&format!("\u{feff}{LONG}\r\n")));
    assert_accepted(&marked(&format!("\u{feff}# for the newsroom\r\n{LONG}\r\n")));
    assert_refused(&marked("\u{feff}\r\n"), &["has no token"]);
}

#[test]
fn a_token_file_that_others_can_write_is_refused_and_one_that_they_can_read_is_warned_of() {
    let with_mode = |args: &[&str], mode| {
        let run = tidewire(args)
            .file("tokens", &format!("{LONG}\n"))
            .file("tidewire.toml", "publish_token_file = \"tokens\"\n");
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(run.path().join("tokens"), permissions).unwrap();
        run.run()
    };
    let serve = ["serve", "--memory", "--listen", OPEN, "--public-read"];
    let serve = [&serve[..], &["--publish-token-file", "tokens"]].concat();
    let check = ["config", "--check", "tidewire.toml"];
    for mode in [0o666, 0o602] {
        for args in [&serve[..], &check] {
            let why = format!("publish_token_file: tokens has mode {mode:04o}");
            assert_refused(&with_mode(args, mode), &[&why, "chmod 600"]);
        }
    }
    for (mode, others_can) in [
        (0o644, Some("read")),
        (0o660, Some("change")),
        (0o640, None),
        (0o600, None),
    ] {
        let run = with_mode(&serve, mode);
        assert_accepted(&run);
        let can = run.stderr.split_once("other users can ").map(|(_, rest)| rest);
        assert_eq!(can.and_then(|can| can.split(' ').next()), others_can, "{run:?}");
        assert_eq!(with_mode(&check, mode).code, Some(0));
    }
}

#[test]
fn tokens_that_contradict_each_other_are_refused() {
    let both = tidewire(["--publish-token", "same", "--read-token", "same"]).run();
    assert_refused(&both, &["a read token is a publish token too"]);
    let public = tidewire(["--public-read", "--read-token", "a"]).run();
    assert_refused(&public, &["public_read lets everybody read", "leave one"]);
}

#[test]
fn tokens_are_never_printed() {
    let effective = tidewire([
        "config",
        "--effective",
        "--publish-token",
        "hush-1",
        "--publish-token",
        "hush-2",
    ])
    .env("TIDEWIRE_READ_TOKEN", "hush-3");
    let run = effective.run();
    assert_eq!(run.code, Some(0));
    assert!(
        run.stdout.contains("publish_token = [\"***\", \"***\"]"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("read_token = [\"***\"]"), "{}", run.stdout);
    assert!(!run.stdout.contains("hush"), "{}", run.stdout);
    // What was printed is no token when it comes back.
    let again = tidewire(["config", "--check", "a.toml"])
        .file("a.toml", &run.stdout)
        .run();
    assert_refused(&again, &["publish_token: a token has other characters"]);

    for file in [
        "publish_token = [\"hush hush\"]",
        "publish_token = [\"hush\"",
        "publish_token = [\"hush]",
        "publish_token = \"hush",
        "publish_token = [\"hush\", 5]",
        "publish_token = [\n  \"hush\n]",
        "publish_token = \"hush\"\nhart = 1",
        "read_token = { a = \"hush\" }",
        "publish-token = \"hush\"",
        "publish_tokn = \"hush\"",
        "publishToken = \"hush\"",
        "PUBLISH_TOKEN = \"hush\"",
        "PUBLISH_TOKEN = \"hush",
        "publish = \"hush\"",
    ] {
        for args in [&["config", "--check", "tidewire.toml"][..], &["serve"]] {
            let run = tidewire(args).file("tidewire.toml", file).run();
            assert_refused(&run, &["error"]);
            assert!(!run.stderr.contains("hush"), "{file}\n{}", run.stderr);
        }
    }
    for run in [
        tidewire(["--publish-token", "hush hush"]).run(),
        tidewire(["serve"]).env("TIDEWIRE_READ_TOKEN", "hush hush").run(),
    ] {
        assert_refused(&run, &["a token has other characters"]);
        assert!(!run.stderr.contains("hush"), "{}", run.stderr);
    }
    for command in ["serve", "config", "pub", "tail"] {
        let help = tidewire([command, "--help"])
            .env("TIDEWIRE_TOKEN", "hush")
            .env("TIDEWIRE_READ_TOKEN", "hush");
        assert!(!help.run().stdout.contains("hush"), "{command}");
    }
}

#[test]
fn a_name_that_is_not_loopback_is_as_open_as_an_address_is() {
    for host in ["tide.example", "10.0.0.7", "[2001:db8::1]", "localhost.example"] {
        let run = tidewire(["--host", host]).run();
        let texts = [
            host,
            "(--host)",
            "can be reached from other machines",
            "a publish token",
        ];
        assert_refused(&run, &texts);
        assert_refused(&run, &["a read token", "openssl"]);
        let config = tidewire(["config", "--effective", "--host", host]).run();
        assert!(config.stdout.contains("demo = false"), "{}", config.stdout);
        assert!(
            !config.stdout.contains("max_connections_per_address"),
            "a proxy is one address"
        );
    }
    let names = ["localhost", "app.localhost", "127.0.0.2", "[::1]"];
    let names = names.iter().flat_map(|name| ["--host", name]);
    let config = tidewire(["config", "--effective"].into_iter().chain(names)).run();
    assert!(config.stdout.contains("demo = true"), "{}", config.stdout);
}

#[test]
fn a_check_refuses_what_a_start_would_refuse() {
    let route = "[[relay]]\npath = \"/v1\"\nupstream = \"http://127.0.0.1:1\"\n";
    let key = "key_env = \"NO_SUCH_KEY\"\nallow = [\"POST /chat\"]\n";
    for (file, texts) in [
        (
            "listen = \"0.0.0.0:8420\"",
            &[
                "0.0.0.0:8420 can be reached from other machines",
                "a publish token",
            ][..],
        ),
        (
            "hosts = [\"tide.example\"]",
            &["tide.example (--host) can be reached"],
        ),
        (
            "publish_token_file = \"none\"",
            &["publish_token_file: cannot read none"],
        ),
        (
            "read_token_file = \"none\"",
            &["read_token_file: cannot read none"],
        ),
        (
            "cors.origins = [\"https://*.example.com\"]",
            &[
                "`https://*.example.com` has a wildcard",
                "give each origin in full",
            ],
        ),
        (&format!("{route}{key}"), &["NO_SUCH_KEY, and is not"]),
        (
            &format!("{route}{key}auth = \"upstream\""),
            &["everybody could spend it", "auth = \"upstream\" out"],
        ),
        (
            &format!("{route}auth = \"nobody\""),
            &["\"token\" or \"upstream\""],
        ),
        (&route.replace("/v1", "/chat"), &["/chat is the server's own"]),
        ("trusted_proxies = [\"loopback\"]", &["`loopback` is no network"]),
        (
            "listen = \"[::ffff:0.0.0.0]:0\"\npublish_token = \"0f6ad0b7a8c5d2e1\"\npublic_read = true",
            &["0.0.0.0:0", "--host"],
        ),
        ("access.cookies = [\"a b\"]", &["`a b` is no name of a cookie"]),
    ] {
        for args in [&["config", "--check", "tidewire.toml"][..], &["serve"]] {
            assert_refused(&tidewire(args).file("tidewire.toml", file).run(), texts);
        }
    }
    let tokens = tidewire(["config", "--check", "a.toml"])
        .file("a.toml", "listen = \"192.0.2.1:8420\"")
        .env("TIDEWIRE_PUBLIC_READ", "true")
        .env("TIDEWIRE_PUBLISH_TOKEN", LONG);
    let run = tokens.run();
    assert_eq!(run.code, Some(0), "{}", run.stderr);
}

#[test]
fn a_default_that_changed_under_these_settings_is_told() {
    let route = "[[relay]]\npath = \"/v1\"\nupstream = \"http://127.0.0.1:1\"\n";
    let owned = "owner = \"header:X-User\"\n";
    let tokens = "publish_token = \"0f6ad0b7a8c5d2e1\"\npublic_read = true\n";
    let open = "listen = \"192.0.2.1:8420\"\n";
    let needs = "the relay route /v1 needs a token now";
    let upstream = "auth = \"upstream\" in the route";
    let owner = "the header x-user, counts only from trusted proxies now";
    let cookies = "access.cookies = [\"tidewire_token\"]";
    for (file, told) in [
        (route.to_owned(), &[][..]),
        (format!("{tokens}{route}"), &[needs, upstream, cookies]),
        (
            format!("{tokens}access.cookies = [\"tidewire_token\"]\n{route}auth = \"upstream\""),
            &[],
        ),
        (
            format!("{open}{tokens}{route}{owned}"),
            &[needs, upstream, owner, cookies],
        ),
        (
            format!("{open}trusted_proxies = [\"10.0.0.0/8\"]\n{tokens}{route}{owned}"),
            &[needs, upstream, cookies],
        ),
    ] {
        let check = tidewire(["config", "--check", "a.toml"]).file("a.toml", &file);
        let run = check.run();
        assert_eq!(run.code, Some(0), "{file}\n{}", run.stderr);
        for text in [needs, upstream, owner, cookies] {
            assert_eq!(
                run.stdout.contains(text),
                told.contains(&text),
                "{text}\n{file}\n{}",
                run.stdout
            );
        }
        if file.contains(open) {
            let started = tidewire(["serve"]).file("tidewire.toml", &file).run();
            assert_accepted(&started);
            assert!(started.stderr.contains(needs), "{}", started.stderr);
        }
    }
}
