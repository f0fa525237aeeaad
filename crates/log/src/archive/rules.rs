//! Retention by topic: how much is kept of each topic whose name begins with a prefix.
//!
//! A prefix is plain text, as in a search: `chat/` stands for `chat/7`, not for `chat`; `chat` stands for both, and for
//! `chatter`; the empty one stands for every topic. Where several fit, the longest counts, alone.

use std::{sync::Arc, time::Duration};

use crate::{Millis, Namespace, Topic, clock::millis};

/// How much is kept of each topic whose name begins with a prefix. Each bound holds by itself; the oldest events go first.
/// Rules are looked at once a second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The door whose topics are meant.
    pub namespace: Namespace,
    /// What their names begin with.
    pub prefix: String,
    /// Events of one topic.
    pub max_events: Option<usize>,
    /// Bytes of one topic. An event of several topics counts in each; the newest event is always kept.
    pub max_bytes: Option<usize>,
    /// Age. What is too old may stay a 64th of it longer, at most a minute.
    pub max_age: Option<Duration>,
}

/// Why rules cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// Every topic that comes up is compared with them all.
    #[error(
        "there are {count} rules, and at most {} can be: let one prefix stand for several",
        Rules::MAX
    )]
    TooMany {
        /// How many there are.
        count: usize,
    },
    /// Nobody can say which of the two counts.
    #[error("there are two rules for the prefix {prefix:?}: make one of them")]
    Twice {
        /// The prefix.
        prefix: String,
    },
    /// It changes nothing.
    #[error(
        "the rule for the prefix {prefix:?} bounds nothing: give max_events, max_bytes or max_age, or leave it out"
    )]
    BoundsNothing {
        /// The prefix.
        prefix: String,
    },
    /// Nothing would ever be kept.
    #[error("{bound} of the rule for the prefix {prefix:?} is zero: give 1 or more")]
    Zero {
        /// The prefix.
        prefix: String,
        /// The bound's name.
        bound: &'static str,
    },
    /// It stands for nothing.
    #[error(
        "no topic begins with {prefix:?}: topics have at most {} bytes and no control characters",
        Topic::MAX_LEN
    )]
    NoTopic {
        /// The prefix.
        prefix: String,
    },
}

/// Rules that can hold together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules(Arc<Vec<Rule>>);

impl Rules {
    /// The most rules.
    pub const MAX: usize = 100;

    /// Takes rules, in any order.
    ///
    /// # Errors
    /// [`RuleError`].
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Result<Self, RuleError> {
        let mut rules: Vec<Rule> = rules.into_iter().collect();
        if rules.len() > Self::MAX {
            return Err(RuleError::TooMany { count: rules.len() });
        }
        rules.iter().try_for_each(Rule::check)?;
        // The longest first, and the same ones side by side.
        let order = |rule: &Rule| {
            (
                std::cmp::Reverse(rule.prefix.len()),
                rule.prefix.clone(),
                rule.namespace,
            )
        };
        rules.sort_by_key(order);
        let is_same =
            |pair: &&[Rule]| pair[0].prefix == pair[1].prefix && pair[0].namespace == pair[1].namespace;
        match rules.windows(2).find(is_same) {
            Some(pair) => Err(RuleError::Twice {
                prefix: pair[0].prefix.clone(),
            }),
            None => Ok(Self(Arc::new(rules))),
        }
    }

