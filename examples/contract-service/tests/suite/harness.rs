//! What the harness of the suite does, as far as our tests need it: it starts the service, is the server that its
//! clients read, and hears their callbacks.

use std::{net::SocketAddr, process::Stdio, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    process::{Child, Command},
    sync::mpsc,
    time::timeout,
};

use crate::server::{CHUNKED, Connection, Server};

/// How long anything may take; the suite's own limit is 5 s, on a machine that does nothing else.
const PATIENCE: Duration = Duration::from_secs(30);

/// The service, as a process that ends with its test.
pub struct Service {
    pub child: Child,
    address: SocketAddr,
}

/// An answer of the service.
pub struct Answer {
    pub status: u16,
    pub location: Option<String>,
    pub body: String,
}

impl Service {
    pub async fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_contract-service"))
            .arg("127.0.0.1:0")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).await.unwrap();
        let (_, address) = line.trim().split_once("http://").expect("an address");
        let address = address.parse().unwrap();
        Self { child, address }
    }

    pub async fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        let (address, length) = (self.address, body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        timeout(PATIENCE, socket.read_to_string(&mut text))
            .await
            .expect("no answer")
            .unwrap();
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let location = head.lines().find_map(|line| line.strip_prefix("location: "));
        Answer {
            status,
            location: location.map(str::to_owned),
            body: body.to_owned(),
        }
    }

    /// A client that reads `server`, with these parameters beside the addresses.
    pub async fn client(&self, server: &Streams, params: Value) -> Client {
        self.client_of(&server.url(), params).await
    }

    pub async fn client_of(&self, stream_url: &str, mut params: Value) -> Client {
        let (tell, heard) = mpsc::channel(10_000);
        let callbacks = Server::start(move |mut connection| {
            let tell = tell.clone();
            async move {
                let (_, number) = connection.asked.target.rsplit_once('/').unwrap();
                let message = serde_json::from_slice(&connection.asked.body).unwrap();
                let _ = tell.try_send((number.parse().unwrap(), message));
                connection.answer(202, "", "").await;
            }
        })
        .await;
        params["streamUrl"] = stream_url.into();
        params["callbackUrl"] = callbacks.url("/endpoints/7").into();
        params["tag"] = "a test".into();
        let created = self.ask("POST", "/", &params.to_string()).await;
        assert_eq!(created.status, 201, "{}", created.body);
        let location = created.location.expect("a Location");
        let base = format!("http://{}", self.address);
        let path = location.strip_prefix(&base).expect("in full").to_owned();
        Client {
            path,
            heard,
            taken: 0,
            _callbacks: callbacks,
        }
    }

    /// A client, and the connection that it opens.
    pub async fn stream(&self, params: Value) -> (Streams, Connection, Client) {
        let mut server = Streams::start().await;
        let client = self.client(&server, params).await;
        let connection = server.connection().await;
        (server, connection, client)
    }
}

/// A client in the service.
pub struct Client {
    pub path: String,
    heard: mpsc::Receiver<(u64, Value)>,
    taken: u64,
    _callbacks: Server,
}

impl Client {
    /// The next callback.
    pub async fn message(&mut self) -> Value {
        let (number, message) = timeout(PATIENCE, self.heard.recv())
            .await
            .expect("no callback came")
            .unwrap();
        self.taken += 1;
        assert_eq!(number, self.taken, "callbacks are counted from 1");
        message
    }

    pub async fn event(&mut self) -> Value {
        let message = self.message().await;
        assert_eq!(message["kind"], "event", "{message}");
        message["event"].clone()
    }

    /// As the harness's `IgnoreErrorHere`: the next message may be one error.
    pub async fn event_after_at_most_one_error(&mut self) -> Value {
        let mut message = self.message().await;
        if message["kind"] == "error" {
            message = self.message().await;
        }
        assert_eq!(message["kind"], "event", "{message}");
        message["event"].clone()
    }

    pub async fn events(&mut self, expected: &[Value]) {
        for expected in expected {
            assert_eq!(self.event().await, *expected);
        }
    }

    pub async fn comment(&mut self) -> String {
        let message = self.message().await;
        assert_eq!(message["kind"], "comment", "{message}");
        message["comment"].as_str().unwrap().to_owned()
    }

    pub async fn error(&mut self) -> String {
        let message = self.message().await;
        assert_eq!(message["kind"], "error", "{message}");
        message["error"].as_str().unwrap().to_owned()
    }
}

/// An event without type and id.
pub fn data(data: &str) -> Value {
    event("message", "", data)
}

pub fn event(kind: &str, id: &str, data: &str) -> Value {
    json!({ "type": kind, "id": id, "data": data })
}

/// A server of streams: each connection is opened, and handed to the test.
pub struct Streams {
    server: Server,
    connections: mpsc::Receiver<Connection>,
}

impl Streams {
    pub async fn start() -> Self {
        let (hand, connections) = mpsc::channel(100);
        let server = Server::start(move |mut connection| {
            let hand = hand.clone();
            async move {
                connection.send(CHUNKED).await;
                let _ = hand.send(connection).await;
            }
        })
        .await;
        Self { server, connections }
    }

    pub fn url(&self) -> String {
        self.server.url("/endpoints/3")
    }

    pub async fn connection(&mut self) -> Connection {
        timeout(PATIENCE, self.connections.recv())
            .await
            .expect("nobody connected")
            .unwrap()
    }
}
