//! The budget of request bodies: how many bytes of them the server holds at a time.
//!
//! A body takes its bytes before they are allocated (`Held::set`), and counts by the capacity of its buffer.
//! Dropping a `Held` gives its bytes back. While a buffer moves to a larger one the old one is not counted:
//! a thread moves one at a time.
//!
//! The last eighth of the budget is for bodies of up to `SMALL` bytes, so that a few large uploads do not keep
//! events and subscriptions out. Callers without a token have a share of the budget, and each of their networks has one.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use http::{HeaderValue, StatusCode, header};
use parking_lot::Mutex;

pub use crate::shares::Shares;
use crate::{
    Problem,
    guard::Principal,
    shares::{Holder, Share, Taken},
};

/// The most bytes of a body that may use all of the budget.
const SMALL: usize = 64 << 10;

/// The budget of request bodies. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Bodies(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shares: Shares,
    taken: Mutex<Taken>,
    refused: AtomicU64,
}

/// Bytes of the budget, for as long as this lives.
#[derive(Debug)]
pub struct Held {
    bodies: Bodies,
    holder: Holder,
    bytes: usize,
}

/// A bound that there is no room under.
struct Full {
    /// The body itself is larger.
    for_good: bool,
    held: usize,
    max: usize,
    share: Share,
}

impl Default for Bodies {
    /// That of [`Shares`].
    fn default() -> Self {
        Self::new(Shares::default())
    }
}

impl Bodies {
    /// A budget of which nothing is taken.
    #[must_use]
    pub fn new(shares: Shares) -> Self {
        Self(Arc::new(Inner {
            shares,
            taken: Mutex::default(),
            refused: AtomicU64::new(0),
        }))
    }

    /// How many bytes are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.0.taken.lock().of(Share::All)
    }

    /// How many bodies found no room, since the start.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Relaxed)
    }

    /// Nothing yet, for a body of this caller.
    pub fn hold(&self, caller: &Principal) -> Held {
        Held {
            bodies: self.clone(),
            holder: Holder::of(caller),
            bytes: 0,
        }
    }
}

impl Held {
    /// Holds so many bytes from now on, more or fewer than before.
    ///
    /// # Errors
    /// There is no room for more: 413, 429 or 503. Those of before stay held.
    pub fn set(&mut self, bytes: usize) -> Result<(), Problem> {
        let inner = &*self.bodies.0;
        let mut taken = inner.taken.lock();
        if bytes > self.bytes
            && let Err(full) = inner.fits(&taken, self, bytes)
        {
            drop(taken);
            return Err(inner.refuse(&full));
        }
        for (share, _) in inner.shares.of(self.holder) {
            taken.change(share, self.bytes, bytes);
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Those that are held, apart from what this will hold.
    pub fn split(&mut self) -> Self {
        let rest = Self {
            bodies: self.bodies.clone(),
            holder: self.holder,
            bytes: 0,
        };
        std::mem::replace(self, rest)
    }

    /// Whether there would be room for so many, at this moment.
    ///
    /// # Errors
    /// There is none: as [`Held::set`].
    pub fn check(&self, bytes: usize) -> Result<(), Problem> {
        let inner = &*self.bodies.0;
        let fits = inner.fits(&inner.taken.lock(), self, bytes);
        fits.map_err(|full| inner.refuse(&full))
    }
}

impl Inner {
    fn fits(&self, taken: &Taken, body: &Held, bytes: usize) -> Result<(), Full> {
        for (share, max) in self.shares.of(body.holder) {
            let max = match share {
                Share::All if bytes > SMALL => max - max / 8,
                _ => max,
            };
            let (held, for_good) = (taken.of(share), bytes > max);
            if for_good || held - body.bytes > max - bytes {
                return Err(Full {
                    for_good,
                    held,
                    max,
                    share,
                });
            }
        }
        Ok(())
    }

    fn refuse(&self, full: &Full) -> Problem {
        self.refused.fetch_add(1, Relaxed);
        let Full { held, max, share, .. } = *full;
        let (of, setting) = match share {
            Share::All => ("", "limits.max_bodies"),
            Share::WithoutToken => (" of callers without a token", "limits.max_bodies_without_token"),
            Share::Network(_) => (
                " of callers without a token from your address",
                "limits.max_bodies_per_address",
            ),
        };
        if full.for_good {
            let detail = format!(
                "the body needs more than {max} bytes, the most that bodies{of} may hold ({setting})"
            );
            return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail);
        }
        let detail = format!(
            "bodies of requests{of} hold {held} of the {max} bytes that they may ({setting}): try again in a moment"
        );
        let problem = match share {
            Share::All => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "bodies_full", detail),
            _ => Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_bodies", detail),
        };
        problem.with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
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

    fn budget() -> Bodies {
        Bodies::new(Shares {
            max: 8 * MIB,
            max_without_token: Some(6 * MIB),
            max_per_network: Some(3 * MIB),
        })
    }

    fn of(bodies: &Bodies, network: &str) -> Held {
        held(bodies, false, Some(network.parse().unwrap()))
    }

    fn of_token(bodies: &Bodies) -> Held {
        held(bodies, true, None)
    }

    fn held(bodies: &Bodies, has_token: bool, network: Option<std::net::IpAddr>) -> Held {
        Held {
            bodies: bodies.clone(),
            holder: Holder { has_token, network },
            bytes: 0,
        }
    }

    #[test]
    fn bytes_are_counted_in_all_and_by_share_and_given_back() {
        let bodies = budget();
        let mut first = of(&bodies, "10.0.0.1");
        first.set(2 * MIB).unwrap();
        let mut second = of(&bodies, "10.0.0.1");
        assert!(second.set(2 * MIB).is_err(), "its network has only 1 MiB left");
        second.set(MIB).unwrap();
        let mut other = of(&bodies, "10.0.0.2");
        other.set(3 * MIB).unwrap();
        assert!(of(&bodies, "10.0.0.3").set(1).is_err(), "the rest is for tokens");
        let mut holder = of_token(&bodies);
        assert!(holder.set(2 * MIB).is_err(), "the last eighth is for small ones");
        holder.set(MIB).unwrap();
        let mut small: Vec<_> = (0..16).map(|_| of_token(&bodies)).collect();
        small.iter_mut().for_each(|held| held.set(SMALL).unwrap());
        assert_eq!(bodies.held(), 8 * MIB);
        assert!(of_token(&bodies).set(1).is_err());
        assert_eq!(bodies.refused(), 4);
        drop((first, second, other, holder, small));
        assert_eq!(bodies.held(), 0);
        assert!(bodies.0.taken.lock().is_empty());
    }

    #[test]
    fn a_body_that_never_fits_is_not_told_to_come_again() {
        use axum::response::IntoResponse as _;
        let bodies = budget();
        let status = |held: &Held, bytes| held.check(bytes).map_err(|why| why.into_response().status());
        let too_large = Err(StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(status(&of_token(&bodies), 8 * MIB), too_large);
        assert_eq!(status(&of_token(&bodies), 7 * MIB), Ok(()));
        assert_eq!(status(&of(&bodies, "10.0.0.1"), 4 * MIB), too_large);
        assert_eq!(status(&of(&bodies, "10.0.0.1"), 3 * MIB), Ok(()));
    }
}
