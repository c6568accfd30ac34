//! `/api/v1/senders`: who sends most.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;
use vigie_common::clock;
use vigie_common::config::Role;
use vigie_web::{Problem, Visitor};

use super::params::{Params, zone_name};
use super::{App, json};
use crate::query::scan::{Scan, Scope};
use crate::query::senders::{By, Senders, largest};

#[derive(Serialize)]
struct Answer {
    from: Timestamp,
    to: Timestamp,
    tz: String,
    by: &'static str,
    #[serde(flatten)]
    senders: Senders,
}

pub(super) async fn answer(
    State(app): State<App>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let params = Params::parse(query.as_deref(), &["from", "to", "tz", "by", "account", "limit"])?;
    let range = params.range(clock::now())?;
    let zone = params.zone()?;
    let numbers_only = visitor.role() < Role::Reader;
    let by = params.value("by")?.unwrap_or(if numbers_only { By::Domain } else { By::Address });
    if by == By::Address {
        // Whoever sees numbers only sees no addresses.
        visitor.at_least(Role::Reader)?;
    }
    let account = params.account(&visitor)?;
    let limit = params.number("limit", 20, 500)?;
    let (from, to) = range.seconds();
    let senders = app
        .readers
        .ask(move |db| {
            let sees = |name: &str| visitor.sees(name) && account.as_deref().is_none_or(|one| one == name);
            let scope = Scope::of(db, sees)?;
            largest(db, &Scan { from, to, scope: &scope }, by, limit)
        })
        .await?;
    Ok(json(&Answer { from: range.from, to: range.to, tz: zone_name(&zone), by: by.as_str(), senders }))
}
