//! A hub in an app of one's own: the app publishes, the plain door serves readers, and who comes back goes on.
//!
//! ```sh
//! cargo run -p tidewire-examples --bin embedded
//! curl -N http://127.0.0.1:8422/events/clicks
//! curl -X POST http://127.0.0.1:8422/click/left
//! ```

#![allow(clippy::print_stdout, reason = "says where it listens")]

use axum::{
    Router,
    extract::{Path, State},
    routing::post,
};
use tidewire::{Draft, Event, Hub, Namespace, Problem, Topic, archive::Memory, guard::Guard, hub, plain};
use tokio::{net::TcpListener, signal};

/// Any handler can publish. Its answer means that the readers can see the event.
async fn click(State(hub): State<Hub>, Path(button): Path<String>) -> Result<String, Problem> {
    let topic = Topic::new(Namespace::Events, "clicks")?;
    let receipt = hub.append(Draft::event(topic, Event::new(button))?).await?;
    Ok(format!("{}\n", receipt.id))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hub = Hub::start(hub::Config::default(), Memory::new(Default::default()))?;
    let app = Router::new()
        .route("/click/{button}", post(click))
        .with_state(hub.clone())
        .merge(plain::router(hub.clone(), plain::Config::default()));
    let app = Guard::default().protect(app);

    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8422".into());
    let listener = TcpListener::bind(address).await?;
    println!("Clicks are at http://{}/events/clicks", listener.local_addr()?);
    let leave = async move {
        let _ = signal::ctrl_c().await;
        hub.drain().await; // Readers are told when to come again; they would hold the server open.
    };
    axum::serve(listener, app).with_graceful_shutdown(leave).await?;
    Ok(())
}
