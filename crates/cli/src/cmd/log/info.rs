//! `tidewire log info`.
//!
//! Names of relay topics are secrets, and are not told.

use std::fmt::Write as _;

use anyhow::bail;
use serde_json::json;
use tidewire_hub::{
    Millis, Namespace, Seq,
    archive::segments::inspect::{self, IndexState, Info, SegmentInfo, TopicInfo},
};

use super::{about, args, disk, show};
use crate::cmd::stdout;

/// Tells what there is; fails if something could not be read.
pub(super) fn run(args: &args::Info) -> anyhow::Result<()> {
    let folder = args.folder.path();
    let disk = disk(folder)?;
    let info = inspect::info(&*disk).map_err(|error| about(folder, error))?;
    let shown = Shown::of(&info, args.topics);
    stdout::print(&match args.json {
        true => format!("{}\n", stdout::shown_json(&to_json(&info, &shown).to_string())),
        false => stdout::shown(&to_text(&info, &shown)?).into_owned(),
    })?;
    match info.segments.iter().find_map(|segment| segment.damage.as_ref()) {
        None => Ok(()),
        Some(why) => bail!("{why} (`tidewire log verify` tells all that is damaged)"),
    }
}

/// Topics as they are shown.
struct Shown<'a> {
    top: Vec<&'a TopicInfo>,
    /// Count and bytes of those that are not shown one by one.
    others: (u64, u64),
    relay: (u64, u64),
}

impl<'a> Shown<'a> {
    fn of(info: &'a Info, top: usize) -> Self {
        let (named, secret): (Vec<_>, Vec<_>) = info
            .topics
            .iter()
            .partition(|info| info.topic.namespace() == Namespace::Events);
        let (top, others) = named.split_at(top.min(named.len()));
        let sum = |of: &[&TopicInfo]| (of.len() as u64, of.iter().map(|info| info.bytes).sum());
        Self {
            top: top.to_vec(),
            others: sum(others),
            relay: sum(&secret),
        }
    }
}

fn index(state: IndexState) -> &'static str {
    match state {
        IndexState::Open => "being written",
        IndexState::There => "ok",
        IndexState::Missing => "missing",
        _ => "damaged",
    }
}

fn to_json(info: &Info, shown: &Shown<'_>) -> serde_json::Value {
    let place = |place: Option<(Seq, Millis)>| place.map(|(seq, time)| json!({ "seq": seq.0, "time": time }));
    let epochs = info
        .epochs
        .iter()
        .map(|(epoch, first)| json!({ "epoch": epoch.to_string(), "first": first.0 }));
    let segments = info.segments.iter().map(|segment| {
        json!({
            "name": segment.name,
            "format": segment.format,
            "bytes": segment.bytes,
            "records": segment.records,
            "events": segment.events,
            "first": place(segment.first),
            "last": place(segment.last),
            "index": index(segment.index),
            "damage": segment.damage,
        })
    });
    let topic = |topic: &&TopicInfo| json!({ "topic": topic.topic.name(), "bytes": topic.bytes, "events": topic.events });
    let sum = |(count, bytes): (u64, u64)| json!({ "topics": count, "bytes": bytes });
    let snapshots = info
        .snapshots
        .iter()
        .map(|snapshot| json!({ "name": snapshot.name, "seq": snapshot.seq.0, "bytes": snapshot.bytes }));
    json!({
        "format": info.format,
        "log": info.log,
        "epochs": epochs.collect::<Vec<_>>(),
        "whole": info.is_whole,
        "unsynced": info.is_unsynced,
        "last": info.last.0,
        "first_kept": place(info.first()),
        "last_kept": place(info.newest()),
        "segments": segments.collect::<Vec<_>>(),
        "topics": shown.top.iter().map(topic).collect::<Vec<_>>(),
        "other_topics": sum(shown.others),
        "relay": sum(shown.relay),
        "known_topics": info.known_topics,
        "snapshots": snapshots.collect::<Vec<_>>(),
    })
}

fn to_text(info: &Info, shown: &Shown<'_>) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    let sum = |of: fn(&SegmentInfo) -> u64| info.segments.iter().map(of).sum::<u64>();
    let old = info.segments.iter().filter_map(|segment| segment.format).min();
    let old = old.filter(|old| *old < info.format);
    let old = old.map_or(String::new(), |old| format!(", its oldest segment {old}"));
    writeln!(out, "log        {} (format {}{old})", info.log, info.format)?;
    for (number, (epoch, first)) in info.epochs.iter().enumerate() {
        let label = if number == 0 { "epochs" } else { "" };
        writeln!(out, "{label:10} {epoch} from {}", first.0)?;
    }
    let left = match info.is_whole {
        true => "whole: all that was acknowledged is here",
        false => {
            "open, or not closed, under a durability other than `always`: what was acknowledged last may be missing"
        }
    };
    writeln!(out, "state      {left}")?;
    if info.is_unsynced {
        writeln!(
            out,
            "           a sync has failed: the next start writes once more what may not be safe"
        )?;
    }
    writeln!(
        out,
        "records    {} ({} events) in {}; the last number is {}",
        show::count(sum(|segment| segment.records)),
        show::count(sum(|segment| segment.events)),
        show::bytes(sum(|segment| segment.bytes)),
        info.last.0
    )?;
    for (label, kept) in [("first", info.first()), ("last", info.newest())] {
        if let Some((seq, time)) = kept {
            writeln!(out, "{label:10} {} at {}", seq.0, show::time(time))?;
        }
    }
    segments(info, &mut out)?;
    topics(info, shown, &mut out)?;
    for snapshot in &info.snapshots {
        let bytes = show::bytes(snapshot.bytes);
        writeln!(
            out,
            "snapshot   {}: what was remembered after {}, {bytes}",
            snapshot.name, snapshot.seq.0
        )?;
    }
    Ok(out)
}

fn segments(info: &Info, out: &mut String) -> std::fmt::Result {
    let heads = ["segment", "bytes", "records", "events", "from", "to", "index"];
    let [name, bytes, records, events, from, to, state] = heads;
    writeln!(
        out,
        "\n{name:28} {bytes:>12} {records:>10} {events:>10}  {from:24} {to:24} {state}"
    )?;
    let time = |place: Option<(Seq, Millis)>| place.map_or("-".to_owned(), |(_, time)| show::time(time));
    for segment in &info.segments {
        writeln!(
            out,
            "{:28} {:>12} {:>10} {:>10}  {:24} {:24} {}",
            segment.name,
            segment.bytes,
            segment.records,
            segment.events,
            time(segment.first),
            time(segment.last),
            index(segment.index)
        )?;
        if let Some(why) = &segment.damage {
            writeln!(out, "    damaged: {why}")?;
        }
    }
    Ok(())
}

fn topics(info: &Info, shown: &Shown<'_>, out: &mut String) -> std::fmt::Result {
    let known = info
        .known_topics
        .map_or(String::new(), |known| format!(", {known} in the list `topics`"));
    writeln!(out, "\n{} topics with records{known}", info.topics.len())?;
    let line = |out: &mut String, bytes: u64, events: &str, name: &str| {
        writeln!(out, "{:>12} {events:>10}  {name}", show::bytes(bytes))
    };
    for topic in &shown.top {
        line(out, topic.bytes, &topic.events.to_string(), topic.topic.name())?;
    }
    for ((count, bytes), what) in [
        (shown.others, "other topics (--topics N shows more)"),
        (shown.relay, "answers of the relay door"),
    ] {
        if count > 0 {
            line(out, bytes, "", &format!("{count} {what}"))?;
        }
    }
    Ok(())
}
