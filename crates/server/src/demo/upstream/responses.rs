//! Responses: named events with numbers, from `response.created` to `response.completed`; or one `response`.

use serde_json::{Value, json};

use super::{CREATED, Step, ask::Ask, refusal, said::Said};

/// The events of an answer, as they are made.
struct Script {
    steps: Vec<Step>,
    typed: usize,
}

impl Script {
    fn say(&mut self, name: &'static str, mut data: Value) {
        data["type"] = name.into();
        data["sequence_number"] = self.steps.len().into();
        self.steps.push(Step::new(self.typed, &data).named(name));
    }
}

pub(super) fn steps(ask: &Ask, said: &Said) -> Vec<Step> {
    let mut script = Script {
        steps: Vec::new(),
        typed: 0,
    };
    let begun = response(ask, "in_progress", &[], None);
    script.say("response.created", json!({ "response": begun }));
    script.say("response.in_progress", json!({ "response": begun }));
    script.say(
        "response.output_item.added",
        json!({ "output_index": 0, "item": item(ask, "in_progress", None) }),
    );
    let item_id = item_id(ask);
    let at = |mut data: Value| {
        data["item_id"] = item_id.clone().into();
        data["output_index"] = 0.into();
        if ask.call.is_none() {
            data["content_index"] = 0.into();
        }
        data
    };
    let delta = match ask.call {
        None => {
            script.say("response.content_part.added", at(json!({ "part": part("") })));
            "response.output_text.delta"
        }
        Some(_) => "response.function_call_arguments.delta",
    };
    for (number, token) in said.tokens.iter().enumerate() {
        if ask.fails() && number == said.tokens.len() / 2 {
            fail(&mut script, ask);
            return script.steps;
        }
        script.typed += token.chars().count();
        let mut data = at(json!({ "delta": token }));
        if ask.call.is_none() {
            data["logprobs"] = json!([]);
        }
        script.say(delta, data);
    }
    let text = said.text();
    match &ask.call {
        None => {
            script.say(
                "response.output_text.done",
                at(json!({ "text": text, "logprobs": [] })),
            );
            script.say("response.content_part.done", at(json!({ "part": part(&text) })));
        }
        Some(call) => script.say(
            "response.function_call_arguments.done",
            at(json!({ "name": call.name, "arguments": text })),
        ),
    }
    let (status, name) = outcome(said);
    let item = item(ask, status, Some(&text));
    script.say(
        "response.output_item.done",
        json!({ "output_index": 0, "item": item }),
    );
    script.say(
        name,
        json!({ "response": response(ask, status, &[item], Some(said)) }),
    );
    script.steps
}

pub(super) fn whole(ask: &Ask, said: &Said) -> Value {
    let (status, _) = outcome(said);
    response(ask, status, &[item(ask, status, Some(&said.text()))], Some(said))
}

fn outcome(said: &Said) -> (&'static str, &'static str) {
    match said.is_cut {
        true => ("incomplete", "response.incomplete"),
        false => ("completed", "response.completed"),
    }
}

fn fail(script: &mut Script, ask: &Ask) {
    let message = "the model demo-error-mid always stops here";
    let mut error = refusal::error("server_error", Some("server_error"), message);
    error["type"] = "error".into();
    script.say("error", error);
    let mut failed = response(ask, "failed", &[], None);
    failed["error"] = json!({ "code": "server_error", "message": message });
    script.say("response.failed", json!({ "response": failed }));
}

fn item_id(ask: &Ask) -> String {
    ask.id(if ask.call.is_some() { "fc_" } else { "msg_" })
}

/// The one thing that an answer holds; its text is not there at its beginning.
fn item(ask: &Ask, status: &str, text: Option<&str>) -> Value {
    match &ask.call {
        None => json!({
            "id": item_id(ask), "type": "message", "status": status, "role": "assistant",
            "content": text.map(part).as_slice(),
        }),
        Some(call) => json!({
            "id": item_id(ask), "type": "function_call", "status": status,
            "call_id": ask.id("call_"), "name": call.name, "arguments": text.unwrap_or_default(),
        }),
    }
}

fn part(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

fn response(ask: &Ask, status: &str, output: &[Value], said: Option<&Said>) -> Value {
    let usage = said.map(|said| {
        let (input, output) = (ask.prompt_tokens(), said.tokens.len());
        json!({
            "input_tokens": input, "input_tokens_details": { "cached_tokens": 0 },
            "output_tokens": output, "output_tokens_details": { "reasoning_tokens": 0 },
            "total_tokens": input + output,
        })
    });
    let incomplete = (status == "incomplete").then(|| json!({ "reason": "max_output_tokens" }));
    json!({
        "id": ask.id("resp_"), "object": "response", "created_at": CREATED, "status": status,
        "background": false, "error": null, "incomplete_details": incomplete, "instructions": null,
        "max_output_tokens": (ask.max < usize::MAX).then_some(ask.max), "model": ask.model, "output": output,
        "parallel_tool_calls": true, "previous_response_id": null,
        "reasoning": { "effort": null, "summary": null }, "service_tier": "default", "store": false,
        "temperature": 1.0, "text": { "format": { "type": "text" } }, "tool_choice": "auto", "tools": [],
        "top_p": 1.0, "truncation": "disabled", "usage": usage, "user": null, "metadata": ask.metadata,
    })
}
