//! An answer: what it is at, who reads it, and whether it is to stop.

use std::{
    net::IpAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{HeaderMap, HeaderValue, header};
use tidewire_codec::Event;
use tidewire_doors::{Problem, guard::Principal};
use tidewire_hub::TopicSet;
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{
    asker::Asker,
    config::{OnDisconnect, Route},
    dialect::{Broken, Dialect},
    measures::Ending,
    scope::Hash,
    stream::StreamId,
    whole::Whole,
};

/// What an answer is at.
#[derive(Clone)]
pub(super) enum Phase {
    /// The upstream has not answered yet.
    Asking,
    /// It is a stream; events come.
    Streaming,
    /// It was no stream, or there was no answer: nothing is kept of it.
    Nothing,
    /// All of it has come, or no more will.
    Ended,
    /// It is no stream, and all of it is there for the twins of its request.
    Whole(Arc<Whole>),
    /// There was no answer, for this reason, which is shared by the twins of its request.
    Failed(Problem),
}

/// What an answer is known by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named {
    pub(super) stream: StreamId,
    /// Which route, by its place in the config.
    pub(super) route: usize,
    /// Whose it is.
    pub(super) owner: Hash,
    /// Of the request's method, path and body.
    pub(super) request: Hash,
    pub(super) key: Option<Hash>,
    pub(super) chat: Option<Hash>,
    /// A hash of its owner, all credentials and the request: a retry has the same one.
    pub(super) retry: Option<Hash>,
}

/// Whose share of the places for running answers an answer takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    /// That of the holders of tokens, which has no bound of its own.
    OfToken,
    /// That of callers without one, from this network if it is known.
    OfStranger(Option<IpAddr>),
}

impl Share {
    pub(super) fn of(caller: &Principal) -> Self {
        match caller.token() {
            Some(_) => Self::OfToken,
            None => Self::OfStranger(caller.network()),
        }
    }
}

/// Where the head of an answer is: what its asker gets first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HeadAt {
    Due,
    Delivered,
    /// Its asker has gone, and no retry may claim it.
    Unwanted,
}

/// See the module's text.
pub(super) struct Answer {
    pub(super) named: Named,
    /// Which client asks for it.
    asker: Asker,
    /// A reader has come back for it.
    has_returned: AtomicBool,
    head: watch::Sender<HeadAt>,
    /// Whose share of the places it takes.
    pub(super) share: Share,
    pub(super) topics: TopicSet,
    phase: watch::Sender<Phase>,
    readers: watch::Sender<usize>,
    /// Somebody wants the upstream to be stopped.
    pub(super) stop: CancellationToken,
    /// The log does not take its events: readers are told by us, and not by the log.
    lost: watch::Sender<Option<Broken>>,
    dialect: OnceLock<Dialect>,
    /// The number that an error of ours has, where its dialect numbers events.
    pub(super) sequence: AtomicU64,
    ending: OnceLock<Ending>,
    /// What each reader gets of the upstream's headers.
    headers: OnceLock<HeaderMap>,
    pub(super) events: AtomicU64,
    /// Of a stream of lines, the number of the last one if it has no end. A restart forgets it, and gives it one.
    unended: OnceLock<u64>,
    /// It no longer counts among those that run.
    pub(super) has_stopped: AtomicBool,
}

impl Answer {
    pub(super) fn new(named: Named, share: Share, asker: Asker, topics: TopicSet, phase: Phase) -> Arc<Self> {
        Arc::new(Self {
            named,
            asker,
            has_returned: AtomicBool::new(false),
            head: watch::Sender::new(HeadAt::Due),
            share,
            topics,
            phase: watch::Sender::new(phase),
            readers: watch::Sender::new(0),
            stop: CancellationToken::new(),
            lost: watch::Sender::new(None),
            dialect: OnceLock::new(),
            sequence: AtomicU64::new(0),
            ending: OnceLock::new(),
            headers: OnceLock::new(),
            events: AtomicU64::new(0),
            unended: OnceLock::new(),
            has_stopped: AtomicBool::new(false),
        })
    }

