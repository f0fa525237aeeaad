//! From settings to the guard: tokens from settings and files, hosts, origins, proxies.
//!
//! Invariant: a server that other machines can reach has a publish token, and a read token or the word of
//! its operator that everybody may read. It is reached by its address, or by a proxy under a name of its own. No error
//! here repeats a token.

use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tidewire_doors::guard::{Guard, Network, Token, Tokens};

use super::Config;
use super::address::{HostName, TrustedProxy};
use super::secret::Secret;
use super::secret_file;

/// A shorter token can be guessed by who is patient.
const SHORT: usize = 16;

/// The name of a cookie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct CookieName(String);

impl CookieName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CookieName {
    type Err = String;

    /// A token of RFC 9110.
    fn from_str(text: &str) -> Result<Self, String> {
        let usual = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        match !text.is_empty() && text.bytes().all(usual) {
            true => Ok(Self(text.to_owned())),
            false => Err(format!(
                "`{text}` is no name of a cookie: give for example `__Host-tidewire`"
            )),
        }
    }
}

impl TryFrom<String> for CookieName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Tells whether the tokens that stand in the settings themselves can be some, and whether nobody else writes the files.
pub(super) fn check_inline(config: &Config) -> Result<(), String> {
    inline("publish_token", &config.publish_token)?;
    inline("read_token", &config.read_token)?;
    secret_file::check("publish_token_file", config.publish_token_file.as_deref())?;
    secret_file::check("read_token_file", config.read_token_file.as_deref())?;
    Ok(())
}

impl Config {
    /// The tokens that the settings and their files name, and what their operator should know.
    fn tokens(&self) -> Result<(Tokens, Vec<String>), String> {
        let mut publish = inline("publish_token", &self.publish_token)?;
        publish.extend(in_file("publish_token_file", self.publish_token_file.as_deref())?);
        let mut read = inline("read_token", &self.read_token)?;
        read.extend(in_file("read_token_file", self.read_token_file.as_deref())?);
        if read.iter().any(|token| publish.contains(token)) {
            return Err(
                "a read token is a publish token too, so that every reader could publish: give them different ones"
                    .into(),
            );
        }
        if self.public_read && !read.is_empty() {
            return Err(
                "public_read lets everybody read, and there is a read token: leave one of them out".into(),
            );
        }
        let mut warnings = Vec::new();
        if self.is_exposed() {
            self.refuse_to_be_open(publish.is_empty(), read.is_empty())?;
            if publish.iter().chain(&read).any(|token| token.len() < SHORT) {
                warnings.push(format!(
                    "a token has fewer than {SHORT} characters and can be guessed: make one with `openssl rand -hex 32`"
                ));
            }
        }
        Ok((Tokens::default().publish(publish).read(read), warnings))
    }

    /// The same while the server runs.
    ///
    /// # Errors
    /// They would be none to start with, or a file can be read but once.
    pub(crate) fn tokens_again(&self) -> Result<(Tokens, Vec<String>), String> {
        for file in self.publish_token_file.iter().chain(&self.read_token_file) {
            // Nobody may ever write to a pipe again.
            if file.metadata().is_ok_and(|file| !file.is_file()) {
                return Err(format!("{} is no regular file, and is read once", file.display()));
            }
        }
        self.tokens()
    }

    /// The guard that these settings ask for, still without routes of the relay, and what its operator should know.
    pub(super) fn guard(&self) -> Result<(Guard, Vec<String>), String> {
        let (tokens, warnings) = self.tokens()?;
        let hosts = self.hosts.iter().map(|host| host.as_str().to_owned());
        let hosts = hosts.chain(self.own_address().map(|ip| ip.to_string()));
        let guard = Guard::new(hosts)
            .cors(self.cors.rules())
            .cookies(self.token_cookies())
            .trusted_proxies(self.trusted())
            .tokens(tokens);
        let guard = match self.listen.is_open() {
            true => guard.any_address(),
            false => guard,
        };
        Ok((guard, warnings))
    }

