//! The tap itself, running while a test needs it, and what its page would get.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Stdio};

use serde_json::Value;

use super::http::{Answer, Conversation, get, request};
use super::support::process::tidewire;

/// It is killed when this is dropped.
pub struct Tap {
    /// Asked in the upstream's place.
    pub address: SocketAddr,
    /// Where the page is.
    pub page: SocketAddr,
    child: Child,
}

impl Tap {
    pub fn of(upstream: &str) -> Self {
        Self::with(upstream, &[])
    }

    pub fn with(upstream: &str, flags: &[&str]) -> Self {
        let args = [
            "inspect",
            "--upstream",
            upstream,
            "--listen",
            "127.0.0.1:0",
            "--page",
            "127.0.0.1:0",
        ];
        let mut child = tidewire([&args[..], flags].concat()).spawn(Stdio::piped());
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = || {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            line
        };
        let address = |line: String, before: &str| {
            let rest = line
                .strip_prefix(before)
                .unwrap_or_else(|| panic!("{line:?}"))
                .to_owned();
            let end = rest.find([',', ' ']).unwrap();
            rest[..end].parse().unwrap()
        };
        Self {
            address: address(line(), "Tidewire is listening on http://"),
            page: address(line(), "Open http://"),
            child,
        }
    }

    /// Updates of the feed, until one fits: the stream with this id, and all that came with it.
    pub fn until(&self, id: u64, raw: bool, fits: impl Fn(&Seen) -> bool) -> Seen {
        let target = format!("/api/feed?stream={id}&raw={raw}");
        let mut feed = Conversation::begin(self.page, request(self.page, "GET", &target, "").as_bytes());
        let mut seen = Seen::default();
        let mut read = 0;
        loop {
            feed.until("\n\n");
            let text = feed.so_far();
            let updates: Vec<&str> = text
                .lines()
                .filter_map(|line| line.strip_prefix("data: "))
                .collect();
            // The last one may not be whole.
            let whole = text.matches("\n\n").count();
            for update in updates.iter().take(whole).skip(read) {
                seen.add(&serde_json::from_str(update).unwrap(), id);
            }
            read = whole.min(updates.len());
            if fits(&seen) {
                return seen;
            }
            feed.more();
        }
    }

    /// Waits until the stream is over.
    pub fn until_over(&self, id: u64) -> Seen {
        self.until(id, false, |seen| !seen.stream["ending"].is_null())
    }

    pub fn recording(&self, id: u64) -> Answer {
        get(self.page, &format!("/api/streams/{id}/recording"))
    }

    pub fn findings(&self, id: u64) -> Vec<Value> {
        let answer = get(self.page, &format!("/api/streams/{id}/findings"));
        serde_json::from_slice(&answer.body).unwrap()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the page knows.
#[derive(Debug, Default)]
pub struct Seen {
    pub ids: Vec<u64>,
    pub stream: Value,
    pub items: Vec<Value>,
    pub chunks: Vec<Value>,
    pub lost: u64,
}

impl Seen {
    fn add(&mut self, update: &Value, id: u64) {
        self.ids = update["ids"]
            .as_array()
            .unwrap()
            .iter()
            .map(|id| id.as_u64().unwrap())
            .collect();
        let streams = update["streams"].as_array().unwrap();
        if let Some(stream) = streams.iter().find(|stream| stream["id"] == id) {
            self.stream = stream.clone();
        }
        self.items
            .extend(update["items"].as_array().unwrap().iter().cloned());
        self.chunks
            .extend(update["chunks"].as_array().unwrap().iter().cloned());
        self.lost += update["lost"].as_u64().unwrap();
    }

    /// Kind, type, id and data of each item.
    pub fn told(&self) -> Vec<String> {
        let tell = |item: &Value| {
            let members = ["kind", "type", "id", "data", "code"].map(|name| item[name].as_str());
            members.into_iter().flatten().collect::<Vec<_>>().join(" ")
        };
        self.items.iter().map(tell).collect()
    }
}
