//! The reverse proxies of `docs/security.md` before the real server, with TLS and tokens, as printed there.
//!
//! A block `` ```nginx proxy `` or `` ```caddyfile proxy `` is a proxy's configuration, `` ```toml proxied `` is the server's
//! behind it. Only addresses, files and the certificate's issuer are the test's. A proxy that is not installed shows as
//! ignored.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, sync_channel},
    thread,
    time::Duration,
};

use libtest_mimic::Trial;

use crate::{
    document::{ADDRESS, Block, Document},
    snippet::is_missing,
    support::{process::tidewire, serve::Serve},
};

/// Another process may take the port before the proxy does.
const TRIES: usize = 5;
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);

const PUBLISH: &str = "Authorization: Bearer a-token-for-publishing-0123456789";
const READ: &str = "Authorization: Bearer a-token-for-reading-0123456789";

/// A client's address; the proxy's is 127.0.0.1.
const CLIENT: &str = "127.0.0.3";

pub(crate) fn trials() -> Vec<Trial> {
    let document: &'static Document = Box::leak(Box::new(Document::read("security.md")));
    let blocks = document.blocks().iter().filter(|block| block.has("proxy"));
    let trials = blocks.flat_map(|block| {
        let trial = |name: &str, test: fn(&Document, &Block)| {
            let name = format!("{}_{name}", program(block));
            let trial = Trial::test(name, move || {
                test(document, block);
                Ok(())
            });
            trial.with_ignored_flag(is_missing(program(block)))
        };
        [
            trial("passes_tokens_and_streams_on", passes_on),
            trial("is_believed_about_its_clients_and_nobody_else_is", is_believed),
        ]
    });
    trials.collect()
}

fn program(block: &Block) -> &'static str {
    match block.language.as_str() {
        "nginx" => "nginx",
        "caddyfile" => "caddy",
        other => panic!("nothing runs a proxy's {other}"),
    }
}

fn passes_on(document: &Document, block: &Block) {
    let server = server(document, "");
    let proxy = Proxy::before(&server, block);
    let status = |args: &[&str]| proxy.ask(CLIENT, args).0;

    assert_eq!(status(&["/healthz"]), 200);
    assert_eq!(status(&["/events/t"]), 401);
    assert_eq!(status(&["/events/t", "-d", "x"]), 401);
    assert_eq!(
        status(&["/events/t", "-d", "x", "-H", "Authorization: Bearer wrong"]),
        401
    );
    assert_eq!(status(&["/events/t", "-d", "x", "-H", READ]), 403);
    assert_eq!(status(&["/events/t", "-d", "x", "-H", PUBLISH]), 200);
    assert_eq!(status(&["/stats", "-H", READ]), 403);
    // A page of the server itself, and another one.
    let own = format!("Origin: https://{}", proxy.authority());
    assert_eq!(status(&["/events/t", "-d", "x", "-H", PUBLISH, "-H", &own]), 200);
    let foreign = "Origin: https://foreign.example";
    assert_eq!(
        status(&["/events/t", "-d", "x", "-H", PUBLISH, "-H", foreign]),
        403
    );

    // Longer than what proxies take by default.
    let line = format!("{{\"data\":\"{}\"}}\n", "x".repeat(1000));
    let mut bulk = tempfile::NamedTempFile::new().unwrap();
    bulk.write_all(line.repeat(3000).as_bytes()).unwrap();
    let body = format!("@{}", bulk.path().display());
    let kind = "Content-Type: application/x-ndjson";
    let (status, said) = proxy.ask(
        CLIENT,
        &["/events/bulk", "--data-binary", &body, "-H", kind, "-H", PUBLISH],
    );
    assert!(
        status == 200 && said.contains("\"count\":3000"),
        "{status} {said}"
    );

    for accept in ["text/event-stream", "application/x-ndjson"] {
        let accept = format!("Accept: {accept}");
        let lines = proxy.stream(&["/events/live?last=1", "-H", &accept, "-H", READ]);
        // The next event is published when the one before has come: nothing in between waits for more.
        for number in 1..=3 {
            let event = format!("event-{number}");
            assert_eq!(
                proxy
                    .ask(CLIENT, &["/events/live", "-d", &event, "-H", PUBLISH])
                    .0,
                200
            );
            wait_for(&lines, &event);
        }
    }
}

