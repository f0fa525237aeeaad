//! Whether events come as they are made, or are collected on the way.
//!
//! Nobody outside knows when a server made an event, and a server may well be silent and then say three things at once. So
//! an error is only what cannot be explained otherwise ([`proof`]); what may be meant so is a warning or a note:
//!
//! | seen | means |
//! |---|---|
//! | silence within a line | a full buffer went out: no server writes half a line and waits |
//! | two heartbeats in one go, after a silence | each was made in that silence |
//! | events in one go whose own times fill the silence before | they were made in that silence |
//! | packed bytes that cannot be unpacked yet | the compressor was not flushed |
//! | head, events and end in one go, after nothing at all | the whole answer was collected |

use std::time::Duration;

use super::finding::Finding;
use super::head::is_nginx;
use super::observation::{End, Observation};
use super::reading::{Arrival, Event, Reading};
use super::times;
use super::words::{count, time};

/// Chunks this close together came in one go.
const TOGETHER: Duration = Duration::from_millis(100);
/// Nothing longer is one go: a busy stream is no burst.
const BURST: Duration = Duration::from_millis(250);
/// A silence that is worth a word: longer than what a lost packet takes to be sent again.
const SILENCE: Duration = Duration::from_secs(1);
/// Shorter ones count if there are two.
const HICCUP: Duration = Duration::from_millis(300);
/// Packed bytes that could not be read for so long are held.
const HELD: Duration = Duration::from_secs(3);
/// The head of a packed body may come alone, before the first event: gzip's with a file name is the longest.
const PACKED_HEAD: usize = 64;
/// Fewer events make no bunch.
const BUNCH: usize = 3;
/// An answer to a POST may be thought about, and be short: fewer events prove nothing.
const ANSWER: usize = 20;

/// Chunks that came in one go.
struct Burst<'a> {
    begin: Duration,
    end: Duration,
    /// Since what came before it; for the first one, since the request.
    silence: Duration,
    events: &'a [Event],
}

pub(super) fn look(observation: &Observation, reading: &Reading) -> Vec<Finding> {
    let Some(head) = &observation.head else {
        return Vec::new();
    };
    if reading.is_unreadable {
        return vec![unreadable(reading)];
    }
    let bursts = bursts(reading);
    let late = late_head(observation, head.at);
    let mut found = Vec::new();
    if let Some(what) = proof(observation, reading, &bursts) {
        found.push(held(observation, reading, &what));
    } else {
        found.extend(late);
        found.extend(bunched(observation, reading, &bursts));
        if found.is_empty() && !reading.events.is_empty() {
            let with_events = bursts.iter().filter(|burst| !burst.events.is_empty());
            let goes = match with_events.count() {
                1 => "one go".to_owned(),
                goes => format!("{goes} goes"),
            };
            let events = count(reading.events.len(), "event");
            let what = format!("{events} in {goes}, with no sign that anything holds them back");
            found.push(Finding::fine("flow", what));
        }
        found.extend(packed(observation, reading));
    }
    found
}

