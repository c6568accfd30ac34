//! `/api/v1/services`: what the page shows and does, for programs.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::json;
use vigie_common::clock;
use vigie_common::text::inert;
use vigie_web::access::Role;
use vigie_web::{Parameters, Peer, Problem, Visitor};

use super::{Door, actor, readiness};
use crate::fleet::CommandError;
use crate::fleet::view::ServiceView;
use crate::logs::line::Stream;
use crate::service::words::Verb;

/// Lines of a log that are answered at most.
const LINES: usize = 1000;
/// A command is waited for so long at most.
const WAIT: Duration = Duration::from_secs(60);

/// `GET /api/v1/services`.
pub(super) async fn list(State(door): State<Door>, visitor: Visitor) -> Response {
    door.fleet.looked_at();
    let (now, mut items) = (clock::now(), door.fleet.views());
    items.iter_mut().for_each(|view| limit(view, &visitor));
    let alarms = readiness::alarms(&items, now);
    Json(json!({ "as_of": now, "host": door.fleet.host(), "items": items, "alarms": alarms })).into_response()
}

/// `GET /api/v1/services/{id}`.
pub(super) async fn one(
    State(door): State<Door>,
    Path(id): Path<String>,
    visitor: Visitor,
) -> Result<Response, Problem> {
    door.fleet.looked_at();
    let mut view = door.fleet.view(&id).ok_or_else(|| unknown(&id))?;
    limit(&mut view, &visitor);
    Ok(Json(view).into_response())
}

/// Leaves out what is not for this visitor: command lines are for operators, what services say of their accounts is for
/// those who may read everything.
pub(super) fn limit(view: &mut ServiceView, visitor: &Visitor) {
    if visitor.role() < Role::Operator {
        view.command.clear();
    }
    if !visitor.reads_everything() {
        view.alarms.clear();
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct After {
    #[serde(default)]
    after: u64,
}

/// `GET /api/v1/services/events?after=SEQ`.
pub(super) async fn events(
    State(door): State<Door>,
    Parameters(asked): Parameters<After>,
    _: Visitor,
) -> Response {
    Json(json!({ "items": door.fleet.events(asked.after) })).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lines {
    stream: Option<String>,
    tail: Option<usize>,
}

/// `GET /api/v1/services/{id}/logs?stream=&tail=`: operators alone, as a log may say anything. Text is inert.
pub(super) async fn logs(
    State(door): State<Door>,
    Path(id): Path<String>,
    Parameters(asked): Parameters<Lines>,
    visitor: Visitor,
) -> Result<Response, Problem> {
    visitor.at_least(Role::Operator)?;
    let most = asked.tail.unwrap_or(100).min(LINES);
    let stream = match asked.stream.as_deref() {
        None => None,
        Some("stdout") => Some(Stream::Stdout),
        Some("stderr") => Some(Stream::Stderr),
        Some(_) => {
            return Err(Problem::bad_parameter("stream", "write stdout or stderr, or leave it out for both"));
        }
    };
    let items = door.fleet.log(&id, stream, most).ok_or_else(|| unknown(&id))?;
    Ok(Json(json!({ "items": items })).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Waiting {
    wait: Option<vigie_common::config::Duration>,
}

/// `POST /api/v1/services/{id}/{verb}?wait=30s`: 202 with the generation of the command, or, having waited, 200 with
/// the service as it is then.
pub(super) async fn command(
    State(door): State<Door>,
    Path((id, verb)): Path<(String, String)>,
    Parameters(asked): Parameters<Waiting>,
    visitor: Visitor,
    peer: Option<Extension<Peer>>,
) -> Result<Response, Problem> {
    visitor.at_least(Role::Operator)?;
    let by = actor(&visitor, peer.map(|Extension(peer)| peer));
    let generation = door.fleet.command(&id, self::verb(&verb)?, by).await.map_err(|e| refusal(&id, e))?;
    match asked.wait {
        None => {
            Ok((StatusCode::ACCEPTED, Json(json!({ "id": id, "generation": generation }))).into_response())
        }
        Some(wait) => {
            let view =
                door.fleet.settled(&id, generation, wait.0.min(WAIT)).await.ok_or_else(|| unknown(&id))?;
            Ok(Json(view).into_response())
        }
    }
}

/// One of the four things that can be asked of a service, and nothing else.
pub(super) fn verb(word: &str) -> Result<Verb, Problem> {
    let all = [Verb::Start, Verb::Stop, Verb::Restart, Verb::Reset];
    let found = all.into_iter().find(|verb| verb.as_str() == word);
    found.ok_or_else(|| Problem::not_found("a service can be asked to start, stop, restart or reset"))
}

pub(super) fn refusal(id: &str, error: CommandError) -> Problem {
    match error {
        CommandError::Unknown => unknown(id),
        CommandError::Refused { state, why } => Problem::conflict(format!("{id} is {state}: {why}")),
    }
}

fn unknown(id: &str) -> Problem {
    Problem::not_found(format!("there is no service `{}`", inert(id, 40)))
}
