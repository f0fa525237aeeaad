//! A server, from its configuration to its last connection.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use axum::Router;
use tidewire_doors::guard::Guard;
use tidewire_hub::{
    Hub,
    archive::{
        Memory, Retention,
        segments::{self, OpenError, RealDisk, Segments},
    },
};
use tidewire_relay::{
    self as relay, Relay, Route,
    config::{Owner, RouteAuth},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{
    app::{self, Parts, Readiness},
    config::{Config, Log},
    descriptors::Budget,
    drain::Drain,
    listen::{self, Bounds, Guests},
};

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The process may open too few files.
    #[error("{0}")]
    Files(String),
    /// The address cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// See [`Config::address`].
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The log's folder cannot be had.
    #[error("cannot keep the log in {}: {source}", folder.display())]
    Folder {
        /// See [`Log::Folder`].
        folder: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The log cannot be opened.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// The hub cannot start.
    #[error(transparent)]
    Hub(#[from] tidewire_hub::StartError),
    /// The relay cannot start.
    #[error(transparent)]
    Relay(#[from] relay::StartError),
}

/// A running server. It stops when it is dropped: without waiting for anything, as nobody could await it.
pub struct Server {
    address: SocketAddr,
    app: Router,
    guard: Guard,
    hub: Hub,
    drain: Drain,
    _stop: DropGuard,
}

impl Server {
    /// Binds, opens the log, and serves. All tasks are on the runtime that this is called on.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let files = files(&config)?;
        let guests = guests(&config, files);
        // Before the log is opened: where the port is taken, no folder is made.
        let wanted = config.address;
        let cannot_listen = |source| StartError::Listen {
            address: wanted,
            source,
        };
        let listener = listen::bind(wanted, config.backlog).map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;
        let archive = config.log.kind();
        let hub = start_hub(config.hub, config.log, config.retention)?;
        let (readiness, tasks, stop) = (Readiness::green(), TaskTracker::new(), CancellationToken::new());
        let plain = config.plain;
        let mut relay = relay::Config {
            heartbeat: plain.heartbeat,
            retry: plain.retry,
            bodies: plain.bodies.clone(),
            send_buffers: plain.send_buffers.clone(),
            ..within(config.relay, files)
        };
        relay
            .routes
            .extend(config.demo_path.and_then(|path| to_demo(path, address)));
        let declared = relay
            .routes
            .iter()
            .map(|route| (route.path.clone(), route.auth, is_keyed(route)));
        let guard = config.guard.routes(declared).refuse_on_routes(relay::refuse);
        let relay = Relay::start(hub.clone(), relay, tasks.clone()).await?;
        let app = app::router(Parts {
            plain,
            demo: config.demo,
            archive,
            unhealthy_when_poisoned: config.unhealthy_when_poisoned,
            guard: guard.clone(),
            hub: &hub,
            guests: &guests,
            readiness: readiness.clone(),
            relay: relay.clone(),
            typists: tasks.clone(),
        })
        .await;
        let bounds = Bounds {
            kept_from: files.kept_from,
            ..config.connection
        };
        let (serving, connections) = (tasks.clone(), tasks.clone());
        let (router, for_refusals, stopped) = (app.clone(), guard.clone(), stop.clone());
        serving.spawn(async move {
            listen::serve(
                listener,
                router,
                for_refusals,
                bounds,
                &guests,
                &connections,
                stopped,
            )
            .await;
        });
        let (draining, stopped) = (hub.clone(), stop.clone());
        serving.spawn(async move {
            stopped.cancelled().await;
            draining.drain().await;
        });
        Ok(Self {
            address,
            app,
            guard,
            hub,
            drain: Drain {
                readiness,
                relay,
                tasks,
                stop: stop.clone(),
                notice: config.drain_notice,
                time: config.drain,
            },
            _stop: stop.drop_guard(),
        })
    }

    /// Where it listens, with the port that it got.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its hub, to publish and subscribe beside HTTP.
    #[must_use]
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Its guard, whose tokens can be replaced while it runs.
    #[must_use]
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// All that it serves, behind its guard, for requests that come another way than by its address.
    pub fn router(&self) -> Router {
        self.app.clone()
    }

    /// Leaves in phases, so that each client loses as little as can be; see [`Config::drain_notice`] and
    /// [`Config::drain`].
    pub async fn drain(self) {
        self.drain.run().await;
    }
}

/// Whether a route answers in the name of the server, or of a user whom a browser or a proxy names: pages of any origin
/// could ask in that name.
fn is_keyed(route: &Route) -> bool {
    route.key.is_some() || route.pass_cookies || route.owner != Owner::Capability
}

/// The route to the demo's upstream, which is this server.
fn to_demo(path: String, address: SocketAddr) -> Option<Route> {
    let host = match address.ip() {
        ip if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        ip => ip,
    };
    let upstream = format!("http://{}/demo/v1", SocketAddr::from((host, address.port())));
    Some(Route {
        auth: RouteAuth::Upstream,
        ..Route::new(path, upstream.parse().ok()?)
    })
}

/// The relay's shares: where open files allow fewer answers than the setting, they shrink with them.
fn within(config: relay::Config, files: Budget) -> relay::Config {
    let upstreams = to_usize(files.upstreams);
    let share = |max: usize| (max * upstreams / config.max_running.max(1)).max(1);
    relay::Config {
        max_running_without_token: config.max_running_without_token.map(share),
        max_running_per_network: config.max_running_per_network.map(share),
        max_running: upstreams,
        ..config
    }
}

/// The most bytes of a segment.
const SEGMENT: u64 = 64 << 20;

/// The bytes of a segment: a few segments at least, or retention would let go much at a time.
fn segment_bytes(max_bytes: u64) -> u64 {
    (max_bytes / 8).min(SEGMENT)
}

fn start_hub(bounds: tidewire_hub::Config, log: Log, retention: Retention) -> Result<Hub, StartError> {
    let Log::Folder { path, durability } = log else {
        return Ok(Hub::start(bounds, Memory::new(retention))?);
    };
    let settings = segments::Settings {
        durability,
        segment_bytes: segment_bytes(retention.max_bytes as u64),
        retention,
    };
    let disk = RealDisk::open(&path).map_err(|source| StartError::Folder { folder: path, source })?;
    Ok(Hub::start(bounds, Segments::open(Arc::new(disk), settings)?)?)
}

/// Shares out the files that the process may open.
fn files(config: &Config) -> Result<Budget, StartError> {
    let files = config.open_files.unwrap_or(u64::MAX);
    let kept = config.retention.max_bytes as u64;
    let segments = match config.log {
        Log::Memory => 0,
        // Each has more than half of what it may, with the next one.
        Log::Folder { .. } => 2 * kept.div_ceil(segment_bytes(kept).max(1)) + 2,
    };
    let wanted = config.relay.max_running as u64;
    let budget = Budget::of(files, segments, wanted).map_err(StartError::Files)?;
    let (max, most) = (budget.connections, config.max_connections as u64);
    if max < most {
        tracing::info!(
            "taking at most {max} connections, not limits.max_connections ({most}): the system allows {files} open \
             files (`ulimit -Hn`, systemd's LimitNOFILE=)"
        );
    }
    if budget.upstreams < wanted {
        tracing::debug!(
            "running at most {} answers of upstreams, not limits.max_running_answers ({wanted}), of {files} open files",
            budget.upstreams
        );
    }
    Ok(budget)
}

fn guests(config: &Config, files: Budget) -> Arc<Guests> {
    let wanted = config.max_connections;
    let max = wanted.min(to_usize(files.connections));
    // Where open files are few, one address leaves some of them.
    let room = if max < wanted { max * 3 / 4 } else { max };
    let per_network = config.max_connections_per_network;
    Guests::new(max, per_network.map(|most| most.min(room).max(1)))
}

/// A number as the platform counts; what does not fit is as much as there is.
fn to_usize(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
