//! Readers that go and come back: what each has got is its answer, whole and once.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread::{scope, sleep},
    time::Duration,
};

use super::{Call, Relayed, chat, stream_of};
use crate::client::{End, Reader, field, request};

#[test]
fn a_reader_that_is_cut_after_every_event_has_the_whole_answer_once() {
    const EVENTS: usize = 30;
    let relayed = Relayed::open();
    let mine = [("Authorization", "a"), ("Idempotency-Key", "k")];
    let mut call = None;
    let mut reader = relayed.answered_to("hello", &mine, |mut asked| {
        asked.stream();
        asked.event("0");
        call = Some(asked);
    });
    let mut call = call.unwrap();
    let stream = stream_of(&reader);
    let place = format!("/relay/{stream}");
    for number in 0..EVENTS {
        let seen = format!("{stream}.{}", number + 1);
        reader.until(&format!("id: {seen}\n"));
        reader.expect(&format!("data: {number}\n\n"));
        drop(reader);
        let last = ("Last-Event-ID", &*seen);
        reader = match number % 4 {
            0 => relayed.get(&place, &[last]),
            1 => relayed.get(&format!("{place}?lastEventId={seen}"), &[]),
            2 => relayed.ask(&[mine[0], last]),
            // Without a cursor it comes from its first event.
            _ => {
                let mut reader = relayed.ask(&mine);
                reader.until(&format!("data: {number}\n\n"));
                reader
            }
        };
        assert_eq!(stream_of(&reader), stream);
        if number + 1 < EVENTS {
            call.event(&(number + 1).to_string());
        }
    }
    call.event("[DONE]");
    call.end();
    reader.until("data: [DONE]\n\n");
    reader.finished();
    assert_eq!(relayed.relay.stats()[0].upstream_calls, 1);
}

/// Numbers from a seed, so that a failure can be had again (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % bound
    }
}

const TOKENS: u64 = 12;
const KEYS: u64 = 6;

/// Answers each call with its own number, so that no two answers are the same text.
fn answer(mut call: Call, number: u64) {
    let prompt = call.body.split("\"content\":\"").nth(1).unwrap();
    let prompt = prompt.split('"').next().unwrap().to_owned();
    let user = call.header("authorization").unwrap().to_owned();
    call.stream();
    for token in 0..TOKENS {
        if call
            .try_chunk(format!("data: {user} {prompt} {number} {token}\n\n"))
            .is_err()
        {
            return; // Stopped.
        }
        sleep(Duration::from_millis(number % 4));
    }
    let _ = call.try_chunk("data: [DONE]\n\n");
}

/// What a client has got of its answer.
#[derive(Default)]
struct Got {
    stream: String,
    /// The upstream's number for it.
    call: Option<u64>,
    tokens: u64,
    last: String,
    is_over: bool,
}

impl Got {
    /// Takes the next block, which must be the next event of this very answer.
    fn take(&mut self, block: &str, user: &str, prompt: &str, stopped: &Mutex<HashMap<String, ()>>) {
        let block = block.trim_start_matches(|c: char| c != 'i');
        let id = field(block, "id").unwrap_or_else(|| panic!("no id in {block:?}"));
        let data = field(block, "data").unwrap();
        assert_eq!(
            id,
            format!("{}.{}", self.stream, self.tokens + 1),
            "in order, once"
        );
        self.last = id;
        if field(block, "event").as_deref() == Some("error") {
            assert!(data.contains("\"stopped\""), "{data}");
            assert!(
                stopped.lock().unwrap().contains_key(&self.stream),
                "nobody stopped it"
            );
            self.is_over = true;
            return;
        }
        if data == "[DONE]" {
            assert_eq!(self.tokens, TOKENS, "whole");
            self.is_over = true;
            return;
        }
        let rest = data
            .strip_prefix(&format!("{user} {prompt} "))
            .unwrap_or_else(|| panic!("{user} who asked {prompt} got {data}"));
        let (call, token) = rest.split_once(' ').unwrap();
        let call = call.parse().unwrap();
        assert_eq!(*self.call.get_or_insert(call), call, "of one answer");
        assert_eq!(token, self.tokens.to_string());
        self.tokens += 1;
    }
}

