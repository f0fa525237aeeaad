//! What the tasks print: each step's name and time, the summary, and `N passed, N failed` as the last line.
//!
//! The only module of xtask that prints and that reads the clock.

use std::fmt::{self, Display};
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;

/// Prints one line. Output that nobody reads (a closed pipe) is no reason to stop the checks.
pub fn line(text: impl Display) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// How a step that did not fail ended. A step that fails returns an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Everything the step checks holds.
    Passed,
    /// The step did not run, and this is why.
    Skipped(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

#[derive(Debug)]
struct Entry {
    name: &'static str,
    outcome: Outcome,
    took: Duration,
}

/// The steps so far and how they ended.
#[derive(Debug, Default)]
pub struct Report {
    entries: Vec<Entry>,
}

impl Report {
    /// Runs a step under its name and records how it ended.
    pub fn run(&mut self, name: &'static str, step: impl FnOnce() -> Result<Verdict>) {
        line(format_args!("\n=== {name}"));
        let start = now();
        let result = step();
        let took = now().duration_since(start);
        let outcome = match result {
            Ok(Verdict::Passed) => Outcome::Passed,
            Ok(Verdict::Skipped(why)) => Outcome::Skipped(why),
            Err(error) => Outcome::Failed(format!("{error:#}")),
        };
        match &outcome {
            Outcome::Passed => {}
            Outcome::Failed(why) | Outcome::Skipped(why) => line(why),
        }
        line(format_args!("=== {name} {} in {}", outcome.word(), Seconds(took)));
        self.entries.push(Entry { name, outcome, took });
    }

    /// Records a step that is not run, and why.
    pub fn skip(&mut self, name: &'static str, why: &str) {
        self.entries.push(Entry {
            name,
            outcome: Outcome::Skipped(why.to_owned()),
            took: Duration::ZERO,
        });
    }

    /// Whether any step failed.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.count(|outcome| matches!(outcome, Outcome::Failed(_))) > 0
    }

    /// Prints the summary and gives the exit code: failure if any step failed, or if none passed.
    #[must_use]
    pub fn finish(self) -> ExitCode {
        line(format_args!("\n{self}"));
        let passed = self.count(|outcome| *outcome == Outcome::Passed);
        if self.failed() || passed == 0 {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }

    fn count(&self, of: impl Fn(&Outcome) -> bool) -> usize {
        self.entries.iter().filter(|entry| of(&entry.outcome)).count()
    }
}

/// The summary table, and the counts as its last line.
impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.entries.iter().map(|entry| entry.name.len()).max();
        let width = width.unwrap_or_default().max("step".len());
        writeln!(f, "{:width$}  result   {:>9}", "step", "time")?;
        let mut total = Duration::ZERO;
        for Entry { name, outcome, took } in &self.entries {
            total += *took;
            let time = Seconds(*took).to_string();
            write!(f, "{name:width$}  {:7}  {time:>9}", outcome.word())?;
            match outcome {
                Outcome::Passed => writeln!(f)?,
                Outcome::Failed(why) | Outcome::Skipped(why) => {
                    writeln!(f, "  {}", why.lines().next().unwrap_or_default())?;
                }
            }
        }
        let total = Seconds(total).to_string();
        writeln!(f, "{:width$}  {:7}  {total:>9}\n", "all", "")?;

        let passed = self.count(|outcome| *outcome == Outcome::Passed);
        let failed = self.count(|outcome| matches!(outcome, Outcome::Failed(_)));
        let skipped = self.count(|outcome| matches!(outcome, Outcome::Skipped(_)));
        write!(f, "{passed} passed, {failed} failed")?;
        if skipped > 0 {
            write!(f, ", {skipped} skipped")?;
        }
        Ok(())
    }
}

impl Outcome {
    fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "failed",
            Self::Skipped(_) => "skipped",
        }
    }
}

struct Seconds(Duration);

impl Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} s", self.0.as_secs_f64())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a step's time is for people to read; no logic depends on it"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    fn report(entries: impl IntoIterator<Item = (&'static str, Outcome)>) -> Report {
        let took = Duration::from_millis(1250);
        let entry = |(name, outcome)| Entry { name, outcome, took };
        Report {
            entries: entries.into_iter().map(entry).collect(),
        }
    }

    #[test]
    fn the_summary_tells_every_step_and_ends_with_the_counts() {
        let report = report([
            ("fmt", Outcome::Passed),
            ("clippy", Outcome::Failed("two\nlines".into())),
            ("miri", Outcome::Skipped("no nightly".into())),
        ]);
        assert_eq!(
            report.to_string(),
            "step    result        time\n\
             fmt     passed       1.2 s\n\
             clippy  failed       1.2 s  two\n\
             miri    skipped      1.2 s  no nightly\n\
             all                  3.8 s\n\
             \n\
             1 passed, 1 failed, 1 skipped"
        );
    }

    #[test]
    fn a_clean_run_counts_no_skips() {
        let text = report([("fmt", Outcome::Passed)]).to_string();
        assert_eq!(text.lines().last(), Some("1 passed, 0 failed"));
    }

    #[test]
    fn errors_fail_and_the_steps_after_them_still_count() {
        let mut report = Report::default();
        report.run("first", || Err(anyhow!("root").context("outer")));
        report.run("second", || Ok(Verdict::Passed));
        assert_eq!(report.entries[0].outcome, Outcome::Failed("outer: root".into()));
        assert!(report.failed());
        assert_eq!(report.finish(), ExitCode::FAILURE);
    }

    #[test]
    fn only_a_run_that_passed_something_is_a_success() {
        assert_eq!(Report::default().finish(), ExitCode::FAILURE);
        let skipped = report([("miri", Outcome::Skipped("no nightly".into()))]);
        assert_eq!(skipped.finish(), ExitCode::FAILURE);
        let passed = report([("fmt", Outcome::Passed)]);
        assert_eq!(passed.finish(), ExitCode::SUCCESS);
    }
}
