//! `tidewire serve`.

use crate::config::Config;

/// Runs the server until a signal ends it.
pub(crate) async fn run(_config: Config) -> anyhow::Result<()> {
    anyhow::bail!("not wired yet")
}
