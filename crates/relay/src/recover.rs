//! After a restart: which answers there are, and what is said of those that were running.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, atomic::Ordering},
};

use futures_util::stream::{self, TryStreamExt as _};
use tidewire_codec::EventName;
use tidewire_hub::{Millis, Seq, TopicSet};

use super::{
    AT_A_TIME, Inner, Relay,
    answer::{Answer, Named, Phase, Share},
    answers::is_due,
    asker::Asker,
    dialect::{Broken, Dialect, Reading},
    measures::Ending,
    publisher::{Note, Publisher, control},
    stream::StreamId,
};

/// How much is read at a time, in bytes.
const BUDGET: usize = 1 << 20;

/// An answer as the notes tell of it.
struct Noted {
    named: Named,
    dialect: Option<Dialect>,
    headers: http::HeaderMap,
    ended: Option<(Millis, Ending)>,
}

/// Finds the answers that the log has, and ends those that were running. Gives back those that are to be let go: nobody finds
/// them any more, but the log may still have their events.
///
/// # Errors
/// When the log cannot be read.
pub(super) async fn recover(relay: &Relay) -> Result<Vec<StreamId>, tidewire_hub::Error> {
    let (noted, mut due) = notes(relay).await?;
    // Many at a time: each waits for the disk.
    stream::iter(noted.into_iter().map(Ok))
        .try_for_each_concurrent(AT_A_TIME, |noted| recall(relay, noted))
        .await?;
    let Inner { answers, config, .. } = &*relay.inner;
    for stream in &due {
        answers.recall_gone(*stream, config);
    }
    due.extend(answers.expire(config, relay.times().expiry));
    Ok(due)
}

async fn recall(relay: &Relay, noted: Noted) -> Result<(), tidewire_hub::Error> {
    let topics = noted.named.stream.topics()?;
    // It has ended, or ends now: it takes no place.
    let answer = Answer::new(
        noted.named,
        Share::OfToken,
        Asker::MayReturn,
        topics.clone(),
        Phase::Streaming,
    );
    answer.set_form(noted.dialect, noted.headers);
    let has_ended = topics.iter().all(|topic| relay.inner.hub.has_ended(topic));
    let (at, how) = match (noted.ended, has_ended) {
        (Some(ended), _) => ended,
        // Only the note of its end was not written any more.
        (None, true) => (relay.times().stamp, Ending::Done),
        (None, false) => (relay.times().stamp, interrupt(relay, &answer, &topics).await?),
    };
    answer.set_ending(how);
    relay.inner.answers.recall(&answer, at, how);
    Ok(())
}

/// The answers that the notes tell of, and apart from them those that have been kept long enough, of which there may be many.
async fn notes(relay: &Relay) -> Result<(Vec<Noted>, Vec<StreamId>), tidewire_hub::Error> {
    let control = control()?;
    let now = relay.times().expiry;
    let mut noted: HashMap<StreamId, Noted> = HashMap::new();
    let mut due = Vec::new();
    let mut after = Seq::ZERO;
    loop {
        let scan = relay.inner.hub.records(&control, after, BUDGET).await?;
        for record in &scan.records {
            let text = record.event().map_or("", |event| &event.data);
            match serde_json::from_str(text) {
                Ok(Note::Ended { stream, why }) => {
                    let place = stream.parse().map(|stream| noted.entry(stream));
                    let Ok(Entry::Occupied(mut place)) = place else {
                        continue; // Its route is no more, or its beginning.
                    };
                    place.get_mut().ended = Some((record.time, why));
                    if is_due(record.time, place.get().named.route, &relay.inner.config, now) {
                        due.push(*place.key());
                        place.remove();
                    }
                }
                Ok(began) => {
                    if let Some(answer) = read(relay, began) {
                        noted.insert(answer.named.stream, answer);
                    }
                }
                Err(error) => tracing::warn!(%error, "a note about an answer cannot be read"),
            }
        }
        if scan.records.is_empty() || scan.through <= after {
            return Ok((noted.into_values().collect(), due));
        }
        after = scan.through;
    }
}

/// None if its route is no more.
fn read(relay: &Relay, note: Note) -> Option<Noted> {
    let Note::Began {
        stream,
        route,
        owner,
        request,
        key,
        chat,
        dialect,
        headers,
    } = note
    else {
        return None;
    };
    let hash = |text: Option<String>| text.and_then(|text| text.parse().ok());
    let header = |(name, value): (String, String)| Some((name.parse().ok()?, value.parse().ok()?));
    Some(Noted {
        named: Named {
            stream: stream.parse().ok()?,
            route: relay
                .inner
                .config
                .routes
                .iter()
                .position(|other| other.path == route)?,
            owner: owner.parse().ok()?,
            request: request.parse().ok()?,
            key: hash(key),
            chat: hash(chat),
            retry: None,
        },
        dialect,
        headers: headers
            .into_iter()
            .filter_map(header)
            .collect::<http::HeaderMap>(),
        ended: None,
    })
}

/// Ends an answer that was running. One that had said its last word lacks nothing.
async fn interrupt(
    relay: &Relay,
    answer: &Arc<Answer>,
    topics: &TopicSet,
) -> Result<Ending, tidewire_hub::Error> {
    let reading = last_event(relay, answer, topics).await?;
    answer.events.store(unused_number(answer), Ordering::Relaxed);
    let why = Broken {
        code: "interrupted",
        message: "the server was restarted in the midst of the answer: ask again".into(),
    };
    let (ending, last) = match reading.may_end() {
        true => (reading.outcome().into(), Vec::new()),
        false => (Ending::Interrupted, answer.broken(&why)),
    };
    let mut publisher = Publisher::new(relay.inner.hub.clone(), Arc::clone(answer));
    if let Err(error) = publisher.end(last, ending).await {
        tracing::error!(%error, "an answer that was interrupted cannot be ended");
    }
    Ok(ending)
}

/// A number that no event of the answer had: a random one of 52 bits, beyond all that an upstream can reach. The number after the
/// last one in the log will not do: a log that has lost its end, or is an older copy, does not have all events that readers
/// have, and a reader of one of those would be told that the answer is over.
fn unused_number(answer: &Answer) -> u64 {
    RandomState::new().hash_one(answer.named.stream) >> 13 | 1 << 51
}

/// What the last event says that an answer has. Those before it may be gone.
async fn last_event(
    relay: &Relay,
    answer: &Answer,
    topics: &TopicSet,
) -> Result<Reading, tidewire_hub::Error> {
    let mut reading = Reading::new(answer.dialect());
    let Some(last) = relay.inner.hub.kept(topics).await?.last else {
        return Ok(reading);
    };
    let scan = relay.inner.hub.records(topics, last.seq.before(), BUDGET).await?;
    for event in scan.records.iter().filter_map(|record| record.event()) {
        reading.see(
            event.name.as_ref().map_or("message", EventName::as_str),
            &event.data,
        );
    }
    answer.sequence.store(reading.next_number(), Ordering::Relaxed);
    Ok(reading)
}
