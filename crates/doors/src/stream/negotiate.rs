//! What a client accepts (RFC 9110 § 12.5.1).

use http::{HeaderMap, header};

/// A type and its subtype.
pub(crate) type MediaType = (&'static str, &'static str);

/// The offer that the client likes best, by its index; of equals the first. None if it accepts none of them.
///
/// For each offer the most specific range of `Accept` that names it decides; no `Accept` accepts all.
pub(crate) fn best(headers: &HeaderMap, offers: &[MediaType]) -> Option<usize> {
    let ranges = headers
        .get_all(header::ACCEPT)
        .iter()
        .flat_map(|value| value.to_str().unwrap_or_default().split(','))
        .filter(|range| !range.trim().is_empty());
    let ranges: Vec<_> = ranges.collect();
    let likes = offers.iter().map(|offer| match ranges.as_slice() {
        [] => 1.0,
        ranges => quality(ranges, *offer),
    });
    let mut best = None;
    for (index, quality) in likes.enumerate() {
        if quality > best.map_or(0.0, |(_, quality)| quality) {
            best = Some((index, quality));
        }
    }
    best.map(|(index, _)| index)
}

/// How much a type is liked, from 0 (not accepted) to 1.
fn quality(ranges: &[&str], (kind, subkind): MediaType) -> f32 {
    let matching = ranges.iter().filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let (t, s) = parts.next()?.split_once('/')?;
        let specific = match (t.eq_ignore_ascii_case(kind), s.eq_ignore_ascii_case(subkind)) {
            (true, true) => 2,
            (true, false) if s == "*" => 1,
            (false, _) if t == "*" && s == "*" => 0,
            _ => return None,
        };
        Some((specific, parts.find_map(weight).unwrap_or(1.0)))
    });
    let most_specific = matching.max_by_key(|(specific, _)| *specific);
    most_specific.map_or(0.0, |(_, quality)| quality)
}

/// A weight that is none counts as 1: the client named the type, after all.
fn weight(parameter: &str) -> Option<f32> {
    let (name, value) = parameter.split_once('=')?;
    name.trim().eq_ignore_ascii_case("q").then(|| {
        let weight = value.trim().parse().ok();
        weight
            .filter(|weight| (0.0..=1.0).contains(weight))
            .unwrap_or(1.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best_of(accept: &str, offers: &[MediaType]) -> Option<usize> {
        let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
        best(&headers, offers)
    }

    #[test]
    fn the_most_specific_range_decides() {
        let accepts_stream = |accept| best_of(accept, &[("text", "event-stream")]).is_some();
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
            "text/event-stream;q=nan",
            "text/event-stream;q=much",
        ] {
            assert!(accepts_stream(yes), "{yes}");
        }
        for no in [
            "application/json",
            "text/html",
            "text/event-stream;q=0",
            "text/event-stream ; Q = 0.000, */*",
            "text/*;q=0, */*",
            "nonsense",
        ] {
            assert!(!accepts_stream(no), "{no}");
        }
        assert_eq!(best(&HeaderMap::new(), &[("text", "event-stream")]), Some(0));
    }

    #[test]
    fn the_best_quality_wins_and_of_equals_the_first() {
        let offers = [("text", "a"), ("application", "b"), ("application", "c")];
        for (accept, wanted) in [
            ("*/*", 0),
            ("application/c, application/b, text/a", 0),
            ("application/*", 1),
            ("application/c, application/*;q=0.9, */*;q=0.8", 2),
            ("text/a;q=0.1, application/c;q=0.2, application/b;q=0.15", 2),
            ("text/a;q=0, */*;q=0.1", 1),
        ] {
            assert_eq!(best_of(accept, &offers), Some(wanted), "{accept}");
        }
        assert_eq!(best_of("text/html", &offers), None);
    }
}
