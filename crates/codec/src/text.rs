//! Field values that stand on one line: event ids and event names.
//!
//! Invariant: neither type can hold CR, LF or NUL, so that writing one can never end a line, start
//! another field or be ignored by a reader (WHATWG HTML § 9.2.6 ignores ids with NUL).

use std::fmt;

/// Why a text cannot be an event id or an event name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidText {
    /// The offending character: CR, LF or NUL.
    pub found: char,
    /// Its byte offset in the text.
    pub at: usize,
}

impl fmt::Display for InvalidText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} at byte {} cannot stand in an event id or name: remove it",
            self.found, self.at
        )
    }
}

impl std::error::Error for InvalidText {}

fn check(text: &str) -> Result<(), InvalidText> {
    match text.find(['\r', '\n', '\0']) {
        None => Ok(()),
        Some(at) => Err(InvalidText {
            found: char::from(text.as_bytes()[at]),
            at,
        }),
    }
}

macro_rules! line_text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Box<str>);

        impl $name {
            /// Takes a text without CR, LF and NUL.
            ///
            /// # Errors
            /// [`InvalidText`] names the character and where it stands.
            pub fn new(text: impl Into<Box<str>>) -> Result<Self, InvalidText> {
                let text = text.into();
                check(&text)?;
                Ok(Self(text))
            }

            /// Takes a text that is known when the program is written.
            ///
            /// # Panics
            /// If it holds CR, LF or NUL. For any other text there is [`Self::new`].
            #[must_use]
            #[track_caller]
            pub fn from_static(text: &'static str) -> Self {
                match Self::new(text) {
                    Ok(text) => text,
                    Err(error) => panic!("{error}"),
                }
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidText;
            fn from_str(text: &str) -> Result<Self, InvalidText> {
                Self::new(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

line_text! {
    /// The value of an `id` field. Empty is allowed: it resets a reader's last event id.
    EventId
}
line_text! {
    /// The value of an `event` field: the type that listeners are registered under.
    EventName
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w4_what_would_break_a_line_is_named_with_its_place() {
        for (text, found, at) in [("a\nb", '\n', 1), ("\r", '\r', 0), ("äb\0", '\0', 3)] {
            assert_eq!(EventId::new(text), Err(InvalidText { found, at }));
            assert_eq!(EventName::new(text), Err(InvalidText { found, at }));
        }
        assert_eq!(EventName::from_static("tick").as_str(), "tick");
    }

    #[test]
    #[should_panic(expected = "byte 1 cannot stand in an event id or name")]
    fn a_static_text_that_is_wrong_is_a_mistake_in_the_program() {
        let _ = EventId::from_static("a\nb");
    }
}
