//! A log that takes no more of an answer, or takes its time: readers are told, and the upstream is let go.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::SeqCst},
    },
    thread::sleep,
    time::Duration,
};

use tidewire_hub::archive::segments::{Disk, DiskFile, RealDisk, Segments, Settings};
use tokio::runtime::Runtime;

use super::{Call, Relayed, Upstream, stream_of};
use crate::client::{End, Reader};

const WELL: u8 = 0;
const FAILS_TO_SYNC: u8 = 1;
const IS_STUCK: u8 = 2;
const IS_FULL: u8 = 3;
const FAILS_TO_WRITE: u8 = 4;

/// A disk whose writes and syncs do as they are told.
struct Odd {
    real: RealDisk,
    mode: Arc<AtomicU8>,
}

struct OddFile {
    real: Arc<dyn DiskFile>,
    mode: Arc<AtomicU8>,
}

impl Odd {
    fn odd(&self, file: io::Result<Arc<dyn DiskFile>>) -> io::Result<Arc<dyn DiskFile>> {
        let mode = Arc::clone(&self.mode);
        file.map(|real| Arc::new(OddFile { real, mode }) as Arc<dyn DiskFile>)
    }
}

impl Disk for Odd {
    fn create_dir(&self, folder: &str) -> io::Result<()> {
        self.real.create_dir(folder)
    }
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.odd(self.real.create(name))
    }
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.odd(self.real.open(name))
    }
    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.real.list(folder)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.real.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.real.remove(name)
    }
    fn sync_dir(&self, folder: &str) -> io::Result<()> {
        self.real.sync_dir(folder)
    }
}

impl DiskFile for OddFile {
    fn len(&self) -> io::Result<u64> {
        self.real.len()
    }
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        self.real.read_at(buffer, at)
    }
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        match self.mode.load(SeqCst) {
            IS_FULL => Err(io::ErrorKind::StorageFull.into()),
            FAILS_TO_WRITE => Err(io::Error::other("the disk is odd")),
            _ => self.real.write_at(bytes, at),
        }
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.real.set_len(len)
    }
    fn allocate(&self, len: u64) -> io::Result<()> {
        self.real.allocate(len)
    }
    fn sync(&self) -> io::Result<()> {
        while self.mode.load(SeqCst) == IS_STUCK {
            sleep(Duration::from_millis(5));
        }
        match self.mode.load(SeqCst) {
            FAILS_TO_SYNC => Err(io::Error::other("the disk is broken")),
            _ => self.real.sync(),
        }
    }
}

/// A relay on such a disk.
fn odd() -> (Relayed, Arc<AtomicU8>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mode = Arc::new(AtomicU8::new(WELL));
    let disk = Odd {
        real: RealDisk::open(folder.path()).unwrap(),
        mode: Arc::clone(&mode),
    };
    let runtime = Runtime::new().unwrap();
    let archive = {
        let _inside = runtime.enter();
        Segments::open(Arc::new(disk), Settings::default()).unwrap()
    };
    let relayed = Relayed::over(runtime, Upstream::start(), archive, |_| {});
    (relayed, mode, folder)
}

fn begun(relayed: &Relayed) -> (Reader, Call) {
    begun_by(relayed, &[])
}

fn begun_by(relayed: &Relayed, headers: &[(&str, &str)]) -> (Reader, Call) {
    let mut call = None;
    let mut reader = relayed.answered_to("hello", headers, |mut asked| {
        asked.stream();
        asked.event("1");
        call = Some(asked);
    });
    reader.until("data: 1\n\n");
    (reader, call.unwrap())
}

#[test]
fn a_log_that_breaks_ends_the_answer_for_its_readers_and_nothing_more_is_paid_for() {
    let (relayed, mode, _folder) = odd();
    let (first, mut call) = begun(&relayed);
    let place = format!("/relay/{}", stream_of(&first));
    let mut other = relayed.get(&place, &[]);
    other.until("data: 1\n\n");
    mode.store(FAILS_TO_SYNC, SeqCst);
    call.event("2");
    call.gone();
    // Who comes later is told as well.
    for reader in [first, other, relayed.get(&place, &[])] {
        let (text, end) = reader.rest();
        assert!(
            text.contains("\"code\":\"not_kept\"") && !text.contains("data: 2"),
            "{text}"
        );
        assert_eq!(end, End::Finished);
    }
    let refused = relayed.ask(&[]);
    assert_eq!(refused.head.status, 503);
    relayed.upstream.is_left_alone();
    assert_eq!(relayed.relay.answers().0, 0);
    // What is no stream passes all the same.
    let passed = std::thread::scope(|scope| {
        let asked = scope.spawn(|| relayed.request("POST", "/v1/embeddings", &[], "{}"));
        relayed.upstream.call().answer("200 OK", "", "[]");
        asked.join().unwrap()
    });
    assert_eq!(passed.body, "[]");
}

