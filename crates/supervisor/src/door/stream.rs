//! `/api/v1/services/stream`: what changes, as it changes (server-sent events).
//!
//! `event` carries an event, `service` the service as it is now, `log` a line of the service named by `?log=ID`;
//! `sample` says that figures are new. A reader that is too slow is told to `resync`: to read everything again.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use vigie_common::text::inert;
use vigie_web::access::Role;
use vigie_web::{Parameters, Problem, Visitor};

use super::{Door, api};
use crate::fleet::event::Change;
use crate::logs::line::LogLine;

/// A line says nothing, so that a dead connection is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A stream ends after this, and the reader begins another: whoever logged out since gets none.
const LIFE: Duration = Duration::from_secs(3600);
/// Events on their way to one reader.
const ROOM: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    log: Option<String>,
}

pub(super) async fn stream(
    State(door): State<Door>,
    Parameters(wanted): Parameters<Wanted>,
    visitor: Visitor,
) -> Result<Response, Problem> {
    let lines = match &wanted.log {
        None => None,
        Some(id) => {
            visitor.at_least(Role::Operator)?;
            let lines = door.fleet.follow(id);
            Some(
                lines
                    .ok_or_else(|| Problem::not_found(format!("there is no service `{}`", inert(id, 40))))?,
            )
        }
    };
    let changes = door.fleet.changes();
    let (sender, events) = tokio::sync::mpsc::channel(ROOM);
    tokio::spawn(tell(door, visitor, changes, lines, sender));
    let events = ReceiverStream::new(events).map(Ok::<_, Infallible>);
    let stream = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    let headers = [(header::CACHE_CONTROL, "no-store"), (HeaderName::from_static("x-accel-buffering"), "no")];
    Ok((headers, stream).into_response())
}

/// Runs until the reader is gone or we end.
async fn tell(
    door: Door,
    visitor: Visitor,
    mut changes: Receiver<Change>,
    mut lines: Option<Receiver<LogLine>>,
    sender: tokio::sync::mpsc::Sender<Event>,
) {
    let end = Instant::now() + LIFE;
    loop {
        let event = tokio::select! {
            change = changes.recv() => match change {
                Ok(change) => shown(&door, &visitor, change),
                Err(RecvError::Lagged(_)) => Some(Event::default().event("resync").data("{}")),
                Err(RecvError::Closed) => return,
            },
            line = next(&mut lines) => match line {
                Ok(line) => named("log", &line),
                Err(RecvError::Lagged(_)) => Some(Event::default().event("resync").data("{}")),
                Err(RecvError::Closed) => { lines = None; None }
            },
            () = sleep_until(end) => return,
            () = sender.closed() => return,
            () = door.shutdown.cancelled() => return,
        };
        door.fleet.looked_at();
        if let Some(event) = event
            && sender.send(event).await.is_err()
        {
            return;
        }
    }
}

async fn next(lines: &mut Option<Receiver<LogLine>>) -> Result<LogLine, RecvError> {
    match lines {
        Some(lines) => lines.recv().await,
        None => std::future::pending().await,
    }
}

fn shown(door: &Door, visitor: &Visitor, change: Change) -> Option<Event> {
    match change {
        Change::Service(id) => {
            let mut view = door.fleet.view(&id)?;
            api::limit(&mut view, visitor);
            named("service", &view)
        }
        Change::Event(event) => Some(named("event", &event)?.id(event.seq.to_string())),
        Change::Sample => Some(Event::default().event("sample").data("{}")),
    }
}

fn named(name: &str, data: &impl Serialize) -> Option<Event> {
    Event::default().event(name).json_data(data).ok()
}
