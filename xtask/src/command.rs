//! A program that a task runs: shown before it starts, bounded in time, and an error unless it succeeds.
//!
//! Invariants: a command never reads the terminal or standard input, and never outlives its limit.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::report;

/// How long a command may take unless it says otherwise. The whole of `cargo xtask test` is to take less than 25 minutes.
const LIMIT: Duration = Duration::from_secs(20 * 60);
/// How long a command that was asked to end may take to do so.
const GRACE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);

/// A command in the making. Nothing runs before one of the three `run` methods is called.
#[derive(Debug)]
pub struct Cmd {
    inner: Command,
    limit: Duration,
    tools: Option<PathBuf>,
}

impl Cmd {
    /// A command for `program`, looked up on the PATH.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let mut inner = Command::new(program);
        inner.stdin(Stdio::null());
        Self {
            inner,
            limit: LIMIT,
            tools: None,
        }
    }

    /// `cargo` as found on the PATH, so that `+toolchain` works where cargo is rustup's.
    #[must_use]
    pub fn cargo() -> Self {
        let mut cargo = Self::new("cargo");
        // What `cargo run` has told us of xtask is nothing for others: build scripts that look at it (ring's) would run
        // again, and all that depends on them be built anew.
        for (name, _) in std::env::vars_os() {
            let told = name.to_string_lossy();
            if told.starts_with("CARGO_PKG_") || told.starts_with("CARGO_MANIFEST_") {
                cargo.inner.env_remove(&name);
            }
        }
        cargo
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.inner.args(args);
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.inner.env(name, value);
        self
    }

    /// Sets the folder to run in.
    #[must_use]
    pub fn dir(mut self, dir: &Path) -> Self {
        self.inner.current_dir(dir);
        self
    }

    /// Adds a folder to the end of the command's PATH.
    ///
    /// # Errors
    /// The folder's name cannot stand in a PATH.
    pub fn tools(mut self, dir: &Path) -> Result<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let dirs = std::env::split_paths(&path).chain([dir.to_owned()]);
        self.inner.env("PATH", std::env::join_paths(dirs)?);
        self.tools = Some(dir.to_owned());
        Ok(self)
    }

    /// Sets how long the command may take.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs the command and shows what it prints as it comes.
    ///
    /// # Errors
    /// The command cannot be started, fails, or takes longer than its limit.
    pub fn run(mut self) -> Result<()> {
        report::line(format_args!("$ {self}"));
        let child = self.spawn()?;
        self.finish(child)
    }

    /// Like [`Cmd::run`], and returns the lines (of both outputs) that `keep` chooses.
    ///
    /// # Errors
    /// As [`Cmd::run`]. The lines of a command that failed are shown, not returned.
    pub fn run_keeping(mut self, keep: fn(&str) -> bool) -> Result<Vec<String>> {
        report::line(format_args!("$ {self}"));
        let (reader, writer) = io::pipe().context("no pipe for the command's output")?;
        self.inner.stdout(writer.try_clone()?).stderr(writer);
        let child = self.spawn()?;
        // Our copies of the writing end must go, or the reader would never see the end.
        self.inner.stdout(Stdio::null()).stderr(Stdio::null());
        let lines = thread::spawn(move || show_and_keep(reader, keep));
        self.finish(child)?;
        Ok(lines.join().unwrap_or_default())
    }

    /// Runs the command quietly and returns its standard output; what it says on standard error is shown
    /// only if it fails.
    ///
    /// # Errors
    /// The command cannot be started or fails.
    pub fn output(mut self) -> Result<String> {
        let output = self
            .inner
            .output()
            .with_context(|| format!("cannot start `{self}`"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("`{self}`: {}\n{}", output.status, said.trim_end());
        }
        String::from_utf8(output.stdout).with_context(|| format!("`{self}` did not print UTF-8"))
    }

    fn spawn(&mut self) -> Result<Child> {
        self.inner
            .spawn()
            .with_context(|| format!("cannot start `{self}`"))
    }

    fn finish(&self, mut child: Child) -> Result<()> {
        let Some(status) = wait(&mut child, self.limit)? else {
            // A polite end first: cargo-nextest and npm pass it on to what they started.
            let _ = Command::new("kill").arg(child.id().to_string()).status();
            if wait(&mut child, GRACE)?.is_none() {
                child.kill()?;
                child.wait()?;
            }
            bail!("`{self}` was ended after {} s", self.limit.as_secs());
        };
        if !status.success() {
            bail!("`{self}`: {status}");
        }
        Ok(())
    }
}

