//! `/services`: the processes as a page that works without script.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use jiff::Timestamp;
use serde::Deserialize;
use vigie_common::clock;
use vigie_common::text::inert;
use vigie_web::access::Role;
use vigie_web::{Alarm, Parameters, Peer, Problem, Visitor};

use super::text::{instant, size, span, time};
use super::{Door, actor, api, readiness};
use crate::fleet::event::Event;
use crate::fleet::view::{HostView, ServiceView};
use crate::logs::line::LogLine;
use crate::service::words::{Health, State as Observed};

/// Lines of a log that the page shows.
const LINES: usize = 200;
/// Octets of a line.
const LINE: usize = 2000;
/// Events that the page shows.
const EVENTS: usize = 30;

#[derive(Template)]
#[template(path = "services.html")]
struct Page<'a> {
    name: Option<&'a str>,
    role: &'a str,
    operator: bool,
    csrf: &'a str,
    alarms: Vec<Alarm>,
    rows: Vec<Row>,
    log: Option<Log>,
    events: Vec<Happened>,
    host: String,
}

struct Row {
    id: String,
    state: &'static str,
    word: String,
    colour: &'static str,
    status: String,
    next: String,
    pid: String,
    uptime: String,
    memory: String,
    cpu: String,
    restarts: u64,
    restarts_hour: String,
    exit: String,
    exit_at: String,
    actions: Vec<Action>,
}

struct Action {
    verb: &'static str,
    word: &'static str,
    sure: &'static str,
    confirm: bool,
}

struct Log {
    id: String,
    lines: Vec<Line>,
    dropped: String,
}

struct Line {
    at: String,
    stream: &'static str,
    text: String,
}

struct Happened {
    at: String,
    service: String,
    change: String,
    reason: String,
    actor: String,
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    log: Option<String>,
}

/// `GET /services[?log=ID]`.
pub(super) async fn services(
    State(door): State<Door>,
    Parameters(wanted): Parameters<Wanted>,
    visitor: Visitor,
) -> Response {
    door.fleet.looked_at();
    let now = clock::now();
    let mut views = door.fleet.views();
    views.iter_mut().for_each(|view| api::limit(view, &visitor));
    let operator = visitor.role() >= Role::Operator;
    let shown = wanted.log.or_else(|| views.first().map(|view| view.id.clone())).filter(|_| operator);
    let mut events = door.fleet.events(0);
    events.reverse();
    events.truncate(EVENTS);
    let page = Page {
        name: visitor.name(),
        role: visitor.role().as_str(),
        operator,
        csrf: visitor.csrf(),
        alarms: readiness::alarms(&views, now),
        log: shown.and_then(|id| log(&door, id)),
        rows: views.into_iter().map(|view| row(view, now)).collect(),
        events: events.into_iter().map(happened).collect(),
        host: host(&door.fleet.host(), now),
    };
    match page.render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => Problem::internal(error).into_response(),
    }
}

/// `POST /services/{id}/{verb}`, a form of the page.
pub(super) async fn command(
    State(door): State<Door>,
    Path((id, verb)): Path<(String, String)>,
    visitor: Visitor,
    peer: Option<Extension<Peer>>,
) -> Result<Redirect, Problem> {
    visitor.at_least(Role::Operator)?;
    let verb = api::verb(&verb)?;
    let by = actor(&visitor, peer.map(|Extension(peer)| peer));
    let generation = door.fleet.command(&id, verb, by).await.map_err(|error| api::refusal(&id, error))?;
    // The page is to show what came of it, where that is soon.
    door.fleet.settled(&id, generation, std::time::Duration::from_secs(2)).await;
    Ok(Redirect::to(&format!("/services?log={id}#service-{id}")))
}

