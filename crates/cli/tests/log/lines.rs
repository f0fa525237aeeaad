//! Exports that are wrong, or are to go where something is: said with the line, and nothing is left behind.

use serde_json::{Value, json};

use crate::folder::Folder;

const LOG: &str = r#"{"kind":"log","format":1,"log":"00","exported":"now","epochs":[{"epoch":"aaaaaaaa","first":1}],"last":9,"time":9}"#;

fn record(seq: u64) -> Value {
    json!({ "kind": "record", "seq": seq, "time": seq, "topics": ["events/a"], "data": "x" })
}

/// An export of these lines, with the right end.
fn export(lines: &[Value]) -> String {
    let mut text = format!("{LOG}\n");
    for line in lines {
        text += &format!("{line}\n");
    }
    let count = |kind| lines.iter().filter(|line| line["kind"] == kind).count();
    let end = json!({
        "kind": "end",
        "topics": count("topic"),
        "keys": count("key"),
        "records": count("record"),
        "crc32c": crc32c::crc32c(text.as_bytes()),
    });
    format!("{text}{end}\n")
}

#[track_caller]
fn refused(text: &str, told: &[&str]) {
    let folder = Folder::new();
    let run = folder.command(&["import", "-"]).run_with_input(text.as_bytes());
    assert_eq!(run.code, Some(1), "{run:?}");
    for part in told {
        assert!(run.stderr.contains(part), "{part:?} is missing: {}", run.stderr);
    }
    assert_eq!(folder.names_beside(), [""; 0], "something is left behind");
}

#[test]
fn a_line_that_is_wrong_is_named_by_its_number() {
    let with = |change: &dyn Fn(&mut Value)| {
        let mut bad = record(2);
        change(&mut bad);
        export(&[record(1), bad, record(9)])
    };
    let set = |name: &'static str, value: Value| with(&move |line| line[name] = value.clone());
    for (text, why) in [
        (set("seq", json!(1)), "does not come after 1"),
        (set("seq", json!(10)), "beyond the log's end"),
        (set("seq", json!(-1)), "no line of an export"),
        (set("time", json!(0)), "time lies before"),
        (set("time", json!(10)), "after the log's end"),
        (set("topics", json!([])), "no topic"),
        (set("topics", json!(["a"])), "begins with `events/`"),
        (set("topics", json!(["events/"])), "topic is empty"),
        (set("topics", json!(["events/a\u{7}"])), "control character"),
        (set("id", json!("~x")), "~"),
        (set("id", json!("a\nb")), "no id of an event"),
        (set("event", json!("tidewire.gap")), "reserved"),
        (set("event", json!("a\nb")), "no name of an event"),
        (set("change", json!("grows")), "unknown variant"),
        (set("change", json!("purges")), "a purge has no data"),
        (set("key", json!(["", 0])), "idempotency key"),
        (set("data", json!(7)), "invalid type"),
        (set("colour", json!("red")), "unknown field"),
        (set("kind", json!("song")), "unknown variant"),
        (
            with(&|line| drop(line.as_object_mut().unwrap().remove("data"))),
            "no event, no end",
        ),
    ] {
        refused(&text, &["line 3: ", why]);
    }
    let nameless = json!({ "kind": "record", "seq": 2, "time": 2, "topics": ["events/a"], "id": "x" });
    refused(&export(&[record(1), nameless]), &["line 3: ", "no `data`"]);
    let topic = json!({ "kind": "topic", "topic": "events/a", "last": 10 });
    refused(
        &export(&[topic, record(9)]),
        &["line 2: ", "beyond the log's end"],
    );
    let topic = json!({ "kind": "topic", "topic": "events/a", "last": 9 });
    refused(&export(&[topic.clone(), topic]), &["line 3: ", "came before"]);
    let fact =
        |seq: u64, data: &str| json!({ "kind": "fact", "door": 1, "seq": seq, "time": 1, "data": data });
    let book = json!({ "kind": "book", "door": 1, "snapshot": "AAEC" });
    refused(&export(&[fact(1, "")]), &["line 2: ", "door did not come before"]);
    refused(
        &export(&[book.clone(), book.clone()]),
        &["line 3: ", "came before"],
    );
    for (fact, why) in [
        (fact(10, ""), "beyond the log's end"),
        (fact(1, "AAE"), "no base64"),
        (fact(2, "AAEC"), "does not come after"),
    ] {
        let before = json!({ "kind": "fact", "door": 1, "seq": 2, "time": 1, "data": "" });
        refused(&export(&[book.clone(), before, fact]), &["line 4: ", why]);
    }
}

