//! `tidewire inspect`: a tap between a client and its server, and a page that shows every event stream live.
//!
//! ```text
//! client ──► tap ──► upstream            the bytes, unchanged
//!             │ a copy of each chunk, dropped rather than waited for
//!             ▼
//!           scribe ──► store ──► feed ──► page (a port of its own)
//! ```
//!
//! | open | for |
//! |---|---|
//! | [`tap`] | a request's way to the upstream and back |
//! | [`upstream`], [`hop`] | who is asked, and which headers go there |
//! | [`watched`] | a body that is passed on, and seen |
//! | [`tunnel`] | what is no HTTP any more: WebSockets |
//! | [`scribe`], [`reading`] | what was seen, read as events |
//! | [`lines`], [`hole`] | NDJSON; where reading goes on after a hole |
//! | [`store`], [`stream`], [`item`] | what is kept of it, in memory |
//! | [`feed`], [`api`] | what the page asks for |
//! | [`findings`] | what the doctor says of a stream |
//!
//! Invariants:
//! - The tap never waits for the view: what the scribe has no room for is missing from the view, and counted there.
//! - No path of the upstream is shadowed: the page has another port.
//! - Both ports are loopback only. Whoever asks must name loopback (DNS rebinding); the page's port also refuses what
//!   pages of other origins send. What the upstream lets whom do is the upstream's to say, so the tap passes `Origin` on.
//! - Everything kept has a bound: [`Bounds`].

mod api;
mod feed;
mod findings;
mod hole;
mod hop;
mod item;
mod lines;
mod reading;
mod scribe;
mod store;
mod stream;
mod tap;
mod tunnel;
pub(crate) mod upstream;
mod watched;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::Router;
use tidewire_doors::guard::Guard;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    listen::{self, Guests},
    secrets::Secrets,
};
use store::Store;
use upstream::Upstream;

/// How much is kept for the view.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub(crate) struct Bounds {
    /// Streams; the oldest go first.
    pub(crate) streams: usize,
    /// Events and other items of a stream; the oldest go first.
    pub(crate) items: usize,
    /// Bytes of a stream, its first ones: for its recording, the raw view and the findings.
    pub(crate) bytes: usize,
}

/// What `tidewire inspect` is told.
pub(crate) struct Settings {
    pub(crate) upstream: Upstream,
    pub(crate) tap: SocketAddr,
    pub(crate) page: SocketAddr,
    pub(crate) secrets: Secrets,
    pub(crate) bounds: Bounds,
}

/// Connections to the tap, and to the page, at a time.
const MAX_CONNECTIONS: usize = 1024;

/// Waiting connections.
const BACKLOG: u32 = 128;

/// A client that stands still, as one in a debugger does, is the upstream's affair: the tap cuts nobody.
const NEVER: Duration = Duration::from_secs(24 * 60 * 60);

/// The bounds of connections. A head may be as large as any server takes.
const CONNECTION: listen::Bounds = listen::Bounds {
    header_read: Duration::from_secs(30),
    keep_alive: Duration::from_secs(75),
    max_header: 64 << 10,
    write_stall: NEVER,
    tcp_user: NEVER,
    kept_from: i32::MAX,
};

/// Listens, tells the addresses, and serves until `stop`. Streams that still run are cut then.
pub(crate) async fn run(
    settings: Settings,
    announce: impl FnOnce(SocketAddr, SocketAddr) -> anyhow::Result<()>,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let bind = |address, flag| {
        listen::bind(address, BACKLOG).with_context(|| {
            format!("cannot listen on {address}: is another program there? {flag} takes another address")
        })
    };
    let tap = bind(settings.tap, "--listen")?;
    let page = bind(settings.page, "--page")?;
    let (tap_address, page_address) = (tap.local_addr()?, page.local_addr()?);
    let upstream = Arc::new(settings.upstream);
    upstream.is_not(tap_address)?;

    let tasks = TaskTracker::new();
    let cancel = CancellationToken::new();
    let store = Arc::new(Store::new(settings.bounds));
    let through = tap::router(tap::Tap::new(
        Arc::clone(&upstream),
        Arc::clone(&store),
        tasks.clone(),
        settings.secrets,
    )?);
    let about = api::About {
        version: env!("CARGO_PKG_VERSION"),
        tap: format!("http://{tap_address}"),
        upstream: upstream.to_string(),
        bounds: settings.bounds,
    };
    let shown = Guard::loopback().protect(api::router(about, store));
    announce(tap_address, page_address)?;

    let serve = |listener, app: Router, guests: Arc<Guests>| {
        let (tasks, cancel) = (tasks.clone(), cancel.clone());
        async move {
            listen::serve(
                listener,
                app,
                Guard::loopback(),
                CONNECTION,
                &guests,
                &tasks,
                cancel,
            )
            .await;
        }
    };
    let guests = || Guests::new(MAX_CONNECTIONS, None);
    tokio::select! {
        () = serve(tap, through, guests()) => {}
        () = serve(page, shown, guests()) => {}
        () = stop => {}
    }
    cancel.cancel();
    Ok(())
}
