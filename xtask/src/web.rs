//! The tests of `web/`: npm packages by `npm ci`, Chromium from Debian, Tidewire as it ships.

use anyhow::{Context as _, Result, bail, ensure};

use crate::command::{Cmd, find};
use crate::report::Verdict;
use crate::steps::release_binary;
use crate::system::{self, CHROMIUM};
use crate::workspace::root;

/// The oldest Node whose features the tests use.
const NODE: u32 = 20;

/// Runs `npm test` in `web/` with `TIDEWIRE_BIN` (the release binary) and `CHROMIUM` (the browser) set.
///
/// # Errors
/// Something the tests need is missing and cannot be installed, or a test fails. Nothing is skipped silently.
pub fn test() -> Result<Verdict> {
    let web = root().join("web");
    ensure!(web.join("package.json").is_file(), "web/package.json is missing");
    need_node()?;
    let chromium = system::ensure(CHROMIUM)?;
    let binary = release_binary()?;
    Cmd::new("npm").args(["ci"]).dir(&web).run()?;
    let test = Cmd::new("npm").args(["test"]).dir(&web);
    test.env("TIDEWIRE_BIN", binary).env("CHROMIUM", chromium).run()?;
    Ok(Verdict::Passed)
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
