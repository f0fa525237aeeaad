//! The body of a replay: the chunks of a recording in their time, until it ends or a fault comes.

use std::{
    fs::File,
    future::pending,
    io::{self, BufReader},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::{
    task::yield_now,
    time::{Instant, sleep, sleep_until},
};

use super::{
    super::stderr::say,
    fault::{Fault, Kind},
};
use crate::recording::{Chunk, Ending, Reader};

/// How fast time goes in a replay: 2.0 is twice as fast, none waits for nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Speed(Option<f64>);

impl Speed {
    pub(super) fn new(speed: f64) -> Self {
        Self(speed.is_finite().then_some(speed))
    }

    fn time(self, recorded: Duration) -> Duration {
        self.0.map_or(Duration::ZERO, |speed| recorded.div_f64(speed))
    }

    pub(super) async fn wait(self, recorded: Duration) {
        sleep(self.time(recorded)).await;
    }
}

/// A body that is being played.
pub(super) struct Play {
    recording: Reader<BufReader<File>>,
    speed: Speed,
    /// Bytes that its reader has already.
    skip: u64,
    /// Whether there are any.
    is_part: bool,
    fault: Option<Fault>,
    /// How many bytes it has sent.
    sent: u64,
    /// When the recording's clock was at zero, or would have been; from the first chunk on.
    zero: Option<Instant>,
    /// For messages.
    what: String,
}

impl Play {
    pub(super) fn new(
        recording: Reader<BufReader<File>>,
        speed: Speed,
        skip: u64,
        fault: Option<Fault>,
        what: String,
    ) -> Self {
        Self {
            recording,
            speed,
            skip,
            is_part: skip > 0,
            fault,
            sent: 0,
            zero: None,
            what,
        }
    }

    pub(super) fn into_stream(self) -> impl Stream<Item = io::Result<Bytes>> {
        stream::unfold(Some(self), async |play| {
            let mut play = play?;
            match play.next().await {
                Some(Ok(bytes)) => Some((Ok(bytes), Some(play))),
                Some(Err(cut)) => Some((Err(cut), None)),
                None => None,
            }
        })
    }

    /// The next bytes; none when the body ends, an error when it breaks.
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        loop {
            if let Some(fault) = self.fault.filter(|fault| self.sent >= fault.at) {
                return Some(self.fail(fault).await);
            }
            // The file is read by the thread that sends: it is small pieces, and they are seldom far.
            let chunk = match self.recording.next() {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return self.end().await,
                Err(fault) => {
                    say(format_args!("{}: {fault}", self.what));
                    return Some(Err(cut().await));
                }
            };
            let Chunk { at, mut bytes } = chunk;
            let known = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
            bytes.drain(..known);
            self.skip -= known as u64;
            if bytes.is_empty() {
                continue;
            }
            self.wait_until(at).await;
            if let Some(fault) = self.fault {
                let room = fault.at - self.sent;
                bytes.truncate(usize::try_from(room).unwrap_or(usize::MAX));
            }
            self.sent += bytes.len() as u64;
            return Some(Ok(bytes.into()));
        }
    }

    /// Waits for a moment of the recording. Who goes on in the midst of it gets its first chunk at once.
    async fn wait_until(&mut self, at: u64) {
        let recorded = self.speed.time(Duration::from_millis(at));
        let zero = match self.zero {
            Some(zero) => zero,
            None => *self.zero.insert(self.begin(recorded)),
        };
        sleep_until(zero + recorded).await;
    }

    fn begin(&self, first: Duration) -> Instant {
        let now = Instant::now();
        match self.is_part {
            true => now.checked_sub(first).unwrap_or(now),
            false => now,
        }
    }

    async fn end(&mut self) -> Option<io::Result<Bytes>> {
        let (ending, at) = self
            .recording
            .last()
            .map_or((Ending::Open, 0), |last| (last.ending, last.at));
        self.wait_until(at).await;
        match ending {
            Ending::End => {
                say(format_args!("{}: ended, as it was recorded", self.what));
                None
            }
            Ending::Cut => {
                say(format_args!("{}: cut, as it was recorded", self.what));
                Some(Err(cut().await))
            }
            Ending::Stalled | Ending::Open => {
                say(format_args!("{}: silent, as the recording has no end", self.what));
                pending().await
            }
        }
    }

    async fn fail(&self, fault: Fault) -> io::Result<Bytes> {
        match fault.kind {
            Kind::Cut => {
                say(format_args!(
                    "{}: cut after {} bytes, as asked",
                    self.what, fault.at
                ));
                Err(cut().await)
            }
            Kind::Stall => {
                say(format_args!(
                    "{}: silent after {} bytes, as asked",
                    self.what, fault.at
                ));
                pending().await
            }
        }
    }
}

/// The connection writes out what it has when the body makes it wait; an error would throw that away.
async fn cut() -> io::Error {
    yield_now().await;
    io::ErrorKind::ConnectionAborted.into()
}
