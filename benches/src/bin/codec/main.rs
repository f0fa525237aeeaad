//! The codec, beside a bare search for line ends and beside other crates.
//!
//! `codec` prints the tables. `codec run CASE TIMES` only runs one case, for valgrind to count.

mod cases;
mod instructions;
mod streams;
mod table;

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        [] => table::print(),
        ["run", name, times] => {
            let cases = cases::all();
            let case = cases.iter().find(|case| case.name == name);
            let (Some(case), Ok(times)) = (case, times.parse::<u32>()) else {
                eprintln!("no such case or number: {name} {times}");
                return ExitCode::from(2);
            };
            for _ in 0..times {
                case.run();
            }
        }
        _ => {
            eprintln!("usage: codec | codec run CASE TIMES");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
