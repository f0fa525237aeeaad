//! A light cargo-deny: licences and sources of everything the workspace is built from, judged by `deny.toml`.
//!
//! cargo-deny itself takes minutes to compile, so it belongs to `cargo xtask soak`; this check covers what a change
//! most likely breaks. Both read the same list, `licenses.allow`.

use anyhow::{Context as _, Result, bail};
use cargo_metadata::{Metadata, Package};
use spdx::{Expression, LicenseReq};
use toml::Table;

/// The licences that `deny.toml` allows.
///
/// # Errors
/// The text is not TOML, or has no list `licenses.allow` of texts.
pub fn allowed(deny: &str) -> Result<Vec<String>> {
    let deny: Table = deny.parse().context("deny.toml")?;
    let allow = deny.get("licenses").and_then(|table| table.get("allow"));
    let Some(allow) = allow.and_then(|list| list.as_array()) else {
        bail!("deny.toml has no list `allow` in [licenses]");
    };
    let names = allow.iter().map(|name| name.as_str().map(str::to_owned));
    names
        .collect::<Option<_>>()
        .context("deny.toml: licenses.allow holds more than texts")
}

/// What is wrong, one line a package; nothing if all are allowed.
#[must_use]
pub fn check(metadata: &Metadata, allowed: &[String]) -> Vec<String> {
    let packages = metadata.packages.iter();
    packages.filter_map(|package| problem(package, allowed)).collect()
}

fn problem(package: &Package, allowed: &[String]) -> Option<String> {
    let named = |what: String| Some(format!("{} {}: {what}", package.name, package.version));
    if let Some(source) = &package.source
        && !source.is_crates_io()
    {
        return named("comes from somewhere else than crates.io".to_owned());
    }
    let Some(licence) = &package.license else {
        return named("names no licence".to_owned());
    };
    match licence_problem(licence, allowed) {
        None => None,
        Some(what) => named(what),
    }
}

fn licence_problem(licence: &str, allowed: &[String]) -> Option<String> {
    // Lax, because old crates still write `MIT/Apache-2.0`.
    let expression = match Expression::parse_mode(licence, spdx::ParseMode::LAX) {
        Ok(expression) => expression,
        Err(error) => {
            return Some(format!("licence `{licence}` cannot be read: {}", error.reason));
        }
    };
    let is_allowed = |req: &LicenseReq| allowed.contains(&req.to_string());
    if expression.evaluate(is_allowed) {
        return None;
    }
    Some(format!("licence `{licence}` is not allowed by deny.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_allowed_choice_is_enough_and_every_part_is_needed() {
        let allowed = ["MIT", "Unicode-3.0"].map(String::from);
        assert_eq!(licence_problem("MIT OR GPL-3.0-only", &allowed), None);
        assert_eq!(licence_problem("MIT/Apache-2.0", &allowed), None);
        assert_eq!(licence_problem("MIT AND Unicode-3.0", &allowed), None);
        assert_eq!(
            licence_problem("MIT AND GPL-3.0-only", &allowed).unwrap(),
            "licence `MIT AND GPL-3.0-only` is not allowed by deny.toml"
        );
    }

    #[test]
    fn an_exception_is_allowed_by_its_whole_name() {
        let exception = "Apache-2.0 WITH LLVM-exception";
        assert!(licence_problem(exception, &["Apache-2.0".to_owned()]).is_some());
        assert!(licence_problem(exception, &[exception.to_owned()]).is_none());
    }

    #[test]
    fn a_licence_that_is_none_is_told() {
        assert!(licence_problem("do what you want", &[]).is_some());
    }

    #[test]
    fn the_list_is_read_from_deny_toml() {
        let deny = "[licenses]\nallow = [\"MIT\", \"ISC\"]";
        assert_eq!(allowed(deny).unwrap(), ["MIT", "ISC"]);
        assert!(allowed("[licenses]").is_err());
        assert!(allowed("[licenses]\nallow = [1]").is_err());
    }
}
