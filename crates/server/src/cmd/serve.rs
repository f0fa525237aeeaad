//! `tidewire serve`: wires the parts, runs until a signal, leaves as [`drain`](super::drain) says.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
};

use anyhow::Context as _;
use tidewire_doors::{
    BodyBounds,
    bodies::{Bodies, Shares},
    guard::Guard,
    sending::SendBuffers,
};
use tidewire_hub::{
    Hub, Seq,
    archive::{
        Memory, Retention,
        segments::{self, RealDisk, Segments},
    },
};
use tidewire_relay::{self as relay, Relay};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    drain::Drain,
    signals::{Confirmations, Hangup, Hangups, Signals},
    stdout,
};
use crate::{
    app::{self, Parts, Readiness},
    config::{self, Config, Plan, poison::OnPoison, topics, value::Bounded},
    descriptors::{self, Budget},
    listen::{self, Bounds, Guests},
};

/// Runs the server until a signal ends it.
pub(crate) async fn run(config: Config) -> anyhow::Result<()> {
    let Plan {
        guard,
        routes,
        relays_demo,
        warnings,
        notices,
    } = config.plan()?;
    warnings.iter().for_each(|text| tracing::warn!("{text}"));
    notices.iter().for_each(|text| tracing::info!("{text}"));
    let (mut signals, mut hangups, mut confirmations) =
        (Signals::new()?, Hangups::new()?, Confirmations::new()?);
    let files = files(&config)?;
    let guests = guests(&config, files);
    // Before the log is opened: where the port is taken, no folder is made.
    let address = config.listen.get();
    let listener = listen::bind(address, u32::try_from(config.limits.backlog.get())?).with_context(|| {
        format!("cannot listen on {address}: is another server there? --listen takes another address")
    })?;
    let hub = start_hub(&config)?;
    let readiness = Readiness::green();
    let tasks = TaskTracker::new();
    let stop = CancellationToken::new();
    let bodies = body_bounds(&config);
    let send_buffers = send_buffers(&config);
    let demo = relays_demo.then(|| listener.local_addr()).transpose()?;
    let relay = start_relay(
        &config,
        all_routes(&config, routes, demo)?,
        files,
        &hub,
        bodies.clone(),
        send_buffers.clone(),
        &tasks,
    )
    .await?;
    let drain = Drain {
        readiness: readiness.clone(),
        relay: relay.clone(),
        hub: hub.clone(),
        tasks: tasks.clone(),
        stop: stop.clone(),
        notice: config.timeouts.drain_notice.get(),
        time: config.timeouts.drain.get(),
    };
    let app = app::router(Parts {
        relay,
        bodies,
        send_buffers,
        config: &config,
        guard: guard.clone(),
        hub: &hub,
        guests: &guests,
        readiness,
        typists: tasks.clone(),
    })
    .await;

    announce(&config, listener.local_addr()?, &hub)?;
    let on_poison = config.archive.on_poison;

    let bounds = Bounds {
        header_read: config.timeouts.header_read.get(),
        keep_alive: config.timeouts.keep_alive.get(),
        max_header: to_usize(config.limits.max_header.get()),
        write_stall: config.timeouts.write_stall.get(),
        tcp_user: config.timeouts.tcp_user.get(),
        kept_from: files.kept_from,
    };
    let serving = listen::serve(
        listener,
        app,
        guard.clone(),
        bounds,
        &guests,
        &tasks,
        stop.clone(),
    );
    let leaving = async {
        let _stop = stop.drop_guard();
        let mut poisoned = None;
        let name = loop {
            tokio::select! {
                name = signals.next() => break name,
                why = hub.poisoned(), if on_poison == OnPoison::Exit => {
                    poisoned = Some(why);
                    break "the log can no longer be written (archive.on_poison)";
                }
                () = confirmations.next() => match hub.confirm_clock() {
                    true => tracing::info!("SIGUSR1: the clock is confirmed, and records that are too old by it expire"),
                    false => tracing::info!("SIGUSR1: the clock was not in doubt"),
                },
                hangup = hangups.next() => match hangup {
                    Hangup::TerminalGone => break "SIGHUP, the terminal has gone",
                    Hangup::Reload => read_tokens_again(&config, &guard),
                },
            }
        };
        tracing::info!("{name}: draining");
        tokio::select! {
            () = drain.run() => match poisoned {
                None => Ok(()),
                Some(why) => Err(anyhow::anyhow!("the log can no longer be written: {why}")),
            },
            name = signals.next() => Err(anyhow::anyhow!("{name} while draining: left at once")),
        }
    };
    tokio::join!(serving, leaving).1
}

