//! Which crate may use which: `codec ← log ← hub ← doors ← server ← cli`; `client` uses only `codec` and `unpack`; `cli` uses
//! `client`; `unpack` uses nothing of ours.
//!
//! Dependencies of every kind count: a test that reaches backwards is an arrow that points backwards.

use crate::workspace::Graph;

/// Each crate of the workspace and the crates of the workspace that it may use.
const ARROWS: [(&str, &[&str]); 13] = [
    ("tidewire-codec", &[]),
    ("tidewire-unpack", &[]),
    ("tidewire-client", &["tidewire-codec", "tidewire-unpack"]),
    ("tidewire-log", &["tidewire-codec"]),
    ("tidewire-hub", &["tidewire-codec", "tidewire-log"]),
    (
        "tidewire-doors",
        &["tidewire-codec", "tidewire-hub", "tidewire-unpack"],
    ),
    (
        "tidewire-relay",
        &[
            "tidewire-codec",
            "tidewire-hub",
            "tidewire-doors",
            "tidewire-unpack",
        ],
    ),
    (
        "tidewire",
        &[
            "tidewire-codec",
            "tidewire-client",
            "tidewire-hub",
            "tidewire-doors",
            "tidewire-relay",
        ],
    ),
    (
        "tidewire-server",
        &[
            "tidewire-codec",
            "tidewire-hub",
            "tidewire-doors",
            "tidewire-relay",
        ],
    ),
    (
        "tidewire-cli",
        &[
            "tidewire-codec",
            "tidewire-client",
            "tidewire-hub",
            "tidewire-doors",
            "tidewire-relay",
            "tidewire-server",
            "tidewire-unpack",
        ],
    ),
    (
        "tidewire-examples",
        &[
            "tidewire",
            "tidewire-codec",
            "tidewire-client",
            "tidewire-hub",
            "tidewire-doors",
            "tidewire-relay",
        ],
    ),
    ("tidewire-contract-service", &["tidewire-client"]),
    ("xtask", &[]),
];

/// What a crate does not own, so it has no use for these crates of others.
const FOREIGN: [(&str, &[&str]); 3] = [
    // Bytes in, bytes out: no I/O, no clock, no runtime.
    ("tidewire-codec", &["futures-util", "tokio", "tokio-util"]),
    // What a store calls must not need a runtime.
    ("tidewire-log", &["futures-util", "http", "tokio", "tokio-util"]),
    // The hub knows records and cursors; HTTP is the doors' business.
    ("tidewire-hub", &["axum", "http", "http-body", "hyper", "tower"]),
];

/// What is wrong with a dependency graph, one line a wrong arrow; nothing if it is as designed.
#[must_use]
pub fn check(graph: &Graph) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, dependencies) in graph {
        let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| known == name) else {
            problems.push(format!(
                "{name}: give it its arrows in xtask/src/arrows.rs and in the design"
            ));
            continue;
        };
        for used in dependencies {
            let ours = graph.contains_key(used);
            if ours && !allowed.contains(&used.as_str()) {
                problems.push(format!("{name} uses {used}: this arrow points the wrong way"));
            }
            let foreign = FOREIGN.iter().find(|(owner, _)| owner == name);
            if foreign.is_some_and(|(_, foreign)| foreign.contains(&used.as_str())) {
                problems.push(format!("{name} uses {used}: that is not its business"));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(arrows: &[(&str, &[&str])]) -> Graph {
        let names = |used: &[&str]| used.iter().map(|&name| name.to_owned()).collect();
        arrows
            .iter()
            .map(|&(name, used)| (name.to_owned(), names(used)))
            .collect()
    }

    #[test]
    fn the_designed_arrows_pass() {
        let designed = graph(&[
            ("tidewire-codec", &["memchr"]),
            ("tidewire-hub", &["tidewire-codec", "tokio"]),
            ("tidewire-doors", &["tidewire-hub", "axum"]),
            ("tidewire-client", &["tidewire-codec"]),
            ("tidewire-server", &["tidewire-doors"]),
            ("tidewire-cli", &["tidewire-server", "tidewire-client"]),
        ]);
        assert_eq!(check(&designed), [""; 0]);
    }

    #[test]
    fn a_reversed_arrow_is_found() {
        let reversed = graph(&[("tidewire-codec", &["tidewire-hub"]), ("tidewire-hub", &[])]);
        assert_eq!(
            check(&reversed),
            ["tidewire-codec uses tidewire-hub: this arrow points the wrong way"]
        );
    }

    #[test]
    fn the_client_uses_nothing_of_the_server_side() {
        let wrong = graph(&[("tidewire-client", &["tidewire-hub"]), ("tidewire-hub", &[])]);
        assert_eq!(
            check(&wrong),
            ["tidewire-client uses tidewire-hub: this arrow points the wrong way"]
        );
    }

    #[test]
    fn a_crate_uses_nothing_that_it_does_not_own() {
        let wrong = graph(&[("tidewire-codec", &["tokio"])]);
        assert_eq!(
            check(&wrong),
            ["tidewire-codec uses tokio: that is not its business"]
        );
    }

    #[test]
    fn a_new_crate_must_say_where_it_stands() {
        let wrong = graph(&[("tidewire-new", &[])]);
        assert_eq!(
            check(&wrong),
            ["tidewire-new: give it its arrows in xtask/src/arrows.rs and in the design"]
        );
    }
}
