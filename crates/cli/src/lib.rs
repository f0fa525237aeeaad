//! The command line of Tidewire: reads it, carries it out, says how it ended.
//!
//! | open | for |
//! |---|---|
//! | `cli` | commands and flags |
//! | `config` | the server's settings |
//! | `cmd` | one file a command; those that serve take what they need of `tidewire_server` |
//! | `doctor` | what is wrong with a stream: the examination, without I/O, and the visit |
//! | `inspect` | the tap between a client and its server, and what its page shows |
//! | `recording`, `secrets` | an answer as it came, in a file; what is left out of it |
//! | `http`, `unpack` | asking servers, and what answers are packed in |
//! | `logging` | how log lines are written |

mod cli;
mod cmd;
mod config;
mod doctor;
mod http;
mod inspect;
mod logging;
mod recording;
mod secrets;
mod unpack;

use std::process::ExitCode;

use cli::{Cli, UsageError};
use cmd::stdout;
use cmd::tail::Interrupted;
use cmd::{log::CannotLook, serve};
use config::{Config, load::ConfigError};

/// Carries out the command line of the process, and says how it ended.
#[must_use]
pub fn run() -> ExitCode {
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

/// The configuration of a server from the text of a settings file, over the defaults. Flags and variables do not count,
/// but for the variables that hold keys of routes.
///
/// # Errors
/// A setting is wrong, or a start with these settings would be refused.
pub fn server_config(text: &str) -> anyhow::Result<tidewire_server::Config> {
    let config = Config::of_text(text)?;
    serve::settings(&config, config.plan()?)
}
