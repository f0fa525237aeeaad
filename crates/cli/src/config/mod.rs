//! Every setting of the server, written down once: name, text, default, bounds, environment name, flag.
//!
//! | open | for |
//! |---|---|
//! | [`load`] | the layers: flags, environment, file, defaults |
//! | [`value`] | lengths of time, sizes and counts with bounds |
//! | [`address`], [`cors`], [`data`], [`log`], [`poison`], [`secret`], [`secret_file`] | values with rules of their own |
//! | [`relay`] | routes to upstreams |
//! | [`access`] | the guard that the settings ask for, and what must be set where other machines reach the server |
//! | [`words`], [`variables`] | what is said of wrong settings, and of variables that are none |
//! | [`plan`] | what a start makes of the settings, and `config --check` with it |
//!
//! To add a setting, add a field here. Its doc text is printed by `tidewire config` and `--help`, its
//! type holds the bounds, and `layer_attr(arg(long))` gives it a flag.

mod access;
pub(crate) mod address;
pub(crate) mod cors;
mod data;
mod durability;
pub(crate) mod load;
pub(crate) mod log;
mod plan;
pub(crate) mod poison;
pub(crate) mod relay;
pub(crate) mod secret;
mod secret_file;
pub(crate) mod topics;
pub(crate) mod value;
mod variables;
mod words;

use std::path::PathBuf;

use data::Data;
use durability::Durability;
use serde::Serialize;

use access::CookieName;
use address::{HostName, Listen, TrustedProxy};
use cors::{CorsHeader, CorsOrigin};
use log::{LogFilter, LogFormat};
pub(crate) use plan::Plan;
use poison::OnPoison;
use secret::Secret;
use topics::TopicRule;
use value::{Count, DAY, GIB, HOUR, KIB, MIB, MINUTE, Size, Span, TIB, YEAR};

/// Connections from one address, where other machines can reach the server.
const PER_ADDRESS: Count<1, 10_000_000> = Count::new(1000);

/// Unknown topics that are read from one address, where other machines can reach the server.
const UNKNOWN_TOPICS: Count<1, 100_000_000> = Count::new(10_000);

/// What the flags say: every setting is optional.
pub(crate) type Flags = <Config as confique::Config>::Layer;

/// Tidewire's settings, each with its default.
///
/// A flag wins over the environment, that over this file, and that over the default.
/// Lengths of time and sizes are texts with a unit: "15s", "1m 30s", "64MiB".
#[derive(Debug, Serialize, confique::Config)]
#[config(layer_attr(derive(Debug, clap::Args)), layer_attr(serde(deny_unknown_fields)))]
pub(crate) struct Config {
    /// The address to listen on; port 0 takes a free port. An address that other machines can reach
    /// needs a publish token, and either a read token or `public_read`.
    #[config(default = "127.0.0.1:8420", env = "TIDEWIRE_LISTEN")]
    #[config(layer_attr(arg(long, value_name = "IP:PORT")))]
    pub(crate) listen: Listen,

    /// More names that are accepted in a request's Host header, besides the loopback ones. A request
    /// for any other name is refused (421), which keeps foreign web pages out. A server that listens beyond
    /// loopback answers to every IP address too. A name that is not loopback says that other machines reach
    /// the server, by a proxy: it needs the tokens that such an address needs.
    #[config(default = [], env = "TIDEWIRE_HOSTS", parse_env = load::comma_separated)]
    #[config(layer_attr(arg(long = "host", value_name = "NAME")))]
    pub(crate) hosts: Vec<HostName>,

    /// Proxies that may say whose request they pass on (X-Forwarded-For, Forwarded, the headers of a route's
    /// owner): addresses or networks, such as 10.0.0.0/8. From others these headers are removed. Unset: the
    /// loopback addresses, if the server listens on loopback only; else none.
    #[config(env = "TIDEWIRE_TRUSTED_PROXIES", parse_env = load::comma_separated)]
    #[config(layer_attr(arg(long = "trusted-proxy", value_name = "NETWORK")))]
    pub(crate) trusted_proxies: Option<Vec<TrustedProxy>>,

