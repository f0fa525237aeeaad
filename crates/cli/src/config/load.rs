//! The layers: flags over environment over file over defaults.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::{env, io};

use confique::{Config as _, Layer as _};

use super::{Config, Flags, data, words};

/// The file that is read if it is there and no other is named.
pub(crate) const FILE: &str = "tidewire.toml";

/// A setting is wrong, or its file cannot be read: the caller has to mend it (exit code 2).
///
/// The text names the setting, its value, where it stands and what is allowed. It takes several
/// lines where it shows a place in a file.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ConfigError(pub(super) String);

impl From<confique::Error> for ConfigError {
    fn from(error: confique::Error) -> Self {
        Self(words::of_variable(&format!("{error:#}")))
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
        let flags = data::one_of_two(flags, "--memory and --data")?;
        let from_env = data::one_of_two(Flags::from_env()?, "TIDEWIRE_MEMORY and TIDEWIRE_DATA")?;
        let layers = flags.with_fallback(from_env).with_fallback(from_file);
        Self::over_defaults(layers).map(Self::settle)
    }

    /// A file alone over the defaults, as `tidewire config --check` reads it; with what the environment says of tokens,
    /// which often stand there so that they need not stand in a file.
    pub(crate) fn load_file(file: &Path) -> Result<Self, ConfigError> {
        let layers = tokens_from_env()?.with_fallback(read(file)?);
        Self::over_defaults(layers).map(Self::settle)
    }

    /// The text of a file alone over the defaults.
    pub(crate) fn of_text(text: &str) -> Result<Self, ConfigError> {
        let layer = toml::from_str(text).map_err(|error| ConfigError(error.to_string()))?;
        Self::over_defaults(layer).map(Self::settle)
    }

    fn over_defaults(layers: Flags) -> Result<Self, ConfigError> {
        let config = Self::from_layer(layers.with_fallback(Flags::default_values()))?;
        config.check().map_err(ConfigError)?;
        Ok(config)
    }
}

/// What of the environment says who may ask.
fn tokens_from_env() -> Result<Flags, ConfigError> {
    let of = |name| env::var(name).ok();
    let mut layer = Flags::empty();
    let tokens = |name| of(name).map(|text| comma_separated(&text)).transpose();
    layer.publish_token = tokens("TIDEWIRE_PUBLISH_TOKEN")?;
    layer.read_token = tokens("TIDEWIRE_READ_TOKEN")?;
    layer.publish_token_file = of("TIDEWIRE_PUBLISH_TOKEN_FILE").map(PathBuf::from);
    layer.read_token_file = of("TIDEWIRE_READ_TOKEN_FILE").map(PathBuf::from);
    layer.public_read = of("TIDEWIRE_PUBLIC_READ").map(|text| matches!(&*text, "1" | "true" | "yes"));
    Ok(layer)
}

fn read(file: &Path) -> Result<Flags, ConfigError> {
    let text = std::fs::read_to_string(file).map_err(|error| unreadable(file, &error))?;
    let layer = toml::from_str(&text).map_err(|error| {
        let at = error.span().map(|span| span.start);
        let why = words::of_file(error.message(), key_at(&text, at.unwrap_or_default()));
        let place = match at {
            Some(at) if may_show_a_secret(&text, error.message()) => unquoted(&text, at, &why),
            _ => error.to_string().replace(error.message(), &why),
        };
        ConfigError(format!("{}: {place}", file.display()))
    })?;
    data::one_of_two(layer, &format!("{}: memory and data", file.display()))
}

/// The name at the beginning of the line that this place is in.
fn key_at(text: &str, at: usize) -> &str {
    let begin = text.get(..at).and_then(|before| before.rfind('\n'));
    let line = &text[begin.map_or(0, |end| end + 1)..];
    let key = line.trim_start_matches(['[', ' ', '\t']);
    let end = key.find(['=', ']', '\n']).unwrap_or(key.len());
    key[..end].trim()
}

/// The error's own text shows the line that is wrong, which may be a secret that lacks its quote, or one whose name has
/// a slip in it.
fn may_show_a_secret(file: &str, why: &str) -> bool {
    why.starts_with("unknown field") || file.to_ascii_lowercase().contains("token")
}

fn unquoted(text: &str, at: usize, why: &str) -> String {
    let before = text.get(..at).unwrap_or_default();
    format!("line {}: {why}", before.matches('\n').count() + 1)
}

fn unreadable(file: &Path, error: &io::Error) -> ConfigError {
    ConfigError(format!(
        "cannot read the configuration file {}: {error}",
        file.display()
    ))
}

/// Reads a list from an environment variable; blanks around its parts do not count, nor do empty parts.
pub(crate) fn comma_separated<T: FromStr<Err: Display>>(text: &str) -> Result<Vec<T>, ConfigError> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| {
            part.parse()
                .map_err(|error: T::Err| ConfigError(error.to_string()))
        })
        .collect()
}
