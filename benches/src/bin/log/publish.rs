//! Durable publishes within a process: many publishers that wait for their answers, one that does, and SQLite with the
//! same waiting publishers.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use anyhow::Result;
use tidewire_codec::Event;
use tidewire_hub::{
    Config, Draft, Hub, Namespace, Topic, TopicSet,
    archive::segments::{Disk as _, RealDisk, Segments, Settings},
};
use tokio::runtime::Runtime;

use crate::{
    DATA, TOPICS, WHILE, sqlite,
    table::{Table, rate},
};

/// How many publishers wait at a time.
pub(crate) const PUBLISHERS: usize = 256;

pub(crate) fn measure(folder: &Path, table: &mut Table) -> Result<()> {
    let (one, raw) = one(folder)?;
    table.row(
        "a write of 300 B and fdatasync, in turns with the next row",
        format!("{:.0} µs", WHILE.as_secs_f64() / raw as f64 * 1e6),
        "",
    );
    table.row(
        "one publisher",
        format!(
            "{} durable events, {:.2} of what fdatasync allows",
            rate(one, WHILE.as_secs_f64()),
            one as f64 / raw as f64
        ),
        "≥ 0.8",
    );
    let many = many(&folder.join("many"))?;
    table.row(
        format!("{PUBLISHERS} waiting publishers"),
        format!("{} durable events", rate(many, WHILE.as_secs_f64())),
        "≥ 100 k/s",
    );
    for publishers in [PUBLISHERS, 1] {
        let file = folder.join(format!("sqlite-{publishers}.db"));
        let count = sqlite::run(&file, publishers)?;
        table.row(
            format!("SQLite (WAL, synchronous = FULL), {publishers} waiting"),
            format!("{} durable events", rate(count, WHILE.as_secs_f64())),
            "",
        );
    }
    Ok(())
}

fn hub(folder: &Path) -> Result<Hub> {
    let archive = Segments::open(Arc::new(RealDisk::open(folder)?), Settings::default())?;
    Ok(Hub::start(Config::default(), archive)?)
}

/// One publisher, in turns with the disk alone, since a disk that others use changes its mind: how many events were kept,
/// and how many times as many bytes were written and synced, each in [`WHILE`].
fn one(folder: &Path) -> Result<(u64, u64)> {
    const TURNS: u32 = 20;
    let disk = RealDisk::open(folder.join("raw"))?;
    let file = disk.create("raw")?;
    file.allocate(1 << 30)?;
    file.sync()?;
    disk.sync_dir("")?;
    let (mut kept, mut raw) = (0, 0);
    Runtime::new()?.block_on(async {
        let hub = hub(&folder.join("one"))?;
        for _ in 0..TURNS {
            let until = Instant::now() + WHILE / TURNS;
            while Instant::now() < until {
                file.write_at(&[1; 300], raw * 300)?;
                file.sync()?;
                raw += 1;
            }
            let until = Instant::now() + WHILE / TURNS;
            while Instant::now() < until {
                hub.append(draft(&topic(kept as usize), "x".repeat(DATA))).await?;
                kept += 1;
            }
        }
        hub.drain().await;
        anyhow::Ok((kept, raw))
    })
}

/// How many events many publishers got an answer to.
fn many(folder: &Path) -> Result<u64> {
    let runtime = Runtime::new()?;
    let counted = runtime.block_on(async {
        let hub = hub(folder)?;
        let answered = Arc::new(AtomicU64::new(0));
        let until = Instant::now() + WHILE;
        let publishers = (0..PUBLISHERS).map(|number| {
            let (hub, answered) = (hub.clone(), Arc::clone(&answered));
            tokio::spawn(async move {
                for round in 0_usize.. {
                    let draft = draft(&topic(number + round * 7), "x".repeat(DATA));
                    hub.append(draft).await.expect("the log keeps it");
                    if Instant::now() >= until {
                        break;
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        });
        for publisher in publishers.collect::<Vec<_>>() {
            publisher.await?;
        }
        hub.drain().await;
        anyhow::Ok(answered.load(Ordering::Relaxed))
    })?;
    Ok(counted)
}

pub(crate) fn topic(number: usize) -> TopicSet {
    let name = format!("topic-{}", number % TOPICS);
    Topic::new(Namespace::Events, &name)
        .expect("a name that can be")
        .into()
}

pub(crate) fn draft(topic: &TopicSet, data: String) -> Draft {
    Draft::event(topic.clone(), Event::new(data)).expect("an event that can be")
}
