//! The real server, for as long as a test needs it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use super::process::{Run, Tidewire, read_all, tidewire};

/// `tidewire serve` with its log in memory; it is killed when this is dropped.
pub struct Serve {
    pub url: String,
    child: Child,
}

impl Serve {
    /// Starts it on a free port.
    pub fn start() -> Self {
        Self::start_at("127.0.0.1:0")
    }

    /// Starts it at an address, and waits until it listens.
    pub fn start_at(address: &str) -> Self {
        Self::start_with(&["serve", "--listen", address, "--retry", "100ms", "--log", "off"])
    }

    /// Starts it with these arguments, and waits until it listens.
    pub fn start_with(args: &[&str]) -> Self {
        Self::start_as(tidewire(args))
    }

    /// Starts it as this command says, and waits until it listens.
    pub fn start_as(command: Tidewire) -> Self {
        // Its directory stays until its files have been read.
        let mut command = command.env("TIDEWIRE_MEMORY", "true");
        let mut child = command.spawn(Stdio::piped());
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let url = line.trim_end().strip_prefix("Tidewire is listening on ").unwrap();
        Self {
            url: url.to_owned(),
            child,
        }
    }

    /// The address that it listens on.
    pub fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    /// A command that talks to it.
    pub fn command(&self, args: &[&str]) -> Tidewire {
        tidewire(args).env("TIDEWIRE_URL", &self.url)
    }

    /// Runs `tidewire pub` with lines as standard input.
    pub fn publish(&self, args: &[&str], lines: &str) -> Run {
        self.command(&[&["pub"], args].concat())
            .run_with_input(lines.as_bytes())
    }
}

#[cfg(target_os = "linux")]
impl Serve {
    /// The most memory that it has held, in bytes.
    pub fn most_memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .unwrap();
        1024 * peak.trim().trim_end_matches(" kB").parse::<usize>().unwrap()
    }
}

#[cfg(unix)]
impl Serve {
    /// Ends it as a supervisor does, and says what it wrote to standard error.
    pub fn terminate(mut self) -> (Option<i32>, String) {
        use rustix::process::{Pid, Signal, kill_process};
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let stderr = read_all(self.child.stderr.take().unwrap());
        (self.child.wait().unwrap().code(), stderr.join().unwrap())
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