    pub(super) fn set_phase(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    /// Whether it is one that can be read, running or not.
    pub(super) fn is_stream(&self) -> bool {
        matches!(*self.phase.borrow(), Phase::Streaming | Phase::Ended)
    }

    /// Waits until it is known whether it is a stream.
    pub(super) async fn settled(&self) -> Phase {
        let mut phase = self.phase.subscribe();
        let settled = phase.wait_for(|phase| !matches!(phase, Phase::Asking)).await;
        // The sender is here.
        settled.map_or(Phase::Nothing, |phase| phase.clone())
    }

    /// It is a stream of this dialect, if it is known already, with these headers for each reader. Counts once.
    pub(super) fn set_form(&self, dialect: Option<Dialect>, headers: HeaderMap) {
        // A stream that began before the upstream's headers were there keeps what its first reader was told.
        if let Some(dialect) = dialect {
            let _ = self.dialect.set(dialect);
        }
        let _ = self.headers.set(headers);
    }

    /// Its dialect, if it is decided.
    pub(super) fn dialect(&self) -> Option<Dialect> {
        self.dialect.get().copied()
    }

    /// Its dialect from now on, as a byte goes out that depends on it: this one, if it is not decided.
    pub(super) fn decided(&self, otherwise: impl FnOnce() -> Dialect) -> Dialect {
        *self.dialect.get_or_init(otherwise)
    }

    /// How it has ended, or is about to: readers have not seen its end yet.
    pub(super) fn set_ending(&self, how: Ending) {
        let _ = self.ending.set(how);
    }

    pub(super) fn ending(&self) -> Option<Ending> {
        self.ending.get().copied()
    }

    /// The events that end it for readers when it breaks off.
    pub(super) fn broken(&self, why: &Broken) -> Vec<Event> {
        let dialect = self.decided(Dialect::default);
        dialect.broken(why, self.sequence.load(Ordering::Relaxed))
    }

    /// The type of its body, if that is a stream of lines. No other answer keeps its type.
    pub(super) fn lines(&self) -> Option<&HeaderValue> {
        self.headers.get()?.get(header::CONTENT_TYPE)
    }

    /// The line with this number has no end.
    pub(super) fn set_unended(&self, number: u64) {
        let _ = self.unended.set(number);
    }

    pub(super) fn unended(&self) -> Option<u64> {
        self.unended.get().copied()
    }

    pub(super) fn headers(&self) -> HeaderMap {
        self.headers.get().cloned().unwrap_or_default()
    }

    /// The number of its next event, from 1.
    pub(super) fn next_number(&self) -> u64 {
        self.events.load(Ordering::Relaxed) + 1
    }

    /// There is an event with that number. Only who publishes it says so.
    pub(super) fn took_number(&self) {
        self.events.fetch_add(1, Ordering::Relaxed);
    }

    /// The log takes no more of it.
    pub(super) fn lose(&self, why: Broken) {
        self.lost.send_replace(Some(why));
    }

    /// Resolves when the log takes no more of it.
    pub(super) async fn lost(self: Arc<Self>) -> Broken {
        let mut lost = self.lost.subscribe();
        let found = lost
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|why| why.clone());
        match found {
            Some(why) => why,
            None => std::future::pending().await,
        }
    }

    /// One more reader, who counts until this is dropped.
    pub(super) fn join(self: &Arc<Self>) -> Reader {
        self.readers.send_modify(|count| *count += 1);
        Reader(Arc::clone(self))
    }

    /// One more reader, whose client has come back for the answer: so may the next.
    pub(super) fn join_again(self: &Arc<Self>) -> Reader {
        self.has_returned.store(true, Ordering::Relaxed);
        self.join()
    }

    /// Its asker has the head.
    pub(super) fn head_delivered(&self) {
        self.head.send_replace(HeadAt::Delivered);
    }

    /// No retry of its asker may claim its head any more.
    pub(super) fn head_unwanted(&self) {
        self.head.send_if_modified(|head| {
            let is_due = *head == HeadAt::Due;
            if is_due {
                *head = HeadAt::Unwanted;
            }
            is_due
        });
    }

    pub(super) fn is_head_due(&self) -> bool {
        *self.head.borrow() == HeadAt::Due
    }

    /// Resolves when its head is delivered, or never will be.
    pub(super) async fn head_settled(&self) {
        let mut head = self.head.subscribe();
        let _ = head.wait_for(|head| *head != HeadAt::Due).await;
    }

    fn on_disconnect(&self, route: &Route, wants_stream: bool) -> OnDisconnect {
        let asker = match self.has_returned.load(Ordering::Relaxed) {
            true => Asker::MayReturn,
            false => self.asker,
        };
        // An answer that is passed on is nobody's when its client has gone.
        let is_kept = wants_stream || self.named.key.is_some() || self.is_stream();
        let has_head = *self.head.borrow() == HeadAt::Delivered;
        asker.on_disconnect(route, is_kept, has_head)
    }

    /// Resolves when the upstream is no longer wanted, as nobody reads.
    pub(super) async fn abandoned(&self, route: &Route, wants_stream: bool) {
        let mut readers = self.readers.subscribe();
        loop {
            if readers.wait_for(|count| *count == 0).await.is_err() {
                return;
            }
            let grace = match self.on_disconnect(route, wants_stream) {
                // A reader may come and go, and change that.
                OnDisconnect::Finish => None,
                OnDisconnect::Cancel => Some(Duration::ZERO),
                OnDisconnect::Grace(grace) => Some(grace),
            };
            tokio::select! {
                () = at_most(grace) => return,
                _ = readers.wait_for(|count| *count > 0) => {}
            }
        }
    }
}

async fn at_most(grace: Option<Duration>) {
    match grace {
        Some(grace) => sleep(grace).await,
        None => std::future::pending().await,
    }
}

/// Somebody who gets an answer.
pub(super) struct Reader(Arc<Answer>);

impl Reader {
    pub(super) fn answer(&self) -> &Arc<Answer> {
        &self.0
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.readers.send_modify(|count| *count -= 1);
    }
}
