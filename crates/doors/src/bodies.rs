//! The budget of request bodies: how many bytes of them the server holds at a time, in all and of one network.
//!
//! A body takes its bytes before they are allocated ([`Held::set`]), and counts by the capacity of its buffer.
//! Dropping a [`Held`] gives its bytes back. While a buffer moves to a larger one the old one is not counted:
//! a thread moves one at a time.
//!
//! The last eighth of the budget is for bodies of up to [`SMALL`] bytes, so that a few large uploads do not keep
//! events and subscriptions out. The share of a network holds for callers without a token.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use http::{HeaderValue, StatusCode, header};
use parking_lot::Mutex;

use crate::{Problem, guard::Caller};

/// The most bytes of a body that may use all of the budget.
const SMALL: usize = 64 << 10;

/// The budget of request bodies. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Bodies(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    max: usize,
    max_per_network: usize,
    taken: Mutex<Taken>,
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    /// Stays empty where networks do not count.
    by_network: HashMap<IpAddr, usize>,
}

/// Bytes of the budget, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Held {
    bodies: Bodies,
    /// The network that they count for.
    network: Option<IpAddr>,
    bytes: usize,
}

/// Why there is no room.
enum Full {
    /// For the body as it is: it needs more than it could ever get.
    TooLarge(usize, &'static str),
    InAll(usize),
    OfNetwork(usize),
}

impl Default for Bodies {
    /// 256 MiB, and no share of a network.
    fn default() -> Self {
        Self::new(256 << 20, None)
    }
}

impl Bodies {
    /// A budget of so many bytes, of which so many may be held for callers without a token from one network.
    #[must_use]
    pub fn new(max: usize, max_per_network: Option<usize>) -> Self {
        Self(Arc::new(Inner {
            max,
            max_per_network: max_per_network.unwrap_or(usize::MAX),
            taken: Mutex::default(),
            refused: AtomicU64::new(0),
        }))
    }

    /// How many bytes are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.0.taken.lock().all
    }

    /// How many times there was no room, since the start.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Relaxed)
    }

    /// Nothing yet, for a body of this caller.
    pub(crate) fn hold(&self, caller: &Caller) -> Held {
        let counts = self.0.max_per_network < usize::MAX && caller.token().is_none();
        Held {
            bodies: self.clone(),
            network: caller.network().filter(|_| counts),
            bytes: 0,
        }
    }
}

impl Held {
    /// Holds so many bytes from now on, more or fewer than before.
    ///
    /// # Errors
    /// There is no room for more: 413, 429 or 503. Those of before stay held.
    pub(crate) fn set(&mut self, bytes: usize) -> Result<(), Problem> {
        if bytes == self.bytes {
            return Ok(());
        }
        let inner = &*self.bodies.0;
        let mut taken = inner.taken.lock();
        if bytes > self.bytes
            && let Err(full) = inner.fits(&taken, self, bytes)
        {
            drop(taken);
            return Err(inner.refuse(full));
        }
        taken.all = taken.all - self.bytes + bytes;
        if let Some(network) = self.network {
            let of_network = taken.by_network.entry(network).or_default();
            *of_network = *of_network - self.bytes + bytes;
            if *of_network == 0 {
                taken.by_network.remove(&network);
            }
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Whether there would be room for so many, at this moment.
    ///
    /// # Errors
    /// There is none: as [`Held::set`].
    pub(crate) fn check(&self, bytes: usize) -> Result<(), Problem> {
        let inner = &*self.bodies.0;
        let fits = inner.fits(&inner.taken.lock(), self, bytes);
        fits.map_err(|full| inner.refuse(full))
    }
}

impl Inner {
    fn fits(&self, taken: &Taken, held: &Held, bytes: usize) -> Result<(), Full> {
        let max = match bytes > SMALL {
            true => self.max - self.max / 8,
            false => self.max,
        };
        if bytes > max {
            return Err(Full::TooLarge(max, "limits.max_bodies"));
        }
        if taken.all - held.bytes > max - bytes {
            return Err(Full::InAll(taken.all));
        }
        let Some(network) = held.network else {
            return Ok(());
        };
        let max = self.max_per_network;
        if bytes > max {
            return Err(Full::TooLarge(max, "limits.max_bodies_per_address"));
        }
        let of_network = taken.by_network.get(&network).copied().unwrap_or_default();
        match of_network - held.bytes > max - bytes {
            true => Err(Full::OfNetwork(of_network)),
            false => Ok(()),
        }
    }

    fn refuse(&self, full: Full) -> Problem {
        self.refused.fetch_add(1, Relaxed);
        let later =
            |problem: Problem| problem.with_header(header::RETRY_AFTER, HeaderValue::from_static("1"));
        match full {
            Full::TooLarge(max, setting) => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                format!("the body needs more than {max} bytes, the most that one may hold ({setting})"),
            ),
            Full::InAll(held) => later(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "bodies_full",
                format!(
                    "request bodies hold {held} of the {} bytes that the server has for them (limits.max_bodies): \
                     try again in a moment",
                    self.max
                ),
            )),
            Full::OfNetwork(held) => later(Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_bodies",
                format!(
                    "request bodies from your address hold {held} of the {} bytes that it has without a token \
                     (limits.max_bodies_per_address): try again when one has been answered",
                    self.max_per_network
                ),
            )),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Less never fails.
        let _ = self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn of(bodies: &Bodies, network: &str) -> Held {
        Held {
            bodies: bodies.clone(),
            network: Some(network.parse().unwrap()),
            bytes: 0,
        }
    }

    #[test]
    fn bytes_are_counted_in_all_and_by_network_and_given_back() {
        let bodies = Bodies::new(8 * MIB, Some(3 * MIB));
        let mut first = of(&bodies, "10.0.0.1");
        first.set(2 * MIB).unwrap();
        let mut second = of(&bodies, "10.0.0.1");
        assert!(second.set(2 * MIB).is_err(), "its network has only 1 MiB left");
        second.set(MIB).unwrap();
        let mut other = of(&bodies, "10.0.0.2");
        other.set(3 * MIB).unwrap();
        assert_eq!(bodies.held(), 6 * MIB);
        assert!(
            of(&bodies, "10.0.0.3").set(2 * MIB).is_err(),
            "the last eighth is for small ones"
        );
        let mut small: Vec<_> = (0..32).map(|at| of(&bodies, &format!("10.0.1.{at}"))).collect();
        small.iter_mut().for_each(|held| held.set(SMALL).unwrap());
        assert_eq!(bodies.held(), 8 * MIB);
        assert!(of(&bodies, "10.0.0.3").set(1).is_err());
        assert_eq!(bodies.refused(), 3);
        drop((first, second, other, small));
        assert_eq!(bodies.held(), 0);
        assert!(bodies.0.taken.lock().by_network.is_empty());
    }

    #[test]
    fn a_body_that_never_fits_is_not_told_to_come_again() {
        use axum::response::IntoResponse as _;
        let bodies = Bodies::new(8 * MIB, Some(3 * MIB));
        let status = |bytes| {
            of(&bodies, "10.0.0.1")
                .check(bytes)
                .map_err(|why| why.into_response().status())
        };
        assert_eq!(status(8 * MIB), Err(StatusCode::PAYLOAD_TOO_LARGE));
        assert_eq!(status(4 * MIB), Err(StatusCode::PAYLOAD_TOO_LARGE));
        assert_eq!(status(3 * MIB), Ok(()));
    }
}