    /// The one that counts for a topic.
    #[must_use]
    pub fn of(&self, topic: &Topic) -> Option<&Rule> {
        self.0.iter().find(|rule| rule.fits(topic))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn number_of(&self, topic: &Topic) -> Option<usize> {
        self.0.iter().position(|rule| rule.fits(topic))
    }

    pub(crate) fn get(&self, number: usize) -> Option<&Rule> {
        self.0.get(number)
    }
}

impl Rule {
    fn check(&self) -> Result<(), RuleError> {
        let prefix = || self.prefix.clone();
        if self.prefix.len() > Topic::MAX_LEN || self.prefix.chars().any(char::is_control) {
            return Err(RuleError::NoTopic { prefix: prefix() });
        }
        let zeros = [
            ("max_events", self.max_events.map(|max| max == 0)),
            ("max_bytes", self.max_bytes.map(|max| max == 0)),
            ("max_age", self.max_age.map(|max| max.is_zero())),
        ];
        if zeros.iter().all(|(_, is_zero)| is_zero.is_none()) {
            return Err(RuleError::BoundsNothing { prefix: prefix() });
        }
        match zeros.into_iter().find(|(_, is_zero)| *is_zero == Some(true)) {
            Some((bound, _)) => Err(RuleError::Zero {
                prefix: prefix(),
                bound,
            }),
            None => Ok(()),
        }
    }

    fn fits(&self, topic: &Topic) -> bool {
        topic.namespace() == self.namespace && topic.name().starts_with(&self.prefix)
    }

    /// What it allows at a time.
    pub(crate) fn allows(&self, now: Millis) -> Allowed {
        let count = |max: Option<usize>| max.map_or(u64::MAX, |max| max as u64);
        Allowed {
            events: count(self.max_events),
            bytes: count(self.max_bytes),
            since: self.max_age.map_or(0, |age| now.saturating_sub(millis(age))),
        }
    }
}

/// What a rule allows a topic at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowed {
    pub(crate) events: u64,
    pub(crate) bytes: u64,
    /// What is older goes.
    pub(crate) since: Millis,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(prefix: &str) -> Rule {
        Rule {
            namespace: Namespace::Events,
            prefix: prefix.into(),
            max_events: Some(prefix.len() + 1),
            max_bytes: None,
            max_age: None,
        }
    }

    fn prefix_for(rules: &Rules, namespace: Namespace, name: &str) -> Option<String> {
        let topic = Topic::new(namespace, name).unwrap();
        rules.of(&topic).map(|rule| rule.prefix.clone())
    }

    #[test]
    fn the_longest_prefix_counts_in_its_namespace() {
        let rules = Rules::new(["chat", "", "chat/vip/", "chat/"].map(rule)).unwrap();
        for (name, prefix) in [
            ("chat/vip/7", "chat/vip/"),
            ("chat/vip", "chat/"),
            ("chat/7", "chat/"),
            ("chatter", "chat"),
            ("chat", "chat"),
            ("logs", ""),
        ] {
            assert_eq!(
                prefix_for(&rules, Namespace::Events, name).unwrap(),
                prefix,
                "{name}"
            );
        }
        assert_eq!(prefix_for(&rules, Namespace::Relay, "chat/7"), None);
    }

    #[test]
    fn rules_that_cannot_be_say_why() {
        let error = |rules: &[Rule]| Rules::new(rules.iter().cloned()).unwrap_err();
        let twice = [rule("a/"), rule("b/"), rule("a/")];
        assert!(
            error(&twice)
                .to_string()
                .contains("two rules for the prefix \"a/\"")
        );
        let relay = Rule {
            namespace: Namespace::Relay,
            ..rule("a/")
        };
        Rules::new([rule("a/"), relay]).unwrap();
        let nothing = Rule {
            max_events: None,
            ..rule("a/")
        };
        assert!(error(&[nothing]).to_string().contains("bounds nothing"));
        let zero = Rule {
            max_age: Some(Duration::ZERO),
            ..rule("a/")
        };
        assert!(error(&[zero]).to_string().starts_with("max_age of the rule"));
        assert!(error(&[rule("a\n")]).to_string().contains("no topic begins"));
        let many: Vec<_> = (0..=Rules::MAX).map(|number| rule(&number.to_string())).collect();
        assert_eq!(error(&many), RuleError::TooMany { count: 101 });
        Rules::new(many[1..].iter().cloned()).unwrap();
    }
}
