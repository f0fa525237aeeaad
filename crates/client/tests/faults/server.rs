//! A server that does to each connection what the test says, byte by byte.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};

/// The head of a stream without a length: the end of the connection is its end.
pub const OPEN: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";

/// The same in chunks, so that an end and a cut are told apart.
pub const CHUNKED: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";

/// A request that came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The first is 0.
    pub number: usize,
    pub method: String,
    pub target: String,
    pub head: String,
    pub body: Vec<u8>,
}

impl Asked {
    /// All values of a header, in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    pub fn last_event_id(&self) -> &str {
        self.header("last-event-id").unwrap_or_default()
    }
}

/// One connection, with its request read.
pub struct Connection {
    pub asked: Asked,
    pub socket: TcpStream,
}

impl Connection {
    /// Writes, whether or not anybody is there still.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.socket.write_all(bytes.as_ref()).await;
        let _ = self.socket.flush().await;
    }

    /// Writes a chunk of a chunked body.
    pub async fn chunk(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
        chunk.extend_from_slice(bytes);
        chunk.extend_from_slice(b"\r\n");
        self.send(chunk).await;
    }

    /// Ends the connection with a reset.
    pub fn reset(self) {
        let _ = self.socket.set_zero_linger();
    }

    /// Waits until the client has closed the connection.
    pub async fn closed(&mut self) {
        let mut sink = [0; 1024];
        while let Ok(1..) = self.socket.read(&mut sink).await {}
    }

    /// An answer that is complete at once.
    pub async fn answer(&mut self, status: u16, headers: &str, body: &str) {
        let length = body.len();
        self.send(format!(
            "HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        ))
        .await;
    }
}

/// The server; it ends when it is dropped.
pub struct Server {
    pub address: SocketAddr,
    asked: mpsc::Receiver<Asked>,
    _accepting: JoinSet<()>,
}

impl Server {
    pub async fn start<F, Fut>(answer: F) -> Self
    where
        F: Fn(Connection) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, asked) = mpsc::channel(10_000);
        let answer = Arc::new(answer);
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            for number in 0.. {
                let Ok((socket, _)) = listener.accept().await else {
                    return;
                };
                let (tell, answer) = (tell.clone(), Arc::clone(&answer));
                connections.spawn(async move {
                    socket.set_nodelay(true).unwrap();
                    if let Some(connection) = read(socket, number).await {
                        let _ = tell.try_send(connection.asked.clone());
                        answer(connection).await;
                    }
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Self {
            address,
            asked,
            _accepting: accepting,
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next request that came.
    pub async fn asked(&mut self) -> Asked {
        tokio::time::timeout(Duration::from_secs(20), self.asked.recv())
            .await
            .expect("no request came")
            .unwrap()
    }

    /// How many requests came that nobody has taken yet.
    pub fn waiting(&self) -> usize {
        self.asked.len()
    }
}

async fn read(mut socket: TcpStream, number: usize) -> Option<Connection> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let mut body = bytes.split_off(end);
    let head = String::from_utf8_lossy(&bytes).into_owned();
    let mut first = head.lines().next()?.split(' ');
    let mut asked = Asked {
        number,
        method: first.next()?.to_owned(),
        target: first.next()?.to_owned(),
        head,
        body: Vec::new(),
    };
    let length: usize = asked
        .header("content-length")
        .map_or(0, |length| length.parse().unwrap());
    while body.len() < length {
        if socket.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    asked.body = body;
    Some(Connection { asked, socket })
}
