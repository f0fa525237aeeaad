//! Topics of which nothing is kept, those that lost the last of it first in front.
//!
//! Bound: twice as many as there are topics, and [`SPARE`].

use std::collections::{HashSet, VecDeque};

use crate::Topic;

/// So many are not worth a look.
const SPARE: usize = 1024;

/// See the module's text. Some may have got something since, or stand here twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Idle(VecDeque<Topic>);

impl Idle {
    /// A topic has nothing any more. There are `known` topics.
    pub(crate) fn push(&mut self, topic: Topic, known: usize, is_idle: impl Fn(&Topic) -> bool) {
        self.0.push_back(topic);
        if self.0.len() > 2 * known + SPARE {
            let mut seen = HashSet::new();
            self.0
                .retain(|topic| is_idle(topic) && seen.insert(topic.clone()));
        }
    }

    /// The first so many that still have nothing.
    pub(crate) fn first(&mut self, most: usize, is_idle: impl Fn(&Topic) -> bool) -> Vec<Topic> {
        while self.0.front().is_some_and(|topic| !is_idle(topic)) {
            self.0.pop_front();
        }
        let idle = self.0.iter().filter(|topic| is_idle(topic));
        idle.take(most).cloned().collect()
    }
}

impl FromIterator<Topic> for Idle {
    fn from_iter<I: IntoIterator<Item = Topic>>(topics: I) -> Self {
        Self(topics.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Namespace;

    #[test]
    fn one_topic_that_comes_and_goes_takes_no_more_room() {
        let topic = Topic::new(Namespace::Events, "a").unwrap();
        let mut idle = Idle::default();
        for _ in 0..10 * SPARE {
            idle.push(topic.clone(), 1, |_| true);
        }
        assert!(idle.0.len() <= SPARE + 2);
        assert_eq!(idle.first(1, |_| true), [topic]);
        assert!(idle.first(1, |_| false).is_empty() && idle.0.is_empty());
    }
}
