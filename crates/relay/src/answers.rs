//! All answers that run or are kept, and what they are found by: their names, idempotency keys, chats.
//!
//! Bounds: running answers in all, of a route, of one owner, of callers without a token and of such from one network (one
//! more is refused), answers in all (the oldest that has ended goes
//! first), and as many names of answers that are gone, so that who asks is told that they were there.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    net::IpAddr,
    sync::{Arc, atomic::Ordering},
};

use http::{HeaderValue, StatusCode, header};
use parking_lot::Mutex;
use tidewire_doors::Problem;
use tidewire_hub::{Millis, clock::millis};
use tokio::sync::oneshot::Receiver;

use super::{
    answer::{Answer, Named, Phase, Reader, Share},
    config::{Config, Owner},
    measures::Ending,
    scope::Hash,
    stream::StreamId,
    upstream::Head,
    whole::Whole,
};

#[derive(Default)]
pub(super) struct Answers(Mutex<Table>);

#[derive(Default)]
struct Table {
    by_stream: HashMap<StreamId, Arc<Answer>>,
    by_key: HashMap<Hash, Arc<Answer>>,
    /// Those of a chat that run, the newest last.
    by_chat: HashMap<Hash, Vec<Arc<Answer>>>,
    running: Running,
    /// Those that have ended, in order.
    ended: HashMap<Line, VecDeque<(Millis, Arc<Answer>)>>,
    /// Those whose askers went before their heads, by what a retry is known by: each as long as its call, and 3 s at most.
    orphans: HashMap<Hash, Vec<Orphan>>,
    gone: HashSet<StreamId>,
    gone_in_order: VecDeque<StreamId>,
}

/// Where an answer that has ended is found in the order of its end: each route keeps its own for another time, and only those
/// that are no streams hold memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Line {
    route: usize,
    is_whole: bool,
}

/// How many run, in all and of what has a share.
#[derive(Default)]
struct Running {
    all: usize,
    of_owner: HashMap<Hash, usize>,
    of_route: HashMap<usize, usize>,
    of_strangers: usize,
    /// Of those of strangers.
    of_network: HashMap<IpAddr, usize>,
}

/// An answer whose asker went before its head, and what its retry needs.
pub(super) struct Orphan {
    pub(super) answer: Arc<Answer>,
    pub(super) head: Receiver<Head>,
    /// The retry count that may adopt it.
    pub(super) next_try: u32,
}

/// What a name stands for.
pub(super) enum Found {
    Here(Arc<Answer>),
    /// It was there, and has been let go.
    Gone,
    Unknown,
}

/// What came of taking a place for a new answer.
pub(super) enum Taken {
    New(Reader),
    /// The same request is being answered, or has been.
    Same(Arc<Answer>),
}

/// Whether an answer of this route that ended then has been kept long enough.
pub(super) fn is_due(ended: Millis, route: usize, config: &Config, now: Millis) -> bool {
    ended.saturating_add(millis(config.routes[route].keep)) <= now
}

/// Whether a key goes on standing for an answer that ended so. Who got half of one and asks again with the same key wants the
/// whole, and not the same half.
fn keeps_key(how: Ending) -> bool {
    matches!(how, Ending::Done | Ending::Stopped)
}

impl Answers {
    pub(super) fn find(&self, stream: StreamId) -> Found {
        let table = self.0.lock();
        match table.by_stream.get(&stream) {
            // Until it is a stream nobody knows its name.
            Some(answer) => Found::Here(Arc::clone(answer)),
            None if table.gone.contains(&stream) => Found::Gone,
            None => Found::Unknown,
        }
    }

    /// The answer that a chat is at, or waits for.
    pub(super) fn of_chat(&self, chat: Hash) -> Option<Arc<Answer>> {
        self.0.lock().by_chat.get(&chat)?.last().cloned()
    }