/// With a file that is wrong, the tokens stay that there are.
fn read_tokens_again(config: &Config, guard: &Guard) {
    match config.tokens_again() {
        Ok((tokens, warnings)) => {
            warnings.iter().for_each(|text| tracing::warn!("{text}"));
            guard.replace_tokens(tokens);
            tracing::info!("SIGHUP: the token files have been read again");
        }
        Err(why) => tracing::error!("SIGHUP: the tokens stay that there are: {why}"),
    }
}

fn all_routes(
    config: &Config,
    mut routes: Vec<relay::Route>,
    demo: Option<SocketAddr>,
) -> anyhow::Result<Vec<relay::Route>> {
    if let Some(address) = demo {
        // So that official clients have something to talk to at the first run.
        let host = match address.ip() {
            ip if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            ip => ip,
        };
        let demo = SocketAddr::from((host, address.port()));
        routes.push(config::relay::to_demo(format!("http://{demo}/demo/v1").parse()?));
    }
    for route in &mut routes {
        route.token_cookies = config.token_cookies();
    }
    Ok(routes)
}

async fn start_relay(
    config: &Config,
    routes: Vec<relay::Route>,
    files: Budget,
    hub: &Hub,
    bodies: BodyBounds,
    send_buffers: SendBuffers,
    tasks: &TaskTracker,
) -> anyhow::Result<Relay> {
    let limits = &config.limits;
    // Where open files allow fewer answers than the setting, the shares shrink with them.
    let share = |max: u64| to_usize(max * files.upstreams / limits.max_running_answers.get()).max(1);
    let config = relay::Config {
        heartbeat: config.heartbeat.get(),
        retry: config.retry.get(),
        bodies,
        send_buffers,
        max_running: to_usize(files.upstreams),
        max_running_without_token: limits.max_running_without_token.map(|max| share(max.get())),
        max_running_per_network: limits.max_running_per_address.map(|max| share(max.get())),
        max_kept: to_usize(limits.max_kept_answers.get()),
        max_kept_bodies: to_usize(limits.max_kept_bodies.get()),
        ..relay::Config::new(routes)
    };
    Ok(Relay::start(hub.clone(), config, tasks.clone()).await?)
}

fn body_bounds(config: &Config) -> BodyBounds {
    let (limits, timeouts) = (&config.limits, &config.timeouts);
    BodyBounds {
        stall: timeouts.body_stall.get(),
        total: timeouts.body_total.get(),
        budget: Bodies::new(Shares {
            max: to_usize(limits.max_bodies.get()),
            max_without_token: limits.max_bodies_without_token.map(|max| to_usize(max.get())),
            max_per_network: limits.max_bodies_per_address.map(|max| to_usize(max.get())),
        }),
    }
}

fn send_buffers(config: &Config) -> SendBuffers {
    let limits = &config.limits;
    SendBuffers::new(Shares {
        max: to_usize(limits.max_send_buffers.get()),
        max_without_token: limits
            .max_send_buffers_without_token
            .map(|max| to_usize(max.get())),
        max_per_network: limits.max_send_buffers_per_address.map(|max| to_usize(max.get())),
    })
}

/// The most bytes of a segment.
const SEGMENT: u64 = 64 << 20;

/// The bytes of a segment: a few segments at least, or retention would let go much at a time.
fn segment_bytes(max_bytes: u64) -> u64 {
    (max_bytes / 8).min(SEGMENT)
}

fn start_hub(config: &Config) -> anyhow::Result<Hub> {
    let archive = &config.archive;
    let retention = Retention {
        max_bytes: archive.max_bytes.map_or(usize::MAX, |max| to_usize(max.get())),
        max_events: archive.max_events.map(|max| to_usize(max.get())),
        max_age: archive.max_age.map(Bounded::get),
        relay_percent: u8::try_from(archive.relay_percent.get())?,
        rules: topics::rules(&archive.topics).map_err(anyhow::Error::msg)?,
    };
    let limits = &config.limits;
    let bounds = tidewire_hub::Config {
        max_event: to_usize(limits.max_event.get()),
        max_topics_per_subscription: to_usize(limits.max_topics_per_subscription.get()),
        max_topics: to_usize(limits.max_topics.get()),
        window: to_usize(limits.window.get()),
        max_keys: to_usize(limits.max_keys.get()),
        max_key_bytes: to_usize(limits.max_key_bytes.get()),
        keep_keys: limits.keep_keys.get(),
        ..tidewire_hub::Config::default()
    };
    let Some(folder) = config.data.folder() else {
        return Ok(Hub::start(bounds, Memory::new(retention))?);
    };
    let settings = segments::Settings {
        durability: archive.durability.get(),
        segment_bytes: segment_bytes(retention.max_bytes as u64),
        retention,
    };
    let disk = RealDisk::open(folder).map_err(|why| cannot_keep(folder, &why))?;
    let open = || {
        let log = Segments::open(Arc::new(disk), settings)?;
        anyhow::Ok(Hub::start(bounds, log)?)
    };
    open().with_context(|| format!("the log in {}", in_full(folder)))
}

