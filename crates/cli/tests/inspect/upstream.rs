//! The server behind the tap: each connection carries one request, which is noted byte for byte, and is then the test's.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

pub struct Upstream {
    pub address: SocketAddr,
    asked: Receiver<Asked>,
}

/// A request, and the connection that it came on.
pub struct Asked {
    pub head: String,
    pub body: Vec<u8>,
    pub socket: TcpStream,
}

impl Upstream {
    /// Hands each request to the test.
    pub fn by_hand() -> Self {
        let (sender, asked) = sync_channel(16);
        Self {
            address: listen(move |socket| hand_over(socket, &sender)),
            asked,
        }
    }

    /// Answers each request with these bytes, and closes.
    pub fn answering(bytes: Vec<u8>) -> Self {
        let (sender, asked) = sync_channel(1_024);
        let address = listen(move |socket| {
            let mut request = read_request(socket);
            request.socket.write_all(&bytes).unwrap();
            // All is read before it is closed, so there is no reset.
            let _ = sender.try_send(request);
        });
        Self { address, asked }
    }

    pub fn next(&self) -> Asked {
        self.asked.recv_timeout(PATIENCE).unwrap()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Asked {
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The headers in their order, names in lower case.
    pub fn headers(&self) -> Vec<(String, String)> {
        let pair = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        self.head.lines().skip(1).map(pair).collect()
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    /// Sends one of HTTP's chunks.
    pub fn chunk(&mut self, bytes: &[u8]) {
        self.write(&chunked(&[bytes])[..]);
    }

    /// Begins an event stream.
    pub fn stream(&mut self) {
        self.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
        );
    }

    /// Waits until the other side has closed.
    pub fn until_closed(&mut self) {
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut buffer = [0; 1_024];
        while matches!(self.socket.read(&mut buffer), Ok(1..)) {}
        // A timeout would be an error here, as a reset is: only the latter comes at once.
        self.socket.set_nonblocking(true).unwrap();
        let read = self.socket.read(&mut buffer);
        let is_open = matches!(&read, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock);
        assert!(!is_open, "the tap keeps the connection");
    }
}

/// Bytes in HTTP's chunks, without the last one.
pub fn chunked(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
        bytes.extend_from_slice(part);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

fn listen(serve: impl Fn(TcpStream) + Send + Clone + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let serve = serve.clone();
            thread::spawn(move || serve(socket.unwrap()));
        }
    });
    address
}

fn hand_over(socket: TcpStream, to: &SyncSender<Asked>) {
    // The test may be over.
    let _ = to.send(read_request(socket));
}

fn read_request(mut socket: TcpStream) -> Asked {
    let mut bytes = Vec::new();
    let mut buffer = [0; 64 << 10];
    let mut more = |bytes: &mut Vec<u8>, socket: &mut TcpStream| {
        let read = socket.read(&mut buffer).unwrap();
        assert!(read > 0, "a request broke off");
        bytes.extend_from_slice(&buffer[..read]);
    };
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        more(&mut bytes, &mut socket);
    };
    let head = String::from_utf8(bytes[..end - 4].to_vec()).unwrap();
    let lower = head.to_ascii_lowercase();
    let length = lower
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = bytes.split_off(end);
    if let Some(length) = length {
        let length: usize = length.parse().unwrap();
        while body.len() < length {
            more(&mut body, &mut socket);
        }
    } else if lower.contains("transfer-encoding: chunked") {
        while !body.ends_with(b"0\r\n\r\n") {
            more(&mut body, &mut socket);
        }
    }
    Asked { head, body, socket }
}
