//! `GET /metrics`: counters for Prometheus, as OpenMetrics text.
//!
//! Nothing is counted here: the hub, the relay and the listener count as they go, and each scrape reads them. Labels have
//! few values that are known beforehand, as a relay route's path is; no topic, no answer and no address is ever one.

use std::{
    fmt::{self, Debug},
    sync::Arc,
};

use axum::{
    Router,
    extract::State,
    http::{HeaderName, StatusCode, header},
    routing,
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text},
    metrics::MetricType,
    registry::Registry,
};
use tidewire_doors::{Problem, bodies::Bodies, sending::SendBuffers};
use tidewire_hub::{Hub, stats::Histogram};
use tidewire_relay::{
    Ending, Relay, RouteStats,
    measures::{BUCKETS, TimesRead},
};
use tokio::time::Instant;

use crate::listen::Guests;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The route.
pub(crate) fn router(
    hub: Hub,
    relay: Relay,
    guests: Arc<Guests>,
    bodies: Bodies,
    send_buffers: SendBuffers,
) -> Router {
    let mut registry = Registry::with_prefix("tidewire");
    registry.register_collector(Box::new(Source {
        hub,
        relay,
        guests,
        bodies,
        send_buffers,
        started: Instant::now(),
    }));
    Router::new()
        .route("/metrics", routing::get(scrape))
        .with_state(Arc::new(registry))
}

async fn scrape(
    State(registry): State<Arc<Registry>>,
) -> Result<([(HeaderName, &'static str); 2], String), Problem> {
    let mut out = String::new();
    let failed =
        |error: fmt::Error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", error.to_string());
    text::encode(&mut out, &registry).map_err(failed)?;
    let headers = [
        (header::CONTENT_TYPE, OPEN_METRICS),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, out))
}

/// Where the numbers come from.
struct Source {
    hub: Hub,
    relay: Relay,
    guests: Arc<Guests>,
    bodies: Bodies,
    send_buffers: SendBuffers,
    started: Instant,
}

impl Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

impl Collector for Source {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = Out(encoder);
        out.build()?;
        out.gauge(
            "uptime_seconds",
            "Since the server started",
            self.started.elapsed().as_secs(),
        )?;
        self.hub(&mut out)?;
        self.relay(&mut out)?;
        out.gauge(
            "body_bytes",
            "Bytes that bodies of requests hold",
            count(self.bodies.held()),
        )?;
        out.counter(
            "bodies_refused",
            "Bodies for which there was no room",
            self.bodies.refused(),
        )?;
        out.gauge(
            "send_buffer_bytes",
            "Bytes of events over 64 KiB that are on their way to readers",
            count(self.send_buffers.held()),
        )?;
        out.counter(
            "send_buffers_refused",
            "Readers that were cut because there was no room for their next event",
            self.send_buffers.refused(),
        )?;
        self.connections(&mut out)
    }
}

impl Source {
    fn hub(&self, out: &mut Out<'_>) -> fmt::Result {
        let stats = self.hub.stats();
        out.counter("events", "Events published", stats.events)?;
        out.counter("event_bytes", "Bytes of their data, ids and names", stats.bytes)?;
        out.counter("publishes_refused", "Publishes refused by the log", stats.refused)?;
        out.counter(
            "publishes_replayed",
            "Publishes that came again under their key",
            stats.replayed,
        )?;
        out.counter(
            "events_encoded",
            "Times an event was encoded for readers",
            stats.encoded,
        )?;
        out.histogram("batch_size", "Records committed together", &stats.batches)?;

        out.gauge("readers", "Readers that are subscribed", count(stats.readers))?;
        out.gauge(
            "channels",
            "Distinct sets of topics that are read",
            count(stats.channels),
        )?;
        out.gauge("topics", "Topics that are known", count(stats.topics))?;
        out.gauge(
            "window_events",
            "Recent events in memory",
            count(stats.window_events),
        )?;
        out.gauge("window_bytes", "Their memory", count(stats.window_bytes))?;
        out.gauge(
            "archive_records",
            "Records that are kept",
            count(stats.archive.records),
        )?;
        out.gauge("archive_bytes", "Their size", count(stats.archive.bytes))?;
        out.gauge(
            "archive_damaged_places",
            "Damaged places of the archive that are known since the start",
            count(stats.damaged),
        )?;
        out.gauge(
            "clock_in_doubt",
            "1 while nothing expires by the clock, which has leapt",
            stats.is_clock_in_doubt.into(),
        )?;
        out.gauge(
            "idempotency_keys",
            "Idempotency keys that are remembered",
            count(stats.keys),
        )?;
        out.gauge("idempotency_key_bytes", "Their memory", count(stats.key_bytes))?;

        let gaps = stats.gaps.iter().map(|(reason, count)| (reason.as_str(), *count));
        out.counters("gaps", "Readers told that events are gone", "reason", gaps)?;
        let departures = stats.departures.iter().map(|(why, count)| (why.as_str(), *count));
        out.counters("disconnects", "Streams that were over", "reason", departures)?;
        out.counter(
            "window_misses",
            "Reads of the archive for readers behind the window",
            stats.lag.counts.iter().sum(),
        )?;
        out.histogram(
            "reader_lag",
            "Events between such a reader and the newest",
            &stats.lag,
        )
    }

