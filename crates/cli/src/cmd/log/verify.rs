//! `tidewire log verify`.

use anyhow::bail;
use serde::Serialize;
use tidewire_hub::archive::segments::inspect::{self, Finding, Gravity, Verified};

use super::{about, args::Verify, disk, progress, show};
use crate::cmd::stdout;

/// One line of `--json`.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Line<'a> {
    Finding {
        damage: bool,
        file: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        offset: Option<u64>,
        what: &'a str,
        advice: &'a str,
    },
    End {
        sound: bool,
        damage: u64,
        segments: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        formats: Option<(u32, u32)>,
        records: u64,
        events: u64,
        bytes: u64,
    },
}

/// Checks the log, and fails if it is damaged.
pub(super) fn run(args: &Verify) -> anyhow::Result<()> {
    let folder = args.folder.path();
    let disk = disk(folder)?;
    let total = inspect::bytes_to_verify(&*disk).ok();
    let bar = progress::bar("checking", total);
    let mut printed = Ok(());
    let mut found = |finding: Finding| {
        if printed.is_ok() {
            printed = bar.suspend(|| print(&text(&finding, args.json), args.json));
        }
    };
    let verified = inspect::verify(&*disk, &mut |bytes| bar.inc(bytes), &mut found);
    bar.finish_and_clear();
    printed?;
    let verified = verified.map_err(|error| about(folder, error))?;
    print(&summary(&verified, args.json), args.json)?;
    match verified.damage {
        0 => Ok(()),
        places => bail!(
            "the log in {} is damaged: {places} finding{}",
            folder.display(),
            show::plural(places)
        ),
    }
}

fn print(text: &str, json: bool) -> anyhow::Result<()> {
    let text = match json {
        true => stdout::shown_json(text),
        false => stdout::shown(text),
    };
    stdout::print(&format!("{text}\n"))
}

fn text(finding: &Finding, json: bool) -> String {
    let Finding {
        gravity,
        file,
        offset,
        what,
        advice,
    } = finding;
    let damage = *gravity == Gravity::Damage;
    if json {
        let line = Line::Finding {
            damage,
            file,
            offset: *offset,
            what,
            advice,
        };
        return serde_json::to_string(&line).unwrap_or_default();
    }
    let place = offset.map_or(String::new(), |at| format!(" at byte {at}"));
    match damage {
        true => format!("damage: {file}{place}: {what}\n        {advice}"),
        false => format!("note: {file}{place}: {what}"),
    }
}

fn summary(verified: &Verified, json: bool) -> String {
    let Verified {
        segments,
        formats,
        records,
        events,
        bytes,
        damage,
        ..
    } = *verified;
    if json {
        let line = Line::End {
            sound: damage == 0,
            damage,
            segments,
            formats,
            records,
            events,
            bytes,
        };
        return serde_json::to_string(&line).unwrap_or_default();
    }
    let formats = match formats {
        None => String::new(),
        Some((oldest, newest)) if oldest == newest => format!(" of format {newest}"),
        Some((oldest, newest)) => format!(" of formats {oldest} to {newest}"),
    };
    format!(
        "{}: {} segment{}{formats}, {} record{}, {} of them events, {} read",
        if damage == 0 { "sound" } else { "damaged" },
        show::count(segments),
        show::plural(segments),
        show::count(records),
        show::plural(records),
        show::count(events),
        show::bytes(bytes)
    )
}
