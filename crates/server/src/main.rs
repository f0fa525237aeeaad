//! The `tidewire` binary: reads the command line, carries it out, says how it ended.
//!
//! | open | for |
//! |---|---|
//! | [`app`], [`listen`] | what is served, and how connections are |
//! | [`demo`], [`pages`] | the typing answer and the page that shows it |
//! | [`cli`] | commands and flags |
//! | [`config`] | the server's settings |
//! | [`cmd`] | one file a command |
//! | [`descriptors`] | how many files the process may open |
//! | [`metrics`], [`stats`] | how the server is, for Prometheus and for people |
//! | [`logging`], [`requests`] | how log lines are written; the line of each request |

mod app;
mod cli;
mod cmd;
mod config;
mod demo;
mod descriptors;
mod listen;
mod logging;
mod metrics;
mod pages;
mod requests;
mod stats;

use std::process::ExitCode;

use cli::{Cli, UsageError};
use cmd::stdout;
use config::load::ConfigError;

fn main() -> ExitCode {
    match cmd::run(Cli::from_command_line()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if stdout::has_closed(&error) => ExitCode::SUCCESS,
        Err(error) => {
            cmd::stderr::say(format_args!("error: {error:#}"));
            let must_be_mended = error.is::<ConfigError>() || error.is::<UsageError>();
            ExitCode::from(if must_be_mended { 2 } else { 1 })
        }
    }
}
