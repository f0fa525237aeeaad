//! Answers a prompt word by word, as a language model would; `end` says that the answer is complete.
//!
//! ```sh
//! cargo run -p tidewire-examples --bin chat
//! curl -N 'http://127.0.0.1:8425/chat?prompt=Hello%20there'
//! curl -N -G --data-urlencode 'prompt=what is a stream?' http://127.0.0.1:8425/chat
//! ```
//!
//! The words joined as they come are the answer: each brings its own space. Without a prompt: 400.

#![allow(clippy::print_stdout, reason = "says where it listens")]

use std::{collections::BTreeMap, convert::Infallible, time::Duration};

use axum::{Router, extract::Query, http::StatusCode, response::IntoResponse, routing::get};
use futures_util::{StreamExt as _, stream};
use tidewire::{Event, EventName, Problem, Sse};
use tokio::{net::TcpListener, time::sleep};

const EVERY: Duration = Duration::from_millis(50);

async fn chat(Query(query): Query<BTreeMap<String, String>>) -> Result<impl IntoResponse, Problem> {
    let prompt = query.get("prompt").map_or("", |prompt| prompt.trim());
    if prompt.is_empty() {
        let detail = "there is no prompt: ask with /chat?prompt=Hello";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "no_prompt", detail));
    }
    let words: Vec<String> = answer(prompt).split_inclusive(' ').map(str::to_owned).collect();
    let words = stream::iter(words).then(|word| async {
        sleep(EVERY).await;
        Ok::<_, Infallible>(Event::new(word))
    });
    let end = Event::new("").with_name(EventName::from_static("end"));
    Ok(Sse::new(words).end(end))
}

/// The model: always of the same opinion.
fn answer(prompt: &str) -> String {
    let (words, backwards) = (prompt.split_whitespace(), prompt.split_whitespace().rev());
    let backwards: Vec<_> = backwards.collect();
    format!(
        "You said “{prompt}”. That is {} words; from the end it reads “{}”.",
        words.count(),
        backwards.join(" ")
    )
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8425".into());
    let listener = TcpListener::bind(address).await?;
    println!("Ask at http://{}/chat?prompt=Hello", listener.local_addr()?);
    axum::serve(listener, Router::new().route("/chat", get(chat))).await
}
