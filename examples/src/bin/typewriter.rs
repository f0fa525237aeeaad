//! A text that grows: each event holds all of it so far, so that a page only has to show the latest one.
//!
//! ```sh
//! cargo run -p tidewire-examples --bin typewriter
//! curl -N http://127.0.0.1:8424/text
//! curl -N -d 'Why is the sky blue?' http://127.0.0.1:8424/text    # the text is the same
//! ```
//!
//! In a page, `end` closes the `EventSource`, which would otherwise come again and start over:
//!
//! ```js
//! const source = new EventSource('/text');
//! source.addEventListener('text', (event) => (paragraph.textContent = event.data));
//! source.addEventListener('end', () => source.close());
//! ```

#![allow(clippy::print_stdout, reason = "says where it listens")]

use std::{convert::Infallible, time::Duration};

use axum::{Router, response::IntoResponse, routing::get};
use futures_util::{StreamExt as _, stream};
use tidewire::{Event, EventName, Sse};
use tokio::{net::TcpListener, time::sleep};

const TEXT: &str = "A stream is a log;\na subscriber is a cursor on it. 🌊";
const EVERY: Duration = Duration::from_millis(40);

async fn text() -> impl IntoResponse {
    let lengths = TEXT.char_indices().map(|(at, char)| at + char.len_utf8());
    let growing = stream::iter(lengths).then(|length| async move {
        sleep(EVERY).await;
        Ok::<_, Infallible>(named("text", &TEXT[..length]))
    });
    Sse::new(growing).finite()
}

fn named(name: &'static str, data: &str) -> Event {
    Event::new(data).with_name(EventName::from_static(name))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8424".into());
    let listener = TcpListener::bind(address).await?;
    println!("The text is at http://{}/text", listener.local_addr()?);
    axum::serve(listener, Router::new().route("/text", get(text).post(text))).await
}
