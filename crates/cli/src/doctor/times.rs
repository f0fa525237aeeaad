//! The times that events carry themselves. Where they do, nobody has to guess when an event was made.

use std::time::{Duration, SystemTime};

/// Numbers between these are taken for times in milliseconds: the years 2001 to 2100.
const MILLIS: std::ops::Range<u64> = 978_300_000_000..4_102_400_000_000;

/// The first time in a text, since 1970: `2026-11-21T14:00:00.5Z`, milliseconds or seconds since 1970.
pub(super) fn first(text: &str) -> Option<Duration> {
    written_out(text).or_else(|| counted(text))
}

/// As RFC 3339 has it. The zone is left out: only differences count.
fn written_out(text: &str) -> Option<Duration> {
    const LENGTH: usize = "2026-11-21T14:00:00".len();
    let at = text.match_indices("-").find_map(|(dash, _)| {
        dash.checked_sub(4)
            .filter(|&at| text.get(at..at + LENGTH).is_some_and(is_time))
    })?;
    let fraction = &text[at + LENGTH..];
    let fraction = match fraction.strip_prefix('.') {
        Some(digits) => &fraction[..=digits.bytes().take(9).take_while(u8::is_ascii_digit).count()],
        None => "",
    };
    let plain = format!("{}{fraction}", &text[at..at + LENGTH]);
    let time = humantime::parse_rfc3339_weak(&plain).ok()?;
    time.duration_since(SystemTime::UNIX_EPOCH).ok()
}

fn is_time(text: &str) -> bool {
    let shape = text
        .bytes()
        .map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
    let shape: Vec<_> = shape.collect();
    matches!(shape.as_slice(), b"0000-00-00T00:00:00" | b"0000-00-00 00:00:00")
}

fn counted(text: &str) -> Option<Duration> {
    text.split(|char: char| !char.is_ascii_digit())
        .find_map(|digits| {
            let number: u64 = digits.parse().ok()?;
            let millis = match digits.len() {
                13 => number,
                10 => number * 1000,
                _ => return None,
            };
            MILLIS.contains(&millis).then(|| Duration::from_millis(millis))
        })
}

#[cfg(test)]
mod tests {
    use super::first;

    #[test]
    fn times_are_found_where_there_are_some() {
        for (text, millis) in [
            (r#"{"t":"2026-11-21T14:00:00.25Z"}"#, Some(1_795_269_600_250)),
            (r#"{"t":"2026-11-21 14:00:00+01:00"}"#, Some(1_795_269_600_000)),
            ("1795269600123", Some(1_795_269_600_123)),
            (r#"{"n":7,"ts":1795269600}"#, Some(1_795_269_600_000)),
            ("a-b 12-34-5678", None),
            ("9999-99-99T99:99:99", None),
            ("é-é2026-", None),
            ("12345678901234567890 42", None),
            ("", None),
        ] {
            let found = first(text).map(|time| time.as_millis());
            assert_eq!(found, millis, "{text}");
        }
    }
}
