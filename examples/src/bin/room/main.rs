//! A chat room: whoever opens the page sees what is said, and how many are there.
//!
//! ```sh
//! cargo run -p tidewire-examples --bin room
//! curl -N 'http://127.0.0.1:8427/events/room?last=20&as=bob'
//! curl -d '{"from":"bob","text":"hello"}' http://127.0.0.1:8427/events/room
//! curl http://127.0.0.1:8427/presence/room
//! ```
//!
//! The page is at <http://127.0.0.1:8427/?name=alice>. There is nothing to write but the page itself
//! (`room.html`): messages are published to the plain door, and who is there is who reads the topic. A page
//! that was away gets what it missed.

#![allow(clippy::print_stdout, reason = "says where it listens")]

use axum::{Router, response::Html, routing::get};
use tidewire::{Hub, archive::Memory, guard::Guard, hub, plain};
use tokio::{net::TcpListener, signal};

async fn page() -> Html<&'static str> {
    Html(include_str!("room.html"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hub = Hub::start(hub::Config::default(), Memory::new(Default::default()))?;
    let door = plain::router(hub.clone(), plain::Config::default());
    let app = Guard::default().protect(Router::new().route("/", get(page)).merge(door));

    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8427".into());
    let listener = TcpListener::bind(address).await?;
    println!("The room is at http://{}/", listener.local_addr()?);
    let leave = async move {
        let _ = signal::ctrl_c().await;
        hub.drain().await; // The pages are told when to come again; they would hold the server open.
    };
    axum::serve(listener, app).with_graceful_shutdown(leave).await?;
    Ok(())
}
