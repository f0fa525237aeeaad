//! Messages to the person at the terminal; events and ids go to standard output.

use std::fmt;
use std::io::{self, Write as _};

use super::visible::visible;

/// An error and its causes, the outermost first. Many errors repeat in their text what is below them; each part is said once.
pub(crate) fn once(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Writes one message. Where nobody reads them, there is nobody to tell.
pub(crate) fn say(message: fmt::Arguments<'_>) {
    let message = message.to_string();
    let _ = writeln!(io::stderr(), "tidewire: {}", visible(&message));
}

#[cfg(test)]
mod tests {
    use std::io;

    use anyhow::anyhow;

    use super::once;

    /// As `thiserror` makes them with `{0}` in the text and a source.
    #[derive(Debug, thiserror::Error)]
    #[error("cannot open the log: {0}")]
    struct Repeating(#[source] io::Error);

    #[test]
    fn each_part_of_an_error_is_said_once_and_the_outermost_first() {
        let io = || io::Error::other("meta: cannot read meta: it is a directory");
        let error = anyhow::Error::from(Repeating(io())).context("the log in d");
        let text = "the log in d: cannot open the log: meta: cannot read meta: it is a directory";
        assert_eq!(once(&error), text);
        let error = anyhow!(io()).context("line 3 (those before it are published)");
        assert_eq!(
            once(&error),
            "line 3 (those before it are published): meta: cannot read meta: it is a directory"
        );
    }
}
