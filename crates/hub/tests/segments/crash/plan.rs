//! What a seed stands for.

use std::{sync::Arc, time::Duration};

use fastrand::Rng;
use tidewire_hub::archive::{Archive, Retention, segments::Disk};

pub(super) type Opened = Result<Box<dyn Archive>, String>;

/// Opens the archive that is judged.
pub(super) type Open<'a> = &'a dyn Fn(Arc<dyn Disk>, &Plan) -> Opened;

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
            4 => retention.max_bytes = rng.usize(1..40_000),
            5 => retention.max_events = Some(rng.usize(1..100)),
            _ => {}
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
