//! Parameters as names and values, wherever they stand: in a query, in a form, in JSON.

use std::borrow::Cow;

use http::Uri;
use percent_encoding::percent_decode_str;

use crate::{Problem, problem::shorten};

/// Names and values, in order.
#[derive(Debug, Default)]
pub(super) struct Parameters<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Parameters<'a> {
    /// Those of a request's query.
    pub(super) fn of_query(uri: &'a Uri) -> Result<Self, Problem> {
        Self::of_form(uri.query().unwrap_or_default())
    }

    /// Those of a form.
    pub(super) fn of_form(text: &'a str) -> Result<Self, Problem> {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode_form(name)?, decode_form(value)?))
        });
        pairs.collect::<Result<_, Problem>>().map(Self)
    }

    pub(super) fn push(&mut self, name: &'static str, value: impl Into<Cow<'a, str>>) {
        self.0.push((name.into(), value.into()));
    }

    /// Both together: what may stand once may stand once in both.
    pub(super) fn and(mut self, mut more: Self) -> Self {
        self.0.append(&mut more.0);
        self
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_ref())
    }

    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_ref())
    }

    /// The value of a parameter that may stand once.
    pub(super) fn one(&self, name: &str) -> Result<Option<&str>, Problem> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            _ => Err(doubled(name)),
        }
    }

    /// The value, which is not empty, of a parameter that has several names and may stand once.
    pub(super) fn one_of(&self, names: &[&str]) -> Result<Option<&str>, Problem> {
        let is_one =
            |(name, value): &&(Cow<'a, str>, Cow<'a, str>)| names.contains(&&**name) && !value.is_empty();
        let mut found = self.0.iter().filter(is_one);
        match (found.next(), found.next()) {
            (found, None) => Ok(found.map(|(_, value)| &**value)),
            (Some((first, _)), Some((second, _))) if first != second => {
                Err(doubled(&format!("{first}` or `{second}")))
            }
            _ => Err(doubled(names.first().unwrap_or(&""))),
        }
    }

    /// `true` or `1`, or the bare name; `false` or `0`, or nothing.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.one(name)? {
            Some("" | "1" | "true") => Ok(true),
            None | Some("0" | "false") => Ok(false),
            Some(other) => Err(bad(name, other, "true or false")),
        }
    }

    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Problem> {
        let parse = |text: &str| text.parse().map_err(|_| bad(name, text, "a whole number"));
        self.one(name)?.map(parse).transpose()
    }
}

pub(super) fn bad(name: &str, value: &str, wanted: &str) -> Problem {
    let value = shorten(value);
    Problem::bad_request("bad_parameter", format!("`{name}={value}`: give {wanted}"))
}

fn doubled(name: &str) -> Problem {
    Problem::bad_request(
        "bad_parameter",
        format!("`{name}` stands more than once: give it once"),
    )
}

/// Percent-decodes strictly: a stray `%` or bytes that are no UTF-8 would be another topic than meant.
pub(super) fn decode(text: &str) -> Result<Cow<'_, str>, Problem> {
    let is_hex = |at: usize| text.as_bytes().get(at).is_some_and(u8::is_ascii_hexdigit);
    let stray = text
        .match_indices('%')
        .any(|(at, _)| !(is_hex(at + 1) && is_hex(at + 2)));
    let decoded = percent_decode_str(text).decode_utf8();
    match decoded {
        Ok(decoded) if !stray => Ok(decoded),
        _ => Err(Problem::bad_request(
            "bad_encoding",
            format!(
                "`{}` is not percent-encoded UTF-8: write a literal % as %25",
                shorten(text)
            ),
        )),
    }
}

/// The same for a form or query, where `+` is a space.
fn decode_form(text: &str) -> Result<Cow<'_, str>, Problem> {
    if !text.contains('+') {
        return decode(text);
    }
    decode(&text.replace('+', "%20")).map(|decoded| Cow::Owned(decoded.into_owned()))
}
