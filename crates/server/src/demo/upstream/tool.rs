//! Tools: whether one is to be called, and with what.

use serde_json::{Map, Value, json};

/// How deep in a schema values are made up.
const DEEPEST: usize = 8;

#[derive(Debug)]
pub(super) struct Call {
    pub(super) name: String,
    /// JSON.
    pub(super) arguments: String,
}

/// The call that a request asks for: of the tool that is demanded, or that the prompt names, or of the first.
pub(super) fn wanted(body: &Value, prompt: &str) -> Option<Call> {
    let choice = &body["tool_choice"];
    // A chat's tools hold their function, a response's are it.
    let function = |tool: &'_ Value| match &tool["function"] {
        Value::Object(function) => Value::Object(function.clone()),
        _ => tool.clone(),
    };
    let tools: Vec<Value> = body["tools"].as_array()?.iter().map(function).collect();
    let named = |name: &str| tools.iter().find(|tool| tool["name"] == name);
    let demanded = choice["function"]["name"].as_str().or(choice["name"].as_str());
    let prompted = || {
        let prompt = prompt.to_lowercase();
        let in_prompt = |tool: &&Value| {
            let name = tool["name"].as_str().unwrap_or_default().to_lowercase();
            let words = name.split(['_', '-', '.']).filter(|word| word.len() > 3);
            !name.is_empty()
                && (prompt.contains(&name) || words.into_iter().any(|word| prompt.contains(word)))
        };
        let says_tool = prompt.contains("tool") || prompt.contains("工具");
        let found = tools.iter().find(in_prompt);
        found.or_else(|| tools.first().filter(|_| says_tool))
    };
    let tool = match choice.as_str() {
        Some("none") => None,
        Some("required") => prompted().or_else(|| tools.first()),
        _ => demanded.map_or_else(prompted, named),
    }?;
    let arguments = value(&tool["parameters"], prompt, 0);
    Some(Call {
        name: tool["name"].as_str()?.to_owned(),
        arguments: match arguments {
            Value::Object(_) => arguments.to_string(),
            _ => "{}".into(),
        },
    })
}

/// Something that a schema allows.
fn value(schema: &Value, prompt: &str, depth: usize) -> Value {
    if depth > DEEPEST {
        return Value::Null;
    }
    if let Some(first) = schema["enum"].as_array().and_then(|all| all.first()) {
        return first.clone();
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.first().and_then(Value::as_str),
        kind => kind.as_str(),
    };
    match kind {
        Some("string") => prompt.chars().take(100).collect::<String>().into(),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        Some("boolean") => Value::Bool(true),
        Some("array") => json!([value(&schema["items"], prompt, depth + 1)]),
        Some("object") => {
            let properties = schema["properties"].as_object();
            let of = |(name, schema): (&String, &Value)| (name.clone(), value(schema, prompt, depth + 1));
            let all: Map<_, _> = properties.map_or_else(Map::new, |all| all.iter().map(of).collect());
            Value::Object(all)
        }
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(choice: &Value) -> Value {
        json!({ "tool_choice": choice, "tools": [
            { "type": "function", "function": { "name": "add", "parameters": {} } },
            { "type": "function", "name": "get_weather", "parameters": { "type": "object", "properties": {
                "city": { "type": "string" }, "unit": { "enum": ["C", "F"] }, "days": { "type": "integer" }
            } } },
        ] })
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "so that cases can be written in place"
    )]
    fn called(choice: Value, prompt: &str) -> Option<String> {
        wanted(&body(&choice), prompt).map(|call| call.name)
    }

    #[test]
    fn a_tool_is_called_when_the_prompt_asks_for_it_or_the_request_demands_it() {
        assert_eq!(called(Value::Null, "hello"), None);
        assert_eq!(
            called(Value::Null, "the weather?").as_deref(),
            Some("get_weather")
        );
        assert_eq!(called(Value::Null, "use a tool").as_deref(), Some("add"));
        assert_eq!(called(json!("none"), "use a tool"), None);
        assert_eq!(called(json!("required"), "hello").as_deref(), Some("add"));
        let demanded = json!({ "type": "function", "function": { "name": "get_weather" } });
        assert_eq!(called(demanded, "hello").as_deref(), Some("get_weather"));
        assert_eq!(called(json!({ "name": "other" }), "hello"), None);
    }

    #[test]
    fn arguments_are_what_the_schema_wants() {
        let call = wanted(&body(&Value::Null), "weather in 杭州").unwrap();
        let arguments: Value = serde_json::from_str(&call.arguments).unwrap();
        assert_eq!(
            arguments,
            json!({ "city": "weather in 杭州", "unit": "C", "days": 1 })
        );
    }
}
