//! How it ended, and what a reader makes of that.

use std::time::Duration;

use super::finding::Finding;
use super::observation::{End, Observation};
use super::reading::Reading;
use super::words::time;

/// A cut after so much silence is a time limit, not an accident.
const IDLE: Duration = Duration::from_secs(2);
/// An end after so much silence may be one.
const IDLE_END: Duration = Duration::from_secs(10);

/// Names of events, or of a `type` in their data, that say that it is over.
const LAST_WORDS: [&str; 12] = [
    "end",
    "done",
    "close",
    "closed",
    "complete",
    "completed",
    "finish",
    "finished",
    "stop",
    "message_stop",
    "eof",
    "bye",
];

pub(super) fn look(observation: &Observation, reading: &Reading) -> Option<Finding> {
    let silence = || {
        observation
            .lasted()
            .saturating_sub(last_sign(observation, reading))
    };
    match &observation.end {
        End::Open(_) => None,
        End::Cut(_, why) if silence() >= IDLE => {
            let what = format!(
                "The connection was cut after {} of silence ({why}).",
                time(silence())
            );
            Some(idle(Finding::error("idle-cut", what), silence()))
        }
        End::Cut(at, why) => Some(
            Finding::error(
                "cut",
                format!("The connection was cut after {}: {why}.", time(*at)),
            )
            .why("Readers come back, and without ids they miss what was sent meanwhile.")
            .mend(
                "the server",
                "finish the body where the stream ends; look into its log, and that of the proxy",
            ),
        ),
        End::Finished(_) if silence() >= IDLE_END && !says_goodbye(reading) => {
            let what = format!("The stream ended after {} of silence.", time(silence()));
            Some(idle(Finding::warning("idle-cut", what), silence()))
        }
        End::Finished(_) if reading.events.is_empty() => Some(
            Finding::warning("empty", "The stream ended without an event.")
                .why("EventSource comes back after a few seconds, for ever.")
                .mend(
                    "the server",
                    "answer 204 where there is nothing more to read; that stops EventSource",
                ),
        ),
        End::Finished(_) if !observation.is_get() => Some(Finding::fine("end", "the body is complete")),
        End::Finished(at) => {
            let what = format!("The stream ended after {}.", time(*at));
            let finding = match says_goodbye(reading) {
                true => Finding::note("ended", format!("{what} Its last event says so.")),
                false => Finding::warning("ended", what),
            };
            Some(
                finding
                    .why("EventSource takes an end for a cut: it comes back, and gets what the server then gives, unless the page closes it or the server answers 204.")
                    .mend("the server", "answer 204 to who comes back with nothing left to read")
                    .mend("the page", "source.close() at the event that is the last"),
            )
        }
    }
}

fn idle(finding: Finding, silence: Duration) -> Finding {
    let seconds = silence.as_secs();
    finding
        .why("Something on the way takes a quiet stream for a dead one.")
        .mend(
            "the server",
            format!(
                "write a comment line (`:` and a line end) after every {} s of silence",
                (seconds / 2).clamp(1, 15)
            ),
        )
        .mend("nginx", "proxy_read_timeout 1h;")
        .mend("Node", "server.requestTimeout and server.timeout: 0 for streams")
}

fn last_sign(observation: &Observation, reading: &Reading) -> Duration {
    let head = observation.head.as_ref().map(|head| head.at).unwrap_or_default();
    reading.arrivals.last().map_or(head, |arrival| arrival.at)
}

/// Whether the last event is one by which servers say that it is over.
pub(super) fn says_goodbye(reading: &Reading) -> bool {
    let Some(last) = reading.events.last() else {
        return false;
    };
    let said = |word: &str| {
        let word = word.to_ascii_lowercase();
        let tail = word.rsplit('.').next().unwrap_or_default();
        LAST_WORDS.contains(&tail)
    };
    let data = last.data.trim();
    let json = serde_json::from_str::<serde_json::Value>(data).ok();
    let kind = json.as_ref().and_then(|json| json.get("type")?.as_str());
    said(&last.name) || kind.is_some_and(said) || said(data) || data == "[DONE]"
}
