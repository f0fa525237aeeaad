//! S4: a reader that comes again gets exactly what it missed, or is told that it cannot.

use std::net::TcpStream;

use serde_json::Value;
use tidewire_hub::{Config, archive::Retention};

use crate::{
    client::{Client, Reader, field, request},
    server::{Door, keep_events},
};

fn outcome(reader: &Reader) -> String {
    reader.head.get("tidewire-resume").unwrap().into()
}

/// Reads a gap, checks its form, and returns its id and what it says.
#[track_caller]
fn gap(reader: &mut Reader) -> (String, Value) {
    assert_eq!(outcome(reader), "gap");
    notice(&reader.block())
}

fn notice(block: &str) -> (String, Value) {
    let [id, event, data] = block.lines().collect::<Vec<_>>()[..] else {
        panic!("no gap: {block}");
    };
    assert_eq!(event, "event: tidewire.gap");
    let id = id.strip_prefix("id: ").unwrap().to_owned();
    let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(data.as_object().unwrap().len(), 3);
    assert_eq!(data["resumed_after"], *id);
    (id, data)
}

/// A door with the events 1, 2 and 3 in the topic `a`.
fn three() -> Door {
    let door = Door::open();
    for data in ["1", "2", "3"] {
        door.post("/events/a", data);
    }
    door
}

#[test]
fn s4_without_a_cursor_a_stream_is_live() {
    let door = three();
    let mut reader = door.get("/events/a");
    assert_eq!(outcome(&reader), "live");
    door.post("/events/a", "4");
    assert_eq!(reader.data(), "4");
}

#[test]
fn s4_a_cursor_by_header_or_query_resumes_after_it() {
    let door = three();
    let after_1 = door.at(1);
    let by_query = [
        "last_event_id",
        "lastEventId",
        "lastEventID",
        "Last-Event-ID",
        "last-event-id",
    ];
    let by_query = by_query.map(|name| format!("/events/a?{name}={after_1}"));
    let header = [("Last-Event-ID", after_1.as_str())];
    let readers = by_query
        .iter()
        .map(|target| door.get(target))
        .chain([door.get_with("/events/a", &header)])
        .collect::<Vec<_>>();
    door.post("/events/a", "4");
    for mut reader in readers {
        assert_eq!(outcome(&reader), "resumed");
        for seq in 2..=4 {
            reader.expect(&format!("id: {}\ndata: {seq}\n\n", door.at(seq)));
        }
    }
}

/// WHATWG HTML § 9.2: the empty string is no id.
#[test]
fn s4_an_empty_cursor_is_none() {
    let door = three();
    let empty = ("Last-Event-ID", "");
    for (target, headers, resume) in [
        ("/events/a", &[empty][..], "live"),
        ("/events/a?last_event_id=", &[], "live"),
        ("/events/a?Last-Event-ID", &[], "live"),
        ("/events/a?lastEventId=&last_event_id=", &[empty], "live"),
    ] {
        let reader = door.get_with(target, headers);
        assert_eq!(outcome(&reader), resume, "{target} {headers:?}");
    }
    let target = format!("/events/a?last_event_id=&lastEventId={}", door.at(2));
    for target in [&*target, "/events/a?last_event_id=&last=1"] {
        assert_eq!(door.get_with(target, &[empty]).data(), "3", "{target}");
    }
    let headers = [("Content-Type", "application/json")];
    let mut client = door.connect();
    let body = r#"{"topic":"a","Last-Event-ID":"","last":1}"#;
    client.send(request("POST", "/subscribe", &headers, body));
    assert_eq!(field(&client.reader().block(), "data").as_deref(), Some("3"));
}

#[test]
fn s4_the_header_wins_over_the_query() {
    let door = three();
    let header = [("last-event-id", &*door.at(2))];
    let mut reader = door.get_with("/events/a?last_event_id=nonsense&last=3", &header);
    assert_eq!(outcome(&reader), "resumed");
    assert_eq!(reader.data(), "3");
}

#[test]
fn s4_a_cursor_wins_over_last() {
    let door = three();
    let target = format!("/events/a?last_event_id={}&last=3", door.at(2));
    assert_eq!(door.get(&target).data(), "3");
}

