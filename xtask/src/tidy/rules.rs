//! The rules, one function each, over one text file.
//!
//! What a rule looks for is written in two pieces here, so that this file passes its own rules.

/// A committed text file.
#[derive(Debug, Clone, Copy)]
pub struct File<'a> {
    /// Its path from the root of the repository.
    pub path: &'a str,
    /// All of it.
    pub text: &'a str,
}

/// Longer than this, and a file should be looked at again (style, rule 1).
const LONG: usize = 500;

const SOURCES: [&str; 7] = ["rs", "js", "mjs", "ts", "css", "html", "sh"];

const UNFINISHED: [&str; 4] = [
    concat!("to", "do!"),
    concat!("unimple", "mented!"),
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
];

const MACHINE_PATHS: [&str; 4] = [
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/Us", "ers/"),
];

const REGISTRY_HOSTS: [&str; 8] = [
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("registry.", "npmjs.org"),
    concat!("registry.", "yarnpkg.com"),
    concat!("deb.", "debian.org"),
    concat!("security.", "debian.org"),
    concat!("pypi", ".org"),
    concat!("files.", "pythonhosted.org"),
];

/// How cargo names crates.io in a lock file, whatever way it reaches it.
const CRATES_IO: &str = concat!("registry+https://github.com/rust-lang/", "crates.io-index");

/// What must go from a file, as `path:line: what`.
#[must_use]
pub fn problems(file: &File<'_>) -> Vec<String> {
    let mut problems = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        let found = [
            unfinished(file, line),
            machine_path(line),
            registry_host(line),
            lock_source(file, line),
        ];
        let number = index + 1;
        let told = found.into_iter().flatten();
        problems.extend(told.map(|what| format!("{}:{number}: {what}", file.path)));
    }
    problems
}

/// A note about a source file that has grown long.
#[must_use]
pub fn too_long(file: &File<'_>) -> Option<String> {
    let lines = file.text.lines().count();
    let long = is_source(file) && lines > LONG;
    long.then(|| format!("{}: {lines} lines; could it be two concepts?", file.path))
}

/// A stub must not be called done.
fn unfinished(file: &File<'_>, line: &str) -> Option<String> {
    let word = UNFINISHED.iter().find(|word| line.contains(**word))?;
    is_source(file).then(|| format!("`{word}`: finish it, or file an issue"))
}

/// A path of somebody's home or work folder works on one machine only.
fn machine_path(line: &str) -> Option<String> {
    let starts_a_path = |at: usize| {
        // `/events/home/x` is a URL and `../work/x` is relative: neither starts here.
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && !"_-.}*~".contains(c))
    };
    let mut paths = MACHINE_PATHS.iter();
    let path = paths.find(|path| line.match_indices(**path).any(|(at, _)| starts_a_path(at)))?;
    Some(format!("`{path}` is a path of one machine"))
}

/// Registries are reached through their clients, as each machine has them set up.
fn registry_host(line: &str) -> Option<String> {
    let host = REGISTRY_HOSTS.iter().find(|host| line.contains(**host))?;
    Some(format!("`{host}`: name packages, not the registry's host"))
}

/// Lock files say what is used, not where one machine fetched it.
fn lock_source(file: &File<'_>, line: &str) -> Option<String> {
    let line = line.trim_start();
    match file.path.rsplit('/').next()? {
        // A package of the workspace is a link, and has the path to it there.
        "package-lock.json" if line.starts_with("\"resolved\"") && line.contains("://") => {
            Some("a download address: set omit-lockfile-registry-resolved in .npmrc".to_owned())
        }
        "Cargo.lock" if line.starts_with("source = ") => {
            let crates_io = line == format!("source = \"{CRATES_IO}\"");
            (!crates_io).then(|| "a source other than crates.io".to_owned())
        }
        _ => None,
    }
}

fn is_source(file: &File<'_>) -> bool {
    let extension = file.path.rsplit_once('.').map(|(_, extension)| extension);
    extension.is_some_and(|extension| SOURCES.contains(&extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str, text: &str) -> Vec<String> {
        problems(&File { path, text })
    }

    #[test]
    fn unfinished_code_is_found_where_it_stands() {
        let text = format!("fn f() {{\n    {}()\n}}\n", UNFINISHED[0]);
        let problem = format!("a/b.rs:2: `{}`: finish it, or file an issue", UNFINISHED[0]);
        assert_eq!(of("a/b.rs", &text), [problem]);
        for word in UNFINISHED {
            assert_eq!(of("web/a.ts", word).len(), 1, "{word}");
            assert_eq!(of("vectors/a.json", word).len(), 0, "{word} is data there");
        }
    }

    #[test]
    fn paths_of_one_machine_are_found_in_any_file() {
        for path in MACHINE_PATHS {
            let problem = format!("a.md:1: `{path}` is a path of one machine");
            assert_eq!(of("a.md", &format!("see \"{path}ada/x\"")), [problem]);
            assert_eq!(of("a.md", &format!("{path}x")).len(), 1);
        }
    }

    #[test]
    fn urls_and_relative_paths_are_no_paths_of_one_machine() {
        for path in MACHINE_PATHS {
            assert_eq!(of("a.md", &format!("GET /events{path}x")), [""; 0]);
            assert_eq!(of("a.md", &format!("..{path}x and ${{dir}}{path}x")), [""; 0]);
        }
    }

    #[test]
    fn registry_hosts_are_found() {
        for host in REGISTRY_HOSTS {
            assert_eq!(of("ci.yml", &format!("url: https://{host}/x")).len(), 1);
        }
        assert_eq!(of("README.md", "published on crates.io"), [""; 0]);
    }

    #[test]
    fn a_package_lock_has_no_download_addresses() {
        let text = "{\n  \"resolved\": \"https://x/y.tgz\"\n}";
        assert_eq!(
            of("web/package-lock.json", text),
            ["web/package-lock.json:2: a download address: set omit-lockfile-registry-resolved in .npmrc"]
        );
        assert_eq!(of("web/package.json", text), [""; 0]);
        assert_eq!(
            of("web/package-lock.json", "\"resolved\": \"tidewire\","),
            [""; 0]
        );
    }

    #[test]
    fn a_cargo_lock_names_no_source_but_crates_io() {
        let lock = |source: &str| of("fuzz/Cargo.lock", &format!("source = \"{source}\""));
        assert_eq!(lock(CRATES_IO), [""; 0]);
        for other in ["sparse+https://mirror.example/", "git+https://host.example/x#1"] {
            assert_eq!(lock(other), ["fuzz/Cargo.lock:1: a source other than crates.io"]);
        }
    }

    #[test]
    fn only_long_sources_are_noted() {
        let text = "x\n".repeat(LONG + 1);
        let note = |path, text| too_long(&File { path, text });
        assert_eq!(
            note("a.rs", &text).unwrap(),
            "a.rs: 501 lines; could it be two concepts?"
        );
        assert_eq!(note("a.rs", &text[2..]), None);
        assert_eq!(note("Cargo.lock", &text), None);
    }
}