#[test]
fn a_log_without_room_ends_the_answer_and_takes_the_next_one_when_there_is_room_again() {
    for (odd_mode, status, said) in [
        (IS_FULL, 507, "the server's log is full"),
        (FAILS_TO_WRITE, 503, "the server's log cannot be written"),
    ] {
        let (relayed, mode, _folder) = odd();
        let mine = [("Authorization", "a"), ("Idempotency-Key", "k")];
        let (first, mut call) = begun_by(&relayed, &mine);
        let place = format!("/relay/{}", stream_of(&first));
        let mut other = relayed.get(&place, &[]);
        other.until("data: 1\n\n");
        mode.store(odd_mode, SeqCst);
        call.event("2");
        call.gone();
        for reader in [first, other, relayed.get(&place, &[])] {
            let (text, end) = reader.rest();
            let error = text.split("event: error\ndata: {\"error\":").nth(1);
            let error = error.unwrap_or_else(|| panic!("{text}"));
            assert!(
                error.contains("\"code\":\"not_kept\"") && error.contains(said),
                "{error}"
            );
            assert!(!text.contains("data: 2"), "{text}");
            assert_eq!(end, End::Finished);
        }
        // Nothing runs on, and nothing more is paid for.
        let stats = relayed.relay.stats();
        assert_eq!(
            (relayed.relay.answers().0, stats[0].running, stats[0].readers),
            (0, 0, 0)
        );
        for headers in [&mine[..], &[]] {
            assert_eq!(relayed.ask(headers).head.status, status);
        }
        relayed.upstream.is_left_alone();
        assert_eq!(relayed.relay.stats()[0].upstream_calls, 1);

        mode.store(WELL, SeqCst);
        // The same key gets an answer, and not the one that is not there.
        let (reader, call) = begun_by(&relayed, &mine);
        assert_ne!(format!("/relay/{}", stream_of(&reader)), place);
        call.end();
        assert_eq!(reader.rest(), (String::new(), End::Finished));
    }
}

#[test]
fn a_log_that_turns_out_to_be_full_when_an_answer_begins_lets_its_upstream_go() {
    let (relayed, mode, _folder) = odd();
    mode.store(IS_FULL, SeqCst);
    let mut call = None;
    let reader = relayed.answered(|mut asked| {
        asked.stream();
        call = Some(asked);
    });
    assert_eq!(reader.head.status, 200);
    call.unwrap().gone();
    let (text, end) = reader.rest();
    assert!(text.contains("\"code\":\"not_kept\""), "{text}");
    assert_eq!(end, End::Finished);
    assert_eq!(relayed.relay.answers().0, 0);
}

#[test]
fn a_stop_reaches_the_upstream_though_the_log_is_stuck() {
    let (relayed, mode, _folder) = odd();
    let (reader, mut call) = begun(&relayed);
    mode.store(IS_STUCK, SeqCst);
    // More than may be under way, so that the upstream is no longer read.
    let large = "x".repeat(64 << 10);
    for _ in 0..20 {
        call.event(&large);
    }
    sleep(Duration::from_millis(100));
    let place = format!("/relay/{}", stream_of(&reader));
    assert_eq!(relayed.request("DELETE", &place, &[], "").head.status, 204);
    call.gone();
    mode.store(WELL, SeqCst);
    let (text, end) = reader.rest();
    assert!(text.contains("\"code\":\"stopped\""));
    assert_eq!(end, End::Finished);
    // Its numbers have no hole.
    let stream = place.trim_start_matches("/relay/");
    let ids = text.lines().filter_map(|line| line.strip_prefix("id: "));
    for (id, number) in ids.zip(2..) {
        assert_eq!(id, format!("{stream}.{number}"));
    }
}
