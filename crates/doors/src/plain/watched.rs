//! How many topics that nothing is known of are read, from each address.
//!
//! Such a topic is only a name that a reader has made up, and the hub has room for so many (`max_topics`): without a bound,
//! few readers could keep all others from reading what is new. Topics that are known do not count, nor callers that
//! show a token. What a topic takes in memory while it is read: about 700 bytes.
//!
//! Invariant: a [`Place`] counts as long as it lives, and nothing is remembered of addresses without one.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    sync::Arc,
};

use http::{HeaderValue, StatusCode, header};
use parking_lot::Mutex;
use tidewire_hub::{Hub, TopicSet};

use crate::{Problem, guard::Principal};

/// See the module's text.
pub(super) struct Watched {
    max: usize,
    by_network: Mutex<HashMap<IpAddr, usize>>,
}

/// What a stream takes of its address's share. Dropping it gives that back.
pub(super) struct Place {
    watched: Arc<Watched>,
    network: IpAddr,
    count: usize,
}

impl Watched {
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            by_network: Mutex::default(),
        })
    }

    /// Room for a stream of these topics. None: it needs no room.
    pub(super) fn admit(
        self: &Arc<Self>,
        principal: &Principal,
        hub: &Hub,
        topics: &TopicSet,
    ) -> Result<Option<Place>, Problem> {
        let Some(network) = principal.network().filter(|_| principal.token().is_none()) else {
            return Ok(None);
        };
        let count = hub.unknown(topics);
        if count == 0 {
            return Ok(None);
        }
        let mut by_network = self.by_network.lock();
        let taken = by_network.get(&network).copied().unwrap_or_default();
        if taken + count > self.max {
            return Err(self.full(taken, count));
        }
        by_network.insert(network, taken + count);
        Ok(Some(Place {
            watched: Arc::clone(self),
            network,
            count,
        }))
    }

    fn full(&self, taken: usize, count: usize) -> Problem {
        let max = self.max;
        let detail = format!(
            "streams from this address read {taken} topics that nothing has been published to, and this one would make it \
             {count} more; at most {max} may be read without a token (limits.max_unknown_topics_per_address): \
             close some"
        );
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_unknown_topics", detail);
        problem.with_header(header::RETRY_AFTER, HeaderValue::from_static("5"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Entry::Occupied(mut taken) = self.watched.by_network.lock().entry(self.network) {
            *taken.get_mut() -= self.count;
            if *taken.get() == 0 {
                taken.remove();
            }
        }
    }
}
