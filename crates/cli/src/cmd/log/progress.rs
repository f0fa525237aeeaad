//! How far it has come: a bar on standard error, where that is a terminal.

use std::io::{self, IsTerminal as _};

use indicatif::{ProgressBar, ProgressStyle};

const BAR: &str = "{msg} {wide_bar} {bytes} of {total_bytes} {eta}";
const COUNTER: &str = "{msg} {spinner} {bytes} {bytes_per_sec}";

/// A bar for so many bytes; without a number, a counter. Hidden where nobody looks.
pub(super) fn bar(what: &'static str, total: Option<u64>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match total {
        Some(total) => (ProgressBar::new(total), BAR),
        None => (ProgressBar::no_length(), COUNTER),
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style).with_message(what)
}
