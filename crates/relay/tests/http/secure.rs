//! Upstreams over TLS: whom the relay trusts, and what it says where the handshake fails.
//!
//! The certificates were made with `openssl ca` and are valid until 2120; the key is this test's alone.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use super::{Relayed, chat};

const AUTHORITY: &str = include_str!("certificates/authority.pem");
const HERE: &str = include_str!("certificates/here.pem");
const ELSEWHERE: &str = include_str!("certificates/elsewhere.pem");
const EXPIRED: &str = include_str!("certificates/expired.pem");
const SELF_SIGNED: &str = include_str!("certificates/selfsigned.pem");
const KEY: &str = include_str!("certificates/server.key");

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";

/// Does the same with every connection, until the test's process ends.
fn listening(serve: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().for_each(|socket| serve(socket.unwrap())));
    address
}

/// An upstream with this certificate.
fn with_certificate(certificate: &str) -> SocketAddr {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    listening(move |socket| {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = StreamOwned::new(connection, socket);
        // A client that does not trust it goes.
        if let Ok(1..) = stream.read(&mut [0; 1 << 16]) {
            stream.write_all(ANSWER).unwrap();
        }
    })
}

fn plain() -> SocketAddr {
    listening(|mut socket| {
        let _ = socket.read(&mut [0; 1 << 16]);
        let _ = socket.write_all(ANSWER);
    })
}

/// Status, code and detail of a request to a route with this upstream.
fn asked(upstream: &str, authorities: &str) -> (u16, String, String) {
    let relayed = Relayed::with(|route| {
        route.upstream = upstream.parse().unwrap();
        route.authorities = Some(authorities.to_owned());
    });
    let answers = [
        relayed.request("GET", "/v1/models", &[], ""),
        relayed.server.connect().ask(chat("hello", &[])),
    ];
    let [one, stream] = answers.map(|answer| {
        let said = |name: &str| answer.json()[name].as_str().unwrap_or_default().to_owned();
        (answer.status(), said("code"), said("detail"))
    });
    assert_eq!(one, stream);
    one
}

#[test]
fn an_authority_that_the_route_names_is_trusted() {
    let address = with_certificate(HERE);
    for host in ["127.0.0.1", "localhost"] {
        for authorities in [AUTHORITY.to_owned(), format!("{ELSEWHERE}\n{AUTHORITY}")] {
            let upstream = format!("https://{host}:{}/v1", address.port());
            assert_eq!(asked(&upstream, &authorities).0, 200, "{host}");
        }
    }
}

#[test]
fn an_upstream_that_cannot_be_trusted_or_speaks_something_else_is_502_with_what_to_do() {
    let garbage = listening(|mut socket| {
        let _ = socket.read(&mut [0; 1 << 16]);
        let _ = socket.write_all(b"\x15\x03\x01\x00\x02\x02\x46");
    });
    let gone = listening(drop);
    let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
    for (scheme, address, authorities, code, text) in [
        (
            "https",
            with_certificate(HERE),
            ELSEWHERE,
            "upstream_certificate",
            "`ca_file` of the route, or SSL_CERT_FILE",
        ),
        (
            "https",
            with_certificate(EXPIRED),
            AUTHORITY,
            "upstream_certificate",
            "has expired",
        ),
        (
            "https",
            with_certificate(SELF_SIGNED),
            SELF_SIGNED,
            "upstream_certificate",
            "(CA:TRUE), which no server may show",
        ),
        (
            "https",
            with_certificate(ELSEWHERE),
            AUTHORITY,
            "upstream_certificate",
            "is for another name",
        ),
        (
            "https",
            plain(),
            AUTHORITY,
            "upstream_tls",
            "write http:// in `upstream`",
        ),
        ("https", gone, AUTHORITY, "upstream_unreachable", "no connection"),
        (
            "http",
            with_certificate(HERE),
            AUTHORITY,
            "upstream_unreachable",
            "https:// in `upstream`",
        ),
        (
            "http",
            garbage,
            AUTHORITY,
            "upstream_unreachable",
            "https:// in `upstream`",
        ),
        (
            "http",
            gone,
            AUTHORITY,
            "upstream_unreachable",
            "the connection broke before an answer came",
        ),
        ("http", nobody, AUTHORITY, "upstream_unreachable", "is it running"),
    ] {
        let (status, said, detail) = asked(&format!("{scheme}://{address}/v1"), authorities);
        assert_eq!((status, &*said), (502, code), "{scheme} {text}: {detail}");
        assert!(detail.contains(text), "{scheme} {text}: {detail}");
        for told in ["127.0.0.1", "elsewhere.test"] {
            assert!(!detail.contains(told), "{detail}");
        }
    }
}
