//! What takes longer than a change may wait for: many seeds, many kills, fuzzing, miri, cargo-deny.
//!
//! Everything random is seeded; seeds and counts are told at the end, so that a finding can be had again with
//! `--seed`. Tools come by `cargo install` into `target/tools`; toolchains are never downloaded: a step that needs
//! a missing one is skipped and says so.

use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::command::{Cmd, find};
use crate::report::{self, Report, Verdict};
use crate::system::{self, CXX};
use crate::web;
use crate::workspace::{self, root};

/// The steps of `cargo xtask soak`: name and what it does.
pub const STEPS: [(&str, &str); 8] = [
    (
        "stress",
        "the judge of \"same order, same state\" and the hub's stress tests under many seeds; the hub's suite over a shared order",
    ),
    (
        "crash",
        "the crash judge of the log on disk under many seeds, on all cores",
    ),
    ("kills", "kill -9 of the real server, again and again"),
    (
        "large",
        "a log of a million topics, and records as large as there can be",
    ),
    ("fuzz", "every fuzz target, an equal share of the minutes each"),
    (
        "miri",
        "the codec's unit and example tests and the parsers of the log under miri (nightly toolchain with miri)",
    ),
    ("deny", "cargo-deny over deny.toml"),
    (
        "clients",
        "the whole matrix of clients, directly and through the relay, against the release binary",
    ),
];

/// Compiling comes on top of what a step is told to take.
const COMPILE: Duration = Duration::from_secs(20 * 60);
const LONG: Duration = Duration::from_secs(6 * 60 * 60);

/// How long and from where to start.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Minutes of fuzzing, all targets together.
    pub minutes: u64,
    /// How many seeds the stress test runs.
    pub seeds: u64,
    /// How many orders the judge of "same order, same state" runs.
    pub order_seeds: u64,
    /// How many seeds the crash judge runs.
    pub crash_seeds: u64,
    /// How often the server is killed.
    pub kills: u64,
    /// The first seed; a random one if not given.
    pub seed: Option<u32>,
}

/// Runs the named steps, or all.
#[must_use]
pub fn run(options: Options, names: &[String]) -> ExitCode {
    let seed = options.seed.unwrap_or_else(random_seed);
    let mut told = vec![format!("first seed {seed} (again with --seed {seed})")];
    let mut report = Report::default();
    for (name, _) in STEPS {
        if !names.is_empty() && !names.iter().any(|wanted| wanted == name) {
            continue;
        }
        report.run(name, || match name {
            "stress" => stress(seed, options, &mut told),
            "crash" => crash(seed, options.crash_seeds, &mut told),
            "kills" => kills(options.kills, &mut told),
            "large" => large(&mut told),
            "fuzz" => fuzz(seed, options.minutes, &mut told),
            "miri" => miri(&mut told),
            "deny" => deny(),
            _ => clients(&mut told),
        });
    }
    report::line("\n=== seeds and counts");
    told.iter().for_each(report::line);
    report.finish()
}

fn random_seed() -> u32 {
    // The standard library keys each hasher at random. libFuzzer takes 0 as "choose one", so never 0.
    (RandomState::new().hash_one("seed") as u32).max(1)
}

fn stress(seed: u32, options: Options, told: &mut Vec<String>) -> Result<Verdict> {
    let order = test("tidewire-log", "determinism", &["nodes_of_one_order"]);
    let order = order.env("TIDEWIRE_ORDER_SEED", seed.to_string());
    let order = order.env("TIDEWIRE_ORDER_SEEDS", options.order_seeds.to_string());
    told.extend(order.limit(LONG).run_keeping(|line| line.contains("order: "))?);
    let stress = test("tidewire-hub", "stress", &[]);
    let stress = stress.env("TIDEWIRE_STRESS_SEED", seed.to_string());
    let stress = stress.env("TIDEWIRE_STRESS_SEEDS", options.seeds.to_string());
    // The tests themselves say `stress: seeds …` and what they judged; a failure names its seed.
    told.extend(stress.limit(LONG).run_keeping(|line| line.contains("stress: "))?);
    // All of the suite, over an order that others could follow too.
    let suite = Cmd::cargo().args(["test", "--release", "--locked", "-p", "tidewire-hub", "--tests"]);
    suite.env("TIDEWIRE_ORDER", "shared").limit(LONG).run()?;
    Ok(Verdict::Passed)
}

/// A test of a crate's own, as fast as it runs; what it prints is shown.
fn test(package: &str, target: &str, names: &[&str]) -> Cmd {
    let test = Cmd::cargo().args(["test", "--release", "--locked", "-p", package, "--test", target]);
    test.args(["--", "--nocapture", "--test-threads=1"]).args(names)
}

fn crash(seed: u32, seeds: u64, told: &mut Vec<String>) -> Result<Verdict> {
    let threads = std::thread::available_parallelism()?;
    let test = test("tidewire-log", "segments", &["crash::segments"]);
    let test = test.env("TIDEWIRE_CRASH_SEED", seed.to_string());
    let test = test.env("TIDEWIRE_CRASH_SEEDS", seeds.to_string());
    let test = test.env("TIDEWIRE_CRASH_THREADS", threads.to_string());
    told.extend(test.limit(LONG).run_keeping(|line| line.contains("crash: "))?);
    Ok(Verdict::Passed)
}

fn kills(kills: u64, told: &mut Vec<String>) -> Result<Verdict> {
    let test = test("tidewire-cli", "serve_http", &["kills::"]);
    let test = test.env("TIDEWIRE_KILLS", kills.to_string());
    told.extend(test.limit(LONG).run_keeping(|line| line.contains("kills: "))?);
    Ok(Verdict::Passed)
}

