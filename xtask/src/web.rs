//! The tests of `web/`: npm packages by `npm ci`, Python packages by pip, browsers from Debian, Tidewire as it ships.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::command::{Cmd, find};
use crate::report::{self, Verdict};
use crate::steps::{release_binary, target_dir};
use crate::system::{self, CHROMIUM, FIREFOX, NGINX, PYTHON};
use crate::workspace::root;

/// The oldest Node whose features the tests use.
const NODE: u32 = 20;
/// Most clients of the matrix wait most of the time, on a slow machine for longer.
const MATRIX_LIMIT: Duration = Duration::from_secs(40 * 60);

/// Runs `npm test` in `web/` with `TIDEWIRE_BIN` (the release binary), `CHROMIUM` (the browser), `SDK_PYTHON` (an
/// interpreter with the Python SDKs and sse-starlette), `NGINX` and `FIREFOX` set. Where there can be no such interpreter, no
/// nginx or no Firefox, their tests say that they are skipped.
///
/// # Errors
/// Something else the tests need is missing and cannot be installed, or a test fails. Nothing is skipped silently.
pub fn test() -> Result<Verdict> {
    let chromium = system::ensure(CHROMIUM)?;
    let mut test = npm(&["test"])?;
    match system::ensure(NGINX) {
        Ok(nginx) => test = test.env("NGINX", nginx),
        Err(error) => report::line(format_args!("nothing is tested behind nginx here: {error:#}")),
    }
    match system::ensure(FIREFOX) {
        Ok(firefox) => test = test.env("FIREFOX", firefox),
        Err(error) => report::line(format_args!(
            "the npm package is not tested in Firefox here: {error:#}"
        )),
    }
    test.env("CHROMIUM", chromium).run()?;
    Ok(Verdict::Passed)
}

/// Runs the whole matrix of clients (`web/matrix`), and returns the line that counts its cells. Clients that cannot be
/// installed are ignored there, with the reason.
///
/// # Errors
/// Node is missing, or a cell is not as `web/matrix/expected.json` says.
pub fn clients() -> Result<Vec<String>> {
    let matrix = npm(&["run", "matrix"])?.limit(MATRIX_LIMIT);
    matrix.run_keeping(|line| line.starts_with("ignored ") || line.contains(" cells "))
}

/// `npm ARGS` in `web/`, with all packages that its tests need, `TIDEWIRE_BIN` and `SDK_PYTHON`.
fn npm(args: &[&str]) -> Result<Cmd> {
    let web = root().join("web");
    ensure!(web.join("package.json").is_file(), "web/package.json is missing");
    need_node()?;
    let binary = release_binary()?;
    Cmd::new("npm").args(["ci"]).dir(&web).run()?;
    let mut npm = Cmd::new("npm").args(args).dir(&web);
    match sdk_python() {
        Ok(python) => npm = npm.env("SDK_PYTHON", python),
        Err(error) => report::line(format_args!("the Python SDKs are not tested here: {error:#}")),
    }
    Ok(npm.env("TIDEWIRE_BIN", binary))
}

/// A Python of its own, with the packages that the tests name.
fn sdk_python() -> Result<PathBuf> {
    let venv = target_dir()?.join("sdk").join("venv");
    let python = venv.join("bin").join("python");
    if !python.is_file() {
        let create = Cmd::new(system::ensure(PYTHON)?).args(["-m", "venv", "--clear"]);
        create.args([&venv]).run()?;
    }
    let mut install = Cmd::new(&python).args(["-m", "pip", "install", "--quiet"]);
    // Of the SDKs, and of the server that the Rust client is judged by, too.
    for list in ["web/sdk/clients", "crates/client/tests/foreign"] {
        install = install
            .args(["--requirement"])
            .args([root().join(list).join("requirements.txt")]);
    }
    install.run()?;
    let matrix = Cmd::new(&python).args(["-m", "pip", "install", "--quiet", "--requirement"]);
    if let Err(error) = matrix.args([root().join("web/matrix/requirements.txt")]).run() {
        report::line(format_args!(
            "ignored: clients of the matrix in Python, which do not install: {error:#}"
        ));
    }
    Ok(python)
}

fn need_node() -> Result<()> {
    for program in ["node", "npm"] {
        if find(program).is_none() {
            bail!("{program} is missing: install Node {NODE} or newer with npm");
        }
    }
    let version = Cmd::new("node").args(["--version"]).output()?;
    let major = major(&version).with_context(|| format!("`node --version` printed {version:?}"))?;
    ensure!(
        major >= NODE,
        "Node {NODE} or newer is needed, this is {}",
        version.trim()
    );
    Ok(())
}

fn major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_of_node_is_read() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major("20.20.2"), None);
        assert_eq!(major(""), None);
    }
}
