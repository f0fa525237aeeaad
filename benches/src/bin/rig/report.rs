//! Medians as a table.

use std::collections::BTreeMap;

use serde_json::Value;

/// Reports by point and peer.
pub(crate) type Results = BTreeMap<(&'static str, &'static str), Vec<Value>>;

/// Prints a table of medians; false if a reader did not get exactly its events.
pub(crate) fn print(results: &Results) -> bool {
    println!(
        "| point | server | result | deliveries a CPU-second | p50 / p99 in µs | lost, repeated, reordered | runs (others' cores) |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut clean = true;
    for ((point, peer), reports) in results {
        let median = |path: &str| median(reports.iter().filter_map(|report| number(report, path)).collect());
        let worst: f64 = ["/lost", "/duplicates", "/reordered"]
            .iter()
            .map(|path| {
                let counts = reports.iter().map(|report| wrong(report, path));
                counts.sum::<f64>()
            })
            .sum();
        clean &= worst == 0.0;
        let result = match *point {
            "idle" => format!("{:.1} KiB of RSS a reader", median("/per_sub/rss_kib_per_sub")),
            "resume" => format!("{} events/s", thousands(resumed(reports))),
            _ => format!("{} publishes/s", thousands(median("/publishes_per_s"))),
        };
        let noise = reports.iter().map(|report| {
            let others = number(report, "/cpu/others_cpu_s").zip(number(report, "/window_s"));
            others.map_or("–".into(), |(others, window)| format!("{:.1}", others / window))
        });
        println!(
            "| {point} | {peer} | {result} | {} | {} / {} | {worst} | {} ({}) |",
            thousands(median("/deliveries_per_server_cpu_s")),
            thousands(median("/latency_us/p50")),
            thousands(median("/latency_us/p99")),
            reports.len(),
            noise.collect::<Vec<_>>().join(" "),
        );
    }
    clean
}

fn number(report: &Value, path: &str) -> Option<f64> {
    report.pointer(path)?.as_f64()
}

/// How many events went wrong, over all rounds of a report that has some.
fn wrong(report: &Value, path: &str) -> f64 {
    match report["rounds"].as_array() {
        Some(rounds) => rounds.iter().filter_map(|round| number(round, path)).sum(),
        None => number(report, path).unwrap_or_default(),
    }
}

fn resumed(reports: &[Value]) -> f64 {
    let rounds = reports
        .iter()
        .filter_map(|report| report["rounds"].as_array())
        .flatten();
    median(
        rounds
            .filter_map(|round| number(round, "/events_per_s"))
            .collect(),
    )
}

/// NaN if there are none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn thousands(value: f64) -> String {
    match value {
        value if value.is_nan() => "–".into(),
        value if value >= 1e6 => format!("{:.2} M", value / 1e6),
        value if value >= 1e4 => format!("{:.1} k", value / 1e3),
        value => format!("{value:.0}"),
    }
}