    /// Who publishes, purges, or asks for stats and metrics must show one of these tokens. There may be
    /// several, to replace one. Other users of the machine can see flags: better use a file.
    #[config(default = [], env = "TIDEWIRE_PUBLISH_TOKEN", parse_env = load::comma_separated)]
    #[config(deserialize_with = secret::one_or_more)]
    #[config(layer_attr(arg(long, value_name = "TOKEN")))]
    pub(crate) publish_token: Vec<Secret>,

    /// A file with more publish tokens: one a line, blank lines and those that begin with # do not count. A file that every
    /// user can write is refused.
    #[config(env = "TIDEWIRE_PUBLISH_TOKEN_FILE")]
    #[config(layer_attr(arg(long, value_name = "FILE")))]
    pub(crate) publish_token_file: Option<PathBuf>,

    /// Who reads must show one of these tokens, or a publish token. None: everybody may read.
    #[config(default = [], env = "TIDEWIRE_READ_TOKEN", parse_env = load::comma_separated)]
    #[config(deserialize_with = secret::one_or_more)]
    #[config(layer_attr(arg(long, value_name = "TOKEN")))]
    pub(crate) read_token: Vec<Secret>,

    /// A file with more read tokens, as `publish_token_file`.
    #[config(env = "TIDEWIRE_READ_TOKEN_FILE")]
    #[config(layer_attr(arg(long, value_name = "FILE")))]
    pub(crate) read_token_file: Option<PathBuf>,

    /// How tokens are shown.
    #[config(nested, layer_attr(arg(skip)))]
    pub(crate) access: Access,

    /// Let everybody read, although other machines can reach the server.
    #[config(default = false, env = "TIDEWIRE_PUBLIC_READ")]
    #[config(layer_attr(arg(long, num_args = 0, default_missing_value = "true")))]
    pub(crate) public_read: bool,

    /// Serve the demo page and its typing answers. Unset: only where no other machine can reach the server, and only
    /// if nobody needs a token to publish, for the demo publishes for whoever asks.
    #[config(env = "TIDEWIRE_DEMO")]
    #[config(layer_attr(arg(long, num_args = 0, default_missing_value = "true")))]
    pub(crate) demo: Option<bool>,

    /// How long a reader waits before it connects again (the `retry` line of each stream).
    #[config(default = "1s", env = "TIDEWIRE_RETRY")]
    #[config(layer_attr(arg(long, value_name = "TIME")))]
    pub(crate) retry: Span<0, HOUR>,

    /// A silent stream gets a comment line this often, so that nobody takes it for dead.
    #[config(default = "15s", env = "TIDEWIRE_HEARTBEAT")]
    #[config(layer_attr(arg(long, value_name = "TIME")))]
    pub(crate) heartbeat: Span<1, HOUR>,

    /// Which web pages of other origins may talk to the server.
    #[config(nested, layer_attr(command(flatten)))]
    pub(crate) cors: Cors,

    /// Keep the log in this folder: a restart loses nothing. It is made if it is not there. A relative one is relative to
    /// the folder that the server is started in, so a service should name it in full.
    #[config(default = "./tidewire-data", env = "TIDEWIRE_DATA")]
    #[config(layer_attr(arg(long, value_name = "DIR")))]
    #[serde(skip_serializing_if = "Data::is_in_memory")]
    pub(crate) data: Data,

    /// Keep the log in memory instead of a folder: a restart begins a new one, and readers that come back are told.
    #[config(default = false, env = "TIDEWIRE_MEMORY")]
    #[config(layer_attr(arg(long, num_args = 0, default_missing_value = "true", conflicts_with = "data")))]
    pub(crate) memory: bool,

    /// Upstreams whose event streams survive: `--relay https://api.openai.com/v1` for one, with the client's key. In a file, a
    /// table `[[relay]]` each, with `path` and `upstream` at least; see docs/relay.md.
    #[config(default = [], env = "TIDEWIRE_RELAY", parse_env = relay::one)]
    #[config(layer_attr(arg(long, value_name = "URL")))]
    pub(crate) relay: relay::Routes,

    /// What is kept for readers that come back.
    #[config(nested, layer_attr(command(flatten)))]
    pub(crate) archive: Archive,

    /// How much is allowed.
    #[config(nested, layer_attr(command(flatten)))]
    pub(crate) limits: Limits,

