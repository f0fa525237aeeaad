//! `tidewire completions`: what a shell needs to complete commands and flags.

use super::stdout;
use crate::cli::{Cli, Completions};

/// Prints the script.
pub(crate) fn run(args: &Completions) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::described(), "tidewire", &mut script);
    stdout::print(&String::from_utf8(script)?)
}
