//! What mistakes in the lines of a stream mean to its readers.

use std::time::Duration;

use super::finding::Finding;
use super::lines::{Mistake, Seen};
use super::observation::Observation;
use super::reading::Reading;
use super::words::{count, quoted, some, time};

/// A data line whose blank line has not come after so long is missing it.
const BLANK_LINE_DUE: Duration = Duration::from_secs(5);

/// `retry` outside of these is no wait that anybody means.
const RETRY: std::ops::RangeInclusive<u64> = 100..=300_000;

pub(super) fn look(observation: &Observation, reading: &Reading) -> Vec<Finding> {
    let lines = &reading.lines;
    let mut found: Vec<_> = lines
        .mistakes
        .iter()
        .map(|(mistake, seen)| say(*mistake, seen))
        .collect();
    found.extend(unfinished(observation, reading));
    found.extend(line_ends(reading));
    found.extend(retry(reading));
    found.extend(names(reading));
    let is_clean = found
        .iter()
        .all(|finding| finding.severity < super::Severity::Warning);
    if is_clean && lines.count > 0 {
        let what = format!("no mistake in {}", count(lines.count, "line"));
        found.push(Finding::fine("framing", what));
    }
    found
}

fn say(mistake: Mistake, seen: &Seen) -> Finding {
    let place = || format!("(line {}: {}{})", seen.line, quoted(&seen.example), more(seen));
    match mistake {
        Mistake::Unframed => Finding::error("json-unframed", format!("There is JSON without framing {}.", place()))
            .why("A line that begins with a brace is a field that nobody knows: readers ignore it. (If this is meant to be NDJSON, its type is application/x-ndjson.)")
            .mend("the server", "write `data: ` before it, and a blank line after it"),
        Mistake::NoColon => Finding::warning("no-colon", format!("There are lines without a colon {}.", place()))
            .why("Such a line is a field without a value, and one that nobody knows: readers ignore it.")
            .mend("the server", "write `data: ` before each line of a text that has many"),
        Mistake::NearlyField => Finding::error("field-name", format!("A field's name is not quite right {}.", place()))
            .why("Names are exact: lower case, no space before them or before the colon. Readers ignore any other.")
            .mend("the server", "write `data:`, `event:`, `id:`, `retry:` at the very beginning of a line"),
        Mistake::UnknownField => Finding::note("unknown-field", format!("There are fields that nobody knows {}.", place()))
            .why("Readers ignore all but `data`, `event`, `id` and `retry`. If this is the second line of a text, it is lost.")
            .mend("the server", "write `data: ` before each line of a text that has many"),
        Mistake::Bom => Finding::error("bom", format!("There is a byte order mark in the midst of the stream {}.", place()))
            .why("It is dropped at the very start only. Anywhere else it becomes a part of the field's name, and the line is ignored.")
            .mend("the server", "write UTF-8 without a BOM (in .NET: new UTF8Encoding(false))"),
        Mistake::NulInId => Finding::warning("id-nul", format!("An id has a NUL in it {}.", place()))
            .why("Readers ignore such an id, and resume after an earlier one.")
            .mend("the server", "use printable characters in ids"),
        Mistake::BadRetry => Finding::warning("retry", format!("A retry is not a number of milliseconds {}.", place()))
            .why("Only digits count; readers ignore anything else.")
            .mend("the server", "retry: 3000"),
        Mistake::NotUtf8 => Finding::error("not-utf8", format!("There are bytes that are no UTF-8 {}.", place()))
            .why("Readers see U+FFFD in their place.")
            .mend("the server", "encode as UTF-8, and never cut a text between the bytes of a character"),
        Mistake::Escaped => Finding::error("escaped-newline", format!("Data ends in a backslash and a letter, not in a line end {}.", place()))
            .why("The language did not take `\\n` for a line end: in PHP and shells, single quotes do that. Readers see it as a part of the data.")
            .mend("PHP", "use double quotes: \"data: $x\\n\\n\"")
            .mend("shell", "use printf 'data: %s\\n\\n'"),
        Mistake::Twice => Finding::warning("framed-twice", format!("Data begins with a field or a comment of its own {}.", place()))
            .why("Two layers write the framing: the server's library and the code that calls it.")
            .mend("the server", "give the library the bare data"),
        Mistake::NoData => Finding::warning("no-data", format!("The data is what JavaScript writes for an object or for nothing {}.", place()))
            .why("The text holds nothing that a reader could use.")
            .mend("JavaScript", "JSON.stringify(value)"),
        Mistake::Python => Finding::warning("python-data", format!("The data is a value as Python shows it {}.", place()))
            .why("It is no JSON: single quotes, `True`, `None` and `b'…'` are Python's own, and JSON.parse fails.")
            .mend("Python", "json.dumps(value); for bytes, value.decode()"),
        Mistake::Html => Finding::error("html", format!("There is a page instead of events {}.", place()))
            .why("Servers and proxies answer so with errors and logins. Readers ignore it, or get it as data.")
            .mend("the server", "answer an error with its status (401, 500) and its own type, before the stream begins"),
        Mistake::Dataless => Finding::warning(
            "event-without-data",
            format!("There is an event with a name and no data (line {}{}).", seen.line, more(seen)),
        )
        .why("Readers never see an event without data.")
        .mend("the server", "write a line `data:`, empty or not"),
        Mistake::NoBlankLine => Finding::error("no-blank-line", format!("Data comes line by line, with no blank line between {}.", place()))
            .why("A blank line ends an event. Without it, readers wait for ever and see nothing.")
            .mend("the server", "end each event with two line ends: \\n\\n"),
    }
}

