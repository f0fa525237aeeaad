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
//! - Both ports are loopback only. A request must name loopback in `Host` (DNS rebinding); the page's port also refuses what
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

use std::{net::SocketAddr, sync::Arc};

use axum::Router;
use tidewire_doors::guard::Guard;
use tokio_util::task::TaskTracker;

use crate::secrets::Secrets;
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

/// The settings of the tap.
pub(crate) struct Settings {
    pub(crate) upstream: Upstream,
    /// Where the tap is.
    pub(crate) tap: SocketAddr,
    pub(crate) secrets: Secrets,
    pub(crate) bounds: Bounds,
}

/// The routers of the two ports.
pub(crate) struct Ports {
    pub(crate) tap: Router,
    pub(crate) page: Router,
}

/// Makes them; `shown` is the page with all that it loads.
pub(crate) fn ports(settings: Settings, shown: Router, tasks: TaskTracker) -> anyhow::Result<Ports> {
    let upstream = Arc::new(settings.upstream);
    upstream.is_not(settings.tap)?;
    let about = api::About {
        version: env!("CARGO_PKG_VERSION"),
        tap: format!("http://{}", settings.tap),
        upstream: upstream.to_string(),
        bounds: settings.bounds,
    };
    let store = Arc::new(Store::new(settings.bounds));
    let tap = tap::Tap::new(upstream, Arc::clone(&store), tasks, settings.secrets)?;
    Ok(Ports {
        tap: tap::router(tap),
        page: Guard::loopback().protect(api::router(about, store, shown)),
    })
}
