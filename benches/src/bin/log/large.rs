//! A large log: opened after its process was killed, read, and cut in half.

use std::{
    env, fs,
    future::poll_fn,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tidewire_benches::cpu;
use tidewire_hub::{
    Config, Encoding, Hub, Seq, Start, Subscribed,
    archive::{
        Reads, Retention, Store,
        segments::{RealDisk, Segments, Settings},
    },
};
use tokio::runtime::Runtime;

use crate::{
    DATA, TOPICS,
    publish::{draft, topic},
    table::{Table, rate},
};

/// How many publishes are on their way at a time while the log is filled.
const ON_THE_WAY: usize = 1000;

pub(crate) fn measure(folder: &Path, events: u64, table: &mut Table) -> Result<()> {
    let folder = folder.join("large");
    let own = env::current_exe()?;
    let arguments = |command: &str| {
        [
            command.to_owned(),
            folder.display().to_string(),
            events.to_string(),
        ]
    };
    let mut filling = Command::new(&own)
        .args(arguments("fill"))
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(filling.stdout.take().context("no output")?).read_line(&mut line)?;
    // As `kill -9` does.
    filling.kill()?;
    filling.wait()?;
    let filled: Value = serde_json::from_str(&line).context("filling failed")?;
    let opened = Command::new(&own)
        .args(arguments("open"))
        .stderr(Stdio::inherit())
        .output()?;
    let opened: Value = serde_json::from_slice(&opened.stdout).context("opening failed")?;
    let number = |value: &Value, name: &str| value[name].as_f64().context(name.to_owned());
    let millions = format!("{:.1} M events in {TOPICS} topics", events as f64 / 1e6);
    table.row(
        format!("one publisher with {ON_THE_WAY} on the way"),
        format!("{} durable events", rate(events, number(&filled, "seconds")?)),
        "",
    );
    for (what, name, unit, goal) in [
        ("opened after `kill -9`", "open", "s", "≤ 1 s"),
        ("half of it let go", "half", "s", "≤ 1 s"),
        ("resident memory after opening", "rss_opened", "MB", "≤ 100 MB"),
        (
            "the most, with all topics read and 100,000 more published",
            "rss_most",
            "MB",
            "≤ 100 MB",
        ),
    ] {
        table.row(
            format!("{millions}: {what}"),
            format!("{:.2} {unit}", number(&opened, name)?),
            goal,
        );
    }
    for (what, name, goal) in [
        ("records of a topic, one topic after the other", "scan", "≥ 1 M/s"),
        ("a reader from the earliest event on, encoded", "read", ""),
    ] {
        table.row(
            format!("{millions}: {what}"),
            format!(
                "{} events; {} a CPU-second",
                rate(events, number(&opened, name)?),
                rate(events, number(&opened, &format!("{name}_cpu"))?)
            ),
            goal,
        );
    }
    Ok(())
}

fn settings(max_bytes: usize) -> Settings {
    Settings {
        retention: Retention {
            max_bytes,
            ..Settings::default().retention
        },
        ..Settings::default()
    }
}

fn log(folder: &Path, max_bytes: usize) -> Result<Segments> {
    Ok(Segments::open(
        Arc::new(RealDisk::open(folder)?),
        settings(max_bytes),
    )?)
}

/// Fills a log, says so, and waits to be killed.
pub(crate) fn fill(folder: &Path, events: u64) -> Result<()> {
    Runtime::new()?.block_on(async {
        let hub = Hub::start(Config::default(), log(folder, usize::MAX)?)?;
        let start = Instant::now();
        let mut on_the_way = std::collections::VecDeque::new();
        for number in 0..events as usize {
            if on_the_way.len() == ON_THE_WAY
                && let Some(oldest) = on_the_way.pop_front()
            {
                let oldest: tidewire_hub::Pending = oldest;
                oldest.await?;
            }
            on_the_way.push_back(hub.enqueue(draft(&topic(number), "x".repeat(DATA))).await?);
        }
        for pending in on_the_way {
            pending.await?;
        }
        println!("{}", json!({ "seconds": start.elapsed().as_secs_f64() }));
        std::future::pending().await
    })
}

/// Opens it, reads it, and lets half of it go.
pub(crate) fn open(folder: &Path, events: u64) -> Result<()> {
    let runtime = Runtime::new()?;
    let (open, scan, read, rss_opened, rss_most) = runtime.block_on(async {
        let start = Instant::now();
        let hub = Hub::start(Config::default(), log(folder, usize::MAX)?)?;
        let open = start.elapsed();
        let rss_opened = memory("VmRSS:")?;
        // Once, so that the files are in memory for what is measured.
        read_all(&hub, events).await?;
        let read = Timed::begin()?;
        read_all(&hub, events).await?;
        let read = read.end()?;
        for number in 0..100 {
            let many = (0..1000).map(|more| hub.append(draft(&topic(number + more), "x".repeat(DATA))));
            for answer in futures_util::future::join_all(many).await {
                answer?;
            }
        }
        let rss_most = memory("VmHWM:")?;
        hub.drain().await;
        drop(hub);
        let archive = log(folder, usize::MAX)?;
        let scan = Timed::begin()?;
        scan_all(&archive, events)?;
        anyhow::Ok((open, scan.end()?, read, rss_opened, rss_most))
    })?;
    let bytes: u64 = fs::read_dir(folder.join("log"))?
        .map(|file| Ok(file?.metadata()?.len()))
        .sum::<Result<u64>>()?;
    let archive = log(folder, usize::try_from(bytes / 2)?)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let start = Instant::now();
    archive.trim(u64::try_from(now)?);
    let half = start.elapsed();
    let left = archive.held().records as u64;
    ensure!(
        left < events * 6 / 10,
        "{left} of {events} are left: half was to go"
    );
    let seconds = |time: std::time::Duration| time.as_secs_f64();
    println!(
        "{}",
        json!({
            "open": seconds(open), "scan": scan.0, "scan_cpu": scan.1, "read": read.0, "read_cpu": read.1,
            "half": seconds(half),
            "rss_opened": rss_opened, "rss_most": rss_most,
        })
    );
    Ok(())
}

/// A time, and what of a processor was used in it.
struct Timed(Instant, f64);

impl Timed {
    fn begin() -> Result<Self> {
        Ok(Self(Instant::now(), cpu(std::process::id())?))
    }

    fn end(self) -> Result<(f64, f64)> {
        Ok((self.0.elapsed().as_secs_f64(), cpu(std::process::id())? - self.1))
    }
}

/// Reads each topic as a reader gets it.
async fn read_all(hub: &Hub, events: u64) -> Result<()> {
    let mut bytes = 0;
    for number in 0..TOPICS {
        let start = Start::After(Start::EARLIEST.into());
        let started = hub
            .subscribe(topic(number), &start, Encoding::EventStream)
            .await?;
        let Subscribed::Open(mut reader) = started else {
            continue;
        };
        let until = hub.position();
        while reader.position() != until {
            let chunk = poll_fn(|cx| match reader.poll_chunk(cx) {
                std::task::Poll::Pending if !reader.is_behind() => std::task::Poll::Ready(None),
                ready => ready,
            });
            match chunk.await {
                Some(chunk) => bytes += chunk.map_err(|cut| anyhow::anyhow!("{cut:?}"))?.len() as u64,
                None => break,
            }
        }
    }
    ensure!(bytes > events * DATA as u64, "{bytes} bytes are not all there is");
    Ok(())
}

/// Reads each topic's records.
fn scan_all(archive: &Segments, events: u64) -> Result<()> {
    let through = archive.history().last;
    let mut count = 0;
    for number in 0..TOPICS {
        let topic = topic(number);
        let mut after = Seq::ZERO;
        while after < through {
            let scan = archive.scan(&topic, after, through, 64 << 10)?;
            count += scan.records.len() as u64;
            after = scan.through;
        }
    }
    ensure!(count >= events, "{count} records are not all there are");
    Ok(())
}

/// A line of this process's memory, in MB.
fn memory(name: &str) -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .context("no such line")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kib * 1024.0 / 1e6)
}