fn more(seen: &Seen) -> String {
    match seen.times {
        1 => String::new(),
        times => format!(", and {} more", times - 1),
    }
}

/// An event that waits for its blank line.
fn unfinished(observation: &Observation, reading: &Reading) -> Option<Finding> {
    let lines = &reading.lines;
    if lines.mistakes.contains_key(&Mistake::NoBlankLine) {
        return None;
    }
    let blank = "end each event with two line ends: \\n\\n";
    if observation.is_finished() && (lines.block.data > 0 || lines.is_within_line()) {
        let finding = Finding::error(
            "unfinished",
            "The stream ends without a blank line after its last event.",
        )
        .why("Readers drop an event that is not complete; this one nobody sees.");
        return Some(finding.mend("the server", blank));
    }
    let waits = observation.lasted().saturating_sub(lines.block.data_at?);
    if !observation.is_open() || lines.is_within_line() || waits < BLANK_LINE_DUE {
        return None;
    }
    let what = format!(
        "A data line came, and no blank line after it for {}.",
        time(waits)
    );
    let finding = Finding::error("no-blank-line", what)
        .why("A blank line ends an event. Until it comes, readers see nothing.");
    Some(finding.mend("the server", blank))
}

fn line_ends(reading: &Reading) -> Option<Finding> {
    let lines = &reading.lines;
    let kinds = [lines.cr, lines.lf, lines.crlf]
        .into_iter()
        .filter(|&kind| kind > 0)
        .count();
    if lines.cr > 0 && kinds == 1 {
        return Some(
            Finding::warning("cr-only", "Lines end in CR only.")
                .why("That is allowed and hardly ever done: many clients that are no browser split at LF and see one endless line. And until the next byte comes, nobody knows whether an LF follows.")
                .mend("the server", "end lines with \\n"),
        );
    }
    (kinds > 1).then(|| {
        let what = format!(
            "Line ends are mixed: {} CRLF, {} LF, {} CR.",
            lines.crlf, lines.lf, lines.cr
        );
        Finding::note("mixed-line-ends", what)
            .why("That is allowed, but it is a sign of two writers; some clients look for \\n\\n only.")
            .mend("the server", "end all lines with \\n")
    })
}

fn retry(reading: &Reading) -> Option<Finding> {
    let millis = reading.lines.retry.filter(|millis| !RETRY.contains(millis))?;
    let what = format!("Readers are told to wait {millis} ms before they come again.");
    let why = match millis {
        0..100 => "When the server restarts, all readers come at once, again and again.",
        _ => "After a short loss of the network a reader is without events for that long.",
    };
    Some(
        Finding::warning("retry", what)
            .why(why)
            .mend("the server", "retry: 3000"),
    )
}

/// Names that `onmessage` does not hear, and names that `EventSource` uses itself.
fn names(reading: &Reading) -> Vec<Finding> {
    let mut names: Vec<_> = reading.events.iter().map(|event| event.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let own: Vec<_> = names
        .iter()
        .copied()
        .filter(|name| matches!(*name, "error" | "open"))
        .collect();
    let mut found = Vec::new();
    if !own.is_empty() {
        found.push(
            Finding::note("event-name", format!("There are events called {}.", some(own)))
                .why("EventSource uses these names itself: a listener cannot tell the server's from the connection's but by `event.data`.")
                .mend("the server", "use another name"),
        );
    }
    if let Some(first) = names.first()
        && !names.contains(&"message")
    {
        let mend = format!("source.addEventListener({first:?}, …)");
        found.push(
            Finding::note(
                "named-events",
                format!("All events have names: {}.", some(names.iter().copied())),
            )
            .why("`onmessage` hears none of them.")
            .mend("the page", mend),
        );
    }
    found
}
