//! What may end an answer while its upstream is waited for: a stop, the server's leaving, no readers, its time.

use std::{pin::Pin, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, sleep_until};

use super::{
    super::{Relay, answer::Answer},
    Over, broken,
};

/// What came of waiting.
pub(super) enum Within<T> {
    Ready(T),
    TimedOut,
}

/// What may end an answer at any time.
pub(super) struct Watch {
    answer: Arc<Answer>,
    relay: Relay,
    gone: Pin<Box<dyn Future<Output = ()> + Send>>,
    total: Duration,
    deadline: Instant,
}

impl Watch {
    pub(super) fn new(relay: &Relay, answer: &Arc<Answer>, wants_stream: bool) -> Self {
        let total = relay.route(answer).times.total;
        let (of, asked) = (relay.clone(), Arc::clone(answer));
        Self {
            answer: Arc::clone(answer),
            relay: relay.clone(),
            gone: Box::pin(async move { asked.abandoned(of.route(&asked), wants_stream).await }),
            total,
            deadline: Instant::now() + total,
        }
    }

    /// Waits so long, unless the answer is over before.
    pub(super) async fn within<T>(
        &mut self,
        limit: Duration,
        future: impl Future<Output = T>,
    ) -> Result<Within<T>, Over> {
        tokio::select! {
            biased;
            () = self.answer.stop.cancelled() => Err(Over::Stopped),
            () = self.relay.inner.hub.closing() => Err(Over::Leaving),
            () = &mut self.gone => Err(Over::Abandoned),
            output = future => Ok(Within::Ready(output)),
            () = sleep_until(self.deadline) => {
                broken("answer_timeout", format!("the answer took longer than {:?} (total)", self.total))
            }
            () = sleep(limit) => Ok(Within::TimedOut),
        }
    }

    /// Waits for what has a bound of its own, unless the answer is over before.
    pub(super) async fn until_over<T>(&mut self, future: impl Future<Output = T>) -> Result<T, Over> {
        tokio::select! {
            biased;
            () = self.answer.stop.cancelled() => Err(Over::Stopped),
            () = self.relay.inner.hub.closing() => Err(Over::Leaving),
            () = &mut self.gone => Err(Over::Abandoned),
            output = future => Ok(output),
        }
    }

    /// What comes of it, unless the answer is over before. For what is nearly always there at once.
    pub(super) async fn unless_over<T>(
        &mut self,
        future: impl Future<Output = Result<T, Over>>,
    ) -> Result<T, Over> {
        tokio::select! {
            biased;
            output = future => output,
            () = self.answer.stop.cancelled() => Err(Over::Stopped),
            () = self.relay.inner.hub.closing() => Err(Over::Leaving),
            () = &mut self.gone => Err(Over::Abandoned),
        }
    }
}
