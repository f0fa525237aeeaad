//! What a client accepts (RFC 9110 § 12.5.1).

use http::{HeaderMap, header};

/// Whether a response of this type may be sent: the most specific range of `Accept` that names the
/// type decides, and no `Accept` accepts all.
pub(crate) fn accepts(headers: &HeaderMap, kind: &str, subkind: &str) -> bool {
    let mut ranges = headers
        .get_all(header::ACCEPT)
        .iter()
        .flat_map(|value| value.to_str().unwrap_or_default().split(','))
        .filter(|range| !range.trim().is_empty())
        .peekable();
    if ranges.peek().is_none() {
        return true;
    }
    let (_, wanted) = ranges
        .filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let (t, s) = parts.next()?.split_once('/')?;
            let specific = match (t.eq_ignore_ascii_case(kind), s.eq_ignore_ascii_case(subkind)) {
                (true, true) => 2,
                (true, false) if s == "*" => 1,
                (false, _) if t == "*" && s == "*" => 0,
                _ => return None,
            };
            Some((specific, !parts.any(is_zero_weight)))
        })
        .max_by_key(|(specific, _)| *specific)
        .unwrap_or((0, false));
    wanted
}

fn is_zero_weight(parameter: &str) -> bool {
    let weight = parameter
        .strip_prefix("q=")
        .or_else(|| parameter.strip_prefix("Q="));
    weight.is_some_and(|weight| weight.trim_end_matches('0').trim_end_matches('.').is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts_stream(accept: &str) -> bool {
        let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
        accepts(&headers, "text", "event-stream")
    }

    #[test]
    fn the_most_specific_range_decides() {
        for yes in [
            "",
            "*/*",
            "text/*",
            "text/event-stream",
            "TEXT/Event-Stream; charset=utf-8",
            "application/json, text/event-stream",
            "application/json, */*;q=0.1",
            "text/html, text/*;q=0.5",
            "*/*;q=0, text/event-stream",
        ] {
            assert!(accepts_stream(yes), "{yes}");
        }
        for no in [
            "application/json",
            "text/html",
            "text/event-stream;q=0",
            "text/event-stream;q=0.000, */*",
            "text/*;q=0, */*",
            "nonsense",
        ] {
            assert!(!accepts_stream(no), "{no}");
        }
        assert!(accepts(&HeaderMap::new(), "text", "event-stream"));
    }
}
