//! What is written is read again; what is damaged is told.

use proptest::prelude::*;

use super::{line::Last, *};

fn head() -> Head {
    let request = Request {
        method: "GET".into(),
        url: "http://127.0.0.1:1/events/a?access_token=***".into(),
        headers: vec![
            ("accept".into(), Some("text/event-stream".into())),
            ("authorization".into(), None),
        ],
    };
    let response = Response {
        after: 12,
        version: "HTTP/1.1".into(),
        status: 200,
        headers: vec![("content-type".into(), Some("text/event-stream".into()))],
    };
    Head::new(1_767_225_600_000, request, response)
}

fn recorded(chunks: &[(u64, Vec<u8>)], max: u64, ending: Ending) -> Vec<u8> {
    let mut writer = Writer::begin(Vec::new(), &head(), max).unwrap();
    for (at, bytes) in chunks {
        let _ = writer.chunk(*at, bytes).unwrap();
    }
    let at = chunks.last().map_or(0, |(at, _)| *at);
    writer.finish(at, ending, None).unwrap()
}

fn read(file: &[u8]) -> Result<(Head, Vec<Chunk>, Last), Fault> {
    let (head, mut reader) = Reader::open(file)?;
    let mut chunks = Vec::new();
    while let Some(chunk) = reader.next()? {
        chunks.push(chunk);
    }
    let last = reader.last().unwrap().clone();
    Ok((head, chunks, last))
}

fn fault(file: &[u8]) -> String {
    read(file).unwrap_err().to_string()
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        chunks in prop::collection::vec((0_u64..5_000, prop::collection::vec(any::<u8>(), 0..200)), 0..30),
        texts in prop::collection::vec("\\PC*|[\0-\u{7f}]{0,40}", 0..5),
        ending in prop::sample::select(vec![Ending::End, Ending::Cut, Ending::Stalled, Ending::Open]),
    ) {
        let mut chunks = chunks;
        chunks.extend(texts.into_iter().map(|text| (5_000, text.into_bytes())));
        chunks.sort_by_key(|(at, _)| *at);
        let file = recorded(&chunks, u64::MAX, ending);
        let (found, read, last) = read(&file).unwrap();
        prop_assert_eq!(found, head());
        let wanted: Vec<_> = chunks.iter().filter(|(_, bytes)| !bytes.is_empty()).cloned().collect();
        let read: Vec<_> = read.into_iter().map(|chunk| (chunk.at, chunk.bytes)).collect();
        prop_assert_eq!(read, wanted);
        prop_assert_eq!(last.ending, ending);
    }

    #[test]
    fn a_file_cut_anywhere_is_good_up_to_its_last_whole_line(cut in 0_usize..600) {
        let chunks = [(1, b"data: a\n\n".to_vec()), (5, vec![0xff, 0xfe]), (9, b": x\n".to_vec())];
        let file = recorded(&chunks, u64::MAX, Ending::End);
        let cut = cut.min(file.len() - 1);
        let whole = file[..cut].iter().filter(|byte| **byte == b'\n').count();
        match read(&file[..cut]) {
            Ok((_, read, last)) => {
                prop_assert_eq!(read.len(), whole - 1);
                prop_assert_eq!(last.ending, Ending::Open);
            }
            Err(error) => prop_assert!(whole == 0 && matches!(error, Fault::NoRecording(_)), "{error}"),
        }
    }

    #[test]
    fn no_file_makes_the_reader_panic(lines in prop::collection::vec("\\PC{0,80}", 0..6), with_head in any::<bool>()) {
        let mut file = if with_head { recorded(&[], 0, Ending::End) } else { Vec::new() };
        for line in lines {
            file.extend_from_slice(line.as_bytes());
            file.push(b'\n');
        }
        let _ = read(&file);
    }
}

#[test]
fn text_stands_as_text_and_bytes_as_base64() {
    let file = recorded(
        &[(7, b"data: \xc3\xa4\n\n".to_vec()), (8, vec![0xff])],
        100,
        Ending::Cut,
    );
    let text = String::from_utf8(file).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with(
        r#"{"recording":"tidewire","format":1,"time":1767225600000,"request":{"method":"GET","#
    ));
    assert!(lines[0].contains(r#"["authorization",null]"#), "{}", lines[0]);
    assert_eq!(
        lines[1..],
        [
            r#"{"at":7,"text":"data: ä\n\n"}"#,
            r#"{"at":8,"base64":"/w=="}"#,
            r#"{"at":8,"ending":"cut","chunks":2,"bytes":11}"#
        ]
    );
}

#[test]
fn a_recording_holds_as_much_as_it_may_and_says_so() {
    let chunks = [(1, vec![b'a'; 6]), (2, vec![b'b'; 5]), (3, vec![b'c'; 1])];
    let (_, read, last) = read(&recorded(&chunks, 10, Ending::End)).unwrap();
    assert_eq!(
        read.len(),
        1,
        "what follows a chunk that is left out is left out too"
    );
    assert_eq!(last.ending, Ending::Open);
    assert!(last.why.unwrap().contains("at most 10 bytes"));
}

#[test]
fn a_large_chunk_stands_in_several_lines() {
    let bytes = vec![0_u8; 2 * MAX_PIECE + 1];
    let (_, read, last) = read(&recorded(&[(3, bytes.clone())], u64::MAX, Ending::End)).unwrap();
    assert_eq!(read.len(), 3);
    assert!(read.iter().all(|chunk| chunk.at == 3));
    assert_eq!(
        read.into_iter().flat_map(|chunk| chunk.bytes).collect::<Vec<_>>(),
        bytes
    );
    assert_eq!((last.chunks, last.bytes), (3, 2 * MAX_PIECE as u64 + 1));
}

#[test]
fn what_is_no_recording_is_told() {
    for file in [
        "",
        "hello\n",
        "{}\n",
        r#"{"recording":"other","format":1}"#,
        "data: x\n\n",
    ] {
        assert!(
            fault(file.as_bytes()).contains("no recording of Tidewire"),
            "{file}"
        );
    }
    let other = String::from_utf8(recorded(&[], 0, Ending::End)).unwrap();
    let other = other.replace("\"format\":1", "\"format\":2");
    assert!(fault(other.as_bytes()).contains("has format 2"));
}

#[test]
fn damage_is_told_with_its_line() {
    let file = String::from_utf8(recorded(
        &[(5, b"a".to_vec()), (9, b"b".to_vec())],
        9,
        Ending::End,
    ))
    .unwrap();
    for (from, to, texts) in [
        (
            r#""at":9,"text""#,
            r#""at":4,"text""#,
            ["line 3", "4 ms, after 5 ms"],
        ),
        (r#""text":"b""#, r#""test":"b""#, ["line 3", "one of `text`"]),
        (r#""text":"b""#, r#""base64":"?""#, ["line 3", "base64"]),
        (r#""bytes":2"#, r#""bytes":3"#, ["line 4", "2 of 2 bytes"]),
        (r#""ending":"end""#, r#""ending":"won""#, ["line 4", "won"]),
        ("\n{\"at\":9,\"text\":\"b\"}", "", ["line 3", "2 chunks"]),
    ] {
        let damaged = file.replace(from, to);
        assert_ne!(damaged, file);
        let said = fault(damaged.as_bytes());
        for text in texts {
            assert!(said.contains(text), "{said}");
        }
    }
    let more = format!("{file}{{}}\n");
    assert!(fault(more.as_bytes()).contains("line 5: it stands behind the last one"));
    let long = format!("{file}{}", " ".repeat(MAX_LINE + 2));
    assert!(fault(long.as_bytes()).contains("line 5"));
}
