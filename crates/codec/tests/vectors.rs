//! The vectors of `vectors/*.json`: the oracle and the decoder agree with each, under every cut.

#![allow(clippy::unwrap_used, reason = "tests/ lies outside `allow-unwrap-in-tests`")]

mod support;

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use support::{Outcome, Seen, Setup, check, fast, oracle};
use tidewire_codec::{Limit, Limits, Unfinished};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "about")]
    _about: String,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    input: Option<String>,
    base64: Option<String>,
    limits: Option<MaxLens>,
    #[serde(default)]
    unfinished: End,
    items: Vec<VectorItem>,
    #[serde(default)]
    last_event_id: String,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(deny_unknown_fields)]
struct MaxLens {
    max_line: usize,
    max_event: usize,
    max_id: usize,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "lowercase")]
enum End {
    #[default]
    Drop,
    Keep,
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum VectorItem {
    Event {
        #[serde(default = "message")]
        name: String,
        data: String,
        #[serde(default)]
        last_event_id: String,
        #[serde(default)]
        has_id: bool,
    },
    Comment {
        comment: String,
    },
    Retry {
        retry: u64,
    },
    Overlong {
        overlong: Exceeded,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Exceeded {
    Line,
    Event,
    Id,
}

fn message() -> String {
    "message".to_owned()
}

impl Vector {
    fn stream(&self) -> Vec<u8> {
        match (&self.input, &self.base64) {
            (Some(text), None) => text.clone().into_bytes(),
            (None, Some(text)) => BASE64_STANDARD.decode(text).unwrap(),
            _ => panic!("{}: either `input` or `base64`", self.name),
        }
    }

    fn setup(&self) -> Setup {
        Setup {
            limits: self.limits.map_or_else(Limits::default, |lens| Limits {
                max_line: lens.max_line,
                max_event: lens.max_event,
                max_id: lens.max_id,
            }),
            all: true,
            unfinished: match self.unfinished {
                End::Drop => Unfinished::Drop,
                End::Keep => Unfinished::Keep,
            },
        }
    }

    fn outcome(&self) -> Outcome {
        Outcome {
            items: self.items.iter().map(VectorItem::seen).collect(),
            last_event_id: self.last_event_id.clone(),
        }
    }
}

impl VectorItem {
    fn seen(&self) -> Seen {
        match self {
            Self::Event {
                name,
                data,
                last_event_id,
                has_id,
            } => Seen::Event {
                name: name.clone(),
                data: data.clone(),
                last_event_id: last_event_id.clone(),
                has_id: *has_id,
            },
            Self::Comment { comment } => Seen::Comment(comment.clone()),
            Self::Retry { retry } => Seen::Retry(*retry),
            Self::Overlong { overlong } => Seen::Overlong(match overlong {
                Exceeded::Line => Limit::Line,
                Exceeded::Event => Limit::Event,
                Exceeded::Id => Limit::Id,
            }),
        }
    }
}

/// Runs the vectors of one file.
fn run(file: &str, at_least: usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(file);
    let file: File = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert!(file.vectors.len() >= at_least, "vectors were lost");
    for vector in &file.vectors {
        let (stream, setup, expected) = (vector.stream(), vector.setup(), vector.outcome());
        let name = &vector.name;
        assert_eq!(oracle::decode(&stream, &setup), expected, "oracle: {name}");
        for at in 0..=stream.len() {
            let outcome = fast::decode(fast::cut(&stream, &[at]), &setup);
            assert_eq!(outcome, expected, "{name}, cut at {at}");
        }
        // Byte by byte, owned, and without comments and times.
        check::agree(&stream, &[], &setup);
        check::agree(&stream, &[], &Setup { all: false, ..setup });
        if stream.len() < 80 {
            for first in 0..=stream.len() {
                for second in first..=stream.len() {
                    let outcome = fast::decode(fast::cut(&stream, &[first, second]), &setup);
                    assert_eq!(outcome, expected, "{name}, cut at {first} and {second}");
                }
            }
        }
    }
}

#[test]
fn w1_line_ends() {
    run("line-ends.json", 12);
}

#[test]
fn w1_byte_order_mark() {
    run("bom.json", 10);
}

#[test]
fn w1_utf8() {
    run("utf8.json", 17);
}

#[test]
fn w1_w2_w3_fields() {
    run("fields.json", 25);
}

#[test]
fn w3_comments() {
    run("comments.json", 7);
}

#[test]
fn w4_ids() {
    run("ids.json", 15);
}

#[test]
fn w4_retry() {
    run("retry.json", 9);
}

#[test]
fn w6_unfinished() {
    run("unfinished.json", 17);
}

#[test]
fn ai_streams() {
    run("ai-streams.json", 12);
}

#[test]
fn limits() {
    run("limits.json", 26);
}

#[test]
fn every_file_is_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".json"))
        .collect();
    files.sort();
    let source = include_str!("vectors.rs");
    for file in files {
        assert!(source.contains(&format!("run(\"{file}\"")), "{file} is not run");
    }
}
