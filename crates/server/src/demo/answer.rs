//! An answer: its text, and how it is typed.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tidewire_codec::{Event, EventName};
use tidewire_hub::{Draft, Hub, Topic};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{MissedTickBehavior, interval},
};

/// The type of the events that hold a character.
pub(super) const DELTA: &str = "delta";

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Lang {
    #[default]
    En,
    Zh,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) topic: Topic,
    pub(super) lang: Lang,
    /// Characters per second.
    pub(super) cps: u32,
}

impl Answer {
    pub(super) fn text(&self) -> &'static str {
        let text = match self.lang {
            Lang::En => include_str!("en.txt"),
            Lang::Zh => include_str!("zh.txt"),
        };
        text.trim_end()
    }

    /// Publishes the text after its first `typed` characters, a character an event, and ends the stream. Stops when the
    /// hub takes no more.
    pub(super) async fn type_after(self, hub: Hub, typed: usize, _permit: OwnedSemaphorePermit) {
        let named = |name, data: String| Event::new(data).with_name(EventName::from_static(name));
        let mut beat = interval(Duration::from_secs(1) / self.cps);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let text = self.text();
        let deltas = text.chars().skip(typed);
        let deltas = deltas.map(|character| (named(DELTA, character.into()), false));
        let end = json!({ "characters": text.chars().count() }).to_string();
        for (event, is_last) in deltas.chain([(named("end", end), true)]) {
            beat.tick().await;
            let Ok(draft) = Draft::event(self.topic.clone(), event) else {
                return;
            };
            let draft = if is_last { draft.and_end() } else { draft };
            if hub.append(draft).await.is_err() {
                return;
            }
        }
    }
}
