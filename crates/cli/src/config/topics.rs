//! How much is kept of single topics: `[[archive.topics]]`.

use serde::{Deserialize, Serialize};
use tidewire_hub::{
    Namespace,
    archive::{Rule, Rules},
};

use super::{
    load::ConfigError,
    value::{Bounded, Count, Size, Span, TIB, YEAR},
};

/// What is kept of each topic whose name begins with a prefix. See [`Rule`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TopicRule {
    prefix: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_events: Option<Count<1, { u32::MAX as u64 }>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_bytes: Option<Size<1, TIB>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_age: Option<Span<1, { 10 * YEAR }>>,
}

/// The rules for topics of the plain door, if they can hold together.
pub(crate) fn rules(settings: &[TopicRule]) -> Result<Rules, String> {
    let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let rules = settings.iter().map(|setting| Rule {
        namespace: Namespace::Events,
        prefix: setting.prefix.clone(),
        max_events: setting.max_events.map(|max| whole(max.get())),
        max_bytes: setting.max_bytes.map(|max| whole(max.get())),
        max_age: setting.max_age.map(Bounded::get),
    });
    Rules::new(rules).map_err(|error| format!("archive.topics: {error}"))
}

/// Reads the rules from an environment variable: as they stand in a file behind `topics =`.
pub(crate) fn from_env(text: &str) -> Result<Vec<TopicRule>, ConfigError> {
    #[derive(Deserialize)]
    struct File {
        topics: Vec<TopicRule>,
    }
    let file = toml::from_str::<File>(&format!("topics = {text}"));
    let wrong = |error: toml::de::Error| {
        ConfigError(format!(
            "{}: give a list such as [{{ prefix = \"chat/\", max_events = 1000 }}]",
            error.message()
        ))
    };
    file.map(|file| file.topics).map_err(wrong)
}
