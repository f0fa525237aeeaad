//! Ten ticks with name, id and JSON that repeats the query parameters, then the end.
//!
//! ```sh
//! cargo run -p tidewire-examples --bin ticker
//! curl -N 'http://127.0.0.1:8421/ticks?currency=EUR'
//! ```
//!
//! A browser's `EventSource` that loses the connection goes on at the next tick.

#![allow(clippy::print_stdout, reason = "says where it listens")]

use std::{collections::BTreeMap, time::Duration};

use axum::{
    Router,
    extract::Query,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::get,
};
use futures_util::{StreamExt as _, stream};
use serde_json::json;
use tidewire::{Event, EventId, EventName, Sse, codec::InvalidText};
use tokio::{net::TcpListener, time::sleep};

const TICKS: u32 = 10;
const EVERY: Duration = Duration::from_millis(200);

async fn ticks(Query(parameters): Query<BTreeMap<String, String>>, headers: HeaderMap) -> Response {
    let last_id = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let seen: u32 = last_id.and_then(|id| id.parse().ok()).unwrap_or(0);
    if seen >= TICKS {
        return StatusCode::NO_CONTENT.into_response(); // `EventSource` does not come again.
    }
    let ticks = stream::iter(seen + 1..=TICKS).then(move |number| {
        let data = json!({ "tick": number, "parameters": parameters });
        async move {
            sleep(EVERY).await;
            let id = EventId::new(number.to_string())?;
            Ok::<_, InvalidText>(named("tick", data.to_string()).with_id(id))
        }
    });
    let sse = Sse::new(ticks).retry(Duration::from_secs(2));
    sse.end(named("end", String::new())).into_response()
}

fn named(name: &'static str, data: String) -> Event {
    Event::new(data).with_name(EventName::from_static(name))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8421".into());
    let listener = TcpListener::bind(address).await?;
    println!("Ticks are at http://{}/ticks", listener.local_addr()?);
    axum::serve(listener, Router::new().route("/ticks", get(ticks))).await
}
