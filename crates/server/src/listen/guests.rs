//! How many connections there are: in all, and from each address.
//!
//! An IPv6 address counts as its /64 network, because one subscriber's line has a whole one. Behind a
//! reverse proxy all connections come from the proxy; headers that name others are not believed.
//!
//! Invariant: a [`Place`] is counted as long as it lives, and nothing is remembered of who has gone.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use parking_lot::Mutex;
use tidewire_doors::guard::network;

/// The open connections, and what has become of all there were.
#[derive(Debug)]
pub struct Guests {
    max: usize,
    max_per_address: Option<usize>,
    open: Mutex<Open>,
    counters: Counters,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    /// Stays empty where addresses do not count.
    by_address: HashMap<IpAddr, usize>,
}

#[derive(Debug, Default)]
struct Counters {
    accepted: AtomicU64,
    refused_in_all: AtomicU64,
    refused_from_address: AtomicU64,
    write_stalls: AtomicU64,
}

/// What there is and was at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Counts {
    /// Connections that are open.
    pub(crate) open: usize,
    /// Since the start, connections that were served.
    pub(crate) accepted: u64,
    /// Since the start, refused because there were too many in all.
    pub(crate) refused_in_all: u64,
    /// Since the start, refused because there were too many from their address.
    pub(crate) refused_from_address: u64,
    /// Since the start, cut because they took no byte.
    pub(crate) write_stalls: u64,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    InAll(usize),
    FromAddress(usize),
}

/// A connection's place; dropping it makes room.
#[derive(Debug)]
pub(super) struct Place {
    guests: Arc<Guests>,
    network: IpAddr,
}

impl Guests {
    /// So many in all, and from one network.
    #[must_use]
    pub fn new(max: usize, max_per_address: Option<usize>) -> Arc<Self> {
        Arc::new(Self {
            max,
            max_per_address,
            open: Mutex::default(),
            counters: Counters::default(),
        })
    }

    /// A place for a connection from this address, if there is one.
    pub(super) fn admit(self: &Arc<Self>, from: IpAddr) -> Result<Place, Full> {
        let counters = &self.counters;
        let network = network(from);
        let mut open = self.open.lock();
        if open.all >= self.max {
            counters.refused_in_all.fetch_add(1, Relaxed);
            return Err(Full::InAll(self.max));
        }
        if let Some(max) = self.max_per_address {
            let from_there = open.by_address.get(&network).copied().unwrap_or_default();
            if from_there >= max {
                counters.refused_from_address.fetch_add(1, Relaxed);
                return Err(Full::FromAddress(max));
            }
            open.by_address.insert(network, from_there + 1);
        }
        open.all += 1;
        counters.accepted.fetch_add(1, Relaxed);
        Ok(Place {
            guests: Arc::clone(self),
            network,
        })
    }

    /// There is no descriptor for a connection.
    pub(super) fn none_left(&self) {
        self.counters.refused_in_all.fetch_add(1, Relaxed);
    }

    pub(super) fn stalled(&self) {
        self.counters.write_stalls.fetch_add(1, Relaxed);
    }

    pub(crate) fn counts(&self) -> Counts {
        let counters = &self.counters;
        Counts {
            open: self.open.lock().all,
            accepted: counters.accepted.load(Relaxed),
            refused_in_all: counters.refused_in_all.load(Relaxed),
            refused_from_address: counters.refused_from_address.load(Relaxed),
            write_stalls: counters.write_stalls.load(Relaxed),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.guests.open.lock();
        open.all -= 1;
        if let Entry::Occupied(mut entry) = open.by_address.entry(self.network) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn places_are_counted_in_all_and_by_address_and_given_back() {
        let guests = Guests::new(3, Some(2));
        let first = guests.admit(ip("10.0.0.1")).unwrap();
        let _second = guests.admit(ip("10.0.0.1")).unwrap();
        assert_eq!(guests.admit(ip("10.0.0.1")).unwrap_err(), Full::FromAddress(2));
        let other = guests.admit(ip("10.0.0.2")).unwrap();
        assert_eq!(guests.admit(ip("10.0.0.3")).unwrap_err(), Full::InAll(3));
        drop(first);
        let _third = guests.admit(ip("10.0.0.1")).unwrap();
        drop(other);
        assert_eq!(
            guests.open.lock().by_address.len(),
            1,
            "who has gone is forgotten"
        );
        let expected = Counts {
            open: 2,
            accepted: 4,
            refused_in_all: 1,
            refused_from_address: 1,
            write_stalls: 0,
        };
        assert_eq!(guests.counts(), expected);
    }

    #[test]
    fn ipv6_counts_by_network() {
        let guests = Guests::new(9, Some(1));
        let _first = guests.admit(ip("2001:db8::1")).unwrap();
        assert_eq!(guests.admit(ip("2001:db8::2")).unwrap_err(), Full::FromAddress(1));
        let _other = guests.admit(ip("2001:db8:0:1::1")).unwrap();
    }

    #[test]
    fn without_a_bound_addresses_are_not_remembered() {
        let guests = Guests::new(9, None);
        let _places: Vec<_> = (0..9).map(|_| guests.admit(ip("::1")).unwrap()).collect();
        assert!(guests.open.lock().by_address.is_empty());
        assert_eq!(guests.admit(ip("::1")).unwrap_err(), Full::InAll(9));
    }
}
