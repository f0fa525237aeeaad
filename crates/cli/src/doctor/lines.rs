//! A look at the lines of a stream, for what a decoder passes over in silence (WHATWG HTML § 9.2.6 lets it).
//!
//! Bytes and their times go in; [`Mistake`]s are counted, each with its first line as an example. What they mean to a
//! reader is said in `framing`.

use std::collections::BTreeMap;
use std::time::Duration;

/// Data lines of one event do not come this far apart, unless the blank line between two events is missing.
const APART: Duration = Duration::from_secs(1);

const BOM: &str = "\u{feff}";
const FIELDS: [&str; 4] = ["data", "event", "id", "retry"];

/// A line, or block of lines, that is not what its writer meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mistake {
    /// JSON without `data:` before it.
    Unframed,
    /// Text without a colon.
    NoColon,
    /// `Data:`, ` data:`, `data :`: nearly a field.
    NearlyField,
    /// A field that nobody knows.
    UnknownField,
    /// A BOM in front of a line that is not the first.
    Bom,
    /// An id with a NUL.
    NulInId,
    /// A `retry` that is not all digits.
    BadRetry,
    /// Bytes that are no UTF-8.
    NotUtf8,
    /// Data that ends in a backslash and an `n`.
    Escaped,
    /// `data: data: x`, `data: : x`.
    Twice,
    /// `[object Object]`, `undefined`.
    NoData,
    /// `{'a': True}`, `None`, `b'…'`: as Python shows a value.
    Python,
    /// A page, or a part of one without `data:` before it.
    Html,
    /// `event` without `data`.
    Dataless,
    /// Data lines a long time apart within one block.
    NoBlankLine,
}

/// How often, and the first time.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) times: usize,
    /// Counts from 1.
    pub(super) line: usize,
    pub(super) example: String,
}

/// All lines so far.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) mistakes: BTreeMap<Mistake, Seen>,
    pub(super) count: usize,
    /// Lines that ended in CR, in LF, in both.
    pub(super) cr: usize,
    pub(super) lf: usize,
    pub(super) crlf: usize,
    /// The values of `retry`, where they count.
    pub(super) retry: Option<u64>,
    /// The line that is not complete yet.
    line: Vec<u8>,
    after_cr: bool,
    pub(super) block: Block,
}

/// The fields since the last blank line.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) data: usize,
    pub(super) has_event: bool,
    /// When its last data line came.
    pub(super) data_at: Option<Duration>,
}

impl Lines {
    /// Takes bytes that came at a time.
    pub(super) fn feed(&mut self, bytes: &[u8], at: Duration) {
        for &byte in bytes {
            let after_cr = std::mem::take(&mut self.after_cr);
            match byte {
                b'\n' if after_cr => {
                    self.cr -= 1;
                    self.crlf += 1;
                }
                b'\n' => {
                    self.lf += 1;
                    self.end_line(at);
                }
                b'\r' => {
                    self.cr += 1;
                    self.after_cr = true;
                    self.end_line(at);
                }
                byte => self.line.push(byte),
            }
        }
    }

    /// Whether a line has begun and not ended.
    pub(super) fn is_within_line(&self) -> bool {
        !self.line.is_empty()
    }

    fn end_line(&mut self, at: Duration) {
        self.count += 1;
        let bytes = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&bytes);
        if matches!(text, std::borrow::Cow::Owned(_)) {
            self.note(Mistake::NotUtf8, &text);
        }
        match text.strip_prefix(BOM) {
            Some(rest) if self.count == 1 => self.line(rest, at),
            Some(_) => self.note(Mistake::Bom, &text),
            None => self.line(&text, at),
        }
    }

    fn line(&mut self, line: &str, at: Duration) {
        if line.is_empty() {
            return self.end_block();
        }
        let (name, value) = match line.split_once(':') {
            Some(("", _)) => return,
            Some((name, value)) => (name, value.strip_prefix(' ').unwrap_or(value)),
            None => (line, ""),
        };
        match name {
            "data" => self.data(value, line, at),
            "event" => self.block.has_event = true,
            "id" if value.contains('\0') => self.note(Mistake::NulInId, line),
            "id" => {}
            "retry" => match value.parse() {
                Ok(millis) if value.bytes().all(|byte| byte.is_ascii_digit()) => self.retry = Some(millis),
                _ => self.note(Mistake::BadRetry, line),
            },
            _ => self.note(unknown(name, line), line),
        }
    }

    fn data(&mut self, value: &str, line: &str, at: Duration) {
        if self.block.data_at.is_some_and(|before| at - before >= APART) {
            self.note(Mistake::NoBlankLine, line);
        }
        self.block.data += 1;
        self.block.data_at = Some(at);
        if value.ends_with("\\n") || value.ends_with("\\r") {
            self.note(Mistake::Escaped, line);
        }
        if value.starts_with("data:") || value == ":" || value.starts_with(": ") {
            self.note(Mistake::Twice, line);
        }
        if matches!(value, "[object Object]" | "[object Promise]" | "undefined") {
            self.note(Mistake::NoData, line);
        }
        if is_python(value) {
            self.note(Mistake::Python, line);
        }
        if is_page(value) {
            self.note(Mistake::Html, line);
        }
    }

    fn end_block(&mut self) {
        let block = std::mem::take(&mut self.block);
        if block.has_event && block.data == 0 {
            self.note(Mistake::Dataless, "event without data");
        }
    }

    fn note(&mut self, mistake: Mistake, line: &str) {
        let number = self.count;
        let seen = self.mistakes.entry(mistake).or_insert_with(|| Seen {
            times: 0,
            line: number,
            example: line.chars().take(200).collect(),
        });
        seen.times += 1;
    }
}

