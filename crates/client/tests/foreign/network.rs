//! A network that cuts: each connection ends after some bytes of its answer, the next one after more.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UnixStream},
    task::JoinSet,
};

/// The first connection brings so many bytes of an answer.
const FIRST: usize = 500;

/// Each one brings so many more than the one before: no two are cut at the same place.
const MORE: usize = 61;

/// Where a server listens.
#[derive(Debug, Clone)]
pub enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// It ends when this is dropped.
pub struct Network {
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Network {
    pub async fn before(server: Address) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let number = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (server, number) = (server.clone(), Arc::clone(&number));
                connections.spawn(async move {
                    let limit = FIRST + MORE * number.fetch_add(1, Ordering::Relaxed);
                    match server {
                        Address::Tcp(address) => {
                            carry(client, TcpStream::connect(address).await.unwrap(), limit).await;
                        }
                        Address::Unix(path) => {
                            carry(client, UnixStream::connect(path).await.unwrap(), limit).await;
                        }
                    }
                });
            }
        });
        Self {
            address,
            _tasks: tasks,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

async fn carry(client: TcpStream, server: impl AsyncRead + AsyncWrite, limit: usize) {
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (from_server, mut to_server) = tokio::io::split(server);
    let mut answer = from_server.take(limit as u64);
    tokio::select! {
        // The request, for as long as the client likes.
        _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
        // The answer, up to its limit or its end.
        _ = tokio::io::copy(&mut answer, &mut to_client) => {}
    }
    let _ = to_client.shutdown().await;
}
