//! Entries in order, bounded from the front, found by topic: what archive and window are made of.
//!
//! Each topic has a **floor**: every entry of the topic after its floor is in the ring. So a reader
//! with a cursor at or after the floors of its topics misses nothing here, whatever else was removed.
//! The floor of a topic that the ring does not know is the absent floor.
//!
//! A topic costs one list of positions, however many readers or channels it has.

use std::collections::{HashMap, VecDeque};

use itertools::Itertools as _;

use crate::{Seq, Topic, TopicSet, idle::Idle};

/// Holes that are left in any case: to close them costs a look at every entry.
const MOST_HOLES: usize = 1024;

/// What a ring holds.
pub trait Placed {
    /// Its place in the order.
    fn seq(&self) -> Seq;
    /// Where it is found.
    fn topics(&self) -> &[Topic];
    /// Its memory in bytes, about. Must not change while the entry is in a ring.
    fn cost(&self) -> usize;
    /// Whether it holds an event. What holds none says that a stream has ended.
    fn is_event(&self) -> bool;
}

/// See the module's text.
pub struct TopicRing<E> {
    /// `None` where an entry was purged; never at the front.
    entries: VecDeque<Option<E>>,
    /// How many of them there are.
    len: usize,
    /// The position of the front entry; positions are dense, never used again, and grow where holes are closed.
    front: u64,
    topics: HashMap<Topic, Shelf>,
    cost: usize,
    /// The floor of topics that have no shelf. Whoever lets shelves go keeps this true.
    absent_floor: Seq,
    idle: Idle,
}

/// What the ring knows of one topic.
struct Shelf {
    floor: Seq,
    positions: VecDeque<u64>,
    /// How many of them hold events.
    events: usize,
    /// How many stand in other topics as well.
    shared: usize,
    /// How many ask that the shelf stays when it is empty.
    pins: usize,
}

impl<E> Default for TopicRing<E> {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            len: 0,
            front: 0,
            topics: HashMap::new(),
            cost: 0,
            absent_floor: Seq::ZERO,
            idle: Idle::default(),
        }
    }
}

impl<E: Placed> TopicRing<E> {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What the entries cost together, in bytes.
    pub fn cost(&self) -> usize {
        self.cost
    }

    pub(crate) fn front(&self) -> Option<&E> {
        self.entries.front()?.as_ref()
    }

    /// The first entry at or after a position, and where it is.
    pub fn next_from(&self, position: u64) -> Option<(u64, &E)> {
        let first = usize::try_from(position.saturating_sub(self.front)).ok()?;
        let found = self.entries.iter().enumerate().skip(first);
        let (index, entry) = found
            .filter_map(|(index, entry)| Some((index, entry.as_ref()?)))
            .next()?;
        Some((self.front + index as u64, entry))
    }

    /// Entries of topics that turn up from now on are gone up to here.
    pub fn set_absent_floor(&mut self, floor: Seq) {
        self.absent_floor = self.absent_floor.max(floor);
    }

    /// A topic that has no entry yet is gone up to here.
    pub fn set_floor(&mut self, topic: Topic, floor: Seq) {
        self.shelf(&topic).floor = floor;
        self.note_idle(topic);
    }

    /// Adds the next entry in order.
    pub fn push(&mut self, entry: E) {
        let position = self.front + self.entries.len() as u64;
        for topic in entry.topics() {
            let shelf = self.shelf(topic);
            shelf.positions.push_back(position);
            shelf.events += usize::from(entry.is_event());
            shelf.shared += usize::from(entry.topics().len() > 1);
        }
        self.cost += entry.cost();
        self.len += 1;
        self.entries.push_back(Some(entry));
    }

