//! Tokens: who may publish, and who may read (RFC 6750).
//!
//! A token is a shared secret. There may be several of a kind, so that one can be replaced without a
//! moment at which none is good. The publish token may do everything. Where a request shows it is told in
//! `credentials`.
//!
//! Invariants: tokens are compared in constant time, each with all that are configured; they are never
//! printed, not even by `Debug`.

use std::{fmt, str::FromStr};

use http::{HeaderValue, Method, StatusCode, header::WWW_AUTHENTICATE};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use super::{
    access::Need,
    credentials::{Cookies, PARAMETER, Shown, changes_nothing},
    principal::Rights,
};
use crate::Problem;

/// A secret that a client shows.
///
/// Invariant: 1 to [`Token::MAX`] characters, letters, digits and `-._~+/=`, so that it can stand in a header, a
/// query and a cookie as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Box<str>);

/// A text that cannot be a token. The text is not repeated: it may be a secret with a slip in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// There is nothing.
    #[error("a token is empty: make one with `openssl rand -hex 32`")]
    Empty,
    /// It has more than [`Token::MAX`] characters.
    #[error(
        "a token has more than {} characters: make one with `openssl rand -hex 32`",
        Token::MAX
    )]
    TooLong,
    /// It has a character that not all places can carry.
    #[error(
        "a token has other characters than letters, digits and `-._~+/=`: make one with `openssl rand -hex 32`"
    )]
    Character,
}

impl Token {
    /// The most characters of a token.
    pub const MAX: usize = 1024;

    /// How many characters it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Never.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a token may have this character.
    pub fn may_hold(byte: u8) -> bool {
        byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
    }

    /// Takes as long wherever they differ. That it is quick if the lengths differ tells the length, which is no
    /// secret.
    fn is(&self, shown: &[u8]) -> Choice {
        self.0.as_bytes().ct_eq(shown)
    }
}

impl FromStr for Token {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        match text.len() {
            0 => Err(InvalidToken::Empty),
            len if len > Self::MAX => Err(InvalidToken::TooLong),
            _ if text.bytes().all(Self::may_hold) => Ok(Self(text.into())),
            _ => Err(InvalidToken::Character),
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

/// The tokens that the server knows. A kind without tokens is open to everybody.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    publish: Vec<Token>,
    read: Vec<Token>,
}

/// A token of ours that was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) rights: Rights,
    /// Its SHA-256.
    pub(super) hash: [u8; 32],
}

impl Tokens {
    /// Publishing, purging, stats and metrics need one of these.
    #[must_use]
    pub fn publish(mut self, tokens: impl IntoIterator<Item = Token>) -> Self {
        self.publish.extend(tokens);
        self
    }

    /// Reading needs one of these, or one for publishing.
    #[must_use]
    pub fn read(mut self, tokens: impl IntoIterator<Item = Token>) -> Self {
        self.read.extend(tokens);
        self
    }

    /// Whether what was shown is enough for a need.
    pub(super) fn admit(
        &self,
        need: Need,
        shown: Shown,
        method: &Method,
        cookies: &Cookies,
    ) -> Result<(), Problem> {
        if !self.guards(need) {
            return Ok(());
        }
        match shown {
            Shown::Nothing => Err(missing(need, method, cookies)),
            Shown::Other => Err(not_bearer()),
            Shown::Wrong => Err(wrong(need)),
            Shown::Doubled => Err(doubled()),
            Shown::Token(known, _) if known.rights < Rights::Everything && needs_publisher(need) => {
                Err(only_for_reading())
            }
            Shown::Token(..) => Ok(()),
        }
    }

    /// Whether a need needs a token.
    pub(super) fn guards(&self, need: Need) -> bool {
        match need {
            Need::Probe | Need::Open | Need::Change => false,
            Need::Publish | Need::Purge | Need::Operate => !self.publish.is_empty(),
            Need::Read => !self.read.is_empty(),
            Need::Presence | Need::Ask => !self.publish.is_empty() || !self.read.is_empty(),
        }
    }

