//! How the server leaves: in phases, so that each client loses as little as can be.
//!
//! | phase | until | meanwhile |
//! |---|---|---|
//! | notice | `timeouts.drain_notice` has passed | `/readyz` is red, and all is served: load balancers look away |
//! | answers | those of the relay have ended, or `timeouts.drain` is nearly over | all is served but new requests to upstreams (503) |
//! | readers | they are gone, or `timeouts.drain` is over | no connection is taken; publishes that wait are committed; readers are told when to come again, and cut |
//!
//! What is still there then is left behind.

use std::time::Duration;

use tidewire_relay::Relay;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::app::Readiness;

/// What of the time to drain is for readers, also where answers would take all of it. Of a short time half.
const FOR_READERS: Duration = Duration::from_secs(2);

/// What is to be left.
pub(crate) struct Drain {
    pub(crate) readiness: Readiness,
    pub(crate) relay: Relay,
    /// Connections, what the relay and the demo do, and the drain of the hub, which begins when `stop` is cancelled.
    pub(crate) tasks: TaskTracker,
    /// Cancelled when no more connections are taken.
    pub(crate) stop: CancellationToken,
    pub(crate) notice: Duration,
    /// For all after the notice.
    pub(crate) time: Duration,
}

impl Drain {
    /// Goes through the phases.
    pub(crate) async fn run(self) {
        self.readiness.turn_red();
        if !self.notice.is_zero() {
            tracing::info!("still serving for {:?} (timeouts.drain_notice)", self.notice);
            sleep(self.notice).await;
        }
        let deadline = Instant::now() + self.time;
        self.relay.close();
        let (running, _) = self.relay.answers();
        if running > 0 {
            tracing::info!(running, "answers run on");
        }
        let for_answers = self.time - FOR_READERS.min(self.time / 2);
        if timeout(for_answers, self.relay.finished()).await.is_err() {
            let (running, _) = self.relay.answers();
            tracing::warn!(
                running,
                "answers are interrupted: they took too long (timeouts.drain)"
            );
        }
        self.stop.cancel();
        let leave = async {
            self.tasks.close();
            self.tasks.wait().await;
        };
        match timeout_at(deadline, leave).await {
            Ok(()) => tracing::info!("drained"),
            Err(_) => tracing::warn!(
                left = self.tasks.len(),
                "not drained in time: leaving all the same"
            ),
        }
    }
}