    /// Takes a place for a new answer, unless its key has one already. The reader that comes back counts from now on.
    ///
    /// # Errors
    /// 422 if the key came with another request; 429 if too many run.
    pub(super) fn take(&self, answer: &Arc<Answer>, config: &Config) -> Result<Taken, Problem> {
        let named = answer.named;
        let mut guard = self.0.lock();
        let table = &mut *guard;
        if let Some(same) = named.key.and_then(|key| table.by_key.get(&key)) {
            return match same.named.request == named.request {
                true => Ok(Taken::Same(Arc::clone(same))),
                false => Err(Problem::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "key_reused",
                    "this Idempotency-Key came with another request before: give each request a key of its own",
                )),
            };
        }
        table.running.take(answer, config)?;
        table.insert(answer, true);
        if let Some(chat) = named.chat {
            table.by_chat.entry(chat).or_default().push(Arc::clone(answer));
        }
        Ok(Taken::New(answer.join()))
    }

    /// An answer from before a restart, which ended so.
    pub(super) fn recall(&self, answer: &Arc<Answer>, at: Millis, how: Ending) {
        let mut table = self.0.lock();
        // Another one, whole, may have the key of one that is not.
        table.insert(answer, keeps_key(how));
        table.note_end(answer, at, how, Phase::Ended);
    }

    /// It is no stream: its keys are free again. Its place is not, as long as it is passed on.
    pub(super) fn pass_on(&self, answer: &Arc<Answer>) {
        self.0.lock().forget(answer);
    }

    /// Nothing comes of it, or it has been passed on: its keys and its place are free again.
    pub(super) fn release(&self, answer: &Arc<Answer>) {
        // In this order: who is waiting for it takes its place anew.
        let mut table = self.0.lock();
        table.stopped_running(answer);
        table.forget(answer);
    }

    /// Nothing comes of it, which the twins of its request are told too: none of them asks for itself.
    pub(super) fn fail(&self, answer: &Arc<Answer>, why: Problem) {
        self.close(answer, Phase::Failed(why));
    }

    /// It is no stream, and all of it is here: for the twins that wait, and where it is a success for later ones.
    pub(super) fn keep_whole(&self, answer: &Arc<Answer>, whole: &Arc<Whole>, at: Millis) {
        let phase = Phase::Whole(Arc::clone(whole));
        if !whole.may_be_replayed() {
            return self.close(answer, phase);
        }
        let mut table = self.0.lock();
        table.stopped_running(answer);
        table.note_end(answer, at, Ending::Done, phase);
    }

    fn close(&self, answer: &Arc<Answer>, phase: Phase) {
        let mut table = self.0.lock();
        table.stopped_running(answer);
        table.remove(answer);
        answer.set_phase(phase);
    }

    /// Lets the oldest go that is no stream. False if there is none.
    pub(super) fn forget_whole(&self) -> bool {
        let mut table = self.0.lock();
        let oldest = table.pop_oldest(|line, _| line.is_whole);
        drop(table);
        oldest.is_some()
    }

    /// Its upstream is done with: the next one may run. To be said before readers see its end, or whoever asks again at
    /// once is refused, or gets the same end.
    pub(super) fn stopped_running(&self, answer: &Answer, how: Ending) {
        let mut table = self.0.lock();
        table.stopped_running(answer);
        table.free_key_after(answer, how);
    }

    pub(super) fn ended(&self, answer: &Arc<Answer>, at: Millis, how: Ending) {
        let mut table = self.0.lock();
        table.stopped_running(answer);
        table.note_end(answer, at, how, Phase::Ended);
    }

    /// Leaves it to its retry, unless its call is over.
    pub(super) fn orphan(&self, orphan: Orphan) {
        let mut table = self.0.lock();
        if let Some(retry) = orphan.answer.named.retry
            && orphan.answer.is_head_due()
        {
            table.orphans.entry(retry).or_default().push(orphan);
        }
    }

    /// An orphan for this retry, which nobody else gets, and its reader.
    pub(super) fn adopt(&self, retry: Hash, try_number: u32) -> Option<(Orphan, Reader)> {
        self.0
            .lock()
            .take_orphan(retry, |orphan| orphan.next_try == try_number)
    }

    /// Its call is over: no retry adopts it from now on. To be dropped when nothing is locked, with the place that it may have.
    pub(super) fn disown(&self, answer: &Answer) -> Option<Orphan> {
        let mut table = self.0.lock();
        answer.head_unwanted();
        let is_it = |orphan: &Orphan| orphan.answer.named.stream == answer.named.stream;
        let (orphan, _) = table.take_orphan(answer.named.retry?, is_it)?;
        Some(orphan)
    }

    /// One from before a restart that had been kept long enough.
    pub(super) fn recall_gone(&self, stream: StreamId, config: &Config) {
        self.0.lock().note_gone(stream, config);
    }

    /// Lets those go that have been kept long enough, or that are too many.
    pub(super) fn expire(&self, config: &Config, now: Millis) -> Vec<StreamId> {
        let mut table = self.0.lock();
        std::iter::from_fn(|| table.expire_one(config, now)).collect()
    }

    pub(super) fn running(&self) -> usize {
        self.0.lock().running.all
    }

    pub(super) fn kept(&self) -> usize {
        self.0.lock().by_stream.len()
    }
}

impl Running {
    /// # Errors
    /// 429: there is no place.
    fn take(&mut self, answer: &Answer, config: &Config) -> Result<(), Problem> {
        let Named { owner, route, .. } = answer.named;
        let has_room = |running: usize, max: usize, which: &str, what: &str| match running < max {
            true => Ok(()),
            false => Err(busy(format!(
                "{max} answers {which} are running already, the most that may{what}"
            ))),
        };
        let again = ": try again when one has ended";
        has_room(self.all, config.max_running, "in all", again)?;
        let limits = &config.routes[route].limits;
        // Without owners there are only credentials, and one of these is that of a backend with many users.
        let owner = (config.routes[route].owner != Owner::Capability).then_some(owner);
        if let Some(owner) = owner {
            let own = self.of_owner.get(&owner).copied().unwrap_or_default();
            let max = limits.max_running_per_owner;
            has_room(own, max, "of yours", ": stop one, or wait until one has ended")?;
        }
        let of_route = self.of_route.get(&route).copied().unwrap_or_default();
        has_room(of_route, config.max_running_of(route), "of this route", again)?;
        if let Share::OfStranger(network) = answer.share {
            let show = ": show a token, or try again when one has ended";
            let max = config.max_running_without_token.unwrap_or(usize::MAX);
            has_room(self.of_strangers, max, "of callers without a token", show)?;
            if let Some((network, max)) = network.zip(config.max_running_per_network) {
                let there = self.of_network.entry(network).or_default();
                has_room(*there, max, "of your address", show)?;
                *there += 1;
            }
            self.of_strangers += 1;
        }
        self.all += 1;
        if let Some(owner) = owner {
            *self.of_owner.entry(owner).or_default() += 1;
        }
        self.of_route.insert(route, of_route + 1);
        Ok(())
    }

