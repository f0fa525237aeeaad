//! The `tidewire` binary: reads the command line, carries it out, says how it ended.
//!
//! | open | for |
//! |---|---|
//! | [`app`], [`listen`] | what is served, and how connections are |
//! | [`demo`], [`pages`] | the typing answer and the page that shows it |
//! | [`cli`] | commands and flags |
//! | [`config`] | the server's settings |
//! | [`cmd`] | one file a command |
//! | [`doctor`] | what is wrong with a stream: the examination, without I/O, and the visit |
//! | [`descriptors`] | how many files the process may open |
//! | [`inspect`] | the tap between a client and its server, and what its page shows |
//! | [`metrics`], [`stats`] | how the server is, for Prometheus and for people |
//! | [`recording`] | an answer as it came, in a file |
//! | [`logging`], [`requests`] | how log lines are written; the line of each request |

mod app;
mod cli;
mod cmd;
mod config;
mod demo;
mod descriptors;
mod doctor;
mod drain;
mod inspect;
mod listen;
mod logging;
mod metrics;
mod pages;
mod recording;
mod requests;
mod secrets;
mod server;
mod settings;
mod stats;

use std::process::ExitCode;

use cli::{Cli, UsageError};
use cmd::log::CannotLook;
use cmd::stdout;
use cmd::tail::Interrupted;
use config::load::ConfigError;

/// A connection holds two buffers of 8 KiB (hyper's) of which it touches little. With this allocator an idle reader
/// takes 9 KiB of memory, with the system's 14, and publishes are a tenth faster (`benches/README.md`).
#[cfg(all(unix, feature = "jemalloc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match cmd::run(Cli::from_command_line()) {
        Ok(code) => code,
        Err(error) if stdout::has_closed(&error) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(interrupted) = error.downcast_ref::<Interrupted>() {
                return ExitCode::from(interrupted.code());
            }
            cmd::stderr::say(format_args!("error: {}", cmd::stderr::once(&error)));
            let must_be_mended =
                error.is::<ConfigError>() || error.is::<UsageError>() || error.is::<CannotLook>();
            ExitCode::from(if must_be_mended { 2 } else { 1 })
        }
    }
}
