//! Help and version.

mod support;

use support::process::tidewire;

#[test]
fn help_names_every_command_and_the_exit_codes() {
    let run = tidewire(["--help"]).run();
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    for text in [
        "serve ",
        "config ",
        "pub ",
        "tail ",
        "doctor ",
        "log ",
        "completions ",
        "man ",
        "Exit codes:",
        "130",
        "--listen <IP:PORT>",
    ] {
        assert!(run.stdout.contains(text), "{text:?} is missing:\n{}", run.stdout);
    }
}

#[test]
fn every_flag_of_every_command_has_a_text() {
    for command in [
        "serve",
        "config",
        "pub",
        "tail",
        "doctor",
        "completions",
        "man",
        "log",
        "log info",
        "log verify",
        "log dump",
        "log export",
        "log import",
    ] {
        let help = tidewire(command.split(' ').chain(["--help"])).run().stdout;
        let mut lines = help.lines().peekable();
        while let Some(line) = lines.next() {
            let flag = line.trim_start();
            if !flag.starts_with('-') {
                continue;
            }
            let beside = flag.contains("  ");
            let below = lines.peek().is_some_and(|next| next.starts_with("          "));
            assert!(
                beside || below,
                "`tidewire {command} {flag}` has no text:\n{help}"
            );
        }
    }
}

#[test]
fn the_settings_flags_tell_default_and_environment_name() {
    let short = tidewire(["-h"]).run().stdout;
    let serve = tidewire(["serve", "--help"]).run().stdout;
    for help in [short, serve] {
        let words: Vec<_> = help.split_whitespace().collect();
        let words = words.join(" ");
        for text in [
            "[default: 15s] [env: TIDEWIRE_HEARTBEAT]",
            "[default: 127.0.0.1:8420] [env: TIDEWIRE_LISTEN]",
            "relative to the folder that the server is started in",
            "[default: ./tidewire-data] [env: TIDEWIRE_DATA]",
            "[env: TIDEWIRE_MEMORY]",
            "[env: TIDEWIRE_ARCHIVE_MAX_BYTES]",
            "[default: info] [env: TIDEWIRE_LOG]",
            "Do not serve the demo page and its typing answers",
            "[default: 100000] [env: TIDEWIRE_LIMITS_MAX_CONNECTIONS]",
        ] {
            assert!(words.contains(text), "{text:?} is missing:\n{help}");
        }
    }
}

#[test]
fn the_version_is_told() {
    let run = tidewire(["--version"]).run();
    assert_eq!(run.stdout, format!("tidewire {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn what_a_wrong_command_line_quotes_is_shown_without_its_controls() {
    let run = tidewire(["tail", "t", "--last", "\u{1b}[2J\u{9b}\u{202e}1"]).run();
    assert_eq!(run.code, Some(2));
    // Escape sequences are removed by clap, the rest is written out.
    assert!(run.stderr.contains("\\u{9b}\\u{202e}1"), "{run:?}");
    assert!(!run.stderr.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{run:?}");
}
