//! The answer of an AI in a stream: its text, its last word, and the error that it reports.
//!
//! Each event tells by itself in which dialect it is. `vectors/answers.json` is the specification, which the npm
//! package runs too.
//!
//! | dialect | a piece of text | the last word |
//! |---|---|---|
//! | OpenAI chat completions, and those that follow it | `choices[0].delta.content` (a text, or a list of parts), `.text` | `finish_reason` of each choice, `[DONE]` |
//! | OpenAI responses | `response.output_text.delta` | `response.completed`, `response.incomplete` |
//! | Anthropic messages | `content_block_delta` with `text_delta` | `message_stop` |
//! | Gemini | `candidates[0].content.parts[].text` | `finishReason` of each candidate |
//! | Cohere v2 | `content-delta` | `message-end` |
//! | AI SDK UI message stream | `text-delta` | `finish`, `abort`, `[DONE]` |
//! | AG-UI | `TEXT_MESSAGE_CONTENT`, `TEXT_MESSAGE_CHUNK` | `RUN_FINISHED` |

use std::collections::BTreeMap;

use serde_json::Value;
use tidewire_codec::Message;

use crate::{
    halves::{Halves, Marked},
    json::DONE,
};

/// So many choices of one request are told apart; OpenAI makes at most 128.
const MAX_CHOICES: usize = 1024;

/// The state of an answer after its events so far.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// `None` until an event is of a known dialect.
    dialect: Option<&'static str>,
    /// Its last word has come.
    is_whole: bool,
    /// Nothing can follow.
    is_over: bool,
    /// The dialect always has a last word.
    promises: bool,
    /// Of choices that are told together, by index: whether each is finished.
    finished: BTreeMap<u64, bool>,
    halves: Halves,
}

