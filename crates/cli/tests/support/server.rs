//! A server that gives scripted answers, in order, and notes what it was asked.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// One answer: bytes as they go over the wire.
pub struct Answer {
    bytes: Vec<u8>,
    then: Then,
}

/// What happens to the connection after an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// It takes the next request.
    Keep,
    /// It is closed.
    Close,
    /// It stays open and silent until the client closes it.
    Hold,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// Counts connections from 0.
    pub connection: usize,
    /// Method and target, as `GET /events/a?prime=1`.
    pub line: String,
    pub head: String,
    pub body: String,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

impl Answer {
    /// Any answer with a known length.
    pub fn full(status: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        let bytes = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
        Self {
            bytes: bytes.into(),
            then: Then::Keep,
        }
    }

    pub fn problem(status: &str, detail: &str) -> Self {
        let body = serde_json::json!({ "title": "x", "code": "x", "detail": detail }).to_string();
        Self::full(status, "Content-Type: application/problem+json\r\n", &body)
    }

    pub fn published(id: &str) -> Self {
        let body = serde_json::json!({ "id": id }).to_string();
        Self::full("200 OK", "Content-Type: application/json\r\n", &body)
    }

    pub fn no_content() -> Self {
        Self {
            bytes: b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
            then: Then::Keep,
        }
    }

    /// A stream in the given chunks, whose body finishes.
    pub fn stream(chunks: &[&str]) -> Self {
        let mut answer = Self::cut_stream("", chunks);
        answer.bytes.extend_from_slice(b"0\r\n\r\n");
        answer.then = Then::Keep;
        answer
    }

    /// A stream whose connection is closed in the midst of its body.
    pub fn cut(chunks: &[&str]) -> Self {
        Self::cut_stream("", chunks)
    }

    /// A stream that goes silent, but was to have a heartbeat every second.
    pub fn silent(chunks: &[&str]) -> Self {
        Self {
            then: Then::Hold,
            ..Self::cut_stream("Tidewire-Heartbeat: 1\r\n", chunks)
        }
    }

    fn cut_stream(headers: &str, chunks: &[&str]) -> Self {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n";
        let mut text = format!("{head}{headers}Transfer-Encoding: chunked\r\n\r\n");
        for chunk in chunks {
            text += &format!("{:x}\r\n{chunk}\r\n", chunk.len());
        }
        Self {
            bytes: text.into(),
            then: Then::Close,
        }
    }
}

pub struct Server {
    pub url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Listens on a free port and answers until the script is through; then nobody listens any more.
    pub fn start(script: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let script: Vec<_> = script.into_iter().collect();
        let notes = Arc::clone(&requests);
        if !script.is_empty() {
            thread::spawn(move || play(&listener, script, &notes));
        }
        Self { url, requests }
    }

    /// What it was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Of what it was asked: method and target.
    pub fn lines(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.line).collect()
    }
}

fn play(listener: &TcpListener, script: Vec<Answer>, notes: &Mutex<Vec<Request>>) {
    let mut script = script.into_iter().peekable();
    for connection in 0.. {
        if script.peek().is_none() {
            return;
        }
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream);
        while script.peek().is_some()
            && let Some(request) = read_request(&mut reader, connection)
        {
            notes.lock().unwrap().push(request);
            let answer = script.next().unwrap();
            // The client may have gone.
            let _ = reader.get_mut().write_all(&answer.bytes);
            match answer.then {
                Then::Keep => {}
                Then::Close => break,
                Then::Hold => drop(reader.read(&mut [0])),
            }
        }
    }
}

fn read_request(reader: &mut BufReader<TcpStream>, connection: usize) -> Option<Request> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let line = head.lines().next()?.strip_suffix(" HTTP/1.1")?.to_owned();
    let mut request = Request {
        connection,
        line,
        head,
        body: String::new(),
    };
    let length = request
        .header("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    request.body = String::from_utf8(body).unwrap();
    Some(request)
}
