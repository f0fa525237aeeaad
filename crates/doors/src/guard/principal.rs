//! The principal of a request: what its token lets it do, its user where an app knows users, and its address.
//!
//! The guard puts a [`Principal`] into the extensions of every request that it lets through. Nothing in it comes from
//! a header that a stranger can write, unless a trusted proxy wrote it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::{Extensions, HeaderValue, StatusCode, header};
use tidewire_hub::{Topic, TopicSet};

use super::{
    identity::{Action, Identity},
    tokens::REALM,
};
use crate::{Problem, problem::shorten};

/// The other end of the connection that a request came on. The listener puts it into the request's extensions.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// What a shown token lets its holder do. The default is that of a caller without a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Rights {
    /// No token was shown, or none is configured.
    #[default]
    None,
    /// The token is a read token.
    Read,
    /// The token is a publish token, which may do everything.
    Everything,
}

/// The caller of a request.
#[derive(Debug, Clone, Default)]
pub struct Principal {
    pub(super) rights: Rights,
    pub(super) token: Option<[u8; 32]>,
    pub(super) address: Option<IpAddr>,
    pub(super) is_proxied: bool,
    pub(super) identity: Option<Identity>,
}

impl Principal {
    /// A caller as an app's own guard found it: its rights, SHA-256 of its token, its address, and whether a trusted
    /// proxy is at the other end of the connection.
    #[must_use]
    pub fn new(rights: Rights, token: Option<[u8; 32]>, address: Option<IpAddr>, is_proxied: bool) -> Self {
        Self {
            rights,
            token,
            address,
            is_proxied,
            identity: None,
        }
    }

    /// With the user that an app's own middleware has found, which puts this into the request's extensions, in front of
    /// the guard or behind it. Then [`Principal::may`] asks the user's grants.
    #[must_use]
    pub fn identified(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// The id of the user, where an app knows users.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.identity.as_ref()?.subject.as_deref()
    }

    /// Checks that it may do this with all of these topics. Without an identity, what the route needs has decided:
    /// everything is allowed here. A token of the server allows what such a token allows.
    ///
    /// # Errors
    /// 403 with the topics that are refused; 401 where there is no user.
    pub fn may(&self, action: Action, topics: &TopicSet) -> Result<(), Problem> {
        let Some(identity) = &self.identity else {
            return Ok(());
        };
        let is_reading = matches!(action, Action::Subscribe | Action::Presence);
        if self.rights == Rights::Everything || (self.rights == Rights::Read && is_reading) {
            return Ok(());
        }
        let refused = topics
            .iter()
            .filter(|topic| !identity.grants.allows(action, topic));
        let refused: Vec<&str> = refused.map(Topic::name).collect();
        if refused.is_empty() {
            return Ok(());
        }
        let named = refused
            .iter()
            .map(|topic| shorten(topic))
            .take(3)
            .collect::<Vec<_>>()
            .join("`, `");
        let more = match refused.len() {
            0..=3 => String::new(),
            all => format!(" and {} more", all - 3),
        };
        let action = action.as_str();
        Err(match identity.subject {
            None => Problem::new(
                StatusCode::UNAUTHORIZED,
                "sign_in_required",
                format!("{action} on `{named}`{more} needs a user: sign in"),
            )
            .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static(REALM)),
            Some(_) => Problem::new(
                StatusCode::FORBIDDEN,
                "forbidden",
                format!("this user may not {action} on `{named}`{more}"),
            ),
        }
        .with_member("topics", refused))
    }

    /// The caller that the guard found; one without rights and address where no guard stands in front.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Self {
        extensions.get::<Self>().cloned().unwrap_or_default()
    }

    /// What its token lets it do.
    #[must_use]
    pub fn rights(&self) -> Rights {
        self.rights
    }

    /// SHA-256 of the token that it showed, if that is one of the server's.
    #[must_use]
    pub fn token(&self) -> Option<&[u8; 32]> {
        self.token.as_ref()
    }

    /// Its address: the connection's, or what a trusted proxy says.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// Its [`network`], for bounds per address.
    #[must_use]
    pub fn network(&self) -> Option<IpAddr> {
        self.address.map(network)
    }

    /// Whether a trusted proxy is at the other end of the connection, so that its headers count.
    #[must_use]
    pub fn is_proxied(&self) -> bool {
        self.is_proxied
    }
}

/// What an address counts as where addresses are bounded: an IPv6 address as its /64 network, because one
/// subscriber's line has a whole one; an IPv4 address mapped into IPv6 as itself.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            Ipv6Addr::from(network).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_counts_by_network_and_mapped_addresses_are_what_they_map() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(network(ip("2001:db8:1:2:3:4:5:6")), ip("2001:db8:1:2::"));
        assert_eq!(network(ip("::ffff:10.0.0.1")), ip("10.0.0.1"));
        assert_eq!(network(ip("10.0.0.1")), ip("10.0.0.1"));
    }
}
