//! JSON objects that clients send, and what is wrong with them, in words.

use serde::{
    Deserialize,
    de::{Error as _, IgnoredAny},
};

use crate::problem::shorten;

/// Why a text is not the object that was asked for.
#[derive(Debug)]
pub(crate) struct NotJson(serde_json::Error);

/// Reads an object. (Without the look at its first character an array of the right values would pass for one.)
pub(crate) fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, NotJson> {
    if text.trim_ascii_start().starts_with('{') {
        return value(text);
    }
    // What is no JSON at all is told as that.
    value::<IgnoredAny>(text)?;
    Err(NotJson(serde_json::Error::custom("it is no object")))
}

/// Reads any value.
pub(crate) fn value<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, NotJson> {
    serde_json::from_str(text).map_err(NotJson)
}

impl NotJson {
    /// With the place in a text of one line.
    pub(crate) fn in_line(&self) -> String {
        match self.0.line() {
            0 => self.message(),
            _ => format!("column {}: {}", self.0.column(), self.message()),
        }
    }

    /// With the place in a text.
    pub(crate) fn in_text(&self) -> String {
        match self.0.line() {
            0 => self.message(),
            line => format!("line {line}, column {}: {}", self.0.column(), self.message()),
        }
    }

    /// Without the place, which serde_json puts at the end.
    pub(crate) fn message(&self) -> String {
        let text = self.0.to_string();
        let place = format!(" at line {} column {}", self.0.line(), self.0.column());
        shorten(text.strip_suffix(&place).unwrap_or(&text)).into_owned()
    }
}
