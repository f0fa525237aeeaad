//! Many large bodies at a time: they cost what they may, and others are served.

use std::{io::Write as _, net::TcpStream, thread::sleep, time::Duration};

use crate::{binary::Server, client::eventually, observed::metrics, relay::with_routes, upstream::Upstream};

const MIB: usize = 1 << 20;

/// Sends the head of a request, and so much of its body.
fn begun(server: &Server, target: &str, announced: usize, sent: usize) -> TcpStream {
    let mut socket = TcpStream::connect(server.address).unwrap();
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {announced}\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).unwrap();
    let piece = vec![b' '; 256 << 10];
    for _ in 0..sent / piece.len() {
        // It may have been refused already.
        if socket.write_all(&piece).is_err() {
            break;
        }
    }
    socket
}

#[test]
fn forty_requests_of_32_mib_that_drip_cost_no_more_than_the_budget_and_others_are_served() {
    let upstream = Upstream::start();
    let routes = format!(
        "[[relay]]\npath = \"/open\"\nupstream = \"http://{}/v1\"\n",
        upstream.address
    );
    let server = with_routes(&routes, &[]);
    server.post("/events/a", "warm");
    let before = server.resident();
    let mut sockets: Vec<_> = (0..40)
        .map(|_| begun(&server, "/open/chat", 32 * MIB, 31 * MIB))
        .collect();
    for socket in &mut sockets {
        let _ = socket.write_all(b" ");
    }
    sleep(Duration::from_secs(1));
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 400 * MIB, "{grown}");
    let held = metrics(&server)["tidewire_body_bytes"];
    assert!(held > 64.0 * 1024.0 * 1024.0, "{held}");
    server.post("/events/a", "served");
    assert!(upstream.call_within(Duration::from_millis(100)).is_none());
    drop(sockets);
    eventually(|| metrics(&server)["tidewire_body_bytes"] == 0.0);
}

#[test]
fn five_hundred_large_subscriptions_cost_no_more_than_the_budget_and_others_are_served() {
    let server = Server::start();
    server.post("/events/a", "warm");
    let before = server.resident();
    let sockets: Vec<_> = (0..500)
        .map(|_| begun(&server, "/subscribe", 512 << 10, (512 << 10) - 1))
        .collect();
    sleep(Duration::from_secs(1));
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 320 * MIB, "{grown}");
    server.post("/events/a", "served");
    server.get("/events/a", &[]);
    drop(sockets);
    eventually(|| metrics(&server)["tidewire_body_bytes"] == 0.0);
}
