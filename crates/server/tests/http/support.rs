//! A running server, which ends with its test.

use std::net::SocketAddr;

use tidewire_server::Config;
use tokio::runtime::Runtime;

use crate::client::{Client, Reader, Response, request};

pub struct Server {
    pub address: SocketAddr,
    running: Option<tidewire_server::Server>,
    runtime: Runtime,
}

impl Server {
    pub fn start() -> Self {
        Self::with(|_| {})
    }

    /// With the demo, and other values.
    pub fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            demo: true,
            ..Config::default()
        };
        change(&mut config);
        let runtime = Runtime::new().unwrap();
        let running = runtime.block_on(tidewire_server::Server::start(config)).unwrap();
        Self {
            address: running.address(),
            running: Some(running),
            runtime,
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

    /// Drains it.
    pub fn drain(&mut self) {
        self.runtime.block_on(self.running.take().unwrap().drain());
    }

    /// Drops the handle, while its runtime goes on.
    pub fn drop_handle(&mut self) {
        self.running = None;
    }
}
