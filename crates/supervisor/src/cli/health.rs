//! `health`: whether the running supervisor is well, by its exit code: 0 all that is to run is ready, 74 it is alive
//! and something is not ready, 69 it does not answer.

use hyper::{Method, StatusCode};
use serde::Deserialize;
use vigie_common::cli::{Outcome, say};
use vigie_common::exit::Exit;
use vigie_common::text::inert;

use super::client::Client;
use super::internal;

#[derive(Debug, Deserialize)]
struct Answer {
    alarms: Vec<Alarm>,
}

#[derive(Debug, Deserialize)]
struct Alarm {
    text: String,
}

pub(super) fn run(client: &Client) -> Outcome {
    let (status, body) = client.ask(Method::GET, "/readyz")?;
    let answer: Answer = serde_json::from_slice(&body).map_err(internal)?;
    let ready = status == StatusCode::OK;
    say(if ready { "ready" } else { "alive, but not all services are ready" })?;
    for alarm in answer.alarms {
        say(&format!("! {}", inert(&alarm.text, 500)))?;
    }
    Ok(if ready { Exit::Done } else { Exit::Incomplete })
}
