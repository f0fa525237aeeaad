//! What every archive does under rules for single topics.

use crate::records::Derived as _;
use tidewire_log::{Namespace, archive::Rule};

use super::*;

/// A rule for one prefix; the bounds are events, bytes and milliseconds.
pub(super) fn rule(prefix: &str, events: Option<usize>, bytes: Option<usize>, age: Option<u64>) -> Rule {
    Rule {
        namespace: Namespace::Events,
        prefix: prefix.into(),
        max_events: events,
        max_bytes: bytes,
        max_age: age.map(Duration::from_millis),
    }
}

pub(super) fn ruled(rules: impl IntoIterator<Item = Rule>) -> Retention {
    Retention {
        rules: Rules::new(rules).unwrap(),
        ..Retention::default()
    }
}

pub(super) fn a_rule_bounds_each_topic_of_its_prefix_and_no_other(archive: Open<'_>) {
    let archive = archive(ruled([
        rule("chat/", Some(3), None, None),
        rule("chat/long/", Some(40), None, None),
    ]));
    let names = ["chat/a", "chat/b", "chat/long/a", "chat", "other"];
    for seq in 1..=500 {
        append(&*archive, [event(seq, names[usize::try_from(seq % 5).unwrap()])]);
    }
    archive.trim(500);
    assert_eq!(scanned(&*archive, "chat/a").len(), 100, "only once a second");
    let mut gone = archive.trim_topics(500);
    gone.sort_unstable();
    let named: Vec<_> = gone.iter().map(|(topic, _)| topic.name()).collect();
    assert_eq!(named, ["chat/a", "chat/b", "chat/long/a"]);
    for (topic, through) in gone {
        let kept = scanned(&*archive, topic.name());
        assert!(through < Seq(kept[0]), "{through:?} of {topic:?}");
        assert!(through >= floors(&*archive, topic.name()).highest());
    }
    assert_eq!(archive.trim_topics(500), [], "nothing more");
    assert_eq!(scanned(&*archive, "chat/a"), [490, 495, 500]);
    assert_eq!(scanned(&*archive, "chat/b"), [486, 491, 496]);
    assert_eq!(floors(&*archive, "chat/a chat/b"), of([485, 481]));
    assert_eq!(
        scanned(&*archive, "chat/long/a").len(),
        40,
        "the longest prefix counts"
    );
    assert_eq!(floors(&*archive, "chat other"), of([0, 0]));
    assert_eq!(scanned(&*archive, "chat").len(), 100);
    let all = topics("chat/a chat/b chat/long/a chat other");
    assert_eq!(archive.count(&all, ALL).unwrap(), 3 + 3 + 40 + 100 + 100);
    assert_eq!(
        archive.nth_last(&topics("chat/a"), 9, ALL).unwrap(),
        Some(Seq(490))
    );
    // An event of two topics goes from the one and stays in the other.
    append(&*archive, [event(501, "chat/a other")]);
    append(&*archive, (502..=504).map(|seq| event(seq, "chat/a")));
    archive.trim_topics(504);
    assert_eq!(scanned(&*archive, "chat/a"), [502, 503, 504]);
    assert_eq!(scanned(&*archive, "other").last(), Some(&501));
    assert_eq!(floors(&*archive, "chat/a other"), of([501, 0]));
}

pub(super) fn a_rule_in_bytes_keeps_the_newest_event(archive: Open<'_>) {
    let archive = archive(ruled([
        rule("b/", None, Some(4_000), None),
        rule("tiny/", None, Some(1), None),
    ]));
    for seq in 1..=120 {
        let name = ["b/1", "tiny/1", "c"][usize::try_from(seq % 3).unwrap()];
        append(
            &*archive,
            [event_of(seq, topic(name), Event::new("x".repeat(700)))],
        );
    }
    archive.trim_topics(120);
    let kept = scanned(&*archive, "b/1");
    assert!((3..=5).contains(&kept.len()), "{kept:?}");
    assert_eq!(kept.last(), Some(&120));
    assert_eq!(floors(&*archive, "b/1"), of([kept[0] - 3]));
    assert_eq!(scanned(&*archive, "tiny/1"), [118], "the newest stays");
    assert_eq!(scanned(&*archive, "c").len(), 40);
    append(&*archive, [end(121, "tiny/1")]);
    archive.trim_topics(121);
    assert_eq!(scanned(&*archive, "tiny/1"), [118, 121], "the newest event stays");
}

