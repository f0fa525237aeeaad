//! Publishes that come again: an idempotency key makes of a retried publish one publish.
//!
//! A key counts per set of topics. Events of one request carry the same key and a number each, so a bulk
//! that was cut goes on where it was cut when it is sent again. The same key with another first event is refused.
//!
//! Bounds: [`Settings::max_keys`] and [`Settings::max_key_bytes`]; the oldest key is forgotten first, and a retry after that is a
//! publish of its own. The newest key stays, however many topics it has. Age is no matter of a clock here: an entry says which keys
//! are too old. Costs are computed, not measured: every run with the same entries forgets the same.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use tidewire_codec::{EventId, EventName};
use twox_hash::XxHash3_128;

use crate::{Change, Entry, Error, Millis, Seq, TopicSet, entry::Keyed, settings::Settings};

/// The text by which a publisher marks a request and its retries: 1 to [`IdempotencyKey::MAX_LEN`] bytes of
/// visible ASCII.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(Arc<str>);

impl IdempotencyKey {
    /// The longest key, in bytes.
    pub const MAX_LEN: usize = 256;

    /// Takes a key.
    ///
    /// # Errors
    /// [`Error::InvalidKey`].
    pub fn new(key: &str) -> Result<Self, Error> {
        let why = match key {
            "" => "is empty",
            _ if key.len() > Self::MAX_LEN => "is too long",
            _ if !key.bytes().all(|byte| byte.is_ascii_graphic()) => "holds more than visible ASCII",
            _ => return Ok(Self(key.into())),
        };
        Err(Error::InvalidKey { why })
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

pub(crate) type Place = (TopicSet, IdempotencyKey);

/// What is remembered of the keys.
pub struct Dedup {
    max_keys: usize,
    /// Of all keys together: see [`cost`].
    max_bytes: usize,
    seen: HashMap<Place, Seen>,
    /// In the order of their first events.
    order: VecDeque<(Millis, Place)>,
    /// What the keys cost together: see [`cost`].
    bytes: usize,
    /// How to take back what has changed since [`Dedup::begin`], oldest first.
    undo: Vec<Step>,
}

/// What is remembered of a key.
#[cfg_attr(test, derive(Debug, Clone, PartialEq))]
pub(crate) struct Seen {
    /// Of the first event.
    pub(crate) fingerprint: u128,
    pub(crate) first: (Seq, EventId),
    pub(crate) last: (Seq, EventId),
    /// The number of the first event that has not been accepted.
    pub(crate) next: u64,
}

/// A change, with what it changed.
enum Step {
    Added,
    Advanced {
        at: Place,
        next: u64,
        last: Option<(Seq, EventId)>,
    },
    Forgotten(Millis, Place, Seen),
}

impl Dedup {
    /// Nothing is remembered yet.
    pub(crate) fn new(settings: &Settings) -> Self {
        let mut dedup = Self {
            max_keys: 0,
            max_bytes: 0,
            seen: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            undo: Vec::new(),
        };
        dedup.bound(settings);
        dedup
    }

    fn bound(&mut self, settings: &Settings) {
        let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        self.max_keys = whole(settings.max_keys);
        self.max_bytes = whole(settings.max_key_bytes);
    }

    /// Other settings hold, and what is over them is forgotten.
    pub(crate) fn set(&mut self, settings: &Settings) {
        self.bound(settings);
        self.forget();
    }

    /// How many keys are remembered.
    #[must_use]
    pub fn count(&self) -> usize {
        self.seen.len()
    }

    /// What is remembered, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Where an entry stands that has been accepted before: its own place if it was the first or the last of its
    /// request, that of the last otherwise.
    ///
    /// # Errors
    /// [`Error::KeyReused`] if the key came with another event.
    pub(crate) fn replayed(
        &self,
        topics: &TopicSet,
        (key, number): &Keyed,
        entry: &Entry,
    ) -> Result<Option<(Seq, EventId)>, Error> {
        let Some(seen) = self.seen.get(&(topics.clone(), key.clone())) else {
            return Ok(None);
        };
        if *number == 0 && seen.fingerprint != fingerprint(entry) {
            return Err(Error::KeyReused);
        }
        Ok(match *number {
            0 => Some(seen.first.clone()),
            number if number < seen.next => Some(seen.last.clone()),
            _ => None,
        })
    }

    /// Remembers an entry that was accepted, and forgets what is over the bounds.
    pub(crate) fn remember(
        &mut self,
        topics: &TopicSet,
        (key, number): Keyed,
        entry: &Entry,
        place: (Seq, EventId),
        now: Millis,
    ) {
        let at = (topics.clone(), key);
        let next = number.saturating_add(1);
        match self.seen.get_mut(&at) {
            Some(seen) => {
                let next = std::mem::replace(&mut seen.next, next);
                // The end that a request asks for after its events is none of them.
                let is_event = entry.as_event().is_some();
                let last = is_event.then(|| {
                    self.bytes += place.1.as_str().len();
                    self.bytes -= seen.last.1.as_str().len();
                    std::mem::replace(&mut seen.last, place)
                });
                self.undo.push(Step::Advanced { at, next, last });
            }
            // Its first event has been forgotten meanwhile: a retry begins with that, and would not be known by this one.
            None if number > 0 => {}
            None => {
                let seen = Seen {
                    fingerprint: fingerprint(entry),
                    first: place.clone(),
                    last: place,
                    next,
                };
                self.bytes += cost(&at, &seen);
                self.seen.insert(at.clone(), seen);
                self.order.push_back((now, at));
                self.undo.push(Step::Added);
            }
        }
        self.forget();
    }

    /// When the oldest key was first seen.
    pub(crate) fn oldest(&self) -> Option<Millis> {
        self.order.front().map(|(since, _)| *since)
    }

    /// Forgets the keys that were first seen before a time.
    pub(crate) fn forget_before(&mut self, before: Millis) {
        while self.oldest().is_some_and(|since| since < before) {
            self.forget_oldest();
        }
    }

    /// Forgets what is over the bounds.
    fn forget(&mut self) {
        while self.order.len() > self.max_keys || (self.bytes > self.max_bytes && self.order.len() > 1) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((since, place)) = self.order.pop_front()
            && let Some(seen) = self.seen.remove(&place)
        {
            self.bytes -= cost(&place, &seen);
            self.undo.push(Step::Forgotten(since, place, seen));
        }
    }

    /// What is remembered, in order, with the times since when.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Millis, &Place, &Seen)> {
        let seen = |(since, place): &'_ (Millis, Place)| Some((*since, self.seen.get_key_value(place)?));
        self.order
            .iter()
            .filter_map(seen)
            .map(|(since, (place, seen))| (since, place, seen))
    }

    /// Remembers what was remembered before a restart; called in order.
    pub(crate) fn restore(&mut self, since: Millis, place: Place, seen: Seen) {
        let bytes = cost(&place, &seen);
        if self.seen.insert(place.clone(), seen).is_none() {
            self.bytes += bytes;
            self.order.push_back((since, place));
        }
    }

    /// What has changed until now is not taken back any more.
    pub(crate) fn begin(&mut self) {
        self.undo.clear();
    }

    /// Takes back what has changed since [`Dedup::begin`]; these settings held then.
    pub(crate) fn undo(&mut self, settings: &Settings) {
        self.bound(settings);
        while let Some(step) = self.undo.pop() {
            match step {
                Step::Added => {
                    if let Some((_, place)) = self.order.pop_back()
                        && let Some(seen) = self.seen.remove(&place)
                    {
                        self.bytes -= cost(&place, &seen);
                    }
                }
                Step::Advanced { at, next, last } => {
                    if let Some(seen) = self.seen.get_mut(&at) {
                        seen.next = next;
                        if let Some(last) = last {
                            self.bytes += last.1.as_str().len();
                            self.bytes -= seen.last.1.as_str().len();
                            seen.last = last;
                        }
                    }
                }
                Step::Forgotten(since, place, seen) => {
                    self.bytes += cost(&place, &seen);
                    self.seen.insert(place.clone(), seen);
                    self.order.push_front((since, place));
                }
            }
        }
    }
}

/// The memory of a key, about: its slots in the map and in the queue (when they have just grown), the headers of its texts.
const KEY: usize = 480;

/// The memory of one of its topics, beside the name.
const TOPIC: usize = 56;

/// The memory of what is remembered of a key, in bytes. It is the same on every machine.
fn cost((topics, key): &Place, seen: &Seen) -> usize {
    let texts = key.as_str().len() + seen.first.1.as_str().len() + seen.last.1.as_str().len();
    let topics = topics.iter().map(|topic| TOPIC + topic.name().len());
    KEY + texts + topics.sum::<usize>()
}

/// The same on every machine and in every run. Who finds two events with the same fingerprint deceives only
/// himself: it counts within his own key.
fn fingerprint(entry: &Entry) -> u128 {
    let event = entry.as_event();
    let mut hash = XxHash3_128::new();
    let mut part = |text: Option<&str>| {
        // A length that no text has stands for none.
        hash.write(&text.map_or(u64::MAX, |text| text.len() as u64).to_le_bytes());
        hash.write(text.unwrap_or_default().as_bytes());
    };
    part(event.map(|event| event.data.as_str()));
    part(event.and_then(|event| event.id.as_ref()).map(EventId::as_str));
    part(event.and_then(|event| event.name.as_ref()).map(EventName::as_str));
    hash.write(
        &event
            .and_then(|event| event.retry)
            .unwrap_or(u64::MAX)
            .to_le_bytes(),
    );
    hash.write(&[u8::from(entry.change() == Some(Change::Ends))]);
    hash.finish_128()
}

#[cfg(test)]
mod tests {
    use tidewire_codec::Event;

