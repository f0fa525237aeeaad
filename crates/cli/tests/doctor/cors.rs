//! What pages of another origin may do.

use crate::case::{Case, case};
use crate::faults::{Reply, Request, event, stream, with, with_head};

const PAGE: &[&str] = &["--origin", "https://app.example.com"];
const OURS: &str = "Access-Control-Allow-Origin: https://app.example.com\r\nVary: Origin";
const HEADERS: &str = "Access-Control-Allow-Headers: Last-Event-ID, Authorization";

/// A stream with these lines in its head, and another answer to a preflight.
fn cors(request: &Request, lines: &str, status: &str, preflight: &str) -> Reply {
    match request.method.as_str() {
        "OPTIONS" => {
            let head = format!("HTTP/1.1 {status}\r\n{preflight}\r\nContent-Length: 0\r\n");
            with_head(&head).finish()
        }
        _ => with(lines).send(event(1)),
    }
}

fn allowed(request: &Request, lines: &str) -> Reply {
    cors(request, lines, "204 No Content", &format!("{OURS}\r\n{HEADERS}"))
}

pub(crate) fn cases() -> Vec<Case> {
    let page = |name, found: &[&'static str], reply: fn(&Request) -> Reply| {
        case(name, found, reply).wait("1s").args(PAGE)
    };
    vec![
        page("an_origin_that_is_allowed_is_fine", &[], |request| {
            allowed(request, OURS)
        })
        .also(&["cors", "preflight"]),
        page("any_origin_is_fine", &[], |request| {
            allowed(request, "Access-Control-Allow-Origin: *")
        })
        .also(&["cors"]),
        page("no_allowed_origin_is_an_error", &["cors"], |request| {
            allowed(request, "X-Nothing: 1")
        }),
        page("another_allowed_origin_is_an_error", &["cors"], |request| {
            allowed(
                request,
                "Access-Control-Allow-Origin: https://app.example.com.evil",
            )
        }),
        page(
            "any_origin_with_credentials_is_a_warning",
            &["cors-credentials?"],
            |request| {
                allowed(
                    request,
                    "Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Credentials: true",
                )
            },
        ),
        page("one_origin_without_vary_is_a_note", &[], |request| {
            allowed(request, "Access-Control-Allow-Origin: https://app.example.com")
        })
        .also(&["cors-vary!"]),
        page(
            "a_preflight_that_fails_is_a_warning",
            &["preflight?"],
            |request| cors(request, OURS, "405 No", OURS),
        ),
        page(
            "a_preflight_that_lacks_a_header_is_a_warning",
            &["preflight?"],
            |request| {
                cors(
                    request,
                    OURS,
                    "204 No Content",
                    &format!("{OURS}\r\nAccess-Control-Allow-Headers: *"),
                )
            },
        ),
        page(
            "a_preflight_that_must_pass_is_an_error",
            &["preflight"],
            |request| cors(request, OURS, "405 No", OURS),
        )
        .args(&["-H", "Authorization: Bearer x"]),
        page(
            "a_preflight_that_hangs_is_a_warning",
            &["preflight?"],
            |request| match request.method.as_str() {
                "OPTIONS" => stream().late_head().wait(60_000),
                _ => with(OURS).send(event(1)),
            },
        ),
    ]
}
