//! Which pages of other origins may talk to the server, as settings.

use std::str::FromStr;

use axum::http::HeaderName;
use serde::{Deserialize, Serialize, Serializer};
use tidewire_doors::guard::{self, Origin};

use super::Cors;

/// An origin of pages, or all of them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum CorsOrigin {
    Any,
    One(Origin),
}

impl FromStr for CorsOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "*" => Ok(Self::Any),
            _ if text.contains('*') => Err(format!(
                "`{text}` has a wildcard, which no origin has: give each origin in full, for example \
                 `https://app.example.com`, or `*` alone for all"
            )),
            _ => text
                .parse()
                .map(Self::One)
                .map_err(|error| format!("{error}, or `*` for all")),
        }
    }
}

impl TryFrom<String> for CorsOrigin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl Serialize for CorsOrigin {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(match self {
            Self::Any => "*",
            Self::One(origin) => origin.as_str(),
        })
    }
}

/// The name of a request header.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct CorsHeader(HeaderName);

impl FromStr for CorsHeader {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse()
            .map(Self)
            .map_err(|_| format!("`{text}` is no header name: give for example `X-Tenant`"))
    }
}

impl TryFrom<String> for CorsHeader {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl Serialize for CorsHeader {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0.as_str())
    }
}

/// Checks the origins together.
pub(super) fn check(cors: &Cors) -> Result<(), String> {
    let any = cors.origins.contains(&CorsOrigin::Any);
    match any && cors.origins.len() > 1 {
        true => Err(
            "cors.origins has `*` and others: give `*` alone (no cookies then), or the origins only".into(),
        ),
        false => Ok(()),
    }
}

impl Cors {
    /// The same for the guard.
    pub(super) fn rules(&self) -> guard::Cors {
        let listed = self.origins.iter().map(|origin| match origin {
            CorsOrigin::One(origin) => Some(origin.clone()),
            CorsOrigin::Any => None,
        });
        listed
            .collect::<Option<Vec<_>>>()
            .map_or_else(guard::Cors::any, guard::Cors::new)
            .headers(self.headers.iter().map(|header| &header.0))
    }
}
