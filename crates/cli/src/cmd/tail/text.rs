//! The growing text of an AI's answer.

use futures_util::StreamExt as _;
use tidewire_client::EventSource;

use crate::cmd::{stderr::say, stdout};

pub(super) async fn print(source: EventSource) -> anyhow::Result<()> {
    let mut text = source.text();
    let mut ends_line = true;
    let ended = loop {
        match text.next().await {
            Some(Ok(piece)) => {
                ends_line = piece.ends_with('\n');
                stdout::print(&stdout::shown(&piece))?;
            }
            Some(Err(error)) if error.is_final() => break Err(error.into()),
            Some(Err(error)) => say(format_args!("{error}")),
            None => break Ok(()),
        }
    };
    if !ends_line {
        stdout::print("\n")?;
    }
    if text.is_truncated() {
        say(format_args!(
            "the answer ended before its last word: a part of it is missing"
        ));
    }
    ended
}