/// The upstream of a relay's route is told whose request it is.
fn is_believed(document: &Document, block: &Block) {
    let echo = Echo::start();
    let route = format!(
        "[[relay]]\npath = \"/echo\"\nupstream = \"{}\"\nforwarded = true\n",
        echo.url
    );
    let server = server(document, &route);
    let proxy = Proxy::before(&server, block);
    let forged = [
        "X-Forwarded-For: 192.0.2.66",
        "Forwarded: for=192.0.2.66",
        "X-Real-IP: 192.0.2.66",
    ];
    let forged = forged.iter().flat_map(|header| ["-H", header]);
    let args: Vec<&str> = ["/echo/x", "-H", READ].into_iter().chain(forged).collect();

    let (status, head) = proxy.ask(CLIENT, &args);
    assert_eq!(status, 200, "{head}");
    assert_eq!(
        header(&head, "x-forwarded-for"),
        Some("127.0.0.3, 127.0.0.1"),
        "{head}"
    );
    assert_eq!(header(&head, "x-forwarded-proto"), Some("https"), "{head}");
    assert!(!head.contains("192.0.2.66"), "{head}");

    // Past the proxy, from an address that is not trusted.
    let url = format!("{}{}", server.url, args[0]);
    let (status, head) = curl("127.0.0.2", &[&[url.as_str()], &args[1..]].concat());
    assert_eq!(status, 200, "{head}");
    assert_eq!(header(&head, "x-forwarded-for"), Some("127.0.0.2"), "{head}");
    assert!(!head.contains("192.0.2.66"), "{head}");
}

/// The server as documented, and these settings more.
fn server(document: &Document, more: &str) -> Serve {
    let block = document.blocks().iter().find(|block| block.has("proxied"));
    let settings = block
        .expect("the server's settings")
        .text
        .replace(ADDRESS, "127.0.0.1:0");
    let settings = settings.replace("/etc/tidewire/", "");
    let token = |header: &str| header.rsplit(' ').next().unwrap().to_owned() + "\n";
    let command = tidewire(["serve", "--log", "off"])
        .file("tidewire.toml", &(settings + more))
        .file("publish.tokens", &token(PUBLISH))
        .file("read.tokens", &token(READ));
    for file in ["publish.tokens", "read.tokens"] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(command.path().join(file), mode).unwrap();
    }
    Serve::start_as(command)
}

/// A proxy that runs. It is killed when this is dropped.
struct Proxy {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Proxy {
    fn before(server: &Serve, block: &Block) -> Self {
        let started = (0..TRIES).find_map(|_| Self::start(server, block));
        started.expect("the proxy starts")
    }

    fn start(server: &Serve, block: &Block) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let text = block.text.replace(ADDRESS, server.address());
        let mut command = match program(block) {
            "nginx" => nginx(&text, folder.path(), port),
            _ => caddy(&text, folder.path(), port),
        };
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        let mut proxy = Self {
            child: child.unwrap(),
            port,
            _folder: folder,
        };
        let mut answer = (0, String::new());
        for _ in 0..PATIENCE.as_millis() / LOOK.as_millis() {
            if proxy.child.try_wait().unwrap().is_some() {
                let said = fs::read_to_string(proxy._folder.path().join("log")).unwrap();
                assert!(said.to_lowercase().contains("address already in use"), "{said}");
                return None;
            }
            answer = proxy.ask(CLIENT, &["/healthz"]);
            if answer.0 == 200 {
                return Some(proxy);
            }
            thread::sleep(LOOK);
        }
        let said = fs::read_to_string(proxy._folder.path().join("log")).unwrap();
        panic!("the proxy answers {answer:?} and says:\n{said}");
    }