#[test]
fn s4_a_publishers_id_is_a_cursor_whatever_it_is_made_of() {
    let door = Door::open();
    for id in ["1", "日本-é", "a b", "100%", &"x".repeat(256)] {
        let escaped = id.replace('%', "%25").replace(' ', "%20");
        door.post(&format!("/events/{}?id={escaped}", id.len()), "first");
        door.post(&format!("/events/{}", id.len()), "second");
        let mut reader = door.get_with(&format!("/events/{}", id.len()), &[("Last-Event-ID", id)]);
        assert_eq!([outcome(&reader), reader.data()], ["resumed", "second"], "{id}");
    }
}

#[test]
fn s4_of_a_repeated_id_the_earliest_counts_so_nothing_is_lost() {
    let door = Door::open();
    for data in ["first", "again", "other"] {
        let id = if data == "other" { "other" } else { "twice" };
        assert_eq!(door.post(&format!("/events/a?id={id}"), data), id);
    }
    let mut reader = door.get("/events/a?last_event_id=twice");
    reader.expect("id: twice\ndata: again\n\nid: other\ndata: other\n\n");
}

#[test]
fn s4_last_gives_the_last_events_and_goes_on() {
    for (last, wanted) in [
        (0, vec!["4"]),
        (2, vec!["2", "3", "4"]),
        (99, vec!["1", "2", "3", "4"]),
    ] {
        let door = three();
        door.post("/events/b", "not here");
        let mut reader = door.get(&format!("/events/a?last={last}"));
        door.post("/events/a", "4");
        for data in wanted {
            assert_eq!(reader.data(), data, "last={last}");
        }
    }
}

#[test]
fn s4_earliest_gives_everything_that_is_kept_without_a_gap() {
    let door = Door::with(Config::default(), keep_events(2));
    let mut fresh = door.get("/events/a?last_event_id=earliest");
    assert_eq!(outcome(&fresh), "resumed");
    for data in ["1", "2", "3"] {
        door.post("/events/a", data);
        assert_eq!(fresh.data(), data);
    }
    for mut reader in [
        door.get("/events/a?last_event_id=earliest"),
        door.get_with("/events/a", &[("Last-Event-ID", "earliest")]),
    ] {
        assert_eq!(outcome(&reader), "resumed");
        assert_eq!([reader.data(), reader.data()], ["2", "3"]);
    }
}

#[test]
fn s4_what_cannot_be_placed_is_a_gap_and_never_silently_live() {
    let door = three();
    let foreign = "~00000000-2";
    for (cursor, reason) in [
        ("nobody-published-this", "unknown"),
        ("~broken", "unknown"),
        ("~00000000-02", "unknown"),
        (foreign, "reset"),
    ] {
        let by_header = door.get_with("/events/a", &[("Last-Event-ID", cursor)]);
        let by_query = door.get(&format!("/events/a?last_event_id={cursor}"));
        for mut reader in [by_header, by_query] {
            let (id, said) = gap(&mut reader);
            assert_eq!(said["requested"], cursor);
            assert_eq!(said["reason"], reason, "{cursor}");
            assert_eq!(id, door.at(0), "before the oldest event that is kept");
            assert_eq!([reader.data(), reader.data(), reader.data()], ["1", "2", "3"]);
        }
    }
}

#[test]
fn s4_a_cursor_of_bytes_that_are_no_text_is_a_gap() {
    let door = three();
    let mut client = door.connect();
    client.send(b"GET /events/a HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: \xff\xfe\r\n\r\n");
    let mut reader = client.reader();
    reader.expect_retry(1000);
    assert_eq!(gap(&mut reader).1["reason"], "unknown");
}

#[test]
fn s4_an_id_of_another_topic_is_unknown_here() {
    let door = Door::open();
    door.post("/events/b?id=of-b", "b");
    door.post("/events/a", "a");
    let mut reader = door.get("/events/a?last_event_id=of-b");
    assert_eq!(gap(&mut reader).1["reason"], "unknown");
    assert_eq!(reader.data(), "a");
}

#[test]
fn s4_expired_events_are_a_gap_from_whose_id_there_is_none() {
    let door = Door::with(Config::default(), keep_events(2));
    for data in ["1", "2", "3", "4"] {
        door.post("/events/a", data);
    }
    let mut reader = door.get(&format!("/events/a?last_event_id={}", door.at(1)));
    let (id, said) = gap(&mut reader);
    assert_eq!(
        (&said["requested"], &said["reason"]),
        (&door.at(1).into(), &"expired".into())
    );
    assert_eq!(id, door.at(2));
    assert_eq!([reader.data(), reader.data()], ["3", "4"]);

    let mut again = door.get(&format!("/events/a?last_event_id={id}"));
    assert_eq!(outcome(&again), "resumed");
    assert_eq!([again.data(), again.data()], ["3", "4"]);
}

