//! `/api/v1/summary`: everything at a glance.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use vigie_common::clock;
use vigie_web::{Alarm, Problem, Visitor};

use super::params::{Params, zone_name};
use super::{App, json};
use crate::query::overview::Overview;
use crate::standing::{Condition, Standing};

pub(super) async fn answer(
    State(app): State<App>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let zone = Params::parse(query.as_deref(), &["tz"])?.zone()?;
    Ok(json(&summary(&app, &visitor, zone).await?))
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Summary {
    as_of: Timestamp,
    version: &'static str,
    tz: String,
    ingest: Ingest,
    index: Index,
    #[serde(flatten)]
    overview: Overview,
    mailboxes: Mailboxes,
    archive_disk: Option<Disk>,
    alarms: Vec<Alarm>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Ingest {
    running: bool,
    since: Option<Timestamp>,
    heartbeat_at: Option<Timestamp>,
    version: Option<String>,
}

/// The numbers count everything, and the detail may name any file: only who sees all accounts is told them.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Index {
    state: &'static str,
    detail: Option<String>,
    last_seq: Option<u64>,
    indexed_seq: Option<u64>,
    records_behind: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
struct Mailboxes {
    total: usize,
    ok: usize,
    trouble: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Disk {
    total_bytes: u64,
    free_bytes: u64,
}

impl Summary {
    /// Whether both say the same, whenever they say it.
    pub(super) fn same(&self, other: &Self) -> bool {
        let timeless = |summary: &Self| {
            let mut summary = summary.clone();
            summary.as_of = Timestamp::UNIX_EPOCH;
            summary.ingest.heartbeat_at = None;
            summary
        };
        timeless(self) == timeless(other)
    }
}

pub(super) async fn summary(app: &App, visitor: &Visitor, zone: TimeZone) -> Result<Summary, Problem> {
    let now = clock::now();
    let tz = zone_name(&zone);
    let standing = app.outlets.standing.borrow().clone();
    let who = visitor.clone();
    let overview =
        app.readers.ask(move |db| Overview::read(db, &zone, now, |account| who.sees(account))).await?;
    let disk = app.host.borrow().as_ref().and_then(|host| {
        let disk = host.archive_disk()?;
        Some(Disk { total_bytes: disk.total_bytes, free_bytes: disk.free_bytes })
    });
    let alarms = app.alarms.borrow().iter().filter_map(|found| found.told_to(visitor)).collect();
    Ok(Summary {
        as_of: now,
        version: env!("CARGO_PKG_VERSION"),
        tz,
        ingest: ingest(&standing, now),
        index: index(&standing, visitor),
        overview,
        mailboxes: mailboxes(&standing, visitor, now),
        archive_disk: disk,
        alarms,
    })
}

fn ingest(standing: &Standing, now: Timestamp) -> Ingest {
    let archive = standing.archive.as_ref();
    let writer = archive.and_then(|archive| archive.writer.as_ref());
    Ingest {
        running: archive.is_some_and(|archive| archive.is_running(now)),
        since: writer.map(|writer| writer.since),
        heartbeat_at: writer.map(|writer| writer.heartbeat),
        version: writer.map(|writer| writer.version.clone()),
    }
}

fn index(standing: &Standing, visitor: &Visitor) -> Index {
    let all = visitor.accounts().is_none();
    Index {
        state: standing.state.as_str(),
        detail: standing.detail.clone().filter(|_| all),
        last_seq: all.then_some(standing.last_seq),
        indexed_seq: all.then_some(standing.indexed_seq),
        records_behind: all.then(|| standing.behind()),
    }
}

fn mailboxes(standing: &Standing, visitor: &Visitor, now: Timestamp) -> Mailboxes {
    let mut count = Mailboxes::default();
    let Some(archive) = &standing.archive else { return count };
    let running = archive.is_running(now);
    for mailbox in archive.mailboxes.iter().filter(|mailbox| visitor.sees(&mailbox.account)) {
        let condition = Condition::of(mailbox, running, now);
        count.total += 1;
        count.ok += usize::from(condition.is_ok());
        count.trouble += usize::from(!condition.is_ok() && condition != Condition::NotWatched);
    }
    count
}
