//! An answer that is a stream: its upstream's bytes become events of the log, and its end the end of the answer.

use std::{io, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{
    Stream, StreamExt as _,
    future::{Either, select},
};
use http::HeaderMap;
use reqwest::Response;
use tidewire_codec::{Decoder, Item, Limits, Unfinished};
use tidewire_hub::Error;
use tidewire_unpack::Bomb;
use tokio::time::Instant;

use super::{
    super::{
        Relay,
        answer::{Answer, Phase},
        config::Route,
        measures::Ending,
        publisher::{Lost, Publisher},
        returned::replayed_headers,
        shape::{Broken, Shape},
    },
    Over,
    body::{text, unpacked},
    broken, is_stream,
    unreachable::unreachable,
    watch::{Watch, Within},
};

/// What an event counts beside its text, so that many empty ones have a bound too (max_answer).
const ENVELOPE: usize = 64;

/// How long an upstream that has said its last word may take to close.
const AFTER_THE_END: Duration = Duration::from_secs(5);

/// An answer that has become a stream.
pub(super) struct Streaming<'a> {
    relay: &'a Relay,
    answer: &'a Arc<Answer>,
    route: &'a Route,
    publisher: Publisher,
    /// What its events cost.
    bytes: usize,
    /// What its upstream has sent, unpacked.
    came: usize,
    asked_at: Instant,
}

impl<'a> Streaming<'a> {
    pub(super) async fn begin(
        relay: &'a Relay,
        answer: &'a Arc<Answer>,
        route: &'a Route,
        shape: Shape,
        headers: &HeaderMap,
        asked_at: Instant,
    ) -> Self {
        answer.set_form(shape, replayed_headers(headers));
        let mut publisher = Publisher::new(relay.inner.hub.clone(), Arc::clone(answer));
        // In the same row as its events: they are not kept without it. What went wrong is found with them.
        publisher.head(route).await;
        answer.set_phase(Phase::Streaming);
        relay.measures(answer).began();
        Self {
            relay,
            answer,
            route,
            publisher,
            bytes: 0,
            came: 0,
            asked_at,
        }
    }

    /// Waits on for an upstream that had not answered when the answer began.
    pub(super) async fn ask_on(
        &mut self,
        watch: &mut Watch,
        mut asked: Pin<Box<impl Future<Output = reqwest::Result<Response>>>>,
    ) -> Over {
        let response = match watch.within(self.until_first_event(), asked.as_mut()).await {
            Ok(Within::Ready(Ok(response))) => response,
            Ok(Within::Ready(Err(error))) => {
                return Over::Broken(unreachable(self.route, &error));
            }
            Ok(Within::TimedOut) => return self.no_first_event(),
            Err(over) => return over,
        };
        drop(asked);
        if is_stream(&response) {
            return self.read(watch, response).await;
        }
        let status = response.status();
        match watch.within(self.route.times.idle, text(response)).await {
            Ok(Within::Ready(text)) => Over::Refused(status, text),
            Ok(Within::TimedOut) => Over::Refused(status, String::new()),
            Err(over) => over,
        }
    }

    /// How long the first event may still take. Comments before it do not count.
    fn until_first_event(&self) -> Duration {
        self.route
            .times
            .first_event
            .saturating_sub(self.asked_at.elapsed())
    }

    fn no_first_event(&self) -> Over {
        Over::Broken(Broken {
            code: "upstream_timeout",
            message: format!(
                "the upstream sent no event for {:?} (first_event)",
                self.route.times.first_event
            ),
        })
    }

    /// Reads the upstream to its end.
    pub(super) async fn read(&mut self, watch: &mut Watch, response: Response) -> Over {
        match self.read_on(watch, response).await {
            Ok(()) => Over::Done,
            Err(over) => over,
        }
    }

    async fn read_on(&mut self, watch: &mut Watch, response: Response) -> Result<(), Over> {
        let limits = self.route.limits;
        let mut decoder = Decoder::new().with_limits(Limits {
            max_line: limits.max_event.saturating_add(64),
            max_event: limits.max_event,
            ..Limits::default()
        });
        let mut body = unpacked(response)?;
        let mut is_last_said = false;
        loop {
            let has_begun = self.publisher.count() > 0;
            let limit = match () {
                () if is_last_said => AFTER_THE_END,
                () if has_begun => self.route.times.idle,
                () => self.until_first_event(),
            };
            let next = self.next_piece(&mut body);
            let piece = match watch.within(limit, next).await? {
                Within::Ready(Ok(piece)) => piece,
                Within::Ready(Err(Either::Right(lost))) => return Err(lost.into()),
                // It has said its last word, and need not be polite about it.
                Within::Ready(Err(Either::Left(_))) | Within::TimedOut if is_last_said => None,
                Within::Ready(Err(Either::Left(error))) if is_bomb(&error) => {
                    return broken("answer_too_large", format!("the upstream's body: {error}"));
                }
                Within::Ready(Err(Either::Left(error))) => {
                    return broken(
                        "upstream_died",
                        format!("the upstream broke off in mid-answer ({error})"),
                    );
                }
                Within::TimedOut if !has_begun => return Err(self.no_first_event()),
                Within::TimedOut => {
                    return broken(
                        "upstream_stalled",
                        format!("the upstream sent nothing for {limit:?} (idle)"),
                    );
                }
            };
            let Some(piece) = piece else { break };
            self.came += piece.len();
            let mut items = decoder.feed(&piece);
            while let Some(item) = items.next() {
                // The log may be slow: that does not keep the upstream of an answer that is over.
                let published = self.publish(item, &mut is_last_said);
                if watch.unless_over(published).await?.is_end() {
                    return Ok(());
                }
            }
            // Comments, and all else that makes no event.
            let packed = usize::try_from(body.packed()).unwrap_or(usize::MAX);
            self.check_size(self.came.max(packed))?;
        }
        // Some forget the last blank line.
        if let Some(item) = decoder.finish(Unfinished::Keep) {
            let _ = self.publish(item, &mut is_last_said).await?;
        }
        match self.publisher.count() {
            0 => broken("upstream_empty", "the upstream's stream held no event"),
            _ => Ok(()),
        }
    }

