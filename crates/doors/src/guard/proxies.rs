//! Trusted proxies: which peers may say whose request they pass on, and what others said of it.
//!
//! Invariant: behind the guard, `Forwarded`, `X-Forwarded-*` and `X-Real-IP` are a trusted proxy's words.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
    sync::Once,
};

use http::{HeaderMap, HeaderName, HeaderValue, header::FORWARDED};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED: &str = "x-forwarded-";
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// Addresses that belong together: `10.0.0.0/8`, or one alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(IpNet);

/// A text that is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no network: give an address, or one with its prefix, for example `10.0.0.0/8` or `fd00::/8`"
)]
pub struct InvalidNetwork(String);

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let one = || text.parse::<IpAddr>().map(|ip| IpNet::from(ip.to_canonical()));
        let network = text.parse::<IpNet>().or_else(|_| one());
        let network = network.map_err(|_| InvalidNetwork(text.to_owned()))?;
        Ok(Self(network.trunc()))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The proxies whose words count.
#[derive(Debug, Clone, Default)]
pub(super) struct Proxies(Vec<Network>);

impl Proxies {
    pub(super) fn new(networks: impl IntoIterator<Item = Network>) -> Self {
        Self(networks.into_iter().collect())
    }

    /// The client's address and whether a trusted proxy says it. From another peer, the headers that would say it are
    /// removed.
    pub(super) fn client(&self, peer: Option<IpAddr>, headers: &mut HeaderMap) -> (Option<IpAddr>, bool) {
        let peer = peer.map(|peer| peer.to_canonical());
        match peer.filter(|peer| self.trust(*peer)) {
            Some(proxy) => (Some(self.behind(proxy, headers)), true),
            None => {
                remove(peer, headers);
                (peer, false)
            }
        }
    }

    fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.0.contains(&address))
    }

    /// The client behind a proxy. Most proxies write one of the two headers and pass the other one on as a stranger
    /// wrote it, so two that differ say nothing: then it is the proxy's own address.
    fn behind(&self, proxy: IpAddr, headers: &HeaderMap) -> IpAddr {
        let hops = |name: &HeaderName| {
            let lines = headers.get_all(name).iter();
            let lines = lines.map(|line: &HeaderValue| line.to_str().unwrap_or_default());
            lines.flat_map(|line| line.split(',')).collect::<Vec<_>>()
        };
        let said = |hops: Vec<&str>, read: fn(&str) -> Option<IpAddr>| {
            (!hops.is_empty()).then(|| self.nearest(proxy, hops.into_iter().rev().map(read)))
        };
        let usual = said(hops(&X_FORWARDED_FOR), address);
        let standard = said(hops(&FORWARDED), forwarded_for);
        match (usual, standard) {
            (Some(usual), Some(standard)) if usual != standard => proxy,
            (Some(client), _) | (None, Some(client)) => client,
            (None, None) => proxy,
        }
    }

    /// The nearest address that is no trusted proxy; beyond a hop that cannot be read nobody is believed.
    fn nearest(&self, proxy: IpAddr, hops: impl Iterator<Item = Option<IpAddr>>) -> IpAddr {
        let mut nearest = proxy;
        for hop in hops {
            match hop {
                Some(hop) => nearest = hop,
                None => break,
            }
            if !self.trust(nearest) {
                break;
            }
        }
        nearest
    }
}

fn remove(peer: Option<IpAddr>, headers: &mut HeaderMap) {
    let names = headers
        .keys()
        .filter(|name| **name == FORWARDED || **name == X_REAL_IP || name.as_str().starts_with(X_FORWARDED));
    let names: Vec<HeaderName> = names.cloned().collect();
    for name in &names {
        headers.remove(name);
    }
    if !names.is_empty() {
        static SAID: Once = Once::new();
        let peer = peer.map_or("a peer without an address".into(), |peer| peer.to_string());
        SAID.call_once(|| {
            tracing::warn!(
                "a header that says whose request it is (Forwarded, X-Forwarded-…, X-Real-IP) came from {peer}, which is \
                 no trusted proxy, and was removed: if it is your proxy, name it in trusted_proxies (this is said once)"
            );
        });
    }
}

