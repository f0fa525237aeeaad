//! Follows a file: each line becomes an event of the topic `lines`, and the hub does the rest: any number of readers,
//! the last lines for who comes new, what was missed for who comes back.
//!
//! ```sh
//! cargo run -p tidewire-examples --bin logtail -- 127.0.0.1:8426 /var/log/syslog
//! curl -N 'http://127.0.0.1:8426/events/lines?last=10'
//! ```
//!
//! A file that has become shorter (rotated, or cut) is read from its beginning, after `event: rotated`.

#![allow(clippy::print_stdout, reason = "says where it listens")]

use std::{io::SeekFrom, path::Path, time::Duration};

use tidewire::{Draft, Event, EventName, Hub, Namespace, Topic, archive::Memory, guard::Guard, hub, plain};
use tokio::{
    fs::File, io::AsyncBufReadExt as _, io::AsyncReadExt as _, io::AsyncSeekExt as _, io::BufReader,
};

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A longer line comes in pieces.
const MAX_LINE: u64 = 64 << 10;

async fn follow(path: &Path, hub: &Hub) -> Result<(), Box<dyn std::error::Error>> {
    let topic = Topic::new(Namespace::Events, "lines")?;
    let publish = async |event| hub.append(Draft::event(topic.clone(), event)?).await;
    let mut at = 0;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        // Opened anew each time: another file may have taken the name, or none has it just now.
        let Ok(mut file) = File::open(path).await else {
            continue;
        };
        if file.metadata().await?.len() < at {
            at = 0;
            publish(Event::new("").with_name(EventName::from_static("rotated"))).await?;
        }
        file.seek(SeekFrom::Start(at)).await?;
        let mut file = BufReader::new(file);
        let mut line = Vec::new();
        // A line without an end is being written: it is read again when it has one.
        while let len @ 1.. = (&mut file).take(MAX_LINE).read_until(b'\n', &mut line).await? as u64
            && (line.ends_with(b"\n") || len == MAX_LINE)
        {
            at += len;
            let text = String::from_utf8_lossy(&line);
            publish(Event::new(text.trim_end_matches(['\r', '\n']))).await?;
            line.clear();
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(address), Some(path)) = (arguments.next(), arguments.next()) else {
        return Err("say where to listen, and which file to follow: logtail 127.0.0.1:8426 FILE".into());
    };
    std::fs::metadata(&path)?; // A name that is wrong from the start is told.
    let hub = Hub::start(hub::Config::default(), Memory::new(Default::default()))?;
    let app = Guard::default().protect(plain::router(hub.clone(), plain::Config::default()));
    let listener = tokio::net::TcpListener::bind(address.to_string_lossy().as_ref()).await?;
    println!("Its lines are at http://{}/events/lines", listener.local_addr()?);
    tokio::select! {
        followed = follow(path.as_ref(), &hub) => followed,
        served = axum::serve(listener, app) => served.map_err(Into::into),
    }
}
