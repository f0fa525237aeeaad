//! `docs/security.md` lists every bound with the default that the binary has.

use std::collections::BTreeMap;

use libtest_mimic::Trial;

use crate::support::process::tidewire;

/// Sections of the settings in which everything is a bound, and bounds in others.
const SECTIONS: [&str; 2] = ["limits", "timeouts"];
const OTHERS: [&str; 5] = [
    "heartbeat",
    "archive.max_bytes",
    "archive.max_events",
    "archive.max_age",
    "archive.relay_percent",
];

pub(crate) fn trial() -> Trial {
    Trial::test("every_bound_is_documented_with_its_default", || {
        let (documented, settings) = (documented(), settings());
        for (name, default) in &settings {
            let said = documented.get(name);
            let said =
                said.unwrap_or_else(|| panic!("docs/security.md has no row for {name} (default {default})"));
            assert_eq!(said, default, "the default of {name} in docs/security.md");
        }
        for name in documented.keys() {
            assert!(settings.contains_key(name), "there is no setting {name}");
        }
        Ok(())
    })
}

/// Of the rows `` | `name` | default | … ``: names and defaults.
fn documented() -> BTreeMap<String, String> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/security.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().skip_while(|line| *line != "## Bounds");
    let rows = rows.filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    rows.map(|(name, rest)| (name.to_owned(), plain(rest.split('|').next().unwrap())))
        .collect()
}

/// The defaults that `tidewire config` prints: `#name = "value"`, `#name =` where there is none.
fn settings() -> BTreeMap<String, String> {
    let mut section = String::new();
    let mut found = BTreeMap::new();
    for line in tidewire(["config"]).run().stdout.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned() + ".";
        }
        let setting = line.strip_prefix('#').filter(|line| !line.starts_with(' '));
        let Some((name, default)) = setting.and_then(|line| line.split_once('=')) else {
            continue;
        };
        let name = format!("{section}{}", name.trim());
        let is_bound = SECTIONS.iter().any(|in_it| section == format!("{in_it}."));
        if is_bound || OTHERS.contains(&name.as_str()) {
            let default = if default.trim().is_empty() {
                "unset"
            } else {
                default
            };
            found.insert(name, plain(default));
        }
    }
    assert!(found.len() > 15, "{found:?}");
    found
}

/// `"1MiB"` and `1 MiB` are the same, as are `unset` and `unset: 1,000 beyond loopback`.
fn plain(text: &str) -> String {
    let text = text.trim();
    if text.starts_with("unset") {
        return "unset".to_owned();
    }
    text.replace([' ', ',', '"', '`'], "")
}
