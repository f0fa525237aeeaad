//! The crates use each other only in the designed direction, as cargo itself sees them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{collections::BTreeSet, process::Command};

use xtask::{arrows, workspace};

#[test]
fn the_crates_use_each_other_in_one_direction() {
    let metadata = workspace::members(&workspace::root().join("Cargo.toml")).unwrap();
    assert_eq!(arrows::check(&workspace::graph(&metadata)), [""; 0]);
}

#[test]
fn one_reversed_arrow_in_the_real_graph_is_found() {
    let metadata = workspace::members(&workspace::root().join("Cargo.toml")).unwrap();
    let mut graph = workspace::graph(&metadata);
    let codec = graph.get_mut("tidewire-codec").unwrap();
    codec.insert("tidewire-server".to_owned());
    assert_eq!(
        arrows::check(&graph),
        ["tidewire-codec uses tidewire-server: this arrow points the wrong way"]
    );
}

/// What `cargo add tidewire` compiles into an app that only sends streams and keeps them in memory.
#[test]
fn the_facade_compiles_at_most_75_crates_and_no_c() {
    let crates = crates_of(&["--edges", "normal"]);
    assert!(crates.len() <= 75, "{} crates: {crates:#?}", crates.len());
    let with_build = crates_of(&["--edges", "normal,build"]);
    let compiles_c =
        |name: &&String| matches!(name.as_str(), "cc" | "cmake" | "bindgen") || name.ends_with("-sys");
    // linux-raw-sys holds numbers of the kernel, in Rust.
    let c: Vec<_> = with_build
        .iter()
        .filter(compiles_c)
        .filter(|name| *name != "linux-raw-sys")
        .collect();
    assert_eq!(c, [""; 0]);
}

fn crates_of(edges: &[&str]) -> BTreeSet<String> {
    let tree = Command::new(env!("CARGO"))
        .current_dir(workspace::root())
        .args([
            "tree",
            "--package",
            "tidewire",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])
        .args(edges)
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    let names = tree.lines().filter_map(|line| line.split_whitespace().next());
    names.map(str::to_owned).collect()
}

/// Of the command line, only commands that serve use the server: the examination of streams works beside any other.
#[test]
fn examining_streams_needs_no_server() {
    let sources = workspace::root().join("crates/cli/src");
    let mut folders = ["doctor", "inspect", "recording", "cmd/doctor", "cmd/tail"]
        .map(|folder| sources.join(folder))
        .to_vec();
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let source = std::fs::read_to_string(&path).unwrap();
            assert!(!source.contains("tidewire_server"), "{}", path.display());
        }
    }
    assert!(files > 40);
}
