//! An app with users of its own: they sign in, a cookie holds the session, and each user has topics of their own.
//!
//! ```sh
//! cargo run -p tidewire-examples --bin members
//! curl -c alice -d 'name=alice&password=wonderland' http://127.0.0.1:8427/sign-in
//! curl -N -b alice http://127.0.0.1:8427/events/users/alice/inbox
//! curl -b alice -d 'Hello, all' http://127.0.0.1:8427/events/rooms/lobby
//! curl -b alice 'http://127.0.0.1:8427/events?topic=users/bob/inbox'
//! ```
//!
//! The last one is 403: [`Members`] is asked with the topics that the door has parsed, so it does not matter whether
//! they stand in the path, in parameters or in a body. A check of paths in front of the door would miss some of them.

#![allow(clippy::print_stdout, reason = "says where it listens")]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Form, Router,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
    routing::post,
};
use serde::Deserialize;
use tidewire::{
    Hub, Problem, Topic,
    archive::Memory,
    guard::{Access, Action, Guard, Identity},
    hub, plain,
};
use tokio::{net::TcpListener, signal};

/// The users, with their passwords. An app of yours keeps hashes, in a database.
const USERS: [(&str, &str); 2] = [("alice", "wonderland"), ("bob", "builder")];

/// The name of a session's user, by the session's secret.
#[derive(Clone, Default)]
struct Members(Arc<Mutex<HashMap<String, &'static str>>>);

impl Members {
    fn of(&self, headers: &HeaderMap) -> Option<&'static str> {
        let cookies = headers.get_all(header::COOKIE).iter();
        let cookies = cookies
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'));
        let session = cookies
            .filter_map(|cookie| cookie.trim().strip_prefix("session="))
            .next()?;
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.get(session).copied()
    }
}

impl Access for Members {
    async fn identify(&self, head: &Parts) -> Result<Identity, Problem> {
        let Some(user) = self.of(&head.headers) else {
            return Ok(Identity::nobody());
        };
        let own = format!("users/{user}/");
        Ok(Identity::user(
            user,
            move |action: Action, topic: &Topic| match action {
                Action::Subscribe => topic.name().starts_with(&own) || topic.name() == "rooms/lobby",
                Action::Publish | Action::Presence => topic.name() == "rooms/lobby",
                _ => false,
            },
        ))
    }
}

#[derive(Deserialize)]
struct SignIn {
    name: String,
    password: String,
}

async fn sign_in(State(members): State<Members>, Form(form): Form<SignIn>) -> Response {
    let known = USERS
        .iter()
        .find(|(name, password)| *name == form.name && *password == form.password);
    let Some((name, _)) = known else {
        let detail = "there is no such user with this password";
        return Problem::new(StatusCode::UNAUTHORIZED, "wrong_password", detail).into_response();
    };
    let mut secret = [0; 16];
    if let Err(error) = getrandom::fill(&mut secret) {
        return Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "no_session", error.to_string())
            .into_response();
    }
    let session = format!("{:032x}", u128::from_ne_bytes(secret));
    // Behind TLS: `__Host-session=…; Secure`.
    let cookie = HeaderValue::try_from(format!("session={session}; Path=/; HttpOnly; SameSite=Lax"));
    let mut sessions = members.0.lock().unwrap_or_else(PoisonError::into_inner);
    sessions.insert(session, name);
    match cookie {
        Ok(cookie) => ([(header::SET_COOKIE, cookie)], format!("Hello, {name}\n")).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hub = Hub::start(hub::Config::default(), Memory::new(Default::default()))?;
    let members = Members::default();
    let app = Router::new()
        .route("/sign-in", post(sign_in))
        .with_state(members.clone())
        .merge(plain::router(hub.clone(), plain::Config::default()));
    let app = Guard::default().access(members).protect(app);

    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8427".into());
    let listener = TcpListener::bind(address).await?;
    println!("Sign in at http://{}/sign-in", listener.local_addr()?);
    let leave = async move {
        let _ = signal::ctrl_c().await;
        hub.drain().await;
    };
    axum::serve(listener, app).with_graceful_shutdown(leave).await?;
    Ok(())
}
