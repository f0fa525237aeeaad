//! What the head of a response can have wrong.

use crate::case::{Case, case};
use crate::faults::{HEALTHY, answer, event, stream, with, with_head};

fn head(lines: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{lines}\r\n")
}

const TYPE: &str = "Content-Type: text/event-stream";
const CACHE: &str = "Cache-Control: no-cache";

pub(crate) fn cases() -> Vec<Case> {
    let page = "Content-Type: text/html\r\nCache-Control: no-store";
    vec![
        case("a_404_is_an_error", &["status"], |_| {
            answer("404 Not Found", "nothing here")
        }),
        case("a_401_is_an_error", &["status"], |_| {
            answer("401 Unauthorized", "who?")
        }),
        case("a_500_is_an_error", &["status"], |_| answer("500 Oops", "")),
        case("a_204_is_a_warning", &["status?"], |_| {
            with_head("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n").finish()
        }),
        case("json_is_no_stream", &["type"], |_| {
            with_head(&head("Content-Type: application/json\r\nCache-Control: no-store"))
                .send("{}")
                .finish()
        }),
        case("a_page_is_no_stream", &["type"], move |_| {
            with_head(&head(page)).send("<!doctype html>").finish()
        }),
        case("a_stream_of_another_type_is_no_stream", &["type"], |_| {
            with_head(&head("Content-Type: text/plain\r\nCache-Control: no-store")).send(event(1))
        }),
        case("no_type_is_no_stream", &["type"], |_| {
            with_head(&head(CACHE)).send(event(1))
        }),
        case("another_charset_is_an_error", &["charset"], |_| {
            with_head(&head(&format!("{TYPE}; charset=ISO-8859-1\r\n{CACHE}"))).send(event(1))
        }),
        case("a_charset_in_capitals_is_fine", &[], |_| {
            with_head(&head(
                &format!("Text/Event-Stream; a=b; charset=\"UTF-8\"\r\n{CACHE}")
                    .replace("Text/", "Content-Type: Text/"),
            ))
            .send(event(1))
        }),
        case("an_answer_from_a_cache_is_an_error", &["cached"], |_| {
            with("Age: 5").send(event(1))
        }),
        case("a_cache_that_says_hit_is_an_error", &["cached"], |_| {
            with("X-Cache: Hit from edge").send(event(1))
        }),
        case("a_cache_that_says_miss_is_fine", &[], |_| {
            with("X-Cache: MISS\r\nAge: 0").send(event(1))
        }),
        case("what_caches_may_keep_is_a_warning", &["cacheable?"], |_| {
            with_head(&head(&format!("{TYPE}\r\nCache-Control: public, max-age=60"))).send(event(1))
        }),
        case("max_age_0_is_no_warning", &[], |_| {
            with_head(&head(&format!("{TYPE}\r\nCache-Control: max-age=0"))).send(event(1))
        }),
        case("no_cache_control_is_a_note", &[], |_| {
            with_head(&head(TYPE)).send(event(1))
        })
        .also(&["cacheable!", "x-accel-buffering!", "six-connections!"]),
        case(
            "x_accel_buffering_that_is_not_no_is_a_warning",
            &["x-accel-buffering?"],
            |_| with_head(&head(&format!("{TYPE}\r\n{CACHE}\r\nX-Accel-Buffering: yes"))).send(event(1)),
        ),
        case("a_known_length_is_a_warning", &["content-length?"], |_| {
            with_head(&format!("{HEALTHY}Content-Length: 900\r\n")).send(event(1))
        }),
        case("http_1_0_is_a_warning", &["http-1.0?"], |_| {
            with_head(&HEALTHY.replace("HTTP/1.1", "HTTP/1.0")).send(event(1))
        }),
        case("a_redirect_is_a_note", &[], |request| {
            match request.target.as_str() {
                "/y" => stream().send(event(1)),
                _ => with_head("HTTP/1.1 307 Temporary Redirect\r\nLocation: /y\r\nContent-Length: 0\r\n")
                    .finish(),
            }
        })
        .also(&["redirect!"]),
        case("endless_redirects_are_an_error", &["unreachable"], |_| {
            with_head("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n").finish()
        }),
        case("an_answer_without_a_head_is_an_error", &["no-head"], |_| {
            stream().late_head().wait(60_000)
        })
        .wait("1s"),
        case(
            "a_head_that_comes_with_the_first_event_is_a_warning",
            &["late-head?"],
            |_| stream().late_head().wait(1300).send(event(1)),
        ),
    ]
}
