//! Chunks that came in one go, and the silence before them.

use std::time::Duration;

use super::reading::{Event, Reading};

/// Chunks this close together came in one go.
pub(super) const TOGETHER: Duration = Duration::from_millis(100);
/// A silence that is worth a word: longer than what a lost packet takes to be sent again.
pub(super) const SILENCE: Duration = Duration::from_secs(1);
/// Fewer events make no bunch.
pub(super) const BUNCH: usize = 3;

/// Chunks that came in one go.
pub(super) struct Burst<'a> {
    pub(super) begin: Duration,
    pub(super) end: Duration,
    /// Since what came before it; for the first one, since the request.
    pub(super) silence: Duration,
    pub(super) events: &'a [Event],
}

/// All of them, in their order.
pub(super) fn of(reading: &Reading) -> Vec<Burst<'_>> {
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
