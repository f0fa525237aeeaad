//! The HTTP client for the upstream of a route: no redirects, nothing tried again, nothing unpacked.

use std::{net::IpAddr, sync::Arc};

use reqwest::{Client, ClientBuilder, redirect, retry};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, pem::PemObject as _},
};
use rustls_platform_verifier::Verifier;
use url::Host;

use super::{StartError, config::Route};

/// For requests; it keeps at most so many idle connections.
pub(super) fn of(route: &Route, max_idle: usize) -> Result<Client, StartError> {
    let tls = tls(route, &[b"h2", b"http/1.1"])?;
    let client = builder(route).pool_max_idle_per_host(max_idle);
    Ok(client.tls_backend_preconfigured(tls).build()?)
}

/// For WebSockets, which need HTTP/1.1 and a connection each.
pub(super) fn for_websockets(route: &Route) -> Result<Client, StartError> {
    let tls = tls(route, &[b"http/1.1"])?;
    let client = builder(route).pool_max_idle_per_host(0).http1_only();
    Ok(client.tls_backend_preconfigured(tls).build()?)
}

fn builder(route: &Route) -> ClientBuilder {
    let is_here = match route.upstream.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::from(ip).is_loopback(),
        None => false,
    };
    let client = Client::builder()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .connect_timeout(route.times.connect)
        .tcp_nodelay(true);
    match is_here {
        true => client.no_proxy(),
        false => client,
    }
}

/// TLS with the provider of the process, or else with ring: which one a process has is for its binary to choose.
fn tls(route: &Route, protocols: &[&[u8]]) -> Result<ClientConfig, rustls::Error> {
    let provider = CryptoProvider::get_default().cloned();
    let provider = provider.unwrap_or_else(|| Arc::new(ring::default_provider()));
    let authorities = route.authorities.as_deref().unwrap_or_default();
    let authorities = CertificateDer::pem_slice_iter(authorities.as_bytes()).filter_map(Result::ok);
    let config =
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let config = match Verifier::new_with_extra_roots(authorities, provider) {
        Ok(verifier) => config
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier)),
        // A system that trusts nobody, as a small container does, can still relay to an upstream without TLS.
        Err(_) if route.upstream.scheme() == "http" => config.with_root_certificates(RootCertStore::empty()),
        Err(error) => return Err(error),
    };
    let mut config = config.with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(config)
}
