//! The relay: many answers at once, typed by an upstream of this process, read by clients of this process, directly and through
//! the server.
//!
//! ```sh
//! cargo xtask bench relay [--answers 1000] [--tokens 500] [--pace 50]
//! ```
//!
//! The server has core 0, this process has core 1. Each token carries the time it was sent at, so what a client sees late is what
//! came between. The same at half the load, since latency at full load is queueing. What this process costs itself is said.

#![allow(
    clippy::disallowed_methods,
    reason = "what is measured takes time, and the generator's tasks end with the process"
)]

mod generator;

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use generator::{Load, Seen};
use tidewire_benches::{Server, build, cpu, pin, resident};

fn main() -> Result<()> {
    let load = Load::of(std::env::args().skip(1))?;
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../target/bench-relay-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    pin(std::process::id(), "1")?;
    let measured = measure(&load, &folder);
    fs::remove_dir_all(&folder)?;
    measured
}

fn measure(load: &Load, folder: &Path) -> Result<()> {
    let program = build()?;
    println!(
        "| way | answers at once | tokens/s | whole | added p50 / p99 a token | first token p50 | server's core | generator's core | memory an answer |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for answers in [load.answers / 2, load.answers] {
        let load = Load { answers, ..*load };
        let upstream = generator::Upstream::start(load)?;
        // All requests are the same nobody's.
        let routes = folder.join("routes.toml");
        let address = upstream.address;
        fs::write(
            &routes,
            format!(
                "[[relay]]\npath = \"/v1\"\nupstream = \"http://{address}/v1\"\nmax_running_per_owner = 100000\n"
            ),
        )?;
        let routes = format!("--config={}", routes.display());
        let direct = run(&load, address, None)?;
        print(&load, "direct", &direct, &direct);
        let data = format!("--data={}", folder.join(format!("log-{answers}")).display());
        for (name, place) in [
            ("relayed, in memory", "--memory"),
            ("relayed, on disk, always", &data),
        ] {
            let server = Server::start(&program, &[place.to_owned(), routes.clone()])?;
            let seen = run(&load, server.address, Some(&server))?;
            print(&load, name, &seen, &direct);
        }
    }
    Ok(())
}

/// What was seen, and what it cost.
struct Cost {
    seen: Seen,
    seconds: f64,
    own: f64,
    server: f64,
    /// Bytes of the server's memory in the midst of it, beyond what it had before.
    memory: f64,
}

fn run(load: &Load, address: std::net::SocketAddr, server: Option<&Server>) -> Result<Cost> {
    let own = std::process::id();
    let of_server = |read: fn(u32) -> Result<f64>| server.map_or(Ok(0.0), |server| read(server.id()));
    let (before, mine, memory) = (of_server(cpu)?, cpu(own)?, of_server(resident)?);
    let half = load.seconds() / 2.0;
    let id = server.map(Server::id);
    let midway = std::thread::spawn(move || -> Result<f64> {
        std::thread::sleep(Duration::from_secs_f64(half));
        id.map_or(Ok(0.0), resident)
    });
    let start = std::time::Instant::now();
    let seen = generator::read(load, address)?;
    let seconds = start.elapsed().as_secs_f64();
    let midway = midway
        .join()
        .ok()
        .context("the thread that looks ended badly")??;
    ensure!(
        seen.whole == load.answers,
        "{} of {} answers came whole",
        seen.whole,
        load.answers
    );
    Ok(Cost {
        seen,
        seconds,
        own: cpu(own)? - mine,
        server: of_server(cpu)? - before,
        memory: midway - memory,
    })
}

fn print(load: &Load, way: &str, cost: &Cost, direct: &Cost) {
    let tokens = (load.answers * load.tokens) as f64;
    let millis = |nanos: u64| nanos as f64 / 1e6;
    let added = |share: f64| millis(cost.seen.late(share)) - millis(direct.seen.late(share));
    let text = (load.answers * load.tokens / 2 * generator::TOKEN) as f64;
    let memory = match cost.memory {
        0.0 => "–".to_owned(),
        memory => format!(
            "{:.0} KiB, {:.0} beyond its text",
            memory / load.answers as f64 / 1024.0,
            (memory - text) / load.answers as f64 / 1024.0
        ),
    };
    println!(
        "| {way} | {} | {:.1} k | {} | {:.2} / {:.2} ms | {:+.2} ms | {:.0} % | {:.0} % | {memory} |",
        load.answers,
        tokens / cost.seconds / 1e3,
        cost.seen.whole,
        added(0.5),
        added(0.99),
        millis(cost.seen.first(0.5)) - millis(direct.seen.first(0.5)),
        cost.server / cost.seconds * 100.0,
        cost.own / cost.seconds * 100.0,
    );
}

impl Load {
    fn of(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let usage = "usage: relay [--answers N] [--tokens N] [--pace TOKENS-A-SECOND]";
        let mut load = Self {
            answers: 1000,
            tokens: 500,
            pace: 50,
        };
        while let Some(flag) = arguments.next() {
            let value: usize = arguments.next().context(usage)?.parse().context(usage)?;
            match flag.as_str() {
                "--answers" => load.answers = value,
                "--tokens" => load.tokens = value,
                "--pace" => load.pace = value,
                _ => bail!(usage),
            }
        }
        Ok(load)
    }

    /// How long an answer is typed.
    fn seconds(&self) -> f64 {
        self.tokens as f64 / self.pace as f64
    }
}
