//! Publishes on their way to the hub, in order, as many at a time as are allowed.
//!
//! The hub commits those that wait together, so a bulk needs several under way to be fast; that they are few
//! is what makes a publisher wait whom the hub cannot follow.

use std::{collections::VecDeque, future::poll_fn, pin::Pin, task::Poll};

use tidewire_codec::EventId;
use tidewire_hub::{Draft, Hub, IdempotencyKey, Outcome, Pending, Proposal, Row, TopicSet};

use super::fault::Fault;

/// How many may be under way.
const MAX_COUNT: usize = 1024;

/// How many bytes of events; one event may be more.
const MAX_BYTES: usize = 1 << 20;

/// What the hub has accepted so far.
#[derive(Debug, Default)]
pub(super) struct Accepted {
    pub(super) count: u64,
    pub(super) first: Option<EventId>,
    pub(super) last: Option<EventId>,
    /// How many of them had been accepted by a request before.
    replayed: u64,
}

impl Accepted {
    /// Whether nothing of it is new.
    pub(super) fn is_replay(&self) -> bool {
        self.count > 0 && self.replayed == self.count
    }
}

/// The publishes of one request.
pub(super) struct Flight {
    hub: Hub,
    row: Row,
    key: Option<IdempotencyKey>,
    /// How many have been sent off.
    sent: u64,
    /// Oldest first.
    under_way: VecDeque<UnderWay>,
    bytes: usize,
    accepted: Accepted,
}

struct UnderWay {
    line: u64,
    bytes: usize,
    answer: Pending,
}

impl Flight {
    pub(super) fn new(hub: Hub, key: Option<IdempotencyKey>) -> Self {
        Self {
            hub,
            key,
            sent: 0,
            row: Row::default(),
            under_way: VecDeque::new(),
            bytes: 0,
            accepted: Accepted::default(),
        }
    }

    /// Sends one off, as soon as there is room for it.
    pub(super) async fn send(&mut self, line: u64, bytes: usize, draft: Draft) -> Result<(), Fault> {
        while self.under_way.len() >= MAX_COUNT || (self.bytes > 0 && self.bytes + bytes > MAX_BYTES) {
            self.land().await?;
        }
        let proposal = self.keyed(draft.into());
        let answer = self.hub.enqueue_in_row(proposal, &self.row).await;
        let answer = answer.map_err(|error| Fault::at(line, error))?;
        self.bytes += bytes;
        self.under_way.push_back(UnderWay { line, bytes, answer });
        Ok(())
    }

    /// Waits for all answers, and ends the streams.
    pub(super) async fn end(&mut self, topics: TopicSet) -> Result<(), Fault> {
        self.land_all().await?;
        let end = self.keyed(Draft::end(topics));
        self.hub.append(end).await.map_err(Fault::of_all)?;
        Ok(())
    }

    /// With the request's key, and its number in the request.
    fn keyed(&mut self, proposal: Proposal) -> Proposal {
        let number = self.sent;
        self.sent += 1;
        match &self.key {
            Some(key) => proposal.with_key(key.clone(), number),
            None => proposal,
        }
    }

    /// Waits for the answer to the oldest; for ever if there is none. Loses nothing when it is dropped.
    pub(super) async fn land(&mut self) -> Result<(), Fault> {
        let answer = poll_fn(|cx| match self.under_way.front_mut() {
            Some(oldest) => Pin::new(&mut oldest.answer).poll(cx),
            None => Poll::Pending,
        });
        let answer = answer.await;
        let Some(UnderWay { line, bytes, .. }) = self.under_way.pop_front() else {
            return Ok(());
        };
        self.bytes -= bytes;
        let receipt = answer.map_err(|error| Fault::at(line, error))?;
        let accepted = &mut self.accepted;
        accepted.count += 1;
        accepted.replayed += u64::from(receipt.outcome == Outcome::Replayed);
        accepted.first.get_or_insert_with(|| receipt.id.clone());
        accepted.last = Some(receipt.id);
        Ok(())
    }

    /// Waits for all answers. When one is refused, so are those behind it: they are a row.
    pub(super) async fn land_all(&mut self) -> Result<(), Fault> {
        while !self.under_way.is_empty() {
            self.land().await?;
        }
        Ok(())
    }

    /// Whether anything has been sent off.
    pub(super) fn has_sent(&self) -> bool {
        self.sent > 0
    }

    /// The bytes of events that are under way.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn accepted(&self) -> &Accepted {
        &self.accepted
    }
}