/// One client: asks, is cut and comes back at random, until its answer has ended.
fn live(relayed: &Relayed, dice: &mut Dice, stopped: &Mutex<HashMap<String, ()>>) {
    let user = ["anna", "bert"][usize::try_from(dice.below(2)).unwrap()];
    let key = dice.below(KEYS).to_string();
    // The same key has the same prompt, for each user.
    let prompt = format!("prompt-{key}");
    let auth = ("Authorization", user);
    let with_key = [auth, ("Idempotency-Key", &*key)];
    let mut reader: Reader = relayed.ask_for(&prompt, &with_key);
    assert_eq!(reader.head.status, 200, "{:?}", reader.head);
    let mut got = Got {
        stream: stream_of(&reader),
        ..Got::default()
    };
    let place = format!("/relay/{}", got.stream);
    while !got.is_over {
        for _ in 0..=dice.below(6) {
            got.take(&reader.block(), user, &prompt, stopped);
            if got.is_over {
                break;
            }
        }
        if got.is_over {
            break;
        }
        if dice.below(12) == 0 {
            stopped.lock().unwrap().insert(got.stream.clone(), ());
            assert_eq!(relayed.request("DELETE", &place, &[], "").head.status, 204);
        }
        let last = ("Last-Event-ID", &*got.last.clone());
        drop(reader);
        sleep(Duration::from_millis(dice.below(5)));
        reader = match dice.below(3) {
            0 => relayed.get(&place, &[last]),
            1 => relayed.ask_for(&prompt, &[auth, last]),
            _ => {
                (got.tokens, got.call) = (0, None);
                let mut client = relayed.server.connect();
                client.send(chat(&prompt, &with_key));
                client.reader()
            }
        };
        assert_eq!(reader.head.status, 200);
        assert_eq!(stream_of(&reader), got.stream);
    }
    assert_eq!(reader.rest(), (String::new(), End::Finished));
}

#[test]
fn whatever_readers_do_each_gets_its_own_answer_whole_and_once() {
    for seed in 0..6 {
        let relayed = Relayed::open();
        let stopped = Mutex::new(HashMap::new());
        let calls = AtomicU64::new(0);
        let is_over = AtomicU64::new(0);
        scope(|scope| {
            scope.spawn(|| {
                while is_over.load(Ordering::SeqCst) == 0 {
                    if let Some(call) = relayed.upstream.call_within(Duration::from_millis(20)) {
                        let number = calls.fetch_add(1, Ordering::SeqCst);
                        scope.spawn(move || answer(call, number));
                    }
                }
            });
            let (relayed, stopped) = (&relayed, &stopped);
            let clients: Vec<_> = (0..12)
                .map(|client| {
                    scope.spawn(move || {
                        let mut dice = Dice(seed * 1000 + client);
                        for _ in 0..2 {
                            live(relayed, &mut dice, stopped);
                        }
                    })
                })
                .collect();
            let ends: Vec<_> = clients
                .into_iter()
                .map(std::thread::ScopedJoinHandle::join)
                .collect();
            is_over.store(1, Ordering::SeqCst);
            assert!(ends.iter().all(Result::is_ok), "seed {seed}");
        });
        // Each key of each user was asked once.
        assert!(calls.load(Ordering::SeqCst) <= 2 * KEYS, "seed {seed}");
        let stats = &relayed.relay.stats()[0];
        assert_eq!((stats.readers, stats.running), (0, 0));
    }
}

#[test]
fn a_head_is_a_get_without_the_answer() {
    let relayed = Relayed::open();
    let mut call = None;
    let mut reader = relayed.answered(|mut asked| {
        asked.stream();
        asked.event("1");
        call = Some(asked);
    });
    let stream = stream_of(&reader);
    reader.block();
    let asked = |method, headers: &[(&str, &str)]| {
        let mut client = relayed.server.connect();
        client.send(request(method, &format!("/relay/{stream}"), headers, ""));
        let head = client.reader().head;
        let get = |name| head.get(name).map(str::to_owned);
        (
            head.status,
            get("content-type"),
            get("tidewire-resume"),
            get("tidewire-stream"),
        )
    };
    let last = format!("{stream}.2");
    for headers in [&[][..], &[("Last-Event-ID", "")], &[("Last-Event-ID", "x")]] {
        assert_eq!(asked("HEAD", headers), asked("GET", headers));
    }
    assert_eq!(asked("HEAD", &[]).0, 200);
    call.unwrap().event("[DONE]");
    reader.until("[DONE]\n\n");
    reader.finished();
    for method in ["HEAD", "GET"] {
        assert_eq!(asked(method, &[("Last-Event-ID", &last)]).0, 204, "{method}");
    }
}
