//! Servers that nothing is wrong with.

use libtest_mimic::Trial;

use crate::case::{Case, case, doctor, tidewire_with};
use crate::faults::{event, next, stream};
use crate::support::serve::Serve;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("a_slow_quiet_stream_is_not_buffered", &[], |request| {
            let begin = next(request);
            (begin..=3).fold(stream().send(":\n"), |reply, number| {
                reply.send(event(number)).wait(2500).send(":\n")
            })
        })
        .wait("8s"),
        case("a_fast_stream_is_not_buffered", &[], |request| {
            let begin = next(request);
            stream().events(begin..=begin + 200, 5)
        })
        .also(&["flow", "framing", "ids", "resume"]),
    ]
}

pub(crate) fn trials() -> Vec<Trial> {
    let quiet = || {
        let server = tidewire_with(&["--heartbeat", "1s"]);
        let report = doctor(&format!("{}/events/x", server.url), &["--wait", "4s"]);
        report.is(&[]);
        report.has(&["status", "type", "caching", "x-accel-buffering", "heartbeat"]);
        assert_eq!(report.json["summary"]["end"], "open");
        Ok(())
    };
    let with_events = || {
        let server = tidewire_with(&["--heartbeat", "1s"]);
        assert_eq!(server.publish(&["x", "-"], "one\ntwo\nthree\n").code, Some(0));
        let url = format!("{}/events/x?last=3", server.url);
        let report = doctor(&url, &["--wait", "4s"]);
        report.is(&[]);
        report.has(&["ids", "resume", "framing", "heartbeat"]);
        assert_eq!(report.json["summary"]["events"], 3);
        Ok(())
    };
    let ended = || {
        let server = Serve::start();
        assert_eq!(server.publish(&["x", "-", "--end"], "one\ntwo\n").code, Some(0));
        let report = doctor(&format!("{}/events/x", server.url), &["--wait", "4s"]);
        report.is(&[]);
        report.has(&["end", "resume"]);
        Ok(())
    };
    let crossed = || {
        let origin = "https://app.example.com";
        let server = tidewire_with(&["--cors-origin", origin]);
        let url = format!("{}/events/x", server.url);
        let report = doctor(&url, &["--wait", "1s", "--origin", origin]);
        report.is(&[]);
        report.has(&["cors", "preflight"]);
        let report = doctor(&url, &["--wait", "1s", "--origin", "https://elsewhere.example"]);
        report.is(&["cors", "preflight?"]);
        Ok(())
    };
    vec![
        Trial::test("tidewire_is_healthy_when_it_is_quiet", quiet),
        Trial::test("tidewire_is_healthy_with_events", with_events),
        Trial::test("tidewire_is_healthy_when_a_stream_ends", ended),
        Trial::test("tidewire_lets_pages_in_as_it_is_told", crossed),
    ]
}