#[test]
fn an_export_that_was_cut_changed_or_joined_is_refused() {
    let good = export(&[record(1), record(2), record(9)]);
    let folder = Folder::new();
    let run = folder.command(&["import", "-"]).run_with_input(good.as_bytes());
    assert_eq!(
        run.code,
        Some(0),
        "the others are wrong for one reason each: {run:?}"
    );
    for cut in (0..good.len()).step_by(37) {
        refused(&good[..cut], &["line "]);
    }
    let lines: Vec<&str> = good.lines().collect();
    refused(&lines[..4].join("\n"), &["line 5: ", "cut off"]);
    refused(
        &good.replace(
            r#""data":"x","kind":"record","seq":2"#,
            r#""data":"y","kind":"record","seq":2"#,
        ),
        &["checksum"],
    );
    let missing: Vec<_> = lines
        .iter()
        .filter(|line| !line.contains(r#""seq":2"#))
        .copied()
        .collect();
    refused(&missing.join("\n"), &["line 4: ", "3 records"]);
    refused(&good.repeat(2), &["line 6: ", "more behind"]);
    refused(&lines[1..].join("\n"), &["line 1: ", "kind `log`"]);
    refused("", &["nothing to import"]);
    refused(
        &good.replace(r#""format":1"#, r#""format":3"#),
        &["line 1: ", "format 3"],
    );
    refused(
        &good.replace("aaaaaaaa", "AAAAAAAA"),
        &["line 1: ", "no name of an epoch"],
    );
}

#[test]
fn a_log_is_imported_into_a_folder_of_its_own() {
    let good = export(&[record(1), record(9)]);
    let folder = Folder::new();
    let import = || folder.command(&["import", "-"]).run_with_input(good.as_bytes());
    std::fs::create_dir(&folder.data).unwrap();
    std::fs::write(folder.data.join("mine"), "mine").unwrap();
    let run = import();
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stderr.contains("is not empty"), "{run:?}");
    std::fs::remove_file(folder.data.join("mine")).unwrap();
    // An import that was killed has left something, and somebody else a file.
    let left = folder.beside("data.importing");
    std::fs::create_dir_all(left.join("log")).unwrap();
    std::fs::write(left.join("log/00000000000000000001.seg"), "half").unwrap();
    std::fs::write(left.join("letter"), "mine").unwrap();
    let run = import();
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("letter"), "{run:?}");
    assert_eq!(std::fs::read(left.join("letter")).unwrap(), b"mine");
    std::fs::remove_file(left.join("letter")).unwrap();
    assert_eq!(import().code, Some(0));
    let was = folder.content();
    let run = import();
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stderr.contains("has a log already"), "{run:?}");
    assert!(folder.content() == was);
    assert_eq!(folder.names_beside(), ["data"]);
    let missing = folder.log(&["import", "missing"]);
    assert_eq!(missing.code, Some(2), "{missing:?}");
}

#[test]
fn answers_of_the_relay_are_named_nowhere_and_dumped_only_when_asked_for() {
    let mut answer = record(9);
    answer["topics"] = json!(["relay/5ec2e7"]);
    answer["id"] = json!("5ec2e7.1");
    let folder = Folder::new();
    let text = export(&[
        json!({ "kind": "topic", "topic": "relay/5ec2e7", "last_event": 9, "last": 9 }),
        answer,
    ]);
    assert_eq!(
        folder
            .command(&["import", "-"])
            .run_with_input(text.as_bytes())
            .code,
        Some(0)
    );
    for args in [&["info"][..], &["info", "--json"], &["verify"]] {
        let run = folder.log(args);
        assert_eq!(run.code, Some(0), "{run:?}");
        assert!(!run.stdout.contains("5ec2e7"), "{run:?}");
    }
    assert!(
        folder
            .log(&["info"])
            .stdout
            .contains("1 answers of the relay door")
    );
    assert_eq!(folder.log(&["dump", "--topic", "5ec2e7"]).stdout, "");
    let asked = folder.log(&["dump", "--topic", "5ec2e7", "--namespace", "relay"]);
    assert!(asked.stdout.contains("5ec2e7.1"), "{asked:?}");
}