    fn give_back(&mut self, answer: &Answer) {
        let Named { owner, route, .. } = answer.named;
        self.all -= 1;
        one_less(&mut self.of_owner, &owner);
        one_less(&mut self.of_route, &route);
        if let Share::OfStranger(network) = answer.share {
            self.of_strangers -= 1;
            if let Some(network) = network {
                one_less(&mut self.of_network, &network);
            }
        }
    }
}

fn one_less<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

fn busy(detail: String) -> Problem {
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "busy", detail);
    problem.with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
}

impl Table {
    fn insert(&mut self, answer: &Arc<Answer>, with_key: bool) {
        let named = answer.named;
        self.by_stream.insert(named.stream, Arc::clone(answer));
        if let Some(key) = named.key.filter(|_| with_key) {
            self.by_key.insert(key, Arc::clone(answer));
        }
    }

    fn expire_one(&mut self, config: &Config, now: Millis) -> Option<StreamId> {
        let is_many = self.by_stream.len() > config.max_kept;
        let answer = self.pop_oldest(|line, at| is_many || is_due(at, line.route, config, now))?;
        self.note_gone(answer.named.stream, config);
        Some(answer.named.stream)
    }

    /// Takes the one that ended first of those at the front of a line that are like this.
    fn pop_oldest(&mut self, is_one: impl Fn(Line, Millis) -> bool) -> Option<Arc<Answer>> {
        let fronts = self.ended.iter().filter_map(|(line, ended)| {
            let (at, _) = ended.front()?;
            is_one(*line, *at).then_some((*at, *line))
        });
        let (_, line) = fronts.min()?;
        let (_, answer) = self.ended.get_mut(&line)?.pop_front()?;
        self.remove(&answer);
        Some(answer)
    }

    fn take_orphan(&mut self, retry: Hash, is_it: impl Fn(&Orphan) -> bool) -> Option<(Orphan, Reader)> {
        let orphans = self.orphans.get_mut(&retry)?;
        let at = orphans.iter().position(is_it)?;
        let orphan = orphans.remove(at);
        if orphans.is_empty() {
            self.orphans.remove(&retry);
        }
        let reader = orphan.answer.join();
        Some((orphan, reader))
    }

    fn note_gone(&mut self, stream: StreamId, config: &Config) {
        if self.gone.insert(stream) {
            self.gone_in_order.push_back(stream);
        }
        if self.gone_in_order.len() > config.max_kept
            && let Some(oldest) = self.gone_in_order.pop_front()
        {
            self.gone.remove(&oldest);
        }
    }

    /// It is no stream.
    fn forget(&mut self, answer: &Arc<Answer>) {
        self.remove(answer);
        self.leave_chat(answer);
        answer.set_phase(Phase::Nothing);
    }

    fn remove(&mut self, answer: &Arc<Answer>) {
        self.by_stream.remove(&answer.named.stream);
        self.free_key(answer);
    }

    fn free_key_after(&mut self, answer: &Answer, how: Ending) {
        if !keeps_key(how) {
            self.free_key(answer);
        }
    }

    fn free_key(&mut self, answer: &Answer) {
        // A newer answer may stand there.
        if let Some(key) = answer.named.key
            && self
                .by_key
                .get(&key)
                .is_some_and(|other| other.named.stream == answer.named.stream)
        {
            self.by_key.remove(&key);
        }
    }

    fn note_end(&mut self, answer: &Arc<Answer>, at: Millis, how: Ending, phase: Phase) {
        self.free_key_after(answer, how);
        let line = Line {
            route: answer.named.route,
            is_whole: matches!(phase, Phase::Whole(_)),
        };
        answer.set_phase(phase);
        let ended = self.ended.entry(line).or_default();
        // Nearly always the last; after a restart they come in the order in which they began.
        let place = ended.partition_point(|(other, _)| *other <= at);
        ended.insert(place, (at, Arc::clone(answer)));
    }

    /// Counts once.
    fn stopped_running(&mut self, answer: &Answer) {
        if answer.has_stopped.swap(true, Ordering::Relaxed) {
            return;
        }
        self.running.give_back(answer);
        self.leave_chat(answer);
    }

    fn leave_chat(&mut self, answer: &Answer) {
        if let Some(chat) = answer.named.chat
            && let Some(running) = self.by_chat.get_mut(&chat)
        {
            running.retain(|other| other.named.stream != answer.named.stream);
            if running.is_empty() {
                self.by_chat.remove(&chat);
            }
        }
    }
}
