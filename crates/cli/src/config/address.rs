//! Where the server listens and which names it answers to.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};
use tidewire_doors::guard::{self, Network};

/// An address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Listen(SocketAddr);

impl Listen {
    /// The address to bind. Port 0 takes a free port.
    pub(crate) fn get(self) -> SocketAddr {
        self.0
    }

    /// Whether other machines can reach it.
    pub(crate) fn is_open(self) -> bool {
        !self.0.ip().to_canonical().is_loopback()
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address = match text.strip_prefix("localhost:").map(str::parse) {
            Some(Ok(port)) => SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            _ => text.parse().map_err(|_| {
                format!("`{text}` is no address: give IP:PORT, for example `127.0.0.1:8420` or `[::1]:8420`")
            })?,
        };
        // `::ffff:0.0.0.0` is `0.0.0.0` for the system, so for the checks too.
        Ok(Self(SocketAddr::new(address.ip().to_canonical(), address.port())))
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// An address that other machines cannot reach: for tools, which show what they see to whoever asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loopback(Listen);

impl Loopback {
    /// The address to bind. Port 0 takes a free port.
    pub(crate) fn get(self) -> SocketAddr {
        self.0.get()
    }
}

impl FromStr for Loopback {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let listen: Listen = text.parse()?;
        match listen.is_open() {
            true => Err(format!(
                "other machines could reach {listen}, and read what is served there: give a loopback address, for example `127.0.0.1:8421`"
            )),
            false => Ok(Self(listen)),
        }
    }
}

impl fmt::Display for Loopback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A host name as in a `Host` header, without port. Invariant: lower case, no port, no scheme.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct HostName(String);

impl HostName {
    /// The name in lower case.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether only this machine knows itself by it.
    pub(crate) fn is_loopback(&self) -> bool {
        guard::is_loopback(&self.0)
    }
}

impl FromStr for HostName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let in_brackets = |text: &str| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
        let is_ipv6 = in_brackets(text).is_some_and(|_: std::net::Ipv6Addr| true);
        let is_name = !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        if is_name || is_ipv6 {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(format!(
                "`{text}` is no host name: give a name without scheme and port, for example `events.example.com`"
            ))
        }
    }
}

impl TryFrom<String> for HostName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// A proxy's address, or a network of proxies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct TrustedProxy(pub(super) Network);

impl TrustedProxy {
    /// The loopback addresses.
    pub(super) fn loopback() -> Vec<Self> {
        let networks = ["127.0.0.0/8", "::1"];
        networks
            .iter()
            .filter_map(|network| network.parse().ok())
            .collect()
    }
}

impl FromStr for TrustedProxy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse()
            .map(Self)
            .map_err(|error: guard::InvalidNetwork| error.to_string())
    }
}

impl TryFrom<String> for TrustedProxy {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl Serialize for TrustedProxy {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}
