//! Times, counts and pieces of text as the findings write them.

use std::time::Duration;

/// What of a text from the network is quoted.
const QUOTED: usize = 80;

/// `5.2 s`, `40 ms`.
pub(crate) fn time(time: Duration) -> String {
    if time < Duration::from_millis(950) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}

/// `1 event`, `3 events`.
pub(crate) fn count(count: usize, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}

/// The beginning of a text, in quotation marks.
pub(super) fn quoted(text: &str) -> String {
    let mut chars = text.chars();
    let begin: String = chars.by_ref().take(QUOTED).collect();
    let more = if chars.next().is_some() { "…" } else { "" };
    format!("“{begin}{more}”")
}

/// A few names of many: `a`, `b` and 3 more.
pub(super) fn some<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.into_iter().map(quoted).collect();
    match names.split_at_checked(5) {
        Some((first, rest)) if !rest.is_empty() => format!("{} and {} more", first.join(", "), rest.len()),
        _ => names.join(", "),
    }
}
