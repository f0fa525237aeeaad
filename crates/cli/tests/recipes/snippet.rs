//! One run of a block by its interpreter, in a folder of its own.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, sync_channel},
    thread,
    time::Duration,
};

use crate::{
    document::{ADDRESS, Block},
    support::process::read_all,
};

/// Longer than a compiler takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A block that runs. It is killed when this is dropped.
pub(crate) struct Snippet {
    child: Option<Child>,
    lines: Receiver<String>,
    printed: String,
    line: usize,
    _folder: tempfile::TempDir,
}

/// The program that runs a language.
pub(crate) fn interpreter(language: &str) -> &'static str {
    match language {
        "sh" => "sh",
        "js" => "node",
        "python" => "python3",
        "go" => "go",
        other => panic!("nothing runs {other}"),
    }
}

pub(crate) fn is_missing(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    !std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

impl Snippet {
    /// Starts a block, with the server at this address.
    pub(crate) fn start(block: &Block, server: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = interpreter(&block.language);
        let (options, file): (&[&str], _) = match program {
            "sh" => (&["-e"], "snippet.sh"),
            "node" => (&[], "snippet.mjs"),
            "go" => (&["run"], "snippet.go"),
            _ => (&[], "snippet.py"),
        };
        fs::write(folder.path().join(file), block.text.replace(ADDRESS, server)).unwrap();
        let mut command = Command::new(program);
        command.args(options).arg(file).current_dir(&folder);
        without_proxies(&mut command);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = sync_channel(100);
        thread::spawn(move || {
            // A heartbeat is no part of what a recipe is about.
            let lines = stdout.lines().map_while(Result::ok).filter(|line| line != ":");
            for line in lines {
                if sender.send(line + "\n").is_err() {
                    break;
                }
            }
        });
        Self {
            child: Some(child),
            lines,
            printed: String::new(),
            line: block.line,
            _folder: folder,
        }
    }

    /// What it has printed when these are so many lines.
    pub(crate) fn wait_for_lines(&mut self, count: usize) -> String {
        while self.printed.lines().count() < count {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.printed += &line,
                Err(error) => self.fail(&format!("it prints too little ({error})")),
            }
        }
        self.printed.clone()
    }

    /// Waits for its end, and says what it has printed.
    pub(crate) fn finish(mut self) -> String {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.printed += &line,
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => self.fail("it does not end"),
            }
        }
        let status = self.child.as_mut().unwrap().wait().unwrap();
        if !status.success() {
            self.fail(&status.to_string());
        }
        std::mem::take(&mut self.printed)
    }

    fn fail(&mut self, why: &str) -> ! {
        let mut child = self.child.take().unwrap();
        let _ = child.kill();
        let _ = child.wait();
        let stderr = read_all(child.stderr.take().unwrap()).join().unwrap();
        let (line, printed) = (self.line, &self.printed);
        panic!("the block at line {line}: {why}; it printed\n{printed}\n{stderr}");
    }
}

impl Drop for Snippet {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The server is on this machine.
fn without_proxies(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().to_lowercase().ends_with("_proxy") {
            command.env_remove(name);
        }
    }
}