    /// The next bytes of the upstream; meanwhile the log's answers are taken, so that a refusal is known at once.
    async fn next_piece<S>(&mut self, body: &mut S) -> Result<Option<Bytes>, Either<io::Error, Lost>>
    where
        S: Stream<Item = io::Result<Bytes>> + Unpin,
    {
        let mut next = body.next();
        loop {
            let landing = std::pin::pin!(self.publisher.land());
            match select(&mut next, landing).await {
                Either::Left((piece, _)) => return piece.transpose().map_err(Either::Left),
                Either::Right((landed, _)) => landed.map_err(Either::Right)?,
            }
        }
    }

    async fn publish(&mut self, item: Item<'_>, is_last_said: &mut bool) -> Result<Said, Over> {
        let event = match item {
            Item::Event(event) => event,
            Item::Overlong(why) => return broken("event_too_large", why.to_string()),
            // Not asked for.
            Item::Comment(_) | Item::Retry(_) => return Ok(Said::Something),
        };
        if self.publisher.count() == 0 {
            self.relay
                .measures(self.answer)
                .first_event(self.asked_at.elapsed());
        }
        self.bytes += event.data.len() + event.name.len() + ENVELOPE;
        self.check_size(self.bytes)?;
        // What all of them end with; nothing comes after it.
        let is_end = event.data == "[DONE]";
        *is_last_said |= is_end || is_last_word(event.name);
        if is_end {
            self.stopped_running(Ending::Done);
        }
        match self.publisher.event(event.name, event.data, is_end).await {
            Err(Lost::Refused(Error::ReservedName { name })) => {
                return broken(
                    "reserved_event",
                    format!("the upstream sent an event named {name:?}, which is the relay's own"),
                );
            }
            sent => sent?,
        }
        self.relay.measures(self.answer).event(event.data.len());
        Ok(if is_end { Said::TheEnd } else { Said::Something })
    }

    fn check_size(&self, bytes: usize) -> Result<(), Over> {
        let max = self.route.limits.max_answer;
        match bytes > max {
            true => broken(
                "answer_too_large",
                format!("the answer has more than {max} bytes, comments included (max_answer)"),
            ),
            false => Ok(()),
        }
    }

    /// Ends the answer for its readers, as it ended for us.
    pub(super) async fn end(mut self, over: Over) {
        let shape = self.answer.shape();
        let stopped = |code, message: &str| Broken {
            code,
            message: message.to_owned(),
        };
        let (ending, last) = match over {
            Over::Done => (Ending::Done, Vec::new()),
            // Readers are cut as the server leaves; the next start says that the answer was interrupted.
            Over::Leaving => {
                self.stopped_running(Ending::Interrupted);
                self.relay
                    .measures(self.answer)
                    .ended(Ending::Interrupted, self.asked_at.elapsed());
                return;
            }
            Over::Stopped => {
                let why = stopped("stopped", "the answer was stopped");
                (Ending::Stopped, shape.broken(&why))
            }
            Over::Abandoned => {
                let why = stopped(
                    "abandoned",
                    "nobody was reading the answer, so its upstream was stopped",
                );
                (Ending::Abandoned, shape.broken(&why))
            }
            Over::Broken(why) => {
                tracing::warn!(
                    route = self.route.path,
                    code = why.code,
                    "an answer broke off: {}",
                    why.message
                );
                (Ending::Broken, shape.broken(&why))
            }
            Over::Refused(status, body) => (Ending::Broken, shape.refused(status.as_u16(), &body)),
            Over::Lost(lost) => {
                self.lose(&lost);
                return;
            }
        };
        self.stopped_running(ending);
        match self.publisher.end(last, ending).await {
            Ok(()) | Err(Lost::Leaving) => {}
            Err(lost) => return self.lose(&lost),
        }
        self.note_end(ending);
    }

    /// The log does not take it: its readers are told by us.
    fn lose(&self, lost: &Lost) {
        self.stopped_running(Ending::Broken);
        self.answer.lose(Broken {
            code: "not_kept",
            message: format!("the answer cannot be kept: {lost}"),
        });
        self.note_end(Ending::Broken);
    }

    fn stopped_running(&self, how: Ending) {
        self.relay.inner.answers.stopped_running(self.answer, how);
    }

    fn note_end(&self, how: Ending) {
        self.relay.inner.answers.ended(self.answer, self.relay.now(), how);
        self.relay
            .measures(self.answer)
            .ended(how, self.asked_at.elapsed());
    }
}

/// Whether more may come.
#[derive(PartialEq, Eq)]
#[must_use]
enum Said {
    Something,
    TheEnd,
}

impl Said {
    fn is_end(&self) -> bool {
        *self == Self::TheEnd
    }
}

fn is_bomb(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(<dyn std::error::Error + Send + Sync>::is::<Bomb>)
}

/// Events after which a provider says nothing more, or `[DONE]` at most.
fn is_last_word(name: &str) -> bool {
    matches!(
        name,
        "message_stop"
            | "response.completed"
            | "response.failed"
            | "response.incomplete"
            | "response.cancelled"
    )
}
