//! What is damaged is named; what a crash leaves, or the next start makes anew, is no damage.

use std::fs;

use rustix::process::Signal;

use crate::{
    binary::Server,
    client::field,
    folder::{Folder, json_lines},
};

fn flip(folder: &Folder, name: &str, at: usize) {
    let path = folder.data.join(name);
    let mut bytes = fs::read(&path).unwrap();
    bytes[at] ^= 4;
    fs::write(&path, bytes).unwrap();
}

/// The findings of `verify` that are damage, and its exit code.
fn verify(folder: &Folder) -> (Option<i32>, Vec<(String, Option<u64>)>) {
    let run = folder.log(&["verify", "--json"]);
    let mut lines = json_lines(&run.stdout);
    let end = lines.pop().unwrap();
    let damage = lines.into_iter().filter(|line| line["damage"] == true);
    let place = |line: serde_json::Value| {
        assert!(!line["what"].as_str().unwrap().is_empty() && !line["advice"].as_str().unwrap().is_empty());
        (line["file"].as_str().unwrap().to_owned(), line["offset"].as_u64())
    };
    let damage: Vec<_> = damage.map(place).collect();
    assert_eq!(end["damage"], damage.len(), "{end}");
    assert_eq!(end["sound"], damage.is_empty());
    (run.code, damage)
}

#[test]
fn a_flipped_bit_is_found_in_every_file_and_its_place_is_named() {
    let folder = Folder::grown();
    assert_eq!(verify(&folder), (Some(0), vec![]));
    let segments = folder.files(".seg");
    let (active, sealed) = segments.split_last().unwrap();
    let mut places = vec![
        (active.clone(), 0),
        (active.clone(), 32),
        (active.clone(), 70),
        ("meta".to_owned(), 40),
        ("topics".to_owned(), 100),
    ];
    for name in sealed
        .iter()
        .chain(&folder.files(".idx"))
        .chain(&folder.files(".snap"))
    {
        let len = fs::metadata(folder.data.join(name)).unwrap().len() as usize;
        places.extend([0, 63, 65, len / 2, len - 1].map(|at| (name.clone(), at)));
    }
    for (name, at) in places {
        let was = fs::read(folder.data.join(&name)).unwrap();
        flip(&folder, &name, at);
        let (code, damage) = verify(&folder);
        assert_eq!(code, Some(1), "{name} {at}");
        let [(file, offset)] = &damage[..] else {
            panic!("{name} {at}: {damage:?}");
        };
        assert_eq!(*file, name);
        match &*name {
            "meta" => {}
            _ => {
                let offset = offset.unwrap_or_else(|| panic!("{name} {at}")) as usize;
                // The record, the page or the header that the bit is in.
                assert!(offset <= at && at - offset < 100_000, "{name} {at}: {offset}");
            }
        }
        fs::write(folder.data.join(&name), was).unwrap();
    }
    assert_eq!(verify(&folder), (Some(0), vec![]));
}

#[test]
fn every_bad_place_is_told_and_what_is_good_behind_it_is_read() {
    let folder = Folder::grown();
    let sealed = folder.files(".seg").remove(1);
    let len = fs::metadata(folder.data.join(&sealed)).unwrap().len() as usize;
    let records = |folder: &Folder| {
        json_lines(&folder.log(&["verify", "--json"]).stdout)
            .pop()
            .unwrap()
    };
    let before = records(&folder)["records"].as_u64().unwrap();
    flip(&folder, &sealed, 68);
    flip(&folder, &sealed, len - 1);
    let (code, damage) = verify(&folder);
    assert_eq!((code, damage.len()), (Some(1), 2), "{damage:?}");
    assert_eq!(damage[0], (sealed.clone(), Some(64)));
    assert!(damage.iter().all(|(file, _)| *file == sealed));
    assert_eq!(records(&folder)["records"].as_u64().unwrap(), before - 2);
    let text = folder.log(&["verify"]);
    assert!(
        text.stdout.contains(&format!("damage: {sealed} at byte 64: ")),
        "{text:?}"
    );
    assert!(text.stderr.contains("is damaged: 2 findings"), "{text:?}");
    // What reads it says the same, and goes on behind it.
    let export = folder.log(&["export", folder.beside("e").to_str().unwrap()]);
    assert_eq!(export.code, Some(1), "{export:?}");
    assert_eq!(export.stderr.matches("left out: ").count(), 2, "{export:?}");
    assert!(
        export
            .stderr
            .contains(&format!("left out: {sealed} at byte 64: "))
            && export.stderr.contains("log repair"),
        "{export:?}"
    );
    assert_eq!(folder.names_beside(), ["data", "e"]);
}

