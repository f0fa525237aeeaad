//! Drives Tidewire and its peers with an external load rig (`sserig`), one after the other in every round, and prints
//! medians.
//!
//! ```sh
//! cargo xtask bench rig ../shared/rig [--rounds N] [--points w64,w1,…] [--peers tidewire,axum,raw]
//! ```
//!
//! The rig is no part of this repository. Its folder is copied among the system's temporary files (`tidewire-rig`) and built there, with the peers that
//! need nothing but Rust. A server runs on core 0, the rig on core 1; each measurement has a server of its own, which is
//! ended by its id.

mod report;
mod servers;

use std::{
    env,
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};
use report::Results;
use serde_json::Value;
use servers::{Built, PEERS, Peer, Server};

fn main() -> Result<()> {
    let asked = Asked::of(env::args().skip(1))?;
    let built = Built::new(&asked.rig)?;
    let mut results = Results::new();
    for round in 1..=asked.rounds {
        for point in POINTS.iter().filter(|point| asked.points.wants(point.name)) {
            for peer in PEERS.iter().filter(|peer| asked.peers.wants(peer.name)) {
                if !point.is_for(peer) {
                    continue;
                }
                let report = measure(&built, peer, point)?;
                eprintln!("round {round}: {} {}", point.name, peer.name);
                results.entry((point.name, peer.name)).or_default().push(report);
            }
        }
    }
    let clean = report::print(&results);
    ensure!(clean, "events were lost, repeated or out of order");
    Ok(())
}

/// What the command line says.
struct Asked {
    rig: PathBuf,
    rounds: usize,
    points: Only,
    peers: Only,
}

/// Some names, or all.
#[derive(Default)]
struct Only(Option<Vec<String>>);

impl Only {
    fn wants(&self, name: &str) -> bool {
        self.0
            .as_ref()
            .is_none_or(|names| names.iter().any(|other| other == name))
    }
}

impl Asked {
    fn of(mut args: impl Iterator<Item = String>) -> Result<Self> {
        let usage = "usage: rig FOLDER-OF-THE-RIG [--rounds N] [--points A,B] [--peers A,B]";
        let mut asked = Self {
            rig: args.next().context(usage)?.into(),
            rounds: 3,
            points: Only::default(),
            peers: Only::default(),
        };
        while let Some(flag) = args.next() {
            let value = args.next().context(usage)?;
            let names = || Only(Some(value.split(',').map(str::to_owned).collect()));
            match flag.as_str() {
                "--rounds" => asked.rounds = value.parse().context(usage)?,
                "--points" => asked.points = names(),
                "--peers" => asked.peers = names(),
                _ => bail!(usage),
            }
        }
        Ok(asked)
    }
}

/// What is measured.
struct Point {
    name: &'static str,
    /// The rig's command and its options.
    arguments: &'static str,
}

const POINTS: [Point; 6] = [
    Point {
        name: "w64",
        arguments: "fanout --subs 1000 --rate 0 --window 64 --warmup 0.5 --secs 3 --settle 0.5 --drain 8 --pub-conns 8 \
                    --pub-depth 8",
    },
    Point {
        name: "w1",
        arguments: "fanout --subs 1000 --rate 0 --window 1 --warmup 0.5 --secs 3 --settle 0.5 --drain 8 --pub-conns 8 \
                    --pub-depth 8",
    },
    Point {
        name: "rate100",
        arguments: "fanout --subs 1000 --rate 100 --secs 4 --drain 8 --pub-conns 8 --pub-depth 8",
    },
    Point {
        name: "publish",
        arguments: "fanout --subs 1 --rate 0 --window 100000 --warmup 0.5 --secs 4 --pub-conns 64 --pub-depth 1",
    },
    Point {
        name: "idle",
        arguments: "idle --subs 10000 --hold 2",
    },
    Point {
        name: "resume",
        arguments: "resume --subs 10 --events 10000 --rounds 10 --pub-depth 8",
    },
];

impl Point {
    fn is_for(&self, peer: &Peer) -> bool {
        self.name != "resume" || peer.resumes
    }
}

fn measure(built: &Built, peer: &Peer, point: &Point) -> Result<Value> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let server = Server::start(&built.servers[peer.name], peer, port)?;
    let url = |path| format!("http://127.0.0.1:{port}{path}");
    let (subscribe, publish) = (url(peer.paths.0), url(peer.paths.1));
    let mut rig = Command::new("taskset");
    rig.args(["-c", "1"])
        .arg(&built.rig)
        .args(point.arguments.split_whitespace());
    rig.args(["--url", &subscribe])
        .args(["--pid", &server.0.id().to_string()]);
    if point.name != "idle" {
        rig.args(["--payload", "100", "--publish", &format!("POST {publish}")]);
    }
    if point.name == "resume" {
        rig.args(["--header", "Last-Event-ID: {{id}}", "--live-url", &subscribe]);
    }
    let output = rig.stderr(Stdio::inherit()).output()?;
    ensure!(
        output.status.success(),
        "the rig failed at {} {}",
        point.name,
        peer.name
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}