    use super::*;
    use crate::{Namespace, Topic};

    fn nothing() -> Entry {
        Entry::end(topics("t"))
    }

    fn topics(name: &str) -> TopicSet {
        Topic::new(Namespace::Events, name).unwrap().into()
    }

    fn keyed(key: &str, number: u64) -> Keyed {
        (IdempotencyKey::new(key).unwrap(), number)
    }

    fn place(seq: u64) -> (Seq, EventId) {
        (Seq(seq), EventId::new(seq.to_string()).unwrap())
    }

    fn dedup() -> Dedup {
        Dedup::new(&bounds(2, usize::MAX))
    }

    fn event(data: &str) -> Entry {
        Entry::event(topics("t"), Event::new(data))
    }

    fn bounds(max_keys: u64, max_key_bytes: usize) -> Settings {
        Settings {
            max_keys,
            max_key_bytes: max_key_bytes as u64,
            ..Settings::UNBOUNDED
        }
    }

    #[test]
    fn a_key_counts_for_its_topics_and_refuses_another_event() {
        let mut dedup = dedup();
        dedup.remember(&topics("a"), keyed("k", 0), &event("x"), place(1), 0);
        let ask = |topic, key, data| dedup.replayed(&topics(topic), &keyed(key, 0), &event(data));
        assert_eq!(ask("a", "k", "x"), Ok(Some(place(1))));
        assert_eq!(ask("b", "k", "x"), Ok(None));
        assert_eq!(ask("a", "l", "x"), Ok(None));
        assert_eq!(ask("a", "k", "y"), Err(Error::KeyReused));
    }

