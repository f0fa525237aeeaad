//! `tidewire config`: prints the settings, or checks a file.

use confique::toml::{FormatOptions, template};

use super::stdout;
use crate::cli::ConfigArgs;
use crate::config::Config;

/// Prints the template, the settings in force, or that a file is fine.
pub(crate) fn run(args: ConfigArgs) -> anyhow::Result<()> {
    let text = if let Some(file) = args.check {
        Config::load_file(&file)?;
        format!("{} is fine\n", file.display())
    } else if args.effective {
        toml::to_string(&args.serve.load()?)?
    } else {
        template::<Config>(FormatOptions::default())
    };
    stdout::print(&text)
}