    /// How long things may take.
    #[config(nested, layer_attr(arg(skip)))]
    pub(crate) timeouts: Timeouts,

    /// What is written to standard error.
    #[config(nested, layer_attr(command(flatten)))]
    pub(crate) log: Log,
}

/// See [`Config::access`].
#[derive(Debug, Serialize, confique::Config)]
#[config(layer_attr(derive(Debug, Default)), layer_attr(serde(deny_unknown_fields)))]
pub(crate) struct Access {
    /// The cookies that may carry a token, of which the first that holds one counts; no name: no cookie. The
    /// prefixes `__Host-` and `__Secure-` keep other hosts of the same site from setting them (RFC 6265bis).
    #[config(default = ["__Host-tidewire", "__Secure-tidewire", "tidewire_token"])]
    #[config(env = "TIDEWIRE_ACCESS_COOKIES", parse_env = load::comma_separated)]
    pub(crate) cookies: Vec<CookieName>,
}

/// See [`Config::cors`].
#[derive(Debug, Serialize, confique::Config)]
#[config(layer_attr(derive(Debug, clap::Args)), layer_attr(serde(deny_unknown_fields)))]
pub(crate) struct Cors {
    /// Pages of these origins may read, publish and send cookies; "*" lets all pages read, without cookies, and
    /// publish, purge, stop or ask with a key of the server only with a token in a header.
    #[config(default = [], env = "TIDEWIRE_CORS_ORIGINS", parse_env = load::comma_separated)]
    #[config(layer_attr(arg(long = "cors-origin", value_name = "URL")))]
    pub(crate) origins: Vec<CorsOrigin>,

    /// Request headers that these pages may send, besides those that Tidewire knows.
    #[config(default = [], env = "TIDEWIRE_CORS_HEADERS", parse_env = load::comma_separated)]
    #[config(layer_attr(arg(skip)))]
    pub(crate) headers: Vec<CorsHeader>,
}

/// See [`Config::archive`]. The oldest events go first when a bound is reached.
#[derive(Debug, Serialize, confique::Config)]
#[config(layer_attr(derive(Debug, clap::Args)), layer_attr(serde(deny_unknown_fields)))]
pub(crate) struct Archive {
    /// When an event is safe on disk: "always" before it is acknowledged, "interval=100ms" so long after at most,
    /// "never" when the system writes it. With the latter two a crash of the machine can take the newest events;
    /// readers of them are told.
    #[config(default = "always", env = "TIDEWIRE_ARCHIVE_DURABILITY")]
    #[config(layer_attr(arg(long, value_name = "WHEN")))]
    pub(crate) durability: Durability,

    /// When the log can no longer be written, after a failed sync for example, only a restart helps: "stay" goes on serving
    /// readers, with /readyz red; "unhealthy" makes /healthz red too; "exit" drains and ends with exit code 1.
    #[config(default = "stay", env = "TIDEWIRE_ARCHIVE_ON_POISON")]
    #[config(layer_attr(arg(long, value_name = "WHAT")))]
    pub(crate) on_poison: OnPoison,

    /// Keep at most this many bytes of events, over all topics. Unset: 1 GiB on disk, 64 MiB in memory.
    #[config(env = "TIDEWIRE_ARCHIVE_MAX_BYTES")]
    #[config(layer_attr(arg(long = "archive-max-bytes", value_name = "SIZE")))]
    pub(crate) max_bytes: Option<Size<MIB, TIB>>,

    /// Keep at most this many events, over all topics. Unset: only the bytes count.
    #[config(env = "TIDEWIRE_ARCHIVE_MAX_EVENTS")]
    #[config(layer_attr(arg(long = "archive-max-events", value_name = "N")))]
    pub(crate) max_events: Option<Count<1, { u32::MAX as u64 }>>,

    /// Keep events at most this long. Unset: 7 days on disk; in memory age does not count.
    #[config(env = "TIDEWIRE_ARCHIVE_MAX_AGE")]
    #[config(layer_attr(arg(long = "archive-max-age", value_name = "TIME")))]
    pub(crate) max_age: Option<Span<1, { 10 * YEAR }>>,

