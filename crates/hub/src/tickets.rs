//! Batches that are under way, and who waits for the answers.
//!
//! Bounds: as many as the order takes before it hands them out; their bytes count in the room of the [proposals](crate::proposals).

use std::{collections::VecDeque, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, oneshot},
    time::Instant,
};

use crate::{
    Error, Outcome, Receipt,
    order::{Batch, Proposed},
    session::SessionOrder,
    stats::Counters,
};

/// A batch that was not handed out for so long is proposed again.
pub(crate) const AGAIN: Duration = Duration::from_secs(2);

/// Who waits longer is told that the outcome is not known.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Who waits for the answer to a proposal.
pub(crate) struct Ticket {
    pub(crate) answer: oneshot::Sender<Result<Receipt, Error>>,
    pub(crate) session: Option<SessionOrder>,
    /// Given back with the answer.
    pub(crate) _room: Option<OwnedSemaphorePermit>,
}

/// Who waits until everything is applied that was ordered before.
pub(crate) type Barrier = oneshot::Sender<Result<(), Error>>;

/// A batch that is under way.
pub(crate) struct Flight {
    pub(crate) number: u64,
    /// For each entry; none for what nobody waits for.
    pub(crate) tickets: Vec<Option<Ticket>>,
    pub(crate) barriers: Vec<Barrier>,
    /// What is proposed again, where the order may lose it.
    entries: Option<Vec<Proposed>>,
    /// When it was proposed first, and last.
    since: Instant,
    tried: Instant,
}

/// See the module's text.
pub(crate) struct Tickets {
    counters: Arc<Counters>,
    flights: Mutex<VecDeque<Flight>>,
    /// A batch has landed, or must be proposed again.
    pub(crate) changed: Notify,
}

impl Flight {
    pub(crate) fn new(
        batch: &Batch,
        tickets: Vec<Option<Ticket>>,
        barriers: Vec<Barrier>,
        may_get_lost: bool,
    ) -> Self {
        let now = Instant::now();
        Self {
            number: batch.number,
            tickets,
            barriers,
            entries: may_get_lost.then(|| batch.entries.clone()),
            since: now,
            tried: now,
        }
    }
}

impl Tickets {
    pub(crate) fn new(counters: Arc<Counters>) -> Self {
        Self {
            counters,
            flights: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Answers one. A refusal breaks its session.
    pub(crate) fn answer(&self, ticket: Ticket, outcome: Result<Receipt, Error>) {
        match &outcome {
            Err(_) => self.counters.refused(),
            Ok(receipt) if receipt.outcome == Outcome::Replayed => self.counters.replayed(),
            Ok(_) => {}
        }
        if let (Some(session), Err(_)) = (&ticket.session, &outcome) {
            session.break_off();
        }
        // A publisher that has gone does not take its event back.
        drop(ticket.answer.send(outcome));
    }

    /// Refuses a batch that is not applied here.
    pub(crate) fn refuse(&self, flight: Flight, error: &Error) {
        for barrier in flight.barriers {
            drop(barrier.send(Err(error.clone())));
        }
        for ticket in flight.tickets.into_iter().flatten() {
            ticket.session.iter().for_each(SessionOrder::land);
            self.answer(ticket, Err(error.clone()));
        }
    }

    pub(crate) fn add(&self, flight: Flight) {
        self.flights.lock().push_back(flight);
    }

    /// The order has certainly not taken the batch that was added last.
    pub(crate) fn take_back(&self) -> Option<Flight> {
        self.flights.lock().pop_back()
    }

    /// A batch has been handed out.
    pub(crate) fn land(&self, number: u64) -> Option<Flight> {
        let mut flights = self.flights.lock();
        let is_first = flights.front().is_some_and(|flight| flight.number == number);
        let flight = if is_first { flights.pop_front() } else { None };
        drop(flights);
        self.changed.notify_one();
        flight
    }

    /// The order has lost a batch: it and those behind it are proposed again.
    pub(crate) fn lost(&self) {
        let long_ago = Instant::now().checked_sub(AGAIN);
        for flight in self.flights.lock().iter_mut() {
            flight.tried = long_ago.unwrap_or(flight.since);
        }
        self.changed.notify_one();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.flights.lock().is_empty()
    }

    /// The batches that are to be proposed again by now, in order. Who has waited too long for one is told so.
    pub(crate) fn late(&self) -> Vec<Batch> {
        let now = Instant::now();
        let mut flights = self.flights.lock();
        for flight in flights.iter_mut().filter(|flight| now - flight.since > PATIENCE) {
            for ticket in flight.tickets.iter_mut().filter_map(Option::take) {
                self.answer(ticket, Err(Error::OutcomeUnknown));
            }
            for barrier in flight.barriers.drain(..) {
                drop(barrier.send(Err(Error::Unordered)));
            }
        }
        let late = flights.iter_mut().filter(|flight| now - flight.tried >= AGAIN);
        late.filter_map(|flight| {
            flight.tried = now;
            Some(Batch {
                number: flight.number,
                entries: flight.entries.clone()?,
            })
        })
        .collect()
    }

    /// Nothing more is handed out.
    pub(crate) fn fail(&self, error: &Error) {
        let flights = std::mem::take(&mut *self.flights.lock());
        for flight in flights {
            self.refuse(flight, error);
        }
        self.changed.notify_one();
    }
}
