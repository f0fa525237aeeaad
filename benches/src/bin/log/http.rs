//! Durable publishes over HTTP: single ones on many connections, and bulk bodies.
//!
//! The server has core 0, this process has core 1. The generator writes requests that were made beforehand and looks at no more
//! of an answer than it must, so that it is not what is measured; what it takes itself is said beside.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use anyhow::{Result, ensure};
use tidewire_benches::{Server, build, cpu, pin};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    DATA, TOPICS, WHILE,
    publish::PUBLISHERS,
    table::{Table, rate},
};

/// How many lines a bulk body has.
const LINES: usize = 50_000;

pub(crate) fn measure(folder: &Path, table: &mut Table) -> Result<()> {
    let program = build()?;
    let own = std::process::id();
    pin(own, "1")?;
    for durability in ["always", "never"] {
        let data = folder.join(format!("http-{durability}"));
        let arguments = [
            format!("--durability={durability}"),
            format!("--data={}", data.display()),
        ];
        let server = Server::start(&program, &arguments)?;
        let (before, mine) = (cpu(server.id())?, cpu(own)?);
        let count = single(server.address)?;
        let (used, mine) = (cpu(server.id())? - before, cpu(own)? - mine);
        table.row(
            format!("`POST` from {PUBLISHERS} connections, `--durability {durability}`"),
            format!(
                "{} events; {} a CPU-second; the generator took {:.0} % of its core",
                rate(count, WHILE.as_secs_f64()),
                rate(count, used),
                mine / WHILE.as_secs_f64() * 100.0
            ),
            if durability == "always" { "≥ 20 k/s" } else { "" },
        );
        for connections in [1, 4] {
            let (before, start) = (cpu(server.id())?, Instant::now());
            let count = bulk(server.address, connections)?;
            let took = start.elapsed().as_secs_f64();
            let used = cpu(server.id())? - before;
            table.row(
                format!("NDJSON bulk, {connections} at a time, `--durability {durability}`"),
                format!("{} events; {} a CPU-second", rate(count, took), rate(count, used)),
                if durability == "always" { "≥ 300 k/s" } else { "" },
            );
        }
    }
    pin(own, "0-1")
}

/// One publish after the other on each connection.
fn single(address: SocketAddr) -> Result<u64> {
    let answered = Arc::new(AtomicU64::new(0));
    let until = Instant::now() + WHILE;
    one_thread(async {
        let publishers = (0..PUBLISHERS).map(|number| {
            let answered = Arc::clone(&answered);
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                let data = "x".repeat(DATA);
                let mut answer = vec![0; 4096];
                for round in 0_usize.. {
                    let topic = (number + round * 7) % TOPICS;
                    let request = format!(
                        "POST /events/topic-{topic} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {DATA}\r\n\r\n{data}"
                    );
                    stream.write_all(request.as_bytes()).await?;
                    // An answer comes in one piece: it is shorter than a packet.
                    let read = stream.read(&mut answer).await?;
                    ensure!(answer[..read].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..read]));
                    if Instant::now() >= until {
                        break;
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            })
        });
        for publisher in publishers.collect::<Vec<_>>() {
            publisher.await??;
        }
        Ok(())
    })?;
    Ok(answered.load(Ordering::Relaxed))
}

/// Bodies of many lines, each sent whole, so many at a time.
fn bulk(address: SocketAddr, connections: usize) -> Result<u64> {
    const ROUNDS: usize = 12;
    let line = format!("{{\"data\":\"{}\"}}\n", "x".repeat(DATA));
    let body: Arc<str> = line.repeat(LINES).into();
    one_thread(async {
        let senders = (0..connections).map(|number| {
            let body = Arc::clone(&body);
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(address).await?;
                for _ in 0..ROUNDS / connections {
                    let head = format!(
                        "POST /events/topic-{number} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/x-ndjson\r\n\
                         content-length: {}\r\n\r\n",
                        body.len()
                    );
                    stream.write_all(head.as_bytes()).await?;
                    stream.write_all(body.as_bytes()).await?;
                    let mut answer = vec![0; 4096];
                    let read = stream.read(&mut answer).await?;
                    let text = String::from_utf8_lossy(&answer[..read]);
                    ensure!(text.contains(&format!("\"count\":{LINES}")), "{text}");
                }
                Ok(())
            })
        });
        for sender in senders.collect::<Vec<_>>() {
            sender.await??;
        }
        Ok(())
    })?;
    Ok((ROUNDS / connections * connections * LINES) as u64)
}

fn one_thread(job: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(job)
}