    /// Removes the oldest entry. `lost` sees each topic that it leaves, and says whether a reader of that before it has
    /// then missed something; `keep` says whether its topics are remembered when they are empty.
    pub fn pop(&mut self, mut lost: impl FnMut(&E, &Topic) -> bool, keep: bool) -> Option<E> {
        let entry = self.entries.pop_front()??;
        let position = self.front;
        self.front += 1;
        self.len -= 1;
        self.cost -= entry.cost();
        for topic in entry.topics() {
            let Some(shelf) = self.topics.get_mut(topic) else {
                continue;
            };
            // It is not there if the topic has been purged.
            if shelf.positions.front() == Some(&position) {
                shelf.positions.pop_front();
                shelf.leave(&entry);
                if lost(&entry, topic) {
                    shelf.floor = entry.seq();
                }
            }
            match shelf.is_idle() {
                true if keep => self.note_idle(topic.clone()),
                true => drop(self.topics.remove(topic)),
                false => {}
            }
        }
        self.drop_holes();
        Some(entry)
    }

    /// Empties the shelf of a topic, up to `through`. An entry stays as long as it stands on another shelf. `visit`
    /// sees each entry that leaves this one, and says whether a reader before it has then missed something; `keep` is
    /// as for [`TopicRing::pop`].
    pub fn purge(&mut self, topic: &Topic, through: Seq, keep: bool, mut visit: impl FnMut(&E) -> bool) {
        let Some(shelf) = self.topics.get(topic) else {
            return;
        };
        let count = self.rank(shelf, through);
        for _ in 0..count {
            let Some(shelf) = self.topics.get_mut(topic) else {
                return;
            };
            let Some(position) = shelf.positions.pop_front() else {
                return;
            };
            let index = self.index(position);
            let Some(entry) = index.and_then(|index| self.entries.get(index)?.as_ref()) else {
                continue;
            };
            if let Some(shelf) = self.topics.get_mut(topic) {
                shelf.leave(entry);
            }
            let (seq, missed) = (entry.seq(), visit(entry));
            let stands = |other: &Topic| {
                let shelf = self.topics.get(other);
                shelf.is_some_and(|shelf| shelf.positions.binary_search(&position).is_ok())
            };
            if !entry.topics().iter().any(stands) {
                self.remove(position);
            }
            if missed && let Some(shelf) = self.topics.get_mut(topic) {
                shelf.floor = seq;
            }
        }
        if self.topics.get(topic).is_some_and(Shelf::is_idle) {
            match keep {
                true => self.note_idle(topic.clone()),
                false => drop(self.topics.remove(topic)),
            }
        }
        self.drop_holes();
    }

    /// Leaves a hole.
    fn remove(&mut self, position: u64) {
        let place = self.index(position).and_then(|index| self.entries.get_mut(index));
        if let Some(entry) = place.and_then(Option::take) {
            self.cost -= entry.cost();
            self.len -= 1;
        }
    }

    fn drop_holes(&mut self) {
        while let Some(None) = self.entries.front() {
            self.entries.pop_front();
            self.front += 1;
        }
        if self.entries.len() > 2 * self.len + MOST_HOLES {
            self.close_up();
        }
    }

    /// Moves the entries together at the end, so that no position gets smaller: an old entry at the front would keep
    /// the holes behind it for as long as it stays.
    fn close_up(&mut self) {
        let mut holes = 0;
        let mut moves = vec![0; self.entries.len()];
        for (by, entry) in moves.iter_mut().zip(&self.entries).rev() {
            *by = holes;
            holes += u64::from(entry.is_none());
        }
        for position in self.topics.values_mut().flat_map(|shelf| &mut shelf.positions) {
            let index = usize::try_from(*position - self.front);
            *position += index
                .ok()
                .and_then(|index| moves.get(index))
                .copied()
                .unwrap_or_default();
        }
        self.entries.retain(Option::is_some);
        self.front += holes;
    }

    /// Keeps what is known of a topic, also while it has no entries.
    pub fn pin(&mut self, topic: &Topic) {
        self.shelf(topic).pins += 1;
    }

    /// Takes one [`TopicRing::pin`] back.
    pub fn unpin(&mut self, topic: &Topic) {
        if let Some(shelf) = self.topics.get_mut(topic) {
            shelf.pins = shelf.pins.saturating_sub(1);
            if shelf.is_idle() {
                self.topics.remove(topic);
            }
        }
    }

