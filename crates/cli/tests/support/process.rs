//! One run of the binary, in a directory and an environment of its own.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// A run that takes longer hangs; it is ended, and the test fails.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(10);

/// How a run ended and what it printed.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// The binary, to be run in an empty directory without any setting in the environment.
pub struct Tidewire {
    command: Command,
    directory: tempfile::TempDir,
}

pub fn tidewire<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Tidewire {
    command(env!("CARGO_BIN_EXE_tidewire"), args)
}

/// The same with another program, which runs the binary.
pub fn command<S: AsRef<OsStr>>(program: &str, args: impl IntoIterator<Item = S>) -> Tidewire {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(program);
    command.args(args).current_dir(&directory).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("TIDEWIRE_") || text.to_lowercase().ends_with("_proxy") {
            command.env_remove(name);
        }
    }
    for colours in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(colours);
    }
    Tidewire { command, directory }
}

impl Tidewire {
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it in another directory than its own.
    pub fn within(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Puts a file into its directory.
    pub fn file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.directory.path().join(name), text).unwrap();
        self
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn run(self) -> Run {
        self.run_with_input(b"")
    }

    pub fn run_with_input(mut self, input: &[u8]) -> Run {
        let mut child = self.spawn(Stdio::piped());
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        thread::spawn(move || {
            // The binary may end before it has read everything.
            let _ = stdin.write_all(&input);
        });
        let stdout = read_all(child.stdout.take().unwrap());
        finish(child, stdout)
    }

    /// Runs it on a terminal of its own.
    #[cfg(unix)]
    pub fn run_on_terminal(mut self) -> Run {
        let (ours, theirs) = terminal();
        let child = self
            .command
            .env("TERM", "xterm")
            .stdout(theirs)
            .stderr(Stdio::piped());
        let child = child.spawn().unwrap();
        // The last handle of the far side must be the child's, so that its end can be seen.
        self.command.stdout(Stdio::null());
        finish(child, read_all(ours))
    }

    /// Starts it and leaves it running.
    pub fn spawn(&mut self, stdout: Stdio) -> Child {
        let command = self
            .command
            .stdin(Stdio::piped())
            .stdout(stdout)
            .stderr(Stdio::piped());
        command.spawn().unwrap()
    }
}

/// Waits for a child, which is ended when it hangs.
pub fn finish(mut child: Child, stdout: thread::JoinHandle<String>) -> Run {
    let stderr = read_all(child.stderr.take().unwrap());
    let mut waited = Duration::ZERO;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if waited > PATIENCE {
            child.kill().unwrap();
            let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
            panic!("it hangs; so far it printed:\n{stdout}\n{stderr}");
        }
        thread::sleep(LOOK);
        waited += LOOK;
    };
    Run {
        code: status.code(),
        stdout: stdout.join().unwrap(),
        stderr: stderr.join().unwrap(),
    }
}

pub fn read_all(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // A terminal ends with an error where a pipe just ends.
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8(bytes).unwrap()
    })
}

/// Both sides of a new terminal.
#[cfg(unix)]
pub fn terminal() -> (File, File) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    // A child that had it would keep the terminal from going.
    rustix::io::fcntl_setfd(&ours, rustix::io::FdFlags::CLOEXEC).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = File::options()
        .read(true)
        .write(true)
        .open(name.to_str().unwrap())
        .unwrap();
    (ours.into(), theirs)
}