    /// The token that was shown, if it is one of ours.
    pub(super) fn find(&self, shown: &[u8]) -> Option<Known> {
        // All are compared, so that time does not tell which one it was.
        let any = |tokens: &[Token]| {
            let none = Choice::from(0);
            bool::from(tokens.iter().fold(none, |found, token| found | token.is(shown)))
        };
        let rights = match (any(&self.publish), any(&self.read)) {
            (true, _) => Rights::Everything,
            (false, true) => Rights::Read,
            (false, false) => return None,
        };
        Some(Known {
            rights,
            hash: Sha256::digest(shown).into(),
        })
    }
}

pub(super) fn needs_publisher(need: Need) -> bool {
    matches!(need, Need::Publish | Need::Purge | Need::Operate)
}

fn doubled() -> Problem {
    Problem::bad_request(
        "doubled_token",
        format!(
            "the request has two tokens in one place: give one, as `Authorization: Bearer …`, as `Tidewire-Token: …`, \
             or to read as `?{PARAMETER}=…`"
        ),
    )
}

pub(super) fn missing(need: Need, method: &Method, cookies: &Cookies) -> Problem {
    let which = match needs_publisher(need) {
        true => "this needs a publish token",
        false => "this needs a token",
    };
    let header = match need {
        Need::Ask => {
            "send `Tidewire-Token: …`, or `Authorization: Bearer …` where that is not the upstream's"
        }
        _ => "send `Authorization: Bearer …` or `Tidewire-Token: …`",
    };
    let how = match (changes_nothing(method), cookies.example()) {
        (true, Some(cookie)) => format!("{header}, `?{PARAMETER}=…` or the cookie `{cookie}`"),
        (true, None) => format!("{header}, or `?{PARAMETER}=…`"),
        (false, _) => format!("{header}; URLs and cookies count for GET and HEAD only"),
    };
    unauthorized("token_required", format!("{which}: {how}"), REALM)
}

fn not_bearer() -> Problem {
    let detail = "this needs a token, and the header Authorization holds something else: send `Authorization: \
                  Bearer …` or `Tidewire-Token: …`";
    unauthorized("token_required", detail, REALM)
}

fn wrong(need: Need) -> Problem {
    let detail = match need {
        Need::Ask => {
            "the token is none of this server's: send one of its tokens as `Tidewire-Token: …`, beside the upstream's \
             key in `Authorization`; look for a slip, or ask its operator for one"
        }
        _ => "the token is none of this server's: look for a slip, or ask its operator for one",
    };
    let challenge = r#"Bearer realm="tidewire", error="invalid_token""#;
    unauthorized("wrong_token", detail, challenge)
}

pub(super) const REALM: &str = r#"Bearer realm="tidewire""#;

fn unauthorized(code: &'static str, detail: impl Into<String>, challenge: &'static str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, code, detail)
        .with_header(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}

pub(super) fn only_for_reading() -> Problem {
    let challenge = HeaderValue::from_static(r#"Bearer realm="tidewire", error="insufficient_scope""#);
    Problem::new(
        StatusCode::FORBIDDEN,
        "publish_token_required",
        "the token is for reading, and this needs a publish token",
    )
    .with_header(WWW_AUTHENTICATE, challenge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_what_all_places_can_carry() {
        for good in ["a", "AZaz09-._~+/=", &"x".repeat(1024)] {
            assert_eq!(good.parse::<Token>().unwrap().len(), good.len());
        }
        for (bad, error) in [
            ("", InvalidToken::Empty),
            (&*"x".repeat(1025), InvalidToken::TooLong),
            ("a b", InvalidToken::Character),
            ("***", InvalidToken::Character),
            ("a;b", InvalidToken::Character),
            ("a%b", InvalidToken::Character),
            ("ä", InvalidToken::Character),
            ("a\n", InvalidToken::Character),
        ] {
            assert_eq!(bad.parse::<Token>(), Err(error), "{bad}");
            assert!(error.to_string().contains("openssl rand"), "{error}");
        }
    }

    #[test]
    fn a_token_is_never_printed() {
        let tokens = Tokens::default()
            .publish(["hush-publish".parse().unwrap()])
            .read(["hush-read".parse().unwrap()]);
        let printed = format!("{tokens:?}");
        assert!(!printed.contains("hush") && printed.contains("***"), "{printed}");
    }
}
