//! The way from the binary to an upstream: which authorities it trusts, which proxies it asks through, and how much
//! memory an upload takes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]
#![allow(unreachable_pub, reason = "nobody can reach into a test anyway")]

mod support;

use std::{
    io::{BufRead as _, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        mpsc::{Receiver, sync_channel},
    },
    thread,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use support::{
    process::{Tidewire, tidewire},
    serve::Serve,
};

// The tests of the doors have said where these come from.
const AUTHORITY: &str = include_str!("../../relay/tests/http/certificates/authority.pem");
const HERE: &str = include_str!("../../relay/tests/http/certificates/here.pem");
const ELSEWHERE: &str = include_str!("../../relay/tests/http/certificates/elsewhere.pem");
const KEY: &str = include_str!("../../relay/tests/http/certificates/server.key");

/// Does the same with every connection, until the test's process ends.
fn listening(serve: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().for_each(|socket| serve(socket.unwrap())));
    address
}

/// The head of a request; empty where its client has gone.
fn head(stream: impl Read) -> String {
    let mut lines = BufReader::with_capacity(1, stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && lines.read_line(&mut head).is_ok_and(|read| read > 0) {}
    head
}

fn answer(stream: &mut impl Write, body: &str) {
    let len = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n");
    // Its client may have gone.
    let _ = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(body.as_bytes()));
}

/// An upstream with the certificate for 127.0.0.1 and upstream.test.
fn over_tls(socket: TcpStream) {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(HERE.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap(),
        )
        .unwrap();
    let connection = ServerConnection::new(Arc::new(config)).unwrap();
    let mut stream = StreamOwned::new(connection, socket);
    if !head(&mut stream).is_empty() {
        answer(&mut stream, "over TLS");
    }
}

/// A server with one route to this upstream.
fn relay(upstream: &str, settings: &str) -> Tidewire {
    let file = format!("[[relay]]\npath = \"/v1\"\nupstream = \"{upstream}\"\n{settings}\n");
    tidewire(["serve", "--listen", "127.0.0.1:0", "--log", "off"])
        .file("tidewire.toml", &file)
        .file("authority.pem", AUTHORITY)
        .file("elsewhere.pem", ELSEWHERE)
}

