//! When what is published is safe on disk.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize, Serializer};
use tidewire_hub::archive::segments;

/// See [`segments::Durability`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Durability(segments::Durability);

/// A longer interval is no promise.
const LONGEST: Duration = Duration::from_secs(60);

impl Durability {
    pub(crate) fn get(self) -> segments::Durability {
        self.0
    }
}

impl FromStr for Durability {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let interval = |text: &str| {
            let interval = humantime::parse_duration(text.strip_prefix("interval=")?).ok()?;
            let is_sensible = !interval.is_zero() && interval <= LONGEST;
            is_sensible.then_some(segments::Durability::Interval(interval))
        };
        let parsed = match text {
            "always" => Some(segments::Durability::Always),
            "never" => Some(segments::Durability::Never),
            _ => interval(text),
        };
        parsed.map(Self).ok_or_else(|| {
            format!("`{text}` is no durability: give always, never, or an interval up to a minute, such as interval=100ms")
        })
    }
}

impl TryFrom<String> for Durability {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            segments::Durability::Always => f.write_str("always"),
            segments::Durability::Never => f.write_str("never"),
            segments::Durability::Interval(interval) => {
                write!(f, "interval={}", humantime::format_duration(interval))
            }
        }
    }
}

impl Serialize for Durability {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}
