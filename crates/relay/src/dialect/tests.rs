//! The vectors that both clients run (`crates/client/vectors/README.md`), as far as they are the relay's.

use std::{fs, path::Path};

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde_json::Value;

use super::{reading::Outcome, *};

fn vectors(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../client/vectors")
        .join(name);
    let file: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    file["vectors"].as_array().unwrap().clone()
}

fn headers(of: &Value) -> HeaderMap {
    let each = of.as_object().into_iter().flatten();
    each.map(|(name, value)| {
        let name: HeaderName = name.parse().unwrap();
        (name, HeaderValue::from_str(value.as_str().unwrap()).unwrap())
    })
    .collect()
}

fn text(data: &Value) -> String {
    data.as_str().map_or_else(|| data.to_string(), str::to_owned)
}

fn of_request(request: &Value) -> Option<Dialect> {
    let target = request["path"].as_str()?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = headers(&request["headers"]);
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    let body = request.get("body").map(Value::to_string).unwrap_or_default();
    Dialect::of_request(&Request {
        method: &request["method"].as_str()?.parse::<Method>().unwrap(),
        path,
        query: Some(query),
        headers: &headers,
        body: body.as_bytes(),
    })
}

#[test]
fn a_dialect_is_known_by_its_request_or_its_head_or_its_first_event() {
    for vector in vectors("dialects.json") {
        let request = &vector["request"];
        let path = request["path"].as_str().unwrap_or_default();
        let found = of_request(request)
            .or_else(|| Dialect::of_head(path, &headers(&vector["answer"])))
            .or_else(|| Dialect::of_event("message", &text(vector.get("first")?)));
        let name = &vector["name"];
        assert_eq!(found.unwrap_or_default().as_str(), vector["dialect"], "{name}");
    }
}

#[test]
fn the_end_of_an_answer_is_what_the_vectors_say() {
    for vector in vectors("answers.json") {
        let Some(events) = vector["events"].as_array() else {
            continue;
        };
        let name = &vector["name"];
        let dialect: Dialect = vector["dialect"].as_str().unwrap_or("unknown").parse().unwrap();
        // Of some dialects no event tells.
        let is_told = matches!(dialect, Dialect::Mcp | Dialect::Ollama);
        let mut reading = Reading::new(is_told.then_some(dialect));
        for event in events {
            match event.as_array() {
                Some(event) => reading.see(event[0].as_str().unwrap(), &text(&event[1])),
                None => reading.see("message", &text(event)),
            }
        }
        let failed = vector["failed"].as_str();
        assert_eq!(
            reading.state(),
            (dialect, vector["whole"] == true, failed),
            "{name}"
        );
        let is_truncated = reading.outcome() == Outcome::Truncated;
        assert_eq!(is_truncated, vector["truncated"] == true, "{name}");
    }
}

#[test]
fn a_body_that_is_bare_json_may_be_an_error() {
    let mut count = 0;
    for vector in vectors("answers.json") {
        let Some(body) = vector["body"]
            .as_str()
            .filter(|_| vector.get("dialect").is_none())
        else {
            continue;
        };
        assert_eq!(
            failure_of_body(body).as_deref(),
            vector["failed"].as_str(),
            "{vector}"
        );
        count += 1;
    }
    assert!(count > 3, "vectors were lost");
}

#[test]
fn names_are_read_as_they_are_written() {
    for dialect in Dialect::ALL {
        assert_eq!(dialect.as_str().parse(), Ok(dialect));
        assert_eq!(serde_json::to_value(dialect).unwrap(), dialect.as_str());
    }
    let error = "openai".parse::<Dialect>().unwrap_err();
    assert!(
        error.contains("\"openai\"") && error.contains("openai-chat, "),
        "{error}"
    );
    // As logs of before have them.
    let before = |name: &str| serde_json::from_value::<Dialect>(name.into()).unwrap();
    assert_eq!(before("open_ai"), Dialect::OpenaiChat);
    assert_eq!(before("ai_sdk"), Dialect::AiSdkUi);
}

#[test]
fn choices_are_bounded_and_told_apart() {
    let mut reading = Reading::new(Some(Dialect::OpenaiChat));
    let chunk = |index: usize, reason: &str| {
        format!(r#"{{"choices":[{{"index":{index},"delta":{{"tool_calls":[]}},"finish_reason":{reason}}}]}}"#)
    };
    reading.see("message", &chunk(0, "null"));
    reading.see("message", &chunk(1, "null"));
    reading.see("message", &chunk(0, "\"stop\""));
    assert!(!reading.may_end(), "the second choice has no text, and goes on");
    reading.see("message", &chunk(1, "\"tool_calls\""));
    assert_eq!(reading.outcome(), Outcome::Whole);
    for index in 0..5000 {
        reading.see("message", &chunk(index, "null"));
    }
}

#[test]
fn events_of_any_size_and_depth_are_read_without_a_tree() {
    let deep = [r#"{"choices":"#, &"[".repeat(100_000), &"]".repeat(100_000), "}"].concat();
    let wide = format!(r#"{{"choices":[{}0]}}"#, "0,".repeat(1_000_000));
    for data in [&deep, &wide] {
        let mut reading = Reading::new(Some(Dialect::OpenaiChat));
        reading.see("message", data);
        assert_eq!(reading.outcome(), Outcome::Ended);
    }
}