impl Answer {
    pub(crate) fn is_known(&self) -> bool {
        self.dialect.is_some()
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// The end of its body would be too early.
    pub(crate) fn is_truncated(&self) -> bool {
        self.promises && !self.is_whole && !self.is_over
    }

    /// The text that an event adds, which may be empty.
    ///
    /// # Errors
    /// The message of an event that says that the answer failed.
    pub(crate) fn see(&mut self, event: &Message) -> Result<String, String> {
        if event.data.trim() == DONE {
            self.end();
        }
        // Data that is no JSON has no members either, and may be the text of an error all the same.
        let marked = Marked::read(&event.data);
        match self.text_of_event(event, &marked.value) {
            Ok(text) => Ok(self.halves.join(text, &marked)),
            Err(message) => Err(marked.alone(message)),
        }
    }

    /// The text that nothing follows: U+FFFD where the answer ended within a character.
    pub(crate) fn rest(&mut self) -> Option<String> {
        self.halves.rest().map(String::from)
    }

    fn text_of_event(&mut self, event: &Message, value: &Value) -> Result<String, String> {
        let kind = value["type"].as_str().unwrap_or_default();
        if let Some(dialect) = dialect_of(kind) {
            // `start` alone is a common name.
            self.is(dialect, kind != "start");
        }
        if let Some(message) = failure(&event.name, value, &event.data) {
            return Err(message);
        }
        let object = value["object"].as_str().unwrap_or_default();
        if value["choices"].is_array() || matches!(object, "chat.completion.chunk" | "text_completion") {
            self.is("openai-chat", false);
            return Ok(self.first(&value["choices"], "finish_reason"));
        }
        let is_blocked = value["promptFeedback"]["blockReason"].is_string();
        if value["candidates"].is_array() || is_blocked {
            self.is("gemini", false);
            self.is_whole |= is_blocked && value["candidates"].is_null();
            return Ok(self.first(&value["candidates"], "finishReason"));
        }
        let text = match kind {
            "response.completed" | "response.incomplete" | "message_stop" | "message-end" => {
                self.end();
                &Value::Null
            }
            "finish" | "abort" if self.dialect == Some("ai-sdk-ui") => {
                self.end();
                &Value::Null
            }
            "response.cancelled" => {
                self.is_over = true;
                &Value::Null
            }
            "RUN_FINISHED" => {
                self.is_whole = true;
                &Value::Null
            }
            // Another one, in the same body or on the same stream.
            "RUN_STARTED" | "response.created" | "message_start" | "message-start" | "start" => {
                (self.is_whole, self.is_over) = (false, false);
                &Value::Null
            }
            "response.output_text.delta" | "TEXT_MESSAGE_CONTENT" | "TEXT_MESSAGE_CHUNK" => &value["delta"],
            "content_block_delta" => &value["delta"]["text"],
            "content-delta" => &value["delta"]["message"]["content"]["text"],
            // The AI SDK called it `textDelta` once.
            "text-delta" => value.get("delta").unwrap_or(&value["textDelta"]),
            _ => &Value::Null,
        };
        Ok(text_of(text).unwrap_or_default())
    }

    fn is(&mut self, dialect: &'static str, promises: bool) {
        self.dialect.get_or_insert(dialect);
        self.promises |= promises;
    }

    fn end(&mut self) {
        (self.is_whole, self.is_over) = (true, true);
    }

    /// The text of the first of several choices: together they are no one text. Each says when it is finished.
    fn first(&mut self, choices: &Value, reason: &str) -> String {
        let mut first = None;
        let choices = choices.as_array().map(Vec::as_slice).unwrap_or_default();
        for choice in choices.iter().filter(|choice| choice.is_object()) {
            let index = choice["index"].as_u64().unwrap_or(0);
            let text = text_in(choice);
            self.promises |= reason == "finish_reason" && choice.get(reason).is_some();
            let is_finished = choice[reason]
                .as_str()
                .is_some_and(|reason| !matches!(reason, "" | "CONTINUATION"));
            // A finished choice may be told once more (its usage): without a text it is no other one.
            let has_room = self.finished.len() < MAX_CHOICES || self.finished.contains_key(&index);
            if has_room && (is_finished || !text.is_empty()) {
                self.finished.insert(index, is_finished);
            }
            self.is_whole = !self.finished.is_empty() && self.finished.values().all(|&is| is);
            if index == 0 {
                first.get_or_insert(text);
            }
        }
        first.unwrap_or_default()
    }
}

/// The dialect that the type of an event shows.
fn dialect_of(kind: &str) -> Option<&'static str> {
    match kind {
        "message_start" => Some("anthropic"),
        "message-start" | "content-delta" => Some("cohere"),
        "start" | "start-step" | "text-start" | "text-delta" | "reasoning-start" | "reasoning-delta"
        | "tool-input-start" | "tool-input-delta" => Some("ai-sdk-ui"),
        "RUN_STARTED" => Some("ag-ui"),
        _ if kind.starts_with("response.") => Some("openai-responses"),
        _ if kind.starts_with("content_block_") => Some("anthropic"),
        _ if kind.starts_with("TEXT_MESSAGE_") => Some("ag-ui"),
        _ => None,
    }
}

/// The message of an error that an event reports.
fn failure(name: &str, value: &Value, data: &str) -> Option<String> {
    let kind = value["type"].as_str().unwrap_or_default();
    let delta = &value["delta"];
    let of_choice = &value["choices"][0]["error"];
    let error = match kind {
        "response.failed" => &value["response"]["error"],
        "message-end" => &delta["error"],
        _ if value["error"].is_null() => of_choice,
        _ => &value["error"],
    };
    let is_of_cohere = kind == "message-end"
        && matches!(
            delta["finish_reason"].as_str(),
            Some("ERROR" | "ERROR_TOXIC" | "TIMEOUT")
        );
    // vLLM and Mistral give errors a name of their own kind in `type`, and say what they are in `object`.
    let is_failure = name == "error"
        || matches!(kind, "error" | "response.failed" | "RUN_ERROR")
        || value["object"] == "error"
        || is_of_cohere
        || is_said(error);
    is_failure.then(|| {
        let said = [
            &error["message"],
            &value["message"],
            &value["errorText"],
            error,
            &delta["finish_reason"],
            value,
        ];
        let message = said.into_iter().find_map(Value::as_str);
        message.unwrap_or(data).to_owned()
    })
}

