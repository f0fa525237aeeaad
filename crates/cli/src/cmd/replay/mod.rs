//! `tidewire replay`: serves a recording again, at its pace or another, whole or with faults.
//!
//! | open | for |
//! |---|---|
//! | [`fault`] | where a connection breaks or goes silent |
//! | [`place`] | where a reader that comes back goes on |
//! | [`play`] | the body: chunks in their time |
//!
//! Each request is answered from the file, which is read as it is played: a long recording takes no more memory than a
//! short one, and a file that is replaced meanwhile is the next reader's.

mod fault;
mod place;
mod play;

use std::{
    fs::File,
    io::BufReader,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header, request::Parts},
};
use tidewire_doors::{Problem, guard::Guard};
use tidewire_server::listen::{self, Bounds, Guests};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use fault::Fault;
use place::Place;
use play::{Play, Speed};
use tidewire_codec::protocol;

use super::{
    stderr::{once, say},
    stdout,
};
use crate::{
    cli::Replay,
    recording::{Ending, Head, Reader},
    secrets::Secrets,
};

/// A recording, and how it is served.
struct Stage {
    file: PathBuf,
    speed: Speed,
    faults: Vec<Fault>,
    /// How many bodies have begun.
    bodies: AtomicUsize,
}

/// Serves a recording until Ctrl-C.
pub(crate) async fn run(args: Replay) -> anyhow::Result<()> {
    let address = args.listen.get();
    // A file that is none is told now, not to whoever asks first.
    let (head, _) = open(&args.file)?;
    let listener = listen::bind(address, BACKLOG)
        .with_context(|| format!("cannot listen on {address}: --listen takes another address"))?;
    announce(&args.file, &head, listener.local_addr()?)?;
    let stage = Arc::new(Stage {
        file: args.file,
        speed: Speed::new(args.speed),
        faults: args.faults,
        bodies: AtomicUsize::new(0),
    });
    let app = Guard::default().protect(Router::new().fallback(perform).with_state(stage));
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let guests = Guests::new(MAX_CONNECTIONS, None);
    tokio::select! {
        () = listen::serve(listener, app, Guard::loopback(), CONNECTION, &guests, &tasks, stop) => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    Ok(())
}

const BACKLOG: u32 = 128;
const MAX_CONNECTIONS: usize = 1_000;

const CONNECTION: Bounds = Bounds {
    header_read: Duration::from_secs(10),
    keep_alive: Duration::from_secs(75),
    max_header: 64 << 10,
    write_stall: Duration::from_secs(60),
    tcp_user: Duration::from_secs(60),
    kept_from: i32::MAX,
};

type Recording = Reader<BufReader<File>>;

fn open(file: &Path) -> anyhow::Result<(Head, Recording)> {
    let place = || file.display().to_string();
    let lines = BufReader::new(File::open(file).with_context(place)?);
    Reader::open(lines).with_context(place)
}

fn announce(file: &Path, head: &Head, address: SocketAddr) -> anyhow::Result<()> {
    // Recordings of earlier versions kept more of it.
    let (method, url) = (&head.request.method, Secrets::Masked.url(&head.request.url));
    let text = format!(
        "Replaying {} on http://{address}, whatever is asked for there\nIt is the answer to {method} {url}\n",
        file.display()
    );
    stdout::print(&stdout::shown(&text))
}

/// Answers a request with the recording, from after the event whose id it names.
async fn perform(State(stage): State<Arc<Stage>>, request: Request) -> Result<Response<Body>, Problem> {
    let (parts, _) = request.into_parts();
    let what = format!("{} {}", parts.method, parts.uri.path());
    match answer(&stage, &parts, &what).await {
        Ok(response) => Ok(response),
        Err(error) => {
            let error = once(&error);
            say(format_args!("{what}: {error}"));
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            Err(Problem::new(status, "bad_recording", error))
        }
    }
}

async fn answer(stage: &Arc<Stage>, parts: &Parts, what: &str) -> anyhow::Result<Response<Body>> {
    let (head, recording) = open(&stage.file)?;
    let place = match last_event_id(&parts.headers) {
        Some(id) if !is_packed(&head) => place::after(open(&stage.file)?.1, &id)?,
        _ => Place::START,
    };
    stage.speed.wait(Duration::from_millis(head.response.after)).await;
    if place.is_the_end && place.ending == Some(Ending::End) {
        say(format_args!("{what}: its reader has everything: 204"));
        return Ok(status(StatusCode::NO_CONTENT));
    }
    let mut response = status(StatusCode::from_u16(head.response.status).context("the recorded status")?);
    let is_part = place.skip > 0;
    let headers = head
        .response
        .headers
        .into_iter()
        .filter(|(name, _)| is_kept(name, is_part));
    for (name, value) in headers {
        let Some(value) = value else { continue };
        let (name, value) = (HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        response.headers_mut().append(name, value);
    }
    if parts.method != Method::HEAD {
        let number = stage.bodies.fetch_add(1, Ordering::Relaxed);
        let fault = stage.faults.get(number).copied();
        let from = match is_part {
            true => format!("from byte {}", place.skip),
            false => "from its start".into(),
        };
        let fault_text = fault.map_or(String::new(), |fault| format!(", {fault}"));
        say(format_args!("{what}: {from}{fault_text}"));
        let play = Play::new(recording, stage.speed, place.skip, fault, what.to_owned());
        *response.body_mut() = Body::from_stream(play.into_stream());
    }
    Ok(response)
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// The id, which is UTF-8 though it stands in a header.
fn last_event_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("last-event-id")?;
    String::from_utf8(id.as_bytes().to_vec())
        .ok()
        .filter(|id| !id.is_empty())
}

/// Whether its events cannot be found in its bytes.
fn is_packed(head: &Head) -> bool {
    let mut names = head.response.headers.iter().map(|(name, _)| name);
    names.any(|name| name.eq_ignore_ascii_case(header::CONTENT_ENCODING.as_str()))
}

/// Headers that are not of the connection that was recorded, nor of the whole body where a part is served.
fn is_kept(name: &str, is_part: bool) -> bool {
    let name = name.to_ascii_lowercase();
    let is_of_whole = name == "content-length";
    !protocol::HOP_BY_HOP.contains(&&*name) && (!is_of_whole || !is_part)
}
