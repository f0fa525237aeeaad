//! Whether events have ids that a reader can resume after.

use std::collections::HashSet;

use super::finding::Finding;
use super::observation::Observation;
use super::reading::Reading;
use super::words::{count, quoted};

pub(super) fn look(observation: &Observation, reading: &Reading) -> Option<Finding> {
    let all = reading.events.len();
    let ids: Vec<_> = reading
        .events
        .iter()
        .filter_map(|event| event.id.as_deref())
        .collect();
    let distinct: HashSet<_> = ids.iter().collect();
    let unique = "give each event an id of its own, and answer Last-Event-ID with what came after it";
    if all == 0 {
        return None;
    }
    let Some(first) = ids.iter().find(|id| !id.is_empty()) else {
        let what = format!("None of {} has an id.", count(all, "event"));
        let finding = match observation.is_get() {
            true => Finding::warning("no-ids", what),
            // The answer to a POST is mostly read once; whoever wants more puts a relay before it.
            false => Finding::note("no-ids", what),
        };
        return Some(
            finding
                .why("A reader whose connection breaks misses what is sent until it is back.")
                .mend("the server", unique)
                .mend("an AI's answer", "put `tidewire serve --relay URL` before it"),
        );
    };
    if distinct.len() == 1 && ids.len() >= 3 {
        let what = format!("All {} ids are the same: {}.", ids.len(), quoted(first));
        let finding = Finding::error("constant-ids", what)
            .why("A reader that comes back with it could be anywhere: it misses events, or gets them again.");
        return Some(finding.mend("the server", unique));
    }
    if distinct.len() < ids.len() {
        let again = ids.len() - distinct.len();
        let finding = Finding::warning(
            "repeated-ids",
            format!("{} came that had been used before.", count(again, "id")),
        )
        .why("A reader that comes back with such an id cannot say which event it saw last.");
        return Some(finding.mend("the server", unique));
    }
    let last = ids.last().copied().unwrap_or_default();
    Some(Finding::fine(
        "ids",
        format!(
            "{} of {}, from {} to {}",
            ids.len(),
            count(all, "event"),
            quoted(first),
            quoted(last)
        ),
    ))
}
