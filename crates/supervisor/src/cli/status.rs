//! `status`: how each service is.

use comfy_table::{Table, presets};
use serde::Deserialize;
use vigie_common::cli::{Outcome, say};
use vigie_common::exit::Exit;
use vigie_common::text::inert;

use super::client::Client;
use super::internal;
use crate::door::text::{size, span};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Deserialize)]
struct Answer {
    items: Vec<Service>,
    alarms: Vec<Alarm>,
}

#[derive(Debug, Deserialize)]
struct Service {
    id: String,
    state: String,
    health: String,
    pid: Option<u32>,
    uptime_seconds: Option<f64>,
    resident_bytes: Option<u64>,
    restarts: u64,
    last_exit: Option<LastExit>,
    status: Option<String>,
}

#[derive(Debug, Deserialize)]
struct LastExit {
    reason: String,
}

#[derive(Debug, Deserialize)]
struct Alarm {
    text: String,
}

pub(super) fn run(client: &Client, arguments: &Arguments) -> Outcome {
    let path = "/api/v1/services";
    if arguments.json {
        let answer: serde_json::Value = client.get(path)?;
        say(&serde_json::to_string(&answer).map_err(internal)?)?;
        return Ok(Exit::Done);
    }
    let answer: Answer = client.get(path)?;
    let mut rows = Table::new();
    rows.load_style(presets::NOTHING);
    rows.set_header(["service", "state", "process", "up for", "memory", "restarts", "last exit", "says"]);
    for service in answer.items {
        let state = match service.health.as_str() {
            "unhealthy" => format!("{}, does not answer", service.state),
            _ => service.state,
        };
        rows.add_row([
            service.id,
            state,
            service.pid.map(|pid| pid.to_string()).unwrap_or_default(),
            service.uptime_seconds.map(span).unwrap_or_default(),
            service.resident_bytes.map(size).unwrap_or_default(),
            service.restarts.to_string(),
            service.last_exit.map(|last| last.reason).unwrap_or_default(),
            service.status.map(|said| inert(&said, 80)).unwrap_or_default(),
        ]);
    }
    say(&rows.to_string())?;
    for alarm in answer.alarms {
        say(&format!("! {}", inert(&alarm.text, 500)))?;
    }
    Ok(Exit::Done)
}
