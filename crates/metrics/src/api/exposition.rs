//! `/metrics`: for Prometheus, in its text format or as OpenMetrics. Labels are configured names, never addresses.

use std::sync::atomic::AtomicU64;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::{EncodeLabelSet, prometheus_text, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use tokio::time::Instant;
use vigie_common::clock;
use vigie_web::{Problem, Visitor};

use super::App;
use crate::host::resident;

const OPEN_METRICS: &str = "application/openmetrics-text";

/// Requests counted. Clones count together.
#[derive(Debug, Clone)]
pub struct Requests {
    count: Family<Label, Counter>,
    duration: Family<Route, Histogram, fn() -> Histogram>,
}

impl Default for Requests {
    fn default() -> Self {
        let buckets = || Histogram::new([0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0]);
        Self { count: Family::default(), duration: Family::new_with_constructor(buckets) }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Label {
    route: String,
    method: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

/// Counts a request to a route of ours.
pub(super) async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("", |path| path.as_str()).to_owned();
    let method = match *request.method() {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        _ => "other",
    };
    let start = Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    app.requests.count.get_or_create(&Label { route: route.clone(), method, status }).inc();
    app.requests.duration.get_or_create(&Route { route }).observe(start.elapsed().as_secs_f64());
    response
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Side {
    account: String,
    mailbox: String,
    side: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Account {
    account: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Process {
    process: String,
}

type Measure = Gauge<f64, AtomicU64>;

pub(super) async fn answer(
    State(app): State<App>,
    visitor: Visitor,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let registry = gather(&app, &visitor).await?;
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let mut out = String::new();
    let (kind, written) = if accept.contains(OPEN_METRICS) {
        let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        (kind, text::encode(&mut out, &registry))
    } else {
        (prometheus_text::CONTENT_TYPE, prometheus_text::encode(&mut out, &registry))
    };
    written.map_err(Problem::internal)?;
    Ok(([(header::CONTENT_TYPE, kind)], out).into_response())
}

/// What is known now, of what the visitor may see.
async fn gather(app: &App, visitor: &Visitor) -> Result<Registry, Problem> {
    let mut registry = Registry::with_prefix("vigie");
    let build = Info::new([("version", env!("CARGO_PKG_VERSION")), ("process", "metrics")]);
    registry.register("build", "The program", build);
    mail(&mut registry, app, visitor).await?;
    standing(&mut registry, app, visitor);
    host(&mut registry, app);
    registry.register("http_requests", "Requests to this face", app.requests.count.clone());
    let help = "From a request to the head of its answer";
    registry.register("http_request_duration_seconds", help, app.requests.duration.clone());
    Ok(registry)
}

async fn mail(registry: &mut Registry, app: &App, visitor: &Visitor) -> Result<(), Problem> {
    let sums = app.readers.ask(|db| {
        let mut query = db.prepare_cached("SELECT name, messages, bytes FROM account ORDER BY name")?;
        let rows = query.query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        })?;
        rows.collect::<Result<Vec<_>, _>>()
    });
    let messages = Family::<Account, Gauge>::default();
    let bytes = Family::<Account, Gauge>::default();
    for (account, count, octets) in sums.await? {
        if visitor.sees(&account) {
            let label = Account { account };
            messages.get_or_create(&label).set(count);
            bytes.get_or_create(&label).set(octets);
        }
    }
    registry.register("store_messages", "Messages stored, copies included", messages);
    registry.register("store_bytes", "Octets of the messages stored", bytes);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "ages of years fit")]
fn standing(registry: &mut Registry, app: &App, visitor: &Visitor) {
    let standing = app.outlets.standing.borrow().clone();
    let now = clock::now();
    // It counts records of all accounts.
    if visitor.accounts().is_none() {
        let behind: Gauge = Gauge::default();
        behind.set(i64::try_from(standing.behind()).unwrap_or(i64::MAX));
        registry.register("index_behind_events", "Records of the catalog that are not counted yet", behind);
    }
    let sides = Family::<Side, Gauge>::default();
    let lag = Family::<Account, Measure>::default();
    let up: Gauge = Gauge::default();
    if let Some(archive) = &standing.archive {
        up.set(i64::from(archive.is_running(now)));
        for mailbox in archive.mailboxes.iter().filter(|mailbox| visitor.sees(&mailbox.account)) {
            let set = |side, count: u64| {
                let (account, mailbox) = (mailbox.account.clone(), mailbox.mailbox.name.clone());
                let label = Side { account, mailbox, side };
                sides.get_or_create(&label).set(i64::try_from(count).unwrap_or(i64::MAX));
            };
            set("stored", mailbox.stored);
            if let Some(exists) = mailbox.selected.and_then(|selected| selected.exists) {
                set("server", exists.into());
            }
            if let Some(at) = mailbox.proof_of_life {
                let seconds = now.duration_since(at).as_secs().max(0) as f64;
                let gauge = lag.get_or_create(&Account { account: mailbox.account.clone() });
                gauge.set(gauge.get().max(seconds));
            }
        }
    }
    registry.register("ingest_up", "Whether ingest shows signs of life", up);
    registry.register("mailbox_messages", "Messages by side", sides);
    let help = "Since the last proof of life of the mailbox that is furthest behind";
    registry.register("ingest_lag_seconds", help, lag);
    let alarms: Gauge = Gauge::default();
    let told = app.alarms.borrow().iter().filter_map(|found| found.told_to(visitor)).count();
    alarms.set(i64::try_from(told).unwrap_or(i64::MAX));
    registry.register("alarms", "Things that a person should look at", alarms);
}

#[expect(clippy::cast_possible_wrap, reason = "no machine has that many octets")]
fn host(registry: &mut Registry, app: &App) {
    let Some(host) = app.host.borrow().clone() else { return };
    let measure = |registry: &mut Registry, name: &str, help: &str, value: f64| {
        let gauge = Measure::default();
        gauge.set(value);
        registry.register(name, help, gauge);
    };
    measure(registry, "host_cpu_ratio", "Share of all cores in use", host.cpu.usage);
    let load = host.load.first().copied().unwrap_or_default();
    measure(registry, "host_load1", "Load over one minute", load);
    let memory: Gauge = Gauge::default();
    memory.set(host.memory.used_bytes as i64);
    registry.register("host_memory_used_bytes", "Memory in use", memory);
    if let Some(disk) = host.archive_disk() {
        let free: Gauge = Gauge::default();
        free.set(disk.free_bytes as i64);
        registry.register("archive_disk_free_bytes", "Room on the archive's file system", free);
    }
    let processes = Family::<Process, Gauge>::default();
    for (process, bytes) in resident(&host) {
        processes.get_or_create(&Process { process: process.to_owned() }).set(bytes as i64);
    }
    registry.register("process_resident_bytes", "Memory of our processes", processes);
}
