//! The client before servers that are not ours: better-sse (Node), sse-starlette (Python), nchan (nginx).
//!
//! Each sends thirty events with ids through a network that cuts every connection sooner or later; not one is lost,
//! none comes twice. A server that cannot be had here is shown as ignored.
//!
//! | open | for |
//! |---|---|
//! | [`network`] | the network: a proxy that cuts |
//! | [`servers`] | the servers: where they come from, how they are started and ended |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]
#![allow(clippy::print_stderr, reason = "says why a server is ignored")]
#![allow(unreachable_pub, reason = "nobody can reach into a test anyway")]

mod network;
mod servers;

use std::time::Duration;

use futures_util::StreamExt as _;
use libtest_mimic::{Arguments, Trial};
use network::Network;
use serde_json::{Value, json};
use servers::{Foreign, Running};
use tidewire_client::{EventSource, Item, Message, Retry};

const EVENTS: u64 = 30;

fn main() {
    let trials = Foreign::ALL.map(|server| {
        let missing = server.missing();
        if let Some(why) = &missing {
            eprintln!("{} cannot be had: {why}", server.name());
        }
        let name = format!("thirty_events_of_{}_come_once_each", server.name());
        Trial::test(name, move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let limit = Duration::from_secs(90);
                tokio::time::timeout(limit, read(server)).await.expect("in time");
            });
            Ok(())
        })
        .with_ignored_flag(missing.is_some())
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit();
}

async fn read(server: Foreign) {
    let running = Running::start(server).await;
    let network = Network::before(running.address()).await;
    let mut source = EventSource::get(network.url())
        .retry(Retry {
            base: Duration::from_millis(5),
            cap: Duration::from_millis(20),
            floor: Duration::from_millis(1),
            ..Retry::default()
        })
        .comments(true)
        .build()
        .unwrap();
    if server == Foreign::Nchan {
        for number in 1..=EVENTS {
            running.publish(&text(number).to_string()).await;
        }
    }
    let mut seen = Vec::new();
    let mut cuts = 0;
    while seen.len() < EVENTS as usize {
        match source.next().await.expect("it ended").expect("it failed") {
            Item::Event(event) => seen.push(event),
            Item::Reconnecting(_) => cuts += 1,
            Item::Open(_) | Item::Comment(_) | Item::Retry(_) => {}
            other => panic!("{other:?}"),
        }
    }
    let numbers: Vec<_> = seen.iter().map(number).collect();
    assert_eq!(numbers, (1..=EVENTS).collect::<Vec<_>>());
    assert!(cuts >= 3, "only {cuts} cuts");
    for event in &seen {
        assert!(!event.last_event_id.is_empty());
        assert_eq!(
            event.name,
            if server == Foreign::Nchan {
                "message"
            } else {
                "tick"
            }
        );
        assert_eq!(
            serde_json::from_str::<Value>(&event.data).unwrap(),
            text(number(event))
        );
    }
    if server == Foreign::Nchan {
        return;
    }
    // The others say when there is nothing more.
    loop {
        match source.next().await {
            None => break,
            Some(Ok(Item::Event(event))) => panic!("one too many: {event:?}"),
            Some(item) => drop(item.unwrap()),
        }
    }
}

fn text(number: u64) -> Value {
    json!({ "number": number, "text": "é\r\nand more" })
}

fn number(event: &Message) -> u64 {
    let data: Value = serde_json::from_str(&event.data).expect("JSON");
    data["number"].as_u64().expect("a number")
}
