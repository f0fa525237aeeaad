//! Many readers that do not take their large events: they cost what they may, and others are served.

use std::{thread::sleep, time::Duration};

use crate::{
    binary::Server,
    client::{Client, eventually, request},
    observed::metrics,
};

const MIB: usize = 1 << 20;

fn held(server: &Server) -> f64 {
    metrics(server)["tidewire_send_buffer_bytes"]
}

#[test]
fn sixty_stuck_readers_of_large_events_cost_no_more_than_the_budget_and_others_are_served() {
    let server = Server::with(&[
        ("TIDEWIRE_LIMITS_MAX_EVENT", "8MiB"),
        ("TIDEWIRE_LIMITS_WINDOW", "8MiB"),
        ("TIDEWIRE_LIMITS_MAX_SEND_BUFFERS", "64MiB"),
    ]);
    server.post("/events/a", &"x".repeat(8 * MIB - 1));
    let before = server.resident();
    let stuck: Vec<Client> = (0..60)
        .map(|_| {
            let mut client = server.connect();
            client.send(request("GET", "/events/a?last=1", &[], ""));
            client
        })
        .collect();
    eventually(|| metrics(&server)["tidewire_send_buffers_refused_total"] == 53.0);
    sleep(Duration::from_secs(1));
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 200 * MIB, "{grown}");
    assert!(held(&server) > 40.0 * 1024.0 * 1024.0);
    server.post("/events/b", "served");
    assert_eq!(server.get("/events/b?last=1", &[]).data(), "served");
    drop(stuck);
    eventually(|| held(&server) == 0.0);
}
