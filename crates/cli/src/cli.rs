//! The command line: every command and flag with its help. Nothing is carried out here.
//!
//! The flags of `tidewire serve` are not listed here: they are the settings of [`crate::config`].

use std::borrow::Cow;
use std::env;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use clap_complete::Shell;
use confique::Config as _;
use confique::meta::{Expr, FieldKind, LeafKind, Meta};
use reqwest::Url;

use crate::cmd::doctor::args::Doctor;
use crate::cmd::inspect::Inspect;
use crate::cmd::log::args::Log;
use crate::cmd::replay::Fault;
use crate::cmd::tail::args::Tail;
use crate::cmd::topic;
use crate::cmd::visible::visible;
use crate::config::address::Loopback;
use crate::config::load::ConfigError;
use crate::config::secret::Secret;
use crate::config::value::{HOUR, Span};
use crate::config::{Config, Flags};
use crate::http::parse_url;

const AFTER_HELP: &str = "\
Exit codes:
  0    done (also when the reader of standard output went away)
  1    it failed while running, or the log is damaged, or the stream has errors
  2    the command line or the configuration is wrong, or there is no log to look at
  3    the stream has warnings (doctor)
  130  ended by Ctrl-C, as shells show it (pub, tail); by SIGTERM it is 143";

/// Streams that survive: a Server-Sent Events server, publisher and reader.
///
/// Without a command, `tidewire` is `tidewire serve`.
#[derive(Debug, Parser)]
#[command(name = "tidewire", version, after_help = AFTER_HELP, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) serve: Box<Serve>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server (the default).
    Serve(Box<Serve>),
    /// Print or check the configuration.
    Config(ConfigArgs),
    /// Publish events to a topic.
    Pub(Publish),
    /// Read a stream and print its events; goes on by itself after a lost connection.
    Tail(Tail),
    /// Serve a recording again, at its pace or another, whole or with faults.
    Replay(Replay),
    /// Say what is wrong with a stream, how bad it is, and how to mend it.
    Doctor(Doctor),
    /// Show every event stream between a client and its server, live on a page.
    Inspect(Inspect),
    /// Look into a log on disk, check it, or carry it elsewhere.
    Log(Log),
    /// Print a script that completes commands and flags in a shell.
    Completions(Completions),
    /// Print the manual page, or write the pages of all commands.
    Man(Man),
}

/// Prints a script that completes commands and flags in a shell, for example:
/// tidewire completions bash > ~/.local/share/bash-completion/completions/tidewire
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: Shell,
}

/// Prints the manual page of tidewire, or writes a page for it and for each command, for example:
/// tidewire man ~/.local/share/man/man1
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Write all pages into this directory, which is made if it is not there
    #[arg(value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Settings (flag > environment > file > default; see `tidewire config`)")]
pub(crate) struct Serve {
    /// Read the settings from this file [default: tidewire.toml, if it exists]
    #[arg(long = "config", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) flags: Flags,

    /// Do not serve the demo page and its typing answers
    #[arg(long, conflicts_with = "demo")]
    no_demo: bool,
}

impl Serve {
    /// The settings in force.
    pub(crate) fn load(self) -> Result<Config, ConfigError> {
        let mut flags = self.flags;
        if self.no_demo {
            flags.demo = Some(false);
        }
        Config::load(flags, self.file.as_deref())
    }
}

/// Prints every setting with its text, its default and its environment name, as a `tidewire.toml` to
/// start from.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// Check a file instead, and say what is wrong (exit code 2) or that it is fine
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = crate::config::load::FILE)]
    pub(crate) check: Option<PathBuf>,

    /// Print the settings in force instead, as `tidewire serve` with the same flags has them
    #[arg(long, conflicts_with = "check")]
    pub(crate) effective: bool,

    #[command(flatten)]
    pub(crate) serve: Box<Serve>,
}

/// Publishes DATA as one event, or each line of standard input as one event.
///
/// Prints the id of each event.
#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// The topic, for example `news/today`
    #[arg(value_parser = topic::parse)]
    pub(crate) topic: String,

    /// The event's data; `-` reads lines from standard input, as does nothing in a pipe
    pub(crate) data: Option<String>,

    /// The event's type [default: message]
    #[arg(long, value_name = "NAME")]
    pub(crate) event: Option<String>,

    /// The event's id [default: the server gives one]
    #[arg(long)]
    pub(crate) id: Option<String>,

    /// Ask readers to wait this long before they connect again, for example `3s`
    #[arg(long, value_name = "TIME")]
    pub(crate) retry: Option<Span<0, HOUR>>,

    /// End the stream with the event (with the last line)
    #[arg(long)]
    pub(crate) end: bool,

    /// Do not print ids
    #[arg(short, long)]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) server: Server,
}

