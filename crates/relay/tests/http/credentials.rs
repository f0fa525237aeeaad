//! Which credentials reach the upstream, whose a request is, and what is said of where it came from.

use std::thread::scope;

use http::{HeaderName, HeaderValue, Method, header};
use sha2::{Digest as _, Sha256};
use tidewire_doors::{
    credentials::{HEADERS, PARAMETERS},
    guard::{Principal, Rights},
};
use tidewire_relay::{
    Route,
    config::{Allowed, Owner},
};

use super::{Call, Relayed, by_proxy, stream_of};
use crate::client::{Reader, request};

const TOKEN: &str = "hush+token/0f6ad0b7==";

/// A caller whom the guard let in with the token.
fn with_token() -> Principal {
    let token = Sha256::digest(TOKEN).into();
    Principal::new(Rights::Read, Some(token), Some([192, 0, 2, 7].into()), false)
}

fn with_our_key(route: &mut Route) {
    route.key = Some((header::AUTHORIZATION, HeaderValue::from_static("Bearer ours")));
    let path = |path: &str| Allowed {
        method: Method::POST,
        path: path.into(),
    };
    route.allow = Some(vec![path("/chat"), path("/chat/completions")]);
}

/// What the upstream is asked for such a request.
fn asked(relayed: &Relayed, target: &str, headers: &[(&str, &str)]) -> Call {
    let mut client = relayed.server.connect();
    client.send(request("POST", target, headers, "{}"));
    let call = relayed.upstream.call();
    // The answer is waited for by nobody.
    drop(client);
    call
}

fn refused(relayed: &Relayed, target: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let answer = relayed.request("POST", target, headers, "{}");
    relayed.upstream.is_left_alone();
    (answer.head.status, answer.body)
}

#[test]
fn where_the_key_is_ours_no_credential_of_the_client_goes_on() {
    let relayed = Relayed::with(|route| {
        with_our_key(route);
        for name in ["x-house-pass", "house_pass"] {
            route.credential_headers.push(HeaderName::from_static(name));
        }
        route.credential_parameters.push("house".into());
    });
    for name in HEADERS.iter().copied().chain(["x-house-pass", "house_pass"]) {
        let call = asked(&relayed, "/v1/chat", &[(name, "hush")]);
        assert!(!call.head.contains("hush"), "{name}\n{}", call.head);
        assert_eq!(call.header("authorization"), Some("Bearer ours"));
    }
    let names = PARAMETERS.iter().map(|name| (*name).to_owned());
    for name in names.chain(["house", "KEY", "access%5Ftoken", "%6bey", "x;key"].map(str::to_owned)) {
        let call = asked(&relayed, &format!("/v1/chat?a=1&{name}=hush&b"), &[]);
        assert!(
            call.head.starts_with("POST /v1/chat?a=1&b "),
            "{name}\n{}",
            call.head
        );
    }
    let call = asked(&relayed, "/v1/chat?monkey=1&keys=2", &[("X-Own", "1")]);
    assert!(call.head.starts_with("POST /v1/chat?monkey=1&keys=2 "));
    assert_eq!(call.header("x-own"), Some("1"));
}

#[test]
fn where_the_key_is_the_clients_its_credentials_go_on() {
    let relayed = Relayed::open();
    for name in ["authorization", "x-api-key", "api-key", "x-goog-api-key"] {
        let call = asked(&relayed, "/v1/chat?key=k&access_token=t", &[(name, "theirs")]);
        assert_eq!(call.header(name), Some("theirs"));
        assert!(
            call.head.starts_with("POST /v1/chat?key=k&access_token=t "),
            "{}",
            call.head
        );
    }
}

#[test]
fn the_servers_own_token_never_leaves_wherever_it_stands() {
    let relayed = Relayed::called_by(with_token(), |route| route.pass_cookies = true);
    let bearer = format!("Bearer {TOKEN}");
    let cookie = |name: &str| format!("theme=dark; {name}={TOKEN}; session=1");
    for header in [
        ("Authorization", bearer.clone()),
        ("Authorization", format!("bearer  {TOKEN}")),
        ("X-Api-Key", TOKEN.to_owned()),
        ("X-Goog-Api-Key", TOKEN.to_owned()),
        ("Tidewire-Token", TOKEN.to_owned()),
        ("Authorization", format!("Bearer\t{TOKEN}")),
        ("Authorization", format!("Token token=\"{TOKEN}\"")),
        ("X-Api-Key", format!("\"{TOKEN}\"")),
        ("Cookie", format!("theme=dark; x=\"{TOKEN}\"; session=1")),
        ("Cookie", cookie("tidewire_token")),
        ("Cookie", cookie("__Host-tidewire")),
        ("Cookie", cookie("__Secure-tidewire")),
        ("Cookie", cookie("named-by-a-setting")),
        (
            "Cookie",
            "named-by-a-setting=hush%2Btoken%2F0f6ad0b7%3D%3D".to_owned(),
        ),
        ("Cookie", "tidewire_token=hush-of-before".to_owned()),
    ] {
        let call = asked(&relayed, "/v1/chat", &[(header.0, &header.1)]);
        assert!(!call.head.contains("hush"), "{header:?}\n{}", call.head);
        let others = call.header("cookie").map(str::to_owned);
        let expected = header
            .1
            .contains("theme")
            .then(|| "theme=dark; session=1".to_owned());
        assert_eq!(others, expected);
    }
    for query in [
        "access_token=hush+token/0f6ad0b7==",
        "access%5Ftoken=hush%2Btoken%2f0f6ad0b7%3d%3D",
        "key=hush+token/0f6ad0b7==",
    ] {
        let call = asked(&relayed, &format!("/v1/chat?a=1&{query}&b=2"), &[]);
        assert!(
            call.head.starts_with("POST /v1/chat?a=1&b=2 "),
            "{query}\n{}",
            call.head
        );
    }
    // What is the upstream's goes there beside it.
    let headers = [("Tidewire-Token", TOKEN), ("Authorization", "Bearer theirs")];
    let call = asked(&relayed, "/v1/chat?access_token=theirs", &headers);
    assert_eq!(call.header("authorization"), Some("Bearer theirs"));
    assert!(call.head.starts_with("POST /v1/chat?access_token=theirs "));
}