    /// How much of the bytes and events answers of the relay are sure of, in percent; topics of /events are sure of the rest. What
    /// one does not use the other may, until it is needed: neither can crowd out the other's history.
    #[config(default = 50, env = "TIDEWIRE_ARCHIVE_RELAY_PERCENT")]
    #[config(layer_attr(arg(skip)))]
    pub(crate) relay_percent: Count<0, 100>,

    /// Keep less of topics whose names begin alike, beside the bounds for all: at most 100 rules, each
    /// for every topic with its prefix, one by one. A prefix is plain text: "chat/" stands for "chat/7";
    /// "" stands for all. The longest that fits counts, alone. Looked at once a second. For example:
    /// topics = [{ prefix = "chat/", max_events = 1000, max_bytes = "1MiB", max_age = "1day" }]
    #[config(default = [], env = "TIDEWIRE_ARCHIVE_TOPICS", parse_env = topics::from_env)]
    #[config(layer_attr(arg(skip)))]
    pub(crate) topics: Vec<TopicRule>,
}

/// See [`Config::limits`].
#[derive(Debug, Serialize, confique::Config)]
#[config(layer_attr(derive(Debug, clap::Args)), layer_attr(serde(deny_unknown_fields)))]
pub(crate) struct Limits {
    /// The largest event, in bytes of data. A larger one is refused (413).
    #[config(default = "1MiB", env = "TIDEWIRE_LIMITS_MAX_EVENT")]
    #[config(layer_attr(arg(skip)))]
    pub(crate) max_event: Size<1, { 64 * MIB }>,

    /// The largest body of a subscription (POST /subscribe, QUERY). A larger one is refused (413).
    #[config(default = "512KiB", env = "TIDEWIRE_LIMITS_MAX_SUBSCRIBE_BODY")]
    #[config(layer_attr(arg(skip)))]
    pub(crate) max_subscribe_body: Size<KIB, { 64 * MIB }>,

    /// The most bytes that bodies of requests may hold at a time: publishes, subscriptions, requests to upstreams. One
    /// more is refused (503). The last eighth is for bodies of up to 64 KiB.
    #[config(default = "256MiB", env = "TIDEWIRE_LIMITS_MAX_BODIES")]
    #[config(layer_attr(arg(skip)))]
    pub(crate) max_bodies: Size<MIB, TIB>,

    /// The most of these bytes for callers without a token. One more is refused (429). Unset: three quarters of max_bodies
    /// where there are tokens, so that their holders find room; else it does not count.
    #[config(env = "TIDEWIRE_LIMITS_MAX_BODIES_WITHOUT_TOKEN")]
    #[config(layer_attr(arg(skip)))]
    pub(crate) max_bodies_without_token: Option<Size<{ 64 * KIB }, TIB>>,

    /// The most of these bytes for callers without a token from one address (IPv6: from one /64 network). One more is
    /// refused (429). Unset: a quarter of max_bodies where other machines can reach the server; on loopback, where all
    /// clients have one address, it does not count.
    #[config(env = "TIDEWIRE_LIMITS_MAX_BODIES_PER_ADDRESS")]
    #[config(layer_attr(arg(skip)))]
    pub(crate) max_bodies_per_address: Option<Size<{ 64 * KIB }, TIB>>,

    /// The most bytes of events over 64 KiB that may be on their way to readers at a time: sent, and not taken by the
    /// reader yet. Readers at the same place of the log share them. A reader that finds no room is cut; it can come back
    /// and go on. An event has up to seven times the bytes of its data on its way.
    #[config(default = "256MiB", env = "TIDEWIRE_LIMITS_MAX_SEND_BUFFERS")]
    #[config(layer_attr(arg(skip)))]
    pub(crate) max_send_buffers: Size<MIB, TIB>,

    /// The most of these bytes for callers without a token. Unset: three quarters of max_send_buffers where there are
    /// tokens, so that their holders find room; else it does not count.
    #[config(env = "TIDEWIRE_LIMITS_MAX_SEND_BUFFERS_WITHOUT_TOKEN")]
    #[config(layer_attr(arg(skip)))]
    pub(crate) max_send_buffers_without_token: Option<Size<{ 64 * KIB }, TIB>>,

