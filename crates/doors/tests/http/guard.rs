//! S7: tokens. What needs which, where they may stand, and what those are told who have none.

use tidewire_doors::guard::{Guard, Token, Tokens};

use crate::{
    client::{Response, request},
    server::Door,
};

const PUBLISH: &str = "publish-0f6ad0b7";
const READ: &str = "read+a8c5/d2e1==";

fn token(text: &str) -> Token {
    text.parse().unwrap()
}

fn door(tokens: Tokens) -> Door {
    Door::guarded(Guard::default().tokens(tokens))
}

/// A publish token and a read token, each with its successor.
fn closed() -> Door {
    door(
        Tokens::default()
            .publish([PUBLISH, "publish-next"].map(token))
            .read([READ, "read-next"].map(token)),
    )
}

fn public_read() -> Door {
    door(Tokens::default().publish([token(PUBLISH)]))
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// Checks a refusal, and that it tells a browser and a person what is wanted.
#[track_caller]
fn assert_refused(response: &Response, status: u16, code: &str, hint: &str) {
    assert_eq!(response.status(), status, "{response:?}");
    let said = response.json();
    assert_eq!(said["code"], code);
    assert!(said["detail"].as_str().unwrap().contains(hint), "{said}");
    let challenge = match code {
        "token_required" => Some(r#"Bearer realm="tidewire""#),
        "wrong_token" => Some(r#"Bearer realm="tidewire", error="invalid_token""#),
        "publish_token_required" => Some(r#"Bearer realm="tidewire", error="insufficient_scope""#),
        _ => None,
    };
    assert_eq!(response.head.get("www-authenticate"), challenge);
}

/// The status and, of an error, the code. Streams are not read.
fn answer(door: &Door, method: &str, target: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut client = door.connect();
    client.send(request(method, target, headers, ""));
    let head = client.reader().head;
    let code = match head.status {
        400 | 401 | 403 if method != "HEAD" => {
            let said = door.ask(method, target, headers, "").json();
            said["code"].as_str().unwrap().to_owned()
        }
        _ => String::new(),
    };
    (head.status, code)
}

#[test]
fn s7_without_tokens_everything_is_open() {
    let door = Door::open();
    assert_eq!(answer(&door, "GET", "/events/a", &[]).0, 200);
    // A token that nobody wants does no harm, whatever it is, so that one client talks to all servers.
    for token in ["Bearer x", "Basic eDp5", "Bearer"] {
        let headers = [("Authorization", token), ("Authorization", "x")];
        assert_eq!(answer(&door, "POST", "/events/a?end=false", &headers).0, 200);
    }
}

#[test]
fn s7_each_token_opens_what_it_is_for() {
    let (publish, read) = (bearer(PUBLISH), bearer(READ));
    let needs_read = [
        ("GET", "/events/a"),
        ("GET", "/events?topic=a"),
        ("HEAD", "/events/a"),
        ("QUERY", "/events"),
        ("POST", "/subscribe"),
    ];
    let needs_publish = [
        ("POST", "/events/a"),
        ("POST", "/events?topic=a"),
        ("DELETE", "/events/a"),
        ("GET", "/stats"),
        ("GET", "/metrics"),
        ("HEAD", "/metrics"),
    ];
    let needs_any = [("GET", "/presence/a"), ("HEAD", "/presence/a")];
    let door = closed();
    let status = |method, target, token: &str| answer(&door, method, target, &[("Authorization", token)]).0;
    let passes = |status| !matches!(status, 401 | 403);
    for (method, target) in needs_read.into_iter().chain(needs_any) {
        assert_eq!(answer(&door, method, target, &[]).0, 401, "{method} {target}");
        assert!(passes(status(method, target, &read)), "{method} {target}");
        assert!(passes(status(method, target, &publish)), "{method} {target}");
    }
    for (method, target) in needs_publish {
        assert_eq!(answer(&door, method, target, &[]).0, 401, "{method} {target}");
        assert_eq!(status(method, target, &read), 403, "{method} {target}");
        assert!(passes(status(method, target, &publish)), "{method} {target}");
    }

    let door = public_read();
    for (method, target) in needs_read {
        assert!(passes(answer(&door, method, target, &[]).0), "{method} {target}");
    }
    for (method, target) in needs_publish.into_iter().chain(needs_any) {
        assert_eq!(answer(&door, method, target, &[]).0, 401, "{method} {target}");
    }
}

#[test]
fn s7_what_is_not_there_needs_no_token() {
    let door = closed();
    for (method, target, status) in [
        ("GET", "/nothing", 404),
        ("GET", "/", 404),
        ("POST", "/demo/answers", 404),
        ("OPTIONS", "/events/a", 204),
    ] {
        assert_eq!(answer(&door, method, target, &[]).0, status, "{method} {target}");
    }
}

#[test]
fn s7_a_token_stands_in_the_header_the_query_or_a_cookie() {
    let door = closed();
    for scheme in ["Bearer", "bearer", "BEARER", "Bearer  "] {
        let header = format!("{scheme} {READ}");
        door.get_with("/events/a", &[("Authorization", &header)]);
    }
    for query in [
        "access_token=read+a8c5/d2e1==",
        "access_token=read%2Ba8c5%2Fd2e1%3D%3D",
        "access%5Ftoken=read-next",
        "show=topic&access_token=read-next&prime=false",
    ] {
        door.get(&format!("/events/a?{query}"));
    }
    for cookie in [
        "tidewire_token=read-next",
        "theme=dark; tidewire_token=read%2Ba8c5%2Fd2e1%3D%3D;lang=en",
        "tidewire_token=read+a8c5/d2e1==",
    ] {
        door.get_with("/events/a", &[("Cookie", cookie)]);
    }
    // HTTP/2 proxies split cookies over several headers.
    door.get_with(
        "/events/a",
        &[("Cookie", "theme=dark"), ("Cookie", "tidewire_token=read-next")],
    );
    let head = answer(&door, "HEAD", "/events/a?access_token=read-next", &[]);
    assert_eq!(head.0, 200);
}

#[test]
fn s7_every_token_of_a_kind_is_good_so_that_one_can_be_replaced() {
    let door = closed();
    for token in [PUBLISH, "publish-next"] {
        let header = bearer(token);
        let response = door.ask("POST", "/events/a", &[("Authorization", &header)], "x");
        assert_eq!(response.status(), 200);
    }
}

#[test]
fn s7_a_missing_token_is_401_and_says_where_it_goes() {
    let door = closed();
    let ask = |method, target, headers: &[_]| door.ask(method, target, headers, "");
    let read = ask("GET", "/events/a", &[]);
    assert_refused(&read, 401, "token_required", "?access_token=");
    assert_refused(&read, 401, "token_required", "tidewire_token");
    let publish = ask("POST", "/events/a", &[]);
    assert_refused(&publish, 401, "token_required", "publish token");
    assert_refused(&ask("GET", "/stats", &[]), 401, "token_required", "publish token");
    let basic = ask("GET", "/events/a", &[("Authorization", "Basic eDp5")]);
    assert_refused(&basic, 401, "token_required", "Authorization: Bearer");
}

#[test]
fn s7_a_request_that_changes_something_takes_its_token_from_the_header_only() {
    let door = closed();
    let target = format!("/events/a?access_token={PUBLISH}");
    let cookie = format!("tidewire_token={PUBLISH}");
    for (target, headers) in [
        (&*target, &[][..]),
        ("/events/a", &[("Cookie", &*cookie)]),
        (&target, &[("Cookie", &cookie)]),
    ] {
        for method in ["POST", "DELETE"] {
            let response = door.ask(method, target, headers, "x");
            assert_refused(&response, 401, "token_required", "GET and HEAD only");
        }
    }
    // They do not count as a second one either.
    let header = bearer(PUBLISH);
    let headers = [("Authorization", &*header), ("Cookie", &cookie)];
    assert_eq!(door.ask("POST", &target, &headers, "x").status(), 200);
}

#[test]
fn s7_a_wrong_token_is_401_and_not_repeated() {
    let door = closed();
    for wrong in [
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer read+a8c5/d2e1=",
        "Bearer read+a8c5/d2e1===",
        "Bearer READ+A8C5/D2E1==",
        "Bearer read+a8c5/d2e1==, read-next",
        "Bearer read-next read-next",
        "Bearer \u{e4}",
    ] {
        for (method, target) in [("GET", "/events/a"), ("POST", "/events/a"), ("GET", "/stats")] {
            let response = door.ask(method, target, &[("Authorization", wrong)], "");
            assert_refused(&response, 401, "wrong_token", "none of this server's");
            assert!(!response.body.contains("d2e1") && !response.body.contains("next"));
        }
    }
    for target in [
        "/events/a?access_token=",
        "/events/a?access_token",
        "/events/a?access_token=x",
        "/events/a?access_token=%FF",
        "/events/a?access_token=%",
    ] {
        assert_refused(&door.ask("GET", target, &[], ""), 401, "wrong_token", "slip");
    }
    let cookie = [("Cookie", "tidewire_token=")];
    assert_refused(
        &door.ask("GET", "/events/a", &cookie, ""),
        401,
        "wrong_token",
        "slip",
    );
}

#[test]
fn s7_what_nobody_declared_below_a_path_of_ours_needs_the_highest_right() {
    let door = closed();
    let (publish, read) = (bearer(PUBLISH), bearer(READ));
    for (method, target, status) in [
        ("PUT", "/events/a", 405),
        ("INVENTED", "/events/a", 405),
        ("TRACE", "/presence", 405),
        ("GET", "/subscribe", 405),
        ("GET", "/subscribe/new", 404),
        ("GET", "/stats/new", 404),
    ] {
        assert_eq!(answer(&door, method, target, &[]).0, 401, "{method} {target}");
        let shown = |token: &str| answer(&door, method, target, &[("Authorization", token)]).0;
        assert_eq!(shown(&read), 403, "{method} {target}");
        assert_eq!(shown(&publish), status, "{method} {target}");
    }
}

#[test]
fn s7_a_header_wins_over_a_cookie_and_a_cookie_over_the_query() {
    let door = closed();
    let header = bearer(READ);
    let auth = ("Authorization", &*header);
    let cookie = ("Cookie", "tidewire_token=read-next");
    let publisher = ("Cookie", "tidewire_token=publish-next");
    let with_query = "/events/a?access_token=read-next";
    for (target, headers) in [
        ("/events/a", &[auth, cookie][..]),
        (with_query, &[auth]),
        (with_query, &[cookie]),
        (with_query, &[auth, cookie]),
        ("/events/a", &[("Authorization", "Bearer sk-theirs"), cookie]),
        ("/events/a", &[("Authorization", "Basic eDp5"), cookie]),
        (with_query, &[("Authorization", "Basic eDp5")]),
        (with_query, &[cookie, cookie]),
        (
            "/events/a",
            &[(
                "Cookie",
                "__Host-tidewire=read-next; tidewire_token=x; tidewire_token=y",
            )],
        ),
        ("/events/a?access_token=x&access_token=y", &[auth]),
        (
            "/events/a",
            &[("Tidewire-Token", READ), ("Authorization", "Bearer sk-theirs")],
        ),
    ] {
        door.get_with(target, headers);
    }
    // The first that counts is the one that counts, also if another may do more.
    assert_eq!(answer(&door, "GET", "/stats", &[auth, publisher]).0, 403);
    let twice = [("Cookie", "tidewire_token=read-next; tidewire_token=read-next")];
    assert_refused(
        &door.ask("GET", "/events/a", &twice, ""),
        401,
        "token_required",
        "the cookie",
    );
}

#[test]
fn s7_two_tokens_in_one_place_are_400_even_if_both_are_good() {
    let door = closed();
    let header = bearer(READ);
    let auth = ("Authorization", &*header);
    let ours = ("Tidewire-Token", READ);
    for (target, headers) in [
        ("/events/a", &[auth, auth][..]),
        ("/events/a", &[auth, ("Authorization", "Basic eDp5")]),
        ("/events/a", &[("Authorization", "Basic eDp5"), auth]),
        ("/events/a", &[ours, ours]),
        ("/events/a?access_token=read-next&access_token=read-next", &[]),
        ("/events/a?access_token=read-next&access%5ftoken=x", &[]),
    ] {
        let response = door.ask("GET", target, headers, "");
        assert_refused(&response, 400, "doubled_token", "give one");
    }
    let response = door.ask("POST", "/events/a", &[auth, auth], "x");
    assert_refused(&response, 400, "doubled_token", "give one");
}

#[test]
fn s7_a_read_token_does_not_publish() {
    let door = closed();
    let header = bearer(READ);
    for (method, target) in [
        ("POST", "/events/a"),
        ("DELETE", "/events/a"),
        ("GET", "/metrics"),
    ] {
        let response = door.ask(method, target, &[("Authorization", &header)], "x");
        assert_refused(&response, 403, "publish_token_required", "for reading");
    }
    let header = bearer(PUBLISH);
    let first = door.ask("POST", "/events/a", &[("Authorization", &header)], "x");
    assert_eq!(first.id(), door.at(1), "nothing was published before");
}

#[test]
fn s7_a_foreign_origin_is_refused_before_its_token_is_looked_at() {
    let header = bearer(PUBLISH);
    let headers = [("Authorization", &*header), ("Origin", "https://evil.example")];
    let response = closed().ask("POST", "/events/a", &headers, "x");
    assert_refused(&response, 403, "foreign_origin", "--cors-origin");
}
