//! What is answered in place of metrics: what it is doing, and what follows.

use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;
use vigie_common::clock;
use vigie_web::Problem;

use super::Door;
use super::text::span;
use crate::fleet::view::ServiceView;
use crate::service::words::State;

#[derive(Template)]
#[template(path = "away.html")]
struct Page {
    what: String,
    again: bool,
}

pub(super) fn answer(door: &Door, page: bool) -> Response {
    let (what, again) = said(door.fleet.view("metrics").as_ref(), clock::now());
    let retry = [(header::RETRY_AFTER, "3")];
    if !page {
        return (retry, Problem::unavailable(what)).into_response();
    }
    match (Page { what, again }).render() {
        Ok(html) => (StatusCode::SERVICE_UNAVAILABLE, retry, Html(html)).into_response(),
        Err(error) => Problem::internal(error).into_response(),
    }
}

/// What metrics is doing, and whether waiting helps.
fn said(metrics: Option<&ServiceView>, now: Timestamp) -> (String, bool) {
    let Some(view) = metrics else {
        return ("metrics is not run here ([metrics] enabled = false).".into(), false);
    };
    let why = view.last_exit.as_ref().map(|last| last.reason.as_str());
    match view.state {
        State::Stopped => ("metrics has been stopped. It can be started on the services page.".into(), true),
        State::Waiting => (format!("metrics waits for {}.", view.waiting_for.join(", ")), true),
        State::Starting => ("metrics is starting.".into(), true),
        State::Running => ("metrics runs, but does not answer.".into(), true),
        State::Stopping => ("metrics is stopping.".into(), true),
        State::Backoff => {
            let wait =
                view.next_start_at.map(|at| span(now.duration_until(at).as_secs_f64().max(0.0).ceil()));
            let next = wait.map_or_else(|| "soon".into(), |wait| format!("in {wait}"));
            (format!("metrics has failed ({}); it is started again {next}.", why.unwrap_or("unknown")), true)
        }
        State::Exited => ("metrics has ended by itself.".into(), true),
        State::Fatal => {
            (format!("metrics has given up ({}): its log has the cause.", why.unwrap_or("unknown")), true)
        }
    }
}
