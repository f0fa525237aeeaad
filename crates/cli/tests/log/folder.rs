//! A log's folder, the server on it, and `tidewire log` on it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use rustix::process::Signal;

use crate::{
    binary::Server,
    support::process::{Run, Tidewire, tidewire},
};

pub struct Folder {
    home: tempfile::TempDir,
    pub data: PathBuf,
}

impl Folder {
    pub fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        Self { home, data }
    }

    /// Another log beside one, in whose place it is looked at.
    pub fn at(other: Self, name: &str) -> Self {
        Self {
            data: other.home.path().join(name),
            home: other.home,
        }
    }

    /// What a server that does not start on it says.
    pub fn serve_fails(&self) -> String {
        let run = tidewire([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--data",
            self.data.to_str().unwrap(),
        ])
        .run();
        assert!(run.code.is_some_and(|code| code != 0), "{run:?}");
        run.stderr
    }

    /// A log of several segments, from which the oldest have been let go; the server was killed.
    pub fn grown() -> Self {
        let folder = Self::new();
        let server = folder.serve();
        for number in 0..50 {
            let big = format!("{number} ").repeat(16_000);
            server.post(&format!("/events/big?id=big-{number}"), &big);
            server.post("/events/small", &number.to_string());
        }
        folder.settle();
        end(server, Signal::KILL);
        folder
    }

    /// Waits until a server has written down what it writes beside publishing, and let go what is beyond 1 MiB.
    pub fn settle(&self) {
        let is_settled = || {
            let segments = self.files(".seg");
            let len = |name: &String| fs::metadata(self.data.join(name)).map_or(2 << 20, |file| file.len());
            self.files(".idx").len() + 1 == segments.len()
                && segments.iter().map(len).sum::<u64>() <= 1 << 20
                && self.files("topics").len() == 1
                && self.files(".snap").len() + self.files(".copy").len() == 2
        };
        while !is_settled() {
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// The server; it keeps 1 MiB, in segments of 128 KiB.
    pub fn serve(&self) -> Server {
        Server::with(&[
            ("TIDEWIRE_DATA", self.data.to_str().unwrap()),
            ("TIDEWIRE_ARCHIVE_MAX_BYTES", "1MiB"),
            ("TIDEWIRE_LIMITS_MAX_TOPICS", "100"),
        ])
    }

    pub fn command(&self, args: &[&str]) -> Tidewire {
        let data = self.data.to_str().unwrap();
        tidewire([&["log"], args, &["--data", data]].concat())
    }

    pub fn log(&self, args: &[&str]) -> Run {
        self.command(args).run()
    }

    /// A path beside the log.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// What stands beside the log, in order.
    pub fn names_beside(&self) -> Vec<String> {
        let entries = fs::read_dir(self.home.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    /// Every file with its bytes.
    pub fn content(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        fn read(folder: &Path, into: &mut BTreeMap<PathBuf, Vec<u8>>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => read(&path, into),
                    // A server may be letting it go.
                    false => drop(fs::read(&path).map(|bytes| into.insert(path.clone(), bytes))),
                }
            }
        }
        let mut content = BTreeMap::new();
        read(&self.data, &mut content);
        content
    }

    /// The files whose names end so, in order: names in the log's folder.
    pub fn files(&self, end: &str) -> Vec<String> {
        let names = self.content().into_keys().map(|path| {
            let name = path.strip_prefix(&self.data).unwrap();
            name.to_str().unwrap().to_owned()
        });
        names.filter(|name| name.ends_with(end)).collect()
    }
}

/// Ends a server so, and waits until it has.
pub fn end(server: Server, signal: Signal) {
    server.signal(signal);
    server.ended();
}

/// Lines of JSON.
pub fn json_lines(text: &str) -> Vec<serde_json::Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}
