//! What went wrong in a body of many events, where, and what had been accepted.

use tidewire_hub::session::{Accepted, Refused};

use crate::{Problem, intake::Broken};

/// A problem, and the line it is about.
#[derive(Debug)]
pub(super) struct Fault {
    line: Option<u64>,
    problem: Problem,
}

impl Fault {
    /// It is about this line, or about the event that begins there.
    pub(super) fn at(line: u64, problem: impl Into<Problem>) -> Self {
        let problem: Problem = problem.into();
        Self {
            line: Some(line),
            problem: problem.map_detail(|detail| format!("line {line}: {detail}")),
        }
    }

    /// The body broke in the midst of this line.
    pub(super) fn broken(line: u64, broken: &Broken) -> Self {
        Self {
            line: Some(line),
            problem: broken.problem(format_args!("line {line} has not come whole")),
        }
    }

    /// It is about the whole.
    pub(super) fn of_all(problem: impl Into<Problem>) -> Self {
        Self {
            line: None,
            problem: problem.into(),
        }
    }

    /// The line; what is about the whole comes after all of them.
    pub(super) fn place(&self) -> u64 {
        self.line.unwrap_or(u64::MAX)
    }

    /// The answer: what is wrong, and what the publisher need not send again.
    pub(super) fn after(self, accepted: &Accepted) -> Problem {
        let told = match (accepted.count, &accepted.last) {
            (1, Some(last)) => format!("1 event was accepted before, with the id {last}"),
            (count, Some(last)) => {
                format!("{count} events were accepted before, the last with the id {last}")
            }
            (_, None) => "no event was accepted".to_owned(),
        };
        let mut problem = self
            .problem
            .map_detail(|detail| format!("{detail} ({told})"))
            .with_member("accepted", accepted.count);
        if let Some(line) = self.line {
            problem = problem.with_member("line", line);
        }
        if let Some(last) = &accepted.last {
            problem = problem.with_member("last", last.as_str());
        }
        problem
    }
}

/// Tagged with the line.
impl From<Refused<u64>> for Fault {
    fn from(Refused { tag, error }: Refused<u64>) -> Self {
        Self::at(tag, error)
    }
}
