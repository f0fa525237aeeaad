//! Whether a quiet stream says that it is alive.

use std::time::Duration;

use tidewire_codec::protocol;

use super::finding::Finding;
use super::observation::Observation;
use super::reading::Reading;
use super::words::time;

/// The standard advises a comment "every 15 seconds or so" (WHATWG HTML § 9.2.7).
const SOON_ENOUGH: Duration = Duration::from_secs(17);
/// What common proxies cut: Heroku's after 55 s, nginx's and AWS's after 60 s.
const TOO_LATE: Duration = Duration::from_secs(55);
/// A busy stream needs no heartbeat to show that it is alive.
const QUIET: Duration = Duration::from_secs(5);
/// For the network, and for timers that are not exact.
const SLACK: Duration = Duration::from_secs(1);

const WHY: &str = "Proxies and mobile networks cut what is silent for 30 to 60 s, and a reader cannot tell a quiet stream from a dead one.";
const COMMENT: &str = "write a comment line (`:` and a line end) after every 15 s of silence";

pub(super) fn look(observation: &Observation, reading: &Reading) -> Option<Finding> {
    let head = observation.head.as_ref()?;
    let announced = head
        .text(protocol::TIDEWIRE_HEARTBEAT)
        .and_then(|text| text.parse().ok());
    let announced = announced.filter(|&seconds| seconds > 0).map(Duration::from_secs);
    let longest = reading.longest_silence(observation);
    let seen = usual(observation, reading);
    match (announced, seen) {
        (Some(due), _) if longest > due.saturating_mul(2) + SLACK => {
            let what = format!(
                "A heartbeat after every {} of silence is announced, and for {} none came.",
                time(due),
                time(longest)
            );
            Some(
                Finding::error("heartbeat-missing", what)
                    .why("The server sends them, so something on the way holds them back, and events with them.")
                    .mend("nginx", "proxy_buffering off;")
                    .mend("the proxy", "pass on what comes at once, and do not compress it"),
            )
        }
        (Some(due), Some(seen)) => {
            let what = format!("after {} of silence, {} announced", time(seen), time(due));
            Some(Finding::fine("heartbeat", what))
        }
        (Some(due), None) => Some(Finding::fine(
            "heartbeat",
            format!("announced, after {} of silence", time(due)),
        )),
        (None, Some(seen)) if seen >= TOO_LATE => {
            let what = format!("A heartbeat comes only after {} of silence.", time(seen));
            Some(
                Finding::warning("no-heartbeat", what)
                    .why(WHY)
                    .mend("the server", COMMENT),
            )
        }
        (None, Some(seen)) => Some(Finding::fine(
            "heartbeat",
            format!("after {} of silence", time(seen)),
        )),
        (None, None) if longest >= SOON_ENOUGH => {
            let what = format!("The stream was silent for {}, with no heartbeat.", time(longest));
            Some(
                Finding::warning("no-heartbeat", what)
                    .why(WHY)
                    .mend("the server", COMMENT),
            )
        }
        (None, None) if longest >= QUIET && observation.is_open() => {
            let what = format!(
                "No heartbeat came. The longest silence was {}, too short to tell.",
                time(longest)
            );
            Some(
                Finding::note("no-heartbeat", what)
                    .why(WHY)
                    .mend("here", "--wait 60s looks longer"),
            )
        }
        (None, None) => None,
    }
}

/// How long the silences are that a comment ends, in the middle.
pub(super) fn usual(observation: &Observation, reading: &Reading) -> Option<Duration> {
    let mut ended: Vec<_> = reading
        .silences(observation)
        .into_iter()
        .filter(|(begin, long)| {
            *long >= SLACK / 2
                && reading
                    .comments
                    .iter()
                    .any(|comment| comment.at == *begin + *long)
        })
        .map(|(_, long)| long)
        .collect();
    ended.sort_unstable();
    ended.get(ended.len() / 2).copied()
}
