//! The arguments of `cargo xtask`, and what each starts.

use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Parser, Subcommand};

use crate::report::{self, Report};
use crate::steps::STEPS;
use crate::workspace::root;
use crate::{bench, soak};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Tidewire's project tasks")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run everything that a change must pass
    Test {
        /// Stop at the first step that fails
        #[arg(long)]
        fail_fast: bool,
        /// Run only these steps, in their usual order
        #[arg(value_name = "STEP", value_parser = PossibleValuesParser::new(STEPS.map(|step| step.name)))]
        steps: Vec<String>,
    },
    /// Run what takes longer: many seeds, many kills, fuzzing, miri, cargo-deny
    Soak {
        /// Minutes of fuzzing, all targets together
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1440))]
        minutes: u64,
        /// How many seeds the stress test runs
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
        seeds: u64,
        /// How many orders the judge of "same order, same state" runs
        #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u64).range(1..))]
        order_seeds: u64,
        /// How many seeds the crash judge runs
        #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
        crash_seeds: u64,
        /// How often the server is killed
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=10_000))]
        kills: u64,
        /// The first seed, to see a finding again [default: a random one]
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
        seed: Option<u32>,
        /// Run only these steps, in their usual order
        #[arg(value_name = "STEP", value_parser = PossibleValuesParser::new(soak::STEPS.map(|(name, _)| name)))]
        steps: Vec<String>,
    },
    /// Run a benchmark of benches/
    Bench {
        /// The binary, such as `codec`
        name: String,
        /// What the benchmark itself takes
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// List the steps of `test` and `soak`
    List,
}

/// Parses the arguments and runs the task.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // Cargo starts us in the caller's folder; every task works in the root.
    if let Err(error) = std::env::set_current_dir(root()) {
        report::line(format_args!("{}: {error}", root().display()));
        return ExitCode::FAILURE;
    }
    match cli.task {
        Task::Test { fail_fast, steps } => test(fail_fast, &steps),
        Task::Soak {
            minutes,
            seeds,
            order_seeds,
            crash_seeds,
            kills,
            seed,
            steps,
        } => {
            let options = soak::Options {
                minutes,
                seeds,
                order_seeds,
                crash_seeds,
                kills,
                seed,
            };
            soak::run(options, &steps)
        }
        Task::Bench { name, args } => match bench::run(&name, &args) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                report::line(format_args!("{error:#}"));
                ExitCode::FAILURE
            }
        },
        Task::List => {
            list();
            ExitCode::SUCCESS
        }
    }
}

fn test(fail_fast: bool, names: &[String]) -> ExitCode {
    let mut report = Report::default();
    for step in STEPS {
        if !names.is_empty() && !names.iter().any(|name| name == step.name) {
            continue;
        }
        if fail_fast && report.failed() {
            report.skip(step.name, "not run after a failure (--fail-fast)");
        } else {
            report.run(step.name, step.run);
        }
    }
    report.finish()
}

fn list() {
    report::line("cargo xtask test");
    for step in STEPS {
        report::line(format_args!("  {:9} {}", step.name, step.about));
    }
    report::line("cargo xtask soak");
    for (name, about) in soak::STEPS {
        report::line(format_args!("  {name:9} {about}"));
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_unknown_step_is_refused_with_the_known_ones() {
        let error = Cli::try_parse_from(["xtask", "test", "fnt"]).unwrap_err();
        assert!(error.to_string().contains("clippy"), "{error}");
    }

    #[test]
    fn a_bench_takes_arguments_of_its_own() {
        let cli = Cli::try_parse_from(["xtask", "bench", "codec", "--events", "9"]).unwrap();
        let Task::Bench { name, args } = cli.task else {
            panic!("not a bench: {cli:?}");
        };
        assert_eq!((name.as_str(), args.len()), ("codec", 2));
    }
}