#[test]
fn an_owner_in_a_header_counts_only_where_a_trusted_proxy_sends_it() {
    let owned = |route: &mut Route| {
        with_our_key(route);
        route.owner = Owner::Header(HeaderName::from_static("x-user"));
    };
    let user = ("X-User", "anna");
    for stranger in [Principal::default(), with_token()] {
        let relayed = Relayed::called_by(stranger, owned);
        for headers in [&[user][..], &[]] {
            let (status, body) = refused(&relayed, "/v1/chat", headers);
            assert_eq!(status, 401, "{body}");
            assert!(
                body.contains("no_owner") && body.contains("trusted_proxies"),
                "{body}"
            );
        }
    }
    let relayed = Relayed::called_by(by_proxy(), owned);
    let call = asked(&relayed, "/v1/chat", &[user]);
    assert_eq!(call.header("x-user"), Some("anna"));
    let twice = [user, ("X-User", "bert")];
    for headers in [&twice[..], &[("X-User", "")], &[]] {
        assert_eq!(refused(&relayed, "/v1/chat", headers).0, 401, "{headers:?}");
    }
}

#[test]
fn what_says_who_asks_is_no_header_of_a_connection() {
    let named = [
        ("X-User", "anna"),
        ("Authorization", "Bearer theirs"),
        ("X-Goog-Api-Key", "theirs"),
        ("X-House-Pass", "theirs"),
        ("Cookie", "session=1"),
        ("X-Forwarded-For", "192.0.2.1"),
        ("Forwarded", "for=192.0.2.1"),
    ];
    let relayed = Relayed::proxied(|route| {
        route.owner = Owner::Header(HeaderName::from_static("x-user"));
        route
            .credential_headers
            .push(HeaderName::from_static("x-house-pass"));
        route.pass_cookies = true;
        route.forwarded = true;
    });
    let names = named.map(|(name, _)| name).join(", ");
    let headers = [
        &[("Connection", &*names), ("X-Hop", "1"), ("Connection", "x-hop")],
        &named[..],
    ]
    .concat();
    let call = asked(&relayed, "/v1/chat", &headers);
    assert_eq!(call.header("x-hop"), None);
    for (name, value) in named {
        assert!(
            call.header(name).is_some_and(|sent| sent.starts_with(value)),
            "{name}\n{}",
            call.head
        );
    }
}

#[test]
fn an_upstream_that_reads_underscores_as_hyphens_is_not_lied_to() {
    let owned_by = |name: &'static str| {
        Relayed::proxied(|route| {
            with_our_key(route);
            route.owner = Owner::Header(HeaderName::from_static(name));
            route.forwarded = true;
        })
    };
    let relayed = owned_by("x-user");
    let headers = [
        ("X_User", "bert"),
        ("X_Forwarded_For", "192.0.2.9"),
        ("Real_Ip_X", "stays"),
        ("X_Api_Key", "theirs"),
        ("Api_Key", "theirs"),
        ("Tidewire_Token", "hush"),
    ];
    let call = asked(
        &relayed,
        "/v1/chat",
        &[&headers[..], &[("X-User", "anna")]].concat(),
    );
    for (name, value) in headers {
        let expected = (value == "stays").then_some(value);
        assert_eq!(call.header(name), expected, "{name}");
    }
    assert_eq!(call.header("x-user"), Some("anna"));
    let call = asked(
        &owned_by("x_user"),
        "/v1/chat",
        &[("X-User", "bert"), ("X_User", "anna")],
    );
    assert_eq!(
        (call.header("x-user"), call.header("x_user")),
        (None, Some("anna"))
    );
}

