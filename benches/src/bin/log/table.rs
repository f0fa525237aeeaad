//! What is printed.

/// Rows of what was measured, how much, and the goal.
#[derive(Default)]
pub(crate) struct Table(Vec<[String; 3]>);

impl Table {
    pub(crate) fn row(
        &mut self,
        what: impl Into<String>,
        result: impl Into<String>,
        goal: impl Into<String>,
    ) {
        let row = [what.into(), result.into(), goal.into()];
        eprintln!("{}: {}", row[0], row[1]);
        self.0.push(row);
    }

    pub(crate) fn print(&self) {
        println!("| measured | result | goal |\n|---|---|---|");
        for [what, result, goal] in &self.0 {
            println!("| {what} | {result} | {goal} |");
        }
    }
}

/// A rate, for people.
pub(crate) fn rate(count: u64, seconds: f64) -> String {
    let rate = count as f64 / seconds;
    match rate {
        1e6.. => format!("{:.2} M/s", rate / 1e6),
        1e4.. => format!("{:.1} k/s", rate / 1e3),
        _ => format!("{rate:.0}/s"),
    }
}
