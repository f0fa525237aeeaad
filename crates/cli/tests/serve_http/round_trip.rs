//! The main job: publish, subscribe, and the demo's answer over reconnects.

use serde_json::{Value, json};

use crate::{
    binary::Server,
    client::{End, field, request},
};

#[test]
fn what_is_published_is_read() {
    let server = Server::start();
    let mut reader = server.get("/events/a", &[]);
    let id = server.post("/events/a?event=greeting", "hello");
    reader.expect(&format!("id: {id}\nevent: greeting\ndata: hello\n\n"));
    server.post("/events/a?end", "");
    assert_eq!(reader.rest(), (String::new(), End::Finished));
}

#[test]
fn it_says_how_it_is_and_what_it_does_not_have() {
    let server = Server::start();
    for (target, body) in [("/healthz", "ok\n"), ("/readyz", "ready\n")] {
        let response = server.ask("GET", target, &[], "");
        assert_eq!((response.status(), response.body.as_str()), (200, body));
    }
    for target in ["/nothing", "/event/a", "//events/a", "/demo"] {
        let response = server.ask("GET", target, &[], "");
        assert_eq!(
            (response.status(), &response.json()["code"]),
            (404, &"not_found".into())
        );
        assert!(response.json()["detail"].as_str().unwrap().contains("/events/"));
    }
    for (method, target, allowed) in [
        ("POST", "/healthz", "GET,HEAD"),
        ("DELETE", "/readyz", "GET,HEAD"),
        ("GET", "/demo/answers", "POST"),
        ("POST", "/demo/info", "GET,HEAD"),
        ("POST", "/", "GET,HEAD"),
    ] {
        let response = server.ask(method, target, &[], "");
        assert_eq!(response.status(), 405, "{method} {target}");
        assert_eq!(response.json()["code"], "method_not_allowed");
        assert_eq!(
            response.head.get("allow").map(|allow| allow.replace(' ', "")),
            Some(allowed.into())
        );
    }
}

#[test]
fn every_path_is_guarded() {
    let server = Server::start();
    for target in ["/", "/stats", "/events/a", "/demo/info", "/nothing"] {
        let foreign = [("Host", "evil.example")];
        assert_eq!(server.ask("GET", target, &foreign, "").status(), 421, "{target}");
    }
    for target in ["/events/a", "/demo/answers", "/nothing"] {
        let foreign = [("Origin", "http://evil.example")];
        assert_eq!(server.ask("POST", target, &foreign, "").status(), 403, "{target}");
    }
    let tokens = [
        ("TIDEWIRE_HOSTS", "tide.example"),
        ("TIDEWIRE_PUBLISH_TOKEN", "0f6ad0b7a8c5d2e1"),
        ("TIDEWIRE_PUBLIC_READ", "true"),
    ];
    let server = Server::with(&tokens);
    let known = [
        ("Host", "tide.example"),
        ("Origin", "https://tide.example"),
        ("Authorization", "Bearer 0f6ad0b7a8c5d2e1"),
    ];
    assert_eq!(server.ask("POST", "/events/a", &known, "x").status(), 200);
}

#[test]
fn an_answer_types_itself_and_goes_on_after_every_cut() {
    for (lang, text) in [
        ("en", include_str!("../../../server/src/demo/en.txt")),
        ("zh", include_str!("../../../server/src/demo/zh.txt")),
    ] {
        let text = text.trim_end();
        let server = Server::start();
        let answer = server.ask("POST", &format!("/demo/answers?lang={lang}&cps=1000"), &[], "");
        assert_eq!(answer.status(), 201);
        let answer = answer.json();
        let url = answer["url"].as_str().unwrap();
        assert_eq!(url, format!("/events/{}", answer["topic"].as_str().unwrap()));

        // A reader that loses its connection after every few characters, and one that never does.
        let mut whole = server.get(&format!("{url}?last_event_id=earliest"), &[]);
        let (mut typed, mut cursor, mut cuts) = (String::new(), String::from("earliest"), 0);
        let end = 'cuts: loop {
            let mut reader = server.get(url, &[("Last-Event-ID", &cursor)]);
            assert_eq!(reader.head.get("tidewire-resume"), Some("resumed"));
            for _ in 0..=cuts % 17 {
                let block = reader.block();
                cursor = field(&block, "id").unwrap();
                match field(&block, "event").unwrap().as_str() {
                    "delta" => typed += &field(&block, "data").unwrap(),
                    "end" => break 'cuts block,
                    other => panic!("{other}"),
                }
            }
            cuts += 1;
        };
        assert_eq!(typed, text, "neither lost nor repeated");
        assert!(cuts > 5);
        let said: Value = serde_json::from_str(&field(&end, "data").unwrap()).unwrap();
        assert_eq!(said["characters"], text.chars().count());

        let mut at_once = String::new();
        for _ in text.chars() {
            at_once += &whole.data();
        }
        assert_eq!(at_once, text);
        assert_eq!(whole.block(), end);
        whole.finished();
        assert_eq!(
            server.ask("GET", url, &[("Last-Event-ID", &cursor)], "").status(),
            204
        );
    }
}

#[test]
fn the_demo_refuses_what_it_does_not_understand_and_can_be_left_out() {
    let server = Server::start();
    assert!(server.hint.contains("browser"));
    for query in ["cps=0", "cps=1001", "cps=fast", "lang=fr"] {
        let response = server.ask("POST", &format!("/demo/answers?{query}"), &[], "");
        assert_eq!(
            (response.status(), &response.json()["code"]),
            (400, &"bad_parameter".into()),
            "{query}"
        );
    }
    let info = server.ask("GET", "/demo/info", &[], "").json();
    assert_eq!(
        (&info["retry_ms"], &info["heartbeat_s"]),
        (&1000.into(), &15.into())
    );
    assert_eq!(info["tokens"], json!({"publish": false, "read": false}));

    let server = Server::with(&[
        ("TIDEWIRE_PUBLISH_TOKEN", "only-who-may"),
        ("TIDEWIRE_DEMO", "true"),
    ]);
    let info = server.ask("GET", "/demo/info", &[], "").json();
    assert_eq!(info["tokens"], json!({"publish": true, "read": false}));

    let server = Server::with(&[("TIDEWIRE_DEMO", "false")]);
    assert!(!server.hint.contains("browser"));
    for target in ["/", "/demo/info"] {
        assert_eq!(server.ask("GET", target, &[], "").status(), 404);
    }
    server.post("/events/a", "still served");
}

#[test]
fn settings_reach_the_streams() {
    let server = Server::with(&[("TIDEWIRE_RETRY", "2500ms"), ("TIDEWIRE_HEARTBEAT", "1s")]);
    let mut client = server.connect();
    client.send(request("GET", "/events/a", &[], ""));
    let mut reader = client.reader();
    assert_eq!(reader.head.get("tidewire-heartbeat"), Some("1"));
    reader.expect_retry(2500);
    reader.expect(":\n:\n");
}
