//! The demo's upstream, asked directly: OpenAI's shapes on the wire, the same answer to the same question, and its bounds.

use std::{thread::sleep, time::Duration};

use serde_json::{Value, json};

use crate::{
    binary::Server,
    client::{End, Reader, Response, request},
};

const CHAT: &str = "/demo/v1/chat/completions";
const RESPONSES: &str = "/demo/v1/responses";
const JSON: &[(&str, &str)] = &[("Content-Type", "application/json")];

fn chat(model: &str, prompt: &str, more: &Value) -> Value {
    let mut body = json!({
        "model": model, "messages": [{ "role": "user", "content": prompt }], "metadata": { "cps": "1000000" },
    });
    let more = more.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(more);
    body
}

fn ask(server: &Server, path: &str, body: &Value) -> Response {
    server.ask("POST", path, JSON, &body.to_string())
}

/// A chat's answer, read as it comes.
fn open(server: &Server, body: &str) -> Reader {
    let mut client = server.connect();
    client.send(request("POST", CHAT, JSON, body));
    let reader = client.reader();
    assert_eq!(reader.head.status, 200);
    reader
}

/// The data of an answer's events; of named ones, with a name that says the same as the data.
fn events(answer: &Response) -> Vec<Value> {
    assert_eq!(answer.status(), 200, "{}", answer.body);
    let blocks = answer.body.split("\n\n").filter(|block| !block.is_empty());
    let mut events = Vec::new();
    for block in blocks {
        let (name, data) = match block.strip_prefix("event: ") {
            Some(rest) => {
                let (name, data) = rest.split_once('\n').unwrap();
                (Some(name), data)
            }
            None => (None, block),
        };
        let data = data.strip_prefix("data: ").unwrap();
        let value = match data {
            "[DONE]" => Value::from("[DONE]"),
            data => serde_json::from_str(data).unwrap(),
        };
        if let Some(name) = name {
            assert_eq!(value["type"], name);
        }
        events.push(value);
    }
    events
}

fn text<'a>(events: &'a [Value], of: impl Fn(&'a Value) -> &'a Value) -> String {
    events.iter().filter_map(|event| of(event).as_str()).collect()
}

#[test]
fn a_chat_streams_what_it_says_in_one_piece() {
    let server = Server::start();
    for prompt in ["hello \"there\"", "你好"] {
        let whole = ask(&server, CHAT, &chat("demo", prompt, &json!({}))).json();
        let streamed = chat(
            "demo",
            prompt,
            &json!({ "stream": true, "stream_options": { "include_usage": true } }),
        );
        let events = events(&ask(&server, CHAT, &streamed));
        let [first, .., finish, usage, done] = &events[..] else {
            panic!("{events:?}")
        };
        assert_eq!(first["choices"][0]["delta"]["role"], "assistant");
        assert_eq!(finish["choices"][0]["finish_reason"], "stop");
        assert_eq!(usage["choices"], json!([]));
        assert_eq!(usage["usage"], whole["usage"]);
        assert_eq!(*done, "[DONE]");
        assert!(
            events
                .iter()
                .take(events.len() - 1)
                .all(|event| event["id"] == whole["id"])
        );
        let said = text(&events, |event| &event["choices"][0]["delta"]["content"]);
        assert_eq!(said, whole["choices"][0]["message"]["content"].as_str().unwrap());
        assert!(said.contains(prompt), "{said}");
        let again = ask(&server, CHAT, &chat("demo", prompt, &json!({}))).json();
        assert_eq!(again, whole, "the same question has the same answer");
    }
}

#[test]
fn a_response_streams_numbered_events_whose_last_holds_it_whole() {
    let server = Server::start();
    let mut body = json!({ "model": "demo", "input": "hello", "metadata": { "cps": "1000000" } });
    let whole = ask(&server, RESPONSES, &body).json();
    body["stream"] = true.into();
    let events = events(&ask(&server, RESPONSES, &body));
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number);
    }
    let mut types: Vec<_> = events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    types.dedup();
    assert_eq!(
        types,
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    let said = text(&events, |event| match event["type"].as_str() {
        Some("response.output_text.delta") => &event["delta"],
        _ => &Value::Null,
    });
    assert_eq!(events.last().unwrap()["response"], whole);
    assert_eq!(said, whole["output"][0]["content"][0]["text"].as_str().unwrap());
}

#[test]
fn bad_requests_and_asked_for_errors_have_the_shape_that_clients_know() {
    let server = Server::start();
    let no_list = json!({ "model": "demo", "messages": 7 });
    let bodies = [
        ("{", 400),
        ("{}", 400),
        ("[]", 400),
        (&no_list.to_string(), 400),
        (&chat("demo", "x", &json!({ "n": 2 })).to_string(), 400),
        (&chat("demo-error-429", "x", &json!({})).to_string(), 429),
        (
            &chat("demo-error-503", "x", &json!({ "stream": true })).to_string(),
            503,
        ),
        (&format!("\"{}\"", "x".repeat(3 << 20)), 413),
    ];
    for (body, status) in bodies {
        let answer = server.ask("POST", CHAT, JSON, body);
        assert_eq!(answer.status(), status, "{:.99}", answer.body);
        assert!(answer.json()["error"]["message"].is_string(), "{}", answer.body);
        let is_later = matches!(status, 429 | 503);
        assert_eq!(answer.head.get("retry-after").is_some(), is_later);
    }
}

#[test]
fn an_answer_that_breaks_is_not_taken_for_whole() {
    let server = Server::start();
    let failed = ask(
        &server,
        CHAT,
        &chat("demo-error-mid", "x", &json!({ "stream": true })),
    );
    let failed = events(&failed);
    assert!(failed.len() > 10, "in its midst");
    assert_eq!(failed.last().unwrap()["error"]["type"], "server_error");
    let cut = chat("demo-cut-mid", "x", &json!({ "stream": true }));
    let (text, end) = open(&server, &cut.to_string()).rest();
    assert!(text.len() > 1_000 && !text.contains("[DONE]"), "in its midst");
    assert_eq!(end, End::Cut);
}

#[test]
fn answers_are_bounded_and_one_whose_client_has_gone_makes_room() {
    let server = Server::start();
    let slow = chat("demo-slow-600", "x", &json!({ "stream": true, "metadata": {} })).to_string();
    let mut readers: Vec<Reader> = (0..256).map(|_| open(&server, &slow)).collect();
    let quick = chat("demo", "x", &json!({}));
    let refused = ask(&server, CHAT, &quick);
    assert_eq!(refused.status(), 429, "{}", refused.body);
    readers.pop();
    // Noticed when the connection's end arrives.
    let has_room = (0..200).any(|_| {
        sleep(Duration::from_millis(20));
        ask(&server, CHAT, &quick).status() == 200
    });
    assert!(has_room);
}
