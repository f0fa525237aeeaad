//! `tidewire inspect`: says where the tap and its page are, and runs them until a signal.

use std::net::SocketAddr;

use clap::Args;

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

pub(super) async fn run(args: Inspect) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let to_usize = |value| usize::try_from(value).unwrap_or(usize::MAX);
    let upstream = args.upstream.to_string();
    let settings = Settings {
        upstream: args.upstream,
        tap: args.listen.get(),
        page: args.page.get(),
        secrets: Secrets::kept(args.keep_secrets),
        bounds: Bounds {
            streams: to_usize(args.keep_streams.get()),
            items: to_usize(args.keep_events.get()),
            bytes: to_usize(args.keep_bytes.get()),
        },
    };
    let announce = |tap: SocketAddr, page: SocketAddr| {
        stdout::print(&format!(
            "Tidewire is listening on http://{tap}, a tap of {upstream}\nOpen http://{page} to see its streams; then ask http://{tap} what you would ask the upstream\n"
        ))
    };
    inspect::run(settings, announce, async {
        signals.next().await;
    })
    .await
}
