//! What is logged and how it looks.

use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};
use tracing_subscriber::filter::{LevelFilter, Targets};

/// Which log lines are written: a level, or levels by module.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct LogFilter(Targets);

impl LogFilter {
    /// The filter as the subscriber takes it.
    pub(crate) fn targets(&self) -> Targets {
        self.0.clone()
    }
}

impl FromStr for LogFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // `Targets` takes a bare word that is no level for a module, so that a misspelt level would
        // silence everything else: a module must come with its level.
        let is_clear = |part: &str| part.contains('=') || part.parse::<LevelFilter>().is_ok();
        text.split(',')
            .all(is_clear)
            .then(|| text.parse().ok())
            .flatten()
            .map(Self)
            .ok_or_else(|| {
                format!(
                    "`{text}` is no log level: give off, error, warn, info, debug or trace, \
                     or levels by module, for example `info,tidewire_hub=debug`"
                )
            })
    }
}

impl TryFrom<String> for LogFilter {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl Serialize for LogFilter {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line, for machines.
    Json,
}
