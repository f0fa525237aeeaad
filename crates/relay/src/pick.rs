//! One value out of a JSON text, by a JSON pointer (RFC 6901). The rest is read over and not held: a body of many small
//! values would take many times its size as a tree.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A value that is no list and no object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scalar {
    Bool(bool),
    /// A text, or a number as it is written.
    Text(String),
    Null,
}

/// The value there, if the whole text is JSON. Of members with the same name the last counts.
pub(super) fn pick(json: &[u8], pointer: &str) -> Option<Scalar> {
    let steps: Vec<String> = match pointer.strip_prefix('/') {
        Some(steps) => steps.split('/').map(unescaped).collect(),
        None => Vec::new(),
    };
    let mut json = serde_json::Deserializer::from_slice(json);
    let found = Pick(&steps).deserialize(&mut json).ok()?;
    json.end().ok()?;
    found
}

fn unescaped(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

struct Pick<'a>(&'a [String]);

impl Pick<'_> {
    fn scalar<E>(&self, scalar: impl FnOnce() -> Scalar) -> Result<Option<Scalar>, E> {
        Ok(self.0.is_empty().then(scalar))
    }
}

impl<'de> DeserializeSeed<'de> for Pick<'_> {
    type Value = Option<Scalar>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Pick<'_> {
    type Value = Option<Scalar>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        self.scalar(|| Scalar::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        self.scalar(|| Scalar::Text(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        self.scalar(|| Scalar::Text(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        self.scalar(|| Scalar::Text(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        self.scalar(|| Scalar::Text(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        self.scalar(|| Scalar::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        if let Some((step, rest)) = self.0.split_first()
            && let Ok(wanted) = step.parse::<usize>()
        {
            for _ in 0..wanted {
                if list.next_element::<IgnoredAny>()?.is_none() {
                    return Ok(None);
                }
            }
            found = list.next_element_seed(Pick(rest))?.flatten();
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(found)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = object.next_key::<String>()? {
            match self.0.split_first() {
                Some((step, rest)) if *step == key => found = object.next_value_seed(Pick(rest))?,
                _ => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_where_the_pointer_says() {
        let json = br#"{"stream":true,"id":"c/1","n":7,"a":{"b":["x",{"~/":"deep"}]},"id":"last","z":null}"#;
        let text = |text: &str| Some(Scalar::Text(text.into()));
        for (pointer, found) in [
            ("/stream", Some(Scalar::Bool(true))),
            ("/id", text("last")),
            ("/n", text("7")),
            ("/a/b/0", text("x")),
            ("/a/b/1/~0~1", text("deep")),
            ("/a/b/2", None),
            ("/a/b/x", None),
            ("/a", None),
            ("/id/x", None),
            ("/nothing", None),
            ("/z", Some(Scalar::Null)),
        ] {
            assert_eq!(pick(json, pointer), found, "{pointer}");
        }
        for wrong in [&b"{"[..], b"", b"{\"id\":\"a\"} x", b"\xff", b"<html>"] {
            assert_eq!(pick(wrong, "/id"), None);
        }
        let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
        assert_eq!(pick(&deep, "/id"), None, "no stack is used up");
    }
}
