//! Texts of wrong settings: what is wrong, with which value, what to write. The parsers' own texts name types of Rust.

/// What TOML's parser says of a file; `key` is the name at the beginning of the line.
pub(super) fn of_file(why: &str, key: &str) -> String {
    if let Some((unknown, names)) = why
        .strip_prefix("unknown field `")
        .and_then(|rest| rest.split_once('`'))
    {
        let known = names.split('`').skip(1).step_by(2);
        return match nearest(unknown, known) {
            Some(name) => format!("unknown field `{unknown}`: did you mean `{name}`?{names}"),
            None => why.to_owned(),
        };
    }
    let wrong = why
        .strip_prefix("invalid ")
        .and_then(|rest| rest.split_once(", expected "));
    // A line that begins with something else than a name may hold a token.
    let is_name = key
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    let Some((found, expected)) = wrong.filter(|_| is_name) else {
        return why.to_owned();
    };
    let found = match found.split_once(": ").map_or(found, |(_, found)| found) {
        "map" => "a table".to_owned(),
        "sequence" => "a list".to_owned(),
        other if found.starts_with("length") => {
            format!("a list (of {})", other.trim_start_matches("length "))
        }
        other => format!("the {}", other.replacen("string ", "text ", 1)),
    };
    let text = found.strip_prefix("the text ").unwrap_or_default();
    let wanted = match expected {
        "a sequence" if key == "relay" => {
            "write a table `[[relay]]` with two brackets for each route, with `path` and `upstream`"
                .to_owned()
        }
        "a sequence" if text.is_empty() => format!("write a list: `{key} = [\"…\"]`"),
        "a sequence" => format!("write a list: `{key} = [{text}]`"),
        "a boolean" => format!("write `{key} = true` or `{key} = false`, without quotes"),
        "a string" | "path string" => "write a text in quotes".to_owned(),
        _ if expected.starts_with("struct TopicRule") => {
            "write a table for each rule, such as `{ prefix = \"chat/\", max_events = 1000 }`".to_owned()
        }
        _ if expected.starts_with("struct ") => {
            format!(
                "write a table: a line `[{key}]`, and below it a line for each of its settings (`tidewire config` prints them)"
            )
        }
        other => format!("it must be {other}"),
    };
    format!("`{key}`: {found} is wrong here: {wanted}")
}

/// What confique says of an environment variable: its name comes first, not that of a type.
pub(super) fn of_variable(why: &str) -> String {
    let of_name = || {
        let (_, rest) = why.split_once("environment variable `")?;
        let (name, rest) = rest.split_once('`')?;
        let (_, why) = rest.split_once(": ")?;
        Some((name, why))
    };
    let Some((name, why)) = of_name() else {
        return why.to_owned();
    };
    match why.strip_prefix("invalid value for bool: ") {
        Some(value) => format!("{name}: {value} is neither `true` nor `false`"),
        None => format!("{name}: {why}"),
    }
}

/// The name that somebody who wrote `wrong` may have meant: at most every third letter is another one.
pub(super) fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let distances = names.map(|name| (distance(wrong, name), name));
    let (distance, name) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= 1 + wrong.len() / 4).then_some(name)
}

/// How many letters must be added, removed or replaced (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (above, char) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (at, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(char != *other);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(row[at] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_finds_its_name_and_nothing_finds_none() {
        let names = || ["TIDEWIRE_LISTEN", "TIDEWIRE_LOG", "TIDEWIRE_HEARTBEAT"].into_iter();
        assert_eq!(nearest("TIDEWIRE_LISTN", names()), Some("TIDEWIRE_LISTEN"));
        assert_eq!(
            nearest("TIDEWIRE_HEARTBEATS", names()),
            Some("TIDEWIRE_HEARTBEAT")
        );
        assert_eq!(nearest("TIDEWIRE_SOMETHING_ELSE", names()), None);
        assert_eq!(nearest("x", [].into_iter()), None);
    }
}
