//! One file a command; here they meet their settings and their runtime.

mod completions;
mod config;
pub(crate) mod doctor;
mod header;
pub(crate) mod inspect;
pub(crate) mod log;
mod man;
mod publish;
pub(crate) mod replay;
pub(crate) mod serve;
mod signals;
pub(crate) mod stderr;
pub(crate) mod stdout;
pub(crate) mod tail;
pub(crate) mod topic;
pub(crate) mod visible;

use std::process::ExitCode;

use tidewire_hub::Clock;
use tokio::runtime::{Builder, Runtime};

use crate::cli::{Cli, Command};
use crate::logging;

/// Carries out what the command line says. Only `doctor` has several ways to succeed.
pub(crate) fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(serve) => {
            let config = serve.load()?;
            logging::init(&config.log)?;
            let runtime = many_threads()?;
            let ended = runtime.block_on(serve::run(config));
            // It has waited as long as it may: reads that block a thread end with the process.
            runtime.shutdown_background();
            ended
        }
        Command::Config(args) => config::run(args),
        Command::Inspect(args) => many_threads()?.block_on(inspect::run(args)),
        Command::Pub(args) => one_thread()?.block_on(publish::run(args)),
        Command::Replay(args) => one_thread()?.block_on(replay::run(args)),
        Command::Log(args) => log::run(args),
        Command::Doctor(args) => return one_thread()?.block_on(doctor::run(args)),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
        Command::Tail(args) => one_thread()?.block_on(tail::run(args)),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn many_threads() -> anyhow::Result<Runtime> {
    runtime(&mut Builder::new_multi_thread())
}

fn one_thread() -> anyhow::Result<Runtime> {
    runtime(&mut Builder::new_current_thread())
}

/// For what speaks HTTP and TLS, which have no times before 1970.
fn runtime(builder: &mut Builder) -> anyhow::Result<Runtime> {
    Clock::system().check()?;
    Ok(builder.enable_all().build()?)
}
