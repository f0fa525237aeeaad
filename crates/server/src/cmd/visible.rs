//! Text from the network, made safe for a terminal.
//!
//! A terminal obeys control sequences: text with them could move the cursor, rename the window or
//! forge a line. So they are shown, never sent.

use std::borrow::Cow;

/// The text with its control characters written as escapes, for example `\u{1b}`. Tabs and line
/// feeds stay.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_control) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_control(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// JSON without the control characters that its own escapes leave as they are: DEL and C1.
pub(crate) fn visible_json(json: &str) -> Cow<'_, str> {
    if !json.contains(is_control) {
        return Cow::Borrowed(json);
    }
    let escape = |c: char| {
        if is_control(c) {
            format!("\\u{:04x}", u32::from(c))
        } else {
            c.into()
        }
    };
    Cow::Owned(json.chars().map(escape).collect())
}

/// C0, DEL and C1, without tab and line feed.
fn is_control(c: char) -> bool {
    c.is_control() && c != '\t' && c != '\n'
}

#[cfg(test)]
mod tests {
    use super::{visible, visible_json};

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(
            visible("a\u{1b}[2Jb\u{9b}c\u{7f}\r"),
            "a\\u{1b}[2Jb\\u{9b}c\\u{7f}\\r"
        );
    }

    #[test]
    fn tabs_lines_and_letters_stay() {
        assert_eq!(visible("潮汐\té\nz"), "潮汐\té\nz");
    }

    #[test]
    fn json_means_the_same_afterwards() {
        let text = "\u{1b}\u{9b}\u{7f}\u{85}é\n";
        let json = serde_json::to_string(text).unwrap();
        let safe = visible_json(&json);
        assert!(!safe.contains(char::is_control), "{safe:?}");
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
    }
}
