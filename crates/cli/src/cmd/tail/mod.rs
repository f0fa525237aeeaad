//! `tidewire tail`: prints a stream's events until the stream ends.
//!
//! | open | for |
//! |---|---|
//! | [`args`] | the command line |
//! | [`ask`] | the request that it means |
//! | [`watch`] | items as they come: what is printed, saved, counted, and when it is enough |
//! | [`print`](mod@print), [`raw`], [`count`] | items as lines; bytes with their times; numbers |
//! | [`save`] | recordings |
//! | [`text`] | the text of an AI's answer |

pub(crate) mod args;
mod ask;
mod count;
mod print;
mod raw;
mod save;
mod text;
mod watch;

use args::Tail;

/// A signal has ended it, after everything that there was until then was told.
#[derive(Debug, thiserror::Error)]
#[error("ended by {0}")]
pub(crate) struct Interrupted(&'static str);

impl Interrupted {
    /// As shells show a program that the signal has ended.
    pub(crate) fn code(&self) -> u8 {
        match self.0 {
            "SIGTERM" => 143,
            _ => 130,
        }
    }
}

/// Prints the stream that the command line names.
pub(crate) async fn run(args: Tail) -> anyhow::Result<()> {
    let asked = ask::build(&args)?;
    match args.show.text {
        true => text::print(asked.source).await,
        false => watch::run(args, asked).await,
    }
}
