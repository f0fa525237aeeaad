//! The log on disk: how fast it keeps events, reads them, opens and lets go; beside what the disk itself takes and beside
//! SQLite.
//!
//! ```sh
//! cargo xtask bench log [--dir DIR] [--events N] [--only publish,http,large,seals]
//! ```
//!
//! Everything runs on the disk that `DIR` is on (default: `target/bench-log`), in a folder that is removed at the end.
//! Where a server is measured it has core 0 to itself, and what drives it has core 1.

#![allow(
    clippy::disallowed_methods,
    reason = "what is measured takes time, and the generator's tasks end with the process"
)]

mod http;
mod large;
mod publish;
mod seals;
mod sqlite;
mod table;

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use table::Table;

/// What an event holds.
const DATA: usize = 200;

/// Over how many topics events are spread.
const TOPICS: usize = 1000;

/// For how long a speed is measured.
const WHILE: Duration = Duration::from_secs(4);

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    // The large log is made and opened by processes of their own: one to be killed, one to be measured.
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["fill", folder, events] => return large::fill(Path::new(folder), events.parse()?),
        ["open", folder, events] => return large::open(Path::new(folder), events.parse()?),
        _ => {}
    }
    let asked = Asked::of(arguments.into_iter())?;
    let folder = asked.folder.join(format!("run-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let measured = measure(&asked, &folder);
    fs::remove_dir_all(&folder)?;
    measured
}

fn measure(asked: &Asked, folder: &Path) -> Result<()> {
    let mut table = Table::default();
    if asked.wants("publish") {
        publish::measure(folder, &mut table)?;
    }
    if asked.wants("http") {
        http::measure(folder, &mut table)?;
    }
    if asked.wants("large") {
        large::measure(folder, asked.events, &mut table)?;
    }
    if asked.wants("seals") {
        seals::measure(folder, &mut table)?;
    }
    table.print();
    Ok(())
}

/// What the command line says.
struct Asked {
    folder: PathBuf,
    events: u64,
    only: Option<Vec<String>>,
}

impl Asked {
    fn of(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let usage = "usage: log [--dir DIR] [--events N] [--only publish,http,large,seals]";
        let mut asked = Self {
            folder: Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench-log"),
            events: 5_000_000,
            only: None,
        };
        while let Some(flag) = arguments.next() {
            let value = arguments.next().context(usage)?;
            match flag.as_str() {
                "--dir" => asked.folder = value.into(),
                "--events" => asked.events = value.parse().context(usage)?,
                "--only" => asked.only = Some(value.split(',').map(str::to_owned).collect()),
                _ => bail!(usage),
            }
        }
        Ok(asked)
    }

    fn wants(&self, name: &str) -> bool {
        self.only
            .as_ref()
            .is_none_or(|only| only.iter().any(|other| other == name))
    }
}
