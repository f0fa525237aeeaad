//! Items as lines on standard output: for people, or one JSON object each.
//!
//! Invariant: on a terminal, no deceptive character of the stream (`cmd::visible`) reaches standard output.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use tidewire_client::{Gap, Item, Message};

use crate::cmd::stdout;
use crate::cmd::visible::{visible, visible_json};

const ID: Style = Style::new().dimmed();
const NAME: Style = AnsiColor::Cyan.on_default();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// Turns items into lines.
pub(super) struct Printer {
    json: bool,
    terminal: bool,
    /// Lines that are being made.
    out: String,
}

/// One line of `--json`.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Line<'a> {
    Event {
        /// The last event id: what to resume after.
        id: &'a str,
        event: &'a str,
        data: &'a str,
    },
    Gap {
        id: &'a str,
        requested: Option<&'a str>,
        resumed_after: Option<&'a str>,
        reason: &'a str,
    },
    Comment {
        comment: &'a str,
    },
    Retry {
        retry: u128,
    },
}

impl Printer {
    pub(super) fn new(json: bool) -> Self {
        Self {
            json,
            terminal: io::stdout().is_terminal(),
            out: String::new(),
        }
    }

    /// Prints an item, if it is one to print.
    pub(super) fn print(&mut self, item: &Item) -> anyhow::Result<()> {
        match item {
            Item::Event(event) => self.event(event),
            Item::Gap(gap) => self.gap(gap),
            Item::Comment(comment) => {
                self.aside(ID, &format!(": {comment}"), &Line::Comment { comment });
            }
            Item::Retry(retry) => {
                let retry = retry.as_millis();
                self.aside(ID, &format!("retry: {retry}"), &Line::Retry { retry });
            }
            _ => return Ok(()),
        }
        let printed = stdout::print(&self.out);
        self.out.clear();
        printed
    }

    fn event(&mut self, event: &Message) {
        let (id, name, data) = (&*event.last_event_id, &*event.name, &*event.data);
        if self.json {
            return self.json(&Line::Event {
                id,
                event: name,
                data,
            });
        }
        let id = if id.is_empty() { "-" } else { id };
        let (id, name) = (self.paint(ID, id), self.paint(NAME, name));
        let data = self.safe(data).replace('\n', "\n  ");
        let _ = writeln!(self.out, "{id} {name} {data}");
    }

    fn gap(&mut self, gap: &Gap) {
        let (requested, reason) = (gap.requested.as_deref(), &*gap.reason);
        let text = format!(
            "--- gap ({reason}): cannot go on right after {}, events may be missing ---",
            requested.unwrap_or("-")
        );
        let line = Line::Gap {
            id: &gap.last_event_id,
            requested,
            resumed_after: gap.resumed_after.as_deref(),
            reason,
        };
        self.aside(WARNING, &text, &line);
    }

    /// A line that is no event: `text` for people, `line` for programs.
    fn aside(&mut self, style: Style, text: &str, line: &Line<'_>) {
        if self.json {
            self.json(line);
        } else {
            self.out += &self.paint(style, text);
            self.out.push('\n');
        }
    }

    fn json(&mut self, line: &Line<'_>) {
        // Fails only for map keys that are no text; there are none.
        let json = serde_json::to_string(line).unwrap_or_default();
        self.out += &if self.terminal {
            visible_json(&json)
        } else {
            Cow::Borrowed(&*json)
        };
        self.out.push('\n');
    }

    fn paint(&self, style: Style, text: &str) -> String {
        let style = stdout::style(style);
        format!("{style}{}{style:#}", self.safe(text))
    }

    fn safe<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.terminal {
            visible(text)
        } else {
            Cow::Borrowed(text)
        }
    }
}
