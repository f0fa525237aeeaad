//! The layers: flags over environment over file over defaults.

use std::io;
use std::path::Path;

use confique::{Config as _, Layer as _};

use super::address::HostName;
use super::{Config, Flags};

/// The file that is read if it is there and no other is named.
pub(crate) const FILE: &str = "tidewire.toml";

/// A setting is wrong, or its file cannot be read: the caller has to mend it (exit code 2).
///
/// The text names the setting, its value, where it stands and what is allowed. It takes several
/// lines where it shows a place in a file.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ConfigError(String);

impl From<confique::Error> for ConfigError {
    fn from(error: confique::Error) -> Self {
        Self(format!("{error:#}"))
    }
}

impl Config {
    /// The settings in force. `file` must exist; without it, [`FILE`] is read if it exists.
    pub(crate) fn load(flags: Flags, file: Option<&Path>) -> Result<Self, ConfigError> {
        let from_file = match file {
            Some(file) => read(file)?,
            None if Path::new(FILE).exists() => read(Path::new(FILE))?,
            None => Flags::empty(),
        };
        Self::over_defaults(flags.with_fallback(Flags::from_env()?).with_fallback(from_file))
    }

    /// A file alone over the defaults, as `tidewire config --check` reads it.
    pub(crate) fn load_file(file: &Path) -> Result<Self, ConfigError> {
        Self::over_defaults(read(file)?)
    }

    fn over_defaults(layers: Flags) -> Result<Self, ConfigError> {
        let config = Self::from_layer(layers.with_fallback(Flags::default_values()))?;
        config.check().map_err(ConfigError)?;
        Ok(config)
    }
}

fn read(file: &Path) -> Result<Flags, ConfigError> {
    let text = std::fs::read_to_string(file).map_err(|error| unreadable(file, &error))?;
    toml::from_str(&text).map_err(|error| ConfigError(format!("{}: {error}", file.display())))
}

fn unreadable(file: &Path, error: &io::Error) -> ConfigError {
    ConfigError(format!(
        "cannot read the configuration file {}: {error}",
        file.display()
    ))
}

/// Reads a list from an environment variable; blanks around names do not count, nor do empty names.
pub(crate) fn comma_separated(text: &str) -> Result<Vec<HostName>, ConfigError> {
    text.split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(|name| name.parse().map_err(ConfigError))
        .collect()
}
