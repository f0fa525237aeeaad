//! What is wrong with an event stream, how bad it is, and how to mend it.
//!
//! Two floors. Below, everything is pure: an [`Observation`] (head, chunks with their times, how it ended) goes in,
//! [`Finding`]s come out. No clock, no socket. Above, [`visit`] opens connections, and asks below.
//!
//! `tidewire inspect` sees streams go by and needs the lower floor only: it fills an [`Observation`] while it passes the bytes
//! on (times count from the request; chunks as they came over the wire, not unpacked), calls [`examine`] whenever it wants to
//! show what is known so far (with [`End::Open`](observation::End::Open) and the present time while the stream runs), and shows the findings, which are
//! `Serialize`. `examine` reads all chunks each time; nothing is kept between calls.
//!
//! | open | for |
//! |---|---|
//! | [`observation`], [`finding`] | what goes in, what comes out |
//! | `reading`, `lines`, `bursts`, `times` | chunks read once: unpacked, as lines, as events, in goes, with times |
//! | `head`, `framing`, `flow` (with `proof`), `ids`, `heartbeat`, `ending`, `cors` | what is looked at, each on its own |
//! | `resume` | two observations compared |
//! | [`summary`] | numbers without an opinion |
//! | [`visit`] | the connections: the look itself, one that resumes, a preflight |

mod bursts;
mod cors;
mod ending;
pub(crate) mod finding;
mod flow;
mod framing;
mod head;
mod heartbeat;
mod ids;
mod lines;
pub(crate) mod observation;
mod proof;
mod reading;
mod resume;
pub(crate) mod summary;
#[cfg(test)]
mod tests;
mod times;
pub(crate) mod visit;
pub(crate) mod words;

pub(crate) use finding::{Finding, Severity};
pub(crate) use observation::Observation;
pub(crate) use summary::Summary;

use observation::Head;
use reading::Reading;

/// What one observation tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Examination {
    pub(crate) summary: Summary,
    /// The worst first; those that are fine last.
    pub(crate) findings: Vec<Finding>,
}

/// Looks at all of it.
pub(crate) fn examine(observation: &Observation) -> Examination {
    let reading = Reading::of(observation);
    let mut findings = head::look(observation, &reading);
    if observation.head.as_ref().is_some_and(Head::is_event_stream) {
        findings.extend(flow::look(observation, &reading));
        if !reading.is_unreadable {
            findings.extend(framing::look(observation, &reading));
        }
        findings.extend(cors::look(observation));
        findings.extend(ids::look(observation, &reading));
        findings.extend(heartbeat::look(observation, &reading));
        findings.extend(ending::look(observation, &reading));
    }
    sort(&mut findings);
    Examination {
        summary: Summary::of(observation, &reading),
        findings,
    }
}

fn sort(findings: &mut [Finding]) {
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
}
