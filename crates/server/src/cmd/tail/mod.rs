//! `tidewire tail`: prints a stream's events until the stream ends.
//!
//! | open | for |
//! |---|---|
//! | [`reader`] | connects, reads, connects again |
//! | [`backoff`] | how long to wait before that |
//! | [`mod@print`] | items as lines |

mod backoff;
mod print;
mod reader;

use print::Printer;
use reader::{Reader, Start};

use super::http::topic_url;
use crate::cli::{Stream, Tail};

/// Prints the stream that the command line names.
pub(crate) async fn run(args: Tail) -> anyhow::Result<()> {
    let url = match args.stream {
        Stream::Topic(topic) => topic_url(&args.server.url, &topic),
        Stream::Url(url) => url,
    };
    let start = match (args.last, args.from) {
        (Some(last), _) => Start::Last(last),
        (None, Some(id)) => Start::From(id),
        (None, None) => Start::Live,
    };
    let token = args.server.token_for(&url);
    let mut printer = Printer::new(args.json, args.comments, args.max);
    Reader::new(url, start, token)?.read_to_end(&mut printer).await
}