/// What a line with a name that means nothing was meant to be.
fn unknown(name: &str, line: &str) -> Mistake {
    let is_json = || serde_json::from_str::<serde_json::Value>(line).is_ok();
    let plain = name.trim().to_ascii_lowercase();
    if line.starts_with(['{', '[']) && is_json() {
        Mistake::Unframed
    } else if line.starts_with('<') {
        Mistake::Html
    } else if FIELDS.contains(&plain.as_str()) {
        Mistake::NearlyField
    } else if !line.contains(':') {
        Mistake::NoColon
    } else {
        Mistake::UnknownField
    }
}

/// Whether a value stands as `str(value)` writes it in Python.
fn is_python(value: &str) -> bool {
    let is_in = |begin: &str, end: &str| {
        let inner = value.strip_prefix(begin).and_then(|rest| rest.strip_suffix(end));
        inner.is_some()
    };
    matches!(value, "None" | "True" | "False")
        || is_in("b'", "'")
        || is_in("b\"", "\"")
        || is_in("{'", "}")
        || is_in("['", "]")
        || is_in("[{'", "]")
        || (value.starts_with('<') && value.contains(" object ") && is_in("<", ">"))
}

/// Whether a page begins. (Parts of pages are data for some scripts.)
fn is_page(value: &str) -> bool {
    let begin: String = value.trim_start().chars().take(9).collect();
    let begin = begin.to_ascii_lowercase();
    begin == "<!doctype" || matches!(begin.get(..6), Some("<html>" | "<html "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(text: &[u8]) -> Lines {
        let mut lines = Lines::default();
        lines.feed(text, Duration::ZERO);
        lines
    }

    #[test]
    fn each_mistake_is_seen_once_and_nothing_else() {
        use Mistake as M;
        for (text, mistake) in [
            (&b"{\"a\": 1}\n"[..], M::Unframed),
            (b"[1, 2]\n", M::Unframed),
            (b"hello world\n", M::NoColon),
            (b"data hello\n", M::NoColon),
            (b"{ not json\n", M::NoColon),
            (b"Data: x\n\n", M::NearlyField),
            (b" data: x\n\n", M::NearlyField),
            (b"data : x\n\n", M::NearlyField),
            (b"topic: x\n\n", M::UnknownField),
            (b"\n\xef\xbb\xbfdata: x\n\n", M::Bom),
            (b"id: 1\x002\n\n", M::NulInId),
            (b"retry: 3s\n", M::BadRetry),
            (b"retry: +3\n", M::BadRetry),
            (b"retry:\n", M::BadRetry),
            (b"data: \xff\n\n", M::NotUtf8),
            (b"data: hello\\n\\n\n\n", M::Escaped),
            (b"data: hello\\r\\n\n\n", M::Escaped),
            (b"data: data: x\n\n", M::Twice),
            (b"data: : heartbeat\n\n", M::Twice),
            (b"data: :\n\n", M::Twice),
            (b"data: [object Object]\n\n", M::NoData),
            (b"data: {'a': True}\n\n", M::Python),
            (b"data: [{'a': 1}]\n\n", M::Python),
            (b"data: None\n\n", M::Python),
            (b"data: b'hello'\n\n", M::Python),
            (b"data: b\"it's\"\n\n", M::Python),
            (b"data: <async_generator object f at 0x7f>\n\n", M::Python),
            (b"data: <!DOCTYPE html>\n\n", M::Html),
            (b"data: <html lang=en>\n\n", M::Html),
            (b"<p style='a: b'>busy</p>\n", M::Html),
            (b"event: tick\n\n", M::Dataless),
        ] {
            let lines = look(text);
            let found: Vec<_> = lines.mistakes.keys().copied().collect();
            assert_eq!(found, [mistake], "{}", text.escape_ascii());
            assert_eq!(lines.mistakes[&mistake].times, 1);
        }
    }

    #[test]
    fn what_is_right_is_no_mistake() {
        for text in [
            &b"\xef\xbb\xbfdata: x\n\n"[..],
            b"data\n\ndata:\n\n",
            b"id: 1\n\n",
            b"id\n\nid: a b:c\n\n",
            b": hello: {}\n:\n",
            b"retry: 3000\n\n",
            b"data: {\"text\": \"a\\n\\n\"}\n\n",
            b"data: caf\xc3\xa9\r\n\r\n",
            b"data: a \xef\xbb\xbf b\n\n",
            b"event: e\ndata: x\ndata: y\n\n",
            b"data: <li>a part of a page</li>\n\n",
            b"data: {}\n\ndata: 'None'\n\ndata: b\n\ndata: :-)\n\ndata: true\n\ndata: null\n\n",
        ] {
            assert!(look(text).mistakes.is_empty(), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn line_ends_are_told_apart_under_any_cut() {
        let text = b"data: a\r\n\r\ndata: b\n\ndata: c\r\rdata";
        for cut in 0..text.len() {
            let mut lines = Lines::default();
            lines.feed(&text[..cut], Duration::ZERO);
            lines.feed(&text[cut..], Duration::ZERO);
            assert_eq!((lines.crlf, lines.lf, lines.cr), (2, 2, 2), "cut at {cut}");
            assert!(lines.is_within_line());
        }
    }

    #[test]
    fn data_lines_far_apart_have_no_blank_line_between() {
        let mut lines = Lines::default();
        lines.feed(b"data: a\n", Duration::from_secs(1));
        lines.feed(b"data: b\n", Duration::from_millis(1100));
        assert!(lines.mistakes.is_empty());
        lines.feed(b"data: c\n", Duration::from_secs(3));
        assert_eq!(lines.mistakes[&Mistake::NoBlankLine].line, 3);
    }
}