/// A log of which one record in the middle is damaged.
struct Damaged {
    folder: Folder,
    /// The segment.
    sealed: String,
    /// The number of the record, and what the event said, again and again.
    lost: u64,
    said: u64,
}

/// A record of the topic `big` in a sealed segment has a flipped bit.
fn one_of_many() -> Damaged {
    let folder = Folder::grown();
    let segments = folder.files(".seg");
    let sealed = segments[segments.len() - 4].clone();
    let bytes = fs::read(folder.data.join(&sealed)).unwrap();
    // The text of the segment's first large event.
    let at = 64 + 40 + 10_000;
    let text = String::from_utf8(bytes[at..at + 20].to_vec()).unwrap();
    let said: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    let lines = json_lines(&folder.log(&["export"]).stdout);
    let line = lines
        .iter()
        .find(|line| line["id"] == format!("big-{said}"))
        .unwrap();
    let lost = line["seq"].as_u64().unwrap();
    flip(&folder, &sealed, at);
    Damaged {
        folder,
        sealed,
        lost,
        said,
    }
}

impl Damaged {
    /// The id of the event of the topic in front of the one that is lost.
    fn before(&self) -> String {
        format!("big-{}", self.said - 1)
    }
}

/// The data of all events up to the last one of the topic `big`, and for each gap its reason.
fn read_big(server: &Server, cursor: &str) -> (Vec<String>, Vec<String>) {
    let mut reader = server.get(&format!("/events/big?last_event_id={cursor}"), &[]);
    let (mut events, mut gaps) = (Vec::new(), Vec::new());
    loop {
        let block = reader.block();
        let data = field(&block, "data").unwrap();
        match field(&block, "event").as_deref() {
            Some("tidewire.gap") => {
                let gap: serde_json::Value = serde_json::from_str(&data).unwrap();
                gaps.push(gap["reason"].as_str().unwrap().to_owned());
            }
            _ => events.push(data.split(' ').next().unwrap().to_owned()),
        }
        if events.last().is_some_and(|last| last == "49") {
            return (events, gaps);
        }
    }
}

#[test]
fn readers_go_on_behind_a_damaged_record_and_operators_are_told() {
    let damaged = one_of_many();
    let (folder, before) = (&damaged.folder, damaged.before());
    let server = folder.serve();
    let ready = |server: &Server| server.ask("GET", "/readyz", &[], "");
    assert_eq!(ready(&server).body, "ready\n", "nobody has come there yet");
    let (events, gaps) = read_big(&server, "earliest");
    assert_eq!(gaps, ["damaged"]);
    let numbers: Vec<u64> = events.iter().map(|event| event.parse().unwrap()).collect();
    let missing: Vec<_> = (numbers[0]..50)
        .filter(|number| !numbers.contains(number))
        .collect();
    assert_eq!(missing, [damaged.said]);
    // Who stands right in front of it is told at once.
    let mut reader = server.get(&format!("/events/big?last_event_id={before}"), &[]);
    assert_eq!(reader.head.get("tidewire-resume"), Some("gap"));
    assert!(reader.data().contains("\"damaged\""));
    let behind = format!("big-{}", damaged.said + 1);
    assert_eq!(
        read_big(&server, &behind).1,
        [""; 0],
        "who is behind it misses nothing"
    );
    let answer = ready(&server);
    assert_eq!(answer.status(), 200, "a restart would mend nothing");
    assert_eq!(
        answer.body,
        "ready, but the log is damaged: the server's log says where\n"
    );
    let metrics = server.ask("GET", "/metrics", &[], "").body;
    assert!(
        metrics.contains("\ntidewire_archive_damaged_places 1\n"),
        "{metrics}"
    );
    assert_eq!(
        server.ask("GET", "/stats", &[], "").json()["archive"]["damaged"],
        1
    );
    server.post("/events/big?id=more", "more");
    server.signal(Signal::TERM);
    let (code, stderr) = server.ended();
    assert_eq!(code, Some(0));
    assert_eq!(stderr.matches("the log is damaged").count(), 1, "{stderr}");
    assert!(
        stderr.contains(&damaged.sealed) && stderr.contains("log repair"),
        "{stderr}"
    );
}

