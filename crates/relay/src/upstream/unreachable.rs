//! Why an upstream cannot be asked, in words that say what to do.
//!
//! Errors of the client name the upstream's address, which may hold a key, and its certificate's names: these go
//! into the log, and the asker learns the kind of the failure.

use std::{error::Error, io};

use http::uri::Scheme;
use rustls::{AlertDescription, CertificateError, Error as TlsError};

use crate::{config::Route, dialect::Broken};

/// What to tell the asker. The rest is logged.
pub(crate) fn unreachable(route: &Route, error: &reqwest::Error) -> Broken {
    tracing::warn!(route = %route.path, error = %causes(error), "an upstream cannot be asked");
    let (code, what) = match tls_error(error) {
        Some(TlsError::InvalidCertificate(certificate)) => {
            ("upstream_certificate", of_certificate(certificate))
        }
        Some(tls) => ("upstream_tls", of_tls(tls)),
        None => ("upstream_unreachable", of_connection(route, error)),
    };
    Broken {
        code,
        message: format!("the upstream cannot be asked: {what}"),
    }
}

fn of_certificate(error: &CertificateError) -> String {
    use CertificateError as E;
    match error {
        E::UnknownIssuer | E::BadSignature => "its certificate is signed by an authority that this server does not \
             trust: name a file with the authority's certificate (`ca_file` of the route, or SSL_CERT_FILE in the \
             server's environment)"
            .into(),
        E::Expired | E::ExpiredContext { .. } => {
            "its certificate has expired: the upstream needs a new one (or this server's clock is wrong)".into()
        }
        E::NotValidYet | E::NotValidYetContext { .. } => {
            "its certificate is not valid yet: is this server's clock right?".into()
        }
        E::NotValidForName | E::NotValidForNameContext { .. } => {
            "its certificate is for another name: write the name of the certificate in `upstream`".into()
        }
        // What `openssl req -x509` makes, unless it is told otherwise.
        other if other.to_string().contains("CaUsedAsEndEntity") => {
            "its certificate is that of an authority (CA:TRUE), which no server may show: it needs one that the \
             authority has signed, or one with CA:FALSE"
                .into()
        }
        E::Revoked => "its certificate has been revoked: the upstream needs a new one".into(),
        _ => "its certificate cannot be used (the server's log says why)".into(),
    }
}

fn of_tls(error: &TlsError) -> String {
    match error {
        TlsError::InvalidMessage(_) => {
            "it does not speak TLS: if it speaks plain HTTP, write http:// in `upstream`".into()
        }
        TlsError::AlertReceived(AlertDescription::CertificateRequired) => {
            "it wants a certificate of its client, which the relay does not have".into()
        }
        TlsError::AlertReceived(alert) => format!("it refused the TLS handshake ({alert:?})"),
        _ => "the TLS handshake failed (the server's log says why)".into(),
    }
}

fn of_connection(route: &Route, error: &reqwest::Error) -> String {
    let causes = causes(error);
    let is_plain = route.upstream.scheme() == Scheme::HTTP.as_str();
    let mut chain = chain(error);
    let http = chain.find_map(|cause| cause.downcast_ref::<hyper::Error>());
    match http {
        _ if error.is_timeout() => "no connection within the time it may take (connect)".into(),
        _ if error.is_connect() && causes.contains("tunnel") => {
            "the proxy of the server's environment (HTTPS_PROXY) does not connect to it: NO_PROXY names upstreams \
             that are asked directly"
                .into()
        }
        _ if error.is_connect() && causes.contains("dns error") => {
            "its name cannot be resolved: is `upstream` right?".into()
        }
        _ if error.is_connect() => "no connection: is it running, and its address right?".into(),
        Some(http) if http.is_parse() && is_plain => {
            "its answer is no HTTP: if it speaks TLS, write https:// in `upstream`".into()
        }
        Some(http) if http.is_parse() => "its answer is no HTTP".into(),
        _ if is_plain => "the connection broke before an answer came (an upstream that speaks TLS needs https:// in `upstream`)".into(),
        _ => "the connection broke before an answer came".into(),
    }
}

/// An error and what lies under it, also inside errors of I/O, which hide it.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| {
        let error: &'a (dyn Error + 'static) = *error;
        let hidden = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        match hidden {
            Some(hidden) => Some(hidden as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

fn tls_error(error: &reqwest::Error) -> Option<&TlsError> {
    chain(error).find_map(|cause| cause.downcast_ref())
}

/// What lies under an error of the client, without the address that it was about.
pub(super) fn causes(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut cause = Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}{}{error}", if text.is_empty() { "" } else { ": " });
        cause = error.source();
    }
    text
}