/// Says once that a proxy passes on requests of other machines to a server that lets everybody in. Where the proxy
/// replaces `Host` with a loopback name, nothing else shows it.
pub(super) fn warn_of_strangers(client: Option<IpAddr>) {
    static SAID: Once = Once::new();
    if let Some(client) = client.filter(|client| !client.is_loopback()) {
        SAID.call_once(|| {
            tracing::warn!(
                "a proxy passes on requests of other machines ({client}), and this server has no tokens: everybody \
                 who reaches the proxy may publish and purge. Give the server tokens, and the proxy's name as --host \
                 (this is said once)"
            );
        });
    }
}

/// An address as `X-Forwarded-For` has it: with a port or without, IPv6 in brackets or without.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let address: Option<IpAddr> = text.parse().ok().or_else(in_brackets).or_else(with_port);
    address.map(|address| address.to_canonical())
}

/// The `for` of one hop of `Forwarded` (RFC 7239).
fn forwarded_for(hop: &str) -> Option<IpAddr> {
    let mut pairs = hop.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    let value = value.trim();
    let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    address(quoted.unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &[&str], peer: &str, headers: &[(&str, &str)]) -> (String, bool, Vec<String>) {
        let proxies = Proxies::new(trusted.iter().map(|text| text.parse().unwrap()));
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        let (client, is_proxied) = proxies.client(Some(peer.parse().unwrap()), &mut map);
        let left = map.keys().map(ToString::to_string).collect();
        (client.unwrap().to_string(), is_proxied, left)
    }

    #[test]
    fn only_a_trusted_proxy_says_whose_request_it_is() {
        for (trusted, peer, headers, expected) in [
            (
                &["127.0.0.1"][..],
                "127.0.0.1",
                &[("x-forwarded-for", "192.0.2.1")][..],
                "192.0.2.1",
            ),
            // A stranger's own words stand on the left.
            (
                &["127.0.0.1"],
                "127.0.0.1",
                &[("x-forwarded-for", "10.9.9.9, 192.0.2.1")],
                "192.0.2.1",
            ),
            (
                &["127.0.0.1", "10.0.0.0/8"],
                "127.0.0.1",
                &[("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "10.0.0.2")],
                "192.0.2.1",
            ),
            (
                &["127.0.0.0/8"],
                "::ffff:127.0.0.1",
                &[(
                    "forwarded",
                    "for=203.0.113.9, For=\"[2001:db8::1]:4711\";proto=https",
                )],
                "2001:db8::1",
            ),
            (
                &["::1"],
                "::1",
                &[("x-forwarded-for", "[2001:db8::1]:4711")],
                "2001:db8::1",
            ),
            (
                &["::1"],
                "::1",
                &[("x-forwarded-for", "192.0.2.1, unknown")],
                "::1",
            ),
            (&["::1"], "::1", &[("forwarded", "for=_hidden")], "::1"),
            (&["::1"], "::1", &[("x-real-ip", "192.0.2.1")], "::1"),
            // The proxy wrote one of them, and nobody knows which.
            (
                &["::1"],
                "::1",
                &[("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.2")],
                "::1",
            ),
            (&["::1"], "::1", &[], "::1"),
        ] {
            let (client, is_proxied, left) = client(trusted, peer, headers);
            assert_eq!((client.as_str(), is_proxied), (expected, true), "{headers:?}");
            assert_eq!(left.is_empty(), headers.is_empty(), "{headers:?}");
        }
    }

    #[test]
    fn what_others_say_of_it_is_removed() {
        let headers = [
            ("forwarded", "for=10.0.0.1"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-anything", "x"),
            ("x-real-ip", "10.0.0.1"),
            ("x-user", "anna"),
        ];
        for trusted in [&[][..], &["10.0.0.0/8"]] {
            let (client, is_proxied, left) = client(trusted, "192.0.2.7", &headers);
            assert_eq!((client.as_str(), is_proxied), ("192.0.2.7", false));
            assert_eq!(left, ["x-user"]);
        }
    }

    #[test]
    fn a_network_is_written_as_an_address_with_or_without_a_prefix() {
        for (text, network) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("10.1.2.3", "10.1.2.3/32"),
            ("::1", "::1/128"),
            ("fd00::/8", "fd00::/8"),
        ] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), network);
        }
        for text in ["", "loopback", "10.0.0.0/33", "10.0.0", "*"] {
            let error = text.parse::<Network>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{text}` is no network")), "{error}");
        }
    }
}
