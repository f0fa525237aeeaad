//! What a request asks for. Bytes from outside: what is not understood is refused, or of no consequence.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};

use axum::http::StatusCode;
use serde_json::Value;

use super::{
    refusal::Refusal,
    tool::{self, Call},
};

/// Characters per second.
const USUAL: f64 = 60.0;
const FAST: f64 = 1_000.0;
const FASTEST: f64 = 1_000_000.0;
/// How long `demo-slow` thinks.
const SLOW: u64 = 5;
const SLOWEST: u64 = 600;

/// Which of the two ways to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Chat,
    Responses,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pace {
    /// Characters per second.
    pub(super) cps: f64,
    /// Before the first.
    pub(super) first: Duration,
}

#[derive(Debug)]
pub(super) struct Ask {
    pub(super) model: String,
    pub(super) streams: bool,
    /// Whether a chat's stream tells how many tokens it took.
    pub(super) counts: bool,
    /// What the user said last.
    pub(super) prompt: String,
    /// What a tool has answered to our call.
    pub(super) heard: Option<String>,
    pub(super) call: Option<Call>,
    /// The most tokens.
    pub(super) max: usize,
    pub(super) pace: Pace,
    /// As the client sent it.
    pub(super) metadata: Value,
    /// Of all that is asked: the ids in the answer come from it.
    pub(super) seed: u64,
}

impl Ask {
    pub(super) fn read(form: Form, body: &[u8]) -> Result<Self, Refusal> {
        let wrong = |why: String| Refusal::new(StatusCode::BAD_REQUEST, why);
        let body: Value =
            serde_json::from_slice(body).map_err(|error| wrong(format!("the body is no JSON: {error}")))?;
        let model = body["model"].as_str();
        let model = model
            .ok_or_else(|| wrong("`model` is missing: give \"demo\"".into()))?
            .to_owned();
        let (name, said) = match form {
            Form::Chat => ("messages", &body["messages"]),
            Form::Responses => ("input", &body["input"]),
        };
        let prompt = match said {
            Value::String(text) if form == Form::Responses => text.clone(),
            Value::Array(items) => last_of_user(items),
            _ => return Err(wrong(format!("`{name}` is missing, or is no list"))),
        };
        if body["n"].as_u64().is_some_and(|n| n != 1) {
            return Err(wrong(
                "the demo has one answer to a question: leave `n` out".into(),
            ));
        }
        let heard = said.as_array().and_then(|items| items.last()).and_then(answered);
        let call = match heard {
            None => tool::wanted(&body, &prompt),
            // It has been called: now we speak.
            Some(_) => None,
        };
        let max = ["max_completion_tokens", "max_output_tokens", "max_tokens"];
        let max = max.iter().find_map(|name| body[*name].as_u64());
        Ok(Self {
            streams: body["stream"] == true,
            counts: body["stream_options"]["include_usage"] == true,
            max: max
                .and_then(|max| usize::try_from(max).ok())
                .unwrap_or(usize::MAX),
            pace: Pace::of(&model, &body["metadata"]),
            metadata: Some(body["metadata"].clone())
                .filter(Value::is_object)
                .unwrap_or_else(|| Value::Object(serde_json::Map::new())),
            seed: seed(&body),
            model,
            prompt,
            heard,
            call,
        })
    }

    /// An id that belongs to this request.
    pub(super) fn id(&self, prefix: &str) -> String {
        format!("{prefix}demo{:016x}", self.seed)
    }

    pub(super) fn is_hostile(&self) -> bool {
        self.model == "demo-hostile"
    }

    /// An error comes in the midst of the answer.
    pub(super) fn fails(&self) -> bool {
        self.model == "demo-error-mid"
    }

    /// The connection breaks in the midst of the answer.
    pub(super) fn breaks(&self) -> bool {
        self.model == "demo-cut-mid"
    }

    /// The error that was asked for, in place of an answer.
    pub(super) fn refused(&self) -> Option<Refusal> {
        let status = self.model.strip_prefix("demo-error-")?.parse::<u16>().ok()?;
        let status = (400..600)
            .contains(&status)
            .then(|| StatusCode::from_u16(status).ok())??;
        Some(Refusal::new(
            status,
            format!("the model {} always answers so", self.model),
        ))
    }

    /// How many tokens the prompt is, more or less.
    pub(super) fn prompt_tokens(&self) -> usize {
        self.prompt.chars().count() / 4 + 1
    }
}

impl Pace {
    fn of(model: &str, metadata: &Value) -> Self {
        let told = |name: &str| {
            let value = &metadata[name];
            let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
            number.filter(|number: &f64| number.is_finite())
        };
        let usual = if model == "demo-fast" { FAST } else { USUAL };
        let slow = model
            .strip_prefix("demo-slow")
            .and_then(|rest| match rest {
                "" => Some(SLOW),
                rest => rest.strip_prefix('-')?.parse().ok(),
            })
            .unwrap_or(0);
        let first = Duration::from_secs(slow.min(SLOWEST));
        Self {
            cps: told("cps").unwrap_or(usual).clamp(1.0, FASTEST),
            first: told("first_token").map_or(first, |seconds| {
                Duration::from_secs_f64(seconds.clamp(0.0, SLOWEST as f64))
            }),
        }
    }
}

/// The same for a stream and for the answer in one piece.
fn seed(body: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    let fields = body.as_object().into_iter().flatten();
    for (name, value) in fields.filter(|(name, _)| !name.starts_with("stream")) {
        (name, value.to_string()).hash(&mut hasher);
    }
    hasher.finish()
}

fn last_of_user(items: &[Value]) -> String {
    let of_user = |item: &&Value| item["role"] == "user";
    let last = items.iter().rev().find(of_user);
    last.map_or(String::new(), |item| text(&item["content"]))
}

/// What a tool has answered, if this is that.
fn answered(item: &Value) -> Option<String> {
    match (item["role"].as_str(), item["type"].as_str()) {
        (Some("tool"), _) => Some(text(&item["content"])),
        (_, Some("function_call_output")) => Some(text(&item["output"])),
        _ => None,
    }
}

/// A content's text: it is one, or has parts with one.
fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => String::new(),
    }
}
