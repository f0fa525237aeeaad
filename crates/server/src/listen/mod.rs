//! From a bound port to served connections, with the bounds that HTTP handlers cannot set.
//!
//! | open | for |
//! |---|---|
//! | `guests` | how many connections there may be, and are |
//! | `refusal` | what those are told that are too many |
//! | `idle` | how long a connection may be silent between and within heads |
//! | `linger` | a close that lets the other side read the last answer |
//!
//! Each connection is a task of a tracker. When the stop token is cancelled no more are accepted,
//! idle ones close, and the others finish the response that they are at.

mod guests;
mod idle;
mod linger;
mod refusal;

use std::{
    fmt::Display,
    io,
    net::SocketAddr,
    os::fd::{AsRawFd as _, RawFd},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use socket2::SockRef;
use tidewire_doors::guard::{Guard, Peer};
use tidewire_hub::trouble::Trouble;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_io_timeout::TimeoutStream;
use tokio_util::{io::InspectReader, sync::CancellationToken, task::TaskTracker};

pub use guests::Guests;
use guests::Place;
use idle::{HeadTimer, Seen};
use linger::Lingering;
use refusal::Refusals;

/// How long to wait when the system has no room for another connection.
const OUT_OF_ROOM: Duration = Duration::from_millis(100);

/// How much may wait in the system's buffer that has not been sent. The system says that a reader has taken something only
/// when there is much room again: in its own buffer, of megabytes, a slow reader looked like one that takes nothing.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 64 << 10;

/// The bounds of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// A request's head must be complete in this time, and the first one of a connection be there.
    pub header_read: Duration,
    /// The next request must begin in this time.
    pub keep_alive: Duration,
    /// The most bytes of a request's head, and of a response that waits to be written.
    pub max_header: usize,
    /// A connection that takes no byte for so long, though there are some, is cut.
    pub write_stall: Duration,
    /// Bytes that are not acknowledged for so long end the connection.
    pub tcp_user: Duration,
    /// From this descriptor on they are no connection's: see [`descriptors`](crate::descriptors).
    pub kept_from: RawFd,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            header_read: Duration::from_secs(10),
            keep_alive: Duration::from_secs(75),
            max_header: 16 << 10,
            write_stall: Duration::from_secs(30),
            tcp_user: Duration::from_secs(45),
            kept_from: RawFd::MAX,
        }
    }
}

/// Binds. A port that a process before has just left is taken over.
pub fn bind(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(backlog)
}

/// Accepts and serves until `stop`; the connections run on in the tracker.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    guard: Guard,
    bounds: Bounds,
    guests: &Arc<Guests>,
    connections: &TaskTracker,
    stop: CancellationToken,
) {
    let refusals = Refusals::new(guard);
    let trouble = Trouble::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        let about_all = accepted
            .as_ref()
            .err()
            .filter(|error| !is_about_one_connection(error));
        trouble.note("accept connections", about_all.map(|error| error as &dyn Display));
        match accepted {
            // Closed without a word: also that would take a descriptor for a while.
            Ok((stream, peer)) if stream.as_raw_fd() >= bounds.kept_from => {
                tracing::debug!(%peer, "connection refused: the descriptors that are left are kept for the log");
                guests.none_left();
            }
            Ok((stream, peer)) => match guests.admit(peer.ip()) {
                Ok(place) => {
                    let guests = Arc::clone(guests);
                    connections.spawn(attend(
                        stream,
                        peer,
                        place,
                        guests,
                        app.clone(),
                        bounds,
                        stop.clone(),
                    ));
                }
                Err(why) => {
                    tracing::debug!(%peer, ?why, "connection refused");
                    if let Some(leave) = refusals.one_more() {
                        let stop = stop.clone();
                        let refusals = refusals.clone();
                        connections.spawn(refusals.refuse(stream, why, bounds.max_header, stop, leave));
                    }
                }
            },
            Err(error) if is_about_one_connection(&error) => {}
            Err(_) => tokio::time::sleep(OUT_OF_ROOM).await,
        }
    }
}

/// Serves a connection that has its place. (One future calls the other: a block around one that was made before
/// would hold it twice, 1.2 KiB a connection.)
async fn attend(
    stream: TcpStream,
    peer: SocketAddr,
    _place: Place,
    guests: Arc<Guests>,
    app: Router,
    bounds: Bounds,
    stop: CancellationToken,
) {
    if let Err(error) = connection(stream, peer, app, bounds, stop).await {
        if is_write_stall(&*error) {
            guests.stalled();
        }
        tracing::debug!(%peer, error = %Chain(&*error), "connection ended");
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    app: Router,
    bounds: Bounds,
    stop: CancellationToken,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // A character that is typed must not wait for the next.
    stream.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    {
        let socket = SockRef::from(&stream);
        socket.set_tcp_user_timeout(Some(bounds.tcp_user))?;
        socket.set_tcp_notsent_lowat(UNSENT)?;
    }

    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(bounds.write_stall));
    let seen = Arc::new(Seen::default());
    let timer = HeadTimer::new(bounds.header_read, bounds.keep_alive, Arc::clone(&seen));
    let stream = InspectReader::new(Box::pin(stream), move |bytes: &[u8]| seen.came(bytes));
    let stream = Lingering::new(stream, stop.clone());
    let app = TowerToHyperService::new(app);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        app.call(request)
    });
    let connection = http1::Builder::new()
        .timer(timer)
        .header_read_timeout(bounds.header_read)
        .max_buf_size(bounds.max_header)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        served = connection.as_mut() => return Ok(served?),
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    Ok(connection.await?)
}

fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

/// Whether our own timer ended a write. The system's (TCP_USER_TIMEOUT) has the same kind, but a number.
fn is_write_stall(error: &(dyn std::error::Error + 'static)) -> bool {
    let chain = std::iter::successors(Some(error), |error| error.source());
    let mut io = chain.filter_map(|error| error.downcast_ref::<io::Error>());
    io.any(|error| error.kind() == io::ErrorKind::TimedOut && error.raw_os_error().is_none())
}

/// An error with its sources: hyper's own texts are short.
struct Chain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
