//! What the upstream's answers may do in a browser, where they are documents of the server's own origin.

use tidewire_relay::{Route, config::Content};

use super::Relayed;
use crate::client::{Head, Reader};

/// The head of what the client gets for an answer with these headers.
fn passed(relayed: &Relayed, status: &str, headers: &str) -> Head {
    let answered = relayed.answered(|call| call.answer(status, headers, "<script>"));
    assert!(answered.head.status < 500);
    answered.head
}

fn cookies(head: &Head) -> Vec<&str> {
    let all = head.headers.iter().filter(|(name, _)| name == "set-cookie");
    all.map(|(_, value)| value.as_str()).collect()
}

const CSP: &str = "content-security-policy";

#[test]
fn a_document_of_an_upstream_is_shown_in_a_sandbox() {
    let relayed = Relayed::open();
    let own = "Content-Security-Policy: default-src *\r\nX-Content-Type-Options: sniff\r\n";
    for types in [
        "Content-Type: text/html\r\n",
        "Content-Type: TEXT/HTML ; charset=utf-8\r\n",
        "Content-Type: application/xhtml+xml\r\n",
        "Content-Type: image/svg+xml\r\n",
        "Content-Type: text/xml\r\n",
        "Content-Type: application/xml\r\n",
        "Content-Type: application/rss+xml;a=b\r\n",
        "Content-Type: application/pdf\r\n",
        "Content-Type: multipart/x-mixed-replace\r\n",
        "Content-Type: application/x-new\r\n",
        "Content-Type: text/html;application/json\r\n",
        "Content-Type: application/json, text/html\r\n",
        "Content-Type: application/json; a=\", text/html\"\r\n",
        "Content-Type: application/json\r\nContent-Type: text/html\r\n",
        "Content-Type: application/json\r\nConnection: content-type\r\n",
        "Content-Type: image/\r\n",
        "Content-Type: html\r\n",
        "Content-Type: */*\r\n",
        "Content-Type: \r\n",
        // Browsers that read a type up to its first space or parenthesis.
        "Content-Type: text/html json\r\n",
        "Content-Type: text/html (json\r\n",
        "Content-Type: text/html\tjson\r\n",
        "Content-Type: application/xhtml+xml json\r\n",
        "Content-Type: image/svg+xml x\r\n",
        "Content-Type: image/svg+xml(x)\r\n",
        "Content-Type: image/png text/html\r\n",
        "Content-Type: text/html/json\r\n",
        "",
    ] {
        for status in ["200 OK", "404 Not Found", "503 Sorry"] {
            let head = relayed
                .answered(|call| call.answer(status, &format!("{types}{own}"), "<script>"))
                .head;
            assert_eq!(head.get(CSP), Some("sandbox"), "{types}");
            assert_eq!(head.get("x-content-type-options"), Some("nosniff"), "{types}");
        }
    }
    for plain in [
        "application/json",
        "application/problem+json; charset=utf-8",
        "application/x-ndjson",
        "text/plain",
        "image/png",
        "audio/mpeg",
        "application/octet-stream",
    ] {
        let head = passed(&relayed, "200 OK", &format!("Content-Type: {plain}\r\n{own}"));
        assert_eq!(head.get("content-type"), Some(plain));
        assert_eq!(head.get(CSP), Some("default-src *"), "{plain}");
        assert_eq!(head.get("x-content-type-options"), Some("nosniff"), "{plain}");
    }
}

/// Headers that change what a browser does with other answers of the same origin.
const OF_AN_ORIGIN: &str = "Service-Worker-Allowed: /\r\nRefresh: 0;url=/events\r\nClear-Site-Data: \"*\"\r\n\
                            Strict-Transport-Security: max-age=99999999\r\nTiming-Allow-Origin: *\r\n\
                            Accept-CH: Sec-CH-UA\r\nUse-As-Dictionary: match=\"/*\"\r\n";
/// Headers that tell a proxy in front of the server what to do: send a file of its own, ask elsewhere, keep the answer.
const FOR_PROXIES: &str = "X-Accel-Redirect: /internal/secret\r\nX-Accel-Expires: 3600\r\nX-Accel-Buffering: yes\r\n\
                           X-Sendfile: /etc/passwd\r\nX-Lighttpd-Send-File: /etc/passwd\r\n\
                           X-LiteSpeed-Location: /x\r\nX-Reproxy-URL: http://127.0.0.1/\r\n\
                           Surrogate-Control: max-age=9\r\nCDN-Cache-Control: max-age=9\r\n\
                           Vercel-CDN-Cache-Control: max-age=9\r\n";
