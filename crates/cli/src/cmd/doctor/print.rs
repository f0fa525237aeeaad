//! Findings as text for people, or as one JSON object.
//!
//! Invariant: on a terminal, no deceptive character of the network (`cmd::visible`) reaches standard output.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use serde_json::json;

use crate::cmd::{stdout, visible::visible};
use crate::doctor::words::{count, time};
use crate::doctor::{Examination, Finding, Severity, Summary};

/// A line of text is broken here.
const WIDTH: usize = 100;
/// Where texts begin, after the severity.
const INDENT: usize = 10;

const DIM: Style = Style::new().dimmed();

pub(super) fn json(url: &str, examination: &Examination) -> String {
    let Examination { summary, findings } = examination;
    let value = json!({ "url": url, "summary": summary, "findings": findings });
    format!("{}\n", stdout::shown_json(&value.to_string()))
}

pub(super) fn text(url: &str, examination: &Examination) -> String {
    let Examination { summary, findings } = examination;
    let out = io::stdout();
    let paint = Paint {
        // Knows NO_COLOR, CLICOLOR_FORCE, TERM=dumb and their kin.
        colours: anstream::AutoStream::choice(&out) != anstream::ColorChoice::Never,
        terminal: out.is_terminal(),
    };
    let mut text = String::new();
    let (fine, rest): (Vec<_>, Vec<_>) = findings
        .iter()
        .partition(|finding| finding.severity == Severity::Fine);
    paint.line(&mut text, Style::new().bold(), url);
    for finding in rest {
        text.push('\n');
        paint.finding(&mut text, finding);
    }
    if !fine.is_empty() {
        text.push('\n');
    }
    for finding in fine {
        paint.labelled(
            &mut text,
            Severity::Fine,
            &format!("{}: {}", finding.code, finding.what),
        );
    }
    text.push('\n');
    paint.line(&mut text, Style::new(), &seen(summary));
    paint.line(&mut text, Style::new().bold(), &verdict(findings));
    text
}

struct Paint {
    colours: bool,
    terminal: bool,
}

impl Paint {
    fn paint(&self, style: Style, text: &str) -> String {
        let text = match self.terminal {
            true => visible(text),
            false => text.into(),
        };
        match self.colours {
            true => format!("{style}{text}{style:#}"),
            false => text.into_owned(),
        }
    }

    fn line(&self, out: &mut String, style: Style, text: &str) {
        out.push_str(&self.paint(style, text));
        out.push('\n');
    }

    fn labelled(&self, out: &mut String, severity: Severity, text: &str) {
        let (label, style) = label(severity);
        let mut lines = wrap(text, WIDTH - INDENT).into_iter();
        let label = self.paint(style, label) + &" ".repeat(INDENT - label.len());
        let first = lines.next().unwrap_or_default();
        out.push_str(&(label + &self.paint(Style::new(), &first) + "\n"));
        for line in lines {
            self.indented(out, Style::new(), &line);
        }
    }

    fn indented(&self, out: &mut String, style: Style, line: &str) {
        let _ = writeln!(out, "{:INDENT$}{}", "", self.paint(style, line));
    }

    fn finding(&self, out: &mut String, finding: &Finding) {
        self.labelled(
            out,
            finding.severity,
            &format!("{} [{}]", finding.what, finding.code),
        );
        for line in wrap(finding.why, WIDTH - INDENT) {
            self.indented(out, DIM, &line);
        }
        for remedy in &finding.mend {
            // Not wrapped: it is there to be copied.
            self.indented(out, Style::new(), &format!("→ {}: {}", remedy.place, remedy.line));
        }
    }
}

fn label(severity: Severity) -> (&'static str, Style) {
    match severity {
        Severity::Error => ("error", AnsiColor::Red.on_default().bold()),
        Severity::Warning => ("warning", AnsiColor::Yellow.on_default().bold()),
        Severity::Note => ("note", AnsiColor::Cyan.on_default()),
        Severity::Fine => ("fine", AnsiColor::Green.on_default()),
    }
}

/// Text in lines of at most so many characters; a longer word has a line of its own.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn seen(summary: &Summary) -> String {
    let time = |millis| time(Duration::from_millis(millis));
    let mut parts = Vec::new();
    if let (Some(status), Some(version)) = (summary.status, &summary.version) {
        parts.push(format!("{status} by {version}"));
    }
    parts.extend(summary.head_ms.map(|at| format!("head after {}", time(at))));
    parts.push(count(summary.events, "event"));
    parts.extend(
        summary
            .first_event_ms
            .map(|at| format!("the first after {}", time(at))),
    );
    parts.push(count(summary.comments, "comment"));
    parts.push(count(summary.bytes, "byte"));
    parts.extend(
        summary
            .heartbeat_ms
            .map(|every| format!("heartbeat after {} of silence", time(every))),
    );
    parts.extend(summary.last_event_id.as_ref().map(|id| format!("last id {id}")));
    let end = match summary.end {
        "open" => "looked for",
        end => end,
    };
    let for_after = if summary.end == "open" { "" } else { "after " };
    parts.push(format!("{end} {for_after}{}", time(summary.lasted_ms)));
    parts.join(", ")
}

fn verdict(findings: &[Finding]) -> String {
    let some = |severity, what: &str| {
        let found = findings.iter().filter(|finding| finding.severity == severity);
        let found = found.count();
        (found > 0).then(|| count(found, what))
    };
    let parts = [
        some(Severity::Error, "error"),
        some(Severity::Warning, "warning"),
        some(Severity::Note, "note"),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    match parts.is_empty() {
        true => "all fine".to_owned(),
        false => parts.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn text_is_broken_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("extraordinary a", 7), ["extraordinary", "a"]);
        assert!(wrap("", 7).is_empty());
    }
}
