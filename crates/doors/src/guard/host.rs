//! The `Host` of a request: loopback or configured, else a name that an attacker pointed at this machine
//! (DNS rebinding) would make foreign pages pages of our own.

use std::net::IpAddr;

use axum::extract::Request;
use http::{StatusCode, Version, header, uri::Authority};

use super::single;
use crate::Problem;

/// The names that the server answers for, besides the loopback ones.
#[derive(Debug, Clone, Default)]
pub(super) struct Hosts {
    names: Vec<String>,
    addresses: Vec<IpAddr>,
    /// Any address is one of ours: no name can be pointed at an address, so no page of another name comes by it.
    pub(super) any_address: bool,
    /// There is no flag that would add one.
    is_fixed: bool,
}

impl Hosts {
    pub(super) fn loopback() -> Self {
        Self {
            is_fixed: true,
            ..Self::default()
        }
    }

    pub(super) fn new(hosts: impl IntoIterator<Item = String>) -> Self {
        let mut known = Self::default();
        for host in hosts {
            match address(&host) {
                Some(ip) => known.addresses.push(ip),
                None => known.names.push(host.to_ascii_lowercase()),
            }
        }
        known
    }

    /// The host that the request names, if any (HTTP/1.0 need not), which is one of ours.
    pub(super) fn check(&self, request: &Request) -> Result<Option<Authority>, Problem> {
        match named(request)? {
            Some(host) if !self.knows(host.host()) => Err(Problem::new(
                StatusCode::MISDIRECTED_REQUEST,
                "foreign_host",
                match self.is_fixed {
                    true => {
                        format!("this does not answer for {host}, only for localhost, 127.0.0.1 and [::1]")
                    }
                    false => format!(
                        "this server does not answer for {host}: start it with --host {}",
                        host.host()
                    ),
                },
            )),
            host => Ok(host),
        }
    }

    fn knows(&self, host: &str) -> bool {
        let name = host.trim_end_matches('.');
        match address(name) {
            Some(ip) => self.any_address || is_loopback(name) || self.addresses.contains(&ip),
            None => {
                let ours = |known: &String| known.eq_ignore_ascii_case(name);
                is_loopback(name) || self.names.iter().any(ours)
            }
        }
    }
}

/// Whether a host is this machine for whoever names it: `localhost`, a name below it (RFC 6761), or a loopback address.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    match address(host) {
        Some(ip) => ip.to_canonical().is_loopback(),
        None => {
            let top = host.rsplit('.').next().unwrap_or_default();
            top.eq_ignore_ascii_case("localhost")
        }
    }
}

/// A host that is an address and no name; IPv6 in brackets, as in a URL.
fn address(host: &str) -> Option<IpAddr> {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    bare.parse().ok()
}

fn named(request: &Request) -> Result<Option<Authority>, Problem> {
    let wrong = |why| {
        Problem::bad_request(
            "bad_host",
            format!("{why}: send one Host header with a host and a port"),
        )
    };
    if let Some(authority) = request.uri().authority() {
        return Ok(Some(authority.clone()));
    }
    match single(request.headers(), &header::HOST)
        .map_err(|()| wrong("the request has more than one Host"))?
    {
        Some(host) => Authority::try_from(host.as_bytes())
            .map(Some)
            .map_err(|_| wrong("the Host is none")),
        None if request.version() < Version::HTTP_11 => Ok(None),
        None => Err(wrong("the request has no Host")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{request, status};
    use super::*;

    #[test]
    fn only_loopback_and_configured_hosts_are_answered() {
        let hosts = ["Tide.example", "10.0.0.2", "[2001:DB8::2]"].map(String::from);
        let hosts = Hosts::new(hosts);
        let check = |headers: &[(header::HeaderName, &str)]| {
            status(hosts.check(&request("GET", "/", headers)).map(|_| ()))
        };
        let answer = |host| check(&[(header::HOST, host)]);
        for known in [
            "localhost",
            "LOCALHOST:8420",
            "127.0.0.1:8420",
            "127.9.9.9",
            "[::1]:8420",
            "[::1]",
            "tide.example:443",
            "TIDE.EXAMPLE",
            "localhost.",
            "app.localhost:8420",
            "a.b.LOCALHOST",
            "10.0.0.2:8420",
            "[2001:db8:0::2]:8420",
        ] {
            assert_eq!(answer(known), 200, "{known}");
        }
        for foreign in [
            "evil.example",
            "localhost.evil.example",
            "applocalhost",
            "10.0.0.1",
            "0.0.0.0",
            "127.0.0.1.evil.example",
            "[2001:db8::3]",
        ] {
            assert_eq!(answer(foreign), 421, "{foreign}");
        }
        let beyond = Hosts {
            any_address: true,
            ..Hosts::default()
        };
        for (host, status_of_it) in [
            ("10.244.1.7:8420", 200),
            ("[2001:db8::3]:8420", 200),
            ("app.localhost", 200),
            ("evil.example", 421),
            ("10.0.0.1.evil.example", 421),
        ] {
            let request = request("GET", "/", &[(header::HOST, host)]);
            assert_eq!(status(beyond.check(&request).map(|_| ())), status_of_it, "{host}");
        }
        assert_eq!(answer(""), 400);
        assert_eq!(check(&[]), 400);
        let twice = [(header::HOST, "localhost"), (header::HOST, "localhost")];
        assert_eq!(check(&twice), 400);
    }
}
