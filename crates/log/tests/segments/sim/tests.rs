//! The simulated disk is a judge, so it is judged first.

use fastrand::Rng;
use tidewire_log::archive::segments::{Disk, DiskFile};

use super::SimDisk;

const SEEDS: u64 = 300;

fn create(disk: &SimDisk, name: &str, bytes: &[u8]) -> std::sync::Arc<dyn DiskFile> {
    let file = disk.create(name).unwrap();
    file.write_at(bytes, 0).unwrap();
    file
}

fn safe(disk: &SimDisk, name: &str, bytes: &[u8]) -> std::sync::Arc<dyn DiskFile> {
    let file = create(disk, name, bytes);
    file.sync().unwrap();
    disk.sync_dir("").unwrap();
    file
}

/// What a file is after a crash of each seed, once each; `None`: it is not there.
fn outcomes(name: &str, prepare: impl Fn(&SimDisk)) -> Vec<Option<Vec<u8>>> {
    let mut outcomes: Vec<_> = (0..SEEDS)
        .map(|seed| {
            let disk = SimDisk::new(seed);
            prepare(&disk);
            let disk = disk.crash(&mut Rng::with_seed(seed));
            let there = disk.files().iter().any(|file| file == name);
            there.then(|| disk.bytes(name))
        })
        .collect();
    outcomes.sort();
    outcomes.dedup();
    outcomes
}

fn some(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(bytes.to_vec())
}

#[test]
fn what_is_synced_survives_every_crash() {
    let outcomes = outcomes("a", |disk| {
        let file = safe(disk, "a", b"abc");
        file.write_at(b"defgh", 3).unwrap();
        file.set_len(6).unwrap();
        file.sync().unwrap();
        create(disk, "b", b"something else");
    });
    assert_eq!(outcomes, [some(b"abcdef")]);
}

#[test]
fn without_a_sync_everything_that_can_go_wrong_does_in_some_seed() {
    let outcomes = outcomes("a", |disk| {
        let file = safe(disk, "a", b"ab");
        file.write_at(b"cdef", 2).unwrap();
        file.write_at(b"gh", 6).unwrap();
    });
    let occurs = |what: &str, test: &dyn Fn(&[u8]) -> bool| {
        let found = outcomes.iter().flatten().any(|bytes| test(bytes));
        assert!(found, "never {what}: {outcomes:?}");
    };
    for bytes in outcomes.iter().flatten() {
        assert!(bytes.starts_with(b"ab"), "safe and not written over: {bytes:?}");
    }
    occurs("all lost", &|bytes| bytes == b"ab");
    occurs("all kept", &|bytes| bytes == b"abcdefgh");
    occurs("torn", &|bytes| bytes == b"abcde");
    occurs("the later write without the earlier", &|bytes| {
        bytes == b"ab\0\0\0\0gh"
    });
    occurs("garbage", &|bytes| {
        bytes.len() == 8 && bytes.iter().any(|byte| !b"abcdefgh\0".contains(byte))
    });
    occurs("old bytes of elsewhere", &|bytes| bytes.starts_with(b"abgh"));
}

#[test]
fn a_write_over_safe_bytes_may_leave_the_old_ones() {
    let outcomes = outcomes("a", |disk| {
        safe(disk, "a", b"old").write_at(b"new", 0).unwrap();
    });
    assert!(outcomes.contains(&some(b"old")) && outcomes.contains(&some(b"new")));
}

#[test]
fn lengths_may_be_lost() {
    let outcomes = outcomes("a", |disk| {
        safe(disk, "a", b"abc").set_len(1).unwrap();
    });
    assert_eq!(outcomes, [some(b"a"), some(b"abc")]);
}

#[test]
fn names_are_safe_only_after_the_folder_was_synced() {
    let made = outcomes("a", |disk| create(disk, "a", b"abc").sync().unwrap());
    assert_eq!(made, [None, some(b"abc")]);
    let removed = outcomes("a", |disk| {
        safe(disk, "a", b"abc");
        disk.remove("a").unwrap();
    });
    assert_eq!(removed, [None, some(b"abc")]);
    let removed_safely = outcomes("a", |disk| {
        safe(disk, "a", b"abc");
        disk.remove("a").unwrap();
        disk.sync_dir("").unwrap();
    });
    assert_eq!(removed_safely, [None]);
    let in_a_new_folder = outcomes("log/a", |disk| {
        disk.create_dir("log").unwrap();
        create(disk, "log/a", b"abc").sync().unwrap();
        disk.sync_dir("log").unwrap();
    });
    assert_eq!(in_a_new_folder, [None, some(b"abc")], "the folder itself was not");
}

