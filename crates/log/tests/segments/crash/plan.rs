//! What a seed stands for.

use std::{sync::Arc, time::Duration};

use fastrand::Rng;
use tidewire_log::{
    Namespace,
    archive::{Retention, Rule, Rules, Store, segments::Disk},
};

pub(super) type Opened = Result<Box<dyn Store>, String>;

/// Opens the archive that is judged.
pub(super) type Open<'a> = &'a (dyn Fn(Arc<dyn Disk>, &Plan) -> Opened + Sync);

/// What an archive promises about a batch that it has acknowledged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Promise {
    /// It survives everything.
    Always,
    /// It survives the process; a crash may take it soon after.
    Soon,
    /// It survives the process.
    Never,
}

#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) promise: Promise,
    pub(super) segment_bytes: u64,
    pub(super) retention: Retention,
    /// How often the process or the machine ends.
    pub(super) rounds: usize,
    /// The largest event, in bytes.
    pub(super) largest: usize,
}

impl Plan {
    pub(super) fn of(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed ^ 0x0070_6c61_6e00);
        let mut retention = Retention::default();
        match rng.u8(..8) {
            0..4 => retention.max_age = Some(Duration::from_secs(rng.u64(2..40))),
            4 => {
                retention.max_bytes = rng.usize(1..40_000);
                retention.relay_percent = rng.u8(..=100);
            }
            5 => retention.max_events = Some(rng.usize(1..100)),
            _ => {}
        }
        if rng.bool() {
            let prefixes = ["", "a", "r", "\u{1F30A}/"];
            let count = rng.usize(1..=2);
            let prefixes = rng.choose_multiple(prefixes, count);
            let rules = prefixes.into_iter().map(|prefix| rule(&mut rng, prefix));
            retention.rules = Rules::new(rules.collect::<Vec<_>>()).unwrap();
        }
        Self {
            promise: [
                Promise::Always,
                Promise::Always,
                Promise::Always,
                Promise::Soon,
                Promise::Never,
            ][rng.usize(..5)],
            segment_bytes: [600, 2_000, 16_000][rng.usize(..3)],
            retention,
            rounds: rng.usize(2..7),
            largest: [40, 300, 6_000][rng.usize(..3)],
        }
    }
}

fn rule(rng: &mut Rng, prefix: &str) -> Rule {
    let what = rng.u8(1..8);
    let mut bound = |bit: u8, range: std::ops::Range<usize>| (what & bit > 0).then(|| rng.usize(range));
    Rule {
        namespace: Namespace::Events,
        prefix: prefix.into(),
        max_events: bound(1, 1..20),
        max_bytes: bound(2, 1..8_000),
        max_age: bound(4, 2..40).map(|seconds| Duration::from_secs(seconds as u64)),
    }
}
