//! What the machine accepts, refuses and takes back.

use tidewire_codec::Event;

use super::*;
use crate::{Epoch, IdempotencyKey, Namespace};

fn topic(name: &str) -> Topic {
    Topic::new(Namespace::Events, name).unwrap()
}

fn event(name: &str) -> Draft {
    Draft::event(topic(name), Event::new("x")).unwrap()
}

fn machine(max_topics: usize) -> Machine {
    let keys = dedup::Bounds {
        max_keys: 10,
        max_bytes: usize::MAX,
        keep: 1000,
    };
    let bounds = Bounds {
        max_topics,
        max_event: 10,
        keys,
    };
    Machine::new(Epochs::new(Epoch::random().unwrap()), bounds)
}

impl Machine {
    fn accept(&mut self, draft: Draft, now: Millis) -> Record {
        match self.apply(draft, now) {
            Ok(Applied::Record(record, _)) => record,
            _ => panic!("not accepted"),
        }
    }

    fn refuse(&mut self, draft: Draft) -> Error {
        match self.apply(draft, 0) {
            Err(error) => error,
            Ok(_) => panic!("accepted"),
        }
    }
}

#[test]
fn an_ended_topic_takes_no_more_and_a_refused_publish_takes_no_number() {
    let mut machine = machine(10);
    assert_eq!(machine.accept(event("a").and_end(), 5).seq, Seq(1));
    assert_eq!(machine.refuse(event("a")), Error::Ended { topic: topic("a") });
    let both = TopicSet::new([topic("a"), topic("b")]).unwrap();
    let draft = Draft::event(both.clone(), Event::new("x")).unwrap();
    assert_eq!(
        machine.refuse(draft),
        Error::Ended { topic: topic("a") },
        "one ended topic of two is enough"
    );
    assert_eq!(machine.accept(event("b"), 5).seq, Seq(2));
    assert_eq!(machine.open(&both, Seq(2)), (1, Seq(1)));
    assert_eq!(
        machine.open(&both, Seq(0)),
        (2, Seq(0)),
        "ends that are not visible yet do not count"
    );
}

#[test]
fn a_purged_topic_begins_anew() {
    let mut machine = machine(1);
    machine.accept(event("a").and_end(), 0);
    machine.accept(Draft::purge(topic("a")), 0);
    assert_eq!(machine.ended_at(&topic("a")), None);
    machine.accept(event("a"), 0);
    machine.accept(Draft::purge(topic("unknown")), 0);
    assert!(!machine.topics.contains_key(&topic("unknown")));
}

#[test]
fn a_retry_is_answered_as_the_first_try_even_after_the_end() {
    let mut machine = machine(10);
    let keyed = || {
        event("a")
            .and_end()
            .with_key(IdempotencyKey::new("k").unwrap(), 0)
    };
    let Ok(Applied::Record(_, first)) = machine.apply(keyed(), 0) else {
        panic!("not accepted");
    };
    let Ok(Applied::Replayed(again)) = machine.apply(keyed(), 0) else {
        panic!("not replayed");
    };
    assert_eq!((again.seq, &again.id), (first.seq, &first.id));
    assert_eq!(again.outcome, Outcome::Replayed);
    let other = Draft::event(topic("a"), Event::new("y")).unwrap();
    let other = other.with_key(IdempotencyKey::new("k").unwrap(), 0);
    assert_eq!(machine.refuse(other), Error::KeyReused);
}

#[test]
fn time_never_goes_back() {
    let mut machine = machine(10);
    assert_eq!(machine.accept(event("a"), 7).time, 7);
    assert_eq!(machine.accept(event("a"), 3).time, 7);
}

#[test]
fn topics_are_bounded_and_may_be_forgotten() {
    let mut machine = machine(1);
    machine.accept(event("a"), 0);
    assert!(machine.is_full());
    assert_eq!(machine.refuse(event("b")), Error::TopicsFull { max: 1 });
    machine.accept(event("a"), 0);
    machine.forget(&topic("a"));
    machine.accept(event("b"), 0);
}

#[test]
fn an_event_over_the_limit_is_refused() {
    let draft = Draft::event(topic("a"), Event::new("12345678901")).unwrap();
    let error = Error::EventTooLarge { len: 11, max: 10 };
    assert_eq!(machine(1).refuse(draft), error);
}
