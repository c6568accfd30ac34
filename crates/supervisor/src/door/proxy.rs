//! Everything that is not the door's own is forwarded to metrics, streams included.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, Response as Answer, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use vigie_web::{Problem, Visitor};

use super::{Door, away};
use crate::service::words::State as Observed;

/// On loopback a connection is there at once or not at all.
const CONNECT: Duration = Duration::from_secs(2);
/// An answer begins within this; how long it goes on is its own affair.
const ANSWER: Duration = Duration::from_secs(30);
/// What is below these is the door's own, and no other's.
const OURS: [&str; 3] = ["/services", "/api/v1/services", "/setup"];
/// Headers that are between two neighbours (RFC 9110 7.6.1), and those by which a client could pose as a proxy.
const DROPPED: [&str; 14] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

/// The way to metrics; none when it is not run here.
#[derive(Debug, Clone)]
pub(super) struct Proxy {
    metrics: Option<SocketAddr>,
}

impl Proxy {
    pub(super) fn new(metrics: Option<SocketAddr>) -> Self {
        Self { metrics }
    }
}

/// Why there is no answer of metrics.
#[derive(Debug)]
enum Failure {
    Connect(std::io::Error),
    Slow,
    Broken(hyper::Error),
}

/// The fallback of the door. Whoever gets here has been let through by the guard.
pub(super) async fn forward(State(door): State<Door>, _: Visitor, request: Request) -> Response {
    let path = request.uri().path();
    if OURS.iter().any(|ours| path.starts_with(ours)) {
        return Problem::not_found("there is nothing at this address").into_response();
    }
    let page = request.headers().get(header::ACCEPT).and_then(|v| v.to_str().ok());
    let page = page.is_some_and(|accept| accept.contains("text/html")) && !path.starts_with("/api/");
    let Some(address) = door.proxy.metrics else { return away::answer(&door, page) };
    // While ours does not run, whatever listens there is somebody else's, who must not get our visitors' sessions.
    if door.fleet.view("metrics").is_some_and(|metrics| metrics.state != Observed::Running) {
        return away::answer(&door, page);
    }
    match send(address, request).await {
        Ok(answer) => answer.into_response(),
        Err(failure) => {
            match failure {
                Failure::Connect(error) => tracing::debug!(%error, %address, "metrics is not there"),
                Failure::Slow => tracing::warn!(%address, "metrics does not answer"),
                Failure::Broken(error) => tracing::debug!(%error, %address, "metrics broke off"),
            }
            away::answer(&door, page)
        }
    }
}

async fn send(address: SocketAddr, mut request: Request) -> Result<Answer<Body>, Failure> {
    let connecting = timeout(CONNECT, TcpStream::connect(address)).await.map_err(|_| Failure::Slow)?;
    let stream = connecting.map_err(Failure::Connect)?;
    stream.set_nodelay(true).map_err(Failure::Connect)?;
    let shaking = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaking.map_err(Failure::Broken)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a forwarded connection ended early");
        }
    });
    clean(request.headers_mut());
    *request.version_mut() = axum::http::Version::HTTP_11;
    if let Some(path) = request.uri().path_and_query().cloned() {
        *request.uri_mut() = path.into();
    }
    let answer = timeout(ANSWER, sender.send_request(request)).await.map_err(|_| Failure::Slow)?;
    let mut answer = answer.map_err(Failure::Broken)?.map(Body::new);
    clean(answer.headers_mut());
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        *answer.status_mut() = StatusCode::BAD_GATEWAY;
    }
    Ok(answer)
}

fn clean(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in DROPPED {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_between_neighbours_stays_there() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, x-mine"),
            ("x-mine", "1"),
            ("x-forwarded-for", "192.0.2.1"),
            ("transfer-encoding", "chunked"),
            ("cookie", "vigie=1"),
            ("host", "localhost"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        clean(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["cookie", "host"]);
    }
}
