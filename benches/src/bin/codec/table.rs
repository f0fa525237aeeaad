//! The tables: times of all cases of a group, taken in turns, and their instructions.

#![allow(clippy::disallowed_methods, reason = "this is what reads the clock")]

use std::time::{Duration, Instant};

use crate::cases::{self, Case, Group};
use crate::instructions;

/// Turns that every case of a group takes; its fastest counts, because whatever else runs on the
/// machine only ever makes a turn slower.
const TURNS: usize = 400;

pub fn print() {
    let cases = cases::all();
    let groups = [
        (Group::Decode, "Decoding a chat completion, 16 KiB chunks"),
        (Group::DecodeChinese, "The same in Chinese"),
        (Group::DecodeTyped, "Decoding id, event and a character"),
        (Group::LongLine, "Decoding one line in chunks of any size"),
        (Group::Encode, "Encoding a chat completion"),
        (Group::EncodeNamed, "Encoding id, event and a character"),
    ];
    if !instructions::available() {
        println!("(valgrind is not here: no instructions are counted)\n");
    }
    for (group, title) in groups {
        let cases: Vec<&Case> = cases.iter().filter(|case| case.group == group).collect();
        print_group(title, &cases);
    }
}

fn print_group(title: &str, cases: &[&Case]) {
    println!(
        "{title}, {} bytes an event\n{:<28}{:>10}{:>10}{:>10}{:>16}",
        cases[0].bytes / cases[0].events,
        "",
        "ns/event",
        "MB/s",
        "speed",
        "instructions"
    );
    let times = fastest(cases);
    for (case, time) in cases.iter().zip(&times) {
        let nanos = time.as_secs_f64() * 1e9;
        let instructions =
            instructions::an_event(case).map_or_else(|| "-".to_owned(), |count| format!("{count:.0}"));
        println!(
            "{:<28}{:>10.1}{:>10.0}{:>9.2}×{:>16}",
            case.name,
            nanos / case.events as f64,
            case.bytes as f64 * 1e3 / nanos,
            times[0].as_secs_f64() / time.as_secs_f64(),
            instructions,
        );
    }
    println!();
}

fn fastest(cases: &[&Case]) -> Vec<Duration> {
    let mut fastest = vec![Duration::MAX; cases.len()];
    for _ in 0..TURNS {
        for (case, fastest) in cases.iter().zip(&mut fastest) {
            let start = Instant::now();
            case.run();
            *fastest = start.elapsed().min(*fastest);
        }
    }
    fastest
}
