//! What a server is started with: typed values with defaults, those that `tidewire config` prints. Nothing is read from a
//! file or from the environment here.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use tidewire_doors::{guard::Guard, plain};
use tidewire_hub::archive::{Retention, segments::Durability};
use tidewire_relay as relay;

use crate::listen::Bounds;

/// The parts of a server and its bounds. The default serves on a free port of loopback, with its log in memory.
#[derive(Debug, Clone)]
pub struct Config {
    /// The address to listen on. Port 0 takes a free port.
    pub address: SocketAddr,
    /// Connections that the system holds until they are accepted.
    pub backlog: u32,
    /// Who may ask. The server declares its own routes and those of the relay to it. It starts without tokens at any
    /// address: one that other machines can reach needs some.
    pub guard: Guard,
    /// The streams under `/events`, and how all streams and bodies of requests are bounded.
    pub plain: plain::Config,
    /// The relay. Its heartbeat, retry, bodies and send buffers are those of `plain`.
    pub relay: relay::Config,
    /// Whether the demo and its pages are served.
    pub demo: bool,
    /// Where the relay asks the demo, for example at `/v1`. Everybody may ask there.
    pub demo_path: Option<String>,
    /// The bounds of the hub.
    pub hub: tidewire_hub::Config,
    /// Where the log is.
    pub log: Log,
    /// How much the log keeps.
    pub retention: Retention,
    /// Whether `/healthz` is red when the log can no longer be written; `/readyz` is red in any case.
    pub unhealthy_when_poisoned: bool,
    /// The bounds of each connection; [`Bounds::kept_from`] is the server's own to set.
    pub connection: Bounds,
    /// The most connections at a time. One more is refused (503).
    pub max_connections: usize,
    /// The most connections at a time from one network. One more is refused (429).
    pub max_connections_per_network: Option<usize>,
    /// How many files the process may open, which connections, the log and the relay share. None: as many as it likes.
    pub open_files: Option<u64>,
    /// How long a drain serves on with `/readyz` red before anything else.
    pub drain_notice: Duration,
    /// How long it takes after that, at most.
    pub drain: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            backlog: 4096,
            guard: Guard::default(),
            plain: plain::Config::default(),
            relay: relay::Config::new(Vec::new()),
            demo: false,
            demo_path: None,
            hub: tidewire_hub::Config::default(),
            log: Log::Memory,
            retention: Retention::default(),
            unhealthy_when_poisoned: false,
            connection: Bounds::default(),
            max_connections: 100_000,
            max_connections_per_network: None,
            open_files: None,
            drain_notice: Duration::ZERO,
            drain: Duration::from_secs(10),
        }
    }
}

/// Where a log is.
#[derive(Debug, Clone)]
pub enum Log {
    /// In memory: a restart begins a new one.
    Memory,
    /// On a disk.
    Folder {
        /// Made if it is not there.
        path: PathBuf,
        /// When an event is safe.
        durability: Durability,
    },
}

impl Log {
    /// The word for it in `/stats` and on the page.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Folder { .. } => "segments",
        }
    }
}
