//! `start`, `stop`, `restart`, `reset`: asked one after the other, and waited for.

use serde::Deserialize;
use vigie_common::cli::{Failure, Outcome, say};
use vigie_common::exit::Exit;

use super::client::Client;
use crate::service::words::Verb;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Ids of services, as `status` shows them
    #[arg(required = true, value_name = "SERVICE")]
    services: Vec<String>,
    /// Do not wait until it is done
    #[arg(long)]
    no_wait: bool,
}

#[derive(Debug, Deserialize)]
struct Done {
    state: String,
    pid: Option<u32>,
    last_exit: Option<LastExit>,
}

#[derive(Debug, Deserialize)]
struct LastExit {
    reason: String,
}

pub(super) fn run(client: &Client, verb: Verb, arguments: &Arguments) -> Outcome {
    let mut exit = Exit::Done;
    for id in &arguments.services {
        let id = id.as_str();
        if !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(Failure::new(
                Exit::Usage,
                format!("there is no service `{}`", vigie_common::text::inert(id, 40)),
            ));
        }
        let path = format!("/api/v1/services/{id}/{}", verb.as_str());
        if arguments.no_wait {
            client.post::<serde_json::Value>(&path)?;
            say(&format!("{id}: asked to {}", verb.as_str()))?;
            continue;
        }
        let done: Done = client.post(&format!("{path}?wait=45s"))?;
        let wanted: &[&str] = match verb {
            Verb::Stop => &["stopped"],
            Verb::Start | Verb::Restart => &["running", "exited"],
            // What is down stays down.
            Verb::Reset => &["running", "exited", "stopped"],
        };
        let pid = done.pid.map(|pid| format!(", process {pid}")).unwrap_or_default();
        if wanted.contains(&done.state.as_str()) {
            say(&format!("{id}: {}{pid}", done.state))?;
        } else {
            let why = done.last_exit.map(|last| format!(" ({})", last.reason)).unwrap_or_default();
            say(&format!("{id}: {}{pid}{why}; `vigie-supervisor logs {id}` shows its output", done.state))?;
            exit = Exit::Incomplete;
        }
    }
    Ok(exit)
}
