//! The seam between what is kept and what comes: neither loss nor repetition, wherever the batch
//! happens to be when a reader registers. A gate in front of a real archive holds batches in flight.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod support;

use std::{
    io,
    sync::{Arc, Condvar, Mutex},
};

use support::{Reader, draft, publish};
use tidewire_codec::EventId;
use tidewire_hub::{
    Config, Encoding, Hub, Millis, Record, Seq, Start, Topic, TopicSet,
    archive::{AppendError, Back, History, Memory, Reads, Retention, Scan, Store, Urgency},
};

/// An archive that holds each batch before or after it has taken it, until it is let through.
#[derive(Clone)]
struct Gated {
    memory: Arc<Memory>,
    gate: Arc<(Mutex<Gate>, Condvar)>,
    hold: Hold,
}

#[derive(Clone, Copy, PartialEq)]
enum Hold {
    BeforeKept,
    AfterKept,
}

#[derive(Default)]
struct Gate {
    closed: bool,
    arrived: bool,
}

impl Gated {
    fn new(hold: Hold) -> Self {
        Self {
            memory: Arc::new(Memory::new(Retention::default())),
            gate: Arc::default(),
            hold,
        }
    }

    fn close(&self) {
        *self.gate.0.lock().unwrap() = Gate {
            closed: true,
            arrived: false,
        };
    }

    fn open(&self) {
        self.gate.0.lock().unwrap().closed = false;
        self.gate.1.notify_all();
    }

    fn wait_until_arrived(&self) {
        let gate = self.gate.0.lock().unwrap();
        drop(self.gate.1.wait_while(gate, |gate| !gate.arrived).unwrap());
    }

    fn pass(&self) {
        let mut gate = self.gate.0.lock().unwrap();
        gate.arrived = true;
        self.gate.1.notify_all();
        drop(self.gate.1.wait_while(gate, |gate| gate.closed).unwrap());
    }
}

impl Store for Gated {
    fn urgency(&self) -> Urgency {
        self.memory.urgency()
    }
    fn history(&self) -> History {
        History::default()
    }
    fn replay(&self, _after: Seq, _each: &mut dyn FnMut(&Record)) -> io::Result<()> {
        Ok(())
    }
    fn begin_behind(&self, history: &History, topics: Vec<(Topic, Seq)>) -> io::Result<()> {
        self.memory.begin_behind(history, topics)
    }
    fn append(&self, batch: &[Arc<Record>]) -> Result<(), AppendError> {
        if self.hold == Hold::BeforeKept {
            self.pass();
        }
        self.memory.append(batch)?;
        if self.hold == Hold::AfterKept {
            self.pass();
        }
        Ok(())
    }
    fn purge(&self, topics: &TopicSet, through: Seq) -> io::Result<usize> {
        self.memory.purge(topics, through)
    }
    fn trim(&self, now: Millis) {
        self.memory.trim(now);
    }
    fn idle(&self, most: usize) -> Vec<Topic> {
        self.memory.idle(most)
    }
    fn forget(&self, topics: &TopicSet, through: Seq) {
        self.memory.forget(topics, through);
    }
    fn poisoned(&self) -> Option<String> {
        None
    }
    fn trim_topics(&self, now: Millis) -> Vec<(Topic, Seq)> {
        self.memory.trim_topics(now)
    }
    fn knows(&self, topic: &Topic) -> bool {
        self.memory.knows(topic)
    }
    fn compact(&self, _go_on: &dyn Fn() -> bool) {}
    fn wants_snapshot(&self) -> bool {
        false
    }
    fn snapshot(&self, _seq: Seq, _state: &[u8]) {}
    fn close(&self) {}
}

impl Reads for Gated {
    fn may_block(&self) -> bool {
        false
    }
    fn scan(&self, topics: &TopicSet, after: Seq, through: Seq, budget: usize) -> io::Result<Scan> {
        self.memory.scan(topics, after, through, budget)
    }
    fn back(&self, topics: &TopicSet, through: Seq, count: usize) -> io::Result<Back> {
        self.memory.back(topics, through, count)
    }
    fn find(&self, topics: &TopicSet, id: &EventId) -> io::Result<Option<Seq>> {
        self.memory.find(topics, id)
    }
    fn held(&self) -> tidewire_hub::stats::Held {
        self.memory.held()
    }
    fn last_event(&self, topics: &TopicSet, through: Seq) -> io::Result<Option<Seq>> {
        self.memory.last_event(topics, through)
    }
    fn damaged(&self) -> usize {
        0
    }
}

