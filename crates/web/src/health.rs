//! Liveness and readiness: `/healthz` says that the loop is alive, and the version; `/readyz` says whether the
//! work is done as it should be, with alarms for those who may know.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use vigie_common::clock;

use crate::token::same;

/// Environment variable by which a supervisor gives its children the token of its probe.
pub const PROBE_TOKEN: &str = "VIGIE_PROBE_TOKEN";

/// Something that a person should look at. It never restarts anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// What kind, stable: `mailbox-stale`.
    pub code: String,
    /// About what: `support/INBOX`.
    pub subject: String,
    /// Since when.
    pub since: Timestamp,
    /// For a person: what, why, what to do.
    pub text: String,
}

/// How a process is, shared between those who know and those who ask.
#[derive(Debug, Clone)]
pub struct Health(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    version: &'static str,
    probe: Option<String>,
    state: RwLock<Present>,
}

#[derive(Debug, Default)]
struct Present {
    ready: bool,
    alarms: Vec<Alarm>,
}

impl Health {
    /// Not ready yet, without alarms. The token of the supervisor's probe is taken from the environment.
    #[must_use]
    pub fn new(version: &'static str) -> Self {
        let probe = std::env::var(PROBE_TOKEN).ok().filter(|token| !token.is_empty());
        Self(Arc::new(Shared { version, probe, state: RwLock::default() }))
    }

    /// Whether the work has begun.
    pub fn set_ready(&self, ready: bool) {
        if let Ok(mut state) = self.0.state.write() {
            state.ready = ready;
        }
    }

    /// The alarms as they are now. One that was there before keeps its `since`.
    pub fn set_alarms(&self, mut alarms: Vec<Alarm>) {
        let Ok(mut state) = self.0.state.write() else { return };
        let before: HashMap<_, _> =
            state.alarms.iter().map(|a| ((a.code.as_str(), a.subject.as_str()), a.since)).collect();
        for alarm in &mut alarms {
            if let Some(since) = before.get(&(alarm.code.as_str(), alarm.subject.as_str())) {
                alarm.since = *since;
            }
        }
        state.alarms = alarms;
    }

    /// The alarms as they are now.
    #[must_use]
    pub fn alarms(&self) -> Vec<Alarm> {
        self.0.state.read().map(|state| state.alarms.clone()).unwrap_or_default()
    }

    /// Whether the work has begun.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.state.read().is_ok_and(|state| state.ready)
    }

    /// Whether a request carries the token of our supervisor's probe.
    fn is_probe(&self, request: &Request) -> bool {
        let Some(token) = &self.0.probe else { return false };
        let given = request.headers().get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
        given.and_then(|v| v.strip_prefix("Bearer ")).is_some_and(|given| same(given, token))
    }
}

/// Set on a request by whoever knows that its sender may see alarms.
#[derive(Debug, Clone, Copy)]
pub struct MaySeeAlarms;

/// `GET /healthz` and `GET /readyz`.
pub fn routes(health: Health) -> Router {
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz)).with_state(health)
}

async fn healthz(State(health): State<Health>) -> Response {
    json(StatusCode::OK, &serde_json::json!({ "status": "ok", "version": health.0.version }))
}

async fn readyz(State(health): State<Health>, request: Request) -> Response {
    let ready = health.is_ready();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let told = request.extensions().get::<MaySeeAlarms>().is_some() || health.is_probe(&request);
    if told {
        let at = clock::now();
        json(status, &serde_json::json!({ "ready": ready, "as_of": at, "alarms": health.alarms() }))
    } else {
        json(status, &serde_json::json!({ "ready": ready }))
    }
}

fn json(status: StatusCode, body: &serde_json::Value) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, body.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarm(subject: &str, second: i64) -> Alarm {
        Alarm {
            code: "mailbox-stale".into(),
            subject: subject.into(),
            since: Timestamp::from_second(second).unwrap(),
            text: String::new(),
        }
    }

    #[test]
    fn an_alarm_that_stays_keeps_its_beginning() {
        let health = Health::new("1");
        health.set_alarms(vec![alarm("a", 1)]);
        health.set_alarms(vec![alarm("b", 5), alarm("a", 5)]);
        assert_eq!(health.alarms(), [alarm("b", 5), alarm("a", 1)]);
    }
}
