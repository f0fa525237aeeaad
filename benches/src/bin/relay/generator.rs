//! Both ends: an upstream that types tokens at a pace, and clients that read them.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

/// About how many bytes of data a token has.
pub(crate) const TOKEN: usize = 150;

/// How much there is to do.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) answers: usize,
    pub(crate) tokens: usize,
    pub(crate) pace: usize,
}

/// Since this process began, so that both ends have the same clock.
fn now() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// Types an answer to whoever asks, on a thread of its own, until this process ends.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
}

impl Upstream {
    pub(crate) fn start(load: Load) -> Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener)?;
                loop {
                    let (socket, _) = listener.accept().await?;
                    // A client that goes ends its answer.
                    tokio::spawn(async move { type_answers(socket, load).await.ok() });
                }
                #[expect(unreachable_code, reason = "says what the block is")]
                anyhow::Ok(())
            })
        });
        Ok(Self { address })
    }
}

async fn type_answers(mut socket: TcpStream, load: Load) -> Result<()> {
    socket.set_nodelay(true)?;
    let mut request = Vec::new();
    loop {
        request.clear();
        // Requests are short and say their length last.
        while !request.ends_with(b"}") {
            ensure!(socket.read_buf(&mut request).await? > 0, "the client has gone");
        }
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        socket.write_all(head.as_bytes()).await?;
        let pace = Duration::from_secs(1) / load.pace as u32;
        let mut beat = tokio::time::interval(pace);
        for number in 0..load.tokens {
            beat.tick().await;
            let filling = "x".repeat(TOKEN - 60);
            let event = format!(
                "data: {{\"t\":{:020},\"n\":{number:06},\"delta\":\"{filling}\"}}\n\n",
                now()
            );
            socket
                .write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())
                .await?;
        }
        socket.write_all(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n").await?;
    }
}

/// What the clients saw.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) whole: usize,
    /// How late tokens were, in nanoseconds, sorted.
    late: Vec<u64>,
    /// From a request to its first token.
    first: Vec<u64>,
}

impl Seen {
    pub(crate) fn late(&self, share: f64) -> u64 {
        at(&self.late, share)
    }

    pub(crate) fn first(&self, share: f64) -> u64 {
        at(&self.first, share)
    }
}

fn at(sorted: &[u64], share: f64) -> u64 {
    let place = (sorted.len() as f64 * share) as usize;
    sorted
        .get(place.min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or_default()
}

/// Reads all answers, begun one after the other within a second or so. Timers tick in milliseconds, so each begins in the
/// next millisecond of its pace: else a few moments would have all the tokens.
pub(crate) fn read(load: &Load, address: SocketAddr) -> Result<Seen> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let load = *load;
    runtime.block_on(async {
        let (send, mut answers) = mpsc::channel(64);
        let send = Arc::new(send);
        for number in 0..load.answers {
            let send = Arc::clone(&send);
            tokio::spawn(async move {
                let spread = Duration::from_secs(1) * number as u32 / load.answers as u32;
                let phase = Duration::from_millis((number % (1000 / load.pace).max(1)) as u64);
                tokio::time::sleep(spread + phase).await;
                let _ = send.send(read_one(load, address).await).await;
            });
        }
        drop(send);
        let mut seen = Seen::default();
        while let Some(answer) = answers.recv().await {
            let (first, mut late) = answer?;
            seen.whole += 1;
            seen.first.push(first);
            seen.late.append(&mut late);
        }
        seen.late.sort_unstable();
        seen.first.sort_unstable();
        Ok(seen)
    })
}

/// When the first token came, and how late each was.
async fn read_one(load: Load, address: SocketAddr) -> Result<(u64, Vec<u64>)> {
    const MARK: &[u8] = b"{\"t\":";
    let mut socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let body = "{\"stream\":true}";
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let asked = now();
    socket.write_all(request.as_bytes()).await?;
    let (mut first, mut late) = (0, Vec::with_capacity(load.tokens));
    let mut unread: Vec<u8> = Vec::new();
    loop {
        ensure!(
            socket.read_buf(&mut unread).await? > 0,
            "cut: {}",
            String::from_utf8_lossy(&unread)
        );
        let seen_at = now();
        let mut done = 0;
        while let Some(found) = memchr::memmem::find(&unread[done..], MARK) {
            let at = done + found + MARK.len();
            // A token comes whole or not at all; one that is cut is looked at again.
            let Some(fields) = unread.get(at..at + 31) else {
                break;
            };
            let text = std::str::from_utf8(fields)?;
            let sent: u64 = text[..20].parse()?;
            let number: usize = text[25..31].parse().context("no number")?;
            ensure!(
                number == late.len(),
                "token {number} came as token {}",
                late.len()
            );
            if late.is_empty() {
                first = seen_at - asked;
            }
            late.push(seen_at - sent);
            done = at + 31;
        }
        let is_over = memchr::memmem::find(&unread[done..], b"[DONE]").is_some();
        unread.drain(..done);
        if is_over {
            ensure!(
                late.len() == load.tokens,
                "{} of {} tokens came",
                late.len(),
                load.tokens
            );
            return Ok((first, late));
        }
    }
}
