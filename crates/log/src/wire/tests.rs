//! The bytes of each kind of entry, written down: the form does not change without a test that says so.

use tidewire_codec::{Event, EventName};

use super::*;
use crate::{Door, Epoch, IdempotencyKey, Namespace, Seq, Settings, Topic, TopicSet};

fn topics(names: &[&str]) -> TopicSet {
    TopicSet::new(
        names
            .iter()
            .map(|name| Topic::new(Namespace::Events, name).unwrap()),
    )
    .unwrap()
}

fn settings() -> Settings {
    Settings {
        rules: 1,
        max_topics: 2,
        max_keys: 3,
        max_key_bytes: 4,
        keep_keys: 5,
    }
}

fn golden() -> Vec<(Entry, &'static str)> {
    let key = || Some((IdempotencyKey::new("k").unwrap(), 258));
    let mut event = Event::new("\u{6f6e}\n").with_id("i".parse().unwrap());
    event.name = Some(EventName::new("n").unwrap());
    event.retry = Some(3);
    let answer = Topic::new(Namespace::Relay, "r").unwrap();
    let epoch: Epoch = "k3m9x2ab".parse().unwrap();
    vec![
        (
            Entry::event(topics(&["a"]), Event::new("")),
            "010101000001006100000000",
        ),
        (
            Entry::event(topics(&["a", "b"]), event).ending().with_key(key()),
            "017b020000010061000100620100000069010000006e030000000000000001006b020100000000000004000000e6bdae0a",
        ),
        (Entry::end(TopicSet::from(answer)), "0102010001010072"),
        (
            Entry::purge(topics(&["a"])).with_key(key()),
            "014401000001006101006b0201000000000000",
        ),
        (
            Entry::Forget {
                topics: topics(&["a", "b"]),
                through: Seq(7),
            },
            "010601070000000000000002000001006100010062",
        ),
        (Entry::ForgetKeys { before: 9 }, "0106020900000000000000"),
        (
            Entry::Settings(settings()),
            "010603010000000200000000000000030000000000000004000000000000000500000000000000",
        ),
        (Entry::Epoch(epoch), "0106046b336d3978326162"),
        (
            Entry::Fact {
                door: Door::GRANTS,
                data: [0, 255].into(),
            },
            "0106050200ff",
        ),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn batch() -> Batch {
    let origin = Origin {
        node: 0x0102_0304_0506_0708,
        incarnation: 9,
    };
    let entries = [
        (0, Entry::ForgetKeys { before: 9 }),
        (513, Entry::end(topics(&["a"]))),
    ];
    let entries = entries.map(|(session, entry)| Proposed { entry, session }).into();
    Batch {
        origin,
        number: 10,
        entries,
    }
}

#[test]
fn the_bytes_of_entries_stay_as_they_are() {
    for (entry, bytes) in golden() {
        let encoded = encode(&entry).unwrap();
        assert_eq!(hex(&encoded), bytes, "{entry:?}");
        assert_eq!(decode(&encoded).unwrap(), entry);
        for len in 0..encoded.len() {
            // A fact has no end of its own: a message has.
            let cut = decode(&encoded[..len]);
            assert!(
                cut.is_err() || matches!(entry, Entry::Fact { .. }) && len > 3,
                "{entry:?} at {len}: {cut:?}"
            );
        }
        let longer = [&encoded[..], &[0]].concat();
        assert!(
            decode(&longer).is_err() || matches!(entry, Entry::Fact { .. }),
            "{entry:?}"
        );
    }
    let encoded = batch().encode().unwrap();
    assert_eq!(
        hex(&encoded),
        "01080706050403020109000000000000000a000000000000000200000000000a0000000602090000000000000001020700000002010000010061"
    );
    assert_eq!(Batch::decode(&encoded).unwrap(), batch());
    assert!((0..encoded.len()).all(|len| Batch::decode(&encoded[..len]).is_err()));
    assert!(Batch::decode(&[&encoded[..], &[0]].concat()).is_err());
}

#[test]
fn what_a_newer_release_says_is_refused_as_such() {
    let newer = |bytes: &[u8]| assert_eq!(decode(bytes), Err(WireError::Newer), "{bytes:?}");
    let of = |entry: &Entry| encode(entry).unwrap();
    let mut version = of(&Entry::end(topics(&["a"])));
    version[0] = 2;
    newer(&version);
    assert_eq!(Batch::decode(&version), Err(WireError::Newer));
    newer(&[1, 128, 1, 0, 0, 1, 0, b'a', 0, 0, 0, 0]);
    newer(&[1, 6, 99]);
    let rules = Settings {
        rules: 2,
        ..settings()
    };
    newer(&of(&Entry::Settings(rules)));
    let mut later = batch();
    later.entries[0].entry = Entry::Settings(rules);
    assert_eq!(
        Batch::decode(&later.encode().unwrap()),
        Err(WireError::Newer),
        "and nothing of it is read"
    );
}

#[test]
fn what_nobody_may_say_is_refused() {
    let wrong = |bytes: &[u8]| assert!(matches!(decode(bytes), Err(WireError::Wrong(_))), "{bytes:?}");
    wrong(&[]);
    wrong(&[0, 2]);
    let own = Entry::Batch {
        position: 1,
        origin: batch().origin,
        number: 1,
    };
    assert!(matches!(encode(&own), Err(WireError::Wrong(_))));
    let mut bytes = vec![VERSION];
    encode_entry(&own, None, &mut bytes).unwrap();
    wrong(&bytes);
    let names =
        (0..=Entry::MOST_FORGOTTEN).map(|number| Topic::new(Namespace::Events, &number.to_string()).unwrap());
    let many = Entry::Forget {
        topics: TopicSet::new(names).unwrap(),
        through: Seq(1),
    };
    assert!(matches!(encode(&many), Err(WireError::Wrong(_))));
    let twice = [1, 2, 2, 0, 0, 1, 0, b'a', 0, 1, 0, b'a'];
    wrong(&twice);
    let reserved = Event::new("").with_id("~k3m9x2ab-1".parse().unwrap());
    let bytes = encode(&Entry::event(topics(&["a"]), reserved)).unwrap();
    assert!(matches!(decode(&bytes), Err(WireError::Refused(_))));
    let long = Entry::Fact {
        door: Door::RELAY,
        data: vec![0; MAX_ENTRY].into(),
    };
    assert!(matches!(encode(&long), Err(WireError::Wrong(_))));
}
