//! `logs`: the last lines of a service's output, and on request those that follow.

use serde::Deserialize;
use vigie_common::cli::{Failure, Outcome, say};
use vigie_common::exit::Exit;
use vigie_common::text::inert;

use super::client::Client;
use super::internal;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Id of the service, as `status` shows it
    service: String,
    /// How many lines
    #[arg(long, short = 'n', default_value_t = 100, value_name = "LINES")]
    tail: usize,
    /// Go on with new lines
    #[arg(long, short)]
    follow: bool,
}

#[derive(Debug, Deserialize)]
struct Answer {
    items: Vec<Line>,
}

#[derive(Debug, Deserialize)]
struct Line {
    at: String,
    text: String,
}

pub(super) fn run(client: &Client, arguments: &Arguments) -> Outcome {
    let id = &arguments.service;
    if !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Err(Failure::new(Exit::Usage, format!("there is no service `{}`", inert(id, 40))));
    }
    let answer: Answer = client.get(&format!("/api/v1/services/{id}/logs?tail={}", arguments.tail))?;
    for line in &answer.items {
        show(line)?;
    }
    if arguments.follow {
        client.follow(&format!("/api/v1/services/stream?log={id}"), |name, data| {
            if name != "log" {
                return Ok(());
            }
            let line: Line = serde_json::from_str(data).map_err(internal)?;
            show(&line)
        })?;
    }
    Ok(Exit::Done)
}

fn show(line: &Line) -> Result<(), Failure> {
    let time = line.at.get(11..19).unwrap_or_default();
    say(&format!("{time} {}", inert(&line.text, usize::MAX)))
}
