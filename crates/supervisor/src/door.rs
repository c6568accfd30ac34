//! The one door: the page and the API of the services, log-in and set-up; everything else is metrics' and is
//! forwarded, or answered by a page that says what metrics is doing.

mod api;
mod away;
mod page;
mod prometheus;
mod proxy;
mod readiness;
mod setup;
mod stream;
pub(crate) mod text;

use std::net::SocketAddr;

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use vigie_common::shutdown::Shutdown;
use vigie_web::{Access, Peer, Problem, Visitor};

use self::proxy::Proxy;
use crate::fleet::Fleet;
use crate::fleet::event::Actor;

pub use self::setup::Setup;

/// What the handlers of the door share.
#[derive(Clone)]
pub struct Door {
    fleet: Fleet,
    access: Access,
    proxy: Proxy,
    setup: Setup,
    /// Ends the streams.
    shutdown: Shutdown,
}

impl Door {
    /// A door to `fleet`; other paths are forwarded to `metrics`.
    #[must_use]
    pub fn new(
        fleet: Fleet,
        access: Access,
        metrics: Option<SocketAddr>,
        setup: Setup,
        shutdown: Shutdown,
    ) -> Self {
        Self { fleet, access, proxy: Proxy::new(metrics), setup, shutdown }
    }

    /// All of it, behind the guard.
    pub fn router(&self) -> Router {
        let own = Router::new()
            .route("/services", get(page::services))
            .route("/services/{id}/{verb}", post(page::command))
            .route("/services/style.css", get(|| asset("text/css; charset=utf-8", STYLE)))
            .route("/services/live.js", get(|| asset("text/javascript; charset=utf-8", SCRIPT)))
            .route("/services/metrics", get(prometheus::metrics))
            .route("/api/v1/services", get(api::list))
            .route("/api/v1/services/events", get(api::events))
            .route("/api/v1/services/stream", get(stream::stream))
            .route("/api/v1/services/{id}", get(api::one))
            .route("/api/v1/services/{id}/logs", get(api::logs))
            .route("/api/v1/services/{id}/{verb}", post(api::command))
            .route("/setup", get(setup::form).post(setup::set))
            .route("/healthz", get(readiness::healthz))
            .route("/readyz", get(readiness::readyz));
        let own = own
            .fallback(proxy::forward)
            .method_not_allowed_fallback(|| async { Problem::method_not_allowed() });
        self.access.guard(own.with_state(self.clone()))
    }
}

const STYLE: &str = include_str!("../assets/services.css");
const SCRIPT: &str = include_str!("../assets/live.js");

async fn asset(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "max-age=3600")], text)
}

/// Who did it, for events and log.
fn actor(visitor: &Visitor, peer: Option<Peer>) -> Actor {
    match peer {
        Some(Peer::Unix { uid }) => Actor::local(uid),
        Some(Peer::Tcp(_)) | None => Actor::user(visitor.name().unwrap_or("this machine")),
    }
}
