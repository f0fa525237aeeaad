//! `tidewire doctor`: looks at a stream and says what is wrong with it.
//!
//! | open | for |
//! |---|---|
//! | `args` | the command line |
//! | `print` | findings for people, or as JSON |
//!
//! What is looked at, and how, is [`crate::doctor`]'s.

pub(crate) mod args;
mod print;

use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::stdout;
use crate::doctor::{Severity, visit};
use args::Doctor;

/// There were warnings and nothing worse.
const WARNINGS: u8 = 3;

/// Looks, prints what was found, and says by the exit code how bad it is.
pub(crate) async fn run(args: Doctor) -> anyhow::Result<ExitCode> {
    let (wait, json) = (args.wait(), args.json);
    let ask = args.into_ask();
    let progress = progress(wait);
    let visit = visit::visit(&ask, wait).await;
    progress.finish_and_clear();
    let examination = visit?;
    let url = ask.secrets.url(ask.url.as_str());
    stdout::print(&match json {
        true => print::json(&url, &examination),
        false => print::text(&url, &examination),
    })?;
    let worst = examination.findings.iter().map(|finding| finding.severity).max();
    Ok(match worst {
        Some(Severity::Error) => ExitCode::FAILURE,
        Some(Severity::Warning) => ExitCode::from(WARNINGS),
        _ => ExitCode::SUCCESS,
    })
}

/// A bar on standard error that fills while we look; hidden where that is no terminal.
fn progress(wait: Duration) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
    bar.set_style(style);
    bar.set_message(format!("looking for {}:", humantime::format_duration(wait)));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
