//! Two connections compared: does the second one go on where it was told to?
//!
//! [`plan`] chooses an event of the first connection that others followed; the second one says its id as `Last-Event-ID`.
//! What it then gets must be what followed in the first. Events without an id of their own are left out of both.

use std::collections::HashSet;
use std::time::Duration;

use reqwest::StatusCode;
use tidewire_codec::protocol;

use super::ending::says_goodbye;
use super::finding::Finding;
use super::observation::Observation;
use super::reading::{Event, Reading};
use super::words::{count, quoted, time};

/// At most so many events are asked for again.
const AGAIN: usize = 20;
/// Silence for less is no loss.
const PATIENCE: Duration = Duration::from_secs(3);

const WHY: &str =
    "A reader loses its connection now and then; it comes back with the id of the last event that it saw.";
const MEND: &str =
    "keep recent events, and answer Last-Event-ID with those after it, in their order, then go on live";

/// Where the second connection is to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The id that it says.
    pub(crate) id: String,
    /// How many events followed it so far; the comparison needs no more.
    pub(crate) missed: usize,
}

/// A place to resume, if what was seen has one: at least two events, and no id twice.
pub(crate) fn plan(first: &Observation) -> Option<Plan> {
    let reading = Reading::of(first);
    let events = with_ids(&reading);
    let distinct: HashSet<_> = events.iter().map(|(id, _)| id).collect();
    if distinct.len() < events.len() || events.len() < 2 {
        return None;
    }
    let missed = (events.len() - 1).min(AGAIN);
    let id = events[events.len() - 1 - missed].0.to_owned();
    Some(Plan { id, missed })
}

/// Events that have an id of their own, which is not empty.
fn with_ids(reading: &Reading) -> Vec<(&str, &Event)> {
    let own = |event| -> Option<(&str, &Event)> { Some((Event::own_id(event)?, event)) };
    reading.events.iter().filter_map(own).collect()
}

/// What the second connection, which said [`Plan::id`], tells.
pub(super) fn compare(first: &Observation, plan: &Plan, second: &Observation) -> Finding {
    let Some(head) = &second.head else {
        let what = "A second connection with Last-Event-ID was not answered.";
        return Finding::error("resume-refused", what)
            .why(WHY)
            .mend("the server", MEND);
    };
    let error = |code, what: String| Finding::error(code, what).why(WHY).mend("the server", MEND);
    let id = quoted(&plan.id);
    if head.status == StatusCode::NO_CONTENT {
        let what = format!(
            "After Last-Event-ID {id} the server says 204, though {} followed.",
            count(plan.missed, "event")
        );
        return error("resume-loses", what);
    }
    if !head.is_event_stream() {
        let what = format!(
            "A connection with Last-Event-ID {id} gets {}, no stream.",
            head.status
        );
        return error("resume-refused", what);
    }
    let (before, after) = (Reading::of(first), Reading::of(second));
    let says_gap = head.text(protocol::TIDEWIRE_RESUME).as_deref() == Some("gap")
        || after.events.iter().any(|event| event.name == protocol::GAP);
    if says_gap {
        return Finding::note(
            "resume",
            format!("After {id} the server says that it cannot go on there."),
        )
        .why("It tells its readers so, and keeps less than what came while we looked.")
        .mend("the server", "keep more events");
    }
    let before = with_ids(&before);
    let after = with_ids(&after);
    let Some(at) = before.iter().position(|(id, _)| *id == plan.id) else {
        return Finding::note("resume", "It could not be tried.");
    };
    let expected = &before[at + 1..];
    let Some((begins, _)) = after.first() else {
        return nothing_came(second, plan, pace(&before));
    };
    match before.iter().position(|(id, _)| id == begins) {
        Some(found) if found == at => {
            let what = format!("After Last-Event-ID {id} the event with that id comes once more.");
            error("resume-repeats", what)
        }
        Some(found) if found < at => {
            let what = format!(
                "After Last-Event-ID {id} the stream begins at {} again, {} before it.",
                quoted(begins),
                count(at - found, "event")
            );
            error("resume-repeats", what)
        }
        Some(found) if found > at + 1 => {
            let lost = count(found - at - 1, "event");
            let what = format!(
                "After Last-Event-ID {id} the stream goes on at {}: {lost} lost.",
                quoted(begins)
            );
            error("resume-loses", what)
        }
        Some(_) => in_order(expected, &after, &id),
        None => {
            let lost = count(expected.len().min(plan.missed), "event");
            let what = format!(
                "After Last-Event-ID {id} the stream goes on at {}, which the first connection never saw: {lost} lost.",
                quoted(begins)
            );
            error("resume-loses", what)
        }
    }
}