    #[test]
    fn a_request_of_many_goes_on_where_it_was_cut() {
        let mut dedup = dedup();
        for number in 0..3 {
            dedup.remember(
                &topics("a"),
                keyed("k", number),
                &event("x"),
                place(number + 1),
                0,
            );
        }
        let ask = |number| {
            dedup
                .replayed(&topics("a"), &keyed("k", number), &event("x"))
                .unwrap()
        };
        assert_eq!(ask(0), Some(place(1)));
        assert_eq!(ask(2), Some(place(3)));
        assert_eq!(ask(3), None);
    }

    #[test]
    fn keys_are_forgotten_by_count_and_by_age() {
        let mut dedup = dedup();
        for (at, key) in [(0, "a"), (10, "b"), (20, "c")] {
            dedup.remember(&topics("t"), keyed(key, 0), &nothing(), place(1), at);
        }
        let knows = |dedup: &Dedup, key| {
            dedup
                .replayed(&topics("t"), &keyed(key, 0), &nothing())
                .unwrap()
                .is_some()
        };
        assert!(!knows(&dedup, "a") && knows(&dedup, "b") && knows(&dedup, "c"));
        dedup.forget_before(21);
        dedup.remember(&topics("t"), keyed("d", 0), &nothing(), place(1), 1021);
        assert!(!knows(&dedup, "c") && knows(&dedup, "d"), "too old");
        assert_eq!(dedup.seen.len(), dedup.order.len());
    }

