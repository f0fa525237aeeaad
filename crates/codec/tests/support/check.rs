//! Checks of arbitrary input, for proptest, the fuzz targets and the corpus.

use tidewire_codec::{Event, EventId, EventName, Limits, Unfinished, encode};

use super::{Outcome, Seen, Setup, fast, oracle};

/// Fast equals oracle, however the stream is cut and whatever is asked for.
///
/// Input: two bytes of setup, one byte with the number of cuts, two bytes a cut, then the stream.
pub fn decode(input: &[u8]) {
    let Some((&[flags, limit, cuts], rest)) = input.split_first_chunk() else {
        return;
    };
    let setup = Setup {
        limits: if flags & 4 == 0 {
            Limits::default()
        } else {
            // Small enough to be met.
            let limit = usize::from(limit);
            Limits {
                max_line: limit & 31,
                max_event: limit >> 3,
                max_id: limit >> 5,
            }
        },
        all: flags & 1 == 0,
        unfinished: if flags & 2 == 0 {
            Unfinished::Drop
        } else {
            Unfinished::Keep
        },
    };
    let (cuts, stream) = rest.split_at(rest.len().min(2 * usize::from(cuts)));
    let cuts: Vec<usize> = cuts
        .chunks_exact(2)
        .map(|cut| usize::from(u16::from_le_bytes([cut[0], cut[1]])) % (stream.len() + 1))
        .collect();
    agree(stream, &cuts, &setup);
}

/// Fast equals oracle for a stream cut in a given way, byte by byte, and not at all.
pub fn agree(stream: &[u8], cuts: &[usize], setup: &Setup) -> Outcome {
    let expected = oracle::decode(stream, setup);
    for chunks in [vec![stream], fast::cut(stream, cuts), stream.chunks(1).collect()] {
        let outcome = fast::decode(chunks.iter().copied(), setup);
        assert_eq!(outcome, expected, "{setup:?}, chunks {:?}", Shown(&chunks));
    }
    let mut events = expected.items.clone();
    events.retain(|item| matches!(item, Seen::Event { .. } | Seen::Overlong(_)));
    assert_eq!(fast::messages(fast::cut(stream, cuts), setup), events);
    expected
}

/// What is written is read: nothing lost, nothing injected, and of the length that was said.
///
/// Input: id, name, comment and data, apart by the byte 0xFF, which is no UTF-8; then a retry.
pub fn roundtrip(input: &[u8]) {
    let mut parts = input.split(|&byte| byte == 0xFF).map(String::from_utf8_lossy);
    let mut part = || parts.next().unwrap_or_default();
    let (id, name, comment, data, retry) = (part(), part(), part(), part(), part());
    let event = Event {
        id: EventId::new(id).ok(),
        name: EventName::new(name).ok(),
        retry: retry.parse().ok(),
        data: data.into_owned(),
    };
    survives(&event, &comment);
}

/// See [`roundtrip`].
pub fn survives(event: &Event, comment: &str) {
    let mut stream = Vec::new();
    encode::comment(&mut stream, comment);
    let before = stream.len();
    event.encode(&mut stream);
    assert_eq!(stream.len() - before, event.encoded_len(), "{event:?}");
    encode::comment(&mut stream, comment);

    let setup = Setup {
        limits: Limits {
            max_line: usize::MAX,
            max_event: usize::MAX,
            max_id: usize::MAX,
        },
        all: true,
        unfinished: Unfinished::Keep,
    };
    let half = stream.len() / 2;
    let outcome = agree(&stream, &[half], &setup);

    let lf = |text: &str| text.replace("\r\n", "\n").replace('\r', "\n");
    let comments = lf(comment);
    let comments = comments.split('\n').map(|line| Seen::Comment(line.to_owned()));
    let id = event.id.as_ref().map(EventId::as_str);
    let name = event.name.as_ref().map(EventName::as_str);
    let mut expected: Vec<_> = comments.clone().collect();
    expected.extend(event.retry.map(Seen::Retry));
    expected.push(Seen::Event {
        name: name
            .filter(|name| !name.is_empty())
            .unwrap_or("message")
            .to_owned(),
        data: lf(&event.data),
        last_event_id: id.unwrap_or_default().to_owned(),
        has_id: id.is_some(),
    });
    expected.extend(comments);
    assert_eq!(outcome.items, expected, "{event:?}, {comment:?}");
}

/// Chunks for a message: as text where they are.
struct Shown<'a>(&'a [&'a [u8]]);

impl std::fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|chunk| chunk.escape_ascii().to_string()))
            .finish()
    }
}