/// Some send an empty or false `error` with each event.
fn is_said(error: &Value) -> bool {
    match error {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Number(number) => number.as_f64() != Some(0.0),
        _ => true,
    }
}

/// The message of an answer that is no stream but an error, as JSON (Google sends it in a list).
pub(crate) fn failure_of_body(body: &str) -> Option<String> {
    let value: Value = serde_json::from_str(body.trim_start_matches('\u{feff}')).ok()?;
    let value = match &value {
        Value::Array(list) => list.first()?,
        _ => &value,
    };
    (is_said(&value["error"]) || value["object"] == "error").then(|| failure("", value, body))?
}

/// The text in a choice of OpenAI's, or a candidate of Gemini's.
fn text_in(choice: &Value) -> String {
    text_of(&choice["delta"]["content"])
        .or_else(|| text_of(&choice["text"]))
        .or_else(|| text_of(&choice["content"]["parts"]))
        .unwrap_or_default()
}

/// A text, or the texts of a list of parts.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => Some(parts.iter().filter_map(text_of_part).collect()),
        _ => None,
    }
}

fn text_of_part(part: &Value) -> Option<&str> {
    let kind = part.get("type").and_then(Value::as_str).unwrap_or("text");
    let is_thought = part["thought"].as_bool() == Some(true);
    (kind == "text" && !is_thought).then(|| part["text"].as_str())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors;

    fn message(name: &str, data: &Value) -> Message {
        Message {
            name: name.to_owned().into(),
            data: data.as_str().map_or_else(|| data.to_string(), str::to_owned),
            last_event_id: String::new(),
            has_id: false,
        }
    }

    /// An answer's head or request says that it is one of these, which have no text that a table could find.
    fn known_by_events(vector: &Value) -> Option<&str> {
        let dialect = vector["dialect"].as_str();
        dialect.filter(|dialect| !matches!(*dialect, "unknown" | "mcp" | "langgraph"))
    }

    #[test]
    fn answers_are_what_the_vectors_say() {
        let is_read = |vector: &&Value| vector["lines"] != true && vector.get("body").is_none();
        let vectors = vectors::read("answers.json");
        for vector in vectors.iter().filter(is_read) {
            let name = &vector["name"];
            let mut answer = Answer::default();
            let (mut text, mut failed) = (String::new(), None);
            for event in vector["events"].as_array().unwrap() {
                let event = match event.as_array() {
                    Some(event) => message(event[0].as_str().unwrap(), &event[1]),
                    None => message("message", event),
                };
                match answer.see(&event) {
                    Ok(more) => text += &more,
                    Err(message) => failed = Some(message),
                }
                if failed.is_some() || answer.is_over() || event.name == "end" {
                    break;
                }
            }
            text.extend(answer.rest());
            assert_eq!(text, vector["text"].as_str().unwrap_or_default(), "{name}");
            assert_eq!(failed.as_deref(), vector["failed"].as_str(), "{name}");
            assert_eq!(answer.dialect, known_by_events(vector), "{name}");
            // An event `end` is a last word to each reader of the stream, whatever the dialect.
            if failed.is_none() && vector["dialect"] != "langgraph" {
                assert_eq!(answer.is_whole(), vector["whole"] == true, "{name}");
                assert_eq!(answer.is_truncated(), vector["truncated"] == true, "{name}");
            }
        }
    }

    #[test]
    fn a_dialect_is_known_by_its_first_event() {
        for vector in vectors::read("dialects.json") {
            if let (Some(first), None) = (vector.get("first"), vector.get("request")) {
                let mut answer = Answer::default();
                let _ = answer.see(&message("message", first));
                assert_eq!(answer.dialect, known_by_events(&vector), "{}", vector["name"]);
            }
        }
    }

    #[test]
    fn the_number_of_choices_is_bounded() {
        let mut answer = Answer::default();
        for index in 0..10 * MAX_CHOICES {
            let chunk = serde_json::json!({ "choices": [{ "index": index, "text": "x" }] });
            answer.see(&message("message", &chunk)).unwrap();
        }
        assert_eq!(answer.finished.len(), MAX_CHOICES);
    }
}