#[test]
fn readers_of_all_that_is_kept_are_told_of_damage_in_front_of_it() {
    let folder = Folder::grown();
    let oldest = json_lines(&folder.log(&["dump", "--topic", "big", "--json"]).stdout).remove(0);
    let oldest = oldest["data"].as_str().unwrap().to_owned();
    let place = folder.files(".seg").into_iter().find_map(|name| {
        let bytes = fs::read(folder.data.join(&name)).unwrap();
        let mut windows = bytes.windows(20);
        let at = windows.position(|window| window == &oldest.as_bytes()[..20])?;
        Some((name, at))
    });
    let (name, at) = place.unwrap();
    flip(&folder, &name, at);
    let server = folder.serve();
    for query in ["last_event_id=earliest", "last=1000"] {
        let mut reader = server.get(&format!("/events/big?{query}"), &[]);
        assert_eq!(reader.head.get("tidewire-resume"), Some("gap"), "{query}");
        assert!(reader.data().contains("\"damaged\""), "{query}");
    }
    let last = server.get("/events/big?last=1", &[]);
    assert_eq!(last.head.get("tidewire-resume"), Some("resumed"));
    assert_eq!(read_big(&server, "earliest").1, ["damaged"]);
}

#[test]
fn dump_and_export_go_on_behind_a_damaged_record_and_say_so() {
    let Damaged {
        folder, sealed, lost, ..
    } = one_of_many();
    let was = folder.content();
    let dump = folder.log(&["dump", "--topic", "big", "--json"]);
    assert_eq!(dump.code, Some(1), "{}", dump.stderr);
    assert_eq!(dump.stdout.matches("\"damaged\"").count(), 1);
    assert!(
        dump.stdout.lines().last().unwrap().contains("big-49"),
        "it goes on"
    );
    assert!(
        dump.stderr.contains(&format!("left out: {sealed} at byte ")) && dump.stderr.contains("log repair"),
        "{}",
        dump.stderr
    );
    let small = folder.log(&["dump", "--topic", "small"]);
    assert_eq!((small.code, &*small.stderr), (Some(0), ""), "it has lost nothing");
    let export = folder.log(&["export"]);
    assert_eq!(export.code, Some(1), "{}", export.stderr);
    assert!(
        export.stderr.contains(&format!("record {lost} is lost")),
        "{}",
        export.stderr
    );
    let lines = json_lines(&export.stdout);
    let seqs: Vec<_> = lines.iter().filter_map(|line| line["seq"].as_u64()).collect();
    assert!(!seqs.contains(&lost) && seqs.contains(&(lost - 1)) && seqs.contains(&(lost + 1)));
    assert_eq!(lines.last().unwrap()["kind"], "end");
    assert!(folder.content() == was);
}

#[test]
fn a_repaired_copy_has_all_else_and_the_log_stays_as_it_is() {
    let damaged = one_of_many();
    let before = damaged.before();
    let Damaged {
        folder,
        sealed,
        lost,
        said,
    } = damaged;
    let was = folder.content();
    let copy = folder.beside("copy");
    let to = copy.to_str().unwrap();
    let epochs = |folder: &Folder| {
        let info = json_lines(&folder.log(&["info", "--json"]).stdout).remove(0);
        info["epochs"].as_array().unwrap().clone()
    };
    let old = epochs(&folder);
    let repair = folder.log(&["repair", "--to", to]);
    assert_eq!(repair.code, Some(0), "{repair:?}");
    assert!(
        repair.stderr.contains(&format!("lost: {sealed} at byte "))
            && repair.stderr.contains(&format!("record {lost} is lost")),
        "{repair:?}"
    );
    assert_eq!(folder.names_beside(), ["copy", "data"]);
    assert_eq!(folder.log(&["repair", "--to", to]).code, Some(2), "it is taken");
    let within = folder.beside("data").join("log");
    for place in [within.join("sub"), within.join("../sub")] {
        let repair = folder.log(&["repair", "--to", place.to_str().unwrap()]);
        assert_eq!(repair.code, Some(2), "{repair:?}");
        assert!(repair.stderr.contains("is inside the log"), "{repair:?}");
    }
    assert!(folder.content() == was, "it is only read");

    let copy = Folder::at(folder, "copy");
    assert_eq!(verify(&copy), (Some(0), vec![]));
    let new = epochs(&copy);
    assert_eq!(new[..old.len()], old[..]);
    assert!(new.len() > old.len(), "a new epoch");
    let server = copy.serve();
    let reader = server.get(&format!("/events/big?last_event_id={before}"), &[]);
    assert_eq!(reader.head.get("tidewire-resume"), Some("gap"));
    let (events, _) = read_big(&server, "earliest");
    let numbers: Vec<u64> = events.iter().map(|event| event.parse().unwrap()).collect();
    let missing: Vec<_> = (numbers[0]..50)
        .filter(|number| !numbers.contains(number))
        .collect();
    assert_eq!(missing, [said]);
    let first = json_lines(&copy.log(&["dump", "--topic", "small", "--json"]).stdout).remove(0);
    let reader = server.get(
        &format!("/events/small?last_event_id={}", first["id"].as_str().unwrap()),
        &[],
    );
    assert_eq!(
        reader.head.get("tidewire-resume"),
        Some("resumed"),
        "it has lost nothing"
    );
    server.post("/events/big", "more");
    assert_eq!(server.ask("GET", "/readyz", &[], "").body, "ready\n");
}

