//! `tidewire pub` and `tidewire tail` with a token.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]
#![allow(unreachable_pub, reason = "nobody can reach into a test anyway")]

mod support;

use support::process::tidewire;
use support::serve::Serve;
use support::server::{Answer, Server};

fn guarded() -> Serve {
    let args = ["serve", "--listen", "127.0.0.1:0", "--log", "off"];
    let tokens = ["--publish-token", "can-publish", "--read-token", "can-read"];
    Serve::start_with(&[&args[..], &tokens].concat())
}

#[test]
fn a_token_lets_them_in_and_its_lack_is_explained() {
    let server = guarded();
    let run = server.command(&["pub", "a", "1"]).run();
    assert_eq!(run.code, Some(1));
    assert!(
        run.stderr.contains("401") && run.stderr.contains("needs a publish token"),
        "{}",
        run.stderr
    );
    let run = server.command(&["pub", "a", "1", "--token", "can-read"]).run();
    assert!(run.stderr.contains("403"), "{}", run.stderr);
    let run = server.command(&["tail", "a"]).env("TIDEWIRE_TOKEN", "slip").run();
    assert_eq!(run.code, Some(1), "a wrong token is final");
    assert!(
        run.stderr.contains("401") && !run.stderr.contains("slip\n"),
        "{}",
        run.stderr
    );

    let run = server
        .command(&["pub", "a", "1", "--end", "--token", "can-publish"])
        .run();
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let run = server
        .command(&["tail", "a", "--from", "earliest", "--json"])
        .env("TIDEWIRE_TOKEN", "can-read")
        .run();
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stdout.contains("\"1\""), "{}", run.stdout);
}

#[test]
fn the_token_of_the_environment_goes_to_the_server_only() {
    let asked = |args: &[&str], url: &dyn Fn(&Server) -> String, home: &dyn Fn(&Server) -> String| {
        let stranger = Server::start([Answer::no_content()]);
        let run = tidewire([&["tail", &*url(&stranger)], args].concat())
            .env("TIDEWIRE_URL", &home(&stranger))
            .env("TIDEWIRE_TOKEN", "from-environment")
            .run();
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        stranger.requests()[0].header("authorization").map(str::to_owned)
    };
    let topic = |_: &Server| "a".to_owned();
    let url = |server: &Server| format!("{}/any/stream", server.url);
    let itself = |server: &Server| server.url.clone();
    let elsewhere = |_: &Server| "http://127.0.0.1:1".to_owned();
    let bearer = |token: &str| Some(format!("Bearer {token}"));
    assert_eq!(asked(&[], &topic, &itself), bearer("from-environment"));
    assert_eq!(asked(&[], &url, &itself), bearer("from-environment"));
    assert_eq!(asked(&[], &url, &elsewhere), None);
    assert_eq!(asked(&["--token", "said"], &url, &elsewhere), bearer("said"));
    assert_eq!(
        asked(&["--token", "said"], &topic, &itself),
        bearer("said"),
        "the flag wins"
    );
}

#[test]
fn a_token_that_no_header_can_carry_is_refused_unquoted() {
    let run = tidewire(["pub", "a", "1", "--token", "hush\nhush"]).run();
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(
        run.stderr.contains("no header can carry") && !run.stderr.contains("hush"),
        "{}",
        run.stderr
    );
}
