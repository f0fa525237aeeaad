//! The decoder under test, fed with chunks, by both of its ways of reading.

use tidewire_codec::{Decoder, Item};

use super::{Outcome, Seen, Setup};

/// Reads a stream that comes in `chunks`.
pub fn decode<'a>(chunks: impl IntoIterator<Item = &'a [u8]>, setup: &Setup) -> Outcome {
    let mut decoder = Decoder::new().with_limits(setup.limits);
    if setup.all {
        decoder = decoder.with_comments().with_retry();
    }
    let mut items = Vec::new();
    for chunk in chunks {
        let mut feed = decoder.feed(chunk);
        while let Some(item) = feed.next() {
            items.push(seen(&item));
        }
    }
    items.extend(decoder.finish(setup.unfinished).as_ref().map(seen));
    Outcome {
        items,
        last_event_id: decoder.last_event_id().to_owned(),
    }
}

/// The same with owned messages, which come without comments and reconnection times.
pub fn messages<'a>(chunks: impl IntoIterator<Item = &'a [u8]>, setup: &Setup) -> Vec<Seen> {
    let mut decoder = Decoder::new().with_limits(setup.limits);
    let mut items = Vec::new();
    for chunk in chunks {
        items.extend(decoder.feed(chunk).messages().map(|message| match message {
            Ok(message) => Seen::Event {
                has_id: message.id().is_some(),
                name: message.name.into_owned(),
                data: message.data,
                last_event_id: message.last_event_id,
            },
            Err(overlong) => Seen::Overlong(overlong.limit),
        }));
    }
    items.extend(decoder.finish(setup.unfinished).as_ref().map(seen));
    items
}

/// `bytes` cut at each of `cuts`, which need not be in order.
pub fn cut<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<_> = cuts.iter().map(|&at| at.min(bytes.len())).collect();
    cuts.sort_unstable();
    let mut chunks = Vec::new();
    let mut from = 0;
    for at in cuts {
        chunks.push(&bytes[from..at]);
        from = at;
    }
    chunks.push(&bytes[from..]);
    chunks
}

fn seen(item: &Item<'_>) -> Seen {
    match *item {
        Item::Event(event) => Seen::Event {
            name: event.name.to_owned(),
            data: event.data.to_owned(),
            last_event_id: event.last_event_id.to_owned(),
            has_id: event.has_id,
        },
        Item::Comment(text) => Seen::Comment(text.to_owned()),
        Item::Retry(millis) => Seen::Retry(millis),
        Item::Overlong(overlong) => Seen::Overlong(overlong.limit),
    }
}
