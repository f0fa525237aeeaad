//! S5: when a client counts as gone. It does when its side of the connection has ended, for a browser that has closed looks no
//! different from a client that only sends no more; it does not when its request has merely been read to its end.

use std::{thread::sleep, time::Duration};

use crate::{
    binary::Server,
    client::{Client, eventually, request},
    upstream::Upstream,
};

const CHAT: &str = r#"{"stream":true}"#;

fn relayed(upstream: &Upstream) -> Server {
    let routes = format!(
        "[[relay]]\npath = \"/v1\"\nupstream = \"http://{}/v1\"\non_disconnect = \"cancel\"\n",
        upstream.address
    );
    crate::relay::with_routes(&routes, &[])
}

fn asked(server: &Server) -> Client {
    let mut client = server.connect();
    client.send(request("POST", "/v1/chat", &[crate::relay::JSON], CHAT));
    client
}

#[test]
fn s5_who_closes_the_sending_side_has_gone_before_the_first_event_and_after_it() {
    let upstream = Upstream::start();
    let server = relayed(&upstream);
    let client = asked(&server);
    let mut call = upstream.call();
    client.stop_sending();
    call.gone();
    assert_eq!(client.rest(), "", "cut, and nothing that looks like an answer");

    let client = asked(&server);
    let mut call = upstream.call();
    call.stream();
    call.event("1");
    let mut reader = client.reader();
    reader.until("data: 1\n\n");
    reader.stop_sending();
    call.gone();
    assert_eq!(reader.rest().1, crate::client::End::Cut);

    // A subscriber, too: nothing needs to be written to it for that.
    let present = || server.ask("GET", "/presence/room", &[], "").json()["readers"].clone();
    let reader = server.get("/events/room", &[]);
    assert_eq!(present(), 1);
    reader.stop_sending();
    eventually(|| present() == 0);
}

#[test]
fn a_request_that_was_sent_whole_counts_though_its_client_goes_right_after_it() {
    let server = Server::start();
    for number in 0..100 {
        let mut client = server.connect();
        client.send(request("POST", "/events/a", &[], number.to_string()));
    }
    let count = || {
        server
            .ask("HEAD", "/events/a", &[], "")
            .head
            .get("tidewire-count")
            .map(str::to_owned)
    };
    eventually(|| count().as_deref() == Some("100"));
}

#[test]
fn s5_who_has_sent_the_whole_request_and_waits_has_not_gone() {
    let upstream = Upstream::start();
    let server = relayed(&upstream);
    // The body comes apart from its head, and has been read to its end when the upstream is asked.
    let mut client = server.connect();
    let whole = request("POST", "/v1/chat", &[crate::relay::JSON], CHAT);
    let (head, body) = whole.split_at(whole.len() - CHAT.len());
    client.send(head);
    sleep(Duration::from_millis(50));
    client.send(body);
    let mut call = upstream.call();
    call.is_wanted_for(Duration::from_millis(300));
    call.stream();
    call.event("1");
    let mut reader = client.reader();
    reader.until("data: 1\n\n");
    call.is_wanted_for(Duration::from_millis(300));
    call.event("[DONE]");
    call.end();
    reader.until("data: [DONE]\n\n");
    reader.finished();
}
