//! What `cargo xtask test` runs, in order: what is quick to fail comes first.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use crate::command::{Cmd, find};
use crate::report::{self, Verdict};
use crate::system::{self, CADDY, NGINX};
use crate::workspace::{self, root};
use crate::{arrows, licences, reasons, tidy, web};

/// One part of a task that passes, fails or says why it was skipped.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// What one types to run this step alone.
    pub name: &'static str,
    /// What it checks, in a line.
    pub about: &'static str,
    /// Runs it.
    pub run: fn() -> Result<Verdict>,
}

/// The steps of `cargo xtask test`.
pub const STEPS: [Step; 13] = [
    step("fmt", "rustfmt changes nothing", fmt),
    step("lock", "every Cargo.lock is up to date", lock),
    step(
        "tidy",
        "nothing unfinished, nothing of one machine, clean lock files",
        tidy,
    ),
    step("arrows", "the crates use each other only as designed", arrows),
    step(
        "reasons",
        "CONTRIBUTING.md gives a reason for each dependency",
        reasons,
    ),
    step(
        "licences",
        "licences and sources are those of deny.toml",
        licences,
    ),
    step("clippy", "no warning in any target", clippy),
    step(
        "outside",
        "no warning in the crates outside the workspace",
        outside,
    ),
    step("rust", "unit and integration tests", rust),
    step("doctest", "the examples in the docs", doctest),
    step("docs", "the docs build without a warning", docs),
    step("release", "the binary as it ships", release),
    step(
        "web",
        "web and browser tests, against the release binary",
        web::test,
    ),
];

const fn step(name: &'static str, about: &'static str, run: fn() -> Result<Verdict>) -> Step {
    Step { name, about, run }
}

fn fmt() -> Result<Verdict> {
    for manifest in workspace::manifests() {
        let fmt = Cmd::cargo().args(["fmt", "--all", "--check", "--manifest-path"]);
        fmt.args([manifest]).run()?;
    }
    Ok(Verdict::Passed)
}

fn lock() -> Result<Verdict> {
    for manifest in workspace::manifests() {
        workspace::resolved(&manifest)?;
    }
    Ok(Verdict::Passed)
}

fn tidy() -> Result<Verdict> {
    let findings = tidy::check(root())?;
    for note in &findings.notes {
        report::line(format_args!("note: {note}"));
    }
    no_problems(&findings.problems)
}

fn arrows() -> Result<Verdict> {
    let metadata = workspace::members(&root().join("Cargo.toml"))?;
    no_problems(&arrows::check(&workspace::graph(&metadata)))
}

fn reasons() -> Result<Verdict> {
    let contributing = read("CONTRIBUTING.md")?;
    no_problems(&reasons::check(&contributing, &reasons::dependencies()?))
}

fn licences() -> Result<Verdict> {
    let allowed = licences::allowed(&read("deny.toml")?)?;
    let metadata = workspace::resolved(&root().join("Cargo.toml"))?;
    no_problems(&licences::check(&metadata, &allowed))
}

fn clippy() -> Result<Verdict> {
    let clippy = Cmd::cargo().args(["clippy", "--workspace", "--all-targets", "--locked"]);
    clippy.args(["--", "-D", "warnings"]).run()?;
    Ok(Verdict::Passed)
}

/// Shares the workspace's target folder, so that common dependencies are not checked twice.
fn outside() -> Result<Verdict> {
    let target = target_dir()?;
    for manifest in workspace::standalone_manifests() {
        let clippy = Cmd::cargo().args(["clippy", "--all-targets", "--locked", "--manifest-path"]);
        let clippy = clippy
            .args([&manifest])
            .args(["--target-dir".as_ref(), target.as_path()]);
        clippy.args(["--", "-D", "warnings"]).run()?;
    }
    Ok(Verdict::Passed)
}

fn rust() -> Result<Verdict> {
    // Where one cannot be had, its tests show as ignored.
    for proxy in [NGINX, CADDY] {
        if let Err(error) = system::ensure(proxy) {
            report::line(format_args!("note: {error:#}"));
        }
    }
    let test = if find("cargo-nextest").is_some() {
        // Many tests wait for a time to pass. How much of a core each of them takes: `.config/nextest.toml`.
        let threads = 4 * std::thread::available_parallelism()?.get();
        Cmd::cargo().args(["nextest", "run", "--test-threads", &threads.to_string()])
    } else {
        Cmd::cargo().args(["test", "--all-targets"])
    };
    test.args(["--workspace", "--locked", "--no-fail-fast"]).run()?;
    // A sample of the hub's suite over an order that others could follow too; all of it: `soak`.
    let sample = Cmd::cargo().args(["test", "-p", "tidewire-hub", "--locked", "-q"]);
    let sample = sample.args(
        ["resume", "restart", "splice", "purge"]
            .map(|test| ["--test", test])
            .concat(),
    );
    sample.env("TIDEWIRE_ORDER", "shared").run()?;
    Ok(Verdict::Passed)
}

fn doctest() -> Result<Verdict> {
    let test = Cmd::cargo().args(["test", "--doc", "--workspace", "--locked", "--no-fail-fast"]);
    test.run()?;
    Ok(Verdict::Passed)
}

fn docs() -> Result<Verdict> {
    let doc = Cmd::cargo().args(["doc", "--workspace", "--no-deps", "--locked"]);
    doc.env("RUSTDOCFLAGS", "-D warnings").run()?;
    Ok(Verdict::Passed)
}

fn release() -> Result<Verdict> {
    let binary = release_binary()?;
    let version = Cmd::new(&binary).args(["--version"]).output()?;
    ensure!(
        version.starts_with("tidewire "),
        "`tidewire --version` printed {version:?}"
    );
    Ok(Verdict::Passed)
}

/// Builds `tidewire` as `cargo run --release` does, and says where it is.
///
/// # Errors
/// It does not build.
pub fn release_binary() -> Result<PathBuf> {
    let build = Cmd::cargo().args(["build", "--release", "--locked", "--bin", "tidewire"]);
    build.run()?;
    Ok(target_dir()?.join("release").join("tidewire"))
}

/// Where cargo puts what it builds.
///
/// # Errors
/// Cargo does not say.
pub fn target_dir() -> Result<PathBuf> {
    let metadata = workspace::members(&root().join("Cargo.toml"))?;
    Ok(metadata.target_directory.into_std_path_buf())
}

fn read(path: impl AsRef<Path>) -> Result<String> {
    let path = path.as_ref();
    fs::read_to_string(root().join(path)).with_context(|| path.display().to_string())
}

fn no_problems(problems: &[String]) -> Result<Verdict> {
    if problems.is_empty() {
        return Ok(Verdict::Passed);
    }
    bail!("{} found:\n{}", problems.len(), problems.join("\n"))
}
