//! Tokens: who may publish, and who may read (RFC 6750).
//!
//! A token is a shared secret. There may be several of a kind, so that one can be replaced without a
//! moment at which none is good. The publish token may do everything.
//!
//! Invariants: tokens are compared in constant time, each with all that are configured; they are never
//! printed, not even by `Debug`; only a request that changes nothing may carry one in its URL or in a
//! cookie, which foreign pages can make a browser send.

use std::{borrow::Cow, fmt, str::FromStr};

use axum::extract::Request;
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{AUTHORIZATION, COOKIE, WWW_AUTHENTICATE},
};
use percent_encoding::percent_decode_str;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use super::{access::Access, caller::Rights};
use crate::Problem;

/// The query parameter that carries a token.
const PARAMETER: &str = "access_token";
/// The cookie that carries a token.
const COOKIE_NAME: &str = "tidewire_token";

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

    /// Takes as long wherever they differ. That it is quick if the lengths differ tells the length, which is no
    /// secret.
    fn is(&self, shown: &[u8]) -> Choice {
        self.0.as_bytes().ct_eq(shown)
    }
}

impl FromStr for Token {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let usual = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
        match text.len() {
            0 => Err(InvalidToken::Empty),
            len if len > Self::MAX => Err(InvalidToken::TooLong),
            _ if text.bytes().all(usual) => Ok(Self(text.into())),
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

/// What a request shows.
enum Shown<'a> {
    Nothing,
    /// Credentials of another kind, such as a proxy's.
    Other,
    Token(Cow<'a, [u8]>),
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

    /// What the request's token lets it do, and the token's SHA-256, if that is enough for what needs this access.
    pub(super) fn admit(
        &self,
        access: Access,
        request: &Request,
    ) -> Result<(Rights, Option<[u8; 32]>), Problem> {
        if !self.guards(access) {
            return Ok((Rights::None, None));
        }
        let token = match shown(request)? {
            Shown::Nothing => return Err(missing(access, request)),
            Shown::Other => return Err(not_bearer()),
            Shown::Token(token) => token,
        };
        match (self.rights(&token), access) {
            (Rights::Read, Access::Publish) => Err(only_for_reading()),
            (Rights::None, _) => Err(unauthorized(
                "wrong_token",
                "the token is none of this server's: look for a slip, or ask its operator for one",
                r#"Bearer realm="tidewire", error="invalid_token""#,
            )),
            (rights, _) => Ok((rights, Some(Sha256::digest(&token).into()))),
        }
    }

    /// Whether what needs this access needs a token.
    pub(super) fn guards(&self, access: Access) -> bool {
        match access {
            Access::Open => false,
            Access::Publish => !self.publish.is_empty(),
            Access::Read => !self.read.is_empty(),
            Access::Presence => !self.publish.is_empty() || !self.read.is_empty(),
        }
    }

    fn rights(&self, shown: &[u8]) -> Rights {
        // All are compared, so that time does not tell which one it was.
        let any = |tokens: &[Token]| {
            let none = Choice::from(0);
            bool::from(tokens.iter().fold(none, |found, token| found | token.is(shown)))
        };
        match (any(&self.publish), any(&self.read)) {
            (true, _) => Rights::Everything,
            (false, true) => Rights::Read,
            (false, false) => Rights::None,
        }
    }
}

/// The one token of a request, wherever it stands.
fn shown(request: &Request) -> Result<Shown<'_>, Problem> {
    let mut authorizations = request.headers().get_all(AUTHORIZATION).iter();
    let mut shown = authorizations.next().map_or(Shown::Nothing, authorization);
    if authorizations.next().is_some() {
        return Err(doubled());
    }
    if changes_nothing(request.method()) {
        let query = request.uri().query().unwrap_or_default();
        for token in in_query(query).chain(in_cookies(request.headers())) {
            if matches!(shown, Shown::Token(_)) {
                return Err(doubled());
            }
            shown = Shown::Token(token);
        }
    }
    Ok(shown)
}

fn changes_nothing(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}

fn authorization(value: &HeaderValue) -> Shown<'_> {
    let value = value.as_bytes();
    let (scheme, token) = value.split_at(value.iter().position(|b| *b == b' ').unwrap_or(value.len()));
    match scheme.eq_ignore_ascii_case(b"bearer") {
        true => Shown::Token(token.trim_ascii().into()),
        false => Shown::Other,
    }
}

/// Decoded, but a plus stays one: there are tokens with a plus, and none with a space.
fn in_query(query: &str) -> impl Iterator<Item = Cow<'_, [u8]>> {
    query.split('&').filter_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let is_ours = Cow::from(percent_decode_str(name)) == PARAMETER.as_bytes();
        is_ours.then(|| percent_decode_str(value).into())
    })
}

/// Scripts write a cookie's value percent-encoded, servers as it is.
fn in_cookies(headers: &HeaderMap) -> impl Iterator<Item = Cow<'_, [u8]>> {
    let cookies = headers.get_all(COOKIE).iter();
    let cookies = cookies.filter_map(|value| value.to_str().ok());
    cookies.flat_map(|value| value.split(';')).filter_map(|cookie| {
        let (name, value) = cookie.trim().split_once('=')?;
        (name == COOKIE_NAME).then(|| percent_decode_str(value).into())
    })
}

fn doubled() -> Problem {
    Problem::bad_request(
        "doubled_token",
        format!(
            "the request has more than one token: give one, as `Authorization: Bearer …`, or to read as \
             `?{PARAMETER}=…` or as the cookie `{COOKIE_NAME}`"
        ),
    )
}

fn missing(access: Access, request: &Request) -> Problem {
    let which = match access {
        Access::Publish => "this needs a publish token",
        _ => "this needs a token",
    };
    let how = match changes_nothing(request.method()) {
        true => {
            format!("send `Authorization: Bearer …`, `?{PARAMETER}=…` or the cookie `{COOKIE_NAME}`")
        }
        false => "send `Authorization: Bearer …`; URLs and cookies count for GET and HEAD only".to_owned(),
    };
    unauthorized("token_required", format!("{which}: {how}"), REALM)
}

fn not_bearer() -> Problem {
    let detail = "this needs a token, and the header Authorization holds something else: send `Authorization: \
                  Bearer …`";
    unauthorized("token_required", detail, REALM)
}

const REALM: &str = r#"Bearer realm="tidewire""#;

fn unauthorized(code: &'static str, detail: impl Into<String>, challenge: &'static str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, code, detail)
        .with_header(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}

fn only_for_reading() -> Problem {
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
