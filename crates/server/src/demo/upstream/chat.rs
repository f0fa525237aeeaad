//! Chat completions: `chat.completion.chunk` by `chat.completion.chunk`, then `[DONE]`; or one `chat.completion`.

use serde_json::{Value, json};
use tidewire_codec::Event;

use super::{CREATED, Step, ask::Ask, refusal, said::Said};

pub(super) fn steps(ask: &Ask, said: &Said) -> Vec<Step> {
    let id = ask.id("chatcmpl-");
    let chunk = |choices: Value, usage: Option<Value>| {
        let mut chunk = json!({
            "id": id, "object": "chat.completion.chunk", "created": CREATED, "model": ask.model,
            "service_tier": "default", "system_fingerprint": "fp_demo", "choices": choices,
        });
        // Whoever wants to know it gets the field in every chunk.
        if ask.counts {
            chunk["usage"] = usage.unwrap_or(Value::Null);
        }
        chunk
    };
    let choice = |delta: Value, reason: Option<&str>| {
        let choice = json!({ "index": 0, "delta": delta, "logprobs": null, "finish_reason": reason });
        chunk(json!([choice]), None)
    };
    let (first, delta): (Value, fn(&str) -> Value) = match &ask.call {
        None => (
            json!({ "role": "assistant", "content": "", "refusal": null }),
            |token| json!({ "content": token }),
        ),
        Some(call) => (
            json!({ "role": "assistant", "content": null, "refusal": null, "tool_calls": [{
                "index": 0, "id": ask.id("call_"), "type": "function",
                "function": { "name": call.name, "arguments": "" },
            }] }),
            |token| json!({ "tool_calls": [{ "index": 0, "function": { "arguments": token } }] }),
        ),
    };
    let mut steps = vec![Step::new(0, &choice(first, None))];
    let mut typed = 0;
    for (number, token) in said.tokens.iter().enumerate() {
        if ask.fails() && number == said.tokens.len() / 2 {
            let error = refusal::error("server_error", None, "the model demo-error-mid always stops here");
            steps.push(Step::new(typed, &json!({ "error": error })));
            return steps;
        }
        typed += token.chars().count();
        steps.push(Step::new(typed, &choice(delta(token), None)));
    }
    steps.push(Step::new(typed, &choice(json!({}), Some(reason(ask, said)))));
    if ask.counts {
        steps.push(Step::new(typed, &chunk(json!([]), Some(usage(ask, said)))));
    }
    let event = Event::new("[DONE]");
    steps.push(Step { typed, event });
    steps
}

pub(super) fn whole(ask: &Ask, said: &Said) -> Value {
    let mut message = json!({ "role": "assistant", "content": null, "refusal": null, "annotations": [] });
    match &ask.call {
        None => message["content"] = said.text().into(),
        Some(call) => {
            let function = json!({ "name": call.name, "arguments": call.arguments });
            let id = ask.id("call_");
            message["tool_calls"] = json!([{ "id": id, "type": "function", "function": function }]);
        }
    }
    let choice =
        json!({ "index": 0, "message": message, "logprobs": null, "finish_reason": reason(ask, said) });
    json!({
        "id": ask.id("chatcmpl-"), "object": "chat.completion", "created": CREATED, "model": ask.model,
        "service_tier": "default", "system_fingerprint": "fp_demo",
        "choices": [choice], "usage": usage(ask, said),
    })
}

fn reason(ask: &Ask, said: &Said) -> &'static str {
    match (&ask.call, said.is_cut) {
        (Some(_), _) => "tool_calls",
        (None, true) => "length",
        (None, false) => "stop",
    }
}

fn usage(ask: &Ask, said: &Said) -> Value {
    let (prompt, answer) = (ask.prompt_tokens(), said.tokens.len());
    json!({
        "prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer,
        "prompt_tokens_details": { "cached_tokens": 0, "audio_tokens": 0 },
        "completion_tokens_details": {
            "reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
        },
    })
}