#[test]
fn s4_a_gap_is_only_about_the_readers_own_topics() {
    let door = Door::with(Config::default(), keep_events(2));
    door.post("/events/a", "a1");
    for _ in 0..5 {
        door.post("/events/busy", "x");
    }
    let target = format!("/events/a?last_event_id={}", door.at(1));
    let mut reader = door.get(&target);
    assert_eq!(
        outcome(&reader),
        "resumed",
        "a1 has expired, but it had been read"
    );
    door.post("/events/a", "a2");
    assert_eq!(reader.data(), "a2");
}

#[test]
fn s4_a_gap_with_nothing_left_goes_on_live() {
    let door = Door::with(Config::default(), keep_events(1));
    door.post("/events/a", "gone");
    door.post("/events/b", "the one that is kept");
    let mut reader = door.get(&format!("/events/a?last_event_id={}", door.at(0)));
    let (id, said) = gap(&mut reader);
    assert_eq!(said["reason"], "expired");
    door.post("/events/a", "next");
    assert_eq!(reader.data(), "next");
    let again = door.get(&format!("/events/a?last_event_id={id}"));
    assert_eq!(outcome(&again), "resumed");
}

#[test]
fn s4_a_very_long_cursor_is_repeated_in_part() {
    let door = three();
    let mut reader = door.get_with("/events/a", &[("Last-Event-ID", &"é".repeat(1000))]);
    let (_, said) = gap(&mut reader);
    assert_eq!(said["requested"], "é".repeat(256));
}

#[test]
fn s4_prime_gives_a_cursor_before_the_first_event() {
    let door = three();
    let mut reader = door.get("/events/a?prime=1");
    reader.expect(&format!("id: {}\n\n", door.at(3)));
    drop(reader);
    door.post("/events/a", "4");
    let mut again = door.get(&format!("/events/a?prime&last_event_id={}", door.at(3)));
    again.expect(&format!("id: {}\n\n", door.at(3)));
    assert_eq!([outcome(&again), again.data()], ["resumed", "4"]);
}

#[test]
fn s4_a_primed_gap_cannot_be_lost_between_cursor_and_notice() {
    let door = three();
    let mut reader = door.get("/events/a?prime=1&last_event_id=nobody");
    assert_eq!(outcome(&reader), "gap");
    let first = reader.block();
    notice(&first);
}

#[test]
fn s4_a_cursor_ahead_of_the_log_is_told_at_once_that_it_is_of_another_copy() {
    let door = three();
    for ahead in [4, 9, u64::MAX] {
        let mut reader = door.get(&format!("/events/a?last_event_id={}", door.at(ahead)));
        assert_eq!(outcome(&reader), "gap");
        assert!(reader.block().contains("\"reason\":\"reset\""), "{ahead}");
        assert_eq!(reader.data(), "1", "all that is kept");
    }
    let mut live = door.get("/events/a");
    door.post("/events/a", "4");
    assert_eq!(live.data(), "4", "nobody was harmed");
}

#[test]
fn s4_a_reader_slower_than_retention_is_told_in_the_midst_of_its_stream() {
    let filler = "x".repeat(512 << 10);
    let config = Config {
        window: 1 << 20,
        ..Config::default()
    };
    let retention = Retention {
        max_bytes: 1 << 20,
        ..Retention::default()
    };
    let door = Door::with(config, retention);
    let socket = TcpStream::connect(door.server.address).unwrap();
    let mut client = Client::over(socket);
    client.send(request("GET", "/events/a", &[], ""));
    let mut reader = client.reader();
    reader.expect_retry(1000);
    // More than the buffers of both sockets take.
    for number in 1..=60 {
        door.post("/events/a", &format!("{number} {filler}"));
    }
    let (mut last, mut gaps) = (0, 0);
    while last < 60 {
        let block = reader.block();
        if field(&block, "event").is_some() {
            let (id, said) = notice(&block);
            assert_eq!(said["reason"], "lagged");
            assert_eq!(said["requested"], door.at(last));
            last = id.rsplit_once('-').unwrap().1.parse().unwrap();
            gaps += 1;
            continue;
        }
        let number: u64 = field(&block, "data")
            .unwrap()
            .split(' ')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(number, last + 1, "neither lost nor repeated without a word");
        last = number;
    }
    assert!(gaps > 0);
}
