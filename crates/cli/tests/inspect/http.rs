//! A client without any comfort: bytes out, bytes in, so that nothing is mended on the way.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Nobody here is silent for so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: String,
    /// Names in lower case, sorted, without those of the connection.
    pub headers: Vec<(String, String)>,
    /// Without HTTP's chunks.
    pub body: Vec<u8>,
    /// The body came to its end, and was not cut.
    pub is_whole: bool,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(candidate, _)| candidate == name);
        found.map(|(_, value)| &**value)
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// A connection with a request on it.
pub struct Conversation {
    socket: TcpStream,
    bytes: Vec<u8>,
}

impl Conversation {
    pub fn begin(address: SocketAddr, request: &[u8]) -> Self {
        let mut socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.write_all(request).unwrap();
        Self {
            socket,
            bytes: Vec::new(),
        }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    /// Reads until what has come has this in it.
    pub fn until(&mut self, wanted: &str) {
        let has = |bytes: &[u8]| {
            bytes
                .windows(wanted.len())
                .any(|window| window == wanted.as_bytes())
        };
        while !has(&self.bytes) {
            assert!(
                self.read(),
                "{wanted:?} does not come: {:?}",
                String::from_utf8_lossy(&self.bytes)
            );
        }
    }

    /// Waits for more.
    pub fn more(&mut self) {
        assert!(self.read(), "it ended: {}", self.so_far());
    }

    /// What came so far, as text.
    pub fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// Reads the answer to its end.
    pub fn answer(mut self, method: &str) -> Answer {
        loop {
            if let Some(answer) = parse(&self.bytes, method, false) {
                return answer;
            }
            if !self.read() {
                let text = String::from_utf8_lossy(&self.bytes).into_owned();
                return parse(&self.bytes, method, true).unwrap_or_else(|| panic!("no answer: {text:?}"));
            }
        }
    }

    /// False: the other side has closed, or reset.
    fn read(&mut self) -> bool {
        let mut buffer = [0; 64 << 10];
        match self.socket.read(&mut buffer) {
            Ok(0) => false,
            Ok(read) => {
                self.bytes.extend_from_slice(&buffer[..read]);
                true
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => false,
            Err(error) => panic!("{error}: {}", self.so_far()),
        }
    }
}

/// Asks, and reads the answer to its end.
pub fn ask(address: SocketAddr, request: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(request);
    let method = text.split(' ').next().unwrap().to_owned();
    Conversation::begin(address, request).answer(&method)
}

/// A GET with nothing but what must be.
pub fn get(address: SocketAddr, target: &str) -> Answer {
    ask(address, request(address, "GET", target, "").as_bytes())
}

pub fn request(address: SocketAddr, method: &str, target: &str, headers: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n")
}

const OF_THE_CONNECTION: [&str; 4] = ["connection", "keep-alive", "transfer-encoding", "date"];

/// An answer, if it is complete, or if no more comes.
fn parse(bytes: &[u8], method: &str, is_over: bool) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let rest = &bytes[end + 4..];
    let mut lines = head.split("\r\n");
    let status = lines.next()?.to_owned();
    let all: Vec<(String, String)> = lines
        .map(|line| line.split_once(':').unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let value = |wanted: &str| {
        all.iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.clone())
    };
    let code = status.split(' ').nth(1).unwrap();
    let (body, is_whole) = if method == "HEAD" || code == "204" || code == "304" {
        (rest.to_vec(), true)
    } else if value("transfer-encoding").as_deref() == Some("chunked") {
        unchunked(rest)
    } else if let Some(length) = value("content-length") {
        let length: usize = length.parse().unwrap();
        if rest.len() < length && !is_over {
            return None;
        }
        (rest[..rest.len().min(length)].to_vec(), rest.len() >= length)
    } else {
        (rest.to_vec(), is_over)
    };
    if !is_whole && !is_over {
        return None;
    }
    let mut headers: Vec<_> = all
        .into_iter()
        .filter(|(name, _)| !OF_THE_CONNECTION.contains(&&**name))
        .collect();
    headers.sort();
    Some(Answer {
        status,
        headers,
        body,
        is_whole,
    })
}

/// The bytes in HTTP's chunks, and whether the last chunk is there.
fn unchunked(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(end) = bytes.windows(2).position(|window| window == b"\r\n") else {
            return (body, false);
        };
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).unwrap(), 16).unwrap();
        bytes = &bytes[end + 2..];
        if size == 0 {
            return (body, bytes.starts_with(b"\r\n"));
        }
        body.extend_from_slice(&bytes[..size.min(bytes.len())]);
        if bytes.len() < size + 2 {
            return (body, false);
        }
        bytes = &bytes[size + 2..];
    }
}
