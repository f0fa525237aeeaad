//! What the view shows of a stream, one thing after another: events, comments, reconnection times, and what could not be
//! read.

use std::{collections::VecDeque, sync::Arc};

use serde::Serialize;

/// An event may be megabytes long; the view has its beginning, the recording all of it.
const SHOWN: usize = 2_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Item {
    /// The first item of a stream is 1.
    pub(super) n: u64,
    /// Milliseconds since the head.
    pub(super) at: u64,
    /// Of the chunk that completed it; the first is 1.
    pub(super) chunk: u64,
    /// Milliseconds since the last item of its kind.
    pub(super) gap: Option<u64>,
    #[serde(flatten)]
    pub(super) what: What,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum What {
    Event {
        #[serde(rename = "type")]
        name: Text,
        /// Its own; an event without one has the last one's.
        id: Option<Text>,
        data: Text,
        /// Bytes of its data.
        size: usize,
    },
    /// A line of NDJSON.
    Line {
        data: Text,
        size: usize,
    },
    Comment {
        data: Text,
        size: usize,
    },
    Retry {
        millis: u64,
    },
    Fault {
        code: Fault,
        /// Bytes that it is about.
        size: u64,
    },
}

/// What the view cannot show, or what no reader gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Fault {
    /// The view fell behind, and left out chunks; the client got them.
    Missed,
    /// An event larger than the view reads.
    Overlong,
    /// The stream is packed in a way that the view cannot read.
    Packed,
    /// The stream ended in the midst of an event, which its readers drop.
    Unfinished,
}

/// The beginning of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct Text(Box<str>);

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        let end = text.char_indices().nth(SHOWN).map_or(text.len(), |(at, _)| at);
        Self(text[..end].into())
    }
}

/// The last items of a stream.
#[derive(Debug)]
pub(super) struct Ring {
    items: VecDeque<Arc<Item>>,
    max: usize,
}

impl Ring {
    pub(super) fn new(max: usize) -> Self {
        Self {
            items: VecDeque::new(),
            max,
        }
    }

    pub(super) fn push(&mut self, item: Arc<Item>) {
        if self.items.len() == self.max {
            self.items.pop_front();
        }
        self.items.push_back(item);
    }

    pub(super) fn append(&mut self, news: Self) {
        news.items.into_iter().for_each(|item| self.push(item));
    }

    /// The next items after number `n`, at most so many.
    pub(super) fn after(&self, n: u64, most: usize) -> Vec<Arc<Item>> {
        let from = self.items.partition_point(|item| item.n <= n);
        self.items.range(from..).take(most).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(n: u64) -> Arc<Item> {
        let what = What::Retry { millis: n };
        Arc::new(Item {
            n,
            at: n,
            chunk: 1,
            gap: None,
            what,
        })
    }

    #[test]
    fn the_last_items_are_kept() {
        let mut ring = Ring::new(3);
        (1..=5).map(item).for_each(|item| ring.push(item));
        let numbers = |n, most| ring.after(n, most).iter().map(|item| item.n).collect::<Vec<_>>();
        assert_eq!(numbers(0, 9), [3, 4, 5]);
        assert_eq!(numbers(3, 1), [4]);
        assert_eq!(numbers(5, 9), [0; 0]);
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(Text::from("潮汐"), Text("潮汐".into()));
        assert_eq!(
            Text::from(&*"潮".repeat(SHOWN + 1)),
            Text("潮".repeat(SHOWN).into())
        );
    }

    #[test]
    fn an_item_is_one_flat_object() {
        let what = What::Event {
            name: "tick".into(),
            id: None,
            data: "a".into(),
            size: 1,
        };
        let json = serde_json::to_string(&Item {
            n: 1,
            at: 2,
            chunk: 3,
            gap: Some(4),
            what,
        })
        .unwrap();
        assert_eq!(
            json,
            r#"{"n":1,"at":2,"chunk":3,"gap":4,"kind":"event","type":"tick","id":null,"data":"a","size":1}"#
        );
    }
}
