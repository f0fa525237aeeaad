//! The growing text of an AI's answer.
//!
//! Which provider answers is told by each event itself:
//!
//! | provider | a piece of text | the end |
//! |---|---|---|
//! | OpenAI chat completions, and those that follow it | `choices[0].delta.content` (or `.text`) | `[DONE]` |
//! | OpenAI responses | `response.output_text.delta` | `response.completed`, `response.incomplete` |
//! | Anthropic messages | `content_block_delta` with `text_delta` | `message_stop` |
//! | AI SDK UI message stream | `text-delta` | `finish`, `abort`, `[DONE]` |
//!
//! Everything else (roles, tools, thinking, usage, what is no JSON) is passed over. An error that is reported in
//! the stream, by its shape or as an event named `error`, is an [`Error::Provider`], and the end.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use serde_json::Value;
use tidewire_codec::Message;

use crate::{error::Error, events::Events, json::DONE, source::EventSource};

/// The pieces of text of an answer, as they come; the module's text says of which providers.
#[derive(Debug)]
#[must_use = "nothing happens until it is polled"]
pub struct Text {
    events: Events,
}

impl Text {
    pub(crate) fn new(source: EventSource) -> Self {
        Self {
            events: Events::new(source),
        }
    }

    /// The source below.
    pub fn source(&self) -> &EventSource {
        self.events.source()
    }

    /// The source below, for `restart` and `close`.
    pub fn source_mut(&mut self) -> &mut EventSource {
        self.events.source_mut()
    }
}

impl Stream for Text {
    type Item = Result<String, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let event = match ready!(self.events.poll(cx)) {
                Some(Ok(event)) => event,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            };
            match Piece::of(&event) {
                Piece::Text(text) => return Poll::Ready(Some(Ok(text))),
                Piece::Other => {}
                Piece::End => {
                    self.source_mut().close();
                    return Poll::Ready(None);
                }
                Piece::Failed(message) => {
                    self.source_mut().close();
                    let event = Box::new(event);
                    return Poll::Ready(Some(Err(Error::Provider { message, event })));
                }
            }
        }
    }
}

/// What an event is to an answer.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Other,
    End,
    Failed(String),
}

impl Piece {
    fn of(event: &Message) -> Self {
        let data = event.data.trim();
        if data == DONE {
            return Self::End;
        }
        // What is no JSON has no members either, and may be the text of an error all the same.
        let value: Value = serde_json::from_str(data).unwrap_or_default();
        if let Some(message) = failure(event, &value) {
            return Self::Failed(message);
        }
        let kind = value["type"].as_str().unwrap_or_default();
        let text = match kind {
            "response.completed" | "response.incomplete" | "message_stop" | "finish" | "abort" => {
                return Self::End;
            }
            "response.output_text.delta" => &value["delta"],
            "content_block_delta" => &value["delta"]["text"],
            // The AI SDK called it `textDelta` once.
            "text-delta" => value.get("delta").unwrap_or(&value["textDelta"]),
            "" => choice(&value),
            _ => &Value::Null,
        };
        match text.as_str() {
            Some(text) if !text.is_empty() => Self::Text(text.to_owned()),
            _ => Self::Other,
        }
    }
}

