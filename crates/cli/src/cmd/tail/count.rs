//! How much came.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::Serialize;
use tidewire_client::{Error, Item};
use tokio::time::Instant;

use crate::cmd::stdout;

/// So many types are told apart; the rest is counted together.
const MAX_TYPES: usize = 1_000;

pub(super) struct Count {
    json: bool,
    began: Instant,
    totals: Totals,
}

#[derive(Default, Serialize)]
struct Totals {
    events: u64,
    /// By type.
    types: BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "is_zero")]
    other_types: u64,
    /// Of the streams, unpacked.
    bytes: u64,
    /// From the first head to the end.
    seconds: f64,
    connections: u64,
    #[serde(skip_serializing_if = "is_zero")]
    gaps: u64,
    /// Events over the client's bounds.
    #[serde(skip_serializing_if = "is_zero")]
    overlong: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Count {
    pub(super) fn new(json: bool) -> Self {
        Self {
            json,
            began: Instant::now(),
            totals: Totals::default(),
        }
    }

    pub(super) fn see(&mut self, item: &Result<Item, Error>) {
        let totals = &mut self.totals;
        match item {
            Ok(Item::Open(_)) => {
                if totals.connections == 0 {
                    self.began = Instant::now();
                }
                totals.connections += 1;
            }
            Ok(Item::Chunk(bytes)) => totals.bytes += bytes.len() as u64,
            Ok(Item::Gap(_)) => totals.gaps += 1,
            Ok(Item::Event(event)) => {
                totals.events += 1;
                let is_full = totals.types.len() >= MAX_TYPES;
                match totals.types.get_mut(&*event.name) {
                    Some(count) => *count += 1,
                    None if is_full => totals.other_types += 1,
                    None => drop(totals.types.insert(event.name.to_string(), 1)),
                }
            }
            Err(Error::Overlong(_)) => totals.overlong += 1,
            _ => {}
        }
    }

    pub(super) fn print(mut self) -> anyhow::Result<()> {
        let totals = &mut self.totals;
        totals.seconds = (self.began.elapsed().as_secs_f64() * 1_000.0).round() / 1_000.0;
        if self.json {
            let line = serde_json::to_string(totals)?;
            return stdout::print(&format!("{}\n", stdout::shown_json(&line)));
        }
        let mut out = String::new();
        for (name, count) in &totals.types {
            let _ = writeln!(out, "{count:>10} {}", stdout::shown(name));
        }
        let also = [
            (totals.other_types, "of more types"),
            (totals.gaps, "gaps: events were missing"),
            (totals.overlong, "too large to be read"),
        ];
        for (count, what) in also.iter().filter(|(count, _)| *count > 0) {
            let _ = writeln!(out, "{count:>10} {what}");
        }
        let Totals {
            events,
            bytes,
            seconds,
            connections,
            ..
        } = totals;
        let _ = writeln!(
            out,
            "{events:>10} events, {bytes} bytes in {seconds:.1} s over {connections} connections"
        );
        stdout::print(&out)
    }
}
