//! Concurrent publishing, retrying, purging, subscribing, resuming, slow reading and eviction, over archives that keep
//! everything and such that wait and are full now and then, with a model as judge.
//!
//! Every reader must see exactly its topics' events after its cursor, in order, once, or be told of a
//! gap exactly when one of *its* events is gone. (One concession: an event of two topics that was purged in one of
//! them may be told as gone to who reads both and then gets it through the other.)
//!
//! The same again with three hubs that follow one order, which loses, repeats, delays and refuses: publishers and readers go from hub
//! to hub, each retry with its key, each reader with its cursor and behind a barrier. Each seed is a run of its own:
//!
//! - `TIDEWIRE_STRESS_SEEDS`: how many (30);
//! - `TIDEWIRE_STRESS_SEED`: the first (1). A failure names its seed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed"
)]

mod support;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use parking_lot::Mutex;

use support::{
    Reader,
    scripted::{Fail, Scripted},
    shared::{Faults, Shared},
    topic,
};
use tidewire_codec::Event;
use tidewire_hub::{
    Config, Cut, Draft, Encoding, Error, Health, Hub, IdempotencyKey, Outcome, Position, Proposal, Receipt,
    Record, Resume, Seq, Start, TopicSet,
    archive::{Memory, Retention},
};
use tokio::runtime::{Builder, Runtime};

const TOPICS: usize = 6;
const PUBLISHERS: u64 = 4;
const READERS: u64 = 12;
const EVENTS: usize = 250;

/// What was acknowledged: the only truth.
#[derive(Default)]
struct Model {
    events: BTreeMap<Seq, (TopicSet, String)>,
    purges: Vec<(Seq, TopicSet)>,
    /// See [`Judged::again`].
    again: usize,
    /// Nobody knows whether they count.
    unknown: Vec<(TopicSet, String)>,
}

impl Model {
    fn add(&mut self, other: Self) {
        self.events.extend(other.events);
        self.purges.extend(other.purges);
        self.again += other.again;
        self.unknown.extend(other.unknown);
    }

    /// Holds the log of a node against what was acknowledged: nothing is missing, nothing is there twice. What is there of unknown outcome
    /// counts from now on.
    fn compare(&mut self, log: &[Arc<Record>]) {
        let mut there = BTreeMap::new();
        for record in log {
            if let Some(event) = record.event().filter(|event| event.data != "end") {
                let twice = there.insert(event.data.clone(), record.seq);
                assert_eq!(twice, None, "{:.20} is there twice", event.data);
            }
        }
        for (topics, data) in self.unknown.drain(..) {
            if let Some(seq) = there.get(&data) {
                self.events.insert(*seq, (topics, data));
            }
        }
        let acknowledged = self.events.iter().filter(|(_, (_, data))| data != "end");
        let acknowledged: BTreeMap<_, _> = acknowledged
            .map(|(seq, (_, data))| (data.clone(), *seq))
            .collect();
        assert!(there == acknowledged, "the log has what was acknowledged");
    }

    /// The reader's next event after a cursor.
    fn next(&self, reads: &TopicSet, cursor: Seq) -> Option<Seq> {
        let mut later = self.events.range(cursor.next()..);
        let next = later.find(|(_, (topics, _))| topics.iter().any(|topic| reads.contains(topic)));
        next.map(|(seq, _)| *seq)
    }

    /// Whether an event had been purged, at a moment, from any or from all of the topics by which the reader has it.
    fn purged(&self, seq: Seq, reads: &TopicSet, at: Seq, from: From) -> bool {
        let mut mine = self.events[&seq].0.iter().filter(|topic| reads.contains(topic));
        let purged = |topic| {
            let mut purges = self.purges.iter();
            purges.any(|(purge, topics)| seq < *purge && *purge <= at && topics.contains(topic))
        };
        match from {
            From::Any => mine.any(purged),
            From::All => mine.all(purged),
        }
    }
}

#[derive(Clone, Copy)]
enum From {
    Any,
    All,
}

fn threads() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap()
}

/// Time goes on at once where all wait.
fn hasty() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
}

#[test]
fn readers_see_exactly_their_events_or_are_told() {
    let threads = threads();
    let total = judge_all("stress", 30, |seed| threads.block_on(alone(seed)));
    assert!(total.refused > 0 || total.runs < 10, "no archive was ever full");
}

