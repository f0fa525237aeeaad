//! `tidewire config`: prints the settings, or checks a file.

use confique::toml::{FormatOptions, template};

use super::stdout;
use crate::cli::ConfigArgs;
use crate::config::Config;

/// Prints the template, the settings in force, or that a file is fine.
pub(crate) fn run(args: ConfigArgs) -> anyhow::Result<()> {
    let text = if let Some(file) = args.check {
        let plan = Config::load_file(&file)?.plan()?;
        let warnings = plan.warnings.iter().map(|text| format!("warning: {text}\n"));
        let notices = plan.notices.iter().map(|text| format!("note: {text}\n"));
        let more: String = warnings.chain(notices).collect();
        format!("{} is fine\n{more}", file.display())
    } else if args.effective {
        toml::to_string(&args.serve.load()?)?
    } else {
        template::<Config>(FormatOptions::default())
    };
    stdout::print(&text)
}