fn in_order(expected: &[(&str, &Event)], after: &[(&str, &Event)], id: &str) -> Finding {
    let same = |(one, other): &(&(&str, &Event), &(&str, &Event))| {
        one.0 == other.0 && one.1.data == other.1.data && one.1.name == other.1.name
    };
    let pairs = expected.len().min(after.len());
    let equal = expected.iter().zip(after).take_while(same).count();
    if equal == pairs {
        return Finding::fine(
            "resume",
            format!("goes on right after {id}; {} compared", count(pairs, "event")),
        );
    }
    let (wanted, got) = (expected[equal], after[equal]);
    let what = match wanted.0 == got.0 {
        true => format!(
            "After Last-Event-ID {id} the event {} comes again with other content.",
            quoted(got.0)
        ),
        false => format!(
            "After Last-Event-ID {id} the event {} comes where the first connection saw {}.",
            quoted(got.0),
            quoted(wanted.0)
        ),
    };
    let code = match expected[..equal].iter().any(|(seen, _)| *seen == got.0) {
        true => "resume-repeats",
        false => "resume-loses",
    };
    Finding::error(code, what).why(WHY).mend("the server", MEND)
}

fn nothing_came(second: &Observation, plan: &Plan, pace: Duration) -> Finding {
    let id = quoted(&plan.id);
    let waited = second.lasted();
    let lost = count(plan.missed, "event");
    // A server that makes events for each connection may take as long for the next one as it took before.
    if waited < PATIENCE.max(pace * 2) && second.is_open() {
        let what = format!(
            "Whether it resumes could not be told: nothing came for {} after {id}.",
            time(waited)
        );
        return Finding::note("resume", what)
            .why(WHY)
            .mend("here", "--wait 60s looks longer");
    }
    let what = format!(
        "After Last-Event-ID {id} nothing came for {}, though {lost} followed it.",
        time(waited)
    );
    Finding::error("resume-loses", what)
        .why(WHY)
        .mend("the server", MEND)
}

/// The longest time from one event to the next.
fn pace(events: &[(&str, &Event)]) -> Duration {
    let times = events.iter().map(|(_, event)| event.at);
    let next = times.clone().skip(1);
    times
        .zip(next)
        .map(|(one, other)| other.saturating_sub(one))
        .max()
        .unwrap_or_default()
}

/// All that a reader gets of an event.
fn what(event: &Event) -> (&str, &str, Option<&str>) {
    (&event.name, &event.data, event.id.as_deref())
}

/// What a reader gets who comes back after the end, as `EventSource` does by itself.
pub(super) fn come_back(first: &Observation, second: &Observation) -> Finding {
    let (before, after) = (Reading::of(first), Reading::of(second));
    let seen: HashSet<_> = before.events.iter().map(what).collect();
    let repeated = after
        .events
        .iter()
        .filter(|event| seen.contains(&what(event)))
        .count();
    let stop = "answer 204 to who comes back with nothing left to read; that stops EventSource";
    let close = "source.close() at the event that is the last";
    match &second.head {
        Some(head) if head.status == StatusCode::NO_CONTENT => {
            Finding::fine("end", "who comes back gets 204, and EventSource stops")
        }
        Some(head) if head.is_event_stream() => {
            let (finding, why) = if repeated > 0 && !says_goodbye(&before) {
                let what = "The stream ends, and who comes back gets the same events again.";
                (
                    Finding::error("repeats-for-ever", what),
                    "EventSource takes an end for a cut: it comes back every few seconds, for ever, and the page sees everything again.",
                )
            } else if repeated > 0 {
                let what =
                    "The stream ends, its last event says so, and who comes back gets the same events again.";
                (
                    Finding::note("ended", what),
                    "EventSource comes back unless the page closes it.",
                )
            } else if after.events.is_empty() && second.is_finished() {
                let what = "The stream ends, and who comes back gets another that ends at once.";
                (
                    Finding::warning("reconnects-for-ever", what),
                    "EventSource comes back every few seconds, for ever, and never gets anything.",
                )
            } else {
                return Finding::fine("end", "who comes back gets what is new");
            };
            finding.why(why).mend("the server", stop).mend("the page", close)
        }
        _ => {
            let status = second
                .head
                .as_ref()
                .map_or("no answer".to_owned(), |head| head.status.to_string());
            Finding::note(
                "ended",
                format!("The stream ends, and who comes back gets {status}."),
            )
            .why("EventSource stops, and fires `error` as if something were wrong.")
            .mend("the server", stop)
        }
    }
}
