//! One fault, and what the doctor is to say.

use libtest_mimic::Trial;
use serde_json::Value;

use crate::faults::{Reply, Request, Server};
use crate::support::process::{Run, tidewire};
use crate::support::serve::Serve;

/// A server, a command line, and the findings.
pub(crate) struct Case {
    name: &'static str,
    reply: Box<dyn Fn(&Request) -> Reply + Send + Sync>,
    args: Vec<&'static str>,
    found: Vec<&'static str>,
    also: Vec<&'static str>,
}

/// A case whose server gives every request this reply. Everything above a note is to be named.
pub(crate) fn case(
    name: &'static str,
    found: &[&'static str],
    reply: impl Fn(&Request) -> Reply + Send + Sync + 'static,
) -> Case {
    Case {
        name,
        reply: Box::new(reply),
        args: vec!["--wait", "3s"],
        found: found.to_vec(),
        also: Vec::new(),
    }
}

impl Case {
    pub(crate) fn args(mut self, args: &[&'static str]) -> Self {
        self.args.extend_from_slice(args);
        self
    }

    /// Looks for another time than 3 s.
    pub(crate) fn wait(mut self, wait: &'static str) -> Self {
        self.args[1] = wait;
        self
    }

    /// Notes, or what is fine, that are to be there too; others may be.
    pub(crate) fn also(mut self, also: &[&'static str]) -> Self {
        self.also.extend_from_slice(also);
        self
    }

    /// The codes that it expects, except what is fine.
    pub(crate) fn codes(&self) -> impl Iterator<Item = &str> {
        let found = self.found.iter().map(|code| code.trim_end_matches('?'));
        found.chain(self.also.iter().filter_map(|code| code.strip_suffix('!')))
    }

    pub(crate) fn into_trial(self) -> Trial {
        Trial::test(self.name, move || {
            let server = Server::start(self.reply);
            let report = doctor(&format!("{}/x", server.url), &self.args);
            report.is(&self.found);
            report.has(&self.also);
            Ok(())
        })
    }
}

/// What `tidewire doctor --json` said.
pub(crate) struct Report {
    pub(crate) json: Value,
    pub(crate) run: Run,
}

/// Tidewire itself, with these settings.
pub(crate) fn tidewire_with(settings: &[&str]) -> Serve {
    Serve::start_with(&[&["serve", "--listen", "127.0.0.1:0", "--log", "off"], settings].concat())
}

pub(crate) fn doctor(url: &str, args: &[&str]) -> Report {
    let run = tidewire([&["doctor", url, "--json"], args].concat()).run();
    let json = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"));
    Report { json, run }
}

impl Report {
    fn findings(&self) -> impl Iterator<Item = (&str, &str)> {
        let findings = self.json["findings"].as_array().unwrap().iter();
        findings.map(|finding| {
            (
                finding["severity"].as_str().unwrap(),
                finding["code"].as_str().unwrap(),
            )
        })
    }

    /// Each is `code` for an error, `code?` for a warning; there is nothing else above a note.
    pub(crate) fn is(&self, expected: &[&str]) {
        let found = self.findings().filter_map(|(severity, code)| match severity {
            "error" => Some(code.to_owned()),
            "warning" => Some(format!("{code}?")),
            _ => None,
        });
        let mut found: Vec<_> = found.collect();
        let mut expected = expected.to_vec();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{:#}", self.json);
        let code = match found.iter().map(|code| code.ends_with('?')).min() {
            None => 0,
            Some(false) => 1,
            Some(true) => 3,
        };
        assert_eq!(self.run.code, Some(code), "{:?}", self.run);
    }

    /// Each is there as `code!` (a note) or `code` (fine).
    pub(crate) fn has(&self, expected: &[&str]) {
        for expected in expected {
            let is_there = match expected.strip_suffix('!') {
                Some(code) => self.findings().any(|finding| finding == ("note", code)),
                None => self.findings().any(|finding| finding == ("fine", expected)),
            };
            assert!(is_there, "{expected} is missing: {:#}", self.json);
        }
    }
}