    fn relay(&self, out: &mut Out<'_>) -> fmt::Result {
        let routes = self.relay.stats();
        out.gauge(
            "relay_answers",
            "Answers that run or are kept",
            count(self.relay.answers().1),
        )?;
        out.gauge(
            "relay_kept_body_bytes",
            "Bytes of answers that are no streams, held for their idempotency keys",
            count(self.relay.kept_bodies()),
        )?;
        if routes.is_empty() {
            return Ok(());
        }
        for (name, help, value) in RELAY_COUNTERS {
            let values = routes.iter().map(|route| (&*route.route, value(route)));
            out.counters(name, help, "route", values)?;
        }
        for (name, help, value) in RELAY_GAUGES {
            let mut metric = out.metric(name, help, MetricType::Gauge)?;
            for route in &routes {
                let labels = [("route", &*route.route)];
                metric.encode_family(&labels)?.encode_gauge(&value(route))?;
            }
        }
        let mut endings = out.metric("relay_endings", "Answers that have ended", MetricType::Counter)?;
        for route in &routes {
            for (ending, count) in Ending::ALL.iter().zip(route.endings) {
                let labels = [("route", &*route.route), ("reason", ending.as_str())];
                endings
                    .encode_family(&labels)?
                    .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
            }
        }
        let first = "From the request to the upstream's first event";
        out.times("relay_first_event_seconds", first, &routes, |route| {
            &route.first_event
        })?;
        let whole = "From the request to the end of the answer";
        out.times("relay_duration_seconds", whole, &routes, |route| &route.duration)
    }

    fn connections(&self, out: &mut Out<'_>) -> fmt::Result {
        let counts = self.guests.counts();
        out.gauge("connections", "Connections that are open", count(counts.open))?;
        out.counter(
            "connections_accepted",
            "Connections that were served",
            counts.accepted,
        )?;
        let refused = [
            ("all", counts.refused_in_all),
            ("address", counts.refused_from_address),
        ];
        out.counters(
            "connections_refused",
            "Connections over a limit",
            "limit",
            refused,
        )?;
        out.counter(
            "write_stalls",
            "Connections cut because they took no byte",
            counts.write_stalls,
        )
    }
}

/// A number of a route, with its name and what it means.
type OfRoute = (&'static str, &'static str, fn(&RouteStats) -> u64);

const RELAY_COUNTERS: [OfRoute; 6] = [
    ("relay_requests", "Requests to a route", |route| route.requests),
    ("relay_upstream_calls", "Calls of its upstream", |route| {
        route.upstream_calls
    }),
    (
        "relay_joined",
        "Requests answered by an answer that was there: calls that were saved",
        |route| route.joined,
    ),
    ("relay_streams", "Answers that were streams", |route| {
        route.streams
    }),
    ("relay_events", "Events of its upstream", |route| route.events),
    ("relay_event_bytes", "Bytes of their data", |route| route.bytes),
];

const RELAY_GAUGES: [OfRoute; 2] = [
    (
        "relay_readers",
        "Who reads an answer, or waits for one that another request has asked for",
        |route| route.readers,
    ),
    ("relay_running", "Answers that run", |route| route.running),
];

/// Writes one metric after another.
struct Out<'a>(DescriptorEncoder<'a>);

impl Out<'_> {
    fn metric(
        &mut self,
        name: &'static str,
        help: &str,
        kind: MetricType,
    ) -> Result<MetricEncoder<'_>, fmt::Error> {
        self.0.encode_descriptor(name, help, None, kind)
    }

    fn build(&mut self) -> fmt::Result {
        self.metric("build", "The version that runs", MetricType::Info)?
            .encode_info(&[("version", env!("CARGO_PKG_VERSION"))])
    }

    fn gauge(&mut self, name: &'static str, help: &str, value: u64) -> fmt::Result {
        self.metric(name, help, MetricType::Gauge)?.encode_gauge(&value)
    }

    fn counter(&mut self, name: &'static str, help: &str, value: u64) -> fmt::Result {
        self.metric(name, help, MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    /// A counter for each value of a label.
    fn counters<'a>(
        &mut self,
        name: &'static str,
        help: &str,
        label: &'static str,
        values: impl IntoIterator<Item = (&'a str, u64)>,
    ) -> fmt::Result {
        let mut metric = self.metric(name, help, MetricType::Counter)?;
        for (value, count) in values {
            metric
                .encode_family(&[(label, value)])?
                .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
        Ok(())
    }

    /// A histogram for each route.
    fn times(
        &mut self,
        name: &'static str,
        help: &str,
        routes: &[RouteStats],
        of: fn(&RouteStats) -> &TimesRead,
    ) -> fmt::Result {
        let mut metric = self.metric(name, help, MetricType::Histogram)?;
        for route in routes {
            let times = of(route);
            let bounds = BUCKETS.into_iter().chain([f64::MAX]);
            let buckets: Vec<_> = bounds.zip(times.classes).collect();
            let all = times.classes.iter().sum();
            metric
                .encode_family(&[("route", &*route.route)])?
                .encode_histogram::<NoLabelSet>(times.seconds, all, &buckets, None)?;
        }
        Ok(())
    }

    #[allow(
        clippy::cast_precision_loss,
        reason = "bounds are small; a sum may be rounded"
    )]
    fn histogram(&mut self, name: &'static str, help: &str, observed: &Histogram) -> fmt::Result {
        let bounds = Histogram::BOUNDS.iter().map(|bound| *bound as f64);
        // The library's sign for +Inf.
        let bounds = bounds.chain([f64::MAX]);
        let buckets: Vec<_> = bounds.zip(observed.counts).collect();
        let all = observed.counts.iter().sum();
        self.metric(name, help, MetricType::Histogram)?
            .encode_histogram::<NoLabelSet>(observed.sum as f64, all, &buckets, None)
    }
}

fn count(number: usize) -> u64 {
    number as u64
}
