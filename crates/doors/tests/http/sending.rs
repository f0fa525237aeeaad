//! Large events on their way to readers: what they may hold together.

use tidewire_doors::{
    bodies::Shares,
    guard::{Guard, Tokens},
    plain,
    sending::SendBuffers,
};
use tidewire_hub::{
    Config, Hub,
    archive::{Memory, Retention},
};
use tokio::runtime::Runtime;

use crate::{
    client::{Client, End, Reader, eventually, field, request},
    server::Server,
};

const MIB: usize = 1 << 20;

/// An event of which a socket takes a part only.
const LARGE: usize = 8 * MIB;
const HOLDER: (&str, &str) = ("Authorization", "Bearer holder");

/// A plain door that everybody reads, with this budget and this much of the log in the window.
fn door(budget: &SendBuffers, window: usize) -> Server {
    let runtime = Runtime::new().unwrap();
    let hub = {
        let _inside = runtime.enter();
        let config = Config {
            window,
            max_event: LARGE,
            ..Config::default()
        };
        Hub::start(config, Memory::new(Retention::default())).unwrap()
    };
    let config = plain::Config {
        send_buffers: budget.clone(),
        ..plain::Config::default()
    };
    let tokens = Tokens::default().publish(["holder".parse().unwrap()]);
    let guard = Guard::default().tokens(tokens);
    Server::start_on(runtime, guard.protect(plain::router(hub, config)))
}

fn budget(max: usize, max_without_token: usize) -> SendBuffers {
    SendBuffers::new(Shares {
        max,
        max_without_token: Some(max_without_token),
        max_per_network: None,
    })
}

fn publish_large(server: &Server) {
    let text = "x".repeat(LARGE);
    let published = server
        .connect()
        .ask(request("POST", "/events/large", &[HOLDER], text));
    assert_eq!(published.status(), 200);
}

/// Readers that read nothing.
fn stuck(server: &Server, target: &str, count: usize) -> Vec<Client> {
    let begun = |_| {
        let mut client = server.connect();
        client.send(request("GET", target, &[], ""));
        client
    };
    (0..count).map(begun).collect()
}

fn reader(server: &Server, target: &str, headers: &[(&str, &str)]) -> Reader {
    let mut reader = server.get(target, headers);
    reader.expect_retry(1000);
    reader
}

#[test]
fn stuck_readers_of_large_events_hold_no_more_than_their_share_and_nothing_is_lost() {
    let budget = budget(40 * MIB, 28 * MIB);
    // Each reader has bytes of its own, from the archive.
    let server = door(&budget, 1);
    publish_large(&server);
    let stuck = stuck(&server, "/events/large?last=1", 12);
    eventually(|| budget.refused() == 9);
    assert!(
        (3 * LARGE..=28 * MIB).contains(&budget.held()),
        "{}",
        budget.held()
    );

    // A reader that is cut has a cursor to come again with.
    let mut cut = reader(&server, "/events/large?last=1", &[]);
    let block = cut.block();
    let cursor = field(&block, "id").unwrap_or_else(|| panic!("{block:?}"));
    let (rest, end) = cut.rest();
    assert!(rest.starts_with("retry: "), "{rest:?}");
    assert_eq!(end, End::Cut);

    // Small events and the holders of tokens find room.
    let mut small = reader(&server, "/events/small", &[]);
    server
        .connect()
        .ask(request("POST", "/events/small", &[HOLDER], "1"));
    assert_eq!(small.data(), "1");
    let mut holder = reader(&server, "/events/large?last=1", &[HOLDER]);
    assert!(holder.block().len() > LARGE);

    drop(stuck);
    eventually(|| budget.held() == 0);
    let mut again = reader(&server, "/events/large", &[("Last-Event-ID", &cursor)]);
    assert!(again.block().len() > LARGE);
    eventually(|| budget.held() == 0);
}

#[test]
fn readers_at_the_same_place_share_the_bytes_and_count_once() {
    let budget = budget(10 * MIB, 10 * MIB);
    let server = door(&budget, 64 * MIB);
    let mut readers: Vec<_> = (0..8).map(|_| reader(&server, "/events/large", &[])).collect();
    publish_large(&server);
    eventually(|| budget.held() > LARGE);
    for reader in &mut readers {
        assert!(reader.block().len() > LARGE);
        assert!(budget.held() < 9 * MIB, "{}", budget.held());
    }
    eventually(|| budget.held() == 0);
    assert_eq!(budget.refused(), 0);
}

#[test]
fn a_live_reader_that_is_cut_before_its_first_event_gets_it_when_it_comes_again() {
    let budget = budget(8 * MIB, 8 * MIB);
    let server = door(&budget, 1);
    publish_large(&server);
    let stuck = stuck(&server, "/events/large?last=1", 1);
    eventually(|| budget.held() > LARGE);
    let mut lines = server.get("/events/large", &[("Accept", "application/x-ndjson")]);
    publish_large(&server);
    let line: serde_json::Value = serde_json::from_str(&lines.until("\n")).unwrap();
    assert_eq!(lines.rest(), (String::new(), End::Cut));
    drop(stuck);
    eventually(|| budget.held() == 0);
    let cursor = line["id"].as_str().unwrap();
    let mut again = reader(&server, "/events/large", &[("Last-Event-ID", cursor)]);
    assert!(again.block().len() > LARGE);
}
