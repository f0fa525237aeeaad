//! `tidewire log`: looks into a log on disk, checks it, carries it elsewhere.
//!
//! | open | for |
//! |---|---|
//! | [`args`] | the command line |
//! | `info`, `verify`, `dump` | looking |
//! | `export`, `import`, `line` | the log as lines of JSON |
//! | `repair` | a sound copy of a damaged log |
//! | `progress`, `show` | bars on a terminal; times and sizes for people |
//!
//! What a log holds is known to `tidewire_hub`; here it gets words.

pub(crate) mod args;
mod dump;
mod export;
mod import;
mod info;
mod line;
mod progress;
mod repair;
mod show;
mod verify;

use std::{io, path::Path, sync::Arc};

use anyhow::{anyhow, bail};
use tidewire_hub::archive::segments::{
    Disk, RealDisk,
    inspect::{LookError, Loss, ReadOnly},
};
use tidewire_server::descriptors;

use crate::cmd::stderr;
use args::{Command, Log};

/// There is nothing to look at, or it cannot be read (exit code 2).
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct CannotLook(String);

/// Carries out what the command line says.
pub(crate) fn run(args: Log) -> anyhow::Result<()> {
    // Each segment of a log that is read is an open file or two.
    descriptors::raise();
    match args.command {
        Command::Info(args) => info::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Dump(args) => dump::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Repair(args) => repair::run(&args),
    }
}

fn disk(folder: &Path) -> anyhow::Result<Arc<dyn Disk>> {
    match RealDisk::read_only(folder) {
        Ok(disk) => Ok(Arc::new(disk)),
        Err(error) => Err(CannotLook(format!("{error}{}", elsewhere(error.kind()))).into()),
    }
}

/// What is good of the log.
fn salvage(folder: &Path) -> anyhow::Result<ReadOnly> {
    ReadOnly::salvage(&disk(folder)?).map_err(|error| about(folder, error))
}

/// What is lost at a place, in words.
fn words(loss: &Loss) -> String {
    let place = loss.offset.map_or(String::new(), |at| format!(" at byte {at}"));
    let what = match loss.numbers {
        None => "no record is lost there".to_owned(),
        Some((first, last)) if first == last => format!("record {} is lost", first.0),
        Some((first, last)) => format!(
            "records {} to {} are lost, as far as there were any",
            first.0, last.0
        ),
    };
    format!("{}{place}: {}; {what}", loss.file, loss.what)
}

/// Says what was left out of what was written, and fails if anything was.
fn left_out(folder: &Path, losses: &[String]) -> anyhow::Result<()> {
    for loss in losses {
        stderr::say(format_args!("left out: {loss}"));
    }
    match losses.len() as u64 {
        0 => Ok(()),
        places => bail!(
            "the log in {shown} is damaged: {places} place{s} left out, all else was written (`tidewire log repair --data {shown} --to DIR` \
             makes a sound copy)",
            shown = folder.display(),
            s = match places {
                1 => " was",
                _ => "s were",
            }
        ),
    }
}

fn about(folder: &Path, error: LookError) -> anyhow::Error {
    let folder = folder.display();
    match &error {
        LookError::NoLog => CannotLook(format!(
            "in {folder} {error}{}",
            elsewhere(io::ErrorKind::NotFound)
        ))
        .into(),
        _ if error.is_damage() => anyhow!(error).context(format!(
            "the log in {folder} (`tidewire log verify --data {folder}` tells all that is damaged)"
        )),
        _ => CannotLook(format!("the log in {folder}: {error}")).into(),
    }
}

/// An error of reading a log that is open.
fn about_io(folder: &Path, error: io::Error) -> anyhow::Error {
    about(folder, LookError::Io(error))
}

fn elsewhere(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::NotFound => " (say where the log is: --data DIR or TIDEWIRE_DATA)",
        _ => "",
    }
}
