//! Publishing many events with one request, while its body still comes.
//!
//! The body is read piece by piece; each event goes to the hub as soon as it is complete, in order. What is read
//! ahead of the hub is bounded, so a publisher that is faster has to wait. When something is wrong, the answer says in
//! which line and how many events had been accepted: always the first so many, so the rest can be sent again.
//!
//! A body may come for as long as its publisher has events. An event that has begun must be complete within
//! `body_total`, and what has come of it counts in the budget of bodies.
//!
//! | file | does |
//! |---|---|
//! | `lines` | bytes → lines: line ends, UTF-8, numbers, for both formats |
//! | `event_stream`, `ndjson` | lines → events |
//! | `found` | an event, and what cannot stand in one |
//! | `fault` | what went wrong, where, and what had been accepted |

mod event_stream;
mod fault;
mod found;
mod lines;
mod ndjson;

use std::pin::pin;

use axum::body::{Body, Bytes};
use futures_util::future::{Either, select};
use http::Response;
use serde_json::json;
use tidewire_codec::{
    EventId,
    protocol::{EVENT_STREAM, is_ndjson},
};
use tidewire_hub::{
    AppendSession, Draft, Error, Hub, IdempotencyKey, Proposal, TopicSet,
    session::{Accepted, Bounds},
};
use tokio::time::Instant;

use self::{
    event_stream::Blocks,
    fault::Fault,
    found::Found,
    lines::{Ends, Line, Lines},
};
use super::publish::answer;
use crate::{Problem, intake::Intake};

/// The most of one request that is under way.
const BOUNDS: Bounds = Bounds {
    proposals: 1024,
    bytes: 1 << 20,
};

/// The formats of bodies that hold many events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    EventStream,
    Ndjson,
}

impl Format {
    /// The format of a body of this type, unless it is one event's text.
    pub(super) fn of(media_type: &str) -> Option<Self> {
        match media_type {
            EVENT_STREAM => Some(Self::EventStream),
            _ if is_ndjson(media_type) => Some(Self::Ndjson),
            _ => None,
        }
    }
}

/// What to do with the events of a body.
pub(super) struct Order {
    pub(super) topics: TopicSet,
    /// The streams end after the last one.
    pub(super) ends: bool,
    pub(super) key: Option<IdempotencyKey>,
}

/// Publishes a body's events.
pub(super) async fn publish(
    hub: Hub,
    format: Format,
    order: Order,
    intake: Intake,
) -> Result<Response<Body>, Problem> {
    let mut bulk = Bulk::new(hub, format, order);
    let outcome = bulk.run(intake).await;
    // What is under way may still be refused, and came before what went wrong since.
    let landed = bulk.session.land_all().await.map_err(Fault::from);
    let first = [outcome.err(), landed.err()]
        .into_iter()
        .flatten()
        .min_by_key(Fault::place);
    let accepted = bulk.session.accepted();
    match first {
        Some(fault) => Err(fault.after(accepted)),
        None => Ok(told(accepted)),
    }
}

fn told(accepted: &Accepted) -> Response<Body> {
    let body = json!({
        "first": accepted.first.as_ref().map(EventId::as_str),
        "last": accepted.last.as_ref().map(EventId::as_str),
        "count": accepted.count,
    });
    answer(&body, accepted.is_replay())
}

/// A body on its way to the hub.
struct Bulk {
    hub: Hub,
    lines: Lines,
    events: Events,
    order: Order,
    /// Tagged with the lines that events begin on.
    session: AppendSession<u64>,
    /// How many proposals have been sent.
    sent: u64,
}

/// Lines as events.
enum Events {
    Blocks(Box<Blocks>),
    Ndjson,
}

impl Bulk {
    fn new(hub: Hub, format: Format, order: Order) -> Self {
        let max = hub.max_event();
        let (lines, events) = match format {
            Format::EventStream => {
                let longest = max.saturating_add(event_stream::AROUND_A_VALUE);
                let blocks = Box::new(Blocks::new(max, longest));
                (Lines::new(Ends::Any, longest), Events::Blocks(blocks))
            }
            Format::Ndjson => {
                let longest = max
                    .saturating_mul(ndjson::ESCAPED)
                    .saturating_add(ndjson::ENVELOPE);
                (Lines::new(Ends::Lf, longest), Events::Ndjson)
            }
        };
        Self {
            lines,
            events,
            session: hub.append_session(BOUNDS),
            sent: 0,
            hub,
            order,
        }
    }

