//! Proof that events are held back.
//!
//! Nobody outside knows when a server made an event, and a server may well be silent and then say three things at once. So
//! proof is only what cannot be explained otherwise:
//!
//! | seen | means |
//! |---|---|
//! | silence within a line | a full buffer went out: no server writes half a line and waits |
//! | packed bytes that cannot be unpacked yet | the compressor was not flushed |
//! | two heartbeats in one go, after a silence | each was made in that silence |
//! | events in one go whose own times fill the silence before | they were made in that silence |
//! | head, events and end in one go, after nothing at all | the whole answer was collected |

use std::{collections::HashMap, time::Duration};

use super::bursts::{BUNCH, Burst, SILENCE, TOGETHER};
use super::observation::Observation;
use super::reading::{Arrival, Reading};
use super::times;
use super::words::{count, time};

/// Silences within a line that are shorter than [`SILENCE`] count if there are two.
const HICCUP: Duration = Duration::from_millis(300);
/// Packed bytes that could not be read for so long are held.
pub(super) const HELD: Duration = Duration::from_secs(3);
/// The head of a packed body may come alone, before the first event: gzip's with a file name is the longest.
const PACKED_HEAD: usize = 64;
/// An answer to a POST may be thought about, and be short: fewer events prove nothing.
const ANSWER: usize = 20;

/// What was seen that cannot be but something that collects.
pub(super) fn find(observation: &Observation, reading: &Reading, bursts: &[Burst<'_>]) -> Option<String> {
    split_lines(observation, reading)
        .or_else(|| packed_and_held(observation, reading))
        .or_else(|| bursts.iter().find_map(|burst| heartbeats(reading, burst)))
        .or_else(|| bursts.iter().find_map(own_times))
        .or_else(|| all_at_once(observation, bursts))
}

fn split_lines(observation: &Observation, reading: &Reading) -> Option<String> {
    let next = reading.arrivals.iter().skip(1).map(|arrival| arrival.at);
    let end = observation.is_open().then(|| observation.lasted());
    let silences = reading
        .arrivals
        .iter()
        .zip(next.chain(end))
        .filter(|(arrival, _)| arrival.splits_line)
        .map(|(arrival, next)| next.saturating_sub(arrival.at))
        .filter(|silence| *silence >= HICCUP);
    let silences: Vec<_> = silences.collect();
    let longest = *silences.iter().max()?;
    if longest < SILENCE && silences.len() < 2 {
        return None;
    }
    let times = match silences.len() {
        1 => "Once".to_owned(),
        times => format!("{times} times"),
    };
    Some(format!(
        "{times} the stream stopped in the midst of a line, for up to {}: a buffer was full.",
        time(longest)
    ))
}

fn packed_and_held(observation: &Observation, reading: &Reading) -> Option<String> {
    reading.packing.as_ref()?;
    let first = reading.arrivals.first()?.at;
    let readable = reading.arrivals.iter().find(|arrival| arrival.bytes > 0);
    let until = readable.map_or(observation.lasted(), |arrival| arrival.at);
    let before = |arrival: &&Arrival| arrival.at < until || readable.is_none();
    let waiting: usize = reading
        .arrivals
        .iter()
        .filter(before)
        .map(|arrival| arrival.packed)
        .sum();
    let held = until.saturating_sub(first);
    (waiting > PACKED_HEAD && held >= HELD).then(|| {
        format!(
            "{waiting} packed bytes had come, and for {} nothing of them could be read.",
            time(held)
        )
    })
}

fn heartbeats(reading: &Reading, burst: &Burst<'_>) -> Option<String> {
    if burst.silence < SILENCE {
        return None;
    }
    let within = |at: &Duration| burst.begin <= *at && *at <= burst.end;
    let comments = reading.comments.iter().filter(|comment| within(&comment.at));
    let mut times = HashMap::new();
    for comment in comments {
        *times.entry(&comment.text).or_insert(0) += 1;
    }
    let same = times.into_values().max()?;
    (same >= 2).then(|| {
        format!(
            "After {} of silence {same} heartbeats came in one go; each was made in that silence.",
            time(burst.silence)
        )
    })
}

fn own_times(burst: &Burst<'_>) -> Option<String> {
    if burst.silence < SILENCE || burst.events.len() < 2 {
        return None;
    }
    let made: Option<Vec<_>> = burst
        .events
        .iter()
        .map(|event| times::first(&event.data))
        .collect();
    let made = made.filter(|made| made.is_sorted())?;
    let apart = made.last()?.saturating_sub(*made.first()?);
    // Times may be whole seconds. Old events that are given again would be further apart than the silence.
    let fills = SILENCE <= apart && apart <= burst.silence + SILENCE;
    fills.then(|| {
        format!(
            "{} came in one go, after {} of silence; by the times in them they were made {} apart.",
            count(burst.events.len(), "event"),
            time(burst.silence),
            time(apart)
        )
    })
}

fn all_at_once(observation: &Observation, bursts: &[Burst<'_>]) -> Option<String> {
    let [burst] = bursts else { return None };
    let head = observation.head.as_ref()?.at;
    let ends_with_it =
        observation.is_finished() && observation.lasted().saturating_sub(burst.end) <= TOGETHER;
    let least = if observation.is_get() { BUNCH } else { ANSWER };
    let begins_with_it = burst.begin.saturating_sub(head) <= TOGETHER;
    let all = ends_with_it && begins_with_it && burst.silence >= SILENCE && burst.events.len() >= least;
    all.then(|| {
        format!(
            "For {} nothing came; then the head, {} and the end in one go.",
            time(burst.silence),
            count(burst.events.len(), "event")
        )
    })
}
