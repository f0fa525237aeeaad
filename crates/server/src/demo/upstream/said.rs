//! What is said, in tokens.

use super::ask::Ask;

/// How much of a prompt, or of a tool's answer, is said again, in characters.
const QUOTED: usize = 300;
/// The most characters of a token in letters; a token of other scripts has fewer.
const LONGEST: usize = 6;
const LONGEST_WIDE: usize = 2;

/// An answer: a text, or the call of a tool.
pub(super) struct Said {
    /// The text's, or those of the call's arguments.
    pub(super) tokens: Vec<String>,
    /// It would have been longer.
    pub(super) is_cut: bool,
}

impl Said {
    pub(super) fn to(ask: &Ask) -> Self {
        let text = match (&ask.call, ask.is_hostile()) {
            (Some(call), _) => call.arguments.clone(),
            (None, true) => include_str!("hostile.txt").to_owned(),
            (None, false) => text(ask),
        };
        let mut tokens = tokens(text.trim_end());
        let is_cut = ask.call.is_none() && tokens.len() > ask.max;
        if is_cut {
            tokens.truncate(ask.max);
        }
        Self { tokens, is_cut }
    }

    pub(super) fn text(&self) -> String {
        self.tokens.concat()
    }

    pub(super) fn characters(&self) -> usize {
        self.tokens.iter().map(|token| token.chars().count()).sum()
    }
}

fn text(ask: &Ask) -> String {
    let quoted = |text: &str| text.chars().take(QUOTED).collect::<String>();
    let is_chinese = ask.prompt.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
    match (&ask.heard, is_chinese) {
        (Some(heard), false) => format!("The tool says: {}", quoted(heard)),
        (Some(heard), true) => format!("工具回答：{}", quoted(heard)),
        (None, false) => include_str!("en.txt").replace("{prompt}", &quoted(&ask.prompt)),
        (None, true) => include_str!("zh.txt").replace("{prompt}", &quoted(&ask.prompt)),
    }
}

/// Pieces as models make them: a word with the space before it, or a part of a long one. Together they are the text.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let (mut token, mut size) = (String::new(), 0);
    let mut was_space = true;
    for c in text.chars() {
        let longest = if c.is_ascii() { LONGEST } else { LONGEST_WIDE };
        if !token.is_empty() && (size >= longest || (c.is_whitespace() && !was_space)) {
            tokens.push(std::mem::take(&mut token));
            size = 0;
        }
        token.push(c);
        size += 1;
        was_space = c.is_whitespace();
    }
    if !token.is_empty() {
        tokens.push(token);
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_small_and_together_the_text() {
        for text in [
            include_str!("hostile.txt"),
            include_str!("en.txt"),
            include_str!("zh.txt"),
            "",
        ] {
            let tokens = tokens(text);
            assert_eq!(tokens.concat(), text);
            assert!(
                tokens
                    .iter()
                    .all(|token| (1..=LONGEST).contains(&token.chars().count()))
            );
        }
        assert_eq!(tokens("a wonderful day"), ["a", " wonde", "rful", " day"]);
    }
}