/// What the server answers to a request on its route.
fn get(server: &Serve) -> String {
    let mut socket = TcpStream::connect(server.address()).unwrap();
    socket
        .write_all(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[track_caller]
fn says(command: Tidewire, text: &str) {
    let answer = get(&Serve::start_as(command));
    assert!(answer.contains(text), "{text:?} is missing: {answer}");
}

#[test]
fn an_authority_is_named_by_the_route_or_by_the_environment() {
    let upstream = format!("https://{}/v1", listening(over_tls));
    let other = |command: Tidewire| command.env("SSL_CERT_FILE", "elsewhere.pem");
    says(other(relay(&upstream, "ca_file = \"authority.pem\"")), "over TLS");
    says(
        relay(&upstream, "").env("SSL_CERT_FILE", "authority.pem"),
        "over TLS",
    );
    says(other(relay(&upstream, "")), "\"code\":\"upstream_certificate\"");
}

#[test]
fn a_system_without_authorities_relays_to_an_upstream_without_tls_and_to_one_whose_authority_is_named() {
    let nothing = |command: Tidewire| command.env("SSL_CERT_FILE", "nothing.pem");
    let plain = listening(|mut socket| {
        head(&socket);
        answer(&mut socket, "in plain");
    });
    says(nothing(relay(&format!("http://{plain}/v1"), "")), "in plain");
    let upstream = format!("https://{}/v1", listening(over_tls));
    says(
        nothing(relay(&upstream, "ca_file = \"authority.pem\"")),
        "over TLS",
    );
}

#[test]
fn a_file_of_authorities_that_is_none_is_refused_before_the_start() {
    for (file, text) in [
        ("missing.pem", "cannot read its ca_file missing.pem"),
        ("tidewire.toml", "ca_file holds no certificate"),
        ("broken.pem", "ca_file holds what is no certificate"),
    ] {
        let check = relay("https://127.0.0.1/v1", &format!("ca_file = \"{file}\"")).file(
            "broken.pem",
            "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n",
        );
        let run = check.run();
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        assert!(
            run.stderr.contains("/v1") && run.stderr.contains(text),
            "{}",
            run.stderr
        );
    }
}

/// A proxy, and the heads of what it was asked: requests, which it answers itself, and tunnels to an upstream over TLS.
fn proxy() -> (String, Receiver<String>) {
    let (asked, heads) = sync_channel(100);
    let address = listening(move |mut socket| {
        let head = head(&socket);
        let is_tunnel = head.starts_with("CONNECT upstream.test:443 ");
        let is_refused = head.starts_with("CONNECT ") && !is_tunnel;
        asked.send(head).unwrap();
        if is_refused {
            let _ = socket.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
        } else if is_tunnel {
            socket
                .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
                .unwrap();
            over_tls(socket);
        } else {
            answer(&mut socket, "by the proxy");
        }
    });
    (format!("http://anna:pass@{address}"), heads)
}

#[test]
fn upstreams_are_asked_through_the_proxies_of_the_environment_but_those_that_it_names_and_this_machine() {
    let (proxy, heads) = proxy();
    let authorization = "proxy-authorization: basic yw5uytpwyxnz";
    says(
        relay("http://upstream.test/v1", "").env("HTTP_PROXY", &proxy),
        "by the proxy",
    );
    let asked = heads.recv().unwrap();
    assert!(
        asked.starts_with("GET http://upstream.test/v1/models "),
        "{asked}"
    );
    assert!(asked.to_lowercase().contains(authorization), "{asked}");

    let https = relay("https://upstream.test/v1", "ca_file = \"authority.pem\"");
    says(https.env("HTTPS_PROXY", &proxy), "over TLS");
    let asked = heads.recv().unwrap();
    assert!(asked.to_lowercase().contains(authorization), "{asked}");
    let refused = relay("https://elsewhere.test/v1", "").env("ALL_PROXY", &proxy);
    says(refused, "the proxy of the server's environment (HTTPS_PROXY)");
    heads.recv().unwrap();

    let plain = listening(|mut socket| {
        head(&socket);
        answer(&mut socket, "directly");
    });
    // An address of this machine that is not known to be one.
    let upstream = format!("http://0.0.0.0:{}/v1", plain.port());
    says(relay(&upstream, "").env("http_proxy", &proxy), "by the proxy");
    let excepted = relay(&upstream, "").env("HTTP_PROXY", &proxy);
    says(excepted.env("NO_PROXY", "other.test,0.0.0.0"), "directly");
    says(
        relay(&format!("http://{plain}/v1"), "").env("ALL_PROXY", &proxy),
        "directly",
    );
}

#[cfg(target_os = "linux")]
#[test]
fn an_upload_passes_in_flat_memory() {
    const LEN: usize = 40 << 20;
    let upstream = listening(|mut socket| {
        thread::spawn(move || {
            let head = head(&socket);
            assert!(
                head.to_lowercase().contains(&format!("content-length: {LEN}")),
                "{head}"
            );
            let read = std::io::copy(&mut (&socket).take(LEN as u64), &mut std::io::sink()).unwrap();
            answer(&mut socket, &format!("{read} bytes"));
        });
    });
    let server = Serve::start_as(relay(&format!("http://{upstream}/v1"), ""));
    // Once, so that what every server has is there.
    assert!(upload(&server, LEN).contains("bytes"));
    let before = server.most_memory();
    let uploads: Vec<String> = thread::scope(|scope| {
        let begun: Vec<_> = (0..4).map(|_| scope.spawn(|| upload(&server, LEN))).collect();
        begun.into_iter().map(|upload| upload.join().unwrap()).collect()
    });
    assert!(
        uploads
            .iter()
            .all(|answer| answer.contains(&format!("{LEN} bytes"))),
        "{uploads:?}"
    );
    let grown = server.most_memory() - before;
    assert!(grown < LEN / 4, "{grown} bytes");
}

fn upload(server: &Serve, len: usize) -> String {
    let mut socket = TcpStream::connect(server.address()).unwrap();
    let head = format!(
        "POST /v1/files HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: audio/wav\r\nContent-Length: {len}\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).unwrap();
    let piece = vec![b'x'; 1 << 20];
    (0..len >> 20).for_each(|_| socket.write_all(&piece).unwrap());
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}
