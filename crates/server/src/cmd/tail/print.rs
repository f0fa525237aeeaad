//! Items as lines on standard output: for people, or one JSON object each.
//!
//! Invariant: on a terminal, no control character of the stream reaches standard output.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::ops::ControlFlow;

use anstyle::{AnsiColor, Style};
use serde::{Deserialize, Serialize};
use tidewire_codec::{EventView, Item};

use crate::cmd::visible::{visible, visible_json};
use crate::cmd::{stderr, stdout};

const GAP: &str = "tidewire.gap";

const ID: Style = Style::new().dimmed();
const NAME: Style = AnsiColor::Cyan.on_default();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// Turns items into lines and counts events.
pub(super) struct Printer {
    json: bool,
    /// Comments and reconnection times are printed too.
    comments: bool,
    /// Events still to be printed.
    left: Option<u64>,
    terminal: bool,
    colours: bool,
    /// Lines that wait for [`Printer::flush`].
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
        #[serde(flatten)]
        gap: Gap<'a>,
    },
    Comment {
        comment: &'a str,
    },
    Retry {
        retry: u64,
    },
}

/// The data of a gap event: what the server could not give any more.
#[derive(Serialize, Deserialize)]
struct Gap<'a> {
    #[serde(borrow)]
    requested: Option<Cow<'a, str>>,
    #[serde(borrow)]
    resumed_after: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reason: Cow<'a, str>,
}

impl Printer {
    /// `max` is the number of events to print, if there is one.
    pub(super) fn new(json: bool, comments: bool, max: Option<u64>) -> Self {
        let stdout = io::stdout();
        Self {
            json,
            comments,
            left: max,
            terminal: stdout.is_terminal(),
            // Knows NO_COLOR, CLICOLOR_FORCE, TERM=dumb and their kin.
            colours: anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never,
            out: String::new(),
        }
    }

    /// Prepares an item; breaks after the last event that is wanted.
    pub(super) fn show(&mut self, item: Item<'_>) -> ControlFlow<()> {
        match item {
            Item::Event(event) => return self.event(event),
            Item::Comment(comment) if self.comments => {
                self.aside(ID, &format!(": {comment}"), &Line::Comment { comment });
            }
            Item::Retry(retry) if self.comments => {
                self.aside(ID, &format!("retry: {retry}"), &Line::Retry { retry });
            }
            Item::Comment(_) | Item::Retry(_) => {}
            Item::Overlong(overlong) => stderr::say(format_args!("{overlong}")),
        }
        ControlFlow::Continue(())
    }

    /// Writes what is prepared.
    pub(super) fn flush(&mut self) -> anyhow::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        let written = stdout::print(&self.out);
        self.out.clear();
        written
    }

    fn event(&mut self, event: EventView<'_>) -> ControlFlow<()> {
        let gap = (event.name == GAP).then(|| serde_json::from_str(event.data));
        if let Some(Ok(gap)) = gap {
            self.gap(event.last_event_id, gap);
            return ControlFlow::Continue(());
        }
        let (id, name, data) = (event.last_event_id, event.name, event.data);
        if self.json {
            self.json(&Line::Event {
                id,
                event: name,
                data,
            });
        } else {
            let id = if id.is_empty() { "-" } else { id };
            let (id, name) = (self.paint(ID, id), self.paint(NAME, name));
            let data = self.safe(data).replace('\n', "\n  ");
            let _ = writeln!(self.out, "{id} {name} {data}");
        }
        self.left = self.left.map(|left| left - 1);
        if self.left == Some(0) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn gap(&mut self, id: &str, gap: Gap<'_>) {
        let requested = gap.requested.as_deref().unwrap_or("-");
        let text = format!(
            "--- gap ({}): cannot go on right after {requested}, events may be missing ---",
            gap.reason
        );
        self.aside(WARNING, &text, &Line::Gap { id, gap });
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
        let text = self.safe(text);
        if self.colours {
            format!("{style}{text}{style:#}")
        } else {
            text.into_owned()
        }
    }

    fn safe<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.terminal {
            visible(text)
        } else {
            Cow::Borrowed(text)
        }
    }
}
