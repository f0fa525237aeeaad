//! Streams that their upstream resumes itself, and answers whose type only the upstream knows.

use std::{thread::sleep, time::Duration};

use tidewire_relay::{Route, config::Times};

use super::{Asked, Relayed, asked, stream_of};
use crate::client::{End, request};

/// As MCP's servers send it: ids of their own, one of them without data, names, comments, a time to come again.
const RAW: &str = "id: a_1\ndata: \n\nid: a_2\n\n: ping\n\nretry: 500\nevent: message\nid: a_3\ndata: {\"jsonrpc\":\"2.0\"}\r\n\r\n";

const SESSION: (&str, &str) = ("Mcp-Session-Id", "s1");

#[test]
fn a_stream_that_its_upstream_resumes_passes_byte_for_byte_and_so_does_its_cursor() {
    // Of our bounds for streams none counts for one that is not ours.
    let relayed = Relayed::built(|config| {
        config.heartbeat = Duration::from_millis(30);
        let times = &mut config.routes[0].times;
        times.commit_after = Duration::from_millis(20);
        times.first_event = Duration::from_millis(50);
        times.idle = Duration::from_millis(50);
    });
    let langgraph = Asked {
        target: "/v1/threads/t/runs/stream",
        ..asked::CHAT
    };
    for asked in [asked::MCP, langgraph] {
        let reader = relayed.posted(&asked, |mut call| {
            sleep(Duration::from_millis(200));
            call.stream_with("Content-Location: /threads/t/runs/r\r\n");
            sleep(Duration::from_millis(200));
            call.chunk(RAW);
            sleep(Duration::from_millis(200));
            call.chunk("data: {}\n\n");
            call.end();
        });
        assert_eq!(reader.head.get("tidewire-stream"), None);
        assert_eq!(reader.head.get("content-location"), Some("/threads/t/runs/r"));
        assert_eq!(reader.head.get("x-accel-buffering"), Some("no"));
        assert_eq!(reader.rest(), (format!("{RAW}data: {{}}\n\n"), End::Finished));
    }
    // It goes on where the upstream says.
    for (target, headers) in [
        ("/v1/mcp", vec![SESSION]),
        ("/v1/threads/t/runs/r/stream", vec![]),
    ] {
        let headers = [
            headers,
            vec![("Last-Event-ID", "a_2"), ("Accept", "text/event-stream")],
        ]
        .concat();
        let reader = std::thread::scope(|scope| {
            let reader = scope.spawn(|| relayed.get(target, &headers));
            let mut call = relayed.upstream.call();
            assert_eq!(call.header("last-event-id"), Some("a_2"), "{target}");
            call.stream();
            sleep(Duration::from_millis(200));
            call.chunk("id: a_3\ndata: 3\n\n");
            call.end();
            reader.join().unwrap()
        });
        assert_eq!(reader.rest(), ("id: a_3\ndata: 3\n\n".to_owned(), End::Finished));
    }
    assert_eq!(relayed.relay.answers(), (0, 0));
}

#[test]
fn such_a_stream_is_closed_as_soon_as_its_client_has_gone_and_cut_where_its_upstream_dies() {
    let relayed = Relayed::open();
    for has_begun in [false, true] {
        let mut client = relayed.server.connect();
        client.send(request("GET", "/v1/mcp", &[SESSION], ""));
        let mut call = relayed.upstream.call();
        if has_begun {
            call.stream();
            call.chunk(RAW);
            let mut reader = client.reader();
            reader.expect(RAW);
            drop(reader);
        } else {
            drop(client);
        }
        call.gone();
    }
    let reader = relayed.posted(&asked::MCP, |mut call| {
        call.stream();
        call.chunk(RAW);
    });
    assert_eq!(reader.rest(), (RAW.to_owned(), End::Cut));
}

/// Its client comes again with its cursor; what was asked for with a POST has its time.
#[test]
fn a_server_that_leaves_cuts_such_a_stream_that_can_be_asked_for_again() {
    let relayed = Relayed::open();
    let mut call = None;
    let mut posted = relayed.posted(&asked::MCP, |mut asked| {
        asked.stream();
        asked.chunk(RAW);
        call = Some(asked);
    });
    let mut call = call.unwrap();
    let (silent, mut listened) = std::thread::scope(|scope| {
        let silent = scope.spawn(|| relayed.get("/v1/mcp", &[SESSION]));
        let mut listened = relayed.upstream.call();
        listened.stream();
        (silent.join().unwrap(), listened)
    });
    relayed.server.block_on(relayed.hub.drain());
    assert_eq!(silent.rest(), (String::new(), End::Cut));
    listened.gone();
    posted.expect(RAW);
    call.chunk("data: {}\n\n");
    call.end();
    assert_eq!(posted.rest(), ("data: {}\n\n".to_owned(), End::Finished));
}

