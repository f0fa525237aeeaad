//! An upstream that does what the test says, byte by byte, and sees when its client goes.

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Mutex,
        mpsc::{Receiver, sync_channel},
    },
    thread,
    time::Duration,
};

use tokio::time::Instant;

use crate::client::PATIENCE;

pub struct Upstream {
    pub address: SocketAddr,
    calls: Mutex<Receiver<Call>>,
}

/// A request that has come whole.
pub struct Call {
    /// Its first line and its headers.
    pub head: String,
    pub body: String,
    socket: TcpStream,
}

impl Upstream {
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (send, calls) = sync_channel(1000);
        // It ends with the test's process at the latest.
        thread::spawn(move || {
            for socket in listener.incoming() {
                let send = send.clone();
                thread::spawn(move || {
                    if let Some(call) = Call::read(socket.unwrap()) {
                        let _ = send.send(call);
                    }
                });
            }
        });
        let calls = Mutex::new(calls);
        Self { address, calls }
    }

    #[track_caller]
    pub fn call(&self) -> Call {
        self.calls
            .lock()
            .unwrap()
            .recv_timeout(PATIENCE)
            .expect("nobody called")
    }

    /// The next call, if there is one in this time.
    pub fn call_within(&self, time: Duration) -> Option<Call> {
        self.calls.lock().unwrap().recv_timeout(time).ok()
    }

    /// Nobody calls for a while.
    #[track_caller]
    pub fn is_left_alone(&self) {
        let call = self.call_within(Duration::from_millis(200));
        assert!(
            call.is_none(),
            "called: {}",
            call.map(|call| call.head).unwrap_or_default()
        );
    }
}

impl Call {
    fn read(mut socket: TcpStream) -> Option<Self> {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        let mut bytes = Vec::new();
        let mut chunk = vec![0; 1 << 16];
        let mut more = |bytes: &mut Vec<u8>| {
            let read = socket.read(&mut chunk).ok().filter(|read| *read > 0)?;
            bytes.extend_from_slice(&chunk[..read]);
            Some(())
        };
        let end = loop {
            more(&mut bytes)?;
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
        };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let body = bytes.split_off(end + 4);
        let mut call = Self {
            head,
            body: String::new(),
            socket,
        };
        // Such a body is the test's to read.
        if call.header("x-test-body") == Some("later") {
            call.body = String::from_utf8(body).unwrap();
            return Some(call);
        }
        let len = call
            .header("content-length")
            .map_or(0, |len| len.parse().unwrap());
        let mut body = body;
        while body.len() < len {
            let read = call.socket.read(&mut chunk).ok().filter(|read| *read > 0)?;
            body.extend_from_slice(&chunk[..read]);
        }
        call.body = String::from_utf8_lossy(&body).into_owned();
        Some(call)
    }

    /// So many bytes of the body, which must come; fewer where the client has cut it.
    pub fn read_body(&mut self, len: usize) -> usize {
        let mut left = len.saturating_sub(self.body.len());
        self.body = self.body.split_off(self.body.len().min(len));
        let mut piece = vec![0; 1 << 16];
        while left > 0 {
            match self.socket.read(&mut piece[..left.min(1 << 16)]) {
                Ok(0) => break,
                Ok(read) => left -= read,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
                Err(error) => panic!("no more of the body came: {error}"),
            }
        }
        len - left
    }

    /// So many bytes of what comes after the request.
    pub fn receive(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.socket.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// A body in chunks, which must come whole.
    pub fn chunks(&mut self) -> String {
        let mut bytes = std::mem::take(&mut self.body).into_bytes();
        let mut piece = vec![0; 1 << 16];
        while !bytes.ends_with(b"\r\n0\r\n\r\n") {
            let read = self.socket.read(&mut piece).unwrap();
            assert!(read > 0, "the body has no end");
            bytes.extend_from_slice(&piece[..read]);
        }
        let mut rest = String::from_utf8(bytes).unwrap();
        let mut body = String::new();
        while let Some((len, more)) = rest.split_once("\r\n") {
            let len = usize::from_str_radix(len, 16).unwrap();
            body += &more[..len];
            rest = more[len + 2..].to_owned();
        }
        body
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Bytes as they are.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket.write_all(bytes.as_ref()).unwrap();
    }

    /// The head of an event stream in chunks.
    pub fn stream(&mut self) {
        self.stream_with("");
    }

    pub fn stream_with(&mut self, headers: &str) {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n";
        self.send(format!("{head}{headers}\r\n"));
    }

    /// A chunk of the body.
    pub fn chunk(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_chunk(bytes).unwrap();
    }

    /// A chunk, unless the client has gone.
    pub fn try_chunk(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        let bytes = bytes.as_ref();
        let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
        self.socket.write_all(&chunk)
    }

    pub fn event(&mut self, data: &str) {
        self.chunk(format!("data: {data}\n\n"));
    }

    /// The end of the body.
    pub fn end(mut self) {
        self.send("0\r\n\r\n");
    }

    /// A whole answer.
    pub fn answer(mut self, status: &str, headers: &str, body: &str) {
        let len = body.len();
        self.send(format!(
            "HTTP/1.1 {status}\r\n{headers}Content-Length: {len}\r\n\r\n{body}"
        ));
    }

    /// How long it takes until the client has gone.
    #[track_caller]
    pub fn gone(&mut self) -> Duration {
        let start = Instant::now();
        match self.socket.read(&mut [0; 16]) {
            Ok(0) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            other => panic!("the client is still there: {other:?}"),
        }
        start.elapsed()
    }

    /// The client stays for so long.
    #[track_caller]
    pub fn is_wanted_for(&mut self, time: Duration) {
        assert!(self.stays_for(time), "the client has gone");
    }

    /// Whether the client stays for so long.
    pub fn stays_for(&mut self, time: Duration) -> bool {
        self.socket.set_read_timeout(Some(time)).unwrap();
        let read = self.socket.read(&mut [0; 16]);
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        matches!(&read, Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
    }
}
