//! `/api/v1/host`: what the host does now.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use vigie_web::{Problem, Visitor};

use super::params::Params;
use super::{App, json};

pub(super) async fn answer(
    State(app): State<App>,
    _visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Params::parse(query.as_deref(), &[])?;
    match app.host.borrow().as_ref() {
        Some(host) => Ok(json(host)),
        None => Err(Problem::unavailable("the host has not been looked at yet: try again in a second")),
    }
}