    /// The names of the cookies that carry a token.
    pub(crate) fn token_cookies(&self) -> Vec<String> {
        self.access.cookies.iter().map(|name| name.0.clone()).collect()
    }

    /// Whether readers must show a token.
    pub(crate) fn wants_read_token(&self) -> bool {
        !self.read_token.is_empty() || self.read_token_file.is_some()
    }

    /// Whether publishers must show a token.
    pub(super) fn wants_publish_token(&self) -> bool {
        !self.publish_token.is_empty() || self.publish_token_file.is_some()
    }

    /// Whether other machines can reach the server, by its address or by a proxy.
    pub(crate) fn is_exposed(&self) -> bool {
        self.listen.is_open() || self.public_name().is_some()
    }

    /// A name by which other machines know the server.
    fn public_name(&self) -> Option<&HostName> {
        self.hosts.iter().find(|host| !host.is_loopback())
    }

    fn trusted(&self) -> Vec<Network> {
        let proxies = match &self.trusted_proxies {
            Some(proxies) => proxies.clone(),
            None if self.listen.is_open() => Vec::new(),
            None => TrustedProxy::loopback(),
        };
        proxies.into_iter().map(|proxy| proxy.0).collect()
    }

    /// The address that a Host header may name: no name leads there, so no page of another name either.
    fn own_address(&self) -> Option<IpAddr> {
        let ip = self.listen.get().ip();
        (!ip.is_unspecified()).then_some(ip)
    }

    fn refuse_to_be_open(&self, no_publish: bool, no_read: bool) -> Result<(), String> {
        let mut missing = Vec::new();
        if no_publish {
            missing.push("a publish token: --publish-token-file FILE, or TIDEWIRE_PUBLISH_TOKEN");
        }
        if no_read && !self.public_read {
            missing.push(
                "a read token: --read-token-file FILE, or TIDEWIRE_READ_TOKEN; or --public-read, to let \
                 everybody read",
            );
        }
        // On all addresses at once, only the operator knows which name or address clients will use.
        if self.hosts.is_empty() && self.own_address().is_none() {
            missing.push("the name or address that clients use: --host NAME");
        }
        if missing.is_empty() {
            return Ok(());
        }
        let (place, instead) = match self.public_name() {
            Some(host) if !self.listen.is_open() => (
                format!("{} (--host)", host.as_str()),
                "leave the name out of --host, if no proxy brings other machines here".to_owned(),
            ),
            _ => (
                self.listen.to_string(),
                format!("listen on 127.0.0.1:{} only", self.listen.get().port()),
            ),
        };
        Err(format!(
            "{place} can be reached from other machines, and the server does not start there without\n  - {}\n\
             Make tokens with `openssl rand -hex 32`, or {instead}",
            missing.join("\n  - "),
        ))
    }
}

fn inline(name: &str, secrets: &[Secret]) -> Result<Vec<Token>, String> {
    let parse = |secret: &Secret| secret.reveal().parse();
    let tokens: Result<_, _> = secrets.iter().map(parse).collect();
    tokens.map_err(|error: tidewire_doors::guard::InvalidToken| format!("{name}: {error}"))
}

fn in_file(name: &str, file: Option<&Path>) -> Result<Vec<Token>, String> {
    let Some(file) = file else {
        return Ok(Vec::new());
    };
    let shown = file.display();
    let text = secret_file::read(name, file)?;
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let tokens: Result<Vec<_>, _> = lines
        .map(|(number, line)| {
            let parsed = line.parse::<Token>();
            parsed.map_err(|error| format!("{name}: {shown}, line {number}: {error}"))
        })
        .collect();
    match tokens {
        Ok(tokens) if tokens.is_empty() => Err(format!("{name}: {shown} has no token: write one a line")),
        tokens => tokens,
    }
}
