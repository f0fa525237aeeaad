//! The shares of the archive that namespaces are sure of: one cannot crowd out the history of another.
//!
//! While there is room, each may take what it wants. When there is none, what goes is of the namespace that has most beyond its
//! share, the oldest of that first.

use crate::{Namespace, Topic};

/// One of something for each namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Each<T> {
    events: T,
    relay: T,
}

impl<T> Each<T> {
    pub(crate) fn of(&self, namespace: Namespace) -> &T {
        match namespace {
            Namespace::Events => &self.events,
            Namespace::Relay => &self.relay,
        }
    }

    pub(crate) fn of_mut(&mut self, namespace: Namespace) -> &mut T {
        match namespace {
            Namespace::Events => &mut self.events,
            Namespace::Relay => &mut self.relay,
        }
    }
}

/// What is kept of a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Part {
    pub(crate) bytes: u64,
    pub(crate) events: u64,
}

impl Part {
    pub(crate) fn add(&mut self, other: Self) {
        // An index may say anything.
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.events = self.events.saturating_add(other.events);
    }
}

#[cfg(feature = "disk")]
impl Each<Part> {
    /// The parts of a file of so many bytes and events, which records do not quite fill.
    pub(crate) fn of_file(&self, bytes: u64, events: u64) -> Self {
        let Part {
            bytes: own,
            events: relay_events,
        } = self.relay;
        let all = u128::from(own) + u128::from(self.events.bytes);
        let relay = u128::from(bytes) * u128::from(own) / all.max(1);
        let relay = Part {
            bytes: u64::try_from(relay).unwrap_or(bytes).min(bytes),
            events: relay_events.min(events),
        };
        let events = Part {
            bytes: bytes - relay.bytes,
            events: events - relay.events,
        };
        Self { events, relay }
    }
}

/// Whose record it is. Topics of one record are of one namespace: no door publishes across.
pub(crate) fn namespace_of<'a>(topics: impl IntoIterator<Item = &'a Topic>) -> Namespace {
    let first = topics.into_iter().next();
    first.map_or(Namespace::Events, Topic::namespace)
}

/// Of which namespace the oldest is to go, where all together may have `max`. `oldest` has the oldest of all: it goes where
/// nobody has more beyond its share.
pub(crate) fn beyond(
    has: impl Fn(Namespace) -> u64,
    max: u64,
    relay_percent: u8,
    oldest: Namespace,
) -> Namespace {
    let relay = u128::from(max) * u128::from(relay_percent.min(100)) / 100;
    let relay = u64::try_from(relay).unwrap_or(max);
    let beyond = |namespace| {
        let share = match namespace {
            Namespace::Relay => relay,
            Namespace::Events => max - relay,
        };
        // The newest of each may stay.
        i128::from(has(namespace)) - i128::from(share.max(1))
    };
    let other = match oldest {
        Namespace::Events => Namespace::Relay,
        Namespace::Relay => Namespace::Events,
    };
    match beyond(other) > beyond(oldest) {
        true => other,
        false => oldest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Namespace::{Events, Relay};

    #[test]
    fn what_goes_is_of_the_one_that_is_most_beyond_its_share() {
        let beyond = |events, relay, percent, oldest| {
            let has = |namespace| match namespace {
                Events => events,
                Relay => relay,
            };
            super::beyond(has, 100, percent, oldest)
        };
        assert_eq!(
            beyond(10, 95, 50, Events),
            Relay,
            "it has taken what the other does not use"
        );
        assert_eq!(beyond(95, 10, 50, Relay), Events);
        assert_eq!(beyond(101, 0, 50, Events), Events, "alone, it has all");
        assert_eq!(beyond(60, 45, 20, Events), Relay);
        assert_eq!(beyond(55, 55, 50, Relay), Relay, "the oldest of all");
    }
}
