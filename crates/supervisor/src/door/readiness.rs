//! `/healthz` and `/readyz` of the supervisor: whether all that is to run is ready, and what a person should look at.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::json;
use vigie_common::clock;
use vigie_web::Alarm;
use vigie_web::health::MaySeeAlarms;

use super::Door;
use crate::fleet::view::ServiceView;
use crate::service::words::{Desired, Health, State as Observed};

/// `GET /healthz`: this loop is alive.
pub(super) async fn healthz() -> Response {
    Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") })).into_response()
}

/// `GET /readyz`: whether all that is to run is ready.
pub(super) async fn readyz(State(door): State<Door>, request: Request) -> Response {
    let views = door.fleet.views();
    let ready = views.iter().all(|view| view.desired == Desired::Down || is_well(view));
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    if request.extensions().get::<MaySeeAlarms>().is_none() {
        return (status, Json(json!({ "ready": ready }))).into_response();
    }
    let now = clock::now();
    (status, Json(json!({ "ready": ready, "as_of": now, "alarms": alarms(&views, now) }))).into_response()
}

fn is_well(view: &ServiceView) -> bool {
    matches!(view.state, Observed::Running | Observed::Exited) && view.health != Health::Unhealthy
}

/// What a person should look at: services that are not as they should be, then what services say of themselves. Two
/// that say the same are heard once.
pub(super) fn alarms(views: &[ServiceView], now: Timestamp) -> Vec<Alarm> {
    let ours = views.iter().filter_map(|view| alarm(view, now));
    let theirs = views.iter().flat_map(|view| view.alarms.iter().cloned());
    let mut told = BTreeSet::new();
    ours.chain(theirs).filter(|alarm| told.insert((alarm.code.clone(), alarm.subject.clone()))).collect()
}

fn alarm(view: &ServiceView, now: Timestamp) -> Option<Alarm> {
    let id = &view.id;
    let last = view.last_exit.as_ref();
    let why = last.map_or_else(|| "it never ran".to_owned(), |last| last.reason.clone());
    let (code, text) = match view.state {
        Observed::Fatal => (
            "service-fatal",
            format!("{id} has given up: {why}. Look at its log, mend the cause, then start it."),
        ),
        _ if view.unkillable => (
            "service-unkillable",
            format!(
                "{id} does not end, even when killed: its process hangs in the kernel, often on a disk or network file system."
            ),
        ),
        Observed::Backoff if view.crash_loop => {
            ("service-crash-loop", format!("{id} fails again and again: {why}. Its log has the cause."))
        }
        Observed::Running if view.health == Health::Unhealthy => {
            ("service-unhealthy", format!("{id} runs, but does not answer its probe."))
        }
        _ => return None,
    };
    let since = last.map_or(now, |last| last.at);
    Some(Alarm { code: code.into(), subject: id.clone(), since, text })
}
