//! The Host of a request, and the rule for what only this machine may ask for.
//!
//! A page of a stranger can make a browser send requests here under a name of the stranger's that resolves to our
//! address (DNS rebinding): the Host tells.

use std::net::IpAddr;

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};

use crate::Problem;

/// `router` for this machine alone: a Host that is neither `localhost` nor a loopback address is turned away (421).
pub fn local_only(router: Router) -> Router {
    router.layer(from_fn(pass))
}

async fn pass(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    if host.is_some_and(|host| is_loopback(&host_of(host).to_ascii_lowercase())) {
        return next.run(request).await;
    }
    misdirected("this address answers this machine alone: use localhost, or a loopback address")
        .into_response()
}

/// 421: the Host of the request is none of ours. `detail` says which one to use.
pub(crate) fn misdirected(detail: &str) -> Problem {
    Problem::new(StatusCode::MISDIRECTED_REQUEST, "unknown-host", "Not this host").detail(detail)
}

/// Without the port.
pub(crate) fn host_of(authority: &str) -> &str {
    if let Some(end) = authority.find(']') {
        return authority.get(..=end).unwrap_or(authority);
    }
    authority.rsplit_once(':').map_or(authority, |(host, _)| host)
}

pub(crate) fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

pub(crate) fn is_loopback(host: &str) -> bool {
    host == "localhost" || address(host).is_some_and(|ip| ip.is_loopback())
}
