//! A client that sees every byte: heads as they are written, bodies with how they end.
//!
//! It blocks, so that tests read from top to bottom. What does not come at all fails the test.

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

/// What takes longer never comes. Shorter than the usual heartbeat, which would keep a reader waiting.
pub const PATIENCE: Duration = Duration::from_secs(12);

/// A connection.
pub struct Client {
    socket: TcpStream,
    unread: Vec<u8>,
}

/// A response before its body.
#[derive(Debug)]
pub struct Head {
    pub line: String,
    pub status: u16,
    pub headers: Vec<(String, String)>,
}

/// A whole response.
#[derive(Debug)]
pub struct Response {
    pub head: Head,
    pub body: String,
}

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// As it said: the final chunk, or its whole length.
    Finished,
    /// The connection ended before.
    Cut,
    /// The connection ended, which is the only end that this body has.
    Closed,
}

/// A response whose body is read as it comes.
pub struct Reader {
    pub head: Head,
    client: Client,
    framing: Framing,
    body: Vec<u8>,
}

enum Framing {
    Chunked,
    Length(usize),
    ToClose,
    Over(End),
}

/// A request as bytes; a body gets its length, a query its type.
pub fn request(method: &str, target: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut text = format!("{method} {target} HTTP/1.1\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        text += "Host: localhost\r\n";
    }
    if matches!(method, "POST" | "QUERY") {
        text += &format!("Content-Length: {}\r\n", body.len());
    }
    let has_type = headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    if method == "QUERY" && !has_type {
        text += "Content-Type: application/json\r\n";
    }
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    [text.as_bytes(), b"\r\n", body].concat()
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).unwrap())
    }

    /// Over a socket with options of its own.
    pub fn over(socket: TcpStream) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        let unread = Vec::new();
        Self { socket, unread }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends, unless the server has gone.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.socket.write_all(bytes.as_ref())
    }

    /// Sends nothing more, but goes on reading.
    pub fn stop_sending(&self) {
        self.socket.shutdown(Shutdown::Write).unwrap();
    }

    /// Sends a request and reads the whole response.
    pub fn ask(&mut self, request: impl AsRef<[u8]>) -> Response {
        self.send(request);
        self.response()
    }

    /// Reads a whole response.
    pub fn response(&mut self) -> Response {
        let head = self.head();
        let mut framing = Framing::of(&head);
        let mut body = Vec::new();
        while self.body(&mut framing, &mut body) {}
        assert!(!matches!(framing, Framing::Over(End::Cut)), "cut: {head:?}");
        let body = String::from_utf8(body).unwrap();
        Response { head, body }
    }

    /// Reads a head; the body is read as it comes.
    pub fn reader(mut self) -> Reader {
        let head = self.head();
        Reader {
            framing: Framing::of(&head),
            client: self,
            body: Vec::new(),
            head,
        }
    }

    /// Reads the head of a 101: what follows is another protocol's.
    pub fn switched(&mut self) -> Head {
        let head = self.head();
        assert_eq!(head.status, 101, "{head:?}");
        head
    }

    /// So many bytes.
    pub fn receive(&mut self, len: usize) -> Vec<u8> {
        self.exactly(len).expect("more bytes")
    }

    /// Reads on until the server closes the connection.
    pub fn rest(mut self) -> String {
        while self.fill() {}
        String::from_utf8(self.unread).unwrap()
    }

    fn head(&mut self) -> Head {
        let text = self.through(b"\r\n\r\n").expect("a response");
        let text = String::from_utf8(text).unwrap();
        let mut lines = text.trim_end().split("\r\n").map(str::to_owned);
        let line = lines.next().unwrap();
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_owned(), value.to_owned())
        });
        Head {
            status: line.split(' ').nth(1).unwrap().parse().unwrap(),
            headers: headers.collect(),
            line,
        }
    }

    /// Reads a piece of a body. False when it has ended.
    fn body(&mut self, framing: &mut Framing, body: &mut Vec<u8>) -> bool {
        match framing {
            Framing::Over(_) => return false,
            Framing::Chunked => match self.chunk() {
                Some(chunk) if chunk.is_empty() => *framing = Framing::Over(End::Finished),
                Some(chunk) => body.extend(chunk),
                None => *framing = Framing::Over(End::Cut),
            },
            Framing::Length(0) => *framing = Framing::Over(End::Finished),
            Framing::Length(left) => {
                if self.unread.is_empty() && !self.fill() {
                    *framing = Framing::Over(End::Cut);
                    return true;
                }
                let piece = self.unread.len().min(*left);
                body.extend(self.unread.drain(..piece));
                *left -= piece;
            }
            Framing::ToClose => {
                // Some may have come with the head.
                if self.unread.is_empty() && !self.fill() {
                    *framing = Framing::Over(End::Closed);
                }
                body.append(&mut self.unread);
            }
        }
        true
    }

    fn chunk(&mut self) -> Option<Vec<u8>> {
        let size = String::from_utf8(self.through(b"\r\n")?).unwrap();
        let size = usize::from_str_radix(size.trim_end(), 16).unwrap();
        let mut chunk = self.exactly(size + 2)?;
        assert_eq!(chunk.split_off(size), b"\r\n");
        Some(chunk)
    }

    fn exactly(&mut self, len: usize) -> Option<Vec<u8>> {
        while self.unread.len() < len {
            if !self.fill() {
                return None;
            }
        }
        Some(self.unread.drain(..len).collect())
    }

    fn through(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = position(&self.unread, end, 0) {
                return self.exactly(at + end.len());
            }
            if !self.fill() {
                return None;
            }
        }
    }

    /// Reads what there is. False when the connection has ended.
    fn fill(&mut self) -> bool {
        let mut piece = [0; 1 << 16];
        match self.socket.read(&mut piece) {
            Ok(len) => {
                self.unread.extend_from_slice(&piece[..len]);
                len > 0
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!(
                "nothing came ({error}) after {:?}",
                String::from_utf8_lossy(&self.unread)
            ),
        }
    }
}

