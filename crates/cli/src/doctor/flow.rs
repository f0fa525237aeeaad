//! Whether events come as they are made, or are collected on the way.
//!
//! An error is only what cannot be explained otherwise (`proof`); what may be meant so is a warning or a note.

use std::time::Duration;

use super::bursts::{self, BUNCH, Burst, SILENCE, TOGETHER};
use super::finding::Finding;
use super::head::is_nginx;
use super::observation::{End, Observation};
use super::proof::{self, HELD};
use super::reading::Reading;
use super::words::{count, time};

/// Nothing longer is one go: a busy stream is no burst.
const BRIEF: Duration = Duration::from_millis(250);

/// Says what holds events back, or seems to, or that nothing does.
pub(super) fn look(observation: &Observation, reading: &Reading) -> Vec<Finding> {
    let Some(head) = &observation.head else {
        return Vec::new();
    };
    if reading.is_unreadable {
        return vec![unreadable(reading)];
    }
    let bursts = bursts::of(reading);
    let late = late_head(observation, head.at);
    let mut found = Vec::new();
    if let Some(what) = proof::find(observation, reading, &bursts) {
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
        burst.silence >= SILENCE && burst.end - burst.begin <= BRIEF && burst.events.len() >= BUNCH
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
