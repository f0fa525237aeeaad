//! A line of NDJSON as an event: `{"data":…,"event"?,"id"?,"retry"?}`.
//!
//! `data` is a text, or any other JSON value, which travels as its own text without the space between its parts.
//! `topic` and `topics`, which our own lines have, are passed over: the request says where events go.

use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

use super::{fault::Fault, found::Found, lines::Line};
use crate::{
    Problem,
    json::{self, NotJson},
};

/// How much longer than its event a line may be: each byte may be escaped, as `\u0000`.
pub(super) const ESCAPED: usize = 6;

/// What a line may need beside that: names of fields, an id, quotes.
pub(super) const ENVELOPE: usize = 4 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
    event: Option<String>,
    id: Option<String>,
    retry: Option<u64>,
    #[serde(default, rename = "topic")]
    _topic: IgnoredAny,
    #[serde(default, rename = "topics")]
    _topics: IgnoredAny,
}

/// Reads a line; blank ones hold nothing.
pub(super) fn event(line: Line<'_>) -> Result<Option<Found>, Fault> {
    let text = match line.number {
        1 => line.text.strip_prefix('\u{feff}').unwrap_or(line.text),
        _ => line.text,
    };
    if text.trim_ascii().is_empty() {
        return Ok(None);
    }
    let bad = |why| {
        let detail = format!("{why}; each line is an event, such as {{\"data\":\"hello\"}}");
        Fault::at(line.number, Problem::bad_request("bad_json", detail))
    };
    let envelope: Envelope<'_> = json::object(text).map_err(|error| bad(error.in_line()))?;
    let data = data(envelope.data.get()).map_err(|error| bad(format!("`data`: {}", error.message())))?;
    let (id, name) = (envelope.id.as_deref(), envelope.event.as_deref());
    Found::new(line.number, id, name, envelope.retry, data).map(Some)
}

fn data(text: &str) -> Result<String, NotJson> {
    match text.starts_with('"') {
        true => json::value(text),
        false => Ok(compact(text)),
    }
}

/// Valid JSON without the space between its parts; numbers and the order of names stay as they are.
fn compact(json: &str) -> String {
    let mut in_string = false;
    let mut escaped = false;
    let keep = |c: &char| {
        let is_space = !in_string && c.is_ascii_whitespace();
        in_string ^= *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        !is_space
    };
    json.chars().filter(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_loses_its_spaces_and_nothing_else() {
        for (json, compacted) in [
            (
                " [ 1.0 ,\t2e400 , 12345678901234567890123 ] ",
                "[1.0,2e400,12345678901234567890123]",
            ),
            (
                r#"{ "b" : " a \" b " , "a" : "\\" , "c" : [ ] }"#,
                r#"{"b":" a \" b ","a":"\\","c":[]}"#,
            ),
            ("null", "null"),
        ] {
            assert_eq!(compact(json), compacted);
        }
    }
}
