//! The crates use each other only in the designed direction, as cargo itself sees them.

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
