//! `tidewire inspect`: says where the tap and its page are, and runs them until a signal.

use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tidewire_doors::guard::Guard;
use tidewire_server::{
    listen::{self, Guests},
    pages,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{signals::Signals, stdout};
use crate::{
    config::{
        address::Loopback,
        value::{Count, GIB, KIB, Size},
    },
    inspect::{self, Bounds, Settings, upstream::Upstream},
    secrets::Secrets,
};

/// Stands between a client and its server and shows every event stream live on a page, also those that
/// are opened by fetch. What goes through is not changed. Ask the tap what you would ask the server.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The server that is asked: scheme, host and port
    #[arg(long, value_name = "URL")]
    upstream: Upstream,

    /// The tap; a loopback address
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8421")]
    listen: Loopback,

    /// The page that shows the streams; a loopback address
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8422")]
    page: Loopback,

    /// Keep so many streams for the page; the oldest go first
    #[arg(long, value_name = "N", default_value = "50")]
    keep_streams: Count<1, 1_000>,

    /// Keep so many events of a stream; the oldest go first
    #[arg(long, value_name = "N", default_value = "1000")]
    keep_events: Count<1, 100_000>,

    /// Keep so many bytes of a stream, its first ones: for recordings and findings
    #[arg(long, value_name = "SIZE", default_value = "2MiB")]
    keep_bytes: Size<KIB, GIB>,

    /// Show and record URLs' queries and all headers as they are; without it, values that may be secrets are left out
    #[arg(long)]
    keep_secrets: bool,
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

/// Streams that still run at the signal are cut.
pub(super) async fn run(args: Inspect) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let to_usize = |value| usize::try_from(value).unwrap_or(usize::MAX);
    let bind = |address, flag| {
        listen::bind(address, BACKLOG).with_context(|| {
            format!("cannot listen on {address}: is another program there? {flag} takes another address")
        })
    };
    let tap = bind(args.listen.get(), "--listen")?;
    let page = bind(args.page.get(), "--page")?;
    let (tap_address, page_address) = (tap.local_addr()?, page.local_addr()?);
    let upstream = args.upstream.to_string();
    let settings = Settings {
        upstream: args.upstream,
        tap: tap_address,
        secrets: Secrets::kept(args.keep_secrets),
        bounds: Bounds {
            streams: to_usize(args.keep_streams.get()),
            items: to_usize(args.keep_events.get()),
            bytes: to_usize(args.keep_bytes.get()),
        },
    };
    let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
    let _cancel = cancel.clone().drop_guard();
    let ports = inspect::ports(settings, pages::inspector(), tasks.clone())?;
    stdout::print(&format!(
        "Tidewire is listening on http://{tap_address}, a tap of {upstream}\nOpen http://{page_address} to see its streams; then ask http://{tap_address} what you would ask the upstream\n"
    ))?;
    let serve = async |listener, app| {
        let guests = Guests::new(MAX_CONNECTIONS, None);
        let guard = Guard::loopback();
        listen::serve(listener, app, guard, CONNECTION, &guests, &tasks, cancel.clone()).await;
    };
    tokio::select! {
        () = serve(tap, ports.tap) => {}
        () = serve(page, ports.page) => {}
        _ = signals.next() => {}
    }
    Ok(())
}
