//! A reader that decodes what a subscription gives it, as a client would.

#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

pub mod ordered;
pub mod scripted;

use std::{collections::VecDeque, future::poll_fn, task::Poll};

use tidewire_codec::{Decoder, Event, Item};
use tidewire_hub::{
    Cut, Draft, Encoding, Hub, Namespace, Resume, Seq, Start, Subscribed, Subscription, Topic, TopicSet,
};

pub fn topic(name: &str) -> Topic {
    Topic::new(Namespace::Events, name).unwrap()
}

/// `"a b"` is the set of the topics a and b.
pub fn topics(names: &str) -> TopicSet {
    TopicSet::new(names.split(' ').map(topic)).unwrap()
}

pub fn draft(names: &str, data: &str) -> Draft {
    Draft::event(topics(names), Event::new(data)).unwrap()
}

pub async fn publish(hub: &Hub, names: &str, data: &str) -> Seq {
    hub.append(draft(names, data)).await.unwrap().seq
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    pub name: String,
    pub data: String,
    pub id: String,
}

impl Read {
    pub fn seq(&self) -> Seq {
        self.id.parse::<tidewire_hub::Position>().unwrap().seq
    }
}

pub struct Reader {
    pub subscription: Subscription,
    decoder: Decoder,
    ready: VecDeque<Read>,
}

impl Reader {
    pub async fn open(hub: &Hub, names: &str, start: &Start) -> Self {
        let subscribed = hub.subscribe(topics(names), start, Encoding::EventStream).await;
        Self::of(subscribed.unwrap()).expect("an open stream")
    }

    pub async fn live(hub: &Hub, names: &str) -> Self {
        Self::open(hub, names, &Start::Live).await
    }

    pub async fn after(hub: &Hub, names: &str, id: &str) -> Self {
        Self::open(hub, names, &Start::After(id.into())).await
    }

    pub fn of(subscribed: Subscribed) -> Option<Self> {
        match subscribed {
            Subscribed::Open(subscription) => Some(Self {
                subscription,
                decoder: Decoder::new(),
                ready: VecDeque::new(),
            }),
            Subscribed::Ended => None,
        }
    }

    pub fn resume(&self) -> &Resume {
        self.subscription.resume()
    }

    /// `None` is the end.
    pub async fn next(&mut self) -> Option<Result<Read, Cut>> {
        loop {
            if let Some(read) = self.ready.pop_front() {
                return Some(Ok(read));
            }
            match poll_fn(|cx| self.subscription.poll_chunk(cx)).await? {
                Ok(chunk) => self.decode(&chunk),
                Err(cut) => return Some(Err(cut)),
            }
        }
    }

    fn decode(&mut self, chunk: &[u8]) {
        let mut items = self.decoder.feed(chunk);
        while let Some(item) = items.next() {
            let Item::Event(event) = item else {
                panic!("unexpected {item:?}")
            };
            self.ready.push_back(Read {
                name: event.name.into(),
                data: event.data.into(),
                id: event.last_event_id.into(),
            });
        }
    }

    pub async fn data(&mut self) -> String {
        self.next().await.expect("not the end").unwrap().data
    }

    /// Everything that is there now, without waiting for more.
    pub async fn available(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            all.extend(self.ready.drain(..).map(|read| read.data));
            let chunk = poll_fn(|cx| match self.subscription.poll_chunk(cx) {
                Poll::Pending if !self.subscription.is_behind() => Poll::Ready(None),
                polled => polled,
            });
            match chunk.await {
                Some(chunk) => self.decode(&chunk.unwrap()),
                None => return all,
            }
        }
    }

    /// Everything up to the end.
    pub async fn read_to_end(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(read) = self.next().await {
            all.push(read.unwrap().data);
        }
        all
    }
}
