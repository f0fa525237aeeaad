//! Where things are, and what cargo knows of the crates.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cargo_metadata::{Metadata, MetadataCommand};

use crate::command::Cmd;

/// Crates outside the workspace: they have needs of their own (nightly, other people's crates to compare with).
const STANDALONE: [&str; 2] = ["fuzz", "benches"];

/// Each crate's name, and the names of its direct dependencies of every kind.
pub type Graph = BTreeMap<String, BTreeSet<String>>;

/// The folder of the root `Cargo.toml`.
#[must_use]
pub fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// The manifests of the crates outside the workspace that exist.
#[must_use]
pub fn standalone_manifests() -> Vec<PathBuf> {
    let manifest = |name| root().join(name).join("Cargo.toml");
    let manifests = STANDALONE.into_iter().map(manifest);
    manifests.filter(|path| path.is_file()).collect()
}

/// All manifests that have a lock file of their own: the workspace and the crates outside it.
#[must_use]
pub fn manifests() -> Vec<PathBuf> {
    let mut all = vec![root().join("Cargo.toml")];
    all.extend(standalone_manifests());
    all
}

/// The members of the workspace that `manifest` belongs to, without resolving what they depend on.
///
/// # Errors
/// Cargo cannot read a manifest.
pub fn members(manifest: &Path) -> Result<Metadata> {
    let mut command = MetadataCommand::new();
    command.manifest_path(manifest).no_deps();
    command.exec().context("cargo metadata")
}

/// Everything that `manifest` is built from on this platform, exactly as its lock file says.
///
/// # Errors
/// The lock file is missing or out of date, or a dependency cannot be fetched.
pub fn resolved(manifest: &Path) -> Result<Metadata> {
    let host = Cmd::new("rustc").args(["--print", "host-tuple"]).output()?;
    let mut command = MetadataCommand::new();
    let options = ["--locked", "--filter-platform", host.trim()];
    command
        .manifest_path(manifest)
        .other_options(options.map(String::from).to_vec());
    command.exec().with_context(|| {
        format!(
            "{} and its lock file disagree? `cargo update --workspace --manifest-path {0}` mends it",
            manifest.strip_prefix(root()).unwrap_or(manifest).display()
        )
    })
}

/// The direct dependencies, of every kind, of the members of a workspace.
#[must_use]
pub fn graph(metadata: &Metadata) -> Graph {
    let mut graph = Graph::new();
    for package in metadata.workspace_packages() {
        let dependencies = package.dependencies.iter();
        let names = dependencies.map(|dependency| dependency.name.clone());
        graph.insert(package.name.to_string(), names.collect());
    }
    graph
}
