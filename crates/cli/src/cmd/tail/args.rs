//! The command line of `tidewire tail`.

use std::{path::PathBuf, str::FromStr};

use clap::Args;
use reqwest::{Method, Url};

use crate::{
    cli::Server,
    cmd::{header::Header, topic::Form},
    http::parse_url,
};

/// Reads a stream and prints its events. After a lost connection it goes on at the next event; it
/// stops when the stream ends.
#[derive(Debug, Args)]
pub(crate) struct Tail {
    /// A topic on the server, a path on it (`/events/…`, `/relay/…`), or the URL of any event stream
    #[arg(value_name = "TOPIC-or-URL")]
    pub(super) stream: Stream,

    /// Stop after N events
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) max: Option<u64>,

    /// Stop after an event of this type
    #[arg(long, value_name = "EVENT")]
    pub(super) until: Option<String>,

    #[command(flatten)]
    pub(super) request: Request,

    #[command(flatten)]
    pub(super) show: Show,

    /// Save the stream, byte for byte and with its times, in a file that is not there yet; what comes after a lost
    /// connection goes into FILE.2 and so on. `tidewire replay FILE` serves it again
    #[arg(long, value_name = "FILE")]
    pub(super) save: Option<PathBuf>,

    /// Save the URL's query and all headers as they are; without it, values that may be secrets are left out
    #[arg(long, requires = "save")]
    pub(super) keep_secrets: bool,

    #[command(flatten)]
    pub(super) server: Server,
}

/// What is asked.
#[derive(Debug, Args)]
pub(super) struct Request {
    /// Ask with this method [default: GET; POST with --data]
    #[arg(short = 'X', long = "request", value_name = "METHOD")]
    pub(super) method: Option<Method>,

    /// Send this header, for example `-H 'X-Api-Key: 123'`; may be given several times
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub(super) headers: Vec<Header>,

    /// Send this body, or that of a file (`@FILE`, `@-` is standard input); JSON is sent as such
    #[arg(short, long)]
    pub(super) data: Option<String>,

    /// Begin with the last N events
    #[arg(long, value_name = "N", conflicts_with = "last_event_id")]
    pub(super) last: Option<u64>,

    /// Begin after the event with this id; `earliest` begins with the oldest that is kept
    #[arg(long, value_name = "ID", visible_alias = "from")]
    pub(super) last_event_id: Option<String>,
}

/// What is printed: events, one a line, or one of these.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// Print one JSON object a line
    #[arg(long)]
    pub(super) json: bool,

    /// Print comments (heartbeats are comments) and reconnection times too
    #[arg(long)]
    pub(super) comments: bool,

    /// Print the bytes as they come, each chunk under a line with its time and its size
    #[arg(long, conflicts_with_all = ["json", "comments"])]
    pub(super) raw: bool,

    /// Print only how much came, in the end (also at Ctrl-C and SIGTERM): events by type, bytes, time
    #[arg(long, conflicts_with_all = ["raw", "comments"])]
    pub(super) count: bool,

    /// Print only the growing text of an AI's answer (OpenAI, Anthropic, Gemini, Cohere, AI SDK, AG-UI)
    #[arg(long, conflicts_with_all = ["json", "comments", "raw", "count", "max", "until", "save"])]
    pub(super) text: bool,
}

/// What to read.
#[derive(Debug, Clone)]
pub(super) enum Stream {
    Topic(String),
    /// On the server, with its query.
    Path(String),
    Url(Url),
}

impl FromStr for Stream {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match Form::of(text) {
            Form::Topic(topic) => Ok(Self::Topic(topic.to_owned())),
            Form::Path(path) => Ok(Self::Path(path.to_owned())),
            Form::Url => parse_url(text).map(Self::Url),
            Form::Address => Err(format!("the scheme is missing: give `http://{text}` (or https)")),
        }
    }
}