#[test]
fn readers_of_hubs_that_share_an_order_see_exactly_their_events_or_are_told() {
    let threads = threads();
    let total = judge_all("shared stress", 12, |seed| match seed % 4 {
        0 => threads.block_on(together(seed, false)),
        _ => hasty().block_on(together(seed, true)),
    });
    assert!(total.again > 0 || total.runs < 10, "the order lost nothing");
    assert!(total.restarts > 0 || total.runs < 10, "no hub was started again");
}

fn judge_all(name: &str, default: u64, run: impl Fn(u64) -> Judged) -> Judged {
    let number = |name, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (first, count) = (
        number("TIDEWIRE_STRESS_SEED", 1),
        number("TIDEWIRE_STRESS_SEEDS", default),
    );
    let mut total = Judged::default();
    for seed in first..first + count {
        let judged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(seed)));
        match judged {
            Ok(judged) => total.add(&judged),
            Err(panic) => {
                println!("failed with TIDEWIRE_STRESS_SEED={seed} TIDEWIRE_STRESS_SEEDS=1");
                std::panic::resume_unwind(panic);
            }
        }
    }
    println!("{name}: seeds {first}..{}: {total:?}", first + count);
    // The judge must have had something to judge, of every kind.
    assert!(total.events > 0 && total.resumed > 0 && total.live > 0);
    assert!(
        count < 10 || (total.gaps > 0 && total.purged > 0),
        "no gap in {count} runs: the bounds are too wide to test anything"
    );
    Judged { runs: count, ..total }
}

#[derive(Debug, Default)]
struct Judged {
    runs: u64,
    sessions: usize,
    live: usize,
    resumed: usize,
    gaps: usize,
    /// Those of them that only a purge explains.
    purged: usize,
    events: usize,
    refused: u64,
    /// Publishes that were sent again, as their outcome was not known.
    again: usize,
    restarts: usize,
}

impl Judged {
    fn add(&mut self, other: &Self) {
        self.sessions += other.sessions;
        self.live += other.live;
        self.resumed += other.resumed;
        self.gaps += other.gaps;
        self.purged += other.purged;
        self.events += other.events;
        self.refused += other.refused;
        self.again += other.again;
        self.restarts += other.restarts;
    }
}

/// One connection of a reader: where it started, what it got.
struct Session {
    topics: TopicSet,
    /// What it asked to go on from; where it began if it asked for something else.
    cursor: Seq,
    /// What had been purged by then it does not expect: it asked for what was kept.
    told: Seq,
    live: bool,
    items: Vec<Item>,
    /// It read to the end of the stream.
    ended: bool,
}

enum Item {
    Event {
        seq: Seq,
        data: String,
    },
    /// `visible`: a position of the log after the notice had come.
    Gap {
        resumed_after: Seq,
        visible: Seq,
    },
}

/// Hubs at which the same is to be read.
#[derive(Clone)]
struct Hubs(Arc<Mutex<Vec<Hub>>>);

impl Hubs {
    fn new(hubs: Vec<Hub>) -> Self {
        Self(Arc::new(Mutex::new(hubs)))
    }

    fn any(&self, rng: &mut fastrand::Rng) -> Hub {
        let hubs = self.0.lock();
        hubs[rng.usize(..hubs.len())].clone()
    }

    fn first(&self) -> Hub {
        self.0.lock()[0].clone()
    }

    fn are_many(&self) -> bool {
        self.0.lock().len() > 1
    }
}

fn config(rng: &mut fastrand::Rng) -> Config {
    Config {
        window: rng.usize(4..800) << 10,
        ..Config::default()
    }
}

fn memory(kept: usize) -> Memory {
    Memory::new(Retention {
        max_events: Some(kept),
        ..Retention::default()
    })
}

async fn alone(seed: u64) -> Judged {
    let mut rng = fastrand::Rng::with_seed(seed);
    let kept = rng.usize(10..400);
    let (config, archive) = (config(&mut rng), memory(kept));
    let hub = match rng.u8(..3) {
        0 => {
            let archive = Scripted::over(archive, rng.bool());
            archive.fail(Fail::Sometimes(rng.usize(2..20)));
            support::ordered::start_alone(config, archive).unwrap()
        }
        _ => support::ordered::start(config, archive).unwrap(),
    };
    run(seed, kept, Hubs::new(vec![hub]), None).await
}

