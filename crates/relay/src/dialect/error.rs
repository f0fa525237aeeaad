//! Errors of ours in the midst of an answer, in the shape that the clients of its dialect raise.

use serde_json::{Value, json};
use tidewire_codec::{Event, EventName};
use tidewire_doors::problem::shorten;

use super::{Dialect, member::Member, reading::failure_of_body};

/// Why an answer ended before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    /// For programs.
    pub(crate) code: &'static str,
    /// For people.
    pub(crate) message: String,
}

impl Dialect {
    /// The events that end an answer for readers when it breaks off. `number` is that of the next event, where events are numbered.
    pub(crate) fn broken(self, broken: &Broken, number: u64) -> Vec<Event> {
        let Broken { code, message } = broken;
        match self {
            Self::OpenaiChat | Self::LlamaCpp => vec![named_error(&json!({
                "error": { "message": message, "type": "tidewire_error", "param": null, "code": code }
            }))],
            // Readers of either kind raise it: those that look for `error`, and those that look for the type.
            Self::OpenaiResponses => vec![named_error(&json!({
                "type": "error", "code": code, "message": message, "param": null, "sequence_number": number,
                "error": { "message": message, "type": "tidewire_error", "param": null, "code": code }
            }))],
            Self::Anthropic => vec![named_error(&json!({
                "type": "error", "error": { "type": "api_error", "code": code, "message": message }
            }))],
            // A line `event:` breaks its clients.
            Self::Gemini => vec![Event::new(
                json!({
                    "error": { "code": 502, "message": format!("{message} ({code})"), "status": "UNAVAILABLE" }
                })
                .to_string(),
            )],
            Self::Cohere => {
                let tokens = json!({ "tokens": { "input_tokens": 0, "output_tokens": 0 } });
                let delta = json!({ "finish_reason": "ERROR", "error": message, "usage": tokens });
                let data = json!({ "type": "message-end", "delta": delta });
                vec![Event::new(data.to_string()).with_name(EventName::from_static("message-end"))]
            }
            // Any event that is no chunk hides the text that came before it.
            Self::Mistral | Self::Mcp => Vec::new(),
            Self::AiSdkUi => {
                let part = match *code {
                    "stopped" => json!({ "type": "abort" }),
                    _ => json!({ "type": "error", "errorText": message }),
                };
                vec![Event::new(part.to_string()), Event::new("[DONE]")]
            }
            Self::AgUi => {
                let data = json!({ "type": "RUN_ERROR", "message": message, "code": code });
                vec![Event::new(data.to_string())]
            }
            Self::Ollama => vec![Event::new(json!({ "error": message }).to_string())],
            Self::Langgraph => vec![named_error(&json!({ "error": code, "message": message }))],
            Self::Unknown => vec![named_error(&json!({
                "status": 502, "title": "Bad Gateway", "code": code, "detail": message
            }))],
        }
    }

    /// An error that the upstream answered when the answer had begun: its own words, where it had some.
    pub(crate) fn refused(self, status: u16, body: &str, number: u64) -> Vec<Event> {
        let is_its_own = matches!(
            self,
            Self::OpenaiChat | Self::LlamaCpp | Self::Anthropic | Self::Gemini
        );
        let body = body.trim();
        if is_its_own && Member::of(body).member("error").is_object() {
            // Between the values of JSON a line end is a space.
            let said = Event::new(body.replace(['\r', '\n'], " "));
            return vec![match self {
                Self::Gemini => said,
                _ => said.with_name(EventName::from_static("error")),
            }];
        }
        let message = failure_of_body(body)
            .unwrap_or_else(|| format!("the upstream answered {status}: {}", shorten(body)));
        let code = "upstream_refused";
        self.broken(&Broken { code, message }, number)
    }
}

fn named_error(data: &Value) -> Event {
    Event::new(data.to_string()).with_name(EventName::from_static("error"))
}