const CORS: &str = "Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Credentials: true\r\n";
const COOKIES: &str = "Set-Cookie: tidewire_token=evil; Path=/\r\nSet-Cookie: __Host-tidewire=evil; Secure; Path=/\r\n\
                       Set-Cookie:  __Secure-tidewire =evil\r\nSet-Cookie: =tidewire_token=evil\r\n\
                       Set-Cookie: = =tidewire_token=evil\r\nSet-Cookie: tidewire_token\r\nSet-Cookie: own=1; Path=/\r\n\
                       Set-Cookie: wide=1; domain=example.com\r\n";

fn names(headers: &str) -> Vec<String> {
    let lines = headers.lines().filter_map(|line| line.split_once(':'));
    lines.map(|(name, _)| name.to_ascii_lowercase()).collect()
}

#[test]
fn an_answer_says_nothing_of_its_origin_and_sets_no_cookie_of_ours() {
    let relayed = Relayed::open();
    let headers = [OF_AN_ORIGIN, FOR_PROXIES, CORS, COOKIES].concat();
    let is_clean = |head: &Head| {
        for name in [names(OF_AN_ORIGIN), names(FOR_PROXIES), names(CORS)].concat() {
            let ours = (name == "x-accel-buffering").then_some("no");
            assert!([None, ours].contains(&head.get(&name)), "{name}");
        }
        // It gets no cookies either, so it could only lie to another route, or to an app of the same site.
        assert_eq!(cookies(head), [""; 0]);
        assert_eq!(head.get("x-content-type-options"), Some("nosniff"));
    };
    is_clean(&passed(&relayed, "200 OK", &headers));
    is_clean(&passed(&relayed, "404 Not Found", &headers));
    // One that has become a stream.
    let reader: Reader = relayed.answered(|mut call| {
        call.stream_with(&headers);
        call.event("1");
        call.end();
    });
    assert!(reader.head.get("tidewire-stream").is_some());
    is_clean(&reader.head);
}

#[test]
fn a_challenge_that_makes_a_browser_ask_for_a_password_does_not_pass() {
    let relayed = Relayed::open();
    for challenge in [
        "Basic realm=\"Tidewire\"",
        "NTLM",
        "Negotiate",
        "Bearer, basic realm=x",
        "digest realm=x",
    ] {
        let head = passed(&relayed, "401 No", &format!("WWW-Authenticate: {challenge}\r\n"));
        assert_eq!(
            (head.status, head.get("www-authenticate")),
            (401, None),
            "{challenge}"
        );
    }
    let bearer = "Bearer realm=\"OpenAI API\"";
    let head = passed(&relayed, "401 No", &format!("WWW-Authenticate: {bearer}\r\n"));
    assert_eq!(head.get("www-authenticate"), Some(bearer));
}

#[test]
fn documents_of_ones_own_app_are_as_they_are_but_for_our_cookies() {
    let relayed = Relayed::with(|route: &mut Route| route.content = Content::App);
    let own = "Content-Type: text/html\r\nContent-Security-Policy: default-src 'self'\r\nWWW-Authenticate: Basic realm=x\r\n";
    let all = [own, OF_AN_ORIGIN, FOR_PROXIES, CORS, COOKIES].concat();
    let head = passed(&relayed, "200 OK", &all);
    assert_eq!(head.get(CSP), Some("default-src 'self'"));
    for name in [names(OF_AN_ORIGIN), names(FOR_PROXIES)].concat() {
        assert!(head.get(&name).is_some(), "{name}");
    }
    assert!(head.get("www-authenticate").is_some());
    for name in names(CORS) {
        assert_eq!(head.get(&name), None, "{name}");
    }
    assert_eq!(cookies(&head), ["own=1; Path=/", "wide=1; domain=example.com"]);
}

#[test]
fn an_upstream_that_gets_cookies_sets_its_own() {
    let relayed = Relayed::with(|route: &mut Route| route.pass_cookies = true);
    let own = ["own=1; Path=/", "wide=1; domain=example.com"];
    assert_eq!(cookies(&passed(&relayed, "200 OK", COOKIES)), own);
    let reader = relayed.answered(|mut call| {
        call.stream_with(COOKIES);
        call.event("1");
        call.end();
    });
    assert_eq!(cookies(&reader.head), own);
    // They are for the one who asked.
    let place = reader.head.get("tidewire-stream").unwrap().to_owned();
    reader.rest();
    assert_eq!(cookies(&relayed.get(&place, &[]).head), [""; 0]);
}

#[test]
fn an_upstream_switches_to_no_other_protocol() {
    let relayed = Relayed::open();
    let answered =
        relayed.answered(|call| call.answer("101 Switching Protocols", "Upgrade: websocket\r\n", ""));
    assert_eq!(answered.head.status, 502);
}