fn large(told: &mut Vec<String>) -> Result<Verdict> {
    test("tidewire-log", "segments", &["large::"]).limit(LONG).run()?;
    let test = test("tidewire-hub", "many_topics", &[]).env("TIDEWIRE_TOPICS", "1000000");
    told.extend(test.limit(LONG).run_keeping(|line| line.contains("topics: "))?);
    Ok(Verdict::Passed)
}

fn fuzz(seed: u32, minutes: u64, told: &mut Vec<String>) -> Result<Verdict> {
    if let Some(why) = nightly_lacks("cargo", &["--version"]) {
        return Ok(Verdict::Skipped(why));
    }
    system::ensure(CXX)?;
    let tools = tool("cargo-fuzz")?;
    let targets = fuzz_targets()?;
    ensure!(!targets.is_empty(), "fuzz/Cargo.toml has no targets");
    let share = Duration::from_secs(minutes * 60) / u32::try_from(targets.len())?;
    let mut result = Ok(Verdict::Passed);
    for target in targets {
        match fuzz_one(&target, seed, share, &tools) {
            Ok(counts) => told.extend(prefixed(&format!("fuzz {target}, seed {seed}"), counts)),
            // The other targets have their share all the same.
            Err(error) => result = Err(error),
        }
    }
    result
}

fn fuzz_one(target: &str, seed: u32, time: Duration, tools: &Path) -> Result<Vec<String>> {
    // libFuzzer writes what it finds new into the first folder and only reads the committed one.
    let found = root().join("target/fuzz-corpus").join(target);
    fs::create_dir_all(&found)?;
    let committed = root().join("fuzz/corpus").join(target);
    let run = Cmd::cargo().args(["+nightly", "fuzz", "run", target]);
    let run = run
        .args([found])
        .args(committed.is_dir().then_some(committed))
        .args(["--"]);
    let run = run.args([
        format!("-seed={seed}"),
        format!("-max_total_time={}", time.as_secs()),
        // No input is near that large: who allocates more believes a length that was not checked.
        "-malloc_limit_mb=16".to_owned(),
    ]);
    run.tools(tools)?
        .limit(time + COMPILE)
        .run_keeping(|line| line.starts_with("Done "))
}

fn fuzz_targets() -> Result<Vec<String>> {
    let metadata = workspace::members(&root().join("fuzz/Cargo.toml"))?;
    let packages = metadata.packages.iter();
    let targets = packages.flat_map(|package| &package.targets);
    let binaries = targets.filter(|target| target.is_bin());
    Ok(binaries.map(|target| target.name.clone()).collect())
}

fn miri(told: &mut Vec<String>) -> Result<Verdict> {
    // Builds miri's own library, unless it stands there already.
    if let Some(why) = nightly_lacks("cargo", &["miri", "setup"]) {
        return Ok(Verdict::Skipped(why));
    }
    // The vectors under every cut would take days: miri is some hundred times slower.
    let runs = [
        ["tidewire-codec", "--lib", "--test", "decode"],
        ["tidewire-log", "--lib", "--", "segments::fuzzing"],
    ];
    for [package, what @ ..] in runs {
        let test = Cmd::cargo().args(["+nightly", "miri", "test", "--locked", "-p", package]);
        let test = test.args(what).env("MIRIFLAGS", "-Zmiri-disable-isolation");
        let counts = test
            .limit(LONG)
            .run_keeping(|line| line.starts_with("test result:"))?;
        told.extend(prefixed(&format!("miri {package}"), counts));
    }
    Ok(Verdict::Passed)
}

/// Licences, sources and bans. Advisories need a database from outside the package registries: `cargo deny check
/// advisories` where there is one.
fn deny() -> Result<Verdict> {
    let deny = Cmd::cargo().args(["deny", "--locked", "check", "bans", "licenses", "sources"]);
    deny.tools(&tool("cargo-deny")?)?.run()?;
    Ok(Verdict::Passed)
}

fn clients(told: &mut Vec<String>) -> Result<Verdict> {
    told.extend(web::clients()?);
    Ok(Verdict::Passed)
}

/// Why `program +nightly args` cannot be used here, if so.
fn nightly_lacks(program: &str, args: &[&str]) -> Option<String> {
    let probe = Cmd::new(program).args(["+nightly"]).args(args);
    // Without this, rustup may download what is missing.
    let result = probe.env("RUSTUP_AUTO_INSTALL", "0").output();
    result.err().map(|error| {
        let error = error.to_string();
        let last = error.lines().find(|line| line.starts_with("error:"));
        format!("no nightly toolchain for it: {}", last.unwrap_or(&error))
    })
}

/// The folder in which the cargo tool `name` is, unless it is on the PATH; compiles it if it is nowhere.
fn tool(name: &str) -> Result<PathBuf> {
    let tools = root().join("target/tools");
    let bin = tools.join("bin");
    if find(name).is_none() && !bin.join(name).is_file() {
        let install = Cmd::cargo()
            .args(["install", "--locked", "--root"])
            .args([&tools]);
        install.args([name]).run()?;
    }
    Ok(bin)
}

fn prefixed(name: &str, lines: Vec<String>) -> impl Iterator<Item = String> {
    lines.into_iter().map(move |line| format!("{name}: {line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_toolchain_is_told_in_a_line() {
        let why = nightly_lacks("sh", &[]).unwrap();
        assert!(why.starts_with("no nightly toolchain for it: "), "{why}");
        assert_eq!(nightly_lacks("true", &[]), None);
    }

    #[test]
    fn a_seed_is_never_zero() {
        assert_ne!(random_seed(), 0);
    }
}