    #[test]
    fn keys_of_many_topics_are_forgotten_by_what_they_cost() {
        let many =
            (0..251).map(|number| Topic::new(Namespace::Events, &format!("topic/{number:04}")).unwrap());
        let many = TopicSet::new(many).unwrap();
        let mut dedup = Dedup::new(&bounds(u64::MAX, 1 << 20));
        for number in 0..1_000 {
            dedup.remember(&many, keyed(&number.to_string(), 0), &nothing(), place(1), 0);
        }
        assert!(
            dedup.count() < 64 && dedup.bytes() <= 1 << 20,
            "{}",
            dedup.count()
        );
        let knows = |dedup: &Dedup, topics: &TopicSet, key: u64| {
            let asked = dedup.replayed(topics, &keyed(&key.to_string(), 0), &nothing());
            asked.unwrap().is_some()
        };
        assert!(knows(&dedup, &many, 999) && !knows(&dedup, &many, 900));
        for number in 0..1_000 {
            dedup.remember(
                &topics("t"),
                keyed(&number.to_string(), 0),
                &nothing(),
                place(1),
                0,
            );
        }
        assert!(knows(&dedup, &topics("t"), 0), "a thousand keys of one topic fit");
    }

    #[test]
    fn what_keys_cost_is_given_back_with_them() {
        let mut dedup = Dedup::new(&bounds(u64::MAX, 3 * KEY));
        dedup.remember(&topics("a"), keyed("a", 0), &nothing(), place(1), 0);
        dedup.begin();
        let before = dedup.bytes();
        let what = event("x");
        dedup.remember(&topics("a"), keyed("a", 1), &what, place(1_000), 0);
        for key in ["b", "c", "d"] {
            dedup.remember(&topics("a"), keyed(key, 0), &nothing(), place(2), 0);
        }
        assert!(dedup.bytes() <= 3 * KEY && dedup.count() == 2);
        dedup.undo(&bounds(u64::MAX, 3 * KEY));
        assert_eq!((dedup.count(), dedup.bytes()), (1, before));
        dedup.remember(&topics("a"), keyed("late", 0), &nothing(), place(3), 5_000);
        dedup.begin();
        dedup.forget_before(9_000);
        dedup.remember(&topics("a"), keyed("later", 0), &nothing(), place(3), 10_000);
        let only = dedup
            .iter()
            .map(|(_, place, seen)| cost(place, seen))
            .sum::<usize>();
        assert_eq!((dedup.count(), dedup.bytes()), (1, only));
    }

    #[test]
    fn the_newest_key_stays_whatever_it_costs() {
        let mut dedup = Dedup::new(&bounds(u64::MAX, 1));
        for key in ["a", "b"] {
            dedup.remember(&topics("t"), keyed(key, 0), &nothing(), place(1), 0);
        }
        let asked = dedup.replayed(&topics("t"), &keyed("b", 0), &nothing());
        assert_eq!((dedup.count(), asked), (1, Ok(Some(place(1)))));
    }

    #[test]
    fn fingerprints_tell_parts_apart() {
        let id = |text| EventId::new(text).unwrap();
        let of = |event| Entry::event(topics("t"), event);
        let variants = [
            event("ab"),
            of(Event::new("a").with_id(id("b"))),
            of(Event::new("a").with_retry(0)),
            event(""),
            event("ab").ending(),
            nothing(),
        ];
        let mut prints: Vec<_> = variants.iter().map(fingerprint).collect();
        prints.sort_unstable();
        prints.dedup();
        assert_eq!(prints.len(), 6);
    }

    #[test]
    fn keys_are_visible_ascii_of_bounded_length() {
        for bad in ["", "with space", "ü", &"x".repeat(257)] {
            assert!(
                matches!(IdempotencyKey::new(bad), Err(Error::InvalidKey { .. })),
                "{bad}"
            );
        }
        IdempotencyKey::new(&"x".repeat(256)).unwrap();
    }
}
