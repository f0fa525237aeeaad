//! `tidewire log dump`: the events of topics, as a reader would get them.

use std::{
    io::{self, BufWriter, IsTerminal as _, Write},
    ops::ControlFlow,
};

use anyhow::Context as _;
use serde::Serialize;
use tidewire_codec::protocol;
use tidewire_hub::{
    Gap, Record, Start, Topic, TopicSet,
    archive::segments::inspect::{Dumped, ReadOnly},
};

use super::{about, about_io, args::Dump, disk, left_out, salvage, show, words};
use crate::cmd::{
    stderr, stdout,
    visible::{visible, visible_json},
};

/// One line of `--json`: as the server gives it to readers of NDJSON, with the time.
#[derive(Serialize)]
#[serde(untagged)]
enum Line<'a> {
    Event {
        id: &'a str,
        event: &'a str,
        topics: Vec<&'a str>,
        time: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry: Option<u64>,
        data: &'a str,
    },
    Gap {
        event: &'a str,
        reason: &'a str,
        requested: &'a str,
        resumed_after: String,
    },
}

/// Prints what the command line asks for.
pub(super) fn run(args: &Dump) -> anyhow::Result<()> {
    let named = args.topics.iter().map(|name| {
        Topic::new(args.namespace.namespace(), name).with_context(|| format!("the topic {name:?}"))
    });
    let topics = TopicSet::new(named.collect::<Result<Vec<_>, _>>()?)?;
    let folder = args.folder.path();
    let log = ReadOnly::open(&disk(folder)?);
    // What keeps the log from being opened is left out.
    let log = match log {
        Err(error) if error.is_damage() => salvage(folder)?,
        log => log.map_err(|error| about(folder, error))?,
    };
    for topic in topics.iter().filter(|topic| !log.knows(topic)) {
        stderr::say(format_args!("nothing is kept of {:?}", topic.name()));
    }
    let start = match (&args.after, args.last) {
        (Some(id), _) => Start::After(id.clone()),
        (None, Some(count)) => Start::Last(count),
        (None, None) => Start::After(Start::EARLIEST.to_owned()),
    };
    let mut out = Out {
        to: BufWriter::new(io::stdout().lock()),
        topics: &topics,
        json: args.json,
        terminal: io::stdout().is_terminal(),
    };
    let mut written = Ok(());
    let dumped = log.dump(&topics, &start, &mut |item| {
        written = out.write(&item);
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    });
    written.and_then(|()| out.to.flush()).map_err(stdout::failed)?;
    dumped.map_err(|error| about_io(folder, error))?;
    let salvaged = log.losses().iter().map(words);
    left_out(folder, &salvaged.chain(log.passed_over()).collect::<Vec<_>>())
}

struct Out<'a, W> {
    to: W,
    topics: &'a TopicSet,
    json: bool,
    terminal: bool,
}

impl<W: Write> Out<'_, W> {
    fn write(&mut self, item: &Dumped<'_>) -> io::Result<()> {
        let line = match (item, self.json) {
            (Dumped::Event(record, id), true) => self.event(record, id.as_str()),
            (Dumped::Event(record, id), false) => self.words(record, id.as_str()),
            (Dumped::Gap(gap), json) => gap_line(gap, json),
        };
        let line = match (self.terminal, self.json) {
            (true, true) => visible_json(&line),
            (true, false) => visible(&line),
            (false, _) => line.as_str().into(),
        };
        writeln!(self.to, "{line}")
    }

    /// The topics that the event is read from here.
    fn of(&self, record: &Record) -> Vec<&str> {
        let read = self.topics.iter().filter(|topic| record.topics().contains(topic));
        read.map(Topic::name).collect()
    }

    fn event(&self, record: &Record, id: &str) -> String {
        let Some(event) = record.event() else {
            return String::new();
        };
        to_json(&Line::Event {
            id,
            event: event.name.as_ref().map_or("message", |name| name.as_str()),
            topics: self.of(record),
            time: record.time,
            retry: event.retry,
            data: &event.data,
        })
    }

    fn words(&self, record: &Record, id: &str) -> String {
        let Some(event) = record.event() else {
            return String::new();
        };
        let name = event.name.as_ref().map_or("message", |name| name.as_str());
        let topics = match self.topics.len() {
            1 => String::new(),
            _ => format!(" {}", self.of(record).join(",")),
        };
        let data = event.data.replace('\n', "\n  ");
        format!("{} {id}{topics} {name} {data}", show::time(record.time))
    }
}

fn gap_line(gap: &Gap, json: bool) -> String {
    let reason = gap.reason.as_str();
    if json {
        return to_json(&Line::Gap {
            event: protocol::GAP,
            reason,
            requested: &gap.requested,
            resumed_after: gap.resumed_after.to_string(),
        });
    }
    format!(
        "--- gap ({reason}): cannot go on right after {}, events may be missing ---",
        gap.requested
    )
}

fn to_json(line: &Line<'_>) -> String {
    // Fails only for map keys that are no text; there are none.
    serde_json::to_string(line).unwrap_or_default()
}
