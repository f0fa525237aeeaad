//! `docs/recipes.md` works as printed: every snippet in it is run against the real server.
//!
//! A fenced block `` ```python recipe=NAME `` is a test. Its output has to be that of the block
//! `` ```text expected=NAME ``, ids and `retry` lines of 1000 to 1500 apart. More words of the first line:
//!
//! | word | means |
//! |---|---|
//! | `after=A,B` | the shell recipes A and B are run before |
//! | `meanwhile=A,B` | they are run once this one reads a stream (or has been cut) |
//! | `cut` | its connection is cut when it has printed its first line |
//! | `endless` | it does not end by itself; what it is to print comes, and that is enough |
//! | `server=NAME` | the server is started as the block `` ```sh serve=NAME `` says |
//! | `page` | is also run in a page (`web/browser/recipes.test.js`); `page-only` is run only there |
//!
//! The same recipe in several languages has one expected output, and has to leave the same events behind.
//!
//! | open | for |
//! |---|---|
//! | `bounds` | the bounds that `docs/security.md` lists |
//! | [`document`] | the blocks of a document |
//! | `proxied` | the reverse proxies of `docs/security.md` |
//! | [`proxy`] | the network between snippet and server, which can be cut |
//! | [`snippet`] | one run of a block |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod bounds;
mod document;
mod proxied;
mod proxy;
mod snippet;
#[path = "../support/mod.rs"]
mod support;

use document::{Block, Document};
use libtest_mimic::{Arguments, Trial};
use proxy::Proxy;
use snippet::{Snippet, interpreter, is_missing};
use support::{process::tidewire, serve::Serve};

/// The languages of snippets. Blocks of any other are not run.
const LANGUAGES: [&str; 4] = ["sh", "js", "python", "go"];
/// Needed by nothing else here, so that it may be missing.
const OPTIONAL: &str = "go";

fn main() {
    let document: &'static Document = Box::leak(Box::new(Document::read("recipes.md")));
    let mut trials = vec![Trial::test(
        "every_snippet_is_run_or_shows_what_one_prints",
        || {
            every_block_has_a_purpose(document);
            Ok(())
        },
    )];
    for block in document.blocks() {
        let Some(name) = block.word("recipe") else {
            continue;
        };
        if block.has("page-only") {
            continue;
        }
        let is_ignored = block.language == OPTIONAL && is_missing(interpreter(&block.language));
        let name = format!("{name}_in_{}", block.language);
        let trial = Trial::test(name, move || {
            run(document, block);
            Ok(())
        });
        trials.push(trial.with_ignored_flag(is_ignored));
    }
    trials.push(bounds::trial());
    trials.extend(proxied::trials());
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn every_block_has_a_purpose(document: &Document) {
    for block in document.blocks() {
        let line = block.line;
        let is_recipe = block.has("recipe");
        let is_snippet = LANGUAGES.contains(&block.language.as_str());
        assert!(
            !is_snippet || is_recipe || block.has("serve"),
            "line {line}: nothing runs this"
        );
        assert!(
            !is_recipe || document.expected(block).is_some(),
            "line {line}: nothing says what this prints"
        );
        if let Some(name) = block.word("expected") {
            let mut recipes = document.blocks().iter().filter_map(|block| block.word("recipe"));
            assert!(
                recipes.any(|recipe| recipe == name),
                "line {line}: nothing prints this"
            );
        }
    }
}

/// Runs a recipe, and looks at what it printed and left behind.
fn run(document: &Document, block: &Block) {
    let (server, printed) = carry_out(document, block);
    let expected = document.expected(block).expect("what it prints");
    let (printed, expected) = (comparable(&printed), comparable(&expected.text));
    assert_eq!(printed, expected, "line {}", block.line);
    if block.language != "sh"
        && let Some(shell) = document.in_shell(block.word("recipe").unwrap())
    {
        let (model, _) = carry_out(document, shell);
        assert_eq!(left_behind(&server), left_behind(&model), "line {}", block.line);
    }
}

fn carry_out(document: &Document, block: &Block) -> (Serve, String) {
    let server = start(document, block);
    for name in block.list("after") {
        Snippet::start(document.in_shell(name).unwrap(), server.address()).finish();
    }
    let mut network = Proxy::before(server.address());
    let mut snippet = Snippet::start(block, network.address());
    if block.has("cut") {
        snippet.wait_for_lines(1);
        network.cut();
    } else if block.has("meanwhile") {
        network.wait_for_answer();
    }
    for name in block.list("meanwhile") {
        Snippet::start(document.in_shell(name).unwrap(), server.address()).finish();
    }
    let printed = match block.has("endless") {
        false => snippet.finish(),
        true => {
            let expected = document.expected(block).expect("what an endless recipe prints");
            let printed = snippet.wait_for_lines(expected.text.lines().count());
            network.close();
            printed
        }
    };
    (server, printed.replace(network.address(), document::ADDRESS))
}

/// The server that a recipe wants, on a free port. Blocks that start one set variables before the command.
fn start(document: &Document, block: &Block) -> Serve {
    let mut command = tidewire(["serve", "--listen", "127.0.0.1:0", "--log", "off"]);
    if let Some(name) = block.word("server") {
        let script = document.server(name).text.replace("\\\n", " ");
        let (variables, _) = script
            .split_once("cargo run --release\n")
            .expect("how a server is started");
        for variable in variables.split_whitespace() {
            let (name, value) = variable.split_once('=').expect("a variable");
            command = command.env(name, value);
        }
    }
    Serve::start_as(command)
}

/// All events that the recipes' topics hold, as a stream.
fn left_behind(server: &Serve) -> String {
    let topics = document::TOPICS.map(|topic| format!("topic={topic}")).join("&");
    let script = format!(
        "curl -s -o /dev/null -X POST 'http://{0}/events?{topics}&end=true'\n\
         curl -s 'http://{0}/events?{topics}&show=topic&last_event_id=earliest'\n",
        document::ADDRESS
    );
    let block = Block::shell(&script);
    comparable(&Snippet::start(&block, server.address()).finish())
}

/// A text without what differs from run to run: the server's ids, and the times after which to come again.
fn comparable(text: &str) -> String {
    let is_time = |time: &str| time.parse().is_ok_and(|time: u64| (1000..=1500).contains(&time));
    let lines = without_ids(text);
    let lines = lines.lines().map(|line| match line.strip_prefix("retry: ") {
        Some(time) if is_time(time) => "retry: 1000 and up to half as much more",
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A text in which the server's ids have become `~1`, `~2` … in the order in which they first appear.
fn without_ids(text: &str) -> String {
    let mut seen: Vec<&str> = Vec::new();
    let mut out = String::new();
    let mut rest = text.trim_end();
    while let Some(at) = rest.find('~') {
        let (before, from) = rest.split_at(at);
        let end = from.find(|char: char| !char.is_ascii_alphanumeric() && !"~-".contains(char));
        let (id, after) = from.split_at(end.unwrap_or(from.len()));
        let number = seen.iter().position(|known| *known == id).unwrap_or_else(|| {
            seen.push(id);
            seen.len() - 1
        });
        out += &format!("{before}~{}", number + 1);
        rest = after;
    }
    out + rest
}
