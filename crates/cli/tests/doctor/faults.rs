//! A server that does what a test says: each request gets a reply, which is a head and steps with their times.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// What a healthy stream says in its head.
pub(crate) const HEALTHY: &str = "HTTP/1.1 200 OK\r\n\
    Content-Type: text/event-stream; charset=utf-8\r\n\
    Cache-Control: no-cache, no-transform\r\n\
    X-Accel-Buffering: no\r\n";

/// A request, as far as tests look at it.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    head: String,
    /// How many came before it.
    pub(crate) number: usize,
}

impl Request {
    /// Who speaks HTTP/1.0 knows no chunks.
    fn is_http_1_0(&self) -> bool {
        self.head
            .lines()
            .next()
            .is_some_and(|line| line.ends_with("HTTP/1.0"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).first().copied()
    }

    /// All values of a header.
    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(':'));
        let same = fields.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        same.map(|(_, value)| value.trim()).collect()
    }
}

enum Step {
    Send(Vec<u8>),
    Wait(Duration),
}

/// How a connection is left.
enum Then {
    /// Open and silent, until the client goes.
    Hold,
    /// The body is complete.
    Finish,
    /// The connection is closed in the midst of the body.
    Cut,
}

/// A head, and what follows.
pub(crate) struct Reply {
    head: String,
    /// Each piece is a chunk of HTTP/1.1; else the body ends with the connection.
    chunked: bool,
    /// The head comes with the first bytes, not before.
    late: bool,
    steps: Vec<Step>,
    then: Then,
}

/// An event stream with a healthy head.
pub(crate) fn stream() -> Reply {
    with_head(HEALTHY)
}

/// A reply with this head, whose lines end in CRLF.
pub(crate) fn with_head(head: &str) -> Reply {
    Reply {
        head: head.to_owned(),
        chunked: head.starts_with("HTTP/1.1") && !head.contains("Content-Length"),
        late: false,
        steps: Vec::new(),
        then: Then::Hold,
    }
}

/// A healthy head with one more line.
pub(crate) fn with(line: &str) -> Reply {
    with_head(&format!("{HEALTHY}{line}\r\n"))
}

/// A complete answer that is no stream.
pub(crate) fn answer(head: &str, body: &str) -> Reply {
    let length = body.len();
    with_head(&format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\n"))
        .send(body)
        .finish()
}

impl Reply {
    pub(crate) fn send(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.steps.push(Step::Send(bytes.as_ref().to_vec()));
        self
    }

    pub(crate) fn wait(mut self, millis: u64) -> Self {
        self.steps.push(Step::Wait(Duration::from_millis(millis)));
        self
    }

    /// Events with ids, each some time after the one before it.
    pub(crate) fn events(self, numbers: std::ops::RangeInclusive<usize>, millis: u64) -> Self {
        numbers.fold(self, |reply, number| reply.send(event(number)).wait(millis))
    }

    pub(crate) fn finish(self) -> Self {
        Self {
            then: Then::Finish,
            ..self
        }
    }

    pub(crate) fn cut(self) -> Self {
        Self {
            then: Then::Cut,
            ..self
        }
    }

    /// The head comes with the first bytes, not before.
    pub(crate) fn late_head(self) -> Self {
        Self { late: true, ..self }
    }

    fn play(&self, stream: &mut TcpStream, request: &Request) -> std::io::Result<()> {
        let chunked = self.chunked && !request.is_http_1_0();
        let coding = if chunked {
            "Transfer-Encoding: chunked\r\n"
        } else {
            ""
        };
        let head = format!("{}{coding}\r\n", self.head).into_bytes();
        let mut pending = Vec::new();
        let mut late = None;
        match self.late {
            true => late = Some(head),
            false => stream.write_all(&head)?,
        }
        // What is sent without a wait between goes out in one write, the end as well.
        for step in &self.steps {
            match step {
                Step::Wait(time) => {
                    stream.write_all(&std::mem::take(&mut pending))?;
                    thread::sleep(*time);
                }
                Step::Send(bytes) => {
                    pending.extend(late.take().unwrap_or_default());
                    pending.extend(if chunked { chunk(bytes) } else { bytes.clone() });
                }
            }
        }
        if chunked && matches!(self.then, Then::Finish) {
            pending.extend_from_slice(b"0\r\n\r\n");
        }
        stream.write_all(&pending)?;
        match self.then {
            Then::Finish | Then::Cut => Ok(()),
            Then::Hold => std::io::copy(stream, &mut std::io::sink()).map(drop),
        }
    }
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    let size = format!("{:x}\r\n", bytes.len()).into_bytes();
    [&size, bytes, b"\r\n"].concat()
}

/// An event with an id.
pub(crate) fn event(number: usize) -> String {
    format!("id: {number}\ndata: {{\"n\": {number}}}\n\n")
}

/// The number of the event that a reader is to get first.
pub(crate) fn next(request: &Request) -> usize {
    request
        .header("last-event-id")
        .map_or(1, |id| id.parse::<usize>().unwrap() + 1)
}

/// Serves until the test process ends.
pub(crate) struct Server {
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let reply = Arc::new(reply);
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let (stream, reply) = (stream.unwrap(), Arc::clone(&reply));
                thread::spawn(move || serve(stream, number, &*reply));
            }
        });
        Self { url }
    }
}

fn serve(mut stream: TcpStream, number: usize, reply: &dyn Fn(&Request) -> Reply) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        match reader.read_line(&mut head) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
    let mut words = head.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let request = Request {
        method,
        target,
        head,
        number,
    };
    // The client may have gone.
    let _ = reply(&request).play(&mut stream, &request);
}
