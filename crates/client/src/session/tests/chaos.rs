//! Whatever happens, in whatever order: each event once.

use bytes::Bytes;

use super::{Rig, SECOND, STREAM, last_event_id};
use crate::session::Action;
use crate::{Error, EventSource, Item, Limits, Retry};

const EVENTS: u32 = 60;

/// A server, a network and a reader, all of them whims of a seed.
struct Chaos {
    rig: Rig,
    random: fastrand::Rng,
    /// What the server still sends on this connection.
    body: Vec<u8>,
    seen: Vec<u32>,
}

/// What a server has for who has read up to there: ids in blocks of their own, comments, events too long to read.
fn body(after: u32, random: &mut fastrand::Rng) -> Vec<u8> {
    let end = ["\n", "\r\n", "\r"][random.usize(..3)];
    let mut text = ["", "\u{feff}", "\u{feff}: hi\n"][random.usize(..3)].to_owned();
    for number in after + 1..=EVENTS {
        match random.u8(..8) {
            0 => text += &format!("id: {}{end}{end}", number - 1),
            1 => text += &format!(": still here{end}"),
            2 => text += &format!("data: {}{end}{end}", "too long".repeat(100)),
            3 => text += &format!("retry: {}{end}", random.u64(..)),
            _ => {}
        }
        text += &format!("id: {number}{end}data: {number}{end}{end}");
    }
    text.into_bytes()
}

impl Chaos {
    fn new(seed: u64) -> Self {
        let limits = Limits {
            max_event: 100,
            ..Limits::default()
        };
        let retry = Retry {
            max_fruitless: None,
            ..Retry::default()
        };
        let mut random = fastrand::Rng::with_seed(seed);
        let builder = EventSource::get("https://a.example/")
            .limits(limits)
            .retry(retry)
            .comments(random.bool())
            .chunks(random.bool())
            .idle_timeout(SECOND * 5)
            .progress_timeout(SECOND * 20);
        Self {
            rig: Rig::new(builder),
            random,
            body: Vec::new(),
            seen: Vec::new(),
        }
    }

    fn take(&mut self, item: Result<Item, Error>) {
        match item {
            Ok(Item::Event(event)) => {
                let number = event.data.parse().expect("one of ours");
                assert_eq!(self.rig.session.last_event_id(), event.data);
                self.seen.push(number);
            }
            Ok(Item::Gap(gap)) => panic!("{gap}"),
            Ok(_) | Err(Error::Overlong(_)) => {}
            Err(error) => panic!("{error}"),
        }
        if self.random.u8(..20) == 0 {
            self.rig.session.restart(self.rig.now);
        }
        self.rig.now += SECOND * self.random.u32(..3);
    }

    fn answer(&mut self) {
        let Self { rig, random, .. } = self;
        match random.u8(..10) {
            0 => rig.session.failed("refused".into(), rig.now),
            1 => rig.session.timed_out(rig.now),
            2 => rig.head(503, &[("retry-after", "18446744073709551615")]),
            3 => rig.head(429, &[("retry-after", "soon")]),
            4 => rig.head(307, &[("location", "/elsewhere")]),
            5 => rig.session.restart(rig.now),
            _ => rig.head(200, &[STREAM, ("tidewire-heartbeat", "NaN")]),
        }
    }

    fn read(&mut self) {
        let Self {
            rig, random, body, ..
        } = self;
        match random.u8(..25) {
            0 => rig.cut(),
            1 => rig.ended(),
            2 => rig.expire(),
            3 => rig.session.alive(rig.now),
            4 => rig.session.restart(rig.now),
            _ => {
                let some = random.usize(..=body.len().min(200));
                let rest = body.split_off(some);
                rig.session
                    .bytes(Bytes::from(std::mem::replace(body, rest)), rig.now);
            }
        }
    }

    /// Until all has come.
    fn run(mut self) -> Vec<u32> {
        for _ in 0..100_000 {
            if self.seen.last() == Some(&EVENTS) {
                return self.seen;
            }
            assert!(self.rig.session.counters().waiting < 100, "what waits is bounded");
            match self.rig.poll() {
                Action::Yield(item) => self.take(item),
                Action::Prepare => self
                    .rig
                    .session
                    .prepared(Ok(http::HeaderMap::new()), self.rig.now),
                Action::Send(request) => {
                    let after = last_event_id(&request).map_or("0", |id| str::from_utf8(id).expect("text"));
                    let after = after.parse().expect("one of ours");
                    assert_eq!(
                        after,
                        self.seen.last().copied().unwrap_or(0),
                        "goes on where it was"
                    );
                    self.body = body(after, &mut self.random);
                }
                Action::Await { .. } => self.answer(),
                Action::Read { .. } => self.read(),
                Action::Sleep { until } => self.rig.now = until,
                Action::Done => panic!("it goes on"),
            }
        }
        panic!("it got no further than {:?}", self.seen.last());
    }
}

#[test]
fn each_event_comes_once_whatever_happens() {
    for seed in 0..300 {
        let seen = Chaos::new(seed).run();
        assert_eq!(seen, (1..=EVENTS).collect::<Vec<_>>(), "seed {seed}");
    }
}