    fn authority(&self) -> String {
        format!("your.name:{}", self.port)
    }

    /// What a client at this address gets: a target and curl's arguments go in, a status and a body come out.
    fn ask(&self, from: &str, args: &[&str]) -> (u16, String) {
        let (url, resolve) = self.url(args[0]);
        curl(from, &[&["--resolve", &resolve, &url][..], &args[1..]].concat())
    }

    /// A stream's lines, as they come.
    fn stream(&self, args: &[&str]) -> Stream {
        let (url, resolve) = self.url(args[0]);
        let mut command = command(CLIENT);
        command.args(["-N", "--resolve", &resolve, &url]).args(&args[1..]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = sync_channel(100);
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Stream { child, lines }
    }

    fn url(&self, target: &str) -> (String, String) {
        let authority = self.authority();
        (
            format!("https://{authority}{target}"),
            format!("{authority}:127.0.0.1"),
        )
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Stream {
    child: Child,
    lines: Receiver<String>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait_for(stream: &Stream, text: &str) {
    loop {
        let line = stream.lines.recv_timeout(PATIENCE);
        match line {
            Ok(line) if line.contains(text) => return,
            Ok(_) => {}
            Err(error) => panic!("{text} does not come: {error}"),
        }
    }
}

fn command(from: &str) -> Command {
    let mut command = Command::new("curl");
    command.args(["-sk", "--noproxy", "*", "--interface", from]);
    command
}

fn curl(from: &str, args: &[&str]) -> (u16, String) {
    let output = command(from)
        .args(["--max-time", "30", "-w", "\n%{http_code}"])
        .args(args)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), body.to_owned())
}

fn nginx(text: &str, folder: &Path, port: u16) -> Command {
    let file = |name: &str| folder.join(name).display().to_string();
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=your.name",
        ])
        .args(["-keyout", &file("key"), "-out", &file("certificate")])
        .stderr(Stdio::null())
        .status();
    assert!(made.unwrap().success(), "openssl makes a certificate");
    let text = text
        .replace("listen 443 ", &format!("listen 127.0.0.1:{port} "))
        .replace("/etc/ssl/your.name.pem", &file("certificate"))
        .replace("/etc/ssl/your.name.key", &file("key"));
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {};", file(name)))
        .join(" ");
    let whole = format!(
        "daemon off; master_process off; pid {}; error_log stderr; events {{}}\nhttp {{ access_log off; {temporary}\n{text}}}\n",
        file("pid")
    );
    fs::write(folder.join("nginx.conf"), whole).unwrap();
    let mut command = Command::new("nginx");
    command
        .args(["-e", "stderr", "-p"])
        .arg(folder)
        .arg("-c")
        .arg(folder.join("nginx.conf"));
    command
}

/// Its own authority signs the certificate, as no public one would.
fn caddy(text: &str, folder: &Path, port: u16) -> Command {
    let options = "{\n\tadmin off\n\tlocal_certs\n\tskip_install_trust\n\tauto_https disable_redirects\n\
                   \tdefault_bind 127.0.0.1\n\tservers {\n\t\tprotocols h1 h2\n\t}\n}\n";
    let text = text.replace("your.name {", &format!("your.name:{port} {{"));
    fs::write(folder.join("Caddyfile"), format!("{options}{text}")).unwrap();
    let mut command = Command::new("caddy");
    command
        .args(["run", "--adapter", "caddyfile", "--config"])
        .arg(folder.join("Caddyfile"));
    for variable in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
        command.env(variable, folder);
    }
    command
}

/// An upstream that answers with the request's head.
struct Echo {
    url: String,
}

impl Echo {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut head = String::new();
                let mut byte = [0];
                while !head.ends_with("\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
                    head.push(byte[0].into());
                }
                let length = head.len();
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{head}"
                );
                // The client may have gone.
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { url }
    }
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    fields
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}
