//! `/services/metrics`: the services for Prometheus.

use std::sync::atomic::AtomicU64;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use vigie_web::{Problem, Visitor};

use super::Door;
use crate::service::words::{Health, State as Observed};

type Labels = Vec<(&'static str, String)>;
type Whole = Family<Labels, Gauge<i64>>;
type Real = Family<Labels, Gauge<f64, AtomicU64>>;

const STATES: [Observed; 8] = [
    Observed::Stopped,
    Observed::Waiting,
    Observed::Starting,
    Observed::Running,
    Observed::Stopping,
    Observed::Backoff,
    Observed::Exited,
    Observed::Fatal,
];

pub(super) async fn metrics(State(door): State<Door>, _: Visitor) -> Response {
    let mut registry = Registry::with_prefix("vigie");
    fill(&door, &mut registry);
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => Problem::internal(error).into_response(),
    }
}

fn fill(door: &Door, registry: &mut Registry) {
    let (state, up, ready) = (Whole::default(), Whole::default(), Whole::default());
    let (cpu, backoff) = (Real::default(), Real::default());
    let (memory, exit) = (Whole::default(), Whole::default());
    let restarts = Family::<Labels, prometheus_client::metrics::counter::Counter>::default();
    let dropped = Family::<Labels, prometheus_client::metrics::counter::Counter>::default();
    let now = vigie_common::clock::now();
    for view in door.fleet.views() {
        let named = || vec![("service", view.id.clone())];
        for one in STATES {
            let labels = vec![("service", view.id.clone()), ("state", one.as_str().to_owned())];
            state.get_or_create(&labels).set((one == view.state).into());
        }
        up.get_or_create(&named()).set(view.pid.is_some().into());
        let well = view.state == Observed::Running && view.health != Health::Unhealthy;
        ready.get_or_create(&named()).set(well.into());
        restarts.get_or_create(&named()).inc_by(view.restarts);
        dropped.get_or_create(&named()).inc_by(view.log_dropped);
        let wait = view.next_start_at.map_or(0.0, |at| now.duration_until(at).as_secs_f64().max(0.0));
        backoff.get_or_create(&named()).set(wait);
        if let Some(ratio) = view.cpu {
            cpu.get_or_create(&named()).set(ratio);
        }
        if let Some(octets) = view.resident_bytes {
            memory.get_or_create(&named()).set(octets.try_into().unwrap_or(i64::MAX));
        }
        if let Some(code) = view.last_exit.as_ref().and_then(|last| last.code) {
            exit.get_or_create(&named()).set(code.into());
        }
    }
    registry.register("service_state", "1 for the state that the service is in", state);
    registry.register("service_up", "Whether a process runs", up);
    registry.register("service_ready", "Whether it is running and answers", ready);
    registry.register("supervisor_restarts", "Restarts since the supervisor started", restarts);
    registry.register("service_log_dropped_lines", "Lines that came faster than they could be kept", dropped);
    registry.register_with_unit("service_backoff", "Until the next start", Unit::Seconds, backoff);
    registry.register_with_unit("service_cpu", "Share of one core", Unit::Ratios, cpu);
    registry.register_with_unit("service_resident", "Memory", Unit::Bytes, memory);
    registry.register("service_last_exit_code", "Code of the last exit", exit);
    let version = vec![("version", env!("CARGO_PKG_VERSION"))];
    registry.register("build", "What runs", prometheus_client::metrics::info::Info::new(version));
}
