//! Follows a file: a line an event, whose id is where the next line begins, so that who comes back with it
//! goes on exactly there. The file itself is the log; nothing is kept beside it.
//!
//! ```sh
//! cargo run -p tidewire-examples --bin logtail -- 127.0.0.1:8426 /var/log/syslog
//! curl -N 'http://127.0.0.1:8426/lines?last=10'
//! curl -N -H 'Last-Event-ID: 1835012-4096' http://127.0.0.1:8426/lines
//! ```
//!
//! An id is the file's number (its inode) and a byte offset, so that a file that was rotated in is not taken
//! for the one that was read. What happens to a file while it is followed is in [`follow`].

#![allow(clippy::print_stdout, reason = "says where it listens")]

mod follow;

use std::path::PathBuf;

use axum::{
    Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
    routing::get,
};
use follow::Follow;
use futures_util::stream;
use serde::Deserialize;
use tidewire::{Problem, Sse};
use tokio::net::TcpListener;

#[derive(Deserialize)]
struct From {
    #[serde(default)]
    last: usize,
}

async fn lines(
    State(path): State<PathBuf>,
    Query(from): Query<From>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    let last_id = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let follow = Follow::start(path, last_id, from.last).await.map_err(|error| {
        let detail = format!("the file cannot be read ({error}): look at what this server was started with");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "no_file", detail)
    })?;
    let lines = stream::try_unfold(follow, async |mut follow| {
        Ok::<_, std::io::Error>(Some((follow.next().await?, follow)))
    });
    Ok(Sse::new(lines))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(path)) = (arguments.next(), arguments.next()) else {
        return Err("say where to listen, and which file to follow: logtail 127.0.0.1:8426 FILE".into());
    };
    let listener = TcpListener::bind(address).await?;
    println!("Its lines are at http://{}/lines", listener.local_addr()?);
    let app = Router::new().route("/lines", get(lines));
    axum::serve(listener, app.with_state(path.into())).await?;
    Ok(())
}
