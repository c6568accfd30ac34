//! The health page: `/healthz`, `/readyz` with the alarms, `/metrics`; for this machine alone.

mod exposition;

use axum::Router;
use axum::extract::Request;
use axum::http::header;
use axum::middleware::map_request;
use axum::routing::get;
use vigie_common::clock;
use vigie_web::{Health, health, local_only, problem};

use crate::alarms::alarms;
use crate::board::Board;

/// What is served. The alarms are decided when they are asked for.
pub fn page(health: Health, board: Board) -> Router {
    let (asked, told) = (board.clone(), health.clone());
    let decide = move |request: Request| {
        told.set_alarms(asked.read(|known| alarms(known, clock::now())));
        std::future::ready(request)
    };
    let metrics = move || {
        let text = board.read(|known| exposition::text(known, clock::now()));
        std::future::ready(([(header::CONTENT_TYPE, exposition::MEDIA_TYPE)], text))
    };
    let router = health::routes(health).layer(map_request(decide)).route("/metrics", get(metrics));
    local_only(problem::fallbacks(router))
}