const FORWARDED: [(&str, &str); 21] = [
    ("X-Forwarded-For", "192.0.2.1"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "app.example"),
    ("X-Forwarded-Prefix", "/x"),
    ("Forwarded", "for=192.0.2.1"),
    ("X-Real-IP", "192.0.2.1"),
    ("True-Client-IP", "192.0.2.1"),
    ("CF-Connecting-IP", "192.0.2.1"),
    ("X-Azure-ClientIP", "192.0.2.1"),
    ("X-Azure-SocketIP", "192.0.2.1"),
    ("X-Vercel-Forwarded-For", "192.0.2.1"),
    ("X-Originating-IP", "192.0.2.1"),
    ("X-Remote-IP", "192.0.2.1"),
    ("X-Remote-Addr", "192.0.2.1"),
    ("WL-Proxy-Client-IP", "192.0.2.1"),
    ("X-AppEngine-User-IP", "192.0.2.1"),
    ("X-Original-Host", "app.example"),
    ("X-Host", "app.example"),
    ("X-Scheme", "https"),
    ("Front-End-Https", "on"),
    // CGI makes HTTP_PROXY of it, which programs take for the proxy to ask through.
    ("Proxy", "http://192.0.2.1/"),
];

#[test]
fn an_upstream_learns_no_address_of_a_client_unless_its_route_says_so() {
    for caller in [with_token(), by_proxy()] {
        let relayed = Relayed::called_by(caller, |_| {});
        let call = asked(&relayed, "/v1/chat", &FORWARDED);
        for (name, _) in FORWARDED {
            assert_eq!(call.header(name), None, "{name}");
        }
    }
}

#[test]
fn an_app_learns_where_a_request_came_from_and_is_not_lied_to() {
    let relayed = Relayed::called_by(with_token(), |route| route.forwarded = true);
    let call = asked(&relayed, "/v1/chat", &FORWARDED);
    assert_eq!(call.header("x-forwarded-for"), Some("192.0.2.7"));
    assert_eq!(call.header("x-forwarded-proto"), Some("http"));
    assert_eq!(call.header("x-forwarded-host"), Some("localhost"));
    for (name, _) in &FORWARDED[3..] {
        assert_eq!(call.header(name), None, "{name}");
    }
    let relayed = Relayed::called_by(by_proxy(), |route| route.forwarded = true);
    let call = asked(&relayed, "/v1/chat", &FORWARDED);
    assert_eq!(call.header("x-forwarded-for"), Some("192.0.2.1, 10.0.0.1"));
    for (name, value) in &FORWARDED[1..6] {
        assert_eq!(call.header(name), Some(*value), "{name}");
    }
    for (name, _) in &FORWARDED[6..] {
        assert_eq!(call.header(name), None, "{name}: the proxy may not know it");
    }
}

/// The answer to a request with an idempotency key, which the upstream begins if it is asked.
fn keyed(relayed: &Relayed, target: &str, headers: &[(&str, &str)]) -> (Reader, Option<Call>) {
    let headers = [
        &[("Idempotency-Key", "k"), ("Accept", "text/event-stream")],
        headers,
    ]
    .concat();
    scope(|scope| {
        let reader = scope.spawn(|| {
            let mut client = relayed.server.connect();
            client.send(request("POST", target, &headers, "{}"));
            client.reader()
        });
        let mut call = relayed
            .upstream
            .call_within(std::time::Duration::from_millis(500));
        if let Some(call) = &mut call {
            call.stream();
            call.event("1");
        }
        (reader.join().unwrap(), call)
    })
}

#[test]
fn a_key_belongs_to_all_credentials_that_came_with_it() {
    let relayed = Relayed::with(|route| route.pass_cookies = true);
    let mut running = Vec::new();
    let mut names = Vec::new();
    for (query, header) in [
        ("", Some(("Authorization", "Bearer a"))),
        ("", Some(("Authorization", "Bearer b"))),
        ("", Some(("X-Goog-Api-Key", "a"))),
        ("?key=a", None),
        ("?key=b", None),
        ("?access%5Ftoken=a", None),
        ("", Some(("Cookie", "session=a"))),
        ("", Some(("Cookie", "session=b"))),
    ] {
        let target = format!("/v1/chat{query}");
        let headers: Vec<_> = header.into_iter().collect();
        let (first, call) = keyed(&relayed, &target, &headers);
        running.push(call.expect("another caller's answer"));
        let (again, call) = keyed(&relayed, &target, &headers);
        assert!(call.is_none(), "asked twice for {query} {header:?}");
        assert_eq!(stream_of(&again), stream_of(&first));
        assert!(!names.contains(&stream_of(&first)), "{query} {header:?}");
        names.push(stream_of(&first));
    }
    // Without anything that tells callers apart, nobody has the key.
    for _ in 0..2 {
        running.push(keyed(&relayed, "/v1/chat", &[]).1.expect("a stranger's answer"));
    }
}

#[test]
fn where_the_key_is_ours_idempotency_keys_belong_to_the_token() {
    let relayed = Relayed::called_by(with_token(), with_our_key);
    // As the guard leaves it: its token is taken out of the request.
    let (first, call) = keyed(&relayed, "/v1/chat", &[]);
    let _call = call.unwrap();
    let (again, call) = keyed(&relayed, "/v1/chat", &[]);
    assert!(call.is_none());
    assert_eq!(stream_of(&again), stream_of(&first));
}
