//! Text from the network, made safe for a terminal.
//!
//! A terminal obeys control sequences: text with them could move the cursor, rename the window or
//! forge a line. Bidirectional controls reorder the characters of a line, invisible characters hide
//! text. So all of them are shown, never sent.

use std::{borrow::Cow, fmt::Write as _};

/// The text with its deceptive characters written as escapes, for example `\u{1b}`. Tabs and line
/// feeds stay.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_deceptive) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_deceptive(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// JSON without the deceptive characters that its own escapes leave as they are. It means the same.
pub(crate) fn visible_json(json: &str) -> Cow<'_, str> {
    if !json.contains(is_deceptive) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_deceptive(c) {
            // JSON names a character beyond U+FFFF by its two surrogates.
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Whether a character acts on the terminal, reorders text or cannot be seen:
///
/// - C0 without tab and line feed, DEL, C1;
/// - bidirectional controls (Unicode UAX #9) and every other `Default_Ignorable_Code_Point` (Unicode 16);
/// - line and paragraph separators, interlinear annotations.
///
/// The joiners U+200C and U+200D and the variation selectors (U+180B–180F, U+FE00–FE0F) stay: Persian,
/// Hindi, Mongolian and emoji are written with them, and they only shape the letters beside them.
fn is_deceptive(c: char) -> bool {
    match c {
        '\t' | '\n' => false,
        // Most text: decided without the ranges.
        ' '..='~' => false,
        '\u{ad}' | '\u{34f}' | '\u{61c}' => true,
        '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' => true,
        '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' => true,
        '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' => true,
        c => c.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_deceptive, visible, visible_json};

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(
            visible("a\u{1b}[2Jb\u{9b}c\u{7f}\r"),
            "a\\u{1b}[2Jb\\u{9b}c\\u{7f}\\r"
        );
    }

    #[test]
    fn what_reorders_or_hides_text_is_shown() {
        let deceptive = "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}\
                         \u{2028}\u{2029}\u{200b}\u{2060}\u{feff}\u{ad}\u{34f}\u{3164}\u{fffa}\u{e0041}\u{e0100}";
        for c in deceptive.chars() {
            assert_eq!(visible(&format!("a{c}b")), format!("a\\u{{{:x}}}b", u32::from(c)));
        }
    }

    #[test]
    fn letters_and_what_they_are_written_with_stay() {
        for text in [
            "潮汐\té\nz",
            "می\u{200c}خواهم",
            "क्\u{200d}ष",
            "❤\u{fe0f}",
            "👩\u{200d}🚀",
            "שלום",
            "a\u{a0}b",
        ] {
            assert_eq!(visible(text), text);
            assert_eq!(visible_json(text), text);
        }
    }

    #[test]
    fn json_means_the_same_afterwards() {
        let text = "\u{1b}\u{9b}\u{7f}\u{85}\u{202e}\u{2028}\u{e0041}é\n";
        let json = serde_json::to_string(text).unwrap();
        let safe = visible_json(&json);
        assert!(!safe.contains(is_deceptive), "{safe:?}");
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
    }
}