    /// At most so many topics that have no entries and no pins.
    pub fn idle(&mut self, most: usize) -> Vec<Topic> {
        let topics = &self.topics;
        self.idle
            .first(most, |topic| topics.get(topic).is_some_and(Shelf::is_idle))
    }

    fn note_idle(&mut self, topic: Topic) {
        let topics = &self.topics;
        let is_idle = |topic: &Topic| topics.get(topic).is_some_and(Shelf::is_idle);
        self.idle.push(topic, topics.len(), is_idle);
    }

    /// Forgets a topic, if it has no entries and no pins; its floor goes into the absent floor. False if it has.
    pub fn forget(&mut self, topic: &Topic) -> bool {
        let Some(shelf) = self.topics.get(topic) else {
            return true;
        };
        let is_idle = shelf.is_idle();
        if is_idle {
            self.absent_floor = self.absent_floor.max(shelf.floor);
            self.topics.remove(topic);
        }
        is_idle
    }

    /// The floor of each of these topics.
    pub fn floors(&self, topics: &TopicSet) -> impl Iterator<Item = Seq> {
        topics.iter().map(|topic| {
            self.topics
                .get(topic)
                .map_or(self.absent_floor, |shelf| shelf.floor)
        })
    }

    /// The highest floor of these topics.
    pub fn floor(&self, topics: &TopicSet) -> Seq {
        self.floors(topics).max().unwrap_or_default()
    }

    /// The entries of these topics after `cursor`, in order, each once.
    pub fn after(&self, topics: &TopicSet, cursor: Seq) -> impl Iterator<Item = &E> {
        self.shelves(topics)
            .map(|shelf| shelf.positions.range(self.rank(shelf, cursor)..).copied())
            .kmerge()
            .dedup()
            .filter_map(|position| self.get(position))
    }

    /// The entries of these topics up to `cursor`, latest first, each once.
    pub fn back_from(&self, topics: &TopicSet, cursor: Seq) -> impl Iterator<Item = &E> {
        self.shelves(topics)
            .map(|shelf| shelf.positions.range(..self.rank(shelf, cursor)).rev().copied())
            .kmerge_by(|a, b| a > b)
            .dedup()
            .filter_map(|position| self.get(position))
    }

    /// How many events of these topics there are up to `cursor`, without a look at each. None: some may stand in several
    /// of them.
    pub fn events(&self, topics: &TopicSet, cursor: Seq) -> Option<usize> {
        let several = topics.len() > 1;
        self.shelves(topics)
            .map(|shelf| match several && shelf.shared > 0 {
                true => None,
                false => {
                    let later = shelf.positions.range(self.rank(shelf, cursor)..);
                    let is_event = |position: &&u64| self.get(**position).is_some_and(Placed::is_event);
                    Some(shelf.events - later.filter(is_event).count())
                }
            })
            .sum()
    }

    fn shelves(&self, topics: &TopicSet) -> impl Iterator<Item = &Shelf> {
        topics.iter().filter_map(|topic| self.topics.get(topic))
    }

