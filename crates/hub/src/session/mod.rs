//! The append session: proposals in order, of which the first refusal refuses the rest.
//!
//! A publisher of many events has several under way, and learns of a refusal only when later ones are on their way, too.
//! The accepted proposals of a session are always its first ones, so the rest can simply be sent again.
//!
//! Bounds: the proposals and the bytes of events under way. A session that is at its [`Bounds`] waits for the oldest answer
//! before it sends, so a publisher that is faster than the log has to wait.

mod order;

use std::{collections::VecDeque, future::poll_fn, pin::Pin, task::Poll};

use tidewire_codec::EventId;
use tidewire_log::record::text_len;

pub(crate) use self::order::SessionOrder;
use crate::{Error, Hub, Outcome, Pending, Proposal, Receipt};

/// The most that one session has under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How many proposals.
    pub proposals: usize,
    /// How many bytes of ids, names and data; one event alone may have more.
    pub bytes: usize,
}

/// The part of a session that the hub has accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepted {
    /// How many proposals.
    pub count: u64,
    /// The id of the first.
    pub first: Option<EventId>,
    /// The id of the last.
    pub last: Option<EventId>,
    /// How many of them had been accepted before, under the same key.
    replayed: u64,
}

impl Accepted {
    /// Whether nothing of it is new.
    #[must_use]
    pub fn is_replay(&self) -> bool {
        self.count > 0 && self.replayed == self.count
    }

    fn add(&mut self, receipt: Receipt) {
        self.count += 1;
        self.replayed += u64::from(receipt.outcome == Outcome::Replayed);
        self.first.get_or_insert_with(|| receipt.id.clone());
        self.last = Some(receipt.id);
    }
}

/// A proposal that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused<T = ()> {
    /// The tag it was sent with.
    pub tag: T,
    /// [`Error::SessionBroken`] for each proposal behind the first that was refused.
    pub error: Error,
}

/// Proposals of one publisher. Dropping it does not take back the proposals under way.
pub struct AppendSession<T = ()> {
    hub: Hub,
    bounds: Bounds,
    order: SessionOrder,
    /// Oldest first.
    under_way: VecDeque<UnderWay<T>>,
    /// The bytes under way.
    bytes: usize,
    accepted: Accepted,
}

struct UnderWay<T> {
    tag: T,
    bytes: usize,
    answer: Pending,
}

impl<T> AppendSession<T> {
    pub(crate) fn new(hub: Hub, bounds: Bounds) -> Self {
        Self {
            hub,
            bounds,
            order: SessionOrder::default(),
            under_way: VecDeque::new(),
            bytes: 0,
            accepted: Accepted::default(),
        }
    }

    /// Sends a proposal once the bounds allow it. Resolves when the proposal has its turn, as [`Hub::enqueue`] does.
    ///
    /// # Errors
    /// The refusal of an older proposal; this one is not sent then. Or [`Error::Closed`] for this one.
    pub async fn send(&mut self, proposal: impl Into<Proposal>, tag: T) -> Result<(), Refused<T>> {
        let proposal = proposal.into();
        let bytes = proposal.entry.as_event().map_or(0, text_len);
        while !self.has_room(bytes) {
            self.land().await?;
        }
        let order = Some(self.order.clone());
        match self.hub.inner.enqueue(proposal, order).await {
            Ok(answer) => self.under_way.push_back(UnderWay { tag, bytes, answer }),
            Err(error) => return Err(Refused { tag, error }),
        }
        self.bytes += bytes;
        Ok(())
    }

    /// Waits for the answer to the oldest proposal under way; for ever if there is none. Dropping the future loses no answer.
    ///
    /// # Errors
    /// The proposal was refused.
    pub async fn land(&mut self) -> Result<(), Refused<T>> {
        let answer = poll_fn(|cx| match self.under_way.front_mut() {
            Some(oldest) => Pin::new(&mut oldest.answer).poll(cx),
            None => Poll::Pending,
        });
        // An answer is there once: nothing may be awaited between it and the end.
        let answer = answer.await;
        let Some(UnderWay { tag, bytes, .. }) = self.under_way.pop_front() else {
            return Ok(());
        };
        self.bytes -= bytes;
        let receipt = answer.map_err(|error| Refused { tag, error })?;
        self.accepted.add(receipt);
        Ok(())
    }

    /// Waits for all answers, or for the first refusal.
    ///
    /// # Errors
    /// A proposal was refused, and so is each that is still under way.
    pub async fn land_all(&mut self) -> Result<(), Refused<T>> {
        while !self.under_way.is_empty() {
            self.land().await?;
        }
        Ok(())
    }

    /// The bytes of events under way.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The proposals that have landed and were accepted.
    #[must_use]
    pub fn accepted(&self) -> &Accepted {
        &self.accepted
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.under_way.len() < self.bounds.proposals
            && (self.bytes == 0 || self.bytes + bytes <= self.bounds.bytes)
    }
}