/// What cannot be but something that collects.
fn proof(observation: &Observation, reading: &Reading, bursts: &[Burst<'_>]) -> Option<String> {
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
    let comments: Vec<_> = reading
        .comments
        .iter()
        .filter(|comment| within(&comment.at))
        .collect();
    let same = comments
        .iter()
        .map(|comment| comments.iter().filter(|other| other.text == comment.text).count())
        .max()?;
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

fn held(observation: &Observation, reading: &Reading, what: &str) -> Finding {
    let why = "Readers get events late and in heaps; what is smaller than the buffer, such as a heartbeat, may not come at all.";
    if let Some(packing) = &reading.packing {
        let what = format!("The answer is compressed ({packing}), and events are held back. {what}");
        return Finding::error("compression-delays", what)
            .why(why)
            .mend("nginx", "gzip off; proxy_buffering off;")
            .mend("Express", "compression({ filter: (req, res) => !/event-stream/.test(res.get('Content-Type')) }), or res.flush() after each event")
            .mend("the server", "Cache-Control: no-cache, no-transform");
    }
    let finding = Finding::error(
        "buffered",
        format!("Events are held back before they get here. {what}"),
    )
    .why(why);
    let first_nginx = observation.head.as_ref().is_some_and(is_nginx);
    let finding = match first_nginx {
        true => finding
            .mend("nginx", "proxy_buffering off;")
            .mend("the server", "X-Accel-Buffering: no (nginx obeys it)"),
        false => finding
            .mend("the server", "flush after each event")
            .mend("nginx", "proxy_buffering off; (or send X-Accel-Buffering: no)"),
    };
    finding
        .mend("Caddy", "flush_interval -1")
        .mend("Apache", "ProxyPass … flushpackets=on")
        .mend(
            "PHP",
            "while (ob_get_level()) ob_end_flush(); and flush() after each event",
        )
}

/// Compares a packed answer with the same one unpacked, both looked at from the same moment on.
pub(super) fn compare(packed: &Observation, plain: &Observation) -> Option<Finding> {
    let (reading, unpacked) = (Reading::of(packed), Reading::of(plain));
    reading.packing.as_ref()?;
    if unpacked.packing.is_some() {
        return None;
    }
    let first = unpacked.events.first()?.at;
    let late = match reading.events.first() {
        Some(event) => event.at,
        None if packed.is_open() => packed.lasted(),
        None => return None,
    };
    let behind = late.saturating_sub(first);
    (behind >= HELD).then(|| {
        let what = format!(
            "Without compression the first event comes after {}, with it {} later{}.",
            time(first),
            time(behind),
            if reading.events.is_empty() {
                " it still had not come"
            } else {
                ""
            }
        );
        held(packed, &reading, &what)
    })
}

fn late_head(observation: &Observation, head: Duration) -> Option<Finding> {
    let first = observation.chunks.first()?.at;
    let with_first = first.saturating_sub(head) <= TOGETHER;
    (head >= SILENCE && with_first).then(|| {
        let what = format!(
            "The head came after {}, together with the first bytes.",
            time(head)
        );
        let finding = match observation.is_get() {
            true => Finding::warning("late-head", what),
            // A relay may wait for what it relays, so that an error keeps its status.
            false => Finding::note("late-head", what),
        };
        finding
            .why("Until then a reader does not know that it is connected, and a proxy may give up.")
            .mend("Node, Express", "res.flushHeaders()")
            .mend("Go", "w.WriteHeader(200); w.(http.Flusher).Flush()")
            .mend(
                "the server",
                "send the head at once, or a comment as the first line",
            )
    })
}

/// What may be meant so, and may be not.
fn bunched(observation: &Observation, reading: &Reading, bursts: &[Burst<'_>]) -> Option<Finding> {
    let is_bunch = |burst: &&Burst<'_>| {
        burst.silence >= SILENCE && burst.end - burst.begin <= BURST && burst.events.len() >= BUNCH
    };
    let bunches: Vec<_> = bursts.iter().filter(is_bunch).collect();
    let last = bunches.last()?;
    let why = "If the server makes them like this, all is well. If not, something on the way collects them.";
    let all = last.events.len() == reading.events.len();
    let with_end = matches!(observation.end, End::Finished(at) if at.saturating_sub(last.end) <= TOGETHER);
    if all && with_end {
        let what = format!(
            "All {} came in one go with the end, after {} of silence.",
            count(last.events.len(), "event"),
            time(last.silence)
        );
        let finding = Finding::warning("bunched", what).why(why);
        return Some(
            finding
                .mend("nginx", "proxy_buffering off;")
                .mend("the server", "flush after each event"),
        );
    }
    (bunches.len() >= 2).then(|| {
        let what = format!(
            "{} times, {} or more events came in one go after a silence of a second or more.",
            bunches.len(),
            bunches
                .iter()
                .map(|bunch| bunch.events.len())
                .min()
                .unwrap_or(BUNCH)
        );
        Finding::note("bunched", what).why(why)
    })
}

fn packed(observation: &Observation, reading: &Reading) -> Option<Finding> {
    const LOOK: &str = "look while there are events";
    let packing = reading.packing.as_ref()?;
    if !reading.events.is_empty() {
        let what = format!("{packing}, and flushed: events could be read as they came");
        return Some(Finding::fine("compression", what));
    }
    let waited = observation.lasted().saturating_sub(reading.arrivals.first()?.at);
    let finding = match reading.bytes() {
        0 if waited >= HELD => {
            let what = format!(
                "The answer is compressed ({packing}), and for {} nothing of it could be read.",
                time(waited)
            );
            Finding::warning("compression", what)
        }
        _ => Finding::note(
            "compression",
            format!("The answer is compressed ({packing}), and no event came."),
        ),
    };
    let why = "If there was nothing to say, all is well. If there was, the compressor is not flushed after each event.";
    Some(finding.why(why).mend("here", LOOK).mend(
        "the server",
        "Cache-Control: no-transform keeps proxies from compressing",
    ))
}

fn unreadable(reading: &Reading) -> Finding {
    let packing = reading.packing.as_deref().unwrap_or_default();
    let what = format!("The body cannot be unpacked as Content-Encoding says ({packing}).");
    Finding::error("encoding", what)
        .why("Browsers cannot read it either.")
        .mend(
            "the server",
            "send no Content-Encoding, or bytes that are so encoded",
        )
}

fn bursts(reading: &Reading) -> Vec<Burst<'_>> {
    let mut bursts: Vec<Burst<'_>> = Vec::new();
    let mut taken = 0;
    let mut first = 0;
    for arrival in &reading.arrivals {
        taken += arrival.events;
        match bursts.last_mut() {
            Some(burst) if arrival.at.saturating_sub(burst.end) <= TOGETHER => {
                burst.end = arrival.at;
                burst.events = &reading.events[first..taken];
            }
            last => {
                first = taken - arrival.events;
                let before = last.map_or(Duration::ZERO, |burst| burst.end);
                bursts.push(Burst {
                    begin: arrival.at,
                    end: arrival.at,
                    silence: arrival.at.saturating_sub(before),
                    events: &reading.events[first..taken],
                });
            }
        }
    }
    bursts
}