#[test]
fn a_log_that_is_not_opened_can_be_dumped_and_repaired() {
    let folder = Folder::grown();
    let active = folder.files(".seg").pop().unwrap();
    flip(&folder, &active, 0);
    let started = folder.serve_fails();
    assert!(
        started.contains(&active) && started.contains("log repair"),
        "{started}"
    );
    let dump = folder.log(&["dump", "--topic", "small", "--last", "1"]);
    assert_eq!(dump.code, Some(1), "{dump:?}");
    assert!(
        dump.stdout.ends_with(" 49\n") && dump.stderr.contains("no record is lost there"),
        "{dump:?}"
    );
    let repair = folder.log(&["repair", "--to", folder.beside("copy").to_str().unwrap()]);
    assert_eq!(repair.code, Some(0), "{repair:?}");
    let copy = Folder::at(folder, "copy");
    let (events, gaps) = read_big(&copy.serve(), "earliest");
    assert_eq!((events.last().map(|last| &**last), gaps), (Some("49"), vec![]));
}

#[test]
fn a_file_of_a_newer_release_is_not_called_damaged() {
    let folder = Folder::grown();
    let name = folder.files(".seg").remove(0);
    let path = folder.data.join(&name);
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] = 9;
    let sum = crc32c::crc32c(&bytes[..60]);
    bytes[60..64].copy_from_slice(&sum.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    let was = folder.content();
    for args in [
        &["verify"][..],
        &["export"],
        &["dump", "--topic", "big"],
        &["repair", "--to", "/nowhere/at/all"],
    ] {
        let run = folder.log(args);
        assert_eq!(run.code, Some(2), "{args:?}: {run:?}");
        assert!(
            run.stderr.contains("written by a newer Tidewire: use that"),
            "{args:?}: {run:?}"
        );
    }
    let started = folder.serve_fails();
    assert!(
        started.contains(&name) && started.contains("newer Tidewire") && !started.contains("move it away"),
        "{started}"
    );
    let is = folder.content();
    for (path, bytes) in was.iter().filter(|(path, _)| !path.ends_with("LOCK")) {
        assert!(is.get(path) == Some(bytes), "{} was changed", path.display());
    }
}

#[test]
fn a_missing_segment_is_told_by_its_index_and_by_the_numbers() {
    for with_index in [true, false] {
        let folder = Folder::grown();
        let segments = folder.files(".seg");
        let name = segments[segments.len() - 4].clone();
        let oldest = json_lines(&folder.log(&["dump", "--topic", "big", "--json"]).stdout).remove(0);
        let oldest = oldest["id"].as_str().unwrap();
        fs::remove_file(folder.data.join(&name)).unwrap();
        if !with_index {
            fs::remove_file(folder.data.join(name.replace(".seg", ".idx"))).unwrap();
        }
        let (code, damage) = verify(&folder);
        assert_eq!((code, damage.len()), (Some(1), 1), "{damage:?}");
        let repair = folder.log(&["repair", "--to", folder.beside("copy").to_str().unwrap()]);
        assert!(repair.stderr.contains("are lost"), "{repair:?}");
        let server = folder.serve();
        let (_, gaps) = read_big(&server, oldest);
        assert_eq!(gaps, [if with_index { "damaged" } else { "expired" }]);
        assert!(server.ask("GET", "/readyz", &[], "").body.contains("damaged"));
        let copy = Folder::at(folder, "copy");
        assert_eq!(verify(&copy), (Some(0), vec![]));
    }
}

