//! Completions and manual pages: made of the command line, whole, and right for who reads them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]
#![allow(unreachable_pub, reason = "nobody can reach into a test anyway")]

mod support;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use support::process::tidewire;

const COMMANDS: [&str; 16] = [
    "serve",
    "config",
    "pub",
    "tail",
    "replay",
    "doctor",
    "inspect",
    "log",
    "log-info",
    "log-repair",
    "log-verify",
    "log-dump",
    "log-export",
    "log-import",
    "completions",
    "man",
];

#[test]
fn every_shell_gets_a_script_with_all_commands_and_flags() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = tidewire(["completions", shell]).run();
        assert_eq!((run.code, &*run.stderr), (Some(0), ""), "{shell}");
        for text in [&COMMANDS[..], &["publish-token-file", "cors-origin", "no-demo"]].concat() {
            // Scripts name a command below another by its own name.
            let text = text.trim_start_matches("log-");
            assert!(run.stdout.contains(text), "{shell} has no {text}");
        }
    }
    let run = tidewire(["completions", "csh"]).run();
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.contains("[possible values: bash, elvish, fish"),
        "{}",
        run.stderr
    );
}

#[test]
fn bash_completes_with_its_script() {
    let script = tidewire(["completions", "bash"]).run().stdout;
    let ask = "\nCOMP_WORDS=(tidewire tail --js); COMP_CWORD=2\n_tidewire tidewire --js tail\necho \"${COMPREPLY[@]}\"\n";
    let mut bash = Command::new("bash")
        .args(["--noprofile", "--norc"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = bash.stdin.take().unwrap();
    stdin.write_all((script + ask).as_bytes()).unwrap();
    drop(stdin);
    let output = bash.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "--json\n");
}

#[test]
fn the_manual_page_says_what_help_says() {
    let run = tidewire(["man"]).run();
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    // In roff, a hyphen of a flag is escaped.
    let page = run.stdout.replace("\\-", "-");
    assert!(page.contains(".TH tidewire 1"), "{page}");
    for text in [
        "NAME",
        "SYNOPSIS",
        "--listen",
        "TIDEWIRE_LISTEN",
        "127.0.0.1:8420",
        "Exit codes",
        "tidewire-tail",
    ] {
        assert!(page.contains(text), "{text:?} is missing:\n{page}");
    }
}

#[test]
fn every_command_gets_a_page() {
    let mut home = tidewire(["man", "pages/man1"]);
    let mut child = home.spawn(Stdio::piped());
    assert!(child.wait().unwrap().success());
    let folder = std::fs::read_dir(home.path().join("pages/man1")).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let pages = COMMANDS.iter().map(|command| format!("tidewire-{command}.1"));
    let pages: BTreeSet<_> = pages.chain(["tidewire.1".to_owned()]).collect();
    assert_eq!(names.collect::<BTreeSet<_>>(), pages);
    let tail = std::fs::read_to_string(home.path().join("pages/man1/tidewire-tail.1")).unwrap();
    assert!(tail.replace("\\-", "-").contains("--json"), "{tail}");

    let run = tidewire(["man", "taken"]).file("taken", "").run();
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("cannot make taken"), "{}", run.stderr);
}
