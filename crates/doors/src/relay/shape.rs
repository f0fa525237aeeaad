//! What a provider's clients take for an error, an end, or a stop in the midst of an answer.

use http::HeaderMap;
use serde_json::{Value, json};
use tidewire_codec::{Event, EventName};

/// Whose events an answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Shape {
    /// OpenAI's, and those of most others: `{"error":{…}}`.
    #[default]
    OpenAi,
    /// Anthropic's messages.
    Anthropic,
    /// The AI SDK's parts of a message.
    AiSdk,
}

/// Why an answer ended before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    /// For programs.
    pub(super) code: &'static str,
    /// For people.
    pub(super) message: String,
}

impl Shape {
    /// As the upstream's headers, or what was asked for, tell.
    pub(super) fn of(path: &str, upstream: &HeaderMap) -> Self {
        match () {
            () if upstream.contains_key("x-vercel-ai-ui-message-stream") => Self::AiSdk,
            () if path.ends_with("/messages") => Self::Anthropic,
            () => Self::OpenAi,
        }
    }

    /// What readers get in place of what was to come.
    pub(super) fn broken(self, broken: &Broken) -> Vec<Event> {
        let Broken { code, message } = broken;
        match self {
            Self::OpenAi => vec![named_error(&json!({
                "error": { "message": message, "type": "tidewire_error", "param": null, "code": code }
            }))],
            Self::Anthropic => vec![named_error(&json!({
                "type": "error", "error": { "type": code, "message": message }
            }))],
            Self::AiSdk => {
                let part = match *code {
                    "stopped" => json!({ "type": "abort" }),
                    _ => json!({ "type": "error", "errorText": message }),
                };
                vec![Event::new(part.to_string()), Event::new("[DONE]")]
            }
        }
    }

    /// An error that the upstream answered when the answer had begun: its own words, where it had some.
    pub(super) fn refused(self, status: u16, body: &str) -> Vec<Event> {
        let said = serde_json::from_str::<Value>(body).ok();
        match said.filter(|said| self != Self::AiSdk && said.get("error").is_some_and(Value::is_object)) {
            Some(said) => vec![named_error(&said)],
            None => self.broken(&Broken {
                code: "upstream_refused",
                message: format!(
                    "the upstream answered {status}: {}",
                    crate::problem::shorten(body)
                ),
            }),
        }
    }
}

fn named_error(data: &Value) -> Event {
    Event::new(data.to_string()).with_name(EventName::from_static("error"))
}
