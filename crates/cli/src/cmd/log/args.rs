//! The command line of `tidewire log`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use tidewire_hub::Namespace;

const EXIT_CODES: &str = "\
Exit codes:
  0    the log is sound
  1    it is damaged
  2    there is no log, or it cannot be read";

const REPAIR_EXIT_CODES: &str = "\
Exit codes:
  0    the copy is made; it says what is lost, if anything is
  1    it cannot be written
  2    there is no log, it cannot be read, or the folder of the copy is taken";

const PASSED_OVER: &str = "\
Exit codes:
  0    all of it was written
  1    something is damaged: it was left out, and is named on standard error
  2    there is no log, or it cannot be read";

/// Looks into a log on disk, checks it, or carries it elsewhere.
///
/// A log that is looked at is not changed by one byte, and may be in use by a server meanwhile: what is good at that moment counts.
#[derive(Debug, Args)]
pub(crate) struct Log {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Tell what there is: epochs, segments, topics, times.
    Info(Info),
    /// Read everything, compare it, and tell what is damaged.
    Verify(Verify),
    /// Print the events of topics, as a reader would get them.
    Dump(Dump),
    /// Write the whole log as lines of JSON.
    Export(Export),
    /// Make a log from such lines, in a folder of its own.
    Import(Import),
    /// Make a sound copy of a log that is damaged, and tell what is lost.
    Repair(Repair),
}

#[derive(Debug, Args)]
pub(super) struct Folder {
    /// The folder of the log
    #[arg(
        long,
        value_name = "DIR",
        env = "TIDEWIRE_DATA",
        default_value = "./tidewire-data"
    )]
    data: PathBuf,
}

impl Folder {
    pub(super) fn path(&self) -> &Path {
        &self.data
    }
}

/// Tells what there is: epochs, segments, topics, times.
#[derive(Debug, Args)]
pub(super) struct Info {
    /// Show the N topics with the most bytes
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(super) topics: usize,

    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,

    #[command(flatten)]
    pub(super) folder: Folder,
}

/// Reads everything: the checksum of each header, batch and record, the order of numbers and times, indexes against records, the list
/// of topics against both, snapshots.
///
/// Each finding says file and place, what it means and what to do. A torn tail (what was being written when the process died) is no
/// damage, nor is what the next start makes anew.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Verify {
    /// Print one JSON object a finding, and one in the end
    #[arg(long)]
    pub(super) json: bool,

    #[command(flatten)]
    pub(super) folder: Folder,
}

/// Prints the events of topics, as a reader would get them, and ends where the log does. What is damaged is passed over.
#[derive(Debug, Args)]
#[command(after_help = PASSED_OVER)]
pub(super) struct Dump {
    /// A topic; may be given several times
    #[arg(long = "topic", value_name = "TOPIC", required = true)]
    pub(super) topics: Vec<String>,

    /// Begin after the event with this id [default: the oldest that is kept]
    #[arg(long, value_name = "ID", conflicts_with = "last")]
    pub(super) after: Option<String>,

    /// Only the last N events
    #[arg(long, value_name = "N")]
    pub(super) last: Option<usize>,

    /// Print one JSON object a line
    #[arg(long)]
    pub(super) json: bool,

    /// Whose topics they are. `relay` are answers of the AI relay: who knows the name of one may read it
    #[arg(long, value_enum, default_value_t = Door::Events)]
    pub(super) namespace: Door,

    #[command(flatten)]
    pub(super) folder: Folder,
}

/// See [`Namespace`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Door {
    /// Topics of `/events/…`
    Events,
    /// Answers of `/relay/…`
    Relay,
}

impl Door {
    pub(super) fn namespace(self) -> Namespace {
        match self {
            Self::Events => Namespace::Events,
            Self::Relay => Namespace::Relay,
        }
    }
}

/// Writes the whole log as lines of JSON: all that a reader could get, and what is remembered of topics and idempotency keys.
///
/// It holds everything, also what only some may read: keep it as you keep the log. `tidewire log import` reads it. What is damaged is
/// left out.
#[derive(Debug, Args)]
#[command(after_help = PASSED_OVER)]
pub(super) struct Export {
    /// The file to write; `-` is standard output
    #[arg(default_value = "-")]
    pub(super) file: PathBuf,

    /// Replace the file if it is there
    #[arg(long)]
    pub(super) force: bool,

    #[command(flatten)]
    pub(super) folder: Folder,
}

/// Makes a sound copy of a log that is damaged: all records that can still be read, with their numbers, ids and times, ends and
/// idempotency keys, under a new epoch. The log itself is not changed.
///
/// What is lost is told, place by place. Readers of the copy whose cursors stand in front of it are told of a gap. Stop the server
/// first, or the copy misses what it publishes meanwhile; then start it on the copy.
#[derive(Debug, Args)]
#[command(after_help = REPAIR_EXIT_CODES)]
pub(super) struct Repair {
    /// The folder of the copy: new or empty
    #[arg(long, value_name = "DIR")]
    pub(super) to: PathBuf,

    #[command(flatten)]
    pub(super) folder: Folder,
}

/// Makes a log from what `tidewire log export` wrote. Numbers, ids, times, ends, idempotency keys and what is gone stay as they
/// were, so that readers go on where they were; after that a new epoch begins.
///
/// The folder must be new or empty. Nothing is there before all is.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// The file to read; `-` is standard input
    pub(super) file: PathBuf,

    #[command(flatten)]
    pub(super) folder: Folder,
}