/// Readers of every kind register while a batch is in flight; each gets it once, after it is through.
async fn register_while_in_flight(hold: Hold) {
    let archive = Gated::new(hold);
    let hub = support::ordered::start(Config::default(), archive.clone()).unwrap();
    let start = hub.position().to_string();
    let mut early = Reader::live(&hub, "a").await;
    publish(&hub, "a", "1").await;
    let middle = hub.position().to_string();

    archive.close();
    let mut appending = tokio::task::JoinSet::new();
    let publisher = hub.clone();
    appending.spawn(async move { publisher.append(draft("a", "2")).await });
    tokio::task::spawn_blocking({
        let archive = archive.clone();
        move || archive.wait_until_arrived()
    })
    .await
    .unwrap();

    let mut live = Reader::live(&hub, "a").await;
    let mut behind = Reader::after(&hub, "a", &start).await;
    let mut level = Reader::after(&hub, "a", &middle).await;
    let mut last = Reader::open(&hub, "a", &Start::Last(1)).await;
    assert_eq!(
        early.available().await,
        ["1"],
        "nothing is seen before it is acknowledged"
    );
    assert_eq!(behind.available().await, ["1"]);
    assert_eq!(last.available().await, ["1"]);
    assert!(level.available().await.is_empty() && live.available().await.is_empty());
    assert!(
        appending.try_join_next().is_none(),
        "nothing is acknowledged before it is seen"
    );

    archive.open();
    appending.join_next().await.unwrap().unwrap().unwrap();
    for reader in [&mut early, &mut live, &mut behind, &mut level, &mut last] {
        assert_eq!(reader.available().await, ["2"], "once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_batch_that_is_not_yet_kept() {
    register_while_in_flight(Hold::BeforeKept).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_batch_that_is_kept_but_not_yet_routed() {
    register_while_in_flight(Hold::AfterKept).await;
}

/// A reader comes again and again, with its last id, while the last event and the end come. None of them is told that it
/// has everything: the last event is still to come.
#[test]
fn an_end_that_comes_while_a_reader_registers_takes_nothing_from_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let hub = runtime
        .block_on(async { support::ordered::start(Config::default(), Memory::new(Retention::default())) })
        .unwrap();
    for round in 0..2_000 {
        let name = round.to_string();
        runtime.block_on(publish(&hub, &name, "first"));
        let start = Start::After(hub.position().to_string());
        let last = draft(&name, "last").and_end();
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut comes_again = true;
                while comes_again {
                    comes_again = !hub.has_ended(&support::topic(&name));
                    let subscribed = hub.subscribe(support::topics(&name), &start, Encoding::EventStream);
                    let subscribed = runtime.block_on(subscribed);
                    let mut reader = Reader::of(subscribed.unwrap()).expect("the last event is to come");
                    if !comes_again {
                        assert_eq!(runtime.block_on(reader.read_to_end()), ["last"]);
                    }
                }
            });
            runtime.block_on(hub.append(last)).unwrap();
            reader.join().unwrap();
        });
    }
}

/// Big events in a small window: it holds the last few.
fn small_window() -> Hub {
    let config = Config {
        window: 64 << 10,
        ..Config::default()
    };
    support::ordered::start(config, Memory::new(Retention::default())).unwrap()
}

fn big(n: usize) -> String {
    format!("{n:-<4000}")
}

#[tokio::test]
async fn cursors_before_at_and_beyond_the_window_join_the_same_stream() {
    let hub = small_window();
    let mut cursors = vec![hub.position().to_string()];
    for n in 0..40 {
        publish(&hub, "a", &big(n)).await;
        cursors.push(hub.position().to_string());
    }
    let window = hub.stats().window_events;
    assert!(
        (2..20).contains(&window),
        "the window must be between none and all: {window}"
    );
    let mut readers = Vec::new();
    for cursor in &cursors {
        readers.push(Reader::after(&hub, "a", cursor).await);
    }
    publish(&hub, "a", &big(40)).await;
    for (read, reader) in readers.iter_mut().enumerate() {
        let expected: Vec<_> = (read..=40).map(big).collect();
        assert_eq!(reader.available().await, expected, "after {read} events");
    }
}

#[tokio::test]
async fn a_reader_that_falls_out_of_the_window_in_the_middle_goes_on_from_the_archive() {
    let hub = small_window();
    let mut reader = Reader::live(&hub, "a b").await;
    publish(&hub, "a", &big(0)).await;
    assert_eq!(reader.data().await, big(0));
    for n in 1..100 {
        publish(&hub, if n % 3 == 0 { "b" } else { "a" }, &big(n)).await;
    }
    assert_eq!(reader.available().await, (1..100).map(big).collect::<Vec<_>>());
    publish(&hub, "b", "live again").await;
    assert_eq!(reader.available().await, ["live again"]);
}

#[tokio::test]
async fn a_quiet_topic_needs_no_archive_however_busy_the_others_are() {
    let hub = small_window();
    let mut quiet = Reader::live(&hub, "quiet").await;
    for n in 0..100 {
        publish(&hub, "busy", &big(n)).await;
    }
    publish(&hub, "quiet", "at last").await;
    assert_eq!(quiet.available().await, ["at last"]);
    assert_eq!(
        hub.stats().encoded,
        1,
        "from the window, and nothing of the busy topic was encoded"
    );
}

#[tokio::test]
async fn more_than_a_chunk_comes_in_several_and_readers_of_one_channel_share_them() {
    let hub = support::ordered::start(Config::default(), Memory::new(Retention::default())).unwrap();
    let mut readers = [Reader::live(&hub, "a").await, Reader::live(&hub, "a").await];
    publish(&hub, "a", &big(0)).await;
    let mut later = Reader::after(&hub, "a", &hub.position().to_string()).await;
    for n in 1..100 {
        publish(&hub, "a", &big(n)).await;
    }
    for reader in &mut readers {
        assert_eq!(reader.available().await, (0..100).map(big).collect::<Vec<_>>());
    }
    assert_eq!(later.available().await, (1..100).map(big).collect::<Vec<_>>());
    assert_eq!(hub.stats().encoded, 100);
}