fn row(view: ServiceView, now: Timestamp) -> Row {
    let (word, colour) = word(&view);
    let next = match view.next_start_at {
        Some(at) => format!("tries again in {}", span(now.duration_until(at).as_secs_f64().max(0.0).ceil())),
        None if !view.waiting_for.is_empty() => format!("waits for {}", view.waiting_for.join(", ")),
        None => String::new(),
    };
    let (exit, exit_at) = match &view.last_exit {
        Some(last) => {
            (last.reason.clone(), format!("{} UTC, after {}", instant(last.at), span(last.ran_seconds)))
        }
        None => ("never".into(), String::new()),
    };
    Row {
        state: view.state.as_str(),
        word,
        colour,
        status: view.status.map(|status| inert(&status, 120)).unwrap_or_default(),
        next,
        pid: view.pid.map(|pid| pid.to_string()).unwrap_or_default(),
        uptime: view.uptime_seconds.map(span).unwrap_or_default(),
        memory: view.resident_bytes.map(size).unwrap_or_default(),
        cpu: view.cpu.map(|cpu| format!("{:.1} %", cpu * 100.0)).unwrap_or_default(),
        restarts: view.restarts,
        restarts_hour: if view.restarts_last_hour > 0 {
            format!("{} in an hour", view.restarts_last_hour)
        } else {
            String::new()
        },
        exit,
        exit_at,
        actions: actions(view.state),
        id: view.id,
    }
}

/// The state in words, and its colour.
fn word(view: &ServiceView) -> (String, &'static str) {
    let (word, colour) = match (view.state, view.health) {
        (Observed::Running, Health::Unhealthy) => ("running, does not answer", "bad"),
        (Observed::Running, _) => ("running", "good"),
        (Observed::Starting, _) => ("starting", "warn"),
        (Observed::Waiting, _) => ("waiting", "warn"),
        (Observed::Stopping, _) if view.unkillable => ("does not end, even when killed", "bad"),
        (Observed::Stopping, _) => ("stopping", "warn"),
        (Observed::Backoff, _) if view.crash_loop => ("fails again and again", "bad"),
        (Observed::Backoff, _) => ("failed, will be restarted", "bad"),
        (Observed::Fatal, _) => ("failed, needs you", "bad"),
        (Observed::Exited, _) => ("ended", ""),
        (Observed::Stopped, _) => ("stopped", ""),
    };
    (word.to_owned(), colour)
}

/// What can be done about a service in this state.
fn actions(state: Observed) -> Vec<Action> {
    let start = Action { verb: "start", word: "Start", sure: "", confirm: false };
    let stop = Action { verb: "stop", word: "Stop", sure: "Stop it", confirm: true };
    let restart = Action { verb: "restart", word: "Restart", sure: "Restart it", confirm: true };
    let now = Action { verb: "restart", word: "Restart now", sure: "", confirm: false };
    match state {
        Observed::Running | Observed::Starting => vec![restart, stop],
        Observed::Waiting => vec![stop],
        Observed::Stopping => Vec::new(),
        Observed::Backoff => vec![now, stop],
        Observed::Stopped | Observed::Exited | Observed::Fatal => vec![start],
    }
}

fn log(door: &Door, id: String) -> Option<Log> {
    let lines = door.fleet.log(&id, None, LINES)?;
    let dropped = door.fleet.view(&id).map_or(0, |view| view.log_dropped);
    let shown = |line: LogLine| Line {
        at: time(line.at),
        stream: line.stream.as_str(),
        text: inert(&line.text, LINE),
    };
    let dropped = if dropped > 0 {
        format!("{dropped} lines came faster than they could be kept.")
    } else {
        String::new()
    };
    Some(Log { id, lines: lines.into_iter().map(shown).collect(), dropped })
}

fn happened(event: Event) -> Happened {
    Happened {
        at: instant(event.at),
        service: event.service,
        change: format!("{} → {}", event.from.as_str(), event.to.as_str()),
        reason: event.reason,
        actor: event.actor.to_string(),
    }
}

fn host(host: &HostView, now: Timestamp) -> String {
    let up = span(now.duration_since(host.since).as_secs_f64());
    let [one, five, fifteen] = host.load;
    format!(
        "{} · load {one:.2} {five:.2} {fifteen:.2} · {} of memory and {} of disk free · vigie-supervisor {} up for {up}, {} · times are UTC",
        inert(&host.hostname, 80),
        size(host.memory_available_bytes),
        size(host.data_free_bytes),
        host.version,
        size(host.resident_bytes)
    )
}
