//! `tidewire man`: manual pages from the same texts as `--help`.

use anyhow::Context as _;
use clap_mangen::Man;

use super::stdout;
use crate::cli;

/// Prints the main page, or writes all pages.
pub(crate) fn run(args: &cli::Man) -> anyhow::Result<()> {
    let command = cli::Cli::described();
    match &args.directory {
        Some(directory) => {
            let shown = directory.display();
            std::fs::create_dir_all(directory).with_context(|| format!("cannot make {shown}"))?;
            clap_mangen::generate_to(command, directory)
                .with_context(|| format!("cannot write the pages into {shown}"))
        }
        None => {
            let mut page = Vec::new();
            Man::new(command).render(&mut page)?;
            stdout::print(&String::from_utf8(page)?)
        }
    }
}
