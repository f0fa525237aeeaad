//! S1, S2: a stream's head and the forms of its events, byte by byte.

use crate::{client::request, server::Door};

#[test]
fn s1_the_headers_are_these_and_come_before_any_event() {
    let door = Door::open();
    let mut client = door.connect();
    client.send(request("GET", "/events/a", &[], ""));
    let reader = client.reader();
    assert_eq!(reader.head.line, "HTTP/1.1 200 OK");
    let mut headers = reader.head.headers.clone();
    headers.retain(|(name, _)| name != "date");
    headers.sort();
    let wanted = [
        (
            "accept-query",
            "application/json, application/x-www-form-urlencoded",
        ),
        ("cache-control", "no-cache, no-transform"),
        ("connection", "keep-alive"),
        ("content-type", "text/event-stream; charset=utf-8"),
        ("tidewire-heartbeat", "15"),
        ("tidewire-resume", "live"),
        ("transfer-encoding", "chunked"),
        ("vary", "Accept"),
        ("x-accel-buffering", "no"),
    ];
    assert_eq!(headers, wanted.map(|(name, value)| (name.into(), value.into())));
}

/// Browsers wait exactly so long, and all of them begin at once when a server has gone.
#[test]
fn s2_each_connection_is_told_another_time_to_come_again_and_never_less() {
    let door = Door::open();
    let retries = |target: &str| {
        let waits = (0..20).map(|_| door.server.get(target, &[]).expect_retry(1000));
        waits.collect::<std::collections::HashSet<_>>()
    };
    // That all are alike, by chance, happens once in 500 to the power of 19.
    assert!(retries("/events/a").len() > 1);
}

#[test]
fn s2_the_retry_line_comes_first_and_by_itself() {
    let door = Door::open();
    let mut reader = door.server.get("/events/a", &[]);
    reader.expect_retry(1000);
    let id = door.post("/events/a", "hello");
    reader.expect(&format!("id: {id}\ndata: hello\n\n"));
}

#[test]
fn s2_an_event_is_id_event_retry_data() {
    let door = Door::open();
    let mut reader = door.get("/events/a");
    assert_eq!(door.post("/events/a", "one"), door.at(1), "the server gives ids");
    reader.expect(&format!("id: {}\ndata: one\n\n", door.at(1)));
    assert_eq!(door.post("/events/a?id=my-1", "two"), "my-1", "or the publisher");
    reader.expect("id: my-1\ndata: two\n\n");
    door.post("/events/a?id=my-2&event=price&retry=2500", "{\"eur\":3}");
    reader.expect("id: my-2\nevent: price\nretry: 2500\ndata: {\"eur\":3}\n\n");
    door.post("/events/a?event=spaced+name%21&id=%C3%BC+1", "three");
    reader.expect("id: ü 1\nevent: spaced name!\ndata: three\n\n");
}

#[test]
fn s2_data_is_any_text() {
    let door = Door::open();
    let mut reader = door.get("/events/a");
    let mut id = 0;
    for (data, lines) in [
        ("", "data: \n"),
        ("a\nb", "data: a\ndata: b\n"),
        ("a\r\nb\rc", "data: a\ndata: b\ndata: c\n"),
        ("end\n", "data: end\ndata: \n"),
        ("\n", "data: \ndata: \n"),
        (
            "\n\nevent: x\n\n",
            "data: \ndata: \ndata: event: x\ndata: \ndata: \n",
        ),
        ("  two", "data:   two\n"),
        (": no comment", "data: : no comment\n"),
        ("retry: 1", "data: retry: 1\n"),
        ("žluťoučký 汉字 🌊", "data: žluťoučký 汉字 🌊\n"),
        ("\u{feff}mark", "data: \u{feff}mark\n"),
        ("nul\0", "data: nul\0\n"),
        ("\u{2028}\u{85}", "data: \u{2028}\u{85}\n"),
    ] {
        id += 1;
        door.post("/events/a", data);
        reader.expect(&format!("id: {}\n{lines}\n", door.at(id)));
    }
}

#[test]
fn s1_a_topic_is_the_decoded_path_or_a_parameter() {
    let door = Door::open();
    for (subscribe, publish) in [
        ("/events/a/b", "/events/a%2Fb"),
        ("/events/%C3%BC", "/events?topic=%C3%BC"),
        ("/events/plus+plus", "/events?topic=plus%2Bplus"),
        ("/events?topic=with+space", "/events/with%20space"),
        ("/events?topic=a//b", "/events?topic=a%2F%2Fb"),
        ("/events?topic=..", "/events?topic=%2E%2E"),
        ("/events/100%25", "/events?topic=100%25"),
        ("/events/a;b=c,d:e@f", "/events?topic=a;b%3Dc,d:e@f"),
    ] {
        let mut reader = door.get(subscribe);
        let id = door.post(publish, subscribe);
        reader.expect(&format!("id: {id}\ndata: {subscribe}\n\n"));
    }
}

#[test]
fn s1_several_topics_come_over_one_stream_each_event_once() {
    let door = Door::open();
    let mut reader = door.get("/events?topic=a&topic=b&topic=a");
    door.post("/events/a", "1");
    door.post("/events/other", "not for us");
    door.post("/events/b", "2");
    door.post("/events?topic=a&topic=b", "3");
    assert_eq!([(); 3].map(|()| reader.data()), ["1", "2", "3"]);
}

#[test]
fn s1_topics_are_told_apart_to_the_byte() {
    let door = Door::open();
    let mut reader = door.get("/events/Topic");
    for other in [
        "/events/topic",
        "/events/Topic%20",
        "/events/Topic/x",
        "/events/Top%C3%ADc",
    ] {
        door.post(other, "other");
    }
    door.post("/events/Topic", "mine");
    assert_eq!(reader.data(), "mine");
}

#[test]
fn s1_whatever_accepts_an_event_stream_gets_one() {
    let door = Door::open();
    for accept in [
        "text/event-stream",
        "*/*",
        "text/*",
        "application/json, text/event-stream;q=0.1",
    ] {
        let reader = door.get_with("/events/a", &[("Accept", accept)]);
        assert_eq!(
            reader.head.get("content-type"),
            Some("text/event-stream; charset=utf-8")
        );
    }
}

#[test]
fn s1_a_topic_may_stand_in_the_path_as_plain_utf_8() {
    let door = Door::open();
    let mut client = door.connect();
    client.send("GET /events/ü?last_event_id=ž HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut reader = client.reader();
    assert_eq!(reader.head.get("tidewire-resume"), Some("gap"));
    reader.expect_retry(1000);
    assert!(reader.block().contains(r#""requested":"ž""#));
    door.post("/events/%C3%BC", "same");
    assert_eq!(reader.data(), "same");
}
