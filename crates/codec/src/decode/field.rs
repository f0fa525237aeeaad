//! One line, without its line end, read as a field.

/// What a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field<'a> {
    Data(&'a str),
    Event(&'a str),
    Id(&'a str),
    Retry(&'a str),
    Comment(&'a str),
    Unknown,
}

impl<'a> Field<'a> {
    /// Reads a line that is not blank.
    #[inline]
    pub(super) fn parse(line: &'a str) -> Self {
        // What nearly every line is.
        if let Some(value) = line.strip_prefix("data: ") {
            return Self::Data(value);
        }
        Self::parse_any(line)
    }

    fn parse_any(line: &'a str) -> Self {
        let (field, rest): (fn(&'a str) -> Self, _) = match line.as_bytes().first() {
            Some(b'd') => (Self::Data, line.strip_prefix("data")),
            Some(b'e') => (Self::Event, line.strip_prefix("event")),
            Some(b'i') => (Self::Id, line.strip_prefix("id")),
            Some(b'r') => (Self::Retry, line.strip_prefix("retry")),
            Some(b':') => (Self::Comment, Some(line)),
            _ => return Self::Unknown,
        };
        match rest {
            Some("") => field(""),
            Some(rest) => match rest.strip_prefix(":") {
                Some(value) => field(value.strip_prefix(" ").unwrap_or(value)),
                None => Self::Unknown,
            },
            None => Self::Unknown,
        }
    }
}

/// The value of a `retry` field: digits only; anything else, and what a u64 cannot hold, is ignored.
pub(super) fn millis(value: &str) -> Option<u64> {
    // `u64::from_str` would take a sign.
    value
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| value.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w2_a_line_without_a_colon_is_a_name_and_one_space_is_dropped() {
        assert_eq!(Field::parse("data"), Field::Data(""));
        assert_eq!(Field::parse("data:"), Field::Data(""));
        assert_eq!(Field::parse("data: "), Field::Data(""));
        assert_eq!(Field::parse("data:x"), Field::Data("x"));
        assert_eq!(Field::parse("data: x"), Field::Data("x"));
        assert_eq!(Field::parse("data:  x:y "), Field::Data(" x:y "));
    }

    #[test]
    fn w3_names_are_exact_and_a_leading_colon_is_a_comment() {
        for line in ["Data: x", " data: x", "data : x", "dat", "datas", "ids: 1", "é"] {
            assert_eq!(Field::parse(line), Field::Unknown, "{line}");
        }
        assert_eq!(Field::parse(":"), Field::Comment(""));
        assert_eq!(Field::parse(": a"), Field::Comment("a"));
        assert_eq!(Field::parse("::"), Field::Comment(":"));
    }

    #[test]
    fn w4_retry_is_digits_only() {
        assert_eq!(millis("007"), Some(7));
        assert_eq!(millis("18446744073709551615"), Some(u64::MAX));
        for value in ["", "+1", "-1", "1 ", "1.5", "1e3", "٣", "18446744073709551616"] {
            assert_eq!(millis(value), None, "{value}");
        }
    }
}