async fn together(seed: u64, loses: bool) -> Judged {
    let mut rng = fastrand::Rng::with_seed(seed);
    let kept = rng.usize(10..400);
    let mut one_of = || rng.u32(5..60);
    let faults = Faults {
        lose: if loses { one_of() } else { 0 },
        hang: if loses { one_of() } else { 0 },
        twice: one_of(),
        refuse: one_of(),
        again: one_of(),
        late: one_of(),
    };
    let order = Shared::with(faults, seed);
    let mut restarts = 0;
    let mut hubs = Vec::new();
    for node in 1..=2 {
        let config = config(&mut rng);
        let hub = Hub::builder(config)
            .join(memory(kept), order.of(node))
            .await
            .unwrap();
        assert!(caught_up(&hub).await);
        hubs.push(hub);
    }
    // One is started again and again. It keeps its log.
    let (config, archive) = (config(&mut rng), Scripted::over(memory(kept), false));
    let join = async || {
        let hub = Hub::builder(config.clone())
            .join(archive.clone(), order.of(3))
            .await;
        let hub = hub.unwrap();
        assert!(caught_up(&hub).await);
        hub
    };
    hubs.push(join().await);
    let hubs = Hubs::new(hubs);
    let mut running = std::pin::pin!(run(seed, kept, hubs.clone(), Some(&archive)));
    let mut judged = loop {
        let pause = tokio::time::sleep(Duration::from_millis(rng.u64(50..400)));
        tokio::select! {
            judged = &mut running => break judged,
            () = pause => {
                let third = hubs.0.lock().remove(2);
                let restart = async {
                    if rng.bool() {
                        archive.want_snapshot();
                    }
                    third.drain().await;
                    drop(third);
                    if rng.bool() {
                        // As after a crash: all of it comes from the records.
                        archive.set_snapshot(None);
                    }
                    join().await
                };
                tokio::select! {
                    judged = &mut running => break judged,
                    hub = restart => hubs.0.lock().push(hub),
                }
                restarts += 1;
            }
        }
    };
    judged.restarts = restarts;
    for hub in &*hubs.0.lock() {
        assert_eq!(hub.health(), Health::Healthy);
    }
    judged
}

/// Waits until all is visible that had been ordered. False: the hub has ended.
async fn caught_up(hub: &Hub) -> bool {
    loop {
        match hub.barrier().await {
            Ok(()) => return true,
            Err(Error::Closed) => return false,
            Err(_) => {}
        }
    }
}

