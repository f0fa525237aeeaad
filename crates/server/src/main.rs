//! The `tidewire` binary: reads the command line, carries it out, says how it ended.
//!
//! | open | for |
//! |---|---|
//! | [`cli`] | commands and flags |
//! | [`config`] | the server's settings |
//! | [`cmd`] | one file a command |
//! | [`logging`] | how log lines are written |

mod cli;
mod cmd;
mod config;
mod logging;

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
