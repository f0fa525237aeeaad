//! What is decoded and encoded.

use bytes::Bytes;
use tidewire_codec::Event;

/// Events in every stream.
pub const EVENTS: usize = 4000;

/// What a socket read brings.
pub const CHUNK: usize = 16 << 10;

const ENGLISH: [&str; 8] = [
    " the",
    " stream",
    " survives",
    ",",
    " and",
    " every",
    " reader",
    ".\\n",
];
const CHINESE: [&str; 8] = ["流", "不断", "，", "每一位", "读者", "都能", "继续", "。\\n"];

/// The data of a chat completion, token by token, about 250 bytes each.
pub fn tokens(chinese: bool) -> Vec<String> {
    let words = if chinese { CHINESE } else { ENGLISH };
    (0..EVENTS)
        .map(|n| {
            let word = words[n * 7 % words.len()];
            format!(
                "{{\"id\":\"chatcmpl-C9x2Qw7Zt1mB5yR8kL3vN6pD\",\"object\":\"chat.completion.chunk\",\
                 \"created\":17600{n:05},\"model\":\"gpt-4o-mini-2024-07-18\",\"system_fingerprint\":\"fp_44added55e\",\
                 \"choices\":[{{\"index\":0,\
                 \"delta\":{{\"content\":\"{word}\"}},\"logprobs\":null,\"finish_reason\":null}}]}}"
            )
        })
        .collect()
}

/// The tokens as an event stream.
pub fn stream(tokens: &[String]) -> Vec<u8> {
    let mut out = Vec::new();
    for token in tokens {
        Event::new(token.as_str()).encode(&mut out);
    }
    out
}

/// Nothing but Chinese characters, one an event, with ids and names, as the demo types them.
pub fn typed() -> Vec<u8> {
    let mut out = Vec::new();
    for n in 0..EVENTS {
        let word = CHINESE[n % CHINESE.len()];
        out.extend_from_slice(format!("id: ~k3m9x2ab-{n}\nevent: delta\ndata: {word}\n\n").as_bytes());
    }
    out
}

/// One event of 4 MiB.
pub fn long_line() -> Vec<u8> {
    let mut out = b"data: ".to_vec();
    out.resize(4 << 20, b'x');
    out.extend_from_slice(b"\n\n");
    out
}

/// For decoders that take `Bytes`: slices of one allocation.
pub fn chunks(stream: &[u8]) -> Vec<Bytes> {
    let stream = Bytes::copy_from_slice(stream);
    (0..stream.len())
        .step_by(CHUNK)
        .map(|at| stream.slice(at..stream.len().min(at + CHUNK)))
        .collect()
}
