//! Whether a hub can keep what is published to it.

use tidewire_log::archive::AppendError;
use tokio::sync::watch;

use crate::Error;

/// See the variants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Health {
    /// As far as is known.
    #[default]
    Healthy,
    /// The last publish found no room. The next one is tried again.
    Full(String),
    /// For the last publish the system was short of descriptors or memory. The next one is tried again.
    Short(String),
    /// The last publish could not be written. The next one is tried again.
    Failing(String),
    /// The log can no longer be written: everything is refused until a restart.
    Poisoned(String),
}

impl Health {
    /// What a publish is answered now that an append has failed.
    pub(crate) fn refusal(&self) -> Option<Error> {
        match self.clone() {
            Self::Healthy => None,
            Self::Full(why) => Some(Error::Full { why }),
            Self::Short(why) => Some(Error::Short { why }),
            Self::Failing(why) => Some(Error::Unwritten { why }),
            Self::Poisoned(why) => Some(Error::Poisoned { why }),
        }
    }
}

impl From<AppendError> for Health {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Full(error) => Self::Full(error.to_string()),
            AppendError::Short(error) => Self::Short(error.to_string()),
            AppendError::Failed(error) => Self::Failing(error.to_string()),
            AppendError::Poisoned(why) => Self::Poisoned(why),
        }
    }
}

/// The health of a hub: the applying loop sets it, anybody reads it.
#[derive(Default)]
pub(crate) struct Pulse(watch::Sender<Health>);

impl Pulse {
    pub(crate) fn read(&self) -> Health {
        self.0.borrow().clone()
    }

    /// Why nothing is tried any more, if so.
    pub(crate) fn poisoned(&self) -> Option<Error> {
        let health = self.0.borrow();
        matches!(*health, Health::Poisoned(_))
            .then(|| health.refusal())
            .flatten()
    }

    /// Resolves when nothing is tried any more: why.
    pub(crate) async fn until_poisoned(&self) -> String {
        let mut health = self.0.subscribe();
        loop {
            if let Health::Poisoned(why) = &*health.borrow_and_update() {
                return why.clone();
            }
            // Fails only if the sender has gone, which lives as long as this handle.
            drop(health.changed().await);
        }
    }

    /// Notes how the last append went, and logs what is new. What is poisoned stays so.
    pub(crate) fn set(&self, now: Health) {
        match (&*self.0.borrow(), &now) {
            (Health::Poisoned(_), _) | (Health::Healthy, Health::Healthy) => return,
            (_, Health::Healthy) => tracing::info!("the log is written again"),
            (Health::Full(_), Health::Full(_))
            | (Health::Short(_), Health::Short(_))
            | (Health::Failing(_), Health::Failing(_)) => {}
            (_, Health::Short(why)) => tracing::error!(
                "the system is short of descriptors or memory, publishes are refused until it has some again: {why}"
            ),
            (_, Health::Failing(why)) => {
                tracing::error!("the log cannot be written, publishes are refused: {why}");
            }
            (_, Health::Full(why)) => tracing::error!("the log is full, publishes are refused: {why}"),
            (_, Health::Poisoned(why)) => {
                tracing::error!("the log can no longer be written until the server is restarted: {why}");
            }
        }
        self.0.send_replace(now);
    }
}
