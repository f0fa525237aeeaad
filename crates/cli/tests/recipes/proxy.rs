//! The network between a snippet and the server: passes bytes on, can be cut, and knows when an answer came.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Proxy {
    address: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    answer: Condvar,
}

#[derive(Default)]
struct State {
    sockets: Vec<TcpStream>,
    has_answered: bool,
    is_closed: bool,
}

impl Proxy {
    /// Listens on a port of its own for connections to this address.
    pub(crate) fn before(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared::default());
        let (theirs, server) = (Arc::clone(&shared), server.to_owned());
        thread::spawn(move || accept(&listener, &server, &theirs));
        Self { address, shared }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Waits until the server has answered something.
    pub(crate) fn wait_for_answer(&self) {
        let state = self.shared.state.lock().unwrap();
        let waited = self
            .shared
            .answer
            .wait_timeout_while(state, PATIENCE, |state| !state.has_answered);
        assert!(waited.unwrap().0.has_answered, "the server answers nothing");
    }

    /// Cuts every connection; new ones pass.
    pub(crate) fn cut(&self) {
        for socket in self.shared.state.lock().unwrap().sockets.drain(..) {
            // It may be over already.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Cuts every connection, also new ones.
    pub(crate) fn close(&mut self) {
        self.shared.state.lock().unwrap().is_closed = true;
        self.cut();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.close();
        // Wakes the thread that accepts, so that it ends.
        let _ = TcpStream::connect(&self.address);
    }
}

fn accept(listener: &TcpListener, server: &str, shared: &Arc<Shared>) {
    for near in listener.incoming().map_while(Result::ok) {
        let far = TcpStream::connect(server).unwrap();
        let mut state = shared.state.lock().unwrap();
        if state.is_closed {
            return;
        }
        for (from, to, is_answer) in [(&near, &far, false), (&far, &near, true)] {
            state.sockets.push(from.try_clone().unwrap());
            let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            let shared = Arc::clone(shared);
            thread::spawn(move || pass(from, to, is_answer.then_some(&shared)));
        }
    }
}

/// Passes bytes on until one side ends, and tells of an answer.
fn pass(mut from: TcpStream, mut to: TcpStream, answer: Option<&Arc<Shared>>) {
    let mut piece = [0; 1 << 14];
    while let Ok(len @ 1..) = from.read(&mut piece) {
        if to.write_all(&piece[..len]).is_err() {
            break;
        }
        if let Some(shared) = answer {
            shared.state.lock().unwrap().has_answered = true;
            shared.answer.notify_all();
        }
    }
    // The other side may have gone first.
    let _ = to.shutdown(Shutdown::Write);
}
