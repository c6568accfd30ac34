//! What is answered over HTTP: conventions and routes.
//!
//! JSON in snake_case, times in RFC 3339 and UTC, sizes in bytes, durations in seconds; ranges are half-open; errors are
//! `application/problem+json`. What a visitor may not see is in no answer, sums included.

mod exposition;
mod host;
mod mailboxes;
mod params;
mod senders;
mod series;
mod stream;
mod summary;

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio::sync::watch;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use vigie_common::shutdown::Shutdown;
use vigie_web::health;
use vigie_web::{Access, Health, Problem, Visitor, problem};

use self::params::Params;
use crate::alarms::Found;
use crate::error::Error;
use crate::host::Host;
use crate::index::Outlets;
use crate::readers::Readers;

pub use self::exposition::Requests;

/// What handlers know. Clones share it.
#[derive(Debug, Clone)]
pub struct App(Arc<Parts>);

/// What an [`App`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// The read model.
    pub readers: Readers,
    /// What the indexing thread tells.
    pub outlets: Outlets,
    /// What the host does.
    pub host: watch::Receiver<Option<Host>>,
    /// What a person should look at.
    pub alarms: watch::Receiver<Vec<Found>>,
    /// Who may do what.
    pub access: Access,
    /// For `/healthz` and `/readyz`.
    pub health: Health,
    /// Requests counted.
    pub requests: Requests,
    /// Ends streams.
    pub shutdown: Shutdown,
}

impl App {
    /// Of its parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// All routes behind all checks. `assets` is the front end, which answers for `/` and what lies under it.
pub fn router(app: &App, assets: Router) -> Router {
    let api = Router::new()
        .route("/api/v1/session", get(session))
        .route("/api/v1/summary", get(summary::answer))
        .route("/api/v1/series/{metric}", get(series::answer))
        .route("/api/v1/mailboxes", get(mailboxes::answer))
        .route("/api/v1/senders", get(senders::answer))
        .route("/api/v1/host", get(host::answer))
        .route("/api/v1/stream", get(stream::answer))
        .route("/metrics", get(exposition::answer))
        .route_layer(from_fn_with_state(app.clone(), exposition::count))
        .with_state(app.clone());
    let all = api.merge(health::routes(app.health.clone())).merge(assets);
    // A large answer is to be there soon, more than to be small.
    let compression = CompressionLayer::new().quality(CompressionLevel::Fastest);
    app.access.guard(problem::fallbacks(all).layer(compression))
}

#[derive(Serialize)]
struct Session {
    user: Option<User>,
    /// No user exists, and this machine needs none.
    open: bool,
    csrf: String,
}

#[derive(Serialize)]
struct User {
    name: String,
    role: &'static str,
}

async fn session(
    State(app): State<App>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<Json<Session>, Problem> {
    Params::parse(query.as_deref(), &[])?;
    let user = visitor.name().map(|name| User { name: name.to_owned(), role: visitor.role().as_str() });
    Ok(Json(Session { user, open: app.access.is_open(), csrf: visitor.csrf().to_owned() }))
}

/// An answer, and nothing else.
fn json(body: &impl Serialize) -> Response {
    Json(body).into_response()
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::TooLong => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "too-long", "The answer took too long")
                    .detail("ask for a shorter range or a wider bucket, or try again later")
            }
            // It is being made anew.
            Error::Unusable { .. } | Error::Disk { .. } => {
                tracing::warn!(%error, "the read model cannot be read");
                Self::unavailable("the read model cannot be read just now: try again in a few seconds")
            }
            error => Self::internal(error),
        }
    }
}
