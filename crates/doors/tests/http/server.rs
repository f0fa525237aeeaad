//! The doors on a socket of their own, for as long as a test lasts.

use std::net::{SocketAddr, TcpListener};

use axum::Router;
use tidewire_doors::{guard::Guard, plain};
use tidewire_hub::{
    Config, Hub,
    archive::{Memory, Retention},
};
use tokio::runtime::Runtime;

use crate::client::{Client, Reader, Response, request};

/// A plain door with its hub.
pub struct Door {
    pub server: Server,
    pub hub: Hub,
}

/// Any router, served.
pub struct Server {
    pub address: SocketAddr,
    runtime: Runtime,
}

impl Door {
    pub fn open() -> Self {
        Self::with(Config::default(), Retention::default())
    }

    /// With other bounds than the usual.
    pub fn with(config: Config, retention: Retention) -> Self {
        Self::behind(Guard::default(), config, retention)
    }

    /// Behind a guard that wants more than the usual one.
    pub fn guarded(guard: Guard) -> Self {
        Self::behind(guard, Config::default(), Retention::default())
    }

    fn behind(guard: Guard, config: Config, retention: Retention) -> Self {
        let runtime = Runtime::new().unwrap();
        let hub = {
            let _inside = runtime.enter();
            Hub::start(config, Memory::new(retention)).unwrap()
        };
        let router = plain::router(hub.clone(), plain::Config::default());
        let router = guard.protect(router);
        let server = Server::start_on(runtime, router);
        Self { server, hub }
    }

    pub fn connect(&self) -> Client {
        self.server.connect()
    }

    /// Subscribes.
    #[track_caller]
    pub fn get(&self, target: &str) -> Reader {
        self.get_with(target, &[])
    }

    /// Subscribes with request headers; the stream's `retry` line has been read.
    #[track_caller]
    pub fn get_with(&self, target: &str, headers: &[(&str, &str)]) -> Reader {
        let mut reader = self.server.get(target, headers);
        assert_eq!(reader.head.status, 200);
        reader.expect_retry(1000);
        reader
    }

    /// Publishes, and returns the id.
    #[track_caller]
    pub fn post(&self, target: &str, body: &str) -> String {
        self.ask("POST", target, &[], body).id()
    }

    /// Any request on a connection of its own.
    pub fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Response {
        self.connect().ask(request(method, target, headers, body))
    }

    /// A position in this log.
    pub fn at(&self, seq: u64) -> String {
        format!("~{}-{seq}", self.hub.position().epoch)
    }

    pub fn drain(&self) {
        self.server.block_on(self.hub.drain());
    }
}

impl Server {
    pub fn start(router: Router) -> Self {
        Self::start_on(Runtime::new().unwrap(), router)
    }

    pub fn start_on(runtime: Runtime, router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener).unwrap()
        };
        // The runtime ends with the test, and the server with it.
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { address, runtime }
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    pub fn get(&self, target: &str, headers: &[(&str, &str)]) -> Reader {
        let mut client = self.connect();
        client.send(request("GET", target, headers, ""));
        client.reader()
    }

    /// Ends with all that runs in it, as a process does.
    #[allow(
        dead_code,
        reason = "the tests of the relay, which share this file, stop a server"
    )]
    pub fn stop(self) {
        self.runtime.shutdown_timeout(crate::client::PATIENCE);
    }

    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }
}

/// Small enough that a few events are too many.
pub fn keep_events(max: usize) -> Retention {
    Retention {
        max_events: Some(max),
        ..Retention::default()
    }
}
