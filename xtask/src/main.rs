//! `cargo xtask …`: see the library for what each task is.

use std::process::ExitCode;

fn main() -> ExitCode {
    xtask::cli::main()
}
