//! An answer that is a stream: its upstream's bytes become events of the log, and its end the end of the answer.

use std::{
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

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
        dialect::{Broken, Dialect, Outcome, Reading, failure_of_body},
        lines::Lines,
        measures::Ending,
        publisher::{Lost, Publisher},
    },
    Over,
    body::{text, unpacked},
    broken, is_stream,
    unreachable::unreachable,
    watch::{Watch, Within},
};

/// What an event counts beside its text, so that many empty ones have a bound too (max_answer).
const ENVELOPE: usize = 64;

/// How much is held of a body that has no event yet: it may be an error that is no stream.
const MAX_BARE: usize = 64 << 10;

/// How an upstream may end an answer to which nothing is missing: without a word, or not at all.
const RUDE_ENDS: [&str; 3] = ["upstream_died", "upstream_stalled", "answer_timeout"];

/// What the upstream's bytes are read by.
enum Source {
    Events(Decoder),
    Lines(Lines),
}

impl Source {
    fn of(answer: &Answer, max_event: usize) -> Self {
        let decoder = || {
            Decoder::new().with_limits(Limits {
                max_line: max_event.saturating_add(64),
                max_event,
                ..Limits::default()
            })
        };
        match answer.lines() {
            Some(_) => Self::Lines(Lines::new(max_event)),
            None => Self::Events(decoder()),
        }
    }
}

