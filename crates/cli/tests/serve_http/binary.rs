//! A running server, which ends with its test.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, ChildStdout, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    client::{Client, Reader, Response, request},
    support::process::{Tidewire, tidewire},
};

pub struct Server {
    pub address: SocketAddr,
    /// The second line that it printed.
    pub hint: String,
    /// The third one: where its log is.
    pub log: String,
    child: Child,
    stderr: Arc<Mutex<String>>,
    reading: Option<JoinHandle<()>>,
    /// Kept open: the server may write to it.
    _stdout: BufReader<ChildStdout>,
    /// Its working directory, removed with it.
    _home: Tidewire,
}

impl Server {
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// With settings from the environment.
    pub fn with(settings: &[(&str, &str)]) -> Self {
        Self::at("127.0.0.1:0", settings)
    }

    /// With its log in memory, unless the settings name a folder.
    pub fn at(listen: &str, settings: &[(&str, &str)]) -> Self {
        let mut home = tidewire(["serve", "--listen", listen]);
        if settings.iter().all(|(name, _)| *name != "TIDEWIRE_DATA") {
            home = home.env("TIDEWIRE_MEMORY", "true");
        }
        for (name, value) in settings {
            home = home.env(name, value);
        }
        Self::of(home)
    }

    /// As this command says.
    pub fn of(mut home: Tidewire) -> Self {
        let mut child = home.spawn(Stdio::piped());
        let stderr = Arc::new(Mutex::new(String::new()));
        let reading = {
            let (lines, stderr) = (
                BufReader::new(child.stderr.take().unwrap()).lines(),
                Arc::clone(&stderr),
            );
            thread::spawn(move || {
                for line in lines {
                    *stderr.lock().unwrap() += &(line.unwrap() + "\n");
                }
            })
        };
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = || {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            line
        };
        let (first, hint, log) = (line(), line(), line());
        let address = first.trim_end().strip_prefix("Tidewire is listening on http://");
        Self {
            address: address.expect("an address").parse().unwrap(),
            hint,
            log,
            child,
            stderr,
            reading: Some(reading),
            _stdout: stdout,
            _home: home,
        }
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    pub fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Response {
        self.connect().ask(request(method, target, headers, body))
    }

    /// Publishes, and returns the id.
    #[track_caller]
    pub fn post(&self, target: &str, body: &str) -> String {
        self.ask("POST", target, &[], body).id()
    }

    /// Subscribes; the stream's `retry` line has been read.
    #[track_caller]
    pub fn get(&self, target: &str, headers: &[(&str, &str)]) -> Reader {
        let mut client = self.connect();
        client.send(request("GET", target, headers, ""));
        let mut reader = client.reader();
        assert_eq!(reader.head.status, 200);
        reader.expect_retry(1000);
        reader
    }

    /// Whether it says that new work should be sent to it.
    pub fn is_ready(&self) -> bool {
        self.ask("GET", "/readyz", &[], "").status() == 200
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// How much memory it takes, in bytes.
    #[cfg(target_os = "linux")]
    pub fn resident(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
    }

    /// What it has written to standard error.
    pub fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Waits until it has ended; its exit code, and what it wrote to standard error.
    pub fn ended(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().unwrap();
        self.reading.take().unwrap().join().unwrap();
        (status.code(), self.stderr())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