/// The text of the first choice: several answers at once are not one text.
fn choice(value: &Value) -> &Value {
    let choices = value["choices"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_first = |choice: &&Value| choice["index"].as_u64().unwrap_or(0) == 0;
    let Some(choice) = choices.iter().find(is_first) else {
        return &Value::Null;
    };
    choice["delta"].get("content").unwrap_or(&choice["text"])
}

/// The message of an error that is reported in the stream.
fn failure(event: &Message, value: &Value) -> Option<String> {
    let kind = value["type"].as_str().unwrap_or_default();
    let error = match kind {
        "response.failed" => &value["response"]["error"],
        _ => &value["error"],
    };
    // vLLM and Mistral give errors a name of their own kind in `type`, and say what they are in `object`.
    let is_failure = event.name == "error"
        || matches!(kind, "error" | "response.failed")
        || value["object"] == "error"
        || !error.is_null();
    is_failure.then(|| {
        let said = [
            &error["message"],
            error,
            &value["message"],
            &value["errorText"],
            value,
        ];
        let message = said.into_iter().find_map(Value::as_str);
        message.unwrap_or(&event.data).to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(name: &'static str, data: &str) -> Piece {
        Piece::of(&Message {
            name: name.into(),
            data: data.to_owned(),
            last_event_id: String::new(),
            has_id: false,
        })
    }

    #[test]
    fn each_providers_pieces_are_text() {
        for data in [
            r#"{"id":"x","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hi"}}],"error":null}"#,
            r#"{"choices":[{"delta":{"role":"assistant","content":"Hi"},"finish_reason":null}]}"#,
            r#"{"choices":[{"index":1,"delta":{"content":"no"}},{"index":0,"delta":{"content":"Hi"}}]}"#,
            r#"{"choices":[{"index":0,"text":"Hi"}]}"#,
            r#"{"type":"response.output_text.delta","item_id":"m","delta":"Hi"}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}"#,
            r#"{"type":"text-delta","id":"0","delta":"Hi"}"#,
            r#"{"type":"text-delta","textDelta":"Hi"}"#,
        ] {
            assert_eq!(piece("message", data), Piece::Text("Hi".into()), "{data}");
        }
    }

    #[test]
    fn what_is_no_text_does_no_harm() {
        for data in [
            "",
            "hello",
            "42",
            "[]",
            "{}",
            r#"{"choices":[]}"#,
            r#"{"choices":[{"delta":{}}]}"#,
            r#"{"choices":[{"delta":{"content":null}}]}"#,
            r#"{"choices":[{"index":1,"delta":{"content":"another answer"}}]}"#,
            r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#,
            r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
            r#"{"choices":"none"}"#,
            r#"{"type":"message_start","message":{}}"#,
            r#"{"type":"ping"}"#,
            r#"{"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":"hm"}}"#,
            r#"{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"{"}}"#,
            r#"{"type":"response.created","response":{"error":null}}"#,
            r#"{"type":"reasoning-delta","delta":"hm"}"#,
            r#"{"type":"finish-step"}"#,
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a"}}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":null}]}"#,
            r#"{"choices":[null]}"#,
            r#"{"choices":[{"delta":{"reasoning_content":"hm","content":null}}]}"#,
            r#"{"type":"response.function_call_arguments.delta","delta":"{\"a"}"#,
            r#"{"type":"response.reasoning_summary_text.delta","delta":"hm"}"#,
            r#"{"type":"response.output_text.delta"}"#,
            r#"{"type":"content_block_delta"}"#,
            r#"{"type":"content_block_start","content_block":{"type":"tool_use","input":{}}}"#,
            r#"{"type":"text-delta","id":"0"}"#,
            r#"{"type":"tool-input-delta","inputTextDelta":"{\"a"}"#,
            r#"{"type":"tool-output-error","errorText":"the tool failed, and the answer goes on"}"#,
            r#"{"type":"data-weather","data":{"error":"none of the answer's"}}"#,
        ] {
            assert_eq!(piece("message", data), Piece::Other, "{data}");
        }
    }

    #[test]
    fn each_providers_end_is_the_end() {
        for data in [
            "[DONE]",
            " [DONE]\n",
            r#"{"type":"response.completed","response":{}}"#,
            r#"{"type":"message_stop"}"#,
            r#"{"type":"finish"}"#,
        ] {
            assert_eq!(piece("message", data), Piece::End, "{data}");
        }
    }

    #[test]
    fn an_error_in_the_stream_is_an_error_with_what_it_says() {
        for (name, data) in [
            (
                "error",
                r#"{"type":"error","error":{"type":"overloaded_error","message":"busy"}}"#,
            ),
            ("message", r#"{"error":{"message":"busy","code":500}}"#),
            ("message", r#"{"error":"busy"}"#),
            (
                "message",
                r#"{"type":"response.failed","response":{"error":{"message":"busy"}}}"#,
            ),
            ("message", r#"{"type":"error","message":"busy","code":null}"#),
            ("message", r#"{"type":"error","errorText":"busy"}"#),
            (
                "message",
                r#"{"object":"error","message":"busy","type":"ServerError","code":503}"#,
            ),
            ("error", "busy"),
            ("error", r#""busy""#),
        ] {
            assert_eq!(piece(name, data), Piece::Failed("busy".into()), "{data}");
        }
    }
}