/// Serves a recording, as `tidewire tail --save` and `tidewire inspect` make them, to whoever asks, until Ctrl-C.
///
/// A reader that comes back with the id of its last event (`Last-Event-ID`) gets what comes after it.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The recording
    pub(crate) file: PathBuf,

    /// Where to listen, on this machine
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8430")]
    pub(crate) listen: Loopback,

    /// How many times as fast as it was recorded, for example `0.5` or `20`; `max` waits for nothing
    #[arg(long, value_name = "N", default_value = "1", value_parser = parse_speed)]
    pub(crate) speed: f64,

    /// Break a body off (`cut@N`) or let it go silent (`stall@N`) after N bytes. The first one given is for the first
    /// body that is asked for, and so on; bodies after these are whole
    #[arg(long = "fault", value_name = "FAULT")]
    pub(crate) faults: Vec<Fault>,
}

/// A number above zero; infinity is no waiting at all.
fn parse_speed(text: &str) -> Result<f64, String> {
    if text == "max" {
        return Ok(f64::INFINITY);
    }
    let speed = text
        .parse()
        .ok()
        .filter(|speed| (0.001..=1_000.0).contains(speed));
    speed.ok_or_else(|| "give a number from 0.001 to 1000, or `max`".into())
}

#[derive(Debug, Args)]
pub(crate) struct Server {
    /// Where the server is
    #[arg(
        long = "server",
        value_name = "URL",
        env = "TIDEWIRE_URL",
        default_value = "http://127.0.0.1:8420",
        value_parser = parse_url
    )]
    pub(crate) url: Url,

    /// Show this token to the server. Other users of the machine can see flags: better set TIDEWIRE_TOKEN
    #[arg(long, value_name = "TOKEN")]
    token: Option<Secret>,
}

impl Server {
    /// The token for requests to `url`. The one of the environment is for the server alone: it must not
    /// go to whoever else is read.
    pub(crate) fn token_for(&self, url: &Url) -> Option<Secret> {
        let in_environment = || {
            let is_server = url.origin() == self.url.origin();
            let token = std::env::var(TOKEN).ok().filter(|token| !token.is_empty());
            token.filter(|_| is_server)?.parse().ok()
        };
        self.token.clone().or_else(in_environment)
    }
}

/// The environment's token for the server.
const TOKEN: &str = "TIDEWIRE_TOKEN";

/// The command line is wrong in a way that clap cannot know (exit code 2).
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) &'static str);

impl Cli {
    /// Reads the command line; a wrong one, `--help` and `--version` end the process here.
    pub(crate) fn from_command_line() -> Self {
        let matches = Self::described().try_get_matches();
        let parsed = matches.and_then(|matches| Self::from_arg_matches(&matches));
        parsed.unwrap_or_else(|error| refuse(&error))
    }

    /// The command line with everything that help says.
    pub(crate) fn described() -> clap::Command {
        let settings = |command| describe(command, &Config::META);
        let for_config = |command| {
            settings(command).mut_args(|arg| match arg.get_id().as_str() {
                "check" | "effective" => arg,
                _ => arg.requires("effective"),
            })
        };
        settings(Self::command())
            .mut_subcommand("serve", settings)
            .mut_subcommand("config", for_config)
    }
}

/// Ends the process with the error. A script may have put text from the network into the command line that it quotes.
fn refuse(error: &clap::Error) -> ! {
    let is_deceptive = |arg: OsString| matches!(visible(&arg.to_string_lossy()), Cow::Owned(_));
    if !env::args_os().any(is_deceptive) {
        error.exit();
    }
    // Colours and what is quoted cannot be told apart, so this is without colours.
    let _ = write!(io::stderr(), "{}", visible(&error.render().to_string()));
    std::process::exit(error.exit_code())
}

/// Adds its default and its environment name to the help of each setting's flag.
fn describe(command: clap::Command, meta: &Meta) -> clap::Command {
    meta.fields
        .iter()
        .fold(command, |command, field| match field.kind {
            FieldKind::Nested { meta } => describe(command, meta),
            FieldKind::Leaf { env, kind } => {
                if !command.get_arguments().any(|flag| flag.get_id() == field.name) {
                    return command;
                }
                command.mut_arg(field.name, |flag| {
                    let mut help = flag.get_help().map(ToString::to_string).unwrap_or_default();
                    if let LeafKind::Required {
                        default: Some(default),
                    } = kind
                    {
                        help += &default_text(default);
                    }
                    if let Some(env) = env {
                        help += &format!(" [env: {env}]");
                    }
                    flag.help(help)
                })
            }
        })
}

/// Says nothing where the flag is a switch or the default is empty.
fn default_text(default: Expr) -> String {
    match default {
        Expr::Str(text) => format!(" [default: {text}]"),
        Expr::Integer(number) => format!(" [default: {number}]"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::described().debug_assert();
    }
}
