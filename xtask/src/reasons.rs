//! `CONTRIBUTING.md` says of every direct dependency why it was chosen: one table row each, no row too many.
//!
//! A row has two cells: the package's name in backticks, and the reason.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::workspace;

/// The heading in `CONTRIBUTING.md` under which the table stands.
const HEADING: &str = "## Dependencies";

/// Where npm packages are listed.
const PACKAGES: [&str; 3] = [
    "web/package.json",
    "web/matrix/package.json",
    "crates/client/tests/foreign/package.json",
];

/// The direct dependencies that are not ours: of all crates, in the workspace and outside, and of npm.
///
/// # Errors
/// A manifest cannot be read.
pub fn dependencies() -> Result<BTreeSet<String>> {
    let mut ours = BTreeSet::new();
    let mut used = BTreeSet::new();
    for manifest in workspace::manifests() {
        for (name, dependencies) in workspace::graph(&workspace::members(&manifest)?) {
            ours.insert(name);
            used.extend(dependencies);
        }
    }
    let mut foreign: BTreeSet<_> = used.difference(&ours).cloned().collect();
    for package in PACKAGES {
        let package = workspace::root().join(package);
        if package.is_file() {
            foreign.extend(npm_dependencies(&package)?);
        }
    }
    Ok(foreign)
}

fn npm_dependencies(package: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(package).with_context(|| package.display().to_string())?;
    let package: Value = serde_json::from_str(&text).with_context(|| package.display().to_string())?;
    let kinds = [
        "dependencies",
        "devDependencies",
        "optionalDependencies",
        "peerDependencies",
    ];
    let named = kinds.iter().filter_map(|kind| package[kind].as_object());
    Ok(named.flat_map(|kind| kind.keys().cloned()).collect())
}

/// What is wrong with the table in `contributing`, one line a package; nothing if table and dependencies agree.
#[must_use]
pub fn check(contributing: &str, dependencies: &BTreeSet<String>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut explained = BTreeSet::new();
    for (name, reason) in rows(contributing) {
        if !dependencies.contains(name) {
            problems.push(format!("`{name}` is explained but nobody depends on it"));
        }
        if reason.is_empty() {
            problems.push(format!("`{name}` has a row without a reason"));
        }
        if !explained.insert(name) {
            problems.push(format!("`{name}` has two rows"));
        }
    }
    for name in dependencies {
        if !explained.contains(name.as_str()) {
            problems.push(format!(
                "`{name}` has no row under `{HEADING}`: say why it was chosen"
            ));
        }
    }
    problems
}

fn rows(contributing: &str) -> impl Iterator<Item = (&str, &str)> {
    let section = contributing.lines().skip_while(|line| *line != HEADING).skip(1);
    let section = section.take_while(|line| !line.starts_with("## "));
    section.filter_map(|line| {
        let cells = line.strip_prefix("| `")?.strip_suffix('|')?;
        let (name, reason) = cells.split_once("` |")?;
        Some((name, reason.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
# Title

| `elsewhere` | is no row |

## Dependencies

| package | why |
|---|---|
| `bytes` | shared slices |
| `memchr` | line ends |

## After
| `after` | is no row |
";

    fn used(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn a_table_that_names_exactly_the_dependencies_passes() {
        assert_eq!(check(TABLE, &used(&["bytes", "memchr"])), [""; 0]);
    }

    #[test]
    fn a_dependency_without_a_row_is_found() {
        assert_eq!(
            check(TABLE, &used(&["bytes", "memchr", "tokio"])),
            ["`tokio` has no row under `## Dependencies`: say why it was chosen"]
        );
    }

    #[test]
    fn a_row_without_a_dependency_is_found() {
        assert_eq!(
            check(TABLE, &used(&["bytes"])),
            ["`memchr` is explained but nobody depends on it"]
        );
    }

    #[test]
    fn a_row_without_a_reason_and_a_second_row_are_found() {
        let table = "## Dependencies\n| `bytes` |  |\n| `bytes` | shared slices |";
        assert_eq!(
            check(table, &used(&["bytes"])),
            ["`bytes` has a row without a reason", "`bytes` has two rows"]
        );
    }
}
