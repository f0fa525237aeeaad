//! Log lines: to standard error, for people or for machines.

use std::io;

use anstream::{AutoStream, ColorChoice};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt, registry};

use crate::config::Log;
use crate::config::log::LogFormat;

/// Sets the process's subscriber. Call it once, before anything logs.
///
/// # Errors
/// When a subscriber is set already.
pub(crate) fn init(log: &Log) -> anyhow::Result<()> {
    let lines = match log.format {
        LogFormat::Human => {
            let colours = AutoStream::choice(&io::stderr()) != ColorChoice::Never;
            fmt::layer().with_ansi(colours).with_writer(io::stderr).boxed()
        }
        LogFormat::Json => fmt::layer().json().with_writer(io::stderr).boxed(),
    };
    registry()
        .with(lines.with_filter(log.level.targets()))
        .try_init()?;
    Ok(())
}
