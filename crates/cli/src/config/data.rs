//! Where the log is: in a folder, or in memory.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{Flags, load::ConfigError};

/// The log's folder; `None` if it is in memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "PathBuf")]
pub(crate) struct Data(Option<PathBuf>);

impl Data {
    /// No folder.
    pub(super) const IN_MEMORY: Self = Self(None);

    pub(crate) fn folder(&self) -> Option<&Path> {
        self.0.as_deref()
    }

    pub(super) fn is_in_memory(&self) -> bool {
        self.0.is_none()
    }
}

impl From<PathBuf> for Data {
    fn from(folder: PathBuf) -> Self {
        Self(Some(folder))
    }
}

/// For clap: a folder's name need not be a text.
impl From<OsString> for Data {
    fn from(folder: OsString) -> Self {
        PathBuf::from(folder).into()
    }
}

/// Of a layer's `data` and `memory` one may be given; it hides both of the layers below. `names` is what the two are
/// called there.
pub(super) fn one_of_two(mut layer: Flags, names: &str) -> Result<Flags, ConfigError> {
    match (&layer.data, layer.memory) {
        (Some(data), Some(true)) => {
            let folder = data.folder().unwrap_or(Path::new("")).display();
            Err(ConfigError(format!(
                "{names} contradict each other: the log is either in memory or in {folder}. Leave one out"
            )))
        }
        (Some(_), None) => {
            layer.memory = Some(false);
            Ok(layer)
        }
        _ => Ok(layer),
    }
}