    /// The most of these bytes for callers without a token from one address (IPv6: from one /64 network). Unset: a quarter
    /// of max_send_buffers where other machines can reach the server; on loopback, where all clients have one address, it
    /// does not count.
    #[config(env = "TIDEWIRE_LIMITS_MAX_SEND_BUFFERS_PER_ADDRESS")]
    #[config(layer_attr(arg(skip)))]
    pub(crate) max_send_buffers_per_address: Option<Size<{ 64 * KIB }, TIB>>,

    /// The most topics that one subscription can name. More are refused (422).
    #[config(default = 256, env = "TIDEWIRE_LIMITS_MAX_TOPICS_PER_SUBSCRIPTION")]
    #[config(layer_attr(arg(skip)))]
    pub(crate) max_topics_per_subscription: Count<1, 10_000>,

    /// The most topics that the server knows at a time. A publish to one more is refused (507); so is reading,
    /// when so many topics are being read (503).
    #[config(default = 1_000_000, env = "TIDEWIRE_LIMITS_MAX_TOPICS")]
    #[config(layer_attr(arg(skip)))]
    pub(crate) max_topics: Count<1, 100_000_000>,

    /// Recent events, ready to send, for readers that keep up. A reader that falls behind it is
    /// served from the archive.
    #[config(default = "64MiB", env = "TIDEWIRE_LIMITS_WINDOW")]
    #[config(layer_attr(arg(skip)))]
    pub(crate) window: Size<MIB, { 64 * GIB }>,

    /// The largest request head. A larger one is refused (431).
    #[config(default = "16KiB", env = "TIDEWIRE_LIMITS_MAX_HEADER")]
    #[config(layer_attr(arg(skip)))]
    pub(crate) max_header: Size<{ 8 * KIB }, MIB>,

    /// The most connections at a time. One more is refused (503).
    #[config(default = 100_000, env = "TIDEWIRE_LIMITS_MAX_CONNECTIONS")]
    #[config(layer_attr(arg(long, value_name = "N")))]
    pub(crate) max_connections: Count<1, 10_000_000>,

    /// The most connections at a time from one address (IPv6: from one /64 network). One more is refused
    /// (429). Behind a reverse proxy, which is one address, raise it. Unset: 1000 where other machines can
    /// reach the server; on loopback, where all clients have one address, it does not count.
    #[config(env = "TIDEWIRE_LIMITS_MAX_CONNECTIONS_PER_ADDRESS")]
    #[config(layer_attr(arg(long, value_name = "N")))]
    pub(crate) max_connections_per_address: Option<Count<1, 10_000_000>>,

    /// The most topics that nothing has been published to, or that are forgotten, which streams from one address (IPv6: from
    /// one /64 network) read at a time without a token. A stream that would make it more is refused (429). Unset: 10,000 where
    /// other machines can reach the server; on loopback it does not count.
    #[config(env = "TIDEWIRE_LIMITS_MAX_UNKNOWN_TOPICS_PER_ADDRESS")]
    #[config(layer_attr(arg(skip)))]
    pub(crate) max_unknown_topics_per_address: Option<Count<1, 100_000_000>>,

    /// The most idempotency keys that are remembered. The oldest is forgotten first; a retry after that is
    /// published again.
    #[config(default = 100_000, env = "TIDEWIRE_LIMITS_MAX_KEYS")]
    #[config(layer_attr(arg(skip)))]
    pub(crate) max_keys: Count<1, 100_000_000>,

    /// The most bytes of idempotency keys that are remembered, with the names of their topics and about 500 bytes a
    /// key. The oldest is forgotten first; the newest stays.
    #[config(default = "64MiB", env = "TIDEWIRE_LIMITS_MAX_KEY_BYTES")]
    #[config(layer_attr(arg(skip)))]
    pub(crate) max_key_bytes: Size<MIB, { 64 * GIB }>,

    /// How long an idempotency key is remembered.
    #[config(default = "1day", env = "TIDEWIRE_LIMITS_KEEP_KEYS")]
    #[config(layer_attr(arg(skip)))]
    pub(crate) keep_keys: Span<1, YEAR>,

    /// The most answers of upstreams that run at a time. A request for one more is refused (429).
    #[config(default = 10_000, env = "TIDEWIRE_LIMITS_MAX_RUNNING_ANSWERS")]
    #[config(layer_attr(arg(skip)))]
    pub(crate) max_running_answers: Count<1, 10_000_000>,

