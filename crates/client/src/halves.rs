//! Halves of surrogate pairs, which providers that count UTF-16 units send in two events: `"\ud83d"`, then `"\ude00"`.
//!
//! JSON allows a half in an escape, a Rust string does not hold one. So a half is read as a mark, a private-use character
//! of plane 16, and [`Halves`] joins the marks of the texts that follow each other.

use serde_json::Value;

const FIRST: u16 = 0xD800;
const FIRST_LOW: u16 = 0xDC00;
const LAST: u16 = 0xDFFF;
/// The mark of [`FIRST`]; that of [`LAST`] is U+10FFFF.
const FIRST_MARK: u32 = 0x10_F800;

/// JSON whose texts may have marks in the place of halves.
#[derive(Debug, Default)]
pub(crate) struct Marked {
    pub(crate) value: Value,
    has_marks: bool,
}

impl Marked {
    /// Data that is no JSON is `null`.
    pub(crate) fn read(data: &str) -> Self {
        match serde_json::from_str(data) {
            Ok(value) => Self {
                value,
                has_marks: false,
            },
            Err(_) => Self::with_marks(data).unwrap_or_default(),
        }
    }

    /// A text that has characters of its own in the range of the marks gets U+FFFD in the place of halves.
    fn with_marks(data: &str) -> Option<Self> {
        let has_marks = !has_own(data);
        let marked = replace_halves(data, |half| {
            let mark = char::from_u32(FIRST_MARK + u32::from(half - FIRST));
            mark.filter(|_| has_marks).unwrap_or(char::REPLACEMENT_CHARACTER)
        });
        let value = serde_json::from_str(&marked).ok()?;
        Some(Self { value, has_marks })
    }

    /// A text that stands alone: its halves have no others.
    pub(crate) fn alone(&self, text: String) -> String {
        let mut halves = Halves::default();
        let mut text = halves.join(text, self);
        text.extend(halves.rest());
        text
    }
}

/// Joins the texts of an answer.
#[derive(Debug, Default)]
pub(crate) struct Halves {
    /// The first half of a character, whose second has not come yet.
    high: Option<u16>,
}

impl Halves {
    /// The text with its pairs joined. A half without its other is U+FFFD, a first half at the end is kept for the next text.
    pub(crate) fn join(&mut self, text: String, from: &Marked) -> String {
        if text.is_empty() || (self.high.is_none() && !from.has_marks) {
            return text;
        }
        let mut joined = String::with_capacity(text.len() + 4);
        for next in text.chars() {
            let half = half_of(next).filter(|_| from.has_marks);
            if let (Some(high), Some(low)) = (self.high, half)
                && low >= FIRST_LOW
            {
                joined.extend(char::decode_utf16([high, low]).flatten());
                self.high = None;
                continue;
            }
            joined.extend(self.rest());
            match half {
                Some(high) if high < FIRST_LOW => self.high = Some(high),
                Some(_) => joined.push(char::REPLACEMENT_CHARACTER),
                None => joined.push(next),
            }
        }
        joined
    }

    /// U+FFFD for a first half whose second did not come.
    pub(crate) fn rest(&mut self) -> Option<char> {
        self.high.take().map(|_| char::REPLACEMENT_CHARACTER)
    }
}

fn half_of(mark: char) -> Option<u16> {
    let half = u32::from(mark).checked_sub(FIRST_MARK)?;
    Some(FIRST + u16::try_from(half).ok()?)
}

/// Whether JSON has characters of the marks' range, which it may write as pairs, too.
fn has_own(json: &str) -> bool {
    let is_pair_of_one = |at: usize| matches!(escaped(&json[at..]), Some(0xDBFE | 0xDBFF));
    json.chars().any(|own| half_of(own).is_some())
        || json.match_indices('\\').any(|(at, _)| is_pair_of_one(at))
}

/// JSON with something else in the place of each escape that is a half without its other.
fn replace_halves(json: &str, instead: impl Fn(u16) -> char) -> String {
    let mut replaced = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        replaced += &rest[..at];
        rest = &rest[at..];
        let length = match escaped(rest) {
            Some(FIRST..FIRST_LOW) if matches!(escaped(&rest[6..]), Some(FIRST_LOW..=LAST)) => 12,
            Some(half @ FIRST..=LAST) => {
                replaced.push(instead(half));
                rest = &rest[6..];
                continue;
            }
            Some(_) => 6,
            // The escaped character may be a backslash, too.
            None => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
        };
        replaced += &rest[..length];
        rest = &rest[length..];
    }
    replaced + rest
}

/// The UTF-16 unit of an escape at the beginning.
fn escaped(json: &str) -> Option<u16> {
    let digits = json.strip_prefix("\\u")?.get(..4)?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u16::from_str_radix(digits, 16).ok().filter(|_| is_hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The joined text of these JSON strings, and of nothing after them.
    fn joined(texts: &[&str]) -> String {
        let mut halves = Halves::default();
        let mut all = String::new();
        for json in texts {
            let read = Marked::read(json);
            all += &halves.join(read.value.as_str().unwrap().to_owned(), &read);
        }
        all.extend(halves.rest());
        all
    }

    #[test]
    fn halves_are_joined_over_texts_and_alone_are_replaced() {
        for (texts, text) in [
            (&[r#""a\ud83d""#, r#""\ude00b""#][..], "a😀b"),
            (&[r#""\uD83D\uDE00\ud83d""#, r#""\uDE00""#], "😀😀"),
            (&[r#""\ud83d""#, r#""""#, r#""\ude00""#], "😀"),
            (&[r#""\ud83d""#, r#""x""#, r#""\ude00""#], "\u{fffd}x\u{fffd}"),
            (&[r#""\ud83d\ud83d""#, r#""\ude00""#], "\u{fffd}😀"),
            (&[r#""\ude00\ud83d""#], "\u{fffd}\u{fffd}"),
            (&[r#""\\ud83d \ude00""#], "\\ud83d \u{fffd}"),
            (&[r#""\u00e9\n\"\ud83d""#, r#""\ude00\/""#], "é\n\"😀/"),
        ] {
            assert_eq!(joined(texts), text, "{texts:?}");
        }
    }

    #[test]
    fn characters_in_the_range_of_the_marks_stay_what_they_are() {
        for own in ["\u{10f83d}", r"\udbfe\udc3d"] {
            let first = format!(r#""\ud83d{own}""#);
            assert_eq!(joined(&[&first]), "\u{fffd}\u{10f83d}");
            let alone = format!(r#""{own}""#);
            assert_eq!(joined(&[r#""\ud83d""#, &alone]), "\u{fffd}\u{10f83d}");
        }
    }

    #[test]
    fn data_that_is_no_json_is_null() {
        for data in [
            "",
            "[DONE]",
            r"\ud83d",
            r#"{"a":"\ud83d"#,
            r#""\u+83d""#,
            r#""\ud83"#,
            "\\",
            r#""\ud83é""#,
        ] {
            assert_eq!(Marked::read(data).value, Value::Null, "{data}");
        }
    }
}
