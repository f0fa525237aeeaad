//! Checks what stands beside the records: indexes, the list of topics, snapshots.

use std::{collections::HashMap, io};

use super::{
    verify::{Finding, Gravity, note},
    walk::Checked,
};
use crate::{
    Namespace, Seq, Settings, Topic,
    archive::segments::{
        damage::is_newer,
        disk::Disk,
        format::{Damaged, LogId},
        index::{Active, Sealed, seed},
        meta::Meta,
        missing,
        paged::{PAGE, Paged, ROOM, log_seed},
        segment::{Body, FOLDER, index_name, numbered, segment_name},
        snapshot,
        topics::Topics,
    },
    ids::Epochs,
    ledger::Ledgers,
    machine::Machine,
};

const TOPICS: &str = "topics";

const MAKE_ANEW: &str = "stop the server and remove this file: the next start makes it anew from the records";
const NEW_TOPICS: &str =
    "the next start makes it anew: some readers may be told of a gap though they missed nothing";
const NO_SNAPSHOT: &str = "the next start passes it over and reads more of the log; stop the server and remove the file to be rid of it";

/// A page that is bad, or a file that is.
struct BadPage {
    offset: Option<u64>,
    what: String,
}

/// The content of a file of pages.
fn pages(disk: &dyn Disk, name: &str, seed: u32) -> io::Result<Result<Vec<u8>, BadPage>> {
    let file = disk.open(name)?;
    let len = file.len()?;
    let paged = Paged {
        name: name.to_owned(),
        file,
        seed,
        seen: None,
    };
    let mut content = Vec::new();
    for number in 0..len / PAGE as u64 {
        let mut page = [0; ROOM];
        match paged.read(number * ROOM as u64, &mut page) {
            Ok(()) => content.extend(page),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let offset = Some(number * PAGE as u64);
                let what = format!("page {number} is damaged");
                return Ok(Err(BadPage { offset, what }));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(match len % PAGE as u64 {
        0 => Ok(content),
        _ => Err(BadPage {
            offset: Some(len),
            what: "it is cut off, or longer than it should be".into(),
        }),
    })
}

fn damage(file: String, bad: BadPage, advice: &'static str) -> Finding {
    Finding {
        gravity: Gravity::Damage,
        file,
        offset: bad.offset,
        what: bad.what,
        advice,
    }
}

/// Compares the index of a sealed segment with its records; how many bytes it has.
pub(super) fn index(
    disk: &dyn Disk,
    log: &LogId,
    body: &Body,
    records: &Active,
    findings: &mut Vec<Finding>,
) -> io::Result<u64> {
    let base = body.header.base;
    let name = index_name(base);
    let bad = match pages(disk, &name, seed(log, base)) {
        Ok(Ok(content)) => {
            let newer = Sealed::open(disk.open(&name)?, log, base, body.len).err();
            if let Some(newer) = newer.filter(is_newer) {
                return Err(newer);
            }
            let named = Sealed::of_any_length(disk.open(&name)?, log, base).map(|index| index.totals.last);
            if let Some(last) = named.ok().filter(|last| *last > records.totals.last) {
                let what = format!(
                    "the segment ends too early: its index names records up to {}. Readers that come here are told (`damaged`) and go \
                     on behind it",
                    last.0
                );
                let bad = BadPage {
                    offset: Some(body.len),
                    what,
                };
                findings.push(damage(segment_name(base), bad, super::verify::RESTORE));
                return Ok(0);
            }
            let mut right = records.encode(log, base, body.len);
            right.resize(right.len().next_multiple_of(ROOM), 0);
            // The version may be an older one.
            right[8..12].copy_from_slice(&content[8..12]);
            let differs = content.iter().zip(&right).position(|(is, should)| is != should);
            match differs {
                None if content.len() == right.len() => return Ok((content.len() / ROOM * PAGE) as u64),
                differs => BadPage {
                    offset: differs.map(|at| (at / ROOM * PAGE + at % ROOM) as u64),
                    what: "it does not say what the records say: readers may miss some, or find others"
                        .into(),
                },
            }
        }
        Ok(Err(bad)) => BadPage {
            what: format!("{}: the server makes it anew when a reader comes here", bad.what),
            ..bad
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            findings.push(note(
                name,
                "it is missing: the next start makes it anew from the records",
            ));
            return Ok(0);
        }
        Err(error) => return Err(error),
    };
    findings.push(damage(name, bad, MAKE_ANEW));
    Ok(0)
}

/// Indexes without their segments. Where something is missing that nothing has let go: the first numbers.
pub(super) fn missing(
    disk: &dyn Disk,
    log: &LogId,
    bases: &[Seq],
    topics: Option<&Topics>,
    tell: &mut dyn FnMut(Finding),
) -> io::Result<Vec<Seq>> {
    let mut missing = Vec::new();
    for base in numbered(disk, FOLDER, ".idx")? {
        if bases.contains(&base) {
            continue;
        }
        let segment = match missing::segment(disk, log, base, topics) {
            // It went meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            segment => segment?,
        };
        let Some(segment) = segment else {
            let what = "its segment has been let go: the next start removes it";
            tell(note(index_name(base), what));
            continue;
        };
        // The segment may have been begun, and sealed, since the others were listed.
        if disk.open(&segment_name(base)).is_ok() {
            continue;
        }
        let totals = segment.index.totals;
        let what = format!(
            "the segment is missing, and nothing has let it go: its index names {} records, up to {}. Readers of their topics are told \
             (`damaged`) and go on behind it",
            totals.records, totals.last.0
        );
        let bad = BadPage { offset: None, what };
        tell(damage(segment_name(base), bad, super::verify::RESTORE));
        missing.push(base);
    }
    Ok(missing)
}

/// The list of topics, or what is wrong with it.
pub(super) fn load_topics(
    disk: &dyn Disk,
    log: &LogId,
    tell: &mut dyn FnMut(Finding),
) -> io::Result<Option<Topics>> {
    match pages(disk, TOPICS, log_seed(log)) {
        Ok(Ok(_)) => match Topics::load(disk, log) {
            Ok(topics) => return Ok(Some(topics)),
            Err(error) if is_newer(&error) => return Err(error),
            Err(error) => {
                let text = error.to_string();
                let what = text.strip_prefix("topics: ").unwrap_or(&text).to_owned();
                tell(damage(TOPICS.into(), BadPage { offset: None, what }, NEW_TOPICS));
            }
        },
        Ok(Err(bad)) => tell(damage(TOPICS.into(), bad, NEW_TOPICS)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => tell(note(
            TOPICS.into(),
            "it is not there: it is written when the first segment is full, or the server is stopped; if it was lost, the next start \
             makes it anew",
        )),
        Err(error) => return Err(error),
    }
    Ok(None)
}

/// What the records say of topics, as far as the list should know it.
pub(super) struct Known {
    until: Seq,
    /// The last event and the last record of each.
    topics: HashMap<Topic, (Seq, Seq)>,
    /// No segment is missing or damaged, as far as one can see.
    pub(super) is_whole: bool,
}

impl Known {
    pub(super) fn new(topics: Option<&Topics>) -> Self {
        Self {
            until: topics.map_or(Seq::ZERO, |topics| topics.last),
            topics: HashMap::new(),
            is_whole: true,
        }
    }

    pub(super) fn take(&mut self, checked: &Checked) {
        self.is_whole &= checked.is_whole();
        if self.until < checked.base {
            return;
        }
        for (topic, ..) in checked.index.topics() {
            let seqs = checked.index.postings(topic).iter().map(|posting| {
                let seq = Seq(checked.base.0 + u64::from(posting.delta()));
                (seq, posting.is_event())
            });
            let mut seqs = seqs.rev().skip_while(|(seq, _)| *seq > self.until).peekable();
            let Some((last, _)) = seqs.peek().copied() else {
                continue;
            };
            let event = seqs.find(|(_, is_event)| *is_event).map(|(seq, _)| seq);
            let known = self.topics.entry(topic.clone()).or_default();
            *known = (event.unwrap_or(known.0), last);
        }
    }

    /// Compares the list with the records.
    pub(super) fn compare(
        self,
        disk: &dyn Disk,
        log: &LogId,
        topics: &Topics,
        end: Seq,
        tell: &mut dyn FnMut(Finding),
    ) -> io::Result<()> {
        if !self.is_whole {
            return Ok(()); // What is missing there would be told twice.
        }
        // What was let go since it was read is told in the one of now.
        let now = match Topics::load(disk, log) {
            Ok(now) => now,
            Err(_) => topics.clone(),
        };
        let mut wrong = |what, advice| tell(damage(TOPICS.into(), BadPage { offset: None, what }, advice));
        if topics.last > end {
            let what = format!(
                "it knows of records up to {}, and the segments end with {}: a file is missing, or both come from different copies",
                topics.last.0, end.0
            );
            wrong(what, super::verify::RESTORE);
        }
        let mut missing = 0;
        let mut first_missing = None;
        for (topic, place) in topics.all() {
            let (event, _) = self.topics.get(topic).copied().unwrap_or_default();
            let is_kept = place.event > place.floor && place.event > now.floor(topic);
            if is_kept && event < place.event {
                missing += 1;
                first_missing = first_missing
                    .min(Some((place.event, topic)))
                    .or(Some((place.event, topic)));
            }
        }
        if let Some((event, topic)) = first_missing {
            let what = format!(
                "{missing} topics should have events that no segment has, for example {} of {}: a segment is missing",
                event.0,
                named(topic)
            );
            wrong(what, super::verify::RESTORE);
        }
        let unknown = self
            .topics
            .iter()
            .find(|(topic, (event, last))| match topics.place(topic) {
                Some(place) => place.event < *event || place.last < *last,
                None => *last > topics.absent_floor(),
            });
        if let Some((topic, (_, last))) = unknown {
            let what = format!("it does not know of the record {} of {}", last.0, named(topic));
            wrong(what, MAKE_ANEW);
        }
        Ok(())
    }
}

/// Topics of the relay door are secrets.
fn named(topic: &Topic) -> String {
    match topic.namespace() {
        Namespace::Events => format!("{:?}", topic.name()),
        Namespace::Relay => "an answer of the relay door".into(),
    }
}

/// Checks what was remembered; of the records in front of the log's `first` number nothing else tells.
pub(super) fn snapshots(
    disk: &dyn Disk,
    meta: &Meta,
    first: Seq,
    tell: &mut dyn FnMut(Finding),
) -> io::Result<()> {
    let mut reached = Seq::ZERO;
    let all = match snapshot::all(disk) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        all => all?,
    };
    for place in all {
        let (seq, name) = (place.seq(), place.name());
        let what = match pages(disk, &name, log_seed(&meta.log)) {
            Ok(Ok(content)) if snapshot::decode(&content, seq) == Err(Damaged::NEWER) => {
                let text = format!("{name}: {}", Damaged::NEWER);
                return Err(io::Error::new(Damaged::NEWER.kind(), text));
            }
            Ok(Ok(content)) => match unreadable(&content, seq) {
                // What it knows of has come meanwhile, or was told to be missing.
                None => {
                    reached = reached.max(seq);
                    continue;
                }
                Some(what) => BadPage { offset: None, what },
            },
            Ok(Err(bad)) => bad,
            // A newer one has taken its place.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        tell(damage(name, what, NO_SNAPSHOT));
    }
    if reached < first.before() {
        let what = format!(
            "no snapshot is left of what the records up to {} said, which were let go: ends of streams and idempotency keys of then are \
             forgotten",
            first.before().0
        );
        let bad = BadPage { offset: None, what };
        tell(damage(
            snapshot::FOLDER.into(),
            bad,
            "restore the folder from a copy",
        ));
    }
    Ok(())
}

fn unreadable(content: &[u8], seq: Seq) -> Option<String> {
    let state = match snapshot::decode(content, seq) {
        Ok(state) => state,
        Err(why) => return Some(why.to_string()),
    };
    let restored = Machine::new(Epochs::default(), Settings::UNBOUNDED, Ledgers::new()).restore(seq, &state);
    restored.err().map(|why| why.to_string())
}