#[test]
fn a_cursor_goes_no_further_where_the_relay_resumes() {
    let relayed = Relayed::open();
    let reader = relayed.answered_to("hello", &[("Last-Event-ID", "a_2")], |mut call| {
        assert_eq!(call.header("last-event-id"), None);
        call.stream();
        call.chunk("id: 7\ndata: 1\n\n");
        call.end();
    });
    assert!(
        reader.head.get("tidewire-stream").is_some(),
        "ids of the upstream's say nothing"
    );
}

#[test]
fn a_route_says_who_resumes_its_streams() {
    use tidewire_relay::config::Resume;
    let event = "id: a_3\ndata: 3\n\n";
    for (resume, asked, is_raw, is_sent) in [
        (Resume::Auto, asked::CHAT, false, false),
        (Resume::Upstream, asked::CHAT, true, true),
        (Resume::Off, asked::CHAT, true, false),
        (Resume::Relay, asked::MCP, false, false),
        (Resume::Off, asked::MCP, true, false),
    ] {
        let relayed = Relayed::with(|route| route.resume = resume);
        let headers = [asked.headers, &[("Last-Event-ID", "a_2"), ("Authorization", "a")]].concat();
        let asked = Asked {
            headers: headers.leak(),
            ..asked
        };
        let reader = relayed.posted(&asked, |mut call| {
            let sent = is_sent.then_some("a_2");
            assert_eq!(call.header("last-event-id"), sent, "{resume:?} {asked:?}");
            call.stream();
            call.chunk(event);
            call.end();
        });
        let stream = reader.head.get("tidewire-stream").map(|_| stream_of(&reader));
        assert_eq!(stream.is_none(), is_raw, "{resume:?} {asked:?}");
        let ours = stream.map(|stream| event.replace("a_3", &format!("{stream}.1")));
        let wanted = ours.as_deref().unwrap_or(event);
        assert_eq!(reader.rest().0, wanted, "{resume:?} {asked:?}");
    }
}

/// A tool that takes long and answers JSON; lines of JSON whose first one takes long.
#[test]
fn an_answer_is_begun_early_only_where_it_can_be_nothing_but_an_event_stream() {
    assert_eq!(Times::default().commit_after, Duration::from_secs(50));
    let relayed = Relayed::with(|route: &mut Route| route.times.commit_after = Duration::from_millis(30));
    let lines = "application/x-ndjson";
    let chat_without_stream = Asked {
        body: "{}",
        headers: &[("Accept", "text/event-stream")],
        ..asked::CHAT
    };
    for (asked, media_type, body) in [
        (asked::MCP, "application/json", "{\"jsonrpc\":\"2.0\"}"),
        (asked::OLLAMA, lines, "{\"done\":false}\n{\"done\":true}\n"),
        (asked::UNKNOWN, "application/json", "{\"a\":1}"),
        (asked::AG_UI, "application/vnd.ag-ui.event+proto", "x"),
        (chat_without_stream, "application/json", "{\"choices\":[]}"),
    ] {
        let mut reader = relayed.posted(&asked, |call| {
            sleep(Duration::from_millis(300));
            call.answer("200 OK", &format!("Content-Type: {media_type}\r\n"), body);
        });
        assert_eq!(reader.head.get("content-type"), Some(media_type), "{asked:?}");
        reader.expect(body);
    }
    // The others begin, and are told in band what came of it.
    for asked in [
        asked::CHAT,
        asked::RESPONSES,
        asked::ANTHROPIC,
        asked::GEMINI,
        asked::COHERE,
    ] {
        let reader = relayed.posted(&asked, |call| {
            sleep(Duration::from_millis(300));
            call.answer(
                "429 Too Many Requests",
                "",
                "{\"error\":{\"message\":\"slow down\"}}",
            );
        });
        assert_eq!(reader.head.status, 200, "{asked:?}");
        assert!(reader.rest().0.contains("slow down"), "{asked:?}");
    }
}
