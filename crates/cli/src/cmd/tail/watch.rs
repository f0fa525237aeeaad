//! Items as they come: what is printed, saved and counted, and when it is enough.

use std::ops::ControlFlow;

use anyhow::anyhow;
use futures_util::StreamExt as _;
use tidewire_client::{Cause, Error, Item};

use super::{Interrupted, args::Tail, ask::Asked, count::Count, print::Printer, raw::Raw, save::Saver};
use crate::{
    cmd::{signals::Signals, stderr::say},
    http::refusal_text,
    recording::Ending,
    secrets::Secrets,
};

/// What is done with the items.
struct Watch {
    printer: Option<Printer>,
    raw: Option<Raw>,
    count: Option<Count>,
    saver: Option<Saver>,
    /// Events that are still wanted.
    left: Option<u64>,
    /// The type of the last one that is wanted.
    until: Option<String>,
    /// A connection was lost, and no other one has been made.
    is_lost: bool,
}

/// Watches a stream to its end, or to what is enough.
pub(super) async fn run(args: Tail, asked: Asked) -> anyhow::Result<()> {
    let show = &args.show;
    let printer = !(show.raw || show.count);
    let saver = args
        .save
        .map(|file| Saver::new(file, &asked, Secrets::kept(args.keep_secrets)));
    let mut watch = Watch {
        printer: printer.then(|| Printer::new(show.json)),
        raw: show.raw.then(Raw::new),
        count: show.count.then(|| Count::new(show.json)),
        saver: saver.transpose()?,
        left: args.max,
        until: args.until,
        is_lost: false,
    };
    let mut source = asked.source;
    // Only who has something to finish wants to hear of it.
    let interrupts = watch.count.is_some() || watch.saver.is_some();
    let mut signals = interrupts.then(Signals::new).transpose()?;
    let ended = loop {
        let item = tokio::select! {
            item = source.next() => item,
            name = next(&mut signals) => break Err(Interrupted(name).into()),
        };
        let Some(item) = item else { break Ok(Ending::End) };
        match watch.see(item) {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(ending)) => break Ok(ending),
            Err(error) => break Err(error),
        }
    };
    watch.finish(ended)
}

/// The signal that ends it, if somebody waits for one.
async fn next(signals: &mut Option<Signals>) -> &'static str {
    match signals {
        Some(signals) => signals.next().await,
        None => std::future::pending().await,
    }
}

impl Watch {
    fn see(&mut self, item: Result<Item, Error>) -> anyhow::Result<ControlFlow<Ending>> {
        if let Some(count) = &mut self.count {
            count.see(&item);
        }
        let item = match item {
            Ok(item) => item,
            Err(error) if error.is_final() => return Err(told(error)),
            Err(error) => {
                say(format_args!("{error}"));
                return Ok(ControlFlow::Continue(()));
            }
        };
        match &item {
            Item::Open(open) => {
                if std::mem::take(&mut self.is_lost) {
                    say(format_args!("connected again"));
                }
                if let Some(raw) = &mut self.raw {
                    raw.open();
                }
                if let Some(saver) = &mut self.saver {
                    saver.open(open)?;
                }
            }
            Item::Chunk(bytes) => {
                if let Some(saver) = &mut self.saver {
                    saver.chunk(bytes)?;
                }
                if let Some(raw) = &self.raw {
                    raw.print(bytes)?;
                }
            }
            Item::Reconnecting(again) => {
                // A body that was finished is all there is: `tail` is no browser, which would ask for it again.
                if matches!(again.cause, Cause::Ended) {
                    return Ok(ControlFlow::Break(Ending::End));
                }
                self.is_lost = true;
                let why = cause_text(&again.cause);
                say(format_args!(
                    "{why}; connecting again in {:.1} s",
                    again.delay.as_secs_f64()
                ));
                if let Some(saver) = &mut self.saver {
                    saver.finish(ending(&again.cause), Some(why))?;
                }
            }
            _ => {}
        }
        if let Some(printer) = &mut self.printer {
            printer.print(&item)?;
        }
        Ok(self.is_enough(&item))
    }

    fn is_enough(&mut self, item: &Item) -> ControlFlow<Ending> {
        let Item::Event(event) = item else {
            return ControlFlow::Continue(());
        };
        self.left = self.left.map(|left| left - 1);
        match self.left == Some(0) || self.until.as_deref() == Some(&*event.name) {
            true => ControlFlow::Break(Ending::Open),
            false => ControlFlow::Continue(()),
        }
    }

    /// What was saved and counted is complete, however it ended.
    fn finish(self, ended: anyhow::Result<Ending>) -> anyhow::Result<()> {
        if let Some(mut saver) = self.saver {
            match &ended {
                Ok(Ending::Open) => saver.finish(Ending::Open, Some("its reader had enough".into()))?,
                Ok(ending) => saver.finish(*ending, None)?,
                Err(error) => saver.finish(Ending::Open, Some(error.to_string()))?,
            }
        }
        if let Some(count) = self.count {
            count.print()?;
        }
        ended.map(drop)
    }
}

/// How a recording says what ended an attempt.
fn ending(cause: &Cause) -> Ending {
    match cause {
        Cause::Silent(_) | Cause::NoProgress(_) => Ending::Stalled,
        _ => Ending::Cut,
    }
}

/// Why an attempt ended.
fn cause_text(cause: &Cause) -> String {
    match cause {
        Cause::Status(refusal) => refusal_text(refusal.status, &refusal.body),
        cause => cause.to_string(),
    }
}

/// Why a stream ended, with what the server says.
fn told(error: Error) -> anyhow::Error {
    match error {
        Error::Status(refusal) => {
            anyhow!(
                "the server refused it: {}",
                refusal_text(refusal.status, &refusal.body)
            )
        }
        error => error.into(),
    }
}
