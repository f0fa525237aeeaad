//! A JSON body comes back every second, until its sender goes.
//!
//! ```sh
//! cargo run -p tidewire-examples --bin echo
//! curl -N -d '{"say":"hello"}' http://127.0.0.1:8423/echo
//! curl -N -d '[1,2,3]' 'http://127.0.0.1:8423/echo?every=100'    # milliseconds
//! ```
//!
//! Whatever `Content-Type` the body claims, it is read as JSON: `fetch` calls a string `text/plain`, and
//! `curl -d` calls it a form. That the body has been read to its end does not end the stream; only the loss
//! of the response does.

#![allow(clippy::print_stdout, reason = "says where it listens, and who has gone")]

use std::{convert::Infallible, num::NonZeroU64, time::Duration};

use axum::{Router, extract::Query, http::StatusCode, response::IntoResponse, routing::post};
use futures_util::stream;
use serde::Deserialize;
use serde_json::Value;
use tidewire::{Event, Problem, Sse};
use tokio::{net::TcpListener, time::interval};

#[derive(Deserialize)]
struct Pace {
    every: Option<NonZeroU64>,
}

async fn echo(Query(pace): Query<Pace>, body: String) -> Result<impl IntoResponse, Problem> {
    let json: Value = serde_json::from_str(&body).map_err(|error| {
        let detail = format!("the body is no JSON ({error}): send something like {{\"say\":\"hello\"}}");
        Problem::new(StatusCode::BAD_REQUEST, "bad_json", detail)
    })?;
    let beat = interval(Duration::from_millis(pace.every.map_or(1000, NonZeroU64::get)));
    let echoes = stream::unfold((beat, SaysWhenGone), move |(mut beat, gone)| {
        let echo = Event::new(json.to_string());
        async move {
            beat.tick().await; // The first one is at once.
            Some((Ok::<_, Infallible>(echo), (beat, gone)))
        }
    });
    Ok(Sse::new(echoes))
}

/// Belongs to a stream, which is dropped when its response is lost.
struct SaysWhenGone;

impl Drop for SaysWhenGone {
    fn drop(&mut self) {
        println!("A client has gone, and its echo with it");
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8423".into());
    let listener = TcpListener::bind(address).await?;
    println!("The echo is at http://{}/echo", listener.local_addr()?);
    axum::serve(listener, Router::new().route("/echo", post(echo))).await
}
