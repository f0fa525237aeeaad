//! What is measured. Each case does its work on the whole stream once a run.

use std::convert::Infallible;
use std::hint::black_box;

use axum::response::IntoResponse as _;
use axum::response::sse::{self, Sse};
use bytes::{Buf as _, Bytes};
use eventsource_stream::Eventsource as _;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use http_body_util::BodyExt as _;
use memchr::memchr2;
use tidewire_codec::{Decoder, EventId, EventName, EventRef, Item, Limits};

use crate::streams::{self, CHUNK, EVENTS};

/// One thing to measure.
pub struct Case {
    pub name: &'static str,
    pub group: Group,
    /// Events a run handles.
    pub events: usize,
    /// Bytes a run handles.
    pub bytes: usize,
    work: Box<dyn Fn() -> usize>,
}

/// Cases that are compared with one another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Group {
    Decode,
    DecodeChinese,
    DecodeTyped,
    LongLine,
    Encode,
    EncodeNamed,
}

impl Case {
    pub fn run(&self) -> usize {
        black_box((self.work)())
    }
}

/// Every case, those of a group in the order of the table.
pub fn all() -> Vec<Case> {
    let mut cases = decode();
    cases.extend(decode_other_streams());
    cases.extend(long_line());
    cases.extend(encode());
    cases.extend(encode_named());
    cases
}

fn decode() -> Vec<Case> {
    let stream = streams::stream(&streams::tokens(false));
    let group = Group::Decode;
    let case = |name, work| case(name, group, EVENTS, stream.len(), work);
    let own = || (stream.clone(), streams::chunks(&stream));
    let with_bytes = |decode: fn(&[u8]) -> usize| -> Box<dyn Fn() -> usize> {
        let stream = own().0;
        Box::new(move || decode(black_box(&stream)))
    };
    let with_chunks = |decode: fn(&[Bytes]) -> usize| -> Box<dyn Fn() -> usize> {
        let chunks = own().1;
        Box::new(move || decode(black_box(&chunks)))
    };
    vec![
        case("memchr2", with_bytes(line_ends)),
        case("borrowed", with_bytes(borrowed)),
        case("owned", with_bytes(owned)),
        case("borrowed, every event cut", {
            let stream = stream.clone();
            let size = stream.len() / EVENTS;
            Box::new(move || borrowed_in(black_box(&stream), size))
        }),
        case("sse-core", with_chunks(sse_core)),
        case("sse-stream", with_chunks(sse_stream)),
        case("eventsource-stream", with_chunks(eventsource_stream)),
    ]
}

fn decode_other_streams() -> Vec<Case> {
    let mut cases = Vec::new();
    for (group, stream, names) in [
        (
            Group::DecodeChinese,
            streams::stream(&streams::tokens(true)),
            ["memchr2 zh", "borrowed zh", "owned zh", "sse-core zh"],
        ),
        (
            Group::DecodeTyped,
            streams::typed(),
            ["memchr2 typed", "borrowed typed", "owned typed", "sse-core typed"],
        ),
    ] {
        let len = stream.len();
        let chunks = streams::chunks(&stream);
        for (name, decode) in names.into_iter().zip([line_ends, borrowed, owned]) {
            let stream = stream.clone();
            let work = Box::new(move || decode(black_box(&stream)));
            cases.push(case(name, group, EVENTS, len, work));
        }
        let work = Box::new(move || sse_core(black_box(&chunks)));
        cases.push(case(names[3], group, EVENTS, len, work));
    }
    cases
}

fn long_line() -> Vec<Case> {
    let stream = streams::long_line();
    let len = stream.len();
    let case = |name, size: usize| {
        let stream = stream.clone();
        let work = Box::new(move || borrowed_in(black_box(&stream), size));
        case(name, Group::LongLine, 1, len, work)
    };
    vec![
        case("4 MiB line, one chunk", len),
        case("4 MiB line, 16 KiB chunks", CHUNK),
        case("4 MiB line, 1460 B chunks", 1460),
        case("4 MiB line, 64 B chunks", 64),
    ]
}

fn encode() -> Vec<Case> {
    let tokens = streams::tokens(false);
    let len = streams::stream(&tokens).len();
    let ours = {
        let tokens = tokens.clone();
        Box::new(move || {
            let mut out = Vec::new();
            let mut total = 0;
            for token in black_box(&tokens) {
                out.clear();
                EventRef::new(token).encode(&mut out);
                total += black_box(&out).len();
            }
            total
        })
    };
    let ours_fresh = {
        let tokens = tokens.clone();
        Box::new(move || {
            let mut total = 0;
            for token in black_box(&tokens) {
                let mut out = Vec::new();
                EventRef::new(token).encode(&mut out);
                total += Bytes::from(black_box(out)).len();
            }
            total
        })
    };
    let axum = {
        let tokens = tokens.clone();
        Box::new(move || {
            let tokens = black_box(tokens.clone());
            axum_body(tokens, |token| sse::Event::default().data(token))
        })
    };
    let case = |name, work| case(name, Group::Encode, EVENTS, len, work);
    vec![
        case("encode, one buffer", ours),
        case("encode, a buffer an event", ours_fresh),
        case("axum", axum),
        case(
            "axum's body alone",
            Box::new(move || bare_body(black_box(tokens.clone()))),
        ),
    ]
}

