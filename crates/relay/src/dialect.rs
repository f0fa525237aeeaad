//! Dialects: what is known of a provider's traffic, a row each.
//!
//! A dialect is recognised by the request, else by the head of the answer, else by the first event, and is decided before the
//! first byte of the answer goes out. An answer that fits no row is [`Dialect::Unknown`]. A route can name its dialect.
//!
//! | dialect | a clean end without its last word | after an error of ours | ids, comments of ours | resumed by |
//! |---|---|---|---|---|
//! | `openai-chat` | truncated, if its choices say how they finish | clean end | yes | the relay |
//! | `openai-responses`, `anthropic`, `ai-sdk-ui`, `ag-ui` | truncated | clean end | yes | the relay |
//! | `gemini` | whole | clean end | no | the relay, at the address of the answer |
//! | `cohere` | truncated | abort | yes | the relay |
//! | `mistral` | as `openai-chat` | there is none: abort | yes | the relay |
//! | `llama.cpp` | as `openai-chat` | clean end | no: its clients count bytes | the relay, at the address of the answer |
//! | `ollama` | truncated | clean end | no: lines of JSON | the relay |
//! | `mcp`, `langgraph` | whole | abort, clean end | yes, where a route says that the relay resumes them | the upstream |
//! | `unknown` | whole | abort | yes | the relay |
//!
//! | file | holds |
//! |---|---|
//! | `known_by` | what a dialect is recognised by |
//! | `member` | members of JSON texts, read without the rest |
//! | `reading` | last words, and errors that a provider reports in its stream |
//! | `error` | errors of ours, in the shape that a dialect's clients raise |

mod error;
mod known_by;
mod member;
mod reading;
#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::member::Member;

pub(super) use self::{
    error::Broken,
    known_by::Request,
    reading::{Outcome, Reading, failure_of_body},
};

/// Whose events an answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Dialect {
    /// OpenAI's chat completions, and those of most others.
    // The alias is how logs of before named it.
    #[serde(alias = "open_ai")]
    OpenaiChat,
    /// OpenAI's responses.
    OpenaiResponses,
    /// Anthropic's messages.
    Anthropic,
    /// Gemini's `streamGenerateContent` with `alt=sse`.
    Gemini,
    /// Cohere's chat, version 2.
    Cohere,
    /// Chat completions, as Mistral's own clients read them.
    Mistral,
    /// The AI SDK's parts of a message.
    #[serde(alias = "ai_sdk")]
    AiSdkUi,
    /// AG-UI's events of a run.
    AgUi,
    /// Ollama's lines of JSON.
    Ollama,
    /// The Model Context Protocol over HTTP.
    Mcp,
    /// LangGraph's runs.
    Langgraph,
    /// Chat completions of llama.cpp's own page, which counts their bytes.
    #[serde(rename = "llama.cpp")]
    LlamaCpp,
    /// Any other.
    #[default]
    Unknown,
}

/// How the body ends after an error of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AfterError {
    /// In order: clients raise the error, and an abort would hide it from some.
    End,
    /// It is cut off: clients would take a clean end for that of a whole answer.
    Abort,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::OpenaiChat,
        Self::OpenaiResponses,
        Self::Anthropic,
        Self::Gemini,
        Self::Cohere,
        Self::Mistral,
        Self::AiSdkUi,
        Self::AgUi,
        Self::Ollama,
        Self::Mcp,
        Self::Langgraph,
        Self::LlamaCpp,
        Self::Unknown,
    ];

    /// Its name in settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenaiChat => "openai-chat",
            Self::OpenaiResponses => "openai-responses",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Cohere => "cohere",
            Self::Mistral => "mistral",
            Self::AiSdkUi => "ai-sdk-ui",
            Self::AgUi => "ag-ui",
            Self::Ollama => "ollama",
            Self::Mcp => "mcp",
            Self::Langgraph => "langgraph",
            Self::LlamaCpp => "llama.cpp",
            Self::Unknown => "unknown",
        }
    }

    /// Whether an answer always says a last word. One without it has lost its end, however clean that was.
    pub(super) const fn must_say_last_word(self) -> bool {
        matches!(
            self,
            Self::OpenaiResponses
                | Self::Anthropic
                | Self::Cohere
                | Self::AiSdkUi
                | Self::AgUi
                | Self::Ollama
        )
    }

    /// Whether it is OpenAI's chat completions, whoever reads them. These must say a last word if their choices have a member
    /// for it.
    pub(super) const fn is_chat_completions(self) -> bool {
        matches!(self, Self::OpenaiChat | Self::Mistral | Self::LlamaCpp)
    }

    /// How the body ends after an error of ours.
    pub(super) const fn after_error(self) -> AfterError {
        match self {
            Self::Cohere | Self::Mistral | Self::Mcp | Self::Unknown => AfterError::Abort,
            _ => AfterError::End,
        }
    }

    /// Whether its clients survive an `id` of ours on each event, and comments of ours between them.
    pub(super) const fn takes_ids_and_comments(self) -> bool {
        !matches!(self, Self::Gemini | Self::LlamaCpp | Self::Ollama)
    }

    /// Whether the upstream resumes its streams itself, by ids of its own.
    pub(super) const fn resumes_itself(self) -> bool {
        matches!(self, Self::Mcp | Self::Langgraph)
    }

    /// Whether an answer to who asked for a stream can be nothing but an event stream, so that it may begin before the
    /// upstream has said so.
    pub(super) const fn leaves_only_event_streams(self) -> bool {
        matches!(
            self,
            Self::OpenaiChat
                | Self::OpenaiResponses
                | Self::Anthropic
                | Self::Gemini
                | Self::Cohere
                | Self::Mistral
                | Self::AiSdkUi
                | Self::LlamaCpp
        )
    }
}

/// The id of a JSON-RPC request, which its answer must repeat; null if there is none.
pub(super) fn json_rpc_id(body: &[u8]) -> Value {
    let id = Member::of(std::str::from_utf8(body).unwrap_or_default()).member("id");
    let id = serde_json::from_str::<Value>(id.as_written()).unwrap_or_default();
    match id {
        Value::String(_) | Value::Number(_) => id,
        _ => Value::Null,
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Dialect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut all = Self::ALL.into_iter();
        all.find(|dialect| dialect.as_str() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str).join(", ");
            format!("{text:?} is no dialect: give one of {names}")
        })
    }
}
