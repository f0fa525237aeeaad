//! Variables of the environment that look like settings and are none: a slip in a name would be passed over in silence.

use std::env;

use confique::{
    Config as _,
    meta::{FieldKind, Meta},
};

use super::{Config, words::nearest};

/// Of other commands than `tidewire serve`.
const OTHERS: [&str; 2] = ["TIDEWIRE_URL", "TIDEWIRE_TOKEN"];

/// Kubernetes sets these for a service called `tidewire`.
const OF_KUBERNETES: [&str; 2] = ["TIDEWIRE_SERVICE_", "TIDEWIRE_PORT"];

/// What to say of each variable that begins as settings do and is none of them, nor one of `keys`.
pub(super) fn unknown(keys: &[&str]) -> Vec<String> {
    let mut known = OTHERS.to_vec();
    collect(&Config::META, &mut known);
    let mut found = Vec::new();
    for (name, _) in env::vars_os() {
        let Some(name) = name.to_str().filter(|name| name.starts_with("TIDEWIRE_")) else {
            continue;
        };
        let is_foreign = OF_KUBERNETES.iter().any(|begin| name.starts_with(begin));
        if is_foreign || known.contains(&name) || keys.contains(&name) {
            continue;
        }
        found.push(match nearest(name, known.iter().copied()) {
            Some(meant) => {
                format!("the variable {name} is no setting and does nothing: did you mean {meant}?")
            }
            None => format!(
                "the variable {name} is no setting and does nothing (`tidewire config` prints their names)"
            ),
        });
    }
    found.sort();
    found
}

/// The variables of all settings.
fn collect(meta: &Meta, names: &mut Vec<&'static str>) {
    for field in meta.fields {
        match field.kind {
            FieldKind::Nested { meta } => collect(meta, names),
            FieldKind::Leaf { env, .. } => names.extend(env),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Settings whose variable is another than that of their path.
    const EXCEPTIONS: [(&str, &str); 1] = [("log.level", "TIDEWIRE_LOG")];

    fn check(meta: &Meta, path: &str) {
        for field in meta.fields {
            let path = format!("{path}{}", field.name);
            match field.kind {
                FieldKind::Nested { meta } => check(meta, &format!("{path}.")),
                FieldKind::Leaf { env, .. } => {
                    let usual = format!("TIDEWIRE_{}", path.replace('.', "_").to_uppercase());
                    let exception = EXCEPTIONS.iter().find(|(name, _)| *name == path);
                    assert_eq!(env, Some(exception.map_or(&*usual, |(_, env)| *env)), "{path}");
                }
            }
        }
    }

    #[test]
    fn the_variable_of_a_setting_is_its_path() {
        check(&Config::META, "");
    }
}
