//! What README.md and docs/clients.md show is the example of the crate's text, which is compiled.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

use std::fs;

fn file(path: &str) -> String {
    fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn the_ten_lines_that_are_shown_are_compiled() {
    let compiled = file("src/lib.rs").replace("//! ", "");
    for shown in ["../../README.md", "../../docs/clients.md"] {
        let text = file(shown);
        let begin = text.find("let mut answer = ").expect("an example");
        let example = text[begin..].split("```").next().unwrap();
        assert!(example.lines().count() >= 10, "{shown}");
        assert!(
            compiled.contains(example),
            "{shown} shows something else:\n{example}"
        );
    }
}
