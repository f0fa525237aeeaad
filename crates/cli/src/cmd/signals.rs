//! Signals, for commands that run until told otherwise.

use std::fs::File;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and Ctrl-C.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// SIGUSR1: an operator confirms that the clock is right.
pub(super) struct Confirmations(Signal);

impl Confirmations {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self(signal(SignalKind::user_defined1())?))
    }

    pub(super) async fn next(&mut self) {
        self.0.recv().await;
    }
}

/// SIGHUP, which has two meanings: read the settings again, and the terminal has gone.
pub(super) struct Hangups {
    hangup: Signal,
    /// The process ends with its terminal.
    ends_with_terminal: bool,
}

/// What a SIGHUP means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hangup {
    Reload,
    TerminalGone,
}

impl Hangups {
    pub(super) fn new() -> anyhow::Result<Self> {
        // In this order: after the second SIGHUP is not ignored any more.
        let ends_with_terminal = has_terminal() && !is_ignored();
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            ends_with_terminal,
        })
    }

    pub(super) async fn next(&mut self) -> Hangup {
        self.hangup.recv().await;
        match self.ends_with_terminal && !has_terminal() {
            true => Hangup::TerminalGone,
            false => Hangup::Reload,
        }
    }
}

/// Whether there is a controlling terminal, and it is still connected.
fn has_terminal() -> bool {
    File::open("/dev/tty").is_ok()
}

/// Whether SIGHUP was to be ignored when the process began (`nohup`): it is not to end with its terminal. Known on
/// Linux only; elsewhere `nohup` does not keep it.
fn is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // SIGHUP is number 1, the lowest bit.
    mask.is_some_and(|mask| mask & 1 == 1)
}