pub(super) fn a_rule_in_time_lets_the_old_go_with_its_ends(archive: Open<'_>) {
    let archive = archive(ruled([rule("t/", None, None, Some(10_000))]));
    let put = |record: Record, time| append(&*archive, [at(record, time)]);
    (1..=30).for_each(|seq| {
        put(
            event(seq, if seq % 2 == 1 { "t/a" } else { "other" }),
            seq * 1_000,
        );
    });
    put(end(31, "t/ended"), 31_000);
    archive.trim_topics(31_000);
    let kept = scanned(&*archive, "t/a");
    assert_eq!(kept, [21, 23, 25, 27, 29]);
    assert_eq!(floors(&*archive, "other t/a"), of([0, 19]));
    archive.trim_topics(80_000);
    assert_eq!(scanned(&*archive, "t/a"), [0; 0], "also the newest");
    assert_eq!(scanned(&*archive, "t/ended"), [0; 0]);
    assert_eq!(floors(&*archive, "other t/a t/ended"), of([0, 29, 0]));
    assert_eq!(scanned(&*archive, "other").len(), 15);
    let mut idle = archive.idle(9);
    idle.retain(|topic| topic.name().starts_with("t/a"));
    assert_eq!(idle, [topic("t/a")]);
    archive.forget(&topics("t/a"), Seq(31));
    put(event(32, "t/a"), 80_001);
    assert_eq!(scanned(&*archive, "t/a"), [32]);
    archive.trim_topics(200_000);
    assert_eq!(
        scanned(&*archive, "t/a"),
        [0; 0],
        "used anew, and let go once more"
    );
}

pub(super) fn a_topic_that_is_used_anew_in_the_batch_that_forgets_it_is_counted(archive: Open<'_>) {
    let archive = archive(ruled([rule("t/", Some(2), None, None)]));
    append(&*archive, [event(1, "t/a"), purge(2, "t/a")]);
    archive.purge(&topics("t/a"), Seq(2)).unwrap();
    let anew = (4..=6).map(|seq| event(seq, "t/a"));
    append(&*archive, [forget(3, topics("t/a"), 2)].into_iter().chain(anew));
    archive.forget(&topics("t/a"), Seq(3));
    assert_eq!(scanned(&*archive, "t/a"), [4, 5, 6]);
    archive.trim_topics(6);
    assert_eq!(scanned(&*archive, "t/a"), [5, 6]);
}

pub(super) fn a_topic_that_is_cut_and_purged_is_counted_right(archive: Open<'_>) {
    let archive = archive(ruled([rule("", Some(10), Some(6_000), None)]));
    let mut seq = 0;
    let mut next = || {
        seq += 1;
        seq
    };
    for round in 0..20 {
        for _ in 0..(round * 7 % 23) {
            append(&*archive, [event(next(), "a"), event(next(), "a b")]);
        }
        if round % 3 == 0 {
            let at = next();
            append(
                &*archive,
                [purge(at, "a"), event(next(), "a"), event(next(), "b")],
            );
            archive.purge(&topics("a"), Seq(at)).unwrap();
        }
        archive.trim_topics(1);
        for name in ["a", "b"] {
            assert!(scanned(&*archive, name).len() <= 10, "{name} in round {round}");
        }
    }
    for _ in 0..50 {
        append(&*archive, [event(next(), "a"), event(next(), "b")]);
    }
    archive.trim_topics(1);
    let counts = ["a", "b"].map(|name| scanned(&*archive, name).len());
    assert_eq!(counts, [10, 10], "no more than is allowed, and no less");
}

pub(super) fn what_all_lose_is_counted_where_a_rule_is_too(archive: Open<'_>) {
    let archive = archive(Retention {
        max_events: Some(60),
        ..ruled([rule("few", Some(40), Some(1 << 20), None)])
    });
    for seq in 1..=600 {
        append(
            &*archive,
            [event(seq, if seq % 10 == 0 { "few" } else { "many" })],
        );
        if seq % 7 == 0 {
            archive.trim(seq);
            archive.trim_topics(seq);
        }
    }
    // What went with all others does not count: it would let more go than it should.
    (601..=650).for_each(|seq| append(&*archive, [event(seq, "few")]));
    archive.trim_topics(650);
    assert_eq!(scanned(&*archive, "few").len(), 40);
}