    /// The most of these that run for callers without a token. Unset: three quarters of max_running_answers where there are
    /// tokens, so that their holders find a place; else it does not count.
    #[config(env = "TIDEWIRE_LIMITS_MAX_RUNNING_WITHOUT_TOKEN")]
    #[config(layer_attr(arg(skip)))]
    pub(crate) max_running_without_token: Option<Count<1, 10_000_000>>,

    /// The most of these that run for callers without a token from one address (IPv6: from one /64 network). Unset: a
    /// quarter of max_running_answers where other machines can reach the server; on loopback it does not count.
    #[config(env = "TIDEWIRE_LIMITS_MAX_RUNNING_PER_ADDRESS")]
    #[config(layer_attr(arg(skip)))]
    pub(crate) max_running_per_address: Option<Count<1, 10_000_000>>,

    /// The most answers of upstreams that are kept. The oldest that has ended goes first.
    #[config(default = 100_000, env = "TIDEWIRE_LIMITS_MAX_KEPT_ANSWERS")]
    #[config(layer_attr(arg(skip)))]
    pub(crate) max_kept_answers: Count<1, 10_000_000>,

    /// The most bytes of those that are no streams: they are kept in memory for the idempotency keys of their requests. The
    /// oldest go first, and their keys are free again. One that does not fit is passed on and not kept.
    #[config(default = "64MiB", env = "TIDEWIRE_LIMITS_MAX_KEPT_BODIES")]
    #[config(layer_attr(arg(skip)))]
    pub(crate) max_kept_bodies: Size<{ 64 * KIB }, TIB>,

    /// Connections that the system holds until they are accepted.
    #[config(default = 4096, env = "TIDEWIRE_LIMITS_BACKLOG")]
    #[config(layer_attr(arg(skip)))]
    pub(crate) backlog: Count<1, 65_535>,
}

/// See [`Config::timeouts`].
#[derive(Debug, Serialize, confique::Config)]
#[config(layer_attr(derive(Debug, Default)), layer_attr(serde(deny_unknown_fields)))]
pub(crate) struct Timeouts {
    /// A request head must be complete after this time, and a new connection's first one be there, else the connection
    /// is closed.
    #[config(default = "10s", env = "TIDEWIRE_TIMEOUTS_HEADER_READ")]
    pub(crate) header_read: Span<1, HOUR>,

    /// A connection without a request is closed after this time. Longer than load balancers keep theirs (60 s as a
    /// rule), so that they do not send a request into a close.
    #[config(default = "1m 15s", env = "TIDEWIRE_TIMEOUTS_KEEP_ALIVE")]
    pub(crate) keep_alive: Span<1, HOUR>,

    /// A publish of whose body nothing comes for this long is given up (408).
    #[config(default = "30s", env = "TIDEWIRE_TIMEOUTS_BODY_STALL")]
    pub(crate) body_stall: Span<1, HOUR>,

    /// A body that is not complete after this time is given up (408). In a body of many events, each event has this time.
    #[config(default = "5m", env = "TIDEWIRE_TIMEOUTS_BODY_TOTAL")]
    pub(crate) body_total: Span<1, DAY>,

    /// A reader that takes no byte for this long is cut. It can come back and go on.
    #[config(default = "30s", env = "TIDEWIRE_TIMEOUTS_WRITE_STALL")]
    pub(crate) write_stall: Span<1, HOUR>,

    /// Bytes that the other side does not acknowledge for this long end the connection
    /// (TCP_USER_TIMEOUT, where the system has it).
    #[config(default = "45s", env = "TIDEWIRE_TIMEOUTS_TCP_USER")]
    pub(crate) tcp_user: Span<1, HOUR>,

    /// How long after SIGTERM or Ctrl-C all is still served, with `/readyz` red, so that load balancers send nobody here
    /// any more. Behind one, longer than it takes to look twice.
    #[config(default = "0s", env = "TIDEWIRE_TIMEOUTS_DRAIN_NOTICE")]
    pub(crate) drain_notice: Span<0, { 10 * MINUTE }>,

