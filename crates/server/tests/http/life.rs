//! Starting, leaving, and what says why not.

use std::net::{TcpListener, TcpStream};

use tidewire_server::{Config, Log, StartError};

use crate::{
    client::{End, eventually},
    support::Server,
};

#[tokio::test]
async fn an_address_that_is_taken_is_said_and_no_folder_is_made() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let home = tempfile::tempdir().unwrap();
    let config = Config {
        address: taken.local_addr().unwrap(),
        log: Log::Folder {
            path: home.path().join("log"),
            durability: Default::default(),
        },
        ..Config::default()
    };
    let refused = tidewire_server::Server::start(config).await.err().unwrap();
    assert!(matches!(refused, StartError::Listen { .. }), "{refused}");
    assert_eq!(home.path().read_dir().unwrap().count(), 0);
}

#[test]
fn a_drain_tells_readers_when_to_come_again_cuts_them_and_takes_nobody_any_more() {
    let mut server = Server::start();
    let mut reader = server.get("/events/a", &[]);
    let id = server.post("/events/a", "last");
    reader.expect(&format!("id: {id}\ndata: last\n\n"));
    server.drain();
    let (text, end) = reader.rest();
    assert!(text.starts_with("retry:"), "{text}");
    assert_eq!(end, End::Cut);
    assert!(TcpStream::connect(server.address).is_err());
}

#[test]
fn a_handle_that_is_dropped_stops_all() {
    let mut server = Server::start();
    let reader = server.get("/events/a", &[]);
    server.drop_handle();
    assert_eq!(reader.rest().1, End::Cut);
    eventually(|| TcpStream::connect(server.address).is_err());
}

#[test]
fn a_log_in_a_folder_is_there_again_after_a_drain() {
    let home = tempfile::tempdir().unwrap();
    let start = || {
        Server::with(|config| {
            config.log = Log::Folder {
                path: home.path().into(),
                durability: Default::default(),
            };
        })
    };
    let mut server = start();
    let id = server.post("/events/a", "kept");
    server.drain();
    drop(server);
    let again = start();
    let mut reader = again.get("/events/a?last=1", &[]);
    reader.expect(&format!("id: {id}\ndata: kept\n\n"));
}
