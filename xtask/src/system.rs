//! Programs that a task needs and a new machine may not have: found on the PATH, else installed as Debian packages.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::command::{Cmd, find};
use crate::report;

/// A program that comes with a Debian package.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// Names it may have on the PATH; the first found counts.
    pub names: &'static [&'static str],
    /// The Debian packages that bring it.
    pub packages: &'static [&'static str],
}

/// The browser of the web tests, and a font for the page's Chinese.
pub const CHROMIUM: Program = Program {
    names: &["chromium", "chromium-browser", "google-chrome"],
    packages: &["chromium", "fonts-noto-cjk"],
};

/// The other browser of the npm package's tests. It speaks WebDriver BiDi by itself.
pub const FIREFOX: Program = Program {
    names: &["firefox-esr", "firefox"],
    packages: &["firefox-esr"],
};

/// Runs the Python SDKs that web tests judge by.
pub const PYTHON: Program = Program {
    names: &["python3"],
    packages: &["python3", "python3-venv"],
};

/// The proxy that the doctor and the clients are tried behind; with nchan, a server of event streams that is not ours.
pub const NGINX: Program = Program {
    names: &["nginx"],
    packages: &["nginx", "libnginx-mod-nchan", "openssl"],
};

/// The other proxy whose documented configuration is run.
pub const CADDY: Program = Program {
    names: &["caddy"],
    packages: &["caddy"],
};

/// Counts instructions for the benchmarks (callgrind).
pub const VALGRIND: Program = Program {
    names: &["valgrind"],
    packages: &["valgrind"],
};

/// Compiles libFuzzer, which cargo-fuzz links.
pub const CXX: Program = Program {
    names: &["c++", "g++", "clang++"],
    packages: &["g++"],
};

/// Where a program is; installs its package first if it is missing.
///
/// # Errors
/// It is missing and cannot be installed; the error says what to install.
pub fn ensure(program: Program) -> Result<PathBuf> {
    if let Some(path) = program.find() {
        return Ok(path);
    }
    let name = program.names[0];
    let packages = program.packages.join(" ");
    report::line(format_args!("{name} is missing: installing {packages}"));
    if let Err(error) = install(program.packages) {
        bail!("{name} is needed; install {packages} by hand: {error:#}");
    }
    match program.find() {
        Some(path) => Ok(path),
        None => bail!("{packages} installed, but there is no {name} on the PATH"),
    }
}

impl Program {
    fn find(self) -> Option<PathBuf> {
        self.names.iter().copied().find_map(find)
    }
}

fn install(packages: &[&str]) -> Result<()> {
    if find("apt-get").is_none() {
        bail!("there is no apt-get here");
    }
    apt_get()?.args(["update"]).run()?;
    let install = apt_get()?.args(["install", "--yes", "--no-install-recommends"]);
    install.args(packages).run()
}

/// `apt-get` that asks nothing and waits its turn, as root or through sudo.
fn apt_get() -> Result<Cmd> {
    let waiting = "DPkg::Lock::Timeout=300";
    let quiet = ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0", "-o", waiting];
    let as_root = ["env", "DEBIAN_FRONTEND=noninteractive"];
    let user = Cmd::new("id").args(["-u"]).output()?;
    if user.trim() == "0" {
        return Ok(Cmd::new(as_root[0]).args(&as_root[1..]).args(quiet));
    }
    if find("sudo").is_none() {
        bail!("not root, and there is no sudo");
    }
    // In CI nobody can type a password: fail at once instead of waiting for one.
    let ask = std::env::var_os("CI").map_or(&[][..], |_| &["-n"][..]);
    Ok(Cmd::new("sudo").args(ask).args(as_root).args(quiet))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_under_any_of_its_names() {
        let shell = Program {
            names: &["no-such-program", "sh"],
            packages: &["no-such-package"],
        };
        assert!(ensure(shell).unwrap().ends_with("sh"));
    }
}
