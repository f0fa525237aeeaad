//! kill -9 of the real server, again and again, while some publish and others read.
//!
//! What was acknowledged is there after every kill, once, in the same order for every reader. What was on its way when
//! the server died may be there, once. `TIDEWIRE_KILLS` says how many rounds (10).

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread::{JoinHandle, sleep},
    time::Duration,
};

use rustix::process::Signal;
use tidewire_codec::{Decoder, Item};

use crate::binary::Server;

const PUBLISHERS: usize = 4;
const READERS: usize = 3;
const TOPIC: &str = "/events/killed";

/// Where the server is now; none while it is dead. When all is published, that is said.
#[derive(Clone, Default)]
struct Scene(Arc<Mutex<(Option<SocketAddr>, bool)>>);

impl Scene {
    fn get(&self) -> MutexGuard<'_, (Option<SocketAddr>, bool)> {
        self.0.lock().unwrap()
    }

    /// A connection to the server, as soon as there is one.
    fn connect(&self) -> TcpStream {
        loop {
            let address = self.get().0;
            if let Some(stream) = address.and_then(|address| TcpStream::connect(address).ok()) {
                stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
                return stream;
            }
            sleep(Duration::from_millis(5));
        }
    }
}

/// What a publisher sent, and what of it was acknowledged.
struct Sent {
    all: usize,
    acknowledged: Vec<usize>,
}

fn publish(scene: &Scene, publisher: usize) -> Sent {
    let mut sent = Sent {
        all: 0,
        acknowledged: Vec::new(),
    };
    while !scene.get().1 {
        let mut stream = scene.connect();
        // Until the connection breaks.
        while !scene.get().1 {
            let number = sent.all;
            sent.all += 1;
            let body = format!("{publisher}-{number}");
            let request = format!(
                "POST {TOPIC} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            match stream
                .write_all(request.as_bytes())
                .and_then(|()| status(&mut stream))
            {
                Ok(200) => sent.acknowledged.push(number),
                Ok(other) => panic!("answered {other}"),
                Err(_) => break,
            }
        }
    }
    sent
}

/// Reads a whole answer, and returns its status.
fn status(stream: &mut TcpStream) -> std::io::Result<u16> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let mut len = 0;
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        len = line
            .strip_prefix("content-length: ")
            .map_or(len, |len| len.parse().unwrap());
    }
    reader.read_exact(&mut vec![0; len])?;
    status.ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
}

/// Reads to the end of the stream, over any number of connections.
fn read(scene: &Scene) -> Vec<String> {
    let mut got = Vec::new();
    let mut last = "earliest".to_owned();
    loop {
        let mut stream = scene.connect();
        let request = format!("GET {TOPIC} HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: {last}\r\n\r\n");
        if stream.write_all(request.as_bytes()).is_ok()
            && connection(stream, &mut last, &mut got).unwrap_or(false)
        {
            return got;
        }
    }
}

/// Reads a connection; true if the stream has ended.
fn connection(stream: TcpStream, last: &mut String, got: &mut Vec<String>) -> std::io::Result<bool> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    if line.starts_with("HTTP/1.1 204") {
        return Ok(true);
    }
    while reader.read_line(&mut line)? > 2 {}
    assert!(line.contains("200 OK") || line.is_empty(), "{line}");
    let mut decoder = Decoder::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let size =
            usize::from_str_radix(line.trim_end(), 16).map_err(|_| std::io::ErrorKind::UnexpectedEof)?;
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk)?;
        if size == 0 {
            return Ok(true);
        }
        let mut items = decoder.feed(&chunk[..size]);
        while let Some(item) = items.next() {
            if let Item::Event(event) = item {
                assert_ne!(event.name, "tidewire.gap", "{}", event.data);
                *last = event.last_event_id.to_owned();
                got.push(event.data.to_owned());
            }
        }
    }
}

#[test]
fn what_was_acknowledged_survives_every_kill_in_the_same_order_for_all() {
    let kills = std::env::var("TIDEWIRE_KILLS").map_or(10, |kills| kills.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let start = || Server::with(&[("TIDEWIRE_DATA", data)]);
    let scene = Scene::default();
    let mut server = start();
    scene.get().0 = Some(server.address);
    let run = |job: fn(&Scene, usize) -> Sent, number| {
        let scene = scene.clone();
        std::thread::spawn(move || job(&scene, number))
    };
    let publishers: Vec<JoinHandle<Sent>> = (0..PUBLISHERS).map(|number| run(publish, number)).collect();
    let readers: Vec<JoinHandle<Vec<String>>> = (0..READERS)
        .map(|_| {
            let scene = scene.clone();
            std::thread::spawn(move || read(&scene))
        })
        .collect();

    for kill in 0..kills {
        // Later and later after the start, so that every stage is hit.
        sleep(Duration::from_millis(20 + 37 * kill % 300));
        scene.get().0 = None;
        server.signal(Signal::KILL);
        server.ended();
        server = start();
        scene.get().0 = Some(server.address);
    }
    sleep(Duration::from_millis(200));
    scene.get().1 = true;
    let sent: Vec<Sent> = publishers
        .into_iter()
        .map(|publisher| publisher.join().unwrap())
        .collect();
    server.post(&format!("{TOPIC}?end=true"), "end");
    let read: Vec<Vec<String>> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();

    for got in &read[1..] {
        assert!(*got == read[0], "two readers got different streams");
    }
    let got = &read[0];
    assert_eq!(got.last().map(String::as_str), Some("end"));
    for (publisher, sent) in sent.iter().enumerate() {
        let own = got
            .iter()
            .filter_map(|data| data.split_once('-'))
            .filter(|(by, _)| *by == publisher.to_string());
        let own: Vec<usize> = own.map(|(_, number)| number.parse().unwrap()).collect();
        assert!(own.is_sorted_by(|a, b| a < b), "out of order, or twice");
        assert!(own.last().is_none_or(|last| *last < sent.all), "what nobody sent");
        let lost: Vec<_> = sent
            .acknowledged
            .iter()
            .filter(|number| own.binary_search(number).is_err())
            .collect();
        assert!(lost.is_empty(), "acknowledged, and lost: {lost:?}");
        assert!(
            sent.acknowledged.len() > usize::try_from(kills).unwrap(),
            "too little to judge"
        );
    }
    let acknowledged: usize = sent.iter().map(|sent| sent.acknowledged.len()).sum();
    println!("kills: {kills} survived by {acknowledged} acknowledged events, read by {READERS} readers");
}
