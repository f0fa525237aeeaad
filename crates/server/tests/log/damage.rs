//! What is damaged is named; what a crash leaves, or the next start makes anew, is no damage.

use std::fs;

use crate::folder::{Folder, json_lines};

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
    // What reads it says the same, and passes nothing over.
    let export = folder.log(&["export", folder.beside("e").to_str().unwrap()]);
    assert_eq!(export.code, Some(1), "{export:?}");
    assert!(
        export.stderr.contains(&sealed) && export.stderr.contains("log verify"),
        "{export:?}"
    );
    assert_eq!(folder.names_beside(), ["data"], "nothing half is left");
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
    assert!(run.stdout.contains("a segment is missing"), "{}", run.stdout);
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
    for snapshot in folder.files(".snap") {
        fs::remove_file(folder.data.join(snapshot)).unwrap();
    }
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