impl Framing {
    fn of(head: &Head) -> Self {
        match (head.get("transfer-encoding"), head.get("content-length")) {
            (Some("chunked"), None) => Self::Chunked,
            (None, Some(len)) => Self::Length(len.parse().unwrap()),
            (None, None) if matches!(head.status, 100 | 204) => Self::Over(End::Finished),
            (None, None) => Self::ToClose,
            both => panic!("{both:?}"),
        }
    }
}

impl Head {
    /// A header that stands once, or not at all.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut values = self
            .headers
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} stands twice: {self:?}");
        value
    }
}

impl Response {
    pub fn status(&self) -> u16 {
        self.head.status
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The id of a publish that was accepted.
    pub fn id(&self) -> String {
        assert_eq!(self.status(), 200, "{self:?}");
        self.json()["id"].as_str().unwrap().to_owned()
    }
}

impl Reader {
    /// The next bytes are these.
    #[track_caller]
    pub fn expect(&mut self, text: &str) {
        while self.body.len() < text.len() && self.more() {}
        let len = text.len().min(self.body.len());
        let got = String::from_utf8(self.body.drain(..len).collect()).unwrap();
        assert_eq!(got, text);
    }

    /// The next line tells to come again after this time, in milliseconds, or up to half as much more.
    #[track_caller]
    pub fn expect_retry(&mut self, least: u64) -> u64 {
        let line = self.until("\n");
        let wait = line.strip_prefix("retry: ").map(|wait| wait.trim_end().parse());
        let wait = wait.unwrap_or_else(|| panic!("{line}")).unwrap();
        assert!((least..=least + least / 2).contains(&wait), "{wait}");
        wait
    }

    /// What comes up to this text, and with it.
    #[track_caller]
    pub fn until(&mut self, text: &str) -> String {
        let mut seen = 0;
        loop {
            if let Some(at) = position(&self.body, text.as_bytes(), seen) {
                return String::from_utf8(self.body.drain(..at + text.len()).collect()).unwrap();
            }
            seen = self.body.len().saturating_sub(text.len());
            if !self.more() {
                panic!("ended before {text:?}: {:?}", String::from_utf8_lossy(&self.body));
            }
        }
    }

    /// The next block, without its blank line.
    #[track_caller]
    pub fn block(&mut self) -> String {
        let mut block = self.until("\n\n");
        block.truncate(block.len() - 2);
        block
    }

    /// The data of the next event.
    #[track_caller]
    pub fn data(&mut self) -> String {
        let block = self.block();
        field(&block, "data").unwrap_or_else(|| panic!("no data in {block:?}"))
    }

    /// Everything that still comes, and how it ends.
    pub fn rest(mut self) -> (String, End) {
        while self.more() {}
        let Framing::Over(end) = self.framing else {
            unreachable!("nothing more comes");
        };
        (String::from_utf8(self.body).unwrap(), end)
    }

    /// Nothing more comes, and the body says so.
    #[track_caller]
    pub fn finished(self) {
        assert_eq!(self.rest(), (String::new(), End::Finished));
    }

    /// Sends nothing more, but goes on reading.
    pub fn stop_sending(&self) {
        self.client.stop_sending();
    }

    /// Whether the server has let go of the connection: a byte that is sent then is answered with a reset.
    pub fn is_let_go(&mut self) -> bool {
        self.client.socket.write_all(b"\n").is_err()
    }

    /// Nothing more comes, and the connection takes the next request.
    #[track_caller]
    pub fn into_client(mut self) -> Client {
        while self.more() {}
        assert!(matches!(self.framing, Framing::Over(End::Finished)));
        assert_eq!(String::from_utf8_lossy(&self.body), "");
        self.client
    }

    fn more(&mut self) -> bool {
        self.client.body(&mut self.framing, &mut self.body)
    }
}

/// A field's value in a block; several `data` lines are joined.
pub fn field(block: &str, name: &str) -> Option<String> {
    let values: Vec<_> = block
        .lines()
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        .collect();
    (!values.is_empty()).then(|| values.join("\n"))
}

fn position(bytes: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    let found = bytes[from..].windows(wanted.len()).position(|at| at == wanted);
    found.map(|at| from + at)
}

/// Waits for what another thread is about to do.
#[track_caller]
pub fn eventually(mut done: impl FnMut() -> bool) {
    let (step, mut waited) = (Duration::from_millis(5), Duration::ZERO);
    while !done() {
        assert!(waited < PATIENCE, "it never happens");
        std::thread::sleep(step);
        waited += step;
    }
}
