//! One file a command; here they meet their settings and their runtime.

pub(crate) mod config;
pub(crate) mod serve;
pub(crate) mod stderr;
pub(crate) mod stdout;

use tokio::runtime;

use crate::cli::{Cli, Command, Serve};
use crate::config::Config;
use crate::logging;

/// Carries out what the command line says.
pub(crate) fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(serve) => {
            let Serve { file, flags } = *serve;
            let config = Config::load(flags, file.as_deref())?;
            logging::init(&config.log)?;
            runtime::Builder::new_multi_thread()
                .enable_all()
                .build()?
                .block_on(serve::run(config))
        }
        Command::Config(args) => config::run(args),
        Command::Pub(_) | Command::Tail(_) => anyhow::bail!("not wired yet"),
    }
}