#[test]
fn a_segment_that_is_gone_is_missed() {
    let folder = Folder::grown();
    let segments = folder.files(".seg");
    let newest_sealed = &segments[segments.len() - 2];
    let hidden = fs::read(folder.data.join(newest_sealed)).unwrap();
    fs::remove_file(folder.data.join(newest_sealed)).unwrap();
    let run = folder.log(&["verify"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stdout.contains("the segment is missing"), "{}", run.stdout);
    fs::write(folder.data.join(newest_sealed), hidden).unwrap();
    // One of another log is none of this one.
    let other = Folder::grown();
    let foreign = other.files(".seg").remove(0);
    fs::copy(other.data.join(foreign), folder.data.join(&segments[0])).unwrap();
    let run = folder.log(&["verify"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stdout.contains(&segments[0]), "{}", run.stdout);
}

#[test]
fn what_the_next_start_makes_anew_or_cuts_off_is_no_damage() {
    let folder = Folder::grown();
    let index = folder.files(".idx").remove(0);
    fs::remove_file(folder.data.join(&index)).unwrap();
    fs::remove_file(folder.data.join("topics")).unwrap();
    // Of two: the other one says the same of what was let go.
    let snapshot = folder.files(".snap").pop().unwrap();
    fs::remove_file(folder.data.join(snapshot)).unwrap();
    fs::write(folder.data.join("log/00000000000000000777.idx.tmp"), "half").unwrap();
    let active = folder.files(".seg").pop().unwrap();
    let path = folder.data.join(&active);
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    bytes[end + 3..end + 10].copy_from_slice(b"garbage");
    fs::write(&path, bytes).unwrap();
    let was = folder.content();
    let run = folder.log(&["verify"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    for text in [
        &index,
        "topics",
        "777.idx.tmp",
        "torn tail of 7 bytes",
        &active,
        "sound:",
    ] {
        assert!(run.stdout.contains(text), "{text}:\n{}", run.stdout);
    }
    assert!(folder.log(&["info"]).stdout.contains("missing"));
    let dump = folder.log(&["dump", "--topic", "small", "--last", "3"]);
    assert_eq!((dump.code, dump.stdout.lines().count()), (Some(0), 3), "{dump:?}");
    assert_eq!(folder.log(&["export"]).code, Some(0));
    assert!(folder.content() == was);
}

#[test]
fn an_index_whose_pages_are_good_but_that_says_something_else_is_found() {
    let folder = Folder::grown();
    let indexes = folder.files(".idx");
    // One of another segment.
    let second = folder.data.join(&indexes[1]);
    let was = fs::read(&second).unwrap();
    fs::copy(folder.data.join(&indexes[0]), &second).unwrap();
    assert_eq!(verify(&folder), (Some(1), vec![(indexes[1].clone(), Some(0))]));
    // The totals, the first posting, the last byte: with the right checksum of the page.
    let base: u64 = indexes[1][4..24].parse().unwrap();
    let id = &was[16..32];
    let seed = crc32c::crc32c_append(crc32c::crc32c(id), &base.to_le_bytes());
    let content = was.iter().rposition(|byte| *byte != 0).unwrap();
    for at in [64, 96 + 2 * 40, (content - 4).min(4091)] {
        let mut wrong = was.clone();
        wrong[at] ^= 1;
        let sum = crc32c::crc32c_append(seed, &0_u64.to_le_bytes());
        let sum = crc32c::crc32c_append(sum, &wrong[..4092]);
        assert_ne!(was[4092..4096], sum.to_le_bytes());
        wrong[4092..4096].copy_from_slice(&sum.to_le_bytes());
        fs::write(&second, wrong).unwrap();
        assert_eq!(
            verify(&folder),
            (Some(1), vec![(indexes[1].clone(), Some(at as u64))])
        );
    }
    // One that is longer than it should be.
    fs::write(&second, [was, vec![0; 100]].concat()).unwrap();
    assert_eq!(verify(&folder).1.len(), 1);
}
