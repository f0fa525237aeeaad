//! How long a publish takes at most where a segment is sealed, and where the oldest goes: with few topics and with very many, in turns.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use futures_util::future::join_all;
use tidewire_hub::{
    Config, Hub, Namespace, Topic, TopicSet,
    archive::{
        Retention,
        segments::{RealDisk, Segments, Settings},
    },
};
use tokio::runtime::Runtime;

use crate::{DATA, publish::draft, table::Table};

const FEW: usize = 10;
const MANY: usize = 900_000;

/// How long a segment is while it is measured, and how many are sealed in each log.
const SEGMENT: u64 = 1 << 20;
const SEALS: usize = 24;

/// How many publishes wait at a time while topics are made known.
const AT_ONCE: usize = 5_000;

pub(crate) fn measure(folder: &Path, table: &mut Table) -> Result<()> {
    let folders = [FEW, MANY].map(|topics| (topics, folder.join(format!("seals-{topics}"))));
    for (topics, folder) in &folders {
        Runtime::new()?.block_on(fill(folder, *topics))?;
    }
    for drops in [false, true] {
        let [few, many] = Runtime::new()?.block_on(async {
            let few = open(&folders[0].1, drops)?;
            let many = open(&folders[1].1, drops)?;
            in_turns([&few, &many]).await
        })?;
        let what = if drops {
            "sealed, and the oldest lets go"
        } else {
            "sealed"
        };
        for (topics, times) in [(FEW, &few), (MANY, &many)] {
            table.row(
                format!("{topics} known topics, segments are {what}: a publish, median and worst"),
                format!("{:.2?}, {:.2?}", times.median, times.worst),
                "",
            );
        }
        table.row(
            format!("the worst where segments are {what}, very many topics to few"),
            format!("{:.1}", many.worst.as_secs_f64() / few.worst.as_secs_f64()),
            "≤ 3",
        );
    }
    Ok(())
}

struct Times {
    median: Duration,
    worst: Duration,
}

fn open(folder: &Path, drops: bool) -> Result<Hub> {
    let mut settings = Settings {
        segment_bytes: SEGMENT,
        ..Settings::default()
    };
    settings.retention.max_bytes = usize::MAX;
    if drops {
        // So much as there is: from here on a segment goes for each that comes.
        let files = std::fs::read_dir(folder.join("log"))?.filter_map(Result::ok);
        let lens = files
            .filter_map(|file| file.metadata().ok())
            .map(|file| file.len());
        settings.retention = Retention {
            max_bytes: usize::try_from(lens.sum::<u64>())? / 2,
            ..settings.retention
        };
    }
    let archive = Segments::open(Arc::new(RealDisk::open(folder)?), settings)?;
    Ok(Hub::start(Config::default(), archive)?)
}

fn topic(number: usize) -> Result<TopicSet> {
    Ok(Topic::new(Namespace::Events, &format!("topic-{number}"))?.into())
}

/// Makes so many topics known.
async fn fill(folder: &Path, topics: usize) -> Result<()> {
    let hub = open(folder, false).or_else(|_| {
        std::fs::create_dir_all(folder)?;
        open(folder, false)
    })?;
    for from in (0..topics).step_by(AT_ONCE) {
        let sets = (from..topics.min(from + AT_ONCE))
            .map(topic)
            .collect::<Result<Vec<_>>>()?;
        for answer in join_all(sets.iter().map(|set| hub.append(draft(set, "x".into())))).await {
            answer?;
        }
    }
    hub.drain().await;
    Ok(())
}

/// Publishes to one and then to the other, one at a time.
async fn in_turns(hubs: [&Hub; 2]) -> Result<[Times; 2]> {
    let count = SEALS * usize::try_from(SEGMENT)? / (DATA * 16);
    let mut taken = [Vec::new(), Vec::new()];
    for hub in hubs {
        // A log that is over its bound lets events go while it starts: that is not measured here.
        hub.append(draft(&topic(0)?, "x".into())).await?;
    }
    for number in 0..count {
        for (hub, taken) in hubs.iter().zip(&mut taken) {
            let set = topic(number % FEW)?;
            let draft = draft(&set, "x".repeat(DATA * 16));
            let start = Instant::now();
            hub.append(draft).await?;
            taken.push(start.elapsed());
        }
    }
    let [few, many] = taken.map(|mut taken| {
        taken.sort_unstable();
        Some(Times {
            median: *taken.get(taken.len() / 2)?,
            worst: *taken.last()?,
        })
    });
    for hub in hubs {
        hub.drain().await;
    }
    Ok([
        few.context("nothing was published")?,
        many.context("nothing was published")?,
    ])
}
