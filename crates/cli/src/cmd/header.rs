//! A header that a command line asks for.

use std::str::FromStr;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

/// `Name: value`.
#[derive(Debug, Clone)]
pub(super) struct Header {
    pub(super) name: HeaderName,
    pub(super) value: HeaderValue,
}

impl FromStr for Header {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "give it as `Name: value`";
        let (name, value) = text.split_once(':').ok_or(form)?;
        let name = HeaderName::try_from(name.trim()).map_err(|error| format!("{error}: {form}"))?;
        let mut value = HeaderValue::try_from(value.trim()).map_err(|error| format!("{error}: {form}"))?;
        // It may hold a token.
        value.set_sensitive(true);
        Ok(Self { name, value })
    }
}

/// All of them; a name that comes several times keeps all its values.
impl FromIterator<Header> for HeaderMap {
    fn from_iter<I: IntoIterator<Item = Header>>(headers: I) -> Self {
        let mut map = Self::new();
        for Header { name, value } in headers {
            map.append(name, value);
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::Header;

    #[test]
    fn a_header_has_a_name_and_a_value() {
        let Header { name, value } = "X-Key:  a b ".parse().unwrap();
        assert_eq!((name.as_str(), value.as_bytes()), ("x-key", &b"a b"[..]));
        for text in ["X-Key", ": x", "X Key: x", "X: a\nb"] {
            assert!(text.parse::<Header>().is_err(), "{text:?}");
        }
    }
}