fn encode_named() -> Vec<Case> {
    let events: Vec<(EventId, String)> = (0..EVENTS)
        .map(|n| {
            let id = EventId::new(format!("~k3m9x2ab-{n}")).expect("no line end");
            (id, "一".to_owned())
        })
        .collect();
    let name = EventName::new("delta").expect("no line end");
    let len = streams::typed().len();
    let ours = {
        let events = events.clone();
        Box::new(move || {
            let mut out = Vec::new();
            let mut total = 0;
            for (id, data) in black_box(&events) {
                out.clear();
                EventRef::new(data).with_id(id).with_name(&name).encode(&mut out);
                total += black_box(&out).len();
            }
            total
        })
    };
    let axum = Box::new(move || {
        axum_body(black_box(events.clone()), |(id, data)| {
            sse::Event::default().id(id.as_str()).event("delta").data(data)
        })
    });
    vec![
        case("encode id, name", Group::EncodeNamed, EVENTS, len, ours),
        case("axum id, name", Group::EncodeNamed, EVENTS, len, axum),
    ]
}

fn case(name: &'static str, group: Group, events: usize, bytes: usize, work: Box<dyn Fn() -> usize>) -> Case {
    Case {
        name,
        group,
        events,
        bytes,
        work,
    }
}

fn line_ends(stream: &[u8]) -> usize {
    let mut lines = 0;
    for mut chunk in stream.chunks(CHUNK) {
        while let Some(at) = memchr2(b'\r', b'\n', chunk) {
            lines += 1;
            chunk = &chunk[at + 1..];
        }
    }
    lines
}

fn borrowed(stream: &[u8]) -> usize {
    borrowed_in(stream, CHUNK)
}

fn borrowed_in(stream: &[u8], chunk: usize) -> usize {
    let mut decoder = Decoder::new().with_limits(Limits {
        max_line: 8 << 20,
        ..Limits::default()
    });
    let mut total = 0;
    for chunk in stream.chunks(chunk) {
        let mut items = decoder.feed(chunk);
        while let Some(item) = items.next() {
            if let Item::Event(event) = item {
                total += black_box(event).data.len();
            }
        }
    }
    total
}

fn owned(stream: &[u8]) -> usize {
    let mut decoder = Decoder::new();
    let mut total = 0;
    for chunk in stream.chunks(CHUNK) {
        for message in decoder.feed(chunk).messages() {
            total += black_box(message).map_or(0, |message| message.data.len());
        }
    }
    total
}

fn sse_core(chunks: &[Bytes]) -> usize {
    let mut decoder = sse_core::SseDecoder::new();
    let mut total = 0;
    for chunk in chunks {
        let mut chunk = chunk.clone();
        while let Some(event) = decoder.next(&mut chunk) {
            if let Ok(sse_core::SseEvent::Message(event)) = black_box(event) {
                total += event.data.len();
            }
        }
        debug_assert!(!chunk.has_remaining());
    }
    total
}

fn sse_stream(chunks: &[Bytes]) -> usize {
    let chunks = stream::iter(chunks.iter().cloned().map(Ok::<_, Infallible>));
    let mut events = sse_stream::SseStream::from_bytes_stream(chunks);
    let mut total = 0;
    while let Some(Some(Ok(event))) = events.next().now_or_never() {
        total += black_box(event).data.map_or(0, |data| data.len());
    }
    total
}

fn eventsource_stream(chunks: &[Bytes]) -> usize {
    let chunks = stream::iter(chunks.iter().cloned().map(Ok::<_, Infallible>));
    let mut events = chunks.eventsource();
    let mut total = 0;
    while let Some(Some(Ok(event))) = events.next().now_or_never() {
        total += black_box(event).data.len();
    }
    total
}

/// axum encodes only on the way into a body, so that is measured.
fn axum_body<T: Send + 'static>(items: Vec<T>, event: impl Fn(T) -> sse::Event + Send + 'static) -> usize {
    let events = stream::iter(items).map(move |item| Ok::<_, Infallible>(event(item)));
    read_body(Sse::new(events).into_response().into_body())
}

/// What such a body costs when there is nothing to encode.
fn bare_body(tokens: Vec<String>) -> usize {
    let chunks = stream::iter(tokens).map(|token| Ok::<_, Infallible>(Bytes::from(token)));
    read_body(axum::body::Body::from_stream(chunks))
}

fn read_body(mut body: axum::body::Body) -> usize {
    let mut total = 0;
    while let Some(Some(Ok(frame))) = body.frame().now_or_never() {
        total += black_box(frame).data_ref().map_or(0, Bytes::len);
    }
    total
}