    /// Time to finish after that: answers of the relay that run go on, the last 2 seconds are for readers, who are told when
    /// to come again and cut. A second signal ends at once.
    #[config(default = "10s", env = "TIDEWIRE_TIMEOUTS_DRAIN")]
    pub(crate) drain: Span<0, { 10 * MINUTE }>,
}

/// See [`Config::log`].
#[derive(Debug, Serialize, confique::Config)]
#[config(layer_attr(derive(Debug, clap::Args)), layer_attr(serde(deny_unknown_fields)))]
pub(crate) struct Log {
    /// off, error, warn, info, debug or trace, or levels by module: "info,tidewire_hub=debug".
    #[config(default = "info", env = "TIDEWIRE_LOG")]
    #[config(layer_attr(arg(long = "log", value_name = "LEVEL")))]
    pub(crate) level: LogFilter,

    /// "human", or "json" for one JSON object a line.
    #[config(default = "human", env = "TIDEWIRE_LOG_FORMAT")]
    #[config(layer_attr(arg(long = "log-format", value_name = "FORMAT")))]
    pub(crate) format: LogFormat,
}

impl Config {
    /// Gives what is unset the value that depends on who can reach the server, and on whom it trusts.
    fn settle(mut self) -> Self {
        let open = self.listen.is_open();
        let has_publish = self.wants_publish_token();
        let has_tokens = has_publish || self.wants_read_token();
        let for_all = !self.is_exposed() && !has_publish;
        self.demo.get_or_insert(for_all);
        if self.memory {
            self.data = Data::IN_MEMORY;
        }
        let (bytes, age) = match self.memory {
            false => (GIB, Some(7 * DAY)),
            true => (64 * MIB, None),
        };
        let archive = &mut self.archive;
        archive.max_bytes = archive.max_bytes.or(Some(Size::of(bytes)));
        archive.max_age = archive.max_age.or(age.map(Span::of));
        let limits = &mut self.limits;
        if has_tokens {
            let running = Count::of((limits.max_running_answers.get() * 3).div_ceil(4));
            limits.max_running_without_token.get_or_insert(running);
            let bodies = Size::of(limits.max_bodies.get() / 4 * 3);
            limits.max_bodies_without_token.get_or_insert(bodies);
            let sending = Size::of(limits.max_send_buffers.get() / 4 * 3);
            limits.max_send_buffers_without_token.get_or_insert(sending);
        }
        // Behind a proxy on loopback, all connections have its address.
        if open {
            limits.max_connections_per_address.get_or_insert(PER_ADDRESS);
            let running = Count::of(limits.max_running_answers.get().div_ceil(4));
            limits.max_running_per_address.get_or_insert(running);
            let bodies = Size::of((limits.max_bodies.get() / 4).max(64 * KIB));
            limits.max_bodies_per_address.get_or_insert(bodies);
            let sending = Size::of(limits.max_send_buffers.get() / 4);
            limits.max_send_buffers_per_address.get_or_insert(sending);
            limits
                .max_unknown_topics_per_address
                .get_or_insert(UNKNOWN_TOPICS);
        }
        self
    }

    /// Checks what no value can say alone.
    /// Checks what no value can say alone.
    fn check(&self) -> Result<(), String> {
        access::check_inline(self)?;
        cors::check(&self.cors)?;
        self.relay.check(&self.token_cookies())?;
        topics::rules(&self.archive.topics)?;
        if self
            .data
            .folder()
            .is_some_and(|folder| folder.as_os_str().is_empty())
        {
            return Err("data is empty: name a folder, or set memory".into());
        }
        let event = self.limits.max_event;
        let bodies = self.limits.max_bodies;
        if event.get() > bodies.get() - bodies.get() / 8 {
            return Err(format!(
                "limits.max_bodies ({bodies}) has less than limits.max_event ({event}) for bodies over 64 KiB, which get \
                 seven eighths of it: raise it, or lower limits.max_event"
            ));
        }
        for (name, room) in [
            ("limits.window", self.limits.window.get()),
            (
                "archive.max_bytes",
                self.archive.max_bytes.map_or(u64::MAX, Size::get),
            ),
        ] {
            if event.get() > room {
                return Err(format!(
                    "{name} is smaller than limits.max_event ({event}): raise it, or lower limits.max_event"
                ));
            }
        }
        Ok(())
    }
}
