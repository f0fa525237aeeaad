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
