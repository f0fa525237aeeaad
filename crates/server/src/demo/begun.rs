//! Which answers have begun: a topic with an event for each, so that a server that is started again goes on with those
//! that the one before it did not finish.
//!
//! Anybody who may publish can write there, so nothing in it is believed: an answer is gone on with if its topic holds
//! the beginning of its text since that event, and nothing else. Bound: of the last [`MAX_RUNNING`] answers.

use std::{collections::BTreeMap, future::poll_fn, task::Poll};

use serde::{Deserialize, Serialize};
use tidewire_codec::{Decoder, Event, EventName, EventView, Item};
use tidewire_hub::{Draft, Encoding, Error, Hub, Namespace, Start, Subscribed, Topic, TopicSet};

use super::{
    Demo, MAX_RUNNING, PACES, PREFIX,
    answer::{Answer, DELTA, Lang},
};

/// The topic.
const TOPIC: &str = "demo/answers";

#[derive(Serialize, Deserialize)]
struct Begun {
    topic: String,
    lang: Lang,
    cps: u32,
}

impl Begun {
    fn answer(self) -> Option<Answer> {
        let is_answer = self.topic.starts_with(PREFIX) && PACES.contains(&self.cps);
        Some(Answer {
            topic: Topic::new(Namespace::Events, &self.topic)
                .ok()
                .filter(|_| is_answer)?,
            lang: self.lang,
            cps: self.cps,
        })
    }
}

/// Notes that an answer begins.
pub(super) async fn note(hub: &Hub, answer: &Answer) -> Result<(), Error> {
    let begun = Begun {
        topic: answer.topic.name().to_owned(),
        lang: answer.lang,
        cps: answer.cps,
    };
    // It has no value that JSON lacks.
    let data = serde_json::to_string(&begun).unwrap_or_default();
    let event = Event::new(data).with_name(EventName::from_static("begun"));
    let draft = Draft::event(Topic::new(Namespace::Events, TOPIC)?, event)?;
    match hub.append(draft).await {
        // Somebody has ended the topic. Answers can do without it.
        Ok(_) | Err(Error::Ended { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Types on what was broken off of these.
pub(super) async fn go_on(demo: Demo, begun: Vec<(String, Answer)>) {
    for (id, answer) in begun {
        let Some(typed) = typed(&demo.hub, &answer, id).await else {
            continue;
        };
        let Some(permit) = demo.permit() else {
            return;
        };
        tracing::debug!(typed, "an answer goes on");
        let hub = demo.hub.clone();
        demo.typists.spawn(answer.type_after(hub, typed, permit));
        // Their readers come back meanwhile.
        tokio::task::yield_now().await;
    }
}

/// The last answers that have begun, each once, with the ids of the events that say so.
pub(super) async fn last(hub: &Hub) -> Vec<(String, Answer)> {
    let mut all = BTreeMap::new();
    let Ok(topic) = Topic::new(Namespace::Events, TOPIC) else {
        return Vec::new();
    };
    let topics = TopicSet::from(topic.clone());
    if hub.kept(&topics).await.is_ok_and(|kept| kept.count == 0) {
        return Vec::new();
    }
    read(hub, topic, &Start::Last(MAX_RUNNING), |event| {
        let begun = serde_json::from_str::<Begun>(event.data).ok();
        if let Some(answer) = begun.and_then(Begun::answer) {
            let id = event.last_event_id.to_owned();
            all.entry(answer.topic.name().to_owned()).or_insert((id, answer));
        }
        true
    })
    .await;
    all.into_values().collect()
}

/// How many characters of an answer are there; `None` if it is finished, or is not as it was typed.
async fn typed(hub: &Hub, answer: &Answer, begun: String) -> Option<usize> {
    // Most are finished: they need not be read.
    let kept = hub.kept(&TopicSet::from(answer.topic.clone())).await.ok()?;
    let last = kept.last.map_or(begun.clone(), |last| last.to_string());
    read(hub, answer.topic.clone(), &Start::After(last), |_| true).await?;
    let (text, mut typed) = (answer.text(), 0);
    let is_typed = read(hub, answer.topic.clone(), &Start::After(begun), |event| {
        let fits = event.name == DELTA && text[typed..].starts_with(event.data);
        if fits {
            typed += event.data.len();
        }
        fits
    })
    .await?;
    is_typed.then(|| text[..typed].chars().count())
}

/// Shows the events that a topic holds until one is not to its reader's liking; whether there was none such. Where
/// something is missing, the first of them is the notice of the gap. `None` if the topic has ended or cannot be read.
async fn read(
    hub: &Hub,
    topic: Topic,
    start: &Start,
    mut likes: impl FnMut(&EventView<'_>) -> bool + Send,
) -> Option<bool> {
    let Ok(Subscribed::Open(mut stream)) = hub.subscribe(topic, start, Encoding::EventStream).await else {
        return None;
    };
    let mut decoder = Decoder::new();
    loop {
        // What is there is read, and no more is waited for.
        let chunk = poll_fn(|cx| match stream.poll_chunk(cx) {
            Poll::Pending if !stream.is_behind() => Poll::Ready(None),
            polled => polled.map(Some),
        });
        let Some(chunk) = chunk.await else {
            return Some(true);
        };
        let chunk = chunk?.ok()?;
        let mut items = decoder.feed(&chunk);
        while let Some(item) = items.next() {
            if let Item::Event(event) = item
                && !likes(&event)
            {
                return Some(false);
            }
        }
    }
}