    async fn run(&mut self, mut intake: Intake) -> Result<(), Fault> {
        let mut is_empty = true;
        // When the event that has begun must be complete.
        let mut due = None;
        while let Some(piece) = self.next_piece(&mut intake, due).await? {
            is_empty &= piece.is_empty();
            let before = self.begun();
            self.hold(&mut intake, before + piece.len())?;
            let mut rest = &piece[..];
            let mut has_ended = false;
            while let Some(line) = self.lines.next(&mut rest)? {
                let found = self.events.line(line)?;
                has_ended |= self.events.begun() == 0;
                if let Some(found) = found {
                    self.send(found).await?;
                }
            }
            let begun = self.begun();
            self.hold(&mut intake, begun)?;
            due = match begun {
                0 => None,
                _ if has_ended => Some(intake.due()),
                _ => due.or_else(|| Some(intake.due())),
            };
        }
        if let Some(line) = self.lines.last()?
            && let Some(found) = self.events.line(line)?
        {
            self.send(found).await?;
        }
        if let Some(found) = self.events.finish()? {
            self.send(found).await?;
        }
        // The end of a stream needs no event of its own.
        if !(self.sent > 0 || is_empty && self.order.ends) {
            return Err(Fault::of_all(self.events.none()));
        }
        if self.order.ends {
            self.session.land_all().await?;
            let end = self.keyed(Draft::end(self.order.topics.clone()));
            self.hub.append(end).await.map_err(Fault::of_all)?;
        }
        Ok(())
    }

    async fn send(&mut self, Found { line, event }: Found) -> Result<(), Fault> {
        let draft = Draft::event(self.order.topics.clone(), event).map_err(|error| Fault::at(line, error))?;
        let proposal = self.keyed(draft);
        Ok(self.session.send(proposal, line).await?)
    }

    /// With the request's key, and its number in the request.
    fn keyed(&mut self, proposal: impl Into<Proposal>) -> Proposal {
        let proposal = proposal.into();
        let number = self.sent;
        self.sent += 1;
        match &self.order.key {
            Some(key) => proposal.with_key(key.clone(), number),
            None => proposal,
        }
    }

    /// How many bytes have come of the event that is not complete.
    fn begun(&self) -> usize {
        self.lines.begun() + self.events.begun()
    }

    /// Takes room for so many bytes of an event, whose buffers are at most half empty, and for those under way.
    fn hold(&self, intake: &mut Intake, begun: usize) -> Result<(), Fault> {
        let held = intake.hold(2 * begun + self.session.bytes());
        held.map_err(|full| Fault::at(self.lines.current(), full))
    }

    /// The body's next piece. While it does not come, the hub's answers are taken, so that a refusal is told at
    /// once, and not when the body has ended. Nor does a hub that takes no more wait for it.
    async fn next_piece(
        &mut self,
        intake: &mut Intake,
        due: Option<Instant>,
    ) -> Result<Option<Bytes>, Fault> {
        let hub = self.hub.clone();
        let (piece, closing) = (pin!(intake.next(due)), pin!(hub.closing()));
        let mut next = select(piece, closing);
        loop {
            match select(&mut next, pin!(self.session.land())).await {
                Either::Left((Either::Left((piece, _)), _)) => {
                    return piece.map_err(|broken| Fault::broken(self.lines.current(), &broken));
                }
                Either::Left((Either::Right(_), _)) => {
                    return Err(Fault::at(self.lines.current(), Error::Closed));
                }
                Either::Right((landed, _)) => landed?,
            }
        }
    }
}

impl Events {
    /// How many bytes of lines have come of the event that is not complete.
    fn begun(&self) -> usize {
        match self {
            Self::Blocks(blocks) => blocks.begun,
            Self::Ndjson => 0,
        }
    }

    fn line(&mut self, line: Line<'_>) -> Result<Option<Found>, Fault> {
        match self {
            Self::Blocks(blocks) => blocks.line(line),
            Self::Ndjson => ndjson::event(line),
        }
    }

    fn finish(&mut self) -> Result<Option<Found>, Fault> {
        match self {
            Self::Blocks(blocks) => blocks.finish(),
            Self::Ndjson => Ok(None),
        }
    }

    /// A body without any.
    fn none(&self) -> Problem {
        let example = match self {
            Self::Blocks(_) => "a line such as `data: hello`, and a blank line",
            Self::Ndjson => "a line such as {\"data\":\"hello\"}",
        };
        Problem::bad_request(
            "no_event",
            format!("the body holds no event: an event is {example}"),
        )
    }
}