/// As one would type it, so that a failing command can be tried again by hand.
impl fmt::Display for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(dir) = &self.tools {
            write!(f, "PATH=$PATH:{} ", quoted(&dir.to_string_lossy()))?;
        }
        for (name, value) in self.inner.get_envs().filter(|(name, _)| *name != "PATH") {
            if let Some(value) = value {
                let value = value.to_string_lossy();
                write!(f, "{}={} ", name.to_string_lossy(), quoted(&value))?;
            }
        }
        write!(f, "{}", self.inner.get_program().to_string_lossy())?;
        for arg in self.inner.get_args() {
            write!(f, " {}", quoted(&arg.to_string_lossy()))?;
        }
        Ok(())
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_=+./:,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The status of a child that ends within `limit`, else `None`. Counts polls, so it needs no clock.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let polls = limit.as_millis() / POLL.as_millis();
    for _ in 0..polls {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(POLL);
    }
    child.try_wait()
}

fn show_and_keep(output: impl io::Read, keep: fn(&str) -> bool) -> Vec<String> {
    let mut kept = Vec::new();
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    // Read by bytes: a program under test may print what is not UTF-8.
    while matches!(output.read_until(b'\n', &mut line), Ok(n) if n > 0) {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\r', '\n']);
        report::line(text);
        if keep(text) {
            kept.push(text.to_owned());
        }
        line.clear();
    }
    kept
}

/// Where `program` is on the PATH.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    let path: OsString = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Cmd {
        Cmd::new("sh").args(["-c", script])
    }

    #[test]
    fn a_failing_command_is_an_error_that_names_it() {
        assert!(sh("exit 0").run().is_ok());
        let error = sh("exit 3").run().unwrap_err().to_string();
        assert_eq!(error, "`sh -c 'exit 3'`: exit status: 3");
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error_that_names_it() {
        let error = Cmd::new("no-such-program").run().unwrap_err().to_string();
        assert_eq!(error, "cannot start `no-such-program`");
    }

    #[test]
    fn a_command_does_not_outlive_its_limit() {
        let error = sh("exec sleep 600").limit(Duration::ZERO).run();
        let error = error.unwrap_err().to_string();
        assert_eq!(error, "`sh -c 'exec sleep 600'` was ended after 0 s");
    }

    #[test]
    fn chosen_lines_of_both_outputs_are_kept() {
        let kept = sh("echo keep 1; echo drop; printf 'keep \\377' >&2")
            .run_keeping(|line| line.starts_with("keep"))
            .unwrap();
        assert_eq!(kept, ["keep 1", "keep \u{FFFD}"]);
    }

    #[test]
    fn a_quiet_command_that_fails_tells_what_it_said() {
        assert_eq!(sh("echo out; echo err >&2").output().unwrap(), "out\n");
        let error = sh("echo why >&2; exit 1").output().unwrap_err().to_string();
        assert!(error.ends_with("exit status: 1\nwhy"), "{error}");
    }

    #[test]
    fn a_folder_of_tools_is_searched_last_and_shown() {
        let cmd = sh("echo \"$PATH\"").tools(Path::new("some/tools")).unwrap();
        assert_eq!(cmd.to_string(), "PATH=$PATH:some/tools sh -c 'echo \"$PATH\"'");
        assert!(cmd.output().unwrap().ends_with(":some/tools\n"));
    }

    #[test]
    fn commands_read_no_standard_input() {
        assert_eq!(sh("cat").output().unwrap(), "");
    }
}