    /// How many entries of a shelf lie at or before the cursor.
    fn rank(&self, shelf: &Shelf, cursor: Seq) -> usize {
        let read = |position: &u64| self.get(*position).is_some_and(|entry| entry.seq() <= cursor);
        // Most readers are near the end: look there, in growing steps, before searching between two of them.
        let (mut high, mut step) = (shelf.positions.len(), 1);
        let mut low = loop {
            match high.checked_sub(step) {
                Some(probe) if read(&shelf.positions[probe]) => break probe + 1,
                Some(probe) => high = probe,
                None => break 0,
            }
            step *= 2;
        };
        while low < high {
            let middle = low.midpoint(high);
            match read(&shelf.positions[middle]) {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        low
    }

    fn get(&self, position: u64) -> Option<&E> {
        self.entries.get(self.index(position)?)?.as_ref()
    }

    fn index(&self, position: u64) -> Option<usize> {
        usize::try_from(position.checked_sub(self.front)?).ok()
    }

    fn shelf(&mut self, topic: &Topic) -> &mut Shelf {
        // Two look-ups for a known topic cost less than a clone of its name.
        if !self.topics.contains_key(topic) {
            let shelf = Shelf {
                floor: self.absent_floor,
                positions: VecDeque::new(),
                events: 0,
                shared: 0,
                pins: 0,
            };
            self.topics.insert(topic.clone(), shelf);
        }
        #[expect(clippy::expect_used, reason = "inserted just above")]
        self.topics.get_mut(topic).expect("a shelf")
    }
}

impl Shelf {
    fn leave(&mut self, entry: &impl Placed) {
        self.events -= usize::from(entry.is_event());
        self.shared -= usize::from(entry.topics().len() > 1);
    }

    fn is_idle(&self) -> bool {
        self.positions.is_empty() && self.pins == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Namespace;

    struct Item(u64, TopicSet);

    impl Placed for Item {
        fn seq(&self) -> Seq {
            Seq(self.0)
        }
        fn topics(&self) -> &[Topic] {
            self.1.as_slice()
        }
        fn cost(&self) -> usize {
            1
        }
        fn is_event(&self) -> bool {
            true
        }
    }

    fn set(names: &str) -> TopicSet {
        let topic = |name| Topic::new(Namespace::Events, name).unwrap();
        TopicSet::new(names.split(' ').map(topic)).unwrap()
    }

    fn ring(items: &[(u64, &str)]) -> TopicRing<Item> {
        let mut ring = TopicRing::default();
        for (seq, topics) in items {
            ring.push(Item(*seq, set(topics)));
        }
        ring
    }

    fn seqs<'a>(items: impl Iterator<Item = &'a Item>) -> Vec<u64> {
        items.map(|item| item.0).collect()
    }

    #[test]
    fn several_topics_are_read_in_order_and_an_event_in_two_of_them_once() {
        let ring = ring(&[(1, "a"), (3, "b"), (4, "a b"), (9, "c"), (10, "b")]);
        assert_eq!(seqs(ring.after(&set("a b"), Seq::ZERO)), [1, 3, 4, 10]);
        assert_eq!(seqs(ring.after(&set("a b"), Seq(3))), [4, 10]);
        assert_eq!(seqs(ring.after(&set("a b"), Seq(10))), [0; 0]);
        assert_eq!(seqs(ring.back_from(&set("a b"), Seq(9))), [4, 3, 1]);
        assert_eq!(seqs(ring.after(&set("nobody"), Seq::ZERO)), [0; 0]);
    }

    #[test]
    fn every_cursor_finds_its_place() {
        let items: Vec<_> = (1..=100).map(|n| (2 * n, "a")).collect();
        let ring = ring(&items);
        for cursor in 0..=202 {
            let left = ring.after(&set("a"), Seq(cursor)).count();
            assert_eq!(
                left as u64,
                (200_u64.saturating_sub(cursor)).div_ceil(2),
                "{cursor}"
            );
        }
    }

    #[test]
    fn a_floor_rises_only_for_the_topics_of_what_was_removed() {
        let mut ring = ring(&[(1, "a"), (2, "b"), (3, "a")]);
        ring.pop(|_, _| true, true);
        assert_eq!(ring.floor(&set("a")), Seq(1));
        assert_eq!(ring.floor(&set("b")), Seq::ZERO);
        assert_eq!(ring.floor(&set("a b")), Seq(1));
        assert_eq!(seqs(ring.after(&set("a b"), Seq::ZERO)), [2, 3]);
        ring.pop(|_, _| false, true);
        assert_eq!(ring.floor(&set("b")), Seq::ZERO, "nothing that a reader misses");
    }

    #[test]
    fn forgetting_topics_keeps_their_floor_as_that_of_the_unknown() {
        let mut ring = ring(&[(1, "a"), (2, "b"), (3, "c")]);
        ring.pop(|_, _| true, true);
        ring.pop(|_, _| true, true);
        assert_eq!(ring.idle(1).iter().map(Topic::name).collect::<Vec<_>>(), ["a"]);
        let idle = ring.idle(9);
        assert_eq!(idle.iter().map(Topic::name).collect::<Vec<_>>(), ["a", "b"]);
        assert!(idle.iter().all(|topic| ring.forget(topic)));
        assert_eq!(ring.idle(9), []);
        assert_eq!(ring.floor(&set("a")), Seq(2), "never too low");
        assert_eq!(ring.floor(&set("c")), Seq::ZERO, "still exact");
    }

    #[test]
    fn purging_a_topic_leaves_the_others_whole() {
        let mut ring = ring(&[(1, "a"), (2, "a b"), (3, "b"), (4, "a"), (5, "a")]);
        let topic = set("a").iter().next().unwrap().clone();
        let mut visited = Vec::new();
        ring.purge(&topic, Seq(4), true, |item| {
            visited.push(item.0);
            item.0 != 4
        });
        assert_eq!(visited, [1, 2, 4]);
        assert_eq!(seqs(ring.after(&set("a"), Seq::ZERO)), [5]);
        assert_eq!(seqs(ring.after(&set("b"), Seq::ZERO)), [2, 3]);
        assert_eq!(ring.floor(&set("a")), Seq(2), "4 is nothing that a reader misses");
        assert_eq!(ring.floor(&set("b")), Seq::ZERO);
        assert_eq!((ring.len(), ring.cost()), (3, 3));
        assert_eq!(ring.front().unwrap().0, 2, "no hole in front");

        let popped: Vec<_> = std::iter::from_fn(|| ring.pop(|_, _| true, true))
            .map(|item| item.0)
            .collect();
        assert_eq!(popped, [2, 3, 5]);
        assert_eq!((ring.len(), ring.cost()), (0, 0));
        assert_eq!(ring.floor(&set("a")), Seq(5));
        assert_eq!(ring.floor(&set("b")), Seq(3));
        ring.purge(&topic, Seq(9), false, |_| true);
        assert!(!ring.topics.contains_key(&topic), "not kept");
    }

    #[test]
    fn holes_behind_an_old_entry_are_closed_and_all_is_found_as_before() {
        let a = Topic::new(Namespace::Events, "a").unwrap();
        let mut ring = ring(&[(1, "old"), (2, "a b")]);
        for seq in 3..20_000 {
            ring.push(Item(seq, set(if seq % 4_000 == 0 { "a b" } else { "a" })));
            if seq % 3 == 0 {
                ring.purge(&a, Seq(seq.saturating_sub(10)), false, |_| true);
            }
        }
        assert!(ring.entries.len() < 3 * MOST_HOLES, "{}", ring.entries.len());
        assert_eq!(seqs(ring.after(&set("old"), Seq(0))), [1]);
        assert_eq!(
            seqs(ring.after(&set("b"), Seq(0))),
            [2, 4_000, 8_000, 12_000, 16_000]
        );
        let left: Vec<u64> = (19_990..20_000).collect();
        assert_eq!(seqs(ring.after(&set("a"), Seq(19_989))), left);
        let all = seqs(ring.after(&set("a b old"), Seq(0)));
        assert!(all.is_sorted() && all.starts_with(&[1, 2, 4_000]) && all.ends_with(&left));
        ring.pop(|_, _| true, false);
        assert_eq!(ring.front().map(Placed::seq), Some(Seq(2)));
        ring.pop(|_, _| true, false);
        assert_eq!(
            seqs(ring.after(&set("b"), Seq(0))),
            [4_000, 8_000, 12_000, 16_000]
        );
    }

    #[test]
    fn a_pinned_topic_keeps_its_exact_floor_while_it_is_empty() {
        let mut ring = ring(&[(1, "a"), (2, "b")]);
        ring.pin(&set("a").iter().next().unwrap().clone());
        ring.pop(|_, _| true, false);
        ring.pop(|_, _| true, false);
        ring.set_absent_floor(Seq(2));
        assert_eq!(ring.floor(&set("a")), Seq(1));
        assert_eq!(ring.floor(&set("b")), Seq(2));
        ring.unpin(set("a").iter().next().unwrap());
        assert_eq!(ring.floor(&set("a")), Seq(2));
        assert!(ring.topics.is_empty());
    }
}