async fn run(seed: u64, kept: usize, hubs: Hubs, log: Option<&Scripted>) -> Judged {
    let mut readers = tokio::task::JoinSet::new();
    for reader in 0..READERS {
        readers.spawn(read(hubs.clone(), fastrand::Rng::with_seed(seed << 16 | reader)));
    }
    let mut publishers = tokio::task::JoinSet::new();
    for publisher in 0..PUBLISHERS {
        publishers.spawn(publish(
            hubs.clone(),
            fastrand::Rng::with_seed(seed << 16 | 1 << 15 | publisher),
            publisher,
        ));
    }
    let mut model = Model::default();
    for published in publishers.join_all().await {
        model.add(published);
    }
    // Each stream ends, so that every reader has an end to reach.
    for name in 0..TOPICS {
        let topics = TopicSet::from(topic(&name.to_string()));
        let draft = Draft::event(topics.clone(), Event::new("end")).unwrap().and_end();
        let draft = draft.with_key(IdempotencyKey::new("end").unwrap(), 0);
        let mut rng = fastrand::Rng::with_seed(seed);
        let seq = append(&hubs, &mut rng, draft, &mut model.again).await.seq;
        model.events.insert(seq, (topics, "end".into()));
    }
    let sessions: Vec<Session> = readers.join_all().await.into_iter().flatten().collect();

    if let Some(archive) = log {
        let last = model.events.last_key_value().map(|(seq, _)| *seq);
        while archive.log().last().map(|record| record.seq) < last {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        model.compare(&archive.log());
    }
    let mut judged = Judged {
        sessions: sessions.len(),
        refused: hubs.first().stats().refused,
        again: model.again,
        ..Judged::default()
    };
    for session in &sessions {
        judge(session, &model, kept, &mut judged);
    }
    judged
}

async fn publish(hubs: Hubs, mut rng: fastrand::Rng, publisher: u64) -> Model {
    let mut published = Model::default();
    for n in 0..EVENTS {
        let topics = some_topics(&mut rng, 2);
        // Now and then one that is larger than a reader gets at once.
        let most = if rng.u8(..) == 0 { 100_000 } else { 200 };
        let name = format!("{publisher}/{n}");
        let data = format!("{name}/{}", "x".repeat(rng.usize(..most)));
        let draft = Draft::event(topics.clone(), Event::new(data.clone())).unwrap();
        let key = IdempotencyKey::new(&name).unwrap();
        let seq = match rng.u8(..16) {
            0 => twice(&hubs, &mut rng, draft.with_key(key, 0), &mut published.again).await,
            1..8 if hubs.are_many() => match hubs.any(&mut rng).append(draft).await {
                Ok(receipt) => receipt.seq,
                Err(Error::Unordered) => continue,
                Err(Error::Closed | Error::OutcomeUnknown) => {
                    published.unknown.push((topics, data));
                    continue;
                }
                Err(error) => panic!("{error}"),
            },
            _ if hubs.are_many() => {
                let draft = draft.with_key(key, 0);
                append(&hubs, &mut rng, draft, &mut published.again).await.seq
            }
            _ => append(&hubs, &mut rng, draft, &mut published.again).await.seq,
        };
        published.events.insert(seq, (topics, data));
        if rng.u8(..) < 3 {
            let topics = some_topics(&mut rng, 2);
            let purge = Draft::purge(topics.clone());
            let key = IdempotencyKey::new(&format!("purge/{name}")).unwrap();
            let purge = append(&hubs, &mut rng, purge.with_key(key, 0), &mut published.again).await;
            published.purges.push((purge.seq, topics));
        }
        pause(&mut rng, 40).await;
    }
    published
}

/// A publish and its retry, which must be one.
async fn twice(hubs: &Hubs, rng: &mut fastrand::Rng, draft: Draft, again: &mut usize) -> Seq {
    let (mut other, mut more) = (rng.fork(), 0);
    let (first, second) = tokio::join!(
        append(hubs, rng, draft.clone(), again),
        append(hubs, &mut other, draft, &mut more)
    );
    *again += more;
    assert_eq!((first.seq, &first.id), (second.seq, &second.id));
    // Where the archive was full for both, either may have come first.
    let mut outcomes = [first.outcome, second.outcome];
    outcomes.sort_unstable_by_key(|outcome| *outcome == Outcome::Replayed);
    assert_eq!(outcomes[1], Outcome::Replayed);
    assert!(hubs.are_many() || outcomes[0] == Outcome::Appended);
    first.seq
}

/// A publish, until there is room for it and its outcome is known, each time at any hub.
async fn append(
    hubs: &Hubs,
    rng: &mut fastrand::Rng,
    draft: impl Into<Proposal>,
    again: &mut usize,
) -> Receipt {
    let draft = draft.into();
    loop {
        match hubs.any(rng).append(draft.clone()).await {
            Err(Error::Full { .. }) => {}
            Err(Error::Unordered | Error::OutcomeUnknown | Error::Closed) if hubs.are_many() => *again += 1,
            answer => return answer.unwrap(),
        }
    }
}

/// Connects, reads for a while, leaves, and comes again, until its streams end.
async fn read(hubs: Hubs, mut rng: fastrand::Rng) -> Vec<Session> {
    let topics = some_topics(&mut rng, TOPICS);
    let mut sessions = Vec::new();
    let mut start = match rng.u8(..3) {
        0 => Start::Live,
        1 => Start::Last(rng.usize(..50)),
        _ => Start::After(Start::EARLIEST.into()),
    };
    // Some readers are slower than retention.
    let pace = [0, 5, 60][rng.usize(..3)];
    loop {
        let hub = hubs.any(&mut rng);
        // A hub that cannot place the cursor catches up by itself.
        if hubs.are_many() && rng.bool() && !caught_up(&hub).await {
            continue;
        }
        let subscribed = hub.subscribe(topics.clone(), &start, Encoding::EventStream).await;
        let Ok(subscribed) = subscribed else {
            let error = subscribed.err().unwrap();
            assert!(matches!(error, Error::Closed | Error::Unordered), "{error}");
            continue;
        };
        let Some(mut reader) = Reader::of(subscribed) else {
            return sessions;
        };
        let began = reader.subscription.position().seq;
        let asked = match &start {
            Start::After(id) => id.parse().ok(),
            _ => None,
        };
        let mut session = Session {
            topics: topics.clone(),
            cursor: asked.map_or(began, |position: Position| position.seq),
            told: asked.map_or(hub.position().seq, |_| Seq::ZERO),
            live: reader.resume() == &Resume::Live,
            items: Vec::new(),
            ended: false,
        };
        let mut last = reader.subscription.position().to_string();
        for _ in 0..rng.usize(1..150) {
            let Some(read) = reader.next().await else {
                session.ended = true;
                break;
            };
            let read = match read {
                Ok(read) => read,
                Err(Cut::Draining) if hubs.are_many() => break,
                Err(cut) => panic!("{cut:?}"),
            };
            let seq = read.seq();
            session.items.push(match read.name.as_str() {
                "tidewire.gap" => Item::Gap {
                    resumed_after: seq,
                    visible: hub.position().seq,
                },
                _ => Item::Event { seq, data: read.data },
            });
            last = read.id;
            pause(&mut rng, pace).await;
        }
        let ended = session.ended;
        sessions.push(session);
        if ended {
            return sessions;
        }
        start = Start::After(last);
        drop(reader);
        pause(&mut rng, 100).await;
    }
}

fn judge(session: &Session, model: &Model, kept: usize, judged: &mut Judged) {
    let reads = &session.topics;
    let next_after = |cursor| model.next(reads, cursor);
    let mut cursor = session.cursor;
    // What had been purged by then, the reader has been told of.
    let mut told = session.told;
    judged.live += usize::from(session.live);
    judged.resumed += usize::from(!session.live);
    // The next event, or the one at `seq` if all before it are gone, of which the reader has been told. (It may still
    // get some of those.)
    let due = |mut cursor, seq, told| loop {
        match next_after(cursor) {
            Some(next) if Some(next) != seq && model.purged(next, reads, told, From::All) => cursor = next,
            next => return next,
        }
    };
    for item in &session.items {
        match item {
            Item::Event { seq, data } => {
                let (_, published) = model.events.get(seq).expect("only what was published");
                assert_eq!(data, published);
                assert_eq!(due(cursor, Some(*seq), told), Some(*seq), "after {cursor:?}");
                cursor = *seq;
                judged.events += 1;
            }
            Item::Gap {
                resumed_after,
                visible,
            } => {
                let missed = next_after(cursor).expect("an event of this reader is missing");
                let mut later = model.events.range(cursor.next()..=*visible).map(|(seq, _)| *seq);
                let is_purged = later.any(|seq| model.purged(seq, reads, *visible, From::Any));
                // The archive keeps the last `kept` records of all topics.
                let later = model.events.range(missed.next()..=*visible).count();
                let is_trimmed = missed <= *resumed_after && later >= kept;
                assert!(
                    is_trimmed || is_purged,
                    "{missed:?} was still kept at {visible:?}"
                );
                cursor = cursor.max(*resumed_after);
                told = *visible;
                judged.gaps += 1;
                judged.purged += usize::from(!is_trimmed);
            }
        }
    }
    if session.ended {
        assert_eq!(
            due(cursor, None, told),
            None,
            "the end comes after the last event"
        );
    }
}

fn some_topics(rng: &mut fastrand::Rng, most: usize) -> TopicSet {
    let count = rng.usize(1..=most);
    TopicSet::new((0..count).map(|_| topic(&rng.usize(..TOPICS).to_string()))).unwrap()
}

/// Mostly goes on, sometimes lets others run, sometimes sleeps: `pace` in a thousand.
async fn pause(rng: &mut fastrand::Rng, pace: u32) {
    match rng.u32(..1000) {
        n if n < pace => tokio::time::sleep(Duration::from_micros(rng.u64(..800))).await,
        n if n < 10 * pace => tokio::task::yield_now().await,
        _ => {}
    }
}