fn cannot_keep(folder: &Path, why: &io::Error) -> anyhow::Error {
    let place = in_full(folder);
    let owner = match why.kind() {
        // For example of a folder that root has restored or repaired.
        io::ErrorKind::PermissionDenied => {
            "The folder must belong to the user that runs the server (`chown -R`). "
        }
        _ => "",
    };
    anyhow::anyhow!(
        "cannot keep the log in {place}: {why}. {owner}--data DIR takes another folder, --memory keeps the log in memory"
    )
}

/// A folder as it can be found from anywhere.
fn in_full(folder: &Path) -> String {
    // Fails where there is no working directory.
    let path = std::path::absolute(folder).unwrap_or_else(|_| folder.into());
    path.display().to_string()
}

/// Makes room for connections, which are open files, as far as the system lets us.
fn files(config: &Config) -> anyhow::Result<Budget> {
    let limits = &config.limits;
    let files = descriptors::raise().unwrap_or(u64::MAX);
    let kept = config.archive.max_bytes.map_or(u64::MAX, Bounded::get);
    let segments = match config.memory {
        true => 0,
        // Each has more than half of what it may, with the next one.
        false => 2 * kept.div_ceil(segment_bytes(kept).max(1)) + 2,
    };
    let wanted = limits.max_running_answers.get();
    let budget = Budget::of(files, segments, wanted).map_err(anyhow::Error::msg)?;
    let (max, most) = (budget.connections, limits.max_connections.get());
    if max < most {
        tracing::info!(
            "taking at most {max} connections, not limits.max_connections ({most}): the system allows {files} open \
             files (`ulimit -Hn`, systemd's LimitNOFILE=)"
        );
    }
    if budget.upstreams < wanted {
        tracing::debug!(
            "running at most {} answers of upstreams, not limits.max_running_answers ({wanted}), of {files} open files",
            budget.upstreams
        );
    }
    Ok(budget)
}

fn guests(config: &Config, files: Budget) -> Arc<Guests> {
    let limits = &config.limits;
    let wanted = limits.max_connections.get();
    let max = wanted.min(files.connections);
    // Where open files are few, one address leaves some of them.
    let room = if max < wanted { max * 3 / 4 } else { max };
    let per_address = limits.max_connections_per_address;
    Guests::new(
        to_usize(max),
        per_address.map(|per_address| to_usize(per_address.get().min(room).max(1))),
    )
}

fn announce(config: &Config, address: SocketAddr, hub: &Hub) -> anyhow::Result<()> {
    // Nobody goes to 0.0.0.0, but to a name that the server answers for.
    let name = config.hosts.first().filter(|_| address.ip().is_unspecified());
    let place = name.map_or(address.to_string(), |name| {
        format!("{}:{}", name.as_str(), address.port())
    });
    let token = match config.wants_read_token() {
        true => r#"-H "Authorization: Bearer $TIDEWIRE_TOKEN" "#,
        false => "",
    };
    let hint = format!("curl -N {token}http://{place}/events/hello");
    let hint = match config.demo.unwrap_or_default() {
        true => format!("Open it in a browser for the demo, or try: {hint}"),
        false => format!("Try: {hint}"),
    };
    let log = match config.data.folder() {
        // Where a volume is not mounted, there is suddenly nothing.
        Some(folder) if hub.position().seq == Seq::ZERO => {
            format!("The log is in {}, empty", in_full(folder))
        }
        Some(folder) => format!("The log is in {}", in_full(folder)),
        None => "The log is in memory: a restart begins a new one".into(),
    };
    stdout::print(&format!(
        "Tidewire is listening on http://{address}\n{hint}\n{log}\n"
    ))
}

/// A setting as the platform counts; what does not fit is as much as there is.
fn to_usize(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_another_users_is_told_with_what_to_do() {
        let told = |kind: io::ErrorKind| cannot_keep(Path::new("/var/log"), &kind.into()).to_string();
        assert_eq!(
            told(io::ErrorKind::PermissionDenied),
            "cannot keep the log in /var/log: permission denied. The folder must belong to the user that runs the \
             server (`chown -R`). --data DIR takes another folder, --memory keeps the log in memory"
        );
        assert!(!told(io::ErrorKind::ResourceBusy).contains("chown"));
    }
}