/// An answer that has become a stream.
pub(super) struct Streaming<'a> {
    relay: &'a Relay,
    answer: &'a Arc<Answer>,
    route: &'a Route,
    publisher: Publisher,
    reading: Reading,
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
        dialect: Option<Dialect>,
        headers: HeaderMap,
        asked_at: Instant,
    ) -> Self {
        answer.set_form(dialect, headers);
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
            reading: Reading::new(dialect),
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
            // An end now is in order, however it comes.
            Err(Over::Abandoned | Over::Stopped) if self.reading.may_end() => Over::Done,
            Err(Over::Broken(why)) if self.reading.may_end() && RUDE_ENDS.contains(&why.code) => Over::Done,
            Err(over) => over,
        }
    }

    async fn read_on(&mut self, watch: &mut Watch, response: Response) -> Result<(), Over> {
        let mut source = Source::of(self.answer, self.route.limits.max_event);
        let status = response.status();
        let mut body = unpacked(response)?;
        let mut bare = Vec::new();
        loop {
            let has_begun = self.publisher.count() > 0;
            let limit = match has_begun {
                true => self.route.times.idle,
                false => self.until_first_event(),
            };
            let next = self.next_piece(&mut body);
            let piece = match watch.within(limit, next).await? {
                Within::Ready(Ok(piece)) => piece,
                Within::Ready(Err(Either::Right(lost))) => return Err(lost.into()),
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
            if !has_begun {
                let room = MAX_BARE.saturating_sub(bare.len()).min(piece.len());
                bare.extend_from_slice(&piece[..room]);
            }
            // The log may be slow: that does not keep the upstream of an answer that is over.
            match &mut source {
                Source::Events(decoder) => {
                    let mut items = decoder.feed(&piece);
                    while let Some(item) = items.next() {
                        watch.unless_over(self.publish(item)).await?;
                    }
                }
                Source::Lines(lines) => {
                    let complete = lines.feed(&piece).map_err(|_| self.overlong_line())?;
                    for line in complete {
                        watch.unless_over(self.publish_event("", None, &line)).await?;
                    }
                }
            }
            if self.publisher.count() > 0 {
                bare = Vec::new();
            }
            // Comments, and all else that makes no event.
            let packed = usize::try_from(body.packed()).unwrap_or(usize::MAX);
            self.check_size(self.came.max(packed))?;
        }
        match source {
            // Some forget the last blank line.
            Source::Events(mut decoder) => {
                if let Some(item) = decoder.finish(Unfinished::Keep) {
                    self.publish(item).await?;
                }
            }
            Source::Lines(lines) => {
                if let Some(line) = lines.finish() {
                    self.answer.set_unended(self.answer.next_number());
                    self.publish_event("", None, &line).await?;
                }
            }
        }
        if self.publisher.count() > 0 || is_silence(&bare) {
            return Ok(());
        }
        let bare = String::from_utf8_lossy(&bare).into_owned();
        match failure_of_body(&bare) {
            Some(_) => Err(Over::Refused(status, bare)),
            None => broken("upstream_empty", "the upstream's stream held no event"),
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

    async fn publish(&mut self, item: Item<'_>) -> Result<(), Over> {
        let event = match item {
            Item::Event(event) => event,
            Item::Overlong(why) => return broken("event_too_large", why.to_string()),
            // Not asked for.
            Item::Comment(_) | Item::Retry(_) => return Ok(()),
        };
        let name = event.has_name.then_some(event.name);
        self.publish_event(event.name, name, event.data).await
    }

    /// One that is read with a name, and has it in the stream.
    async fn publish_event(&mut self, read_as: &str, name: Option<&str>, data: &str) -> Result<(), Over> {
        if self.publisher.count() == 0 {
            self.relay
                .measures(self.answer)
                .first_event(self.asked_at.elapsed());
            self.decide(read_as, data).await;
        }
        self.bytes += data.len() + read_as.len() + ENVELOPE;
        self.check_size(self.bytes)?;
        self.reading.see(read_as, data);
        let number = self.reading.next_number();
        self.answer.sequence.store(number, Ordering::Relaxed);
        match self.publisher.event(name, data).await {
            Err(Lost::Refused(Error::ReservedName { name })) => {
                return broken(
                    "reserved_event",
                    format!("the upstream sent an event named {name:?}, which is the relay's own"),
                );
            }
            sent => sent?,
        }
        self.relay.measures(self.answer).event(data.len());
        Ok(())
    }

    /// The first event shows the dialect, if nothing before it did and nothing of ours has gone out.
    async fn decide(&mut self, name: &str, data: &str) {
        if self.answer.dialect().is_some() {
            return;
        }
        let shown = || Dialect::of_event(name, data).unwrap_or_default();
        if self.answer.decided(shown) != Dialect::Unknown {
            self.publisher.head(self.route).await;
        }
    }

    fn overlong_line(&self) -> Over {
        let max = self.route.limits.max_event;
        Over::Broken(Broken {
            code: "event_too_large",
            message: format!("the upstream sent a line of more than {max} bytes (max_event)"),
        })
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
        let stopped = |code, message: &str| Broken {
            code,
            message: message.to_owned(),
        };
        let (ending, last) = match over {
            // An answer without any event has none that could have been its last.
            Over::Done if self.publisher.count() == 0 => (Ending::Truncated, Vec::new()),
            Over::Done => (self.reading.outcome().into(), Vec::new()),
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
                (Ending::Stopped, self.answer.broken(&why))
            }
            Over::Abandoned => {
                let why = stopped(
                    "abandoned",
                    "nobody was reading the answer, so its upstream was stopped",
                );
                (Ending::Abandoned, self.answer.broken(&why))
            }
            Over::Broken(why) => {
                tracing::warn!(
                    route = self.route.path,
                    code = why.code,
                    "an answer broke off: {}",
                    why.message
                );
                (Ending::Broken, self.answer.broken(&why))
            }
            Over::Refused(status, body) => {
                let dialect = self.answer.decided(Dialect::default);
                let number = self.reading.next_number();
                (Ending::Broken, dialect.refused(status.as_u16(), &body, number))
            }
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
        self.answer.set_ending(how);
        self.relay.inner.answers.stopped_running(self.answer, how);
    }

    fn note_end(&self, how: Ending) {
        let now = self.relay.times().stamp;
        self.relay.inner.answers.ended(self.answer, now, how);
        self.relay
            .measures(self.answer)
            .ended(how, self.asked_at.elapsed());
    }
}

impl From<Outcome> for Ending {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Whole | Outcome::Ended => Self::Done,
            Outcome::Stopped => Self::Stopped,
            Outcome::Failed => Self::Failed,
            Outcome::Truncated => Self::Truncated,
        }
    }
}

/// Whether the body of an event stream without events is one all the same: it holds comments, and fields of events that did
/// not come.
fn is_silence(body: &[u8]) -> bool {
    const FIELDS: [&[u8]; 4] = [b"event", b"id", b"data", b"retry"];
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let mut lines = body.split(|&byte| matches!(byte, b'\r' | b'\n'));
    lines.all(|line| {
        let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
        name.is_empty() || FIELDS.contains(&name)
    })
}

fn is_bomb(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(<dyn std::error::Error + Send + Sync>::is::<Bomb>)
}
