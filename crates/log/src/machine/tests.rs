//! What the machine accepts, refuses and takes back.

use tidewire_codec::Event;

use super::*;
use crate::{Draft, Epoch, IdempotencyKey, Namespace, Proposal};

fn topic(name: &str) -> Topic {
    Topic::new(Namespace::Events, name).unwrap()
}

fn event(name: &str) -> Draft {
    Draft::event(topic(name), Event::new("x")).unwrap()
}

fn machine(max_topics: u64) -> Machine {
    let settings = Settings {
        max_topics,
        max_keys: 10,
        ..Settings::UNBOUNDED
    };
    let epochs = Epochs::default();
    epochs.begin(Epoch::random().unwrap(), Seq(1));
    Machine::new(epochs, settings, Ledgers::new())
}

impl Machine {
    fn next(&mut self, entry: impl Into<Proposal>, now: Millis) -> Result<Applied, Error> {
        self.apply(self.last().next(), now, entry.into().entry)
    }

    fn accept(&mut self, entry: impl Into<Proposal>, now: Millis) -> Record {
        match self.next(entry, now) {
            Ok(Applied::Record(record, _)) => record,
            _ => panic!("not accepted"),
        }
    }

    fn refuse(&mut self, entry: impl Into<Proposal>) -> Error {
        match self.next(entry, 0) {
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
    let Ok(Applied::Record(_, first)) = machine.next(keyed(), 0) else {
        panic!("not accepted");
    };
    let Ok(Applied::Answered(again)) = machine.next(keyed(), 0) else {
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
    assert_eq!(machine.refuse(event("b")), Error::TopicsFull { max: 1 });
    machine.accept(event("a").and_end(), 0);
    let forget = |through| Entry::Forget {
        topics: topic("a").into(),
        through: Seq(through),
    };
    assert!(
        matches!(machine.next(forget(1), 0), Ok(Applied::Answered(_))),
        "it has got an entry since"
    );
    machine.begin();
    machine.accept(forget(2), 0);
    machine.undo();
    assert_eq!(machine.ended_at(&topic("a")), Some(Seq(2)));
    machine.accept(forget(2), 0);
    machine.accept(event("b"), 0);
}

#[test]
fn settings_and_ages_of_keys_are_entries() {
    let mut machine = machine(10);
    let keyed = |key: &str| event("a").with_key(IdempotencyKey::new(key).unwrap(), 0);
    let is_known = |machine: &mut Machine, key: &str| {
        machine.begin();
        let answer = machine.next(keyed(key), 1_000);
        machine.undo();
        matches!(answer, Ok(Applied::Answered(_)))
    };
    for (time, key) in [(10, "k1"), (20, "k2"), (30, "k3")] {
        machine.accept(keyed(key), time);
    }
    assert_eq!(machine.noted_settings(), None);
    assert_eq!(machine.expired_keys(1 << 40), None, "they are kept for ever");
    let settings = Settings {
        max_keys: 2,
        keep_keys: 100,
        ..Settings::UNBOUNDED
    };
    let last = machine.last();
    machine.begin();
    assert!(machine.next(Entry::Settings(settings), 31).is_ok());
    assert_eq!((machine.last(), machine.noted_settings()), (last, Some(settings)));
    assert!(!is_known(&mut machine, "k1") && is_known(&mut machine, "k2"));
    assert_eq!(machine.expired_keys(120), None);
    let expired = machine.expired_keys(121).unwrap();
    assert_eq!(expired, Entry::ForgetKeys { before: 21 });
    machine.begin();
    assert!(machine.next(expired, 121).is_ok());
    assert!(!is_known(&mut machine, "k2") && is_known(&mut machine, "k3"));
}

#[test]
fn a_batch_that_is_not_kept_leaves_the_settings_as_they_were() {
    let mut machine = machine(10);
    let settings = Settings {
        max_topics: 1,
        ..Settings::UNBOUNDED
    };
    machine.begin();
    assert!(machine.next(Entry::Settings(settings), 0).is_ok());
    machine.accept(event("a"), 0);
    assert_eq!(machine.refuse(event("b")), Error::TopicsFull { max: 1 });
    machine.undo();
    assert_eq!((machine.noted_settings(), machine.topic_count()), (None, 0));
    machine.accept(event("a"), 0);
    machine.accept(event("b"), 0);
}

#[test]
fn a_batch_has_its_turn_once_in_the_order_of_numbers_and_while_its_run_lasts() {
    let mut machine = machine(10);
    let run = |incarnation| Origin { node: 1, incarnation };
    let arrivals = [
        (1, run(1), 2, Arrival::Early),
        (2, run(1), 1, Arrival::Next),
        // Only at a later place of its own.
        (1, run(1), 2, Arrival::Again),
        (3, run(1), 2, Arrival::Next),
        (4, run(1), 2, Arrival::Again),
        (5, run(2), 2, Arrival::Early),
        (6, run(1), 3, Arrival::Next),
        (7, run(2), 1, Arrival::Next),
        (8, run(1), 4, Arrival::Again),
    ];
    for (position, origin, number, arrival) in arrivals {
        assert_eq!(machine.arrive(position, origin, number), arrival, "{position}");
    }
    let reached = Reached {
        position: 8,
        numbers: [(run(2), 1)].into(),
    };
    assert_eq!(
        *machine.reached(),
        reached,
        "of a run that is over, nothing is left"
    );
}

#[test]
fn fewer_topics_than_there_are_refuse_new_ones_only() {
    let mut machine = machine(10);
    machine.accept(event("a"), 0);
    machine.accept(event("b"), 0);
    let settings = Settings {
        max_topics: 1,
        ..Settings::UNBOUNDED
    };
    assert!(machine.next(Entry::Settings(settings), 0).is_ok());
    machine.accept(event("a"), 0);
    assert_eq!(machine.refuse(event("c")), Error::TopicsFull { max: 1 });
}