#[test]
fn a_rename_is_atomic() {
    let replaced = outcomes("a", |disk| {
        safe(disk, "a", b"old");
        create(disk, "b", b"new").sync().unwrap();
        disk.rename("b", "a").unwrap();
    });
    assert_eq!(replaced, [some(b"new"), some(b"old")]);
    let unsynced = outcomes("a", |disk| {
        safe(disk, "a", b"old");
        create(disk, "b", b"new");
        disk.rename("b", "a").unwrap();
        disk.sync_dir("").unwrap();
    });
    assert!(
        unsynced.contains(&some(b"")),
        "the name was synced, the bytes were not: {unsynced:?}"
    );
}

#[test]
fn a_killed_process_loses_nothing_and_makes_nothing_safe() {
    let disk = SimDisk::new(1);
    let file = create(&disk, "a", b"abc");
    let after = disk.kill();
    file.sync().unwrap_err();
    assert_eq!(after.bytes("a"), b"abc");
    let lost = |seed| after.kill().crash(&mut Rng::with_seed(seed)).files().is_empty();
    assert!((0..SEEDS).any(lost));
}

#[test]
fn after_a_failed_sync_a_second_one_makes_nothing_safe_that_was_pending() {
    let outcomes = outcomes("a", |disk| {
        let file = safe(disk, "a", b"a");
        disk.fail_sync(1);
        file.write_at(b"b", 1).unwrap();
        file.sync().unwrap_err();
        file.write_at(b"c", 2).unwrap();
        file.sync().unwrap();
    });
    assert!(outcomes.contains(&some(b"abc")), "{outcomes:?}");
    assert!(outcomes.contains(&some(b"a\0c")), "{outcomes:?}");
}

#[test]
fn a_full_disk_takes_a_part_and_has_room_again_later() {
    let disk = SimDisk::new(1);
    let file = create(&disk, "a", b"abc");
    disk.set_room(Some(5));
    let error = file.write_at(b"defg", 3).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(disk.bytes("a"), b"abcde");
    file.write_at(b"xyz", 0).unwrap(); // Its room is taken.
    let error = file.allocate(6).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    assert!(disk.create("b").is_err(), "not even a name");
    disk.set_room(Some(9));
    file.allocate(8).unwrap();
    assert_eq!(disk.bytes("a"), b"xyzde\0\0\0");
    disk.set_room(Some(0));
    file.write_at(b"fgh", 5).unwrap();
    disk.remove("a").unwrap();
    assert_eq!(disk.used(), 0);
}

#[test]
fn a_stopped_machine_does_nothing_more() {
    let (mut done, mut not_done) = (0, 0);
    for seed in 0..SEEDS {
        let disk = SimDisk::new(seed);
        let file = safe(&disk, "a", b"abc");
        disk.stop_at(2);
        file.write_at(b"d", 3).unwrap();
        assert!(!disk.is_off());
        disk.remove("a").unwrap_err();
        assert!(disk.is_off());
        assert!(file.write_at(b"d", 3).is_err() && file.sync().is_err() && disk.list("").is_err());
        assert!(file.len().is_err() && file.read_at(&mut [0], 0).is_err() && disk.open("a").is_err());
        match disk.crash(&mut Rng::with_seed(seed)).files().is_empty() {
            true => done += 1,
            false => not_done += 1,
        }
    }
    assert!(done > 0 && not_done > 0, "{done} {not_done}");
}

#[test]
fn the_same_seed_gives_the_same_disk() {
    let run = || {
        let disk = SimDisk::new(7);
        let file = create(&disk, "a", b"abcdefgh");
        file.write_at(b"ijklmnop", 8).unwrap();
        disk.sync_dir("").unwrap();
        disk.stop_at(1);
        file.write_at(b"qrstuvwx", 16).unwrap_err();
        disk.crash(&mut Rng::with_seed(9)).bytes("a")
    };
    assert_eq!(run(), run());
}
