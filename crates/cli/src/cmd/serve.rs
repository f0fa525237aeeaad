//! `tidewire serve`: starts the server that the settings describe, and drains it at a signal.

use std::{io, net::SocketAddr, path::Path};

use tidewire_doors::{
    BodyBounds,
    bodies::{Bodies, Shares},
    guard::Guard,
    plain,
    sending::SendBuffers,
};
use tidewire_hub::{Hub, Seq, archive::Retention};
use tidewire_relay as relay;
use tidewire_server::{Log, Server, StartError, descriptors, listen::Bounds};

use super::{
    signals::{Confirmations, Hangup, Hangups, Signals},
    stdout,
};
use crate::config::{
    Config, Plan,
    poison::OnPoison,
    topics,
    value::{Bounded, Unit},
};

/// Runs the server until a signal ends it.
pub(crate) async fn run(config: Config) -> anyhow::Result<()> {
    let plan = config.plan()?;
    plan.warnings.iter().for_each(|text| tracing::warn!("{text}"));
    plan.notices.iter().for_each(|text| tracing::info!("{text}"));
    let (mut signals, mut hangups, mut confirmations) =
        (Signals::new()?, Hangups::new()?, Confirmations::new()?);
    let open_files = descriptors::raise();
    let server = Server::start(tidewire_server::Config {
        open_files,
        ..settings(&config, plan)?
    });
    let server = server.await.map_err(|error| cannot_start(&config, error))?;
    announce(&config, server.address(), server.hub())?;
    let on_poison = config.archive.on_poison;
    let mut poisoned = None;
    let name = loop {
        tokio::select! {
            name = signals.next() => break name,
            why = server.hub().poisoned(), if on_poison == OnPoison::Exit => {
                poisoned = Some(why);
                break "the log can no longer be written (archive.on_poison)";
            }
            () = confirmations.next() => match server.hub().confirm_clock() {
                true => tracing::info!("SIGUSR1: the clock is confirmed, and records that are too old by it expire"),
                false => tracing::info!("SIGUSR1: the clock was not in doubt"),
            },
            hangup = hangups.next() => match hangup {
                Hangup::TerminalGone => break "SIGHUP, the terminal has gone",
                Hangup::Reload => read_tokens_again(&config, server.guard()),
            },
        }
    };
    tracing::info!("{name}: draining");
    tokio::select! {
        () = server.drain() => match poisoned {
            None => Ok(()),
            Some(why) => Err(anyhow::anyhow!("the log can no longer be written: {why}")),
        },
        name = signals.next() => Err(anyhow::anyhow!("{name} while draining: left at once")),
    }
}

/// The error with its remedy: the flag or the folder to change.
fn cannot_start(config: &Config, error: StartError) -> anyhow::Error {
    match (error, config.data.folder()) {
        (StartError::Listen { address, source }, _) => anyhow::Error::new(source).context(format!(
            "cannot listen on {address}: is another server there? --listen takes another address"
        )),
        (StartError::Folder { folder, source }, _) => cannot_keep(&folder, &source),
        (error @ (StartError::Log(_) | StartError::Hub(_)), Some(folder)) => {
            anyhow::Error::new(error).context(format!("the log in {}", in_full(folder)))
        }
        (error, _) => error.into(),
    }
}

/// The same settings for the server.
pub(crate) fn settings(config: &Config, plan: Plan) -> anyhow::Result<tidewire_server::Config> {
    let (limits, timeouts, archive) = (&config.limits, &config.timeouts, &config.archive);
    let plain = plain::Config {
        heartbeat: config.heartbeat.get(),
        retry: config.retry.get(),
        bodies: BodyBounds {
            stall: timeouts.body_stall.get(),
            total: timeouts.body_total.get(),
            budget: Bodies::new(Shares {
                max: to_usize(limits.max_bodies),
                max_without_token: limits.max_bodies_without_token.map(to_usize),
                max_per_network: limits.max_bodies_per_address.map(to_usize),
            }),
        },
        send_buffers: SendBuffers::new(Shares {
            max: to_usize(limits.max_send_buffers),
            max_without_token: limits.max_send_buffers_without_token.map(to_usize),
            max_per_network: limits.max_send_buffers_per_address.map(to_usize),
        }),
        max_subscribe_body: to_usize(limits.max_subscribe_body),
        max_unknown_topics_per_address: limits.max_unknown_topics_per_address.map(to_usize),
    };
    let relay = relay::Config {
        max_running: to_usize(limits.max_running_answers),
        max_running_without_token: limits.max_running_without_token.map(to_usize),
        max_running_per_network: limits.max_running_per_address.map(to_usize),
        max_kept: to_usize(limits.max_kept_answers),
        max_kept_bodies: to_usize(limits.max_kept_bodies),
        ..relay::Config::new(plan.routes)
    };
    let hub = tidewire_hub::Config {
        max_event: to_usize(limits.max_event),
        max_topics_per_subscription: to_usize(limits.max_topics_per_subscription),
        max_topics: to_usize(limits.max_topics),
        window: to_usize(limits.window),
        max_keys: to_usize(limits.max_keys),
        max_key_bytes: to_usize(limits.max_key_bytes),
        keep_keys: limits.keep_keys.get(),
        ..tidewire_hub::Config::default()
    };
    let retention = Retention {
        max_bytes: archive.max_bytes.map_or(usize::MAX, to_usize),
        max_events: archive.max_events.map(to_usize),
        max_age: archive.max_age.map(Bounded::get),
        relay_percent: u8::try_from(archive.relay_percent.get())?,
        rules: topics::rules(&archive.topics).map_err(anyhow::Error::msg)?,
    };
    let connection = Bounds {
        header_read: timeouts.header_read.get(),
        keep_alive: timeouts.keep_alive.get(),
        max_header: to_usize(limits.max_header),
        write_stall: timeouts.write_stall.get(),
        tcp_user: timeouts.tcp_user.get(),
        ..Bounds::default()
    };
    Ok(tidewire_server::Config {
        address: config.listen.get(),
        backlog: u32::try_from(limits.backlog.get())?,
        guard: plan.guard,
        plain,
        relay,
        demo: config.demo.unwrap_or_default(),
        demo_path: plan.demo_path.map(Into::into),
        hub,
        log: config.data.folder().map_or(Log::Memory, |folder| Log::Folder {
            path: folder.into(),
            durability: archive.durability.get(),
        }),
        retention,
        unhealthy_when_poisoned: archive.on_poison == OnPoison::Unhealthy,
        connection,
        max_connections: to_usize(limits.max_connections),
        max_connections_per_network: limits.max_connections_per_address.map(to_usize),
        open_files: None,
        drain_notice: timeouts.drain_notice.get(),
        drain: timeouts.drain.get(),
    })
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
fn to_usize<U: Unit<Value = u64>, const MIN: u64, const MAX: u64>(setting: Bounded<U, MIN, MAX>) -> usize {
    usize::try_from(setting.get()).unwrap_or(usize::MAX)
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
